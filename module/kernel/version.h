/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel that the module is built for. Only files of this folder test the version: the rest of
 * the module uses the one interface that this folder provides.
 *
 * A version number is not enough, as Debian's stable kernels contain backports. The compiler
 * compares what public headers declare (hooks/proof.c). What only KVM's source shows, such as the
 * arguments of its static functions, was read there for the series of KVMW_KERNELS; on other
 * kernels, hooks that rely on it stay detached. docs/porting.md says how to add a series.
 */
#ifndef KVMW_VERSION_H
#define KVMW_VERSION_H

#include <linux/version.h>

#define KVMW_SERIES(major, minor)						\
	(LINUX_VERSION_CODE >> 8 == KERNEL_VERSION(major, minor, 0) >> 8)
#define KVMW_SINCE(major, minor)						\
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

/* The series whose KVM source was read. selftests/vm/kernels has a row for each. */
#define KVMW_KERNELS(X)		X(5, 10) X(6, 1) X(6, 12) X(7, 2)

#define KVMW_OR_SERIES(major, minor)	|| KVMW_SERIES(major, minor)
#define KVMW_SERIES_NAME(major, minor)	#major "." #minor " "
#define KVMW_KNOWN_KERNEL	(0 KVMW_KERNELS(KVMW_OR_SERIES))
#define KVMW_KNOWN_KERNELS	KVMW_KERNELS(KVMW_SERIES_NAME)

#endif /* KVMW_VERSION_H */
