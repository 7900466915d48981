/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel that the module is built for. Only files of this folder test the version: the rest of
 * the module uses the one interface that this folder provides.
 *
 * A version number is not enough, as Debian's stable kernels contain backports, and vendors'
 * kernels more of them. The compiler compares what public headers declare. What is private to KVM,
 * such as the arguments of its static functions, kvm.ko proves when hooks are attached
 * (hooks/proof.c): the version only decides which handlers are built.
 */
#ifndef KVMW_VERSION_H
#define KVMW_VERSION_H

#include <linux/version.h>

#define KVMW_SINCE(major, minor)						\
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

#endif /* KVMW_VERSION_H */
