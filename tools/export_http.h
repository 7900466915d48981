/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exporter's HTTP server. One thread does all, so that nothing in it needs a lock. Clients may
 * be slow, broken or hostile: each has a limited time for one request, and one that is new pushes
 * out one that is old where there are too many.
 */
#ifndef KVMWATCH_EXPORT_HTTP_H
#define KVMWATCH_EXPORT_HTTP_H

struct export_options;

/* An export_server, see export.h. */
int http_serve(const struct export_options *options, char **argv);

#endif /* KVMWATCH_EXPORT_HTTP_H */
