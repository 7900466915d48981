/* SPDX-License-Identifier: GPL-2.0 */
/* Answers that are numbers: made when asked for, and shared by those who ask at about one time. */
#ifndef KVMWATCH_EXPORT_BODY_H
#define KVMWATCH_EXPORT_BODY_H

#include <stdbool.h>

#include "export.h"

struct MHD_Response;

/**
 * struct body - an answer, which several connections may be sending
 * @response:	it
 * @made_ns:	when it was
 * @cost_ns:	how long that took
 * @users:	connections that send it, and one as long as it is the newest
 */
struct body {
	struct MHD_Response *response;
	__u64 made_ns, cost_ns;
	unsigned int users;
};

/*
 * The newest body of each format, as it is and compressed; and until when the time that making
 * them took is more than its share.
 */
struct bodies {
	struct exporter exporter;
	struct body *newest[2][2];
	__u64 rest_until_ns;
	unsigned int nr;	/* how many bodies there are, in use or newest */
};

/*
 * A body, to be given back with body_put(). Making one that takes long is not repeated before some
 * times as long has passed: so all clients together take a limited part of a CPU. NULL: that
 * failed, and was said.
 */
struct body *body_get(struct bodies *bodies, enum expose_format format, bool gzip);
void body_put(struct bodies *bodies, struct body *body);
/* Give up those that would not be given out again. To be called now and then. */
void bodies_expire(struct bodies *bodies);
void bodies_free(struct bodies *bodies);

#endif /* KVMWATCH_EXPORT_BODY_H */
