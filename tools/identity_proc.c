// SPDX-License-Identifier: GPL-2.0
/* The identity of a running VMM. See identity.h. */
#include <stdlib.h>
#include <string.h>

#include "guest_name.h"
#include "identity.h"
#include "proc.h"
#include "vmm_args.h"

#define MAX_CGROUP	65536

void identity_of(int pid, struct identity *identity)
{
	char *cmdline, *cgroup;
	struct proc proc;
	size_t len;

	memset(identity, 0, sizeof(*identity));
	if (proc_open(pid, &proc))
		return;
	cmdline = proc_read(&proc, "cmdline", VMM_MAX_CMDLINE, &len);
	if (cmdline) {
		identity->guest = guest_name_parse(cmdline, len);
		identity->uuid = identity_uuid(cmdline, len);
	}
	free(cmdline);
	cgroup = proc_read(&proc, "cgroup", MAX_CGROUP, &len);
	if (cgroup)
		identity->unit = identity_unit(cgroup);
	free(cgroup);
	proc_close(&proc);
}
