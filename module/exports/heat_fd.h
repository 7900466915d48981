/* SPDX-License-Identifier: GPL-2.0 */
/* Fds for per-page heat. See heat_fd.c. Context: task. */
#ifndef KVMW_HEAT_FD_H
#define KVMW_HEAT_FD_H

#include <linux/types.h>

struct kvmw_object;

/*
 * Create an fd for the per-page heat of the VM or slot @obj: see records/heat.h. @privileged: the
 * user may see all VMs.
 */
int kvmw_heat_fd(struct kvmw_object *obj, bool privileged);

#endif /* KVMW_HEAT_FD_H */
