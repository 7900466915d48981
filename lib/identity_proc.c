// SPDX-License-Identifier: LGPL-2.1-or-later
/* The identity of the guest of a running VMM. See identity.h. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "identity.h"
#include "proc.h"
#include "unit.h"
#include "vmm_args.h"

#define MAX_CGROUPS	(64 << 10)
#define MAX_STATUS	(64 << 10)

/* The process's pid in its own pid namespace: the last number of NSpid in /proc/PID/status. */
static int own_pid(const struct proc *proc)
{
	char *status, *line, *end;
	size_t len;
	int pid = 0;

	status = proc_read(proc, "status", MAX_STATUS, &len);
	line = status ? strstr(status, "\nNSpid:") : NULL;
	if (line) {
		end = strchr(line + 1, '\n');
		if (end)
			*end = '\0';
		end = strrchr(line + 1, '\t');
		pid = end ? atoi(end) : 0;
	}
	free(status);
	return pid;
}

/*
 * Without a name on the command line, kvmtool names a guest after its own process. With a root file
 * system that kvmtool keeps, it uses the name of that: then --disk has a name and no path.
 */
static void name_lkvm(const struct proc *proc, const char *cmdline, size_t len, const char *exe,
		      char **guest)
{
	struct vmm_option option;
	struct vmm_args args;
	bool kept = false;
	int pid;

	if (vmm_args_begin(&args, cmdline, len, exe))
		return;
	while (args.vmm == VMM_LKVM && vmm_args_next(&args, &option)) {
		if (option.value &&
		    (vmm_option_is(&option, "disk") || vmm_option_is(&option, "d")))
			kept |= !strchr(option.value, '/');
	}
	pid = args.vmm == VMM_LKVM && !kept ? own_pid(proc) : 0;
	vmm_args_end(&args);
	if (pid > 0 && asprintf(guest, "guest-%d", pid) < 0)
		*guest = NULL;
}

static void read_cmdline(const struct proc *proc, struct identity *identity)
{
	char *cmdline, exe[4096];
	ssize_t n;
	size_t len;

	n = readlinkat(proc->dir, "exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	cmdline = proc_read(proc, "cmdline", VMM_MAX_CMDLINE, &len);
	if (!cmdline)
		return;
	identity_parse(cmdline, len, exe, identity);
	if (!identity->guest)
		name_lkvm(proc, cmdline, len, exe, &identity->guest);
	free(cmdline);
}

static void read_cgroups(const struct proc *proc, struct identity *identity)
{
	char *cgroups;
	size_t len;

	cgroups = proc_read(proc, "cgroup", MAX_CGROUPS, &len);
	if (cgroups)
		unit_parse(cgroups, &identity->unit, &identity->user_unit);
	free(cgroups);
}

/* Read the cgroup first: that takes no lock of the process, which may be stuck. */
int identity_of(int pid, struct identity *identity)
{
	struct identity names = { };
	struct proc proc;
	int err;

	memset(identity, 0, sizeof(*identity));
	err = proc_open(pid, &proc);
	if (err)
		return err;
	read_cgroups(&proc, identity);
	read_cmdline(&proc, &names);
	identity->guest = names.guest;
	identity->uuid = names.uuid;
	proc_close(&proc);
	return 0;
}
