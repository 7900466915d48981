// SPDX-License-Identifier: LGPL-2.1-or-later
/* The command line of a VMM, option by option. See vmm_args.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm_args.h"

struct vmm_line {
	enum vmm vmm;
	/* The beginning of the program's name. The next character must not be a letter. */
	const char *program;
	bool one_dash;		/* a single dash introduces long options, too */
	bool abbreviates;	/* "--nam web1" is "--name web1", and "-dX" is "-d X" */
	/*
	 * Options whose value may be anything, "-name" too, ended by NULL. Of others it does not
	 * matter here whether they have a value: that does not begin with a dash.
	 */
	const char *const *valued;
};

/*
 * Options of QEMU 7.2 on x86, of older and newer versions, of Proxmox VE (id) and of Android's
 * emulator (avd). All lists are sorted by strcmp().
 */
static const char *const qemu_valued[] = {
	"D", "L", "M", "accel", "acpitable", "action", "add-fd", "append", "audio", "audiodev",
	"avd", "balloon", "bios", "blockdev", "boot", "cdrom", "chardev", "chroot", "compat",
	"cpu", "d", "debugcon", "device", "dfilter", "display", "drive", "drive-file", "dtb",
	"dump-vmstate", "echr", "fda", "fdb", "fsdev", "fw_cfg", "g", "gdb", "global", "hda",
	"hdb", "hdc", "hdd", "icount", "id", "incoming", "initrd", "iscsi", "k", "kernel",
	"loadvm", "m", "machine", "mem-path", "mon", "monitor", "msg", "mtdblock", "name",
	"net", "netdev", "nic", "numa", "object", "option-rom", "overcommit", "parallel",
	"pflash", "pidfile", "plugin", "prom-env", "qmp", "qmp-pretty", "qtest", "qtest-log",
	"readconfig", "realtime", "redir", "rotate", "rtc", "run-with", "runas", "sandbox",
	"sd", "seed", "semihosting-config", "serial", "set", "shim", "smbios", "smp",
	"soundhw", "spice", "startdate", "tb-size", "tpmdev", "trace", "usbdevice", "uuid",
	"vga", "virtfs", "vnc", "watchdog", "watchdog-action", "writeconfig",
	"xen-domid", NULL
};

static const char *const firecracker_valued[] = {
	"api-sock", "config-file", "id", "level", "log-path", "metadata", "metrics-path", "module",
	"seccomp-filter", NULL
};

static const char *const cloud_hypervisor_valued[] = {
	"api-socket", "cmdline", "platform", NULL
};

static const char *const crosvm_valued[] = {
	"d", "disk", "name", "p", "params", NULL
};

/* All of kvmtool's that take any text */
static const char *const lkvm_valued[] = {
	"9p", "F", "console", "d", "dev", "disk", "f", "firmware", "flash", "hugetlbfs", "i",
	"initrd", "k", "kernel", "name", "p", "params", "sandbox", NULL
};

static const char *const virtualbox_valued[] = { "comment", "s", "startvm", NULL };

static const struct vmm_line vmms[] = {
	{ VMM_QEMU,		"qemu",		true,	false,	qemu_valued },
	{ VMM_QEMU,		"kvm",		true,	false,	qemu_valued },
	{ VMM_FIRECRACKER,	"firecracker",	false,	false,	firecracker_valued },
	{ VMM_CLOUD_HYPERVISOR,	"cloud-hypervisor", false, false, cloud_hypervisor_valued },
	{ VMM_CROSVM,		"crosvm",	false,	false,	crosvm_valued },
	{ VMM_LKVM,		"lkvm",		false,	true,	lkvm_valued },
	{ VMM_STRATOVIRT,	"stratovirt",	true,	false,	qemu_valued },
	{ VMM_VIRTUALBOX,	"VirtualBoxVM",	true,	false,	virtualbox_valued },
	{ VMM_VIRTUALBOX,	"VBoxHeadless",	true,	false,	virtualbox_valued },
	{ VMM_VIRTUALBOX,	"VirtualBox",	true,	false,	virtualbox_valued },
	{ }
};

/* Programs that run another one in their own process: the first argument after their options. */
static const char *const loaders[] = { "ld-linux", "ld-musl", "ld64.", "ld.so", "valgrind", NULL };

/* The next argument, or NULL. */
static const char *next_arg(struct vmm_args *args)
{
	const char *arg = args->pos;

	if (arg >= args->end)
		return NULL;
	args->pos += strlen(arg) + 1;
	return arg;
}

/* Some distributions install a wrapper, and the program itself with a dot before its name. */
const char *vmm_program_of(const char *arg)
{
	const char *slash = strrchr(arg, '/'), *program = slash ? slash + 1 : arg;

	return *program == '.' ? program + 1 : program;
}

static bool is_loader(const char *arg)
{
	const char *const *loader;

	for (loader = loaders; *loader; loader++) {
		if (!strncmp(vmm_program_of(arg), *loader, strlen(*loader)))
			return true;
	}
	return false;
}

static const struct vmm_line *line_of(const char *arg)
{
	const char *program = vmm_program_of(arg);
	const struct vmm_line *line;
	size_t len;

	for (line = vmms; line->program; line++) {
		len = strlen(line->program);
		if (!strncmp(program, line->program, len) &&
		    !isalpha((unsigned char)program[len]))
			return line;
	}
	return NULL;
}

