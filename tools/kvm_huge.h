/* SPDX-License-Identifier: GPL-2.0 */
/* What KVM's parameters and debugfs tell about huge pages. */
#ifndef KVMWATCH_KVM_HUGE_H
#define KVMWATCH_KVM_HUGE_H

#include <stdbool.h>

#include "sample.h"

/* Does KVM use its TDP MMU for guests? Only there a table replaces a huge leaf, and back. */
bool kvm_has_tdp_mmu(void);

/* Is the workaround for executable huge pages on (nx_huge_pages)? As a number: 0 or 1. */
struct maybe kvm_nx_is_on(void);

/*
 * How many tables of small leaves of a VM are there because of it now, by KVM's own count;
 * @name: of its debugfs directory
 */
struct maybe kvm_nx_tables(const char *name);

#endif /* KVMWATCH_KVM_HUGE_H */
