/* SPDX-License-Identifier: GPL-2.0 */
/* Fds with the heat of pages. See heat_fd.c. Context: task. */
#ifndef KVMW_HEAT_FD_H
#define KVMW_HEAT_FD_H

#include <linux/types.h>

struct kvmw_object;

/*
 * A new fd for the heat of the pages of the VM or slot @obj: see records/heat.h. @privileged: its
 * holder may see all VMs.
 */
int kvmw_heat_fd(struct kvmw_object *obj, bool privileged);

#endif /* KVMW_HEAT_FD_H */
