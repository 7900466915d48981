// SPDX-License-Identifier: GPL-2.0
/* The machine that a test runs on. See machine.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "sys.h"

/* --- what tests may do --------------------------------------------------------- */

static bool machine_is(const char *kind)
{
	const char *machine = getenv("MACHINE");

	return machine && !strcmp(machine, kind);
}

bool machine_is_vm(void)
{
	return machine_is("vm");
}

bool machine_is_ours(void)
{
	return machine_is_vm() || machine_is("ours");
}

bool machine_is_quiet(void)
{
	return machine_is_ours() || machine_is("quiet");
}

bool machine_is_others_vm(const char *name)
{
	const char *others = getenv("OTHER_VMS") ?: "";
	size_t len = strlen(name), word;

	while (*others) {
		word = strcspn(others, " ");
		if (word == len && !strncmp(others, name, len))
			return true;
		others += word;
		others += strspn(others, " ");
	}
	return false;
}

const char *machine_module(void)
{
	return getenv("KVMWATCH_KO") ?: "/kvmwatch.ko";
}

/* --- settings ------------------------------------------------------------------ */

#define MAX_CHANGED	16

static struct setting {
	char path[128];
	char value[64];
} changed[MAX_CHANGED];

static unsigned int nr_changed;

/* Keep only the current choice of "always [madvise] never" or "none (voluntary) full". */
static void strip_choices(char *value)
{
	char *from = strpbrk(value, "[("), *to = from ? strpbrk(from, "])") : NULL;

	value[strcspn(value, "\n")] = '\0';
	if (!to)
		return;
	*to = '\0';
	memmove(value, from + 1, to - from);
}

static int read_value(const char *path, char *value, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, value, size - 1);
	close(fd);
	if (len < 0)
		return -EIO;
	value[len] = '\0';
	strip_choices(value);
	return 0;
}

/* Remember the value of a setting before its first change. */
static int remember(const char *path)
{
	struct setting *s;
	unsigned int i;
	int err;

	for (i = 0; i < nr_changed; i++)
		if (!strcmp(changed[i].path, path))
			return 0;
	if (nr_changed == MAX_CHANGED)
		return -ENOSPC;
	s = &changed[nr_changed];
	snprintf(s->path, sizeof(s->path), "%s", path);
	err = read_value(path, s->value, sizeof(s->value));
	/* A file that cannot be read is a command, like drop_caches, and needs no restoring. */
	if (err == -EACCES || err == -EIO)
		return 0;
	if (!err)
		nr_changed++;
	return err;
}

int machine_put(const char *path, const char *value)
{
	int err;

	if (!machine_is_ours())
		return -EPERM;
	err = remember(path);
	return err ?: sys_put(path, value);
}

int machine_do(const char *path, const char *value)
{
	return machine_is_ours() ? sys_put(path, value) : -EPERM;
}

void machine_put_back(void)
{
	while (nr_changed) {
		nr_changed--;
		sys_put(changed[nr_changed].path, changed[nr_changed].value);
	}
}

/* --- the kernel's log ---------------------------------------------------------- */

/* The runner looks for complaints behind the line in this file: see splats() in run.sh. */
void machine_expected_messages(void)
{
	(void)!system("dmesg | tail -n 1 >/tmp/dmesg.seen");
}
