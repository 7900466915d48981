// SPDX-License-Identifier: GPL-2.0
/*
 * What the person who started a VM called it.
 *
 * KVM does not know, but the command line of the VMM tells. A new VMM is a line in
 * vmms[]. Cloud Hypervisor has no name on its command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest_name.h"
#include "text.h"

/* The kernel has no limit; someone with this long a command line has no name. */
#define MAX_CMDLINE	(4U << 20)

struct args {
	const char *pos;
	const char *end;
};

struct vmm {
	const char *program;	/* how the name of the program starts */
	const char *option;	/* which option has the name, without its dashes */
	bool one_dash;		/* -option counts as --option */
	char *(*name)(const char *value);
};

static char *plain_name(const char *value)
{
	return strdup(value);
}

/*
 * Copy an item of a QEMU option to @item: up to a comma, where ",," stands for one
 * in the item. Returns what follows the comma, or NULL if there was none.
 */
static const char *qemu_item(const char *value, char *item)
{
	while (*value) {
		if (*value == ',' && *++value != ',') {
			*item = '\0';
			return value;
		}
		*item++ = *value++;
	}
	*item = '\0';
	return NULL;
}

/*
 * QEMU's "guest=web1,debug-threads=on", or "web1,debug-threads=on". The last guest=
 * wins, as it does in QEMU.
 */
static char *qemu_name(const char *value)
{
	const char *begin = value;
	char *name = NULL, *item;

	item = malloc(strlen(value) + 1);
	if (!item)
		return NULL;
	while (value) {
		bool first = value == begin;

		value = qemu_item(value, item);
		if (!strncmp(item, "guest=", 6)) {
			free(name);
			name = strdup(item + 6);
		} else if (first && !strchr(item, '=')) {
			name = strdup(item);
		}
	}
	free(item);
	return name;
}

static const struct vmm vmms[] = {
	{ "qemu",		"name",	true,	qemu_name },
	{ "kvm",		"name",	true,	qemu_name },
	{ "firecracker",	"id",	false,	plain_name },
	{ "crosvm",		"name",	false,	plain_name },
	{ "lkvm",		"name",	false,	plain_name },
	{ }
};

/* The next argument, or NULL; the buffer ends with a NUL of ours. */
static const char *next_arg(struct args *args)
{
	const char *arg = args->pos;

	if (arg >= args->end)
		return NULL;
	args->pos += strlen(arg) + 1;
	return arg;
}

static const struct vmm *find_vmm(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *program = slash ? slash + 1 : argv0;
	const struct vmm *vmm;

	for (vmm = vmms; vmm->program; vmm++) {
		if (!strncmp(program, vmm->program, strlen(vmm->program)))
			return vmm;
	}
	return NULL;
}

/* The value of the option if @arg is it: after "=", or the next argument. */
static const char *option_value(const struct vmm *vmm, const char *arg, struct args *args)
{
	size_t len = strlen(vmm->option);

	if (!strncmp(arg, "--", 2))
		arg += 2;
	else if (vmm->one_dash && *arg == '-')
		arg++;
	else
		return NULL;
	if (strncmp(arg, vmm->option, len))
		return NULL;
	if (!arg[len])
		return next_arg(args);
	return arg[len] == '=' ? arg + len + 1 : NULL;
}

char *guest_name_parse(const char *cmdline, size_t len)
{
	const struct vmm *vmm;
	const char *arg, *value;
	struct args args;
	char *name = NULL, *copy;

	copy = malloc(len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, cmdline, len);
	copy[len] = '\0';
	args.pos = copy;
	args.end = copy + len;

	arg = next_arg(&args);
	vmm = arg ? find_vmm(arg) : NULL;
	while (vmm && (arg = next_arg(&args))) {
		value = option_value(vmm, arg, &args);
		if (value) {
			free(name);
			name = vmm->name(value);
		}
	}
	free(copy);

	if (name && !*name) {
		free(name);
		return NULL;
	}
	if (name)
		text_clean(name);
	return name;
}

/* All of a file of unknown size; NULL if that can't be had. */
static char *read_all(const char *path, size_t *len)
{
	size_t size = 4096, used = 0;
	char *buf = NULL, *bigger;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	for (; size <= MAX_CMDLINE; size *= 2) {
		bigger = realloc(buf, size);
		if (!bigger)
			break;
		buf = bigger;
		while (used < size) {
			n = read(fd, buf + used, size - used);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				goto fail;
			if (!n) {
				close(fd);
				*len = used;
				return buf;
			}
			used += n;
		}
	}
fail:
	close(fd);
	free(buf);
	return NULL;
}

/* A pid namespace may have been entered without a /proc of its own: then pids there are others'. */
static bool proc_has_our_pids(void)
{
	char self[16];
	ssize_t len = readlink("/proc/self", self, sizeof(self) - 1);

	if (len <= 0)
		return false;
	self[len] = '\0';
	return atoi(self) == getpid();
}

char *guest_name_of(int pid)
{
	char path[32], *cmdline, *name;
	size_t len;

	if (pid <= 0 || !proc_has_our_pids())
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	cmdline = read_all(path, &len);
	if (!cmdline)
		return NULL;
	name = guest_name_parse(cmdline, len);
	free(cmdline);
	return name;
}
