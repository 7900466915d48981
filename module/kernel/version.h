/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which kernel this is built for. Files of this folder ask that, and no others: the rest of the
 * module is written for one kernel interface, the one that this folder makes of them.
 *
 * Debian's stable kernels carry changes of later ones, so a version says less than it
 * seems to. What public headers declare, the compiler compares (hooks/proof.c). What only
 * KVM's own source tells, such as the arguments of its static functions, was read
 * there for the series of KVMW_KNOWN_KERNEL; on any other kernel, what relies on it is
 * not attached. docs/porting.md says how a series is added.
 */
#ifndef KVMW_VERSION_H
#define KVMW_VERSION_H

#include <linux/version.h>

#define KVMW_SERIES(major, minor)						\
	(LINUX_VERSION_CODE >> 8 == KERNEL_VERSION(major, minor, 0) >> 8)
#define KVMW_SINCE(major, minor)						\
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

#define KVMW_KNOWN_KERNEL	(KVMW_SERIES(5, 10) || KVMW_SERIES(6, 1) ||	\
				 KVMW_SERIES(6, 12) || KVMW_SERIES(7, 2))
#define KVMW_KNOWN_KERNELS	"5.10, 6.1, 6.12 and 7.2"

#endif /* KVMW_VERSION_H */
