// SPDX-License-Identifier: GPL-2.0
/* Unpacking what kernels and their modules are packed with. */
#include <stdlib.h>
#include <string.h>

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "unpack.h"

/* A vmlinux with all that it may have; more is none. */
#define MAX_SIZE	(2048UL << 20)
#define FIRST_SIZE	(8UL << 20)

static const char no_memory[] = "no memory";
static const char is_broken[] = "what is packed in it is broken, or not all there";

/* Make room behind what is there. */
static const char *grow(struct blob *out, size_t *room)
{
	size_t size = *room ? 2 * *room : FIRST_SIZE;
	void *data;

	if (size > MAX_SIZE)
		return "it unpacks to more than any kernel has";
	data = realloc(out->data, size);
	if (!data)
		return no_memory;
	out->data = data;
	*room = size;
	return NULL;
}

static const char *unpack_xz(struct blob *out, const void *in, size_t size)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	const char *wrong = NULL;
	lzma_ret ret = LZMA_OK;
	size_t room = 0;

	if (lzma_stream_decoder(&stream, UINT64_MAX, 0) != LZMA_OK)
		return no_memory;
	stream.next_in = in;
	stream.avail_in = size;
	while (ret == LZMA_OK && !wrong) {
		if (out->size == room)
			wrong = grow(out, &room);
		if (wrong)
			break;
		stream.next_out = (uint8_t *)out->data + out->size;
		stream.avail_out = room - out->size;
		ret = lzma_code(&stream, LZMA_FINISH);
		out->size = room - stream.avail_out;
	}
	lzma_end(&stream);
	return wrong || ret == LZMA_STREAM_END ? wrong : is_broken;
}

static const char *unpack_zstd(struct blob *out, const void *in, size_t size)
{
	ZSTD_inBuffer input = { in, size, 0 };
	ZSTD_DStream *stream = ZSTD_createDStream();
	const char *wrong = stream ? NULL : no_memory;
	size_t room = 0, left = 1, before;
	ZSTD_outBuffer output;

	while (left && !wrong) {
		if (out->size == room)
			wrong = grow(out, &room);
		if (wrong)
			break;
		output = (ZSTD_outBuffer){ out->data, room, out->size };
		before = input.pos;
		left = ZSTD_decompressStream(stream, &output, &input);
		if (ZSTD_isError(left) ||
		    (left && output.pos == out->size && input.pos == before))
			wrong = is_broken;
		out->size = output.pos;
	}
	ZSTD_freeDStream(stream);
	return wrong;
}

static const char *unpack_gzip(struct blob *out, const void *in, size_t size)
{
	z_stream stream = { .next_in = (Bytef *)in };
	const char *wrong = NULL;
	size_t room = 0;
	int ret = Z_OK;

	/* 16: with gzip's header */
	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
		return no_memory;
	stream.avail_in = size > UINT32_MAX ? UINT32_MAX : size;
	while (ret == Z_OK && !wrong) {
		if (out->size == room)
			wrong = grow(out, &room);
		if (wrong)
			break;
		stream.next_out = (Bytef *)out->data + out->size;
		stream.avail_out = room - out->size;
		ret = inflate(&stream, Z_NO_FLUSH);
		out->size = room - stream.avail_out;
	}
	inflateEnd(&stream);
	return wrong || ret == Z_STREAM_END ? wrong : is_broken;
}

const char *unpack(struct blob *out, const void *in, size_t size)
{
	static const struct {
		const char *magic;
		size_t length;
		const char *(*unpack)(struct blob *out, const void *in, size_t size);
	} ways[] = {
		{ "\xfd" "7zXZ", 6, unpack_xz },
		{ "\x28\xb5\x2f\xfd", 4, unpack_zstd },
		{ "\x1f\x8b\x08", 3, unpack_gzip },
	};
	size_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (size > ways[i].length && !memcmp(in, ways[i].magic, ways[i].length))
			return ways[i].unpack(out, in, size);
	return NULL;
}
