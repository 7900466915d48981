// SPDX-License-Identifier: GPL-2.0
/* Answers with numbers. See export_body.h. */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "cmd.h"
#include "export_body.h"
#include "repeat.h"

/* Making bodies takes at most one part in so many of a CPU's time. */
#define SHARE		5
#define NR_BODIES	4	/* two formats, plain and compressed */
#define GZIP_LEVEL	1
#define GZIP_BITS	(15 + 16)	/* the largest window, in gzip's format */

#define TEXT_TYPE	"text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Compress the text in @e. Returns 0 or -errno. */
static int compress_text(struct exposition *e)
{
	z_stream stream = { .next_in = (unsigned char *)e->text, .avail_in = e->len };
	unsigned char *out;
	uLong size;
	int done;

	if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	size = deflateBound(&stream, e->len);
	out = malloc(size);
	stream.next_out = out;
	stream.avail_out = size;
	done = out ? deflate(&stream, Z_FINISH) : Z_MEM_ERROR;
	deflateEnd(&stream);
	if (done != Z_STREAM_END) {
		free(out);
		return -ENOMEM;
	}
	expose_free(e);
	e->text = (char *)out;
	e->len = size - stream.avail_out;
	return 0;
}

static int write_text(struct bodies *bodies, enum expose_format format, bool gzip,
		      struct exposition *e)
{
	int err;

	expose_init(e, format, EXPORT_MAX_BYTES);
	err = exporter_write(&bodies->exporter, e);
	if (!err && gzip)
		err = compress_text(e);
	if (err)
		expose_free(e);
	return err;
}

/* The response takes over the text. */
static struct MHD_Response *make_response(struct exposition *e, bool gzip)
{
	struct MHD_Response *response;
	/* Compressed text is sent soon; the unused memory of other texts is given back. */
	char *text = realloc(e->text, e->len);

	if (!text)
		text = e->text;
	response = MHD_create_response_from_buffer(e->len, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return NULL;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				e->format == EXPOSE_TEXT ? TEXT_TYPE : OPENMETRICS_TYPE);
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
	if (gzip)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	return response;
}

/* What this thread has used of a CPU; waiting for one costs nobody anything. */
static __u64 cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static struct body *make_body(struct bodies *bodies, enum expose_format format, bool gzip)
{
	struct body *body = calloc(1, sizeof(*body));
	struct exposition e;
	__u64 begin = cpu_ns();
	int err;

	err = body ? write_text(bodies, format, gzip, &e) : -ENOMEM;
	if (!err) {
		body->response = make_response(&e, gzip);
		err = body->response ? 0 : -ENOMEM;
	}
	if (err) {
		free(body);
		complain("export", "could not answer: %s", export_error(err));
		return NULL;
	}
	body->made_ns = now_ns();
	body->cost_ns = cpu_ns() - begin;
	body->users = 1;
	if (bodies->rest_until_ns < body->made_ns)
		bodies->rest_until_ns = body->made_ns;
	bodies->rest_until_ns += (SHARE - 1) * body->cost_ns;
	bodies->nr++;
	return body;
}

void body_put(struct bodies *bodies, struct body *body)
{
	if (!body || --body->users)
		return;
	MHD_destroy_response(body->response);
	free(body);
	bodies->nr--;
}

/*
 * A body is made again only after all formats together have rested, in proportion to the CPU time
 * that making them took. A body that is older than four such rests may be made again at once: its
 * format alone is within its share.
 */
static bool is_old(const struct bodies *bodies, const struct body *body)
{
	__u64 now = now_ns(), age = now - body->made_ns;

	if (age > (NR_BODIES * SHARE - 1) * body->cost_ns)
		return true;
	return age > (SHARE - 1) * body->cost_ns && now > bodies->rest_until_ns;
}

static void drop(struct bodies *bodies, struct body **body)
{
	body_put(bodies, *body);
	*body = NULL;
}

struct body *body_get(struct bodies *bodies, enum expose_format format, bool gzip)
{
	struct body **newest = &bodies->newest[format][gzip];

	if (*newest && is_old(bodies, *newest))
		drop(bodies, newest);
	if (!*newest)
		*newest = make_body(bodies, format, gzip);
	if (*newest)
		(*newest)->users++;
	return *newest;
}

void bodies_expire(struct bodies *bodies)
{
	struct body **newest;
	size_t i;

	for (i = 0; i < NR_BODIES; i++) {
		newest = &bodies->newest[i / 2][i % 2];
		if (*newest && is_old(bodies, *newest))
			drop(bodies, newest);
	}
}

void bodies_free(struct bodies *bodies)
{
	size_t i;

	for (i = 0; i < NR_BODIES; i++)
		drop(bodies, &bodies->newest[i / 2][i % 2]);
	exporter_free(&bodies->exporter);
}
