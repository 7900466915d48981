// SPDX-License-Identifier: GPL-2.0
/*
 * What the person who started a VM called it.
 *
 * KVM does not know, but the command line of the VMM tells. Which option it is of a new VMM is a
 * line in options[]. Cloud Hypervisor has no name on its command line.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "guest_name.h"
#include "proc.h"
#include "vmm_args.h"

static void set_name(char **name, const char *value)
{
	free(*name);
	*name = strdup(value);
}

/*
 * "web1,debug-threads=on", or "guest=web1,debug-threads=on". A first item that is a value alone is
 * the guest's name; then it may have a '=' behind a ",,". QEMU merges what several -name say, so
 * one that says nothing of the guest leaves its name as it was.
 */
static void qemu_name(const char *value, char **name)
{
	char *text = malloc(strlen(value) + 1);
	struct qemu_item item;
	const char *at;

	for (at = value; text && *at;) {
		at = qemu_item(at, at == value ? "guest" : NULL, text, &item);
		if (qemu_item_is(&item, "guest"))
			set_name(name, item.value);
	}
	free(text);
}

static void plain_name(const char *value, char **name)
{
	set_name(name, value);
}

/* Sets *@name to what the option's value says; leaves it if that says nothing of it. */
struct option {
	const char *name;
	void (*take)(const char *value, char **name);
};

static const struct option options[] = {
	[VMM_QEMU]		= { "name", qemu_name },
	[VMM_FIRECRACKER]	= { "id", plain_name },
	[VMM_CROSVM]		= { "name", plain_name },
	[VMM_LKVM]		= { "name", plain_name },
};

char *guest_name_parse(const char *cmdline, size_t len)
{
	const struct option *option;
	struct vmm_option given;
	struct vmm_args args;
	char *name = NULL;

	if (vmm_args_begin(&args, cmdline, len))
		return NULL;
	option = &options[args.vmm];
	while (vmm_args_next(&args, &given)) {
		if (given.value && vmm_option_is(&given, option->name))
			option->take(given.value, &name);
	}
	vmm_args_end(&args);

	if (name && !*name) {
		free(name);
		return NULL;
	}
	return name;
}

char *guest_name_of(int pid)
{
	char *cmdline, *name = NULL;
	struct proc proc;
	size_t len;

	if (proc_open(pid, &proc))
		return NULL;
	cmdline = proc_read(&proc, "cmdline", VMM_MAX_CMDLINE, &len);
	if (cmdline)
		name = guest_name_parse(cmdline, len);
	free(cmdline);
	proc_close(&proc);
	return name;
}
