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
	/* Sets *@name to what the option's value says; leaves it if that says nothing of it. */
	void (*take)(const char *value, char **name);
	/*
	 * Options whose value may be anything, "-name" too, ended by NULL. Of others it does not
	 * matter here whether they have a value: that does not begin with a dash.
	 */
	const char *const *valued;
};

static void set_name(char **name, const char *value)
{
	free(*name);
	*name = strdup(value);
}

/*
 * Copy a value of QEMU's to @text: up to a comma, where ",," stands for one in the value.
 * Returns what follows the comma; the end of the string if there was none.
 */
static const char *qemu_value(const char *from, char *text)
{
	while (*from) {
		if (*from == ',' && *++from != ',')
			break;
		*text++ = *from++;
	}
	*text = '\0';
	return from;
}

/*
 * One item of -name, as QEMU reads it: KEY=VALUE, or KEY alone, which switches it on. The first
 * may be a value alone, which is the guest's name; then it may have a '=' behind a ",,".
 */
static const char *qemu_item(const char *at, bool first, char *text, char **name)
{
	size_t len = strcspn(at, "=,");
	bool guest = len == 5 && !strncmp(at, "guest", len);

	if (at[len] == '=') {
		at = qemu_value(at + len + 1, text);
		if (guest)
			set_name(name, text);
		return at;
	}
	if (first) {
		at = qemu_value(at, text);
		set_name(name, text);
		return at;
	}
	if (guest)
		set_name(name, "on");
	return at + len + (at[len] == ',');
}

/*
 * "web1,debug-threads=on", or "guest=web1,debug-threads=on". QEMU merges what several -name say,
 * so one that says nothing of the guest leaves its name as it was.
 */
static void qemu_name(const char *value, char **name)
{
	char *text = malloc(strlen(value) + 1);
	const char *at;

	for (at = value; text && *at;)
		at = qemu_item(at, at == value, text, name);
	free(text);
}

static void plain_name(const char *value, char **name)
{
	set_name(name, value);
}

/* Those of QEMU 7.2 on x86, of others that came and went, and of Proxmox VE (id). */
static const char *const qemu_valued[] = {
	"accel", "acpitable", "action", "add-fd", "append", "audio", "audiodev", "balloon",
	"bios", "blockdev", "boot", "cdrom", "chardev", "chroot", "compat", "cpu", "d",
	"D", "debugcon", "device", "dfilter", "display", "drive", "drive-file", "dtb",
	"dump-vmstate", "echr", "fda", "fdb", "fsdev", "fw_cfg", "gdb", "global", "hda",
	"hdb", "hdc", "hdd", "icount", "id", "incoming", "initrd", "iscsi", "k", "kernel",
	"L", "loadvm", "m", "M", "machine", "mem-path", "mon", "monitor", "msg",
	"mtdblock", "name", "net", "netdev", "nic", "numa", "object", "option-rom",
	"overcommit", "parallel", "pflash", "pidfile", "plugin", "prom-env", "qmp",
	"qmp-pretty", "qtest", "qtest-log", "readconfig", "realtime", "redir", "rotate",
	"rtc", "run-with", "runas", "sandbox", "sd", "seed", "serial", "set", "shim",
	"smbios", "smp", "soundhw", "spice", "startdate", "tb-size", "tpmdev", "trace",
	"usbdevice", "uuid", "vga", "virtfs", "virtfs_synth", "vnc", "watchdog",
	"watchdog-action", "writeconfig", "xen-domid", NULL
};

static const char *const firecracker_valued[] = { "api-sock", "config-file", "metadata", NULL };
static const char *const other_valued[] = { "p", "params", NULL };

static const struct vmm vmms[] = {
	{ "qemu",		"name",	true,	qemu_name, qemu_valued },
	{ "kvm",		"name",	true,	qemu_name, qemu_valued },
	{ "firecracker",	"id",	false,	plain_name, firecracker_valued },
	{ "crosvm",		"name",	false,	plain_name, other_valued },
	{ "lkvm",		"name",	false,	plain_name, other_valued },
	{ }
};

/* They run the program that comes first behind their own options, in their own process. */
static const char *const loaders[] = { "ld-linux", "ld-musl", "ld64.", "ld.so", "valgrind", NULL };

/* The next argument, or NULL; the buffer ends with a NUL of ours. */
static const char *next_arg(struct args *args)
{
	const char *arg = args->pos;

	if (arg >= args->end)
		return NULL;
	args->pos += strlen(arg) + 1;
	return arg;
}

/* Some distributions have a program under its name with a dot before it, behind a wrapper. */
static const char *program_of(const char *arg)
{
	const char *slash = strrchr(arg, '/'), *program = slash ? slash + 1 : arg;

	return *program == '.' ? program + 1 : program;
}

static bool is_loader(const char *arg)
{
	const char *const *loader;

	for (loader = loaders; *loader; loader++) {
		if (!strncmp(program_of(arg), *loader, strlen(*loader)))
			return true;
	}
	return false;
}

static const struct vmm *vmm_of(const char *arg)
{
	const struct vmm *vmm;

	for (vmm = vmms; vmm->program; vmm++) {
		if (!strncmp(program_of(arg), vmm->program, strlen(vmm->program)))
			return vmm;
	}
	return NULL;
}

/*
 * The VMM is the program itself, or comes behind a wrapper's own name; then before any option,
 * but for a loader, which has options of its own.
 */
static const struct vmm *find_vmm(struct args *args)
{
	const char *arg = next_arg(args);
	bool loader = arg && is_loader(arg);
	const struct vmm *vmm;

	for (; arg && (loader || *arg != '-'); arg = next_arg(args)) {
		vmm = vmm_of(arg);
		if (vmm)
			return vmm;
	}
	return NULL;
}

/* Is an option, without its dashes, one whose value may be anything? */
static bool is_valued(const struct vmm *vmm, const char *option)
{
	const char *const *valued;

	for (valued = vmm->valued; *valued; valued++) {
		if (!strcmp(*valued, option))
			return true;
	}
	return false;
}

/* The value of the option if @arg is it: after "=", or the next argument. */
static const char *option_value(const struct vmm *vmm, const char *arg, struct args *args)
{
	size_t len = strlen(vmm->option);
	const char *option = arg;

	if (*option != '-')
		return NULL;
	option += option[1] == '-' ? 2 : 1;
	if ((vmm->one_dash || option == arg + 2) && !strncmp(option, vmm->option, len)) {
		if (!option[len])
			return next_arg(args);
		if (option[len] == '=')
			return option + len + 1;
	}
	if (is_valued(vmm, option))
		next_arg(args);
	return NULL;
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

	vmm = find_vmm(&args);
	while (vmm && (arg = next_arg(&args))) {
		value = option_value(vmm, arg, &args);
		if (value)
			vmm->take(value, &name);
	}
	free(copy);

	if (name && !*name) {
		free(name);
		return NULL;
	}
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
