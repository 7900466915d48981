/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The needs of a statistic, without which its number would be wrong: a mask of hooks (hooks/hook.h)
 * and of conditions of its object.
 */
#ifndef KVMW_NEEDS_H
#define KVMW_NEEDS_H

#include <linux/bits.h>

#define KVMW_NEED_FIRST		51
#define KVMW_NEED_WANTED	BIT_ULL(51)	/* never met: set where without= leaves it out */
#define KVMW_NEED_ENTRIES	BIT_ULL(52)	/* KVM has an event of each entry to guest mode */
#define KVMW_NEED_EXITED	BIT_ULL(53)	/* no audit of the VM's exits has failed */
#define KVMW_NEED_WOKEN		BIT_ULL(54)	/* no audit of the VM's halts has failed */
#define KVMW_NEED_PAIRED	BIT_ULL(55)	/* no audit of the VM's loads and puts has failed */
#define KVMW_NEED_COUNTERS	BIT_ULL(56)	/* the slot has counters of its own */
#define KVMW_NEED_MARKED	BIT_ULL(57)	/* no audit of the VM's dirty marks has failed */
#define KVMW_NEED_SEEN		BIT_ULL(58)	/* no audit of the VM's leaves has failed */
#define KVMW_NEED_REASONS	BIT_ULL(59)	/* exit reasons can be read */
#define KVMW_NEED_MAPPED	BIT_ULL(60)	/* the VM's mapped pages are known */
#define KVMW_NEED_BITMAP	BIT_ULL(61)	/* the VM has dirty bitmaps, no rings */
#define KVMW_NEED_LOGGING	BIT_ULL(62)	/* dirty logging of the slot is on */
#define KVMW_NEED_LOADED_ONCE	BIT_ULL(63)	/* the vCPU has been on a pCPU */

/* Those that audits of vCPUs can refute. */
#define KVMW_NEED_AUDITED	(KVMW_NEED_EXITED | KVMW_NEED_WOKEN | KVMW_NEED_PAIRED)

#endif /* KVMW_NEEDS_H */
