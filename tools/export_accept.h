/* SPDX-License-Identifier: GPL-2.0 */
/* What a request says of itself: nothing in it is certain. */
#ifndef KVMWATCH_EXPORT_ACCEPT_H
#define KVMWATCH_EXPORT_ACCEPT_H

#include <stdbool.h>

#include "expose.h"

/* The format for this Accept header (NULL: there is none), see RFC 9110. */
enum expose_format accept_format(const char *accept);

/* May the answer be compressed, by this Accept-Encoding header? */
bool accept_gzip(const char *encoding);

/*
 * Is a Host header one of this host's: an address, "localhost", the name that the machine has, or
 * one of @hosts, with commas between them (NULL: none)? A page of somebody else's whose name leads
 * here has its own.
 */
bool accept_host(const char *host, const char *hosts);

#endif /* KVMWATCH_EXPORT_ACCEPT_H */
