/* SPDX-License-Identifier: GPL-2.0 */
/* Headers of a request. A client may send anything in them. */
#ifndef KVMWATCH_EXPORT_ACCEPT_H
#define KVMWATCH_EXPORT_ACCEPT_H

#include <stdbool.h>

#include "expose.h"

/* Choose the format by an Accept header (NULL: none), see RFC 9110. */
enum expose_format accept_format(const char *accept);

/* Does this Accept-Encoding header allow a compressed answer? */
bool accept_gzip(const char *encoding);

/*
 * Does a Host header name this host: an address, "localhost", the machine's name, or one of @hosts,
 * separated by commas (NULL: none)? A foreign page whose name resolves to this host (DNS rebinding)
 * sends its own name.
 */
bool accept_host(const char *host, const char *hosts);

#endif /* KVMWATCH_EXPORT_ACCEPT_H */
