// SPDX-License-Identifier: GPL-2.0
/* Read KVM's current parameters of halt polling. See halt_poll.h. */
#include <errno.h>
#include <stdio.h>

#include "halt_poll.h"

static int read_param(const char *name, __u32 *value)
{
	char path[128];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "/sys/module/kvm/parameters/%s", name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	err = fscanf(file, "%u", value) == 1 ? 0 : -EIO;
	fclose(file);
	return err;
}

int halt_poll_now(struct halt_poll_params *params)
{
	int err = read_param("halt_poll_ns", &params->max);

	err = err ?: read_param("halt_poll_ns_grow", &params->grow);
	err = err ?: read_param("halt_poll_ns_shrink", &params->shrink);
	return err ?: read_param("halt_poll_ns_grow_start", &params->start);
}
