/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vCPU's sequence count for who may have interrupted a hit of the same vCPU. selftests/unit/
 * vcpu_seq_test.c has readers look in between, so this uses of the kernel only what is given its
 * meaning there, too.
 */
#ifndef KVMW_VCPU_SEQ_H
#define KVMW_VCPU_SEQ_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/seqlock.h>
#include <linux/types.h>
#endif

/*
 * Inside a hit the count is odd already, and it is the hit that tells readers when the numbers
 * belong together. Returns whether kvmw_vcpu_seq_end() is to tell them.
 */
static __always_inline bool kvmw_vcpu_seq_begin(seqcount_t *seq)
{
	bool in_hit = raw_read_seqcount(seq) & 1;

	if (!in_hit)
		raw_write_seqcount_begin(seq);
	return !in_hit;
}

static __always_inline void kvmw_vcpu_seq_end(seqcount_t *seq, bool begun)
{
	if (begun)
		raw_write_seqcount_end(seq);
}

#endif /* KVMW_VCPU_SEQ_H */