/* The first line of a VMM is enough: its lines differ only in the program's name. */
static const struct vmm_line *line_of_vmm(enum vmm vmm)
{
	const struct vmm_line *line;

	for (line = vmms; line->program; line++) {
		if (line->vmm == vmm)
			return line;
	}
	return NULL;
}

/*
 * The VMM is the program itself, or follows the name of a wrapper. No option comes before it,
 * except those of a loader.
 */
static enum vmm find_vmm(struct vmm_args *args)
{
	const char *arg = next_arg(args);
	bool loader = arg && is_loader(arg);
	const struct vmm_line *line;

	for (; arg && (loader || *arg != '-'); arg = next_arg(args)) {
		line = line_of(arg);
		if (line)
			return line->vmm;
	}
	return VMM_UNKNOWN;
}

int vmm_args_begin(struct vmm_args *args, const char *cmdline, size_t len, const char *exe)
{
	const struct vmm_line *line = exe ? line_of(exe) : NULL;

	args->copy = malloc(len + 1);
	if (!args->copy)
		return -ENOMEM;
	memcpy(args->copy, cmdline, len);
	args->copy[len] = '\0';
	args->pos = args->copy;
	args->end = args->copy + len;
	if (line) {
		args->vmm = line->vmm;
		next_arg(args);
	} else {
		args->vmm = find_vmm(args);
	}
	return 0;
}

/*
 * Is the value of this option the next argument? A hostile VMM may have a million options, so use
 * that the list is sorted.
 */
static bool is_valued(const struct vmm_line *line, const char *name)
{
	const char *const *valued = line->valued;
	int order;

	for (; *valued; valued++) {
		if (**valued < *name)
			continue;
		order = strcmp(*valued, name);
		if (order >= 0)
			return !order;
	}
	return false;
}

/*
 * kvmtool refuses a beginning that several options have. An option whose name is the beginning of
 * another's comes first in the list.
 */
static void complete_name(const struct vmm_line *line, struct vmm_option *option)
{
	const char *const *valued;

	for (valued = line->valued; *valued; valued++) {
		if (strncmp(*valued, option->name, option->len))
			continue;
		option->name = *valued;
		option->len = strlen(*valued);
		return;
	}
}

/* Split an option into name and value, as far as it has one in the same argument. */
static void split(const struct vmm_line *line, const char *name, bool long_form,
		  struct vmm_option *option)
{
	option->name = name;
	if (line->abbreviates && !long_form && *name && name[1]) {
		option->len = 1;
		option->value = name + 1;
		return;
	}
	option->len = strcspn(name, "=");
	option->value = name[option->len] ? name + option->len + 1 : NULL;
	if (line->abbreviates && long_form)
		complete_name(line, option);
}

bool vmm_args_next(struct vmm_args *args, struct vmm_option *option)
{
	const struct vmm_line *line = line_of_vmm(args->vmm);
	const char *arg;
	bool long_form;

	while (line && (arg = next_arg(args))) {
		if (*arg != '-')
			continue;
		if (!strcmp(arg, "--"))
			return false;
		long_form = arg[1] == '-';
		split(line, arg + 1 + long_form, long_form, option);
		if (!option->value && is_valued(line, option->name))
			option->value = next_arg(args);
		if (long_form || line->one_dash || option->len == 1)
			return true;
	}
	return false;
}

void vmm_args_end(struct vmm_args *args)
{
	free(args->copy);
}

bool vmm_option_is(const struct vmm_option *option, const char *name)
{
	return option->len == strlen(name) && !strncmp(option->name, name, option->len);
}

/* --- values of QEMU's options ---------------------------------------------- */

/*
 * Copy a value to @text, up to a comma; ",," stands for a comma in the value. Returns the text
 * after the comma, or the end of the string.
 */
static const char *copy_value(const char *from, char *text)
{
	while (*from) {
		if (*from == ',' && *++from != ',')
			break;
		*text++ = *from++;
	}
	*text = '\0';
	return from;
}

const char *qemu_item(const char *at, const char *implied, char *text, struct qemu_item *item)
{
	size_t len = strcspn(at, "=,");

	item->key = at;
	item->len = len;
	item->value = text;
	if (at[len] == '=')
		return copy_value(at + len + 1, text);
	if (implied) {
		item->key = implied;
		item->len = strlen(implied);
		return copy_value(at, text);
	}
	item->value = "on";
	if (len > 2 && !strncmp(at, "no", 2)) {
		item->key += 2;
		item->len -= 2;
		item->value = "off";
	}
	return at + len + (at[len] == ',');
}

bool qemu_item_is(const struct qemu_item *item, const char *key)
{
	return item->len == strlen(key) && !strncmp(item->key, key, item->len);
}

bool qemu_item_is_on(const struct qemu_item *item)
{
	static const char *const words[] = { "on", "yes", "true", "y", NULL };
	const char *const *word;

	for (word = words; *word; word++) {
		if (!strcmp(item->value, *word))
			return true;
	}
	return false;
}

/* --- values of Cloud Hypervisor's options ---------------------------------- */

const char *cloud_hypervisor_item(const char *at, char *text)
{
	bool in_quotes = false;
	int brackets = 0;

	for (; *at; at++) {
		if (*at == ',' && !in_quotes && brackets <= 0) {
			at++;
			break;
		}
		brackets += (*at == '[') - (*at == ']');
		if (*at == '"')
			in_quotes = !in_quotes;
		else
			*text++ = *at;
	}
	*text = '\0';
	return at;
}
