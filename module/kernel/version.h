/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel that the module is built for. Only files of this folder ask which it is: the rest of
 * the module uses the one interface that this folder provides.
 *
 * Nothing asks for the number of a version: Debian's stable kernels contain backports, and vendors'
 * kernels more of them. KVMW_HAS_* tell what public headers have: see facts.in. What is private to
 * KVM, such as the arguments of its static functions, kvm.ko proves when hooks are attached
 * (hooks/proof.c); these only decide which handlers are built.
 */
#ifndef KVMW_VERSION_H
#define KVMW_VERSION_H

#include "kernel/facts.h"

/*
 * KVM's private code is like that of 5.15 or later, not like that of 5.10: page tables and their
 * entries, the chunks of a reverse map, which functions mark pages. Several public facts tell that;
 * this is the youngest of them. A vendor takes KVM over as a whole.
 */
#define KVMW_KVM_IS_RECENT	KVMW_HAS_PAGES_COUNTED

/* From that release on KVM drops a mark without a vCPU, or keeps it in the bitmap. */
#define KVMW_KVM_DROPS_MARKS	KVMW_HAS_HALT_IS_VOID

#endif /* KVMW_VERSION_H */
