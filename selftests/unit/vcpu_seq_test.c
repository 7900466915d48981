// SPDX-License-Identifier: GPL-2.0
/*
 * Whether readers wait while a vCPU's numbers are changed, tested with the module's own code. An
 * interrupt may come inside a hit of the same vCPU, within a few instructions, which no test in a
 * VM can time.
 */
#include <kselftest_harness.h>
#include <linux/types.h>

/* What the code needs from the kernel. Readers wait while the count is odd. */
#define seqcount_t			unsigned int
#define raw_read_seqcount(seq)		(*(seq))
#define raw_write_seqcount_begin(seq)	(++*(seq))
#define raw_write_seqcount_end(seq)	(++*(seq))

#include "../module/records/vcpu_seq.h"

#define READERS_WAIT(seq)	((seq) & 1)

/* An interrupt that changes the numbers. Returns whether readers waited meanwhile. */
static bool interrupt(seqcount_t *seq)
{
	bool begun = kvmw_vcpu_seq_begin(seq), waited = READERS_WAIT(*seq);

	kvmw_vcpu_seq_end(seq, begun);
	return waited;
}

TEST(readers_wait_for_an_interrupt_and_look_again)
{
	seqcount_t seq = 4;

	EXPECT_TRUE(interrupt(&seq));
	EXPECT_FALSE(READERS_WAIT(seq));
	EXPECT_NE(4, seq);
}

TEST(readers_wait_for_the_end_of_the_hit_that_was_interrupted)
{
	seqcount_t seq = 4;

	raw_write_seqcount_begin(&seq);
	EXPECT_TRUE(interrupt(&seq));
	EXPECT_TRUE(READERS_WAIT(seq));
	raw_write_seqcount_end(&seq);
	EXPECT_FALSE(READERS_WAIT(seq));
	EXPECT_NE(4, seq);
}

TEST_HARNESS_MAIN
