// SPDX-License-Identifier: GPL-2.0
/* What commands share: complaints, the device, and trace-cmd. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "exit_names.h"
#include "libkvmwatch.h"
#include "text.h"

static char *complaint;
static size_t complaint_size;

void complain_into(char *buf, size_t size)
{
	complaint = buf;
	complaint_size = size;
}

/* A tenant or a file may have chosen a name in the message, so clean it. */
int complain(const char *what, const char *why, ...)
{
	char *reason = NULL, *all = NULL;
	va_list args;

	va_start(args, why);
	if (vasprintf(&reason, why, args) < 0)
		reason = NULL;
	va_end(args);
	if (asprintf(&all, "%s: %s", what, reason ? reason : "no memory") < 0)
		all = NULL;
	if (all)
		text_clean(all);
	if (complaint) {
		snprintf(complaint, complaint_size, "%s", all ? all : "no memory");
	} else {
		fflush(stdout);
		fprintf(stderr, "kvmwatch: %s\n", all ? all : "no memory");
	}
	free(all);
	free(reason);
	return EXIT_COULD_NOT;
}

int complain_output(int err)
{
	switch (err) {
	case -EPIPE:
		return EXIT_COULD_NOT;
	case -EINTR:
		return complain("standard output",
				"nobody read it any more, so what came last is not shown");
	default:
		return complain("standard output", "%s", strerror(-err));
	}
}

/* The module may be loaded without its device node, as in a container. */
static void complain_missing(void)
{
	if (access("/sys/module/kvmwatch", F_OK))
		complain(KVMWATCH_DEVICE,
			 "the module is not loaded; load it: insmod kvmwatch.ko, or modprobe kvmwatch");
	else
		complain(KVMWATCH_DEVICE,
			 "the module is loaded, but there is no such node here; in a container, pass the device through");
}

int device_open(void)
{
	struct kvmwatch_info info;
	int dev;

	dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	switch (dev) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		complain_missing();
		break;
	case -EACCES:
	case -EPERM:
		complain(KVMWATCH_DEVICE,
			 "no right to open it; run as root, or have the administrator give you the node and CAP_PERFMON");
		break;
	case -ENOTTY:
	case -EINVAL:
		complain(KVMWATCH_DEVICE,
			 "not kvmwatch's device, or that of a module older than this program; load the module anew");
		break;
	case -EPROTONOSUPPORT:
		complain(KVMWATCH_DEVICE,
			 "the module speaks ABI %u, this program %u; install both from one version",
			 info.abi, KVMWATCH_ABI);
		break;
	default:
		if (dev < 0)
			complain(KVMWATCH_DEVICE, "can't open it: %s", strerror(-dev));
		else
			exit_names_read(dev);
		break;
	}
	return dev;
}

int device_blind(int dev)
{
	struct kvmwatch_info info;
	int err = kvmwatch_device_info(dev, &info);

	if (err)
		return device_complain(err);
	if (!(info.flags & KVMWATCH_INFO_BLIND))
		return EXIT_DONE;
	info.why[sizeof(info.why) - 1] = '\0';
	return complain(KVMWATCH_DEVICE,
			"nothing is watched, whether VMs run here or not: %s; see also kvmwatch hooks",
			info.why);
}

int device_complain(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return complain(KVMWATCH_DEVICE,
				"no right to list what others run; run as root or with CAP_PERFMON");
	case -EBADMSG:
		return complain(KVMWATCH_DEVICE,
				"the answer is broken; install module and program from one version");
	case -EMFILE:
	case -ENFILE:
		return complain(KVMWATCH_DEVICE,
				"too many open files; raise the limit (ulimit -n)");
	default:
		return complain(KVMWATCH_DEVICE, "can't read it: %s", strerror(-err));
	}
}

int run_trace_cmd(const char *what, char **argv)
{
	execvp(argv[0], argv);
	if (errno == ENOENT)
		return complain(what, "there is no trace-cmd here; install it");
	return complain(what, "can't run trace-cmd: %s", strerror(errno));
}
