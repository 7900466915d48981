// SPDX-License-Identifier: GPL-2.0
/* Headers of a request. See export_accept.h. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "export_accept.h"

#define SPACES	" \t"

/* An item of a list: "name;version=1.0.0;q=0.5", in which parts may be missing. */
struct item {
	const char *name;
	size_t len;
	const char *version;
	size_t version_len;
	double q;
};

static bool is(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !strncasecmp(text, word, len);
}

/* Skip spaces at both ends; *@len is the length. */
static const char *trim(const char *text, size_t *len)
{
	while (*len && strchr(SPACES, *text)) {
		text++;
		--*len;
	}
	while (*len && strchr(SPACES, text[*len - 1]))
		--*len;
	return text;
}

static void take_parameter(struct item *item, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len), *value;
	size_t name_len, value_len;

	if (!equals)
		return;
	name_len = equals - text;
	value_len = len - name_len - 1;
	text = trim(text, &name_len);
	value = equals + 1;
	value = trim(value, &value_len);
	if (is(text, name_len, "q"))
		item->q = atof(value);
	if (is(text, name_len, "version")) {
		item->version = value;
		item->version_len = value_len;
	}
}

/* Read the item at *@list, and advance *@list; false: there is none. */
static bool next_item(const char **list, struct item *item)
{
	const char *at = *list;
	size_t len;

	if (!at || !*at)
		return false;
	memset(item, 0, sizeof(*item));
	item->q = 1;
	item->len = strcspn(at, ",;");
	item->name = trim(at, &item->len);
	at += strcspn(at, ",;");
	while (*at == ';') {
		len = strcspn(++at, ",;");
		take_parameter(item, at, len);
		at += len;
	}
	*list = at + (*at == ',');
	return true;
}

static bool is_openmetrics(const struct item *item)
{
	if (!is(item->name, item->len, "application/openmetrics-text"))
		return false;
	return !item->version || is(item->version, item->version_len, "1.0.0") ||
	       is(item->version, item->version_len, "0.0.1");
}

enum expose_format accept_format(const char *accept)
{
	double openmetrics = 0, text = 0;
	struct item item;

	while (next_item(&accept, &item)) {
		if (is_openmetrics(&item) && item.q > openmetrics)
			openmetrics = item.q;
		if (is(item.name, item.len, "text/plain") && item.q > text)
			text = item.q;
	}
	return openmetrics > 0 && openmetrics >= text ? EXPOSE_OPENMETRICS : EXPOSE_TEXT;
}

bool accept_gzip(const char *encoding)
{
	double any = 0, gzip = -1;
	struct item item;

	while (next_item(&encoding, &item)) {
		if (is(item.name, item.len, "gzip") || is(item.name, item.len, "x-gzip"))
			gzip = item.q;
		if (is(item.name, item.len, "*"))
			any = item.q;
	}
	return (gzip >= 0 ? gzip : any) > 0;
}

/* --- Host ------------------------------------------------------------------ */

static bool is_address(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool is_in_list(const char *host, const char *list)
{
	size_t len;

	for (; list && *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (is(list, len, host))
			return true;
	}
	return false;
}

bool accept_host(const char *header, const char *hosts)
{
	char host[256], own[256] = "";
	char *end;

	if (strlen(header) >= sizeof(host))
		return false;
	strcpy(host, header);
	if (*host == '[') {
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*end = '\0';
		return is_address(host + 1);
	}
	host[strcspn(host, ":")] = '\0';
	if (gethostname(own, sizeof(own) - 1))
		*own = '\0';
	return *host && (is_address(host) || !strcasecmp(host, "localhost") ||
			 !strcasecmp(host, own) || is_in_list(host, hosts));
}
