/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What VMs are called in what is exported: names that are different and that stay, as a time series
 * is found by them. Tenants choose guest names, so two VMs may have one.
 */
#ifndef KVMWATCH_EXPORT_NAMES_H
#define KVMWATCH_EXPORT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "expose.h"
#include "select.h"

struct export_name {
	__u64 id;
	char vm[KVMWATCH_NAME_SIZE];	/* after insmod ids begin again */
	bool listed;
	char label[EXPOSE_MAX_LABEL + KVMWATCH_NAME_SIZE + 24];
};

/* Zeros are a start. */
struct export_names {
	struct export_name **all;	/* by id */
	size_t nr;
	void *labels;			/* the same as a tree, by label */
};

/*
 * Name these VMs, whose ids grow; others are forgotten. A VM has its guest name, or else the one
 * that KVM gave it, and keeps what it has as long as it is listed. If another VM has that already,
 * it is "NAME@" and the one that KVM gave it. 0 or -ENOMEM.
 */
int export_names_update(struct export_names *names, const struct vm *const *vms, size_t nr);
void export_names_free(struct export_names *names);

#endif /* KVMWATCH_EXPORT_NAMES_H */
