/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of a VMM, option by option. It belongs to the VMM: nothing in it is certain.
 * A new VMM is a line in vmms[].
 */
#ifndef LIBKVMWATCH_VMM_ARGS_H
#define LIBKVMWATCH_VMM_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/* The kernel has no limit; someone with this long a command line has none. */
#define VMM_MAX_CMDLINE	(4 << 20)

enum vmm {
	VMM_UNKNOWN,
	VMM_QEMU,
	VMM_FIRECRACKER,
	VMM_CLOUD_HYPERVISOR,
	VMM_CROSVM,
	VMM_LKVM,
	VMM_STRATOVIRT,
	VMM_VIRTUALBOX,
};

/**
 * struct vmm_args - a command line that is being read
 * @vmm:	whose it is
 * @copy:	all of it, with a NUL behind it
 * @pos:	the next argument
 * @end:	behind the last one
 */
struct vmm_args {
	enum vmm vmm;
	char *copy;
	const char *pos;
	const char *end;
};

/**
 * struct vmm_option - an option
 * @name:	without its dashes; not ended
 * @len:	its length
 * @value:	what follows a '=', or the next argument if this option takes one; NULL: none
 */
struct vmm_option {
	const char *name;
	size_t len;
	const char *value;
};

/*
 * Begin to read a command line: arguments each ended by a NUL, as in /proc/PID/cmdline; what
 * follows the last NUL counts as an argument too. @exe is the file that the process runs: if it is
 * a VMM, then the first argument may be anything. NULL: not known. 0 or -ENOMEM.
 */
int vmm_args_begin(struct vmm_args *args, const char *cmdline, size_t len, const char *exe);
/* The next option; false: there is none. What is no option, or behind "--", is passed over. */
bool vmm_args_next(struct vmm_args *args, struct vmm_option *option);
void vmm_args_end(struct vmm_args *args);

bool vmm_option_is(const struct vmm_option *option, const char *name);

/* The program's name in a path, without a dot before it. */
const char *vmm_program_of(const char *arg);

/**
 * struct qemu_item - a part of the value of an option of QEMU's
 * @key:	not ended
 * @len:	its length
 * @value:	as QEMU reads it
 */
struct qemu_item {
	const char *key;
	size_t len;
	const char *value;
};

/**
 * qemu_item() - read the next item of a value, as QEMU does
 * @at: where it begins; not at the end of the string
 * @implied: the key of a first item that is a value alone; NULL: this is not the first item, or
 *	there is no such key
 * @text: room for its value, as long as the string
 * @item: filled
 *
 * KEY=VALUE, where ",," stands for a comma in the value; KEY alone switches on, noKEY off.
 *
 * Return: where the next one begins.
 */
const char *qemu_item(const char *at, const char *implied, char *text, struct qemu_item *item);
bool qemu_item_is(const struct qemu_item *item, const char *key);
/* Is its value "on", or one of the words that mean the same? */
bool qemu_item_is_on(const struct qemu_item *item);

/*
 * The next item of a value of Cloud Hypervisor's, copied to @text, which is as long as the string:
 * up to a comma that is not in quotes or brackets, without its quotes. Returns where the
 * next one begins.
 */
const char *cloud_hypervisor_item(const char *at, char *text);

#endif /* LIBKVMWATCH_VMM_ARGS_H */
