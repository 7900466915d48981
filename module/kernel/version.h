/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which kernel this is built for. Files of this folder ask that, and no others: the rest of the
 * module is written for one kernel interface, the one that this folder makes of them.
 *
 * Debian's stable kernels carry changes of later ones, so a version says less than it
 * seems to. What public headers declare, the compiler compares (hooks/proof.c). What only
 * KVM's own source tells, such as the arguments of its static functions, was read
 * there for the series of KVMW_KERNELS; on any other kernel, what relies on it is
 * not attached. docs/porting.md says how a series is added.
 */
#ifndef KVMW_VERSION_H
#define KVMW_VERSION_H

#include <linux/version.h>

#define KVMW_SERIES(major, minor)						\
	(LINUX_VERSION_CODE >> 8 == KERNEL_VERSION(major, minor, 0) >> 8)
#define KVMW_SINCE(major, minor)						\
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

/* The series that KVM's source was read of. selftests/vm/kernels has a row for each. */
#define KVMW_KERNELS(X)		X(5, 10) X(6, 1) X(6, 12) X(7, 2)

#define KVMW_OR_SERIES(major, minor)	|| KVMW_SERIES(major, minor)
#define KVMW_SERIES_NAME(major, minor)	#major "." #minor " "
#define KVMW_KNOWN_KERNEL	(0 KVMW_KERNELS(KVMW_OR_SERIES))
#define KVMW_KNOWN_KERNELS	KVMW_KERNELS(KVMW_SERIES_NAME)

#endif /* KVMW_VERSION_H */
