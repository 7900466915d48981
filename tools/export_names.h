/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of VMs in the export. They are unique and do not change, as they identify time series.
 * Tenants choose guest names, so two VMs may have the same.
 */
#ifndef KVMWATCH_EXPORT_NAMES_H
#define KVMWATCH_EXPORT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "expose.h"
#include "select.h"

struct export_name {
	__u64 id;
	char vm[KVMWATCH_NAME_SIZE];
	bool listed;
	char label[EXPOSE_MAX_LABEL + KVMWATCH_NAME_SIZE + 24];
};

/* Begins as all zeros. */
struct export_names {
	struct export_name **all;	/* sorted by id */
	size_t nr;
	void *labels;			/* the same names in a tree, by label */
	__u64 instance;			/* of the module, whose ids these are */
};

/*
 * Name these VMs, sorted by id, and forget all others. A VM is called by its guest name, or else by
 * KVM's name, as long as it is listed. If another VM has this label already, it is called "NAME@"
 * and KVM's name. When the module was loaded again, all ids are others, and may have another order:
 * a VM then keeps the label that fits it. Returns 0 or -ENOMEM.
 */
int export_names_update(struct export_names *names, __u64 instance, const struct vm *const *vms,
			size_t nr);
void export_names_free(struct export_names *names);

#endif /* KVMWATCH_EXPORT_NAMES_H */
