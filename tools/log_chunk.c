// SPDX-License-Identifier: GPL-2.0
/* How much memory QEMU clears the dirty log of at once. See log_chunk.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log_chunk.h"
#include "patience.h"
#include "proc.h"
#include "vmm_args.h"

#define PAGE_SHIFT	12
/* QEMU replaces values beyond these: CLEAR_BITMAP_SHIFT_MIN, CLEAR_BITMAP_SHIFT_MAX */
#define LEAST_SHIFT	6
#define MOST_SHIFT	31
/* Limit of the property, an 8-bit number */
#define MOST_NUMBER	255

#define PATIENCE_MS	3000

static const char property[] = "x-clear-bitmap-shift";

/* Read a number as QEMU does: the whole text, in any base that C knows. 0: it is no number. */
static __u64 chunk_of(const char *text)
{
	unsigned long shift;
	char *end;

	errno = 0;
	shift = strtoul(text, &end, 0);
	if (end == text || *end || errno || strchr(text, '-') || shift > MOST_NUMBER)
		return 0;
	if (shift < LEAST_SHIFT)
		shift = LEAST_SHIFT;
	if (shift > MOST_SHIFT)
		shift = MOST_SHIFT;
	return 1ULL << (shift + PAGE_SHIFT);
}

/* "driver=migration,property=...,value=N" */
static __u64 chunk_of_items(const char *at, char *text)
{
	bool driver = false, named = false;
	struct qemu_item item;
	__u64 chunk = 0;

	while (*at) {
		at = qemu_item(at, NULL, text, &item);
		if (qemu_item_is(&item, "driver"))
			driver = !strcmp(item.value, "migration");
		else if (qemu_item_is(&item, "property"))
			named = !strcmp(item.value, property);
		else if (qemu_item_is(&item, "value"))
			chunk = chunk_of(item.value);
	}
	return driver && named ? chunk : 0;
}

/* The short form is DRIVER.PROPERTY=VALUE, in which commas have no meaning. */
static __u64 chunk_of_global(const char *value)
{
	static const char driver[] = "migration.";
	size_t len = sizeof(driver) - 1;
	char *text;
	__u64 chunk;

	if (!strncmp(value, driver, len)) {
		if (strncmp(value + len, property, sizeof(property) - 1) ||
		    value[len + sizeof(property) - 1] != '=')
			return 0;
		return chunk_of(value + len + sizeof(property));
	}
	text = malloc(strlen(value) + 1);
	if (!text)
		return 0;
	chunk = chunk_of_items(value, text);
	free(text);
	return chunk;
}

__u64 log_chunk_parse(const char *cmdline, size_t len, const char *exe)
{
	struct vmm_option option;
	struct vmm_args args;
	__u64 chunk = 0, said;

	if (vmm_args_begin(&args, cmdline, len, exe))
		return 0;
	while (args.vmm == VMM_QEMU && vmm_args_next(&args, &option)) {
		if (!option.value || !vmm_option_is(&option, "global"))
			continue;
		/* the last one counts */
		said = chunk_of_global(option.value);
		if (said)
			chunk = said;
	}
	vmm_args_end(&args);
	return chunk;
}

/* --- of a process ------------------------------------------------------------ */

struct reading {
	struct proc process;
	__u64 bytes;
};

static void read_work(void *arg, const bool *over)
{
	struct reading *reading = arg;
	char *cmdline, exe[4096];
	ssize_t n;
	size_t len;

	(void)over;
	n = readlinkat(reading->process.dir, "exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	cmdline = proc_read(&reading->process, "cmdline", VMM_MAX_CMDLINE, &len);
	if (cmdline)
		reading->bytes = log_chunk_parse(cmdline, len, exe);
	free(cmdline);
}

static void reading_free(void *arg)
{
	struct reading *reading = arg;

	proc_close(&reading->process);
	free(reading);
}

int log_chunk_of(int pid, __u64 *bytes)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int err;

	*bytes = 0;
	if (!reading)
		return 0;
	if (proc_open(pid, &reading->process)) {
		free(reading);
		return 0;
	}
	err = patience_run(read_work, reading, reading_free, PATIENCE_MS);
	if (!err)
		*bytes = reading->bytes;
	if (err != -EINTR && err != -ETIMEDOUT)
		reading_free(reading);
	return err == -EINTR ? err : 0;
}
