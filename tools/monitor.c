// SPDX-License-Identifier: GPL-2.0
/* The way to the VMM of a VM. See monitor.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "cmd.h"
#include "identity.h"
#include "monitor.h"
#include "patience.h"
#include "qmp.h"
#include "vmm_args.h"

#ifndef SYS_openat2
#define SYS_openat2	437
#endif

/* A path in the VMM's root directory may lead to a file system that hangs. */
#define PATIENCE_MS	2000
/* No VMM has more; and a hostile VMM's list must be tried in a bounded time. */
#define MAX_SOCKETS	8
#define FUSE_MAGIC	0x65735546

/* --- the command line ------------------------------------------------------ */

/**
 * struct chardev - a -chardev of QEMU's
 * @id:		what -mon calls it
 * @backend:	"socket"
 * @path:	of a socket of the file system; NULL: it has none
 * @server:	QEMU listens; else it connects to somebody who does
 * @odd:	not a plain socket: in the abstract namespace, or not plain bytes
 * @fd:		somebody else has opened it
 */
struct chardev {
	char *id, *backend, *path;
	bool server, odd, fd;
};

struct chardevs {
	struct chardev *all;
	size_t nr;
	bool no_memory;
};

static void set(char **what, const char *value)
{
	free(*what);
	*what = strdup(value);
}

static void chardev_take(struct chardev *chardev, const struct qemu_item *item)
{
	if (qemu_item_is(item, "id"))
		set(&chardev->id, item->value);
	else if (qemu_item_is(item, "backend"))
		set(&chardev->backend, item->value);
	else if (qemu_item_is(item, "path"))
		set(&chardev->path, item->value);
	else if (qemu_item_is(item, "server"))
		chardev->server = qemu_item_is_on(item);
	else if (qemu_item_is(item, "fd"))
		chardev->fd = true;
	else if (qemu_item_is(item, "abstract") || qemu_item_is(item, "telnet") ||
		 qemu_item_is(item, "websocket"))
		chardev->odd |= qemu_item_is_on(item);
	else if (qemu_item_is(item, "tls-creds"))
		chardev->odd = true;
}

static void chardev_free(struct chardev *chardev)
{
	free(chardev->id);
	free(chardev->backend);
	free(chardev->path);
}

/* Read the items of @value. The first may lack a key, which then is @implied. */
static void chardev_read(struct chardev *chardev, const char *value, const char *implied)
{
	char *text = malloc(strlen(value) + 1);
	struct qemu_item item;
	const char *at;

	for (at = value; text && *at;) {
		at = qemu_item(at, at == value ? implied : NULL, text, &item);
		chardev_take(chardev, &item);
	}
	free(text);
}

static void chardevs_add(struct chardevs *chardevs, const char *value)
{
	struct chardev *more = realloc(chardevs->all, (chardevs->nr + 1) * sizeof(*more));

	if (!more) {
		chardevs->no_memory = true;
		return;
	}
	chardevs->all = more;
	memset(&more[chardevs->nr], 0, sizeof(*more));
	chardev_read(&more[chardevs->nr++], value, "backend");
}

static const struct chardev *chardevs_find(const struct chardevs *chardevs, const char *id)
{
	size_t i;

	for (i = 0; i < chardevs->nr; i++) {
		if (chardevs->all[i].id && !strcmp(chardevs->all[i].id, id))
			return &chardevs->all[i];
	}
	return NULL;
}

static void chardevs_free(struct chardevs *chardevs)
{
	size_t i;

	for (i = 0; i < chardevs->nr; i++)
		chardev_free(&chardevs->all[i]);
	free(chardevs->all);
}

static void note_other(struct monitor_hints *hints, const char *what)
{
	snprintf(hints->other, sizeof(hints->other), "%s", what);
}

