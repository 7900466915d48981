/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What files of this folder need of whatever they compile in: the kernel, or a program. They have
 * memory that the caller gives, and strings.
 */
#ifndef KVMW_PROOF_BASE_H
#define KVMW_PROOF_BASE_H

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/compiler_attributes.h>
#include <linux/kernel.h>
#include <linux/string.h>
#else
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#ifndef __printf
#define __printf(a, b)	__attribute((format(printf, a, b)))
#endif
#endif

#endif /* KVMW_PROOF_BASE_H */
