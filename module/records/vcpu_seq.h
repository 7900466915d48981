/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sequence count of a vCPU, for writers that may have interrupted a hit of the same vCPU.
 * selftests/unit/vcpu_seq_test.c reads in between, so this file uses only kernel interfaces that
 * the test also defines.
 */
#ifndef KVMW_VCPU_SEQ_H
#define KVMW_VCPU_SEQ_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/seqlock.h>
#include <linux/types.h>
#endif

/*
 * If the count is odd, this interrupted a hit, and the hit ends the write section. Otherwise begin
 * one. Returns whether kvmw_vcpu_seq_end() has to end it.
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
