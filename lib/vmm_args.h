/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parse the command line of a VMM, option by option. The VMM can write anything into its command
 * line, so trust nothing. To support another VMM, add a line to vmms[].
 */
#ifndef LIBKVMWATCH_VMM_ARGS_H
#define LIBKVMWATCH_VMM_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/* The kernel has no limit. A command line of this size or more counts as unknown. */
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
 * struct vmm_args - a command line that is being parsed
 * @vmm:	the VMM
 * @copy:	the whole command line, with a NUL
 * @pos:	the next argument
 * @end:	the end of the last argument
 */
struct vmm_args {
	enum vmm vmm;
	char *copy;
	const char *pos;
	const char *end;
};

/**
 * struct vmm_option - an option
 * @name:	without its dashes; not NUL-terminated
 * @len:	length of @name
 * @value:	what follows a '=', or the next argument if this option takes one; NULL: none
 */
struct vmm_option {
	const char *name;
	size_t len;
	const char *value;
};

/*
 * Begin to parse a command line: NUL-terminated arguments, as in /proc/PID/cmdline. Text after the
 * last NUL counts as an argument, too. @exe is the file that the process runs (NULL: unknown): if
 * it is a VMM, the first argument is ignored. Returns 0 or -ENOMEM.
 */
int vmm_args_begin(struct vmm_args *args, const char *cmdline, size_t len, const char *exe);
/* Get the next option; false: there is none. Skips other arguments, and everything after "--". */
bool vmm_args_next(struct vmm_args *args, struct vmm_option *option);
void vmm_args_end(struct vmm_args *args);

bool vmm_option_is(const struct vmm_option *option, const char *name);

/* The program's name in a path, without a dot before it. */
const char *vmm_program_of(const char *arg);

/**
 * struct qemu_item - an item of the value of a QEMU option
 * @key:	not NUL-terminated
 * @len:	length of @key
 * @value:	the value, as QEMU understands it
 */
struct qemu_item {
	const char *key;
	size_t len;
	const char *value;
};

/**
 * qemu_item() - read the next item of a value, as QEMU does
 * @at: where the item begins; not at the end of the string
 * @implied: the key of a first item without a key; NULL: this is not the first item, or the option
 *	has no such key
 * @text: buffer for the value, as long as the string
 * @item: filled
 *
 * KEY=VALUE, where ",," stands for a comma in the value; KEY alone switches on, noKEY off.
 *
 * Return: where the next one begins.
 */
const char *qemu_item(const char *at, const char *implied, char *text, struct qemu_item *item);
bool qemu_item_is(const struct qemu_item *item, const char *key);
/* Is the value "on", or another word for it? */
bool qemu_item_is_on(const struct qemu_item *item);

/*
 * Copy the next item of a value of Cloud Hypervisor to @text, which is as long as the string. The
 * item ends at a comma outside of quotes and brackets; the copy has no quotes. Returns where the
 * next item begins.
 */
const char *cloud_hypervisor_item(const char *at, char *text);

#endif /* LIBKVMWATCH_VMM_ARGS_H */
