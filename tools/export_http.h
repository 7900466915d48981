/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exporter's HTTP server. It has one thread, and so needs no locks. Clients may be slow, broken
 * or hostile: each has a limited time for a request, and if there are too many, a new client
 * replaces the oldest.
 */
#ifndef KVMWATCH_EXPORT_HTTP_H
#define KVMWATCH_EXPORT_HTTP_H

struct export_options;

/* An export_server, see export.h. */
int http_serve(const struct export_options *options, char **argv);

#endif /* KVMWATCH_EXPORT_HTTP_H */
