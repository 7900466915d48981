/* SPDX-License-Identifier: GPL-2.0 */
/* Answers with numbers. They are made on request, and shared by requests at about the same time. */
#ifndef KVMWATCH_EXPORT_BODY_H
#define KVMWATCH_EXPORT_BODY_H

#include <stdbool.h>

#include "export.h"

struct MHD_Response;

/**
 * struct body - an answer, which several connections may send
 * @response:	the answer
 * @made_ns:	when it was made
 * @cost_ns:	what making it took of a CPU
 * @users:	connections that send it, plus one while it is the newest
 */
struct body {
	struct MHD_Response *response;
	__u64 made_ns, cost_ns;
	unsigned int users;
};

/*
 * The newest body of each format, plain and compressed. Until @rest_until_ns no new one is made, as
 * making the last ones has used up its share of CPU time.
 */
struct bodies {
	struct exporter exporter;
	struct body *newest[2][2];
	__u64 rest_until_ns;
	unsigned int nr;	/* number of bodies, in use or newest */
};

/*
 * Get a body; return it with body_put(). A new one is made only after a multiple of the time that
 * the last one took, so that all clients together use a limited share of a CPU. NULL: failed;
 * prints an error.
 */
struct body *body_get(struct bodies *bodies, enum expose_format format, bool gzip);
void body_put(struct bodies *bodies, struct body *body);
/* Free bodies that are too old to be used again. Call this periodically. */
void bodies_expire(struct bodies *bodies);
void bodies_free(struct bodies *bodies);

#endif /* KVMWATCH_EXPORT_BODY_H */