static int add_path(struct monitor_hints *hints, const char *path)
{
	char **more;
	size_t i;

	for (i = 0; i < hints->nr; i++) {
		if (!strcmp(hints->paths[i], path))
			return 0;
	}
	if (hints->nr == MAX_SOCKETS) {
		note_other(hints, "it has more monitors than are tried");
		return 0;
	}
	more = realloc(hints->paths, (hints->nr + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	hints->paths = more;
	more[hints->nr] = strdup(path);
	if (!more[hints->nr])
		return -ENOMEM;
	hints->nr++;
	return 0;
}

/* Is this libvirt's own monitor? libvirt passes an fd to QEMU; before libvirt 4 it used a path. */
static bool is_libvirts(const struct chardev *chardev)
{
	const char *end = chardev->path ? strrchr(chardev->path, '/') : NULL;

	if (chardev->fd && chardev->id && !strcmp(chardev->id, "charmonitor"))
		return true;
	return end && !strcmp(end, "/monitor.sock") && strstr(chardev->path, "/libvirt/qemu/");
}

/* QMP is served on this character device. */
static int add_chardev(struct monitor_hints *hints, const struct chardev *chardev)
{
	if (is_libvirts(chardev)) {
		hints->libvirt = true;
		return 0;
	}
	if (chardev->backend && strcmp(chardev->backend, "socket"))
		note_other(hints, "its monitor is no socket");
	else if (chardev->fd)
		note_other(hints, "somebody else opened its monitor's socket");
	else if (!chardev->path || chardev->odd)
		note_other(hints, "its monitor is no plain socket of the file system");
	else if (!chardev->server)
		note_other(hints, "its monitor calls somebody, and does not listen");
	else
		return add_path(hints, chardev->path);
	return 0;
}

/* "chardev=ID,mode=control" or "ID,mode=control" */
static int add_mon(struct monitor_hints *hints, const struct chardevs *chardevs,
		   const char *value)
{
	char *text = malloc(strlen(value) + 1), *id = NULL;
	const struct chardev *chardev;
	struct qemu_item item;
	bool control = false;
	const char *at;
	int err = 0;

	if (!text)
		return -ENOMEM;
	for (at = value; *at;) {
		at = qemu_item(at, at == value ? "chardev" : NULL, text, &item);
		if (qemu_item_is(&item, "chardev"))
			set(&id, item.value);
		else if (qemu_item_is(&item, "mode"))
			control = !strcmp(item.value, "control");
	}
	chardev = control && id ? chardevs_find(chardevs, id) : NULL;
	if (chardev)
		err = add_chardev(hints, chardev);
	free(id);
	free(text);
	return err;
}

/* "unix:PATH,server=on", "chardev:ID", or a form that cannot be used */
static int add_qmp(struct monitor_hints *hints, const struct chardevs *chardevs,
		   const char *value)
{
	const struct chardev *known;
	struct chardev chardev = { };
	int err = 0;

	if (!strncmp(value, "chardev:", 8)) {
		known = chardevs_find(chardevs, value + 8);
		return known ? add_chardev(hints, known) : 0;
	}
	if (strncmp(value, "unix:", 5)) {
		note_other(hints, "its monitor is no socket of the file system");
		return 0;
	}
	chardev_read(&chardev, value + 5, "path");
	err = add_chardev(hints, &chardev);
	chardev_free(&chardev);
	return err;
}

static bool is_qmp(const struct vmm_option *option)
{
	return vmm_option_is(option, "qmp") || vmm_option_is(option, "qmp-pretty");
}

static int add_option(struct monitor_hints *hints, const struct chardevs *chardevs,
		      const struct vmm_option *option)
{
	if (!option->value)
		return 0;
	if (is_qmp(option))
		return add_qmp(hints, chardevs, option->value);
	if (vmm_option_is(option, "mon"))
		return add_mon(hints, chardevs, option->value);
	if (vmm_option_is(option, "readconfig"))
		note_other(hints, "it reads a configuration file, which is not looked into");
	return 0;
}

/* A monitor may be named before its -chardev, so read these first. */
static int read_chardevs(const char *cmdline, size_t len, struct chardevs *chardevs)
{
	struct vmm_option option;
	struct vmm_args args;

	if (vmm_args_begin(&args, cmdline, len, NULL))
		return -ENOMEM;
	while (args.vmm == VMM_QEMU && vmm_args_next(&args, &option)) {
		if (vmm_option_is(&option, "chardev") && option.value)
			chardevs_add(chardevs, option.value);
	}
	vmm_args_end(&args);
	return chardevs->no_memory ? -ENOMEM : 0;
}

static int read_monitors(const char *cmdline, size_t len, const struct chardevs *chardevs,
			 struct monitor_hints *hints)
{
	struct vmm_option option;
	struct vmm_args args;
	int err = 0;

	if (vmm_args_begin(&args, cmdline, len, NULL))
		return -ENOMEM;
	if (args.vmm != VMM_QEMU)
		note_other(hints, "its VMM is not QEMU, or not to be recognized as such");
	while (!err && args.vmm == VMM_QEMU && vmm_args_next(&args, &option))
		err = add_option(hints, chardevs, &option);
	vmm_args_end(&args);
	return err;
}

int monitor_parse(const char *cmdline, size_t len, struct monitor_hints *hints)
{
	struct chardevs chardevs = { };
	struct identity identity;
	int err;

	memset(hints, 0, sizeof(*hints));
	err = read_chardevs(cmdline, len, &chardevs);
	if (!err)
		err = read_monitors(cmdline, len, &chardevs, hints);
	chardevs_free(&chardevs);
	if (hints->libvirt) {
		identity_parse(cmdline, len, NULL, &identity);
		hints->name = identity.guest;
		identity.guest = NULL;
		identity_free(&identity);
	}
	if (err)
		monitor_hints_free(hints);
	return err;
}

void monitor_hints_free(struct monitor_hints *hints)
{
	size_t i;

	for (i = 0; i < hints->nr; i++)
		free(hints->paths[i]);
	free(hints->paths);
	free(hints->name);
	memset(hints, 0, sizeof(*hints));
}

/* --- sockets of the VMM's -------------------------------------------------- */

/**
 * struct scan - looking for sockets; belongs to a thread meanwhile
 * @process:	the VMM
 * @hints:	what its command line says
 * @sockets:	for each path: the socket, open with O_PATH, or -errno
 * @err:	why there is nothing
 */
struct scan {
	struct proc process;
	struct monitor_hints hints;
	int sockets[MAX_SOCKETS];
	int err;
};

static void scan_free(void *arg)
{
	struct scan *scan = arg;
	size_t i;

	for (i = 0; i < MAX_SOCKETS; i++) {
		if (scan->sockets[i] >= 0)
			close(scan->sockets[i]);
	}
	monitor_hints_free(&scan->hints);
	proc_close(&scan->process);
	free(scan);
}

static struct scan *scan_new(int pid, int *err)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	size_t i;

	if (!scan) {
		*err = -ENOMEM;
		return NULL;
	}
	for (i = 0; i < MAX_SOCKETS; i++)
		scan->sockets[i] = -ENOENT;
	*err = proc_open(pid, &scan->process);
	if (!*err)
		return scan;
	free(scan);
	return NULL;
}

/*
 * If a socket is on a file system that its owner serves, connecting may ask that process, and hang
 * for ever. (Finding out may hang as well, but then only the thread hangs.)
 */
static int check_socket(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	if (fstatfs(fd, &fs))
		return -errno;
	return (unsigned int)fs.f_type == FUSE_MAGIC ? -ENOTSUP : 0;
}

/*
 * Open a path as the VMM sees it. Links cannot lead out of its root directory. For a relative path,
 * they cannot lead out of its working directory, which may have changed since it started.
 */
static int open_in(const struct proc *process, const char *path)
{
	const bool absolute = *path == '/';
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | (absolute ? RESOLVE_IN_ROOT : RESOLVE_BENEATH),
	};
	int dir, fd, err;

	dir = openat(process->dir, absolute ? "root" : "cwd", O_PATH | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	err = fd < 0 ? -errno : check_socket(fd);
	close(dir);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

static void scan_work(void *arg, const bool *over)
{
	struct scan *scan = arg;
	char *cmdline;
	size_t len, i;

	cmdline = proc_read(&scan->process, "cmdline", VMM_MAX_CMDLINE, &len);
	if (!cmdline) {
		scan->err = -EACCES;
		return;
	}
	scan->err = monitor_parse(cmdline, len, &scan->hints);
	free(cmdline);
	for (i = 0; !scan->err && i < scan->hints.nr && !patience_over(over); i++)
		scan->sockets[i] = open_in(&scan->process, scan->hints.paths[i]);
}

/* --- trying them ----------------------------------------------------------- */

static void __printf(2, 3) say_why(struct monitor *monitor, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	vsnprintf(monitor->why, sizeof(monitor->why), why, args);
	va_end(args);
}

int monitor_connect(const struct monitor *monitor, unsigned int flags, struct qmp **qmp)
{
	char path[32];
	int err;

	if (monitor->way != MONITOR_QMP)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", monitor->socket);
	err = qmp_open(path, flags, qmp);
	if (err || qmp_peer(*qmp) == monitor->peer)
		return err;
	qmp_close(*qmp);
	return -EPERM;
}

/* Take over @socket, called @place, if it is a monitor that can be used. */
static int try_socket(struct monitor *monitor, int socket, const char *place)
{
	struct qmp *qmp;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", socket);
	err = qmp_open(path, 0, &qmp);
	if (err)
		return err;
	monitor->peer = qmp_peer(qmp);
	qmp_close(qmp);
	if (!monitor->named && monitor->peer != monitor->pid)
		return -EPERM;
	monitor->place = strdup(place);
	if (!monitor->place)
		return -ENOMEM;
	monitor->way = MONITOR_QMP;
	monitor->socket = socket;
	return 0;
}

/* After a signal, or the end of the process, try no other. */
static bool is_final(int err)
{
	return !err || err == -EINTR || err == -ENOMEM;
}

static const char *path_error(int err)
{
	switch (err) {
	case -ENOTSOCK:
		return "this is no socket";
	case -ENOTSUP:
		return "it is on a file system that a program serves";
	case -EXDEV:
	case -ELOOP:
		return "it is not in the VMM's working directory, or behind a link";
	default:
		return qmp_strerror(err);
	}
}

/*
 * If one is held by a client and another is missing, report the one that is held: it may be free
 * later.
 */
static int try_sockets(struct monitor *monitor, struct scan *scan)
{
	int err = -ENOENT, first = 0;
	size_t i;

	for (i = 0; i < scan->hints.nr; i++) {
		err = scan->sockets[i];
		if (err >= 0)
			err = try_socket(monitor, scan->sockets[i], scan->hints.paths[i]);
		if (!err)
			scan->sockets[i] = -ENOENT;	/* @monitor owns it now */
		if (is_final(err))
			return err;
		if (first && (first == -EBUSY || err != -EBUSY))
			continue;
		first = err;
		say_why(monitor, "%s: %s", scan->hints.paths[i], path_error(err));
	}
	return first ? first : -ENOENT;
}

static int try_libvirt(struct monitor *monitor, const char *name)
{
	const char *const args[] = { "domstate", "--domain", monitor->domain, NULL };
	struct virsh_answer answer;
	int err;

	if (!name || virsh_find(name, monitor->pid, monitor->domain)) {
		say_why(monitor,
			"libvirt holds its monitor, but it is no domain of the libvirt here");
		return -ENOENT;
	}
	err = virsh_run(args, 0, &answer);
	switch (err) {
	case 0:
		monitor->place = strdup(name);
		if (!monitor->place)
			return -ENOMEM;
		monitor->way = MONITOR_VIRSH;
		return 0;
	case -ENOENT:
		say_why(monitor, "libvirt holds its monitor, and there is no virsh here");
		return -ENOENT;
	case -EREMOTEIO:
	case -EOPNOTSUPP:
		say_why(monitor, "libvirt holds its monitor, and virsh failed: %s", answer.words);
		return -ENOENT;
	default:
		say_why(monitor, "libvirt holds its monitor, and virsh failed: %s",
			qmp_strerror(err));
		return err;
	}
}

static void say_none(struct monitor *monitor, const struct scan *scan)
{
	if (*monitor->why)
		return;
	if (*scan->hints.other)
		say_why(monitor, "%s", scan->hints.other);
	else
		say_why(monitor, "its command line names no monitor for programs (-qmp)");
}

static int try_all(struct monitor *monitor, struct scan *scan)
{
	int err = try_sockets(monitor, scan);

	if (is_final(err))
		return err;
	if (scan->hints.libvirt)
		return try_libvirt(monitor, scan->hints.name);
	say_none(monitor, scan);
	return err == -EBUSY ? -EBUSY : -ENOENT;
}

static int find_by_process(struct monitor *monitor)
{
	struct scan *scan;
	int err;

	scan = scan_new(monitor->pid, &err);
	if (!scan)
		return err;
	err = patience_run(scan_work, scan, scan_free, PATIENCE_MS);
	switch (err) {
	case 0:
		break;
	case -ETIMEDOUT:
		say_why(monitor, "the VMM does not let its command line be read: it is stuck");
		return -ENOENT;
	case -EINTR:
		return err;
	default:
		scan_free(scan);
		return err;
	}
	if (scan->err == -EACCES)
		say_why(monitor, "no right to look into the VMM; run as root");
	err = scan->err ? scan->err : try_all(monitor, scan);
	scan_free(scan);
	return err == -EACCES ? -ENOENT : err;
}

static int find_by_path(struct monitor *monitor, const char *path)
{
	int socket, err;

	socket = open(path, O_PATH | O_CLOEXEC);
	err = socket < 0 ? -errno : check_socket(socket);
	if (!err)
		err = try_socket(monitor, socket, path);
	if (!err)
		return 0;
	if (socket >= 0)
		close(socket);
	say_why(monitor, "%s: %s", path, path_error(err));
	return is_final(err) || err == -EBUSY ? err : -ENOENT;
}

int monitor_find(int pid, const char *path, struct monitor *monitor)
{
	int err;

	memset(monitor, 0, sizeof(*monitor));
	monitor->socket = -1;
	monitor->pid = pid;
	monitor->named = path;
	err = proc_open(pid, &monitor->process);
	if (!err)
		err = path ? find_by_path(monitor, path) : find_by_process(monitor);
	if (err && monitor->process.dir >= 0 && proc_has_ended(&monitor->process))
		err = -ESRCH;
	if (err == -ESRCH)
		say_why(monitor, "the VMM has ended, or its process is not visible here");
	else if (err && !*monitor->why)
		say_why(monitor, "%s", qmp_strerror(err));
	return err;
}

void monitor_free(struct monitor *monitor)
{
	if (monitor->socket >= 0)
		close(monitor->socket);
	proc_close(&monitor->process);
	free(monitor->place);
	memset(monitor, 0, sizeof(*monitor));
	monitor->socket = -1;
	monitor->process.dir = -1;
	monitor->process.pidfd = -1;
}

bool monitor_is_gone(const struct monitor *monitor)
{
	return proc_has_ended(&monitor->process);
}
