// SPDX-License-Identifier: GPL-2.0
/*
 * When the time from an exit to the next entry begins, tested with the module's own code. On
 * Intel's processors KVM has no exit event after an entry that failed, and the emulated processors
 * refuse no entry.
 */
#include <kselftest_harness.h>
#include <linux/types.h>

/* What the code needs from the kernel. */
#define u64			__u64
#define u16			__u16
#define u8			__u8
#define unlikely(x)		(x)

#include "../module/records/exit_span.h"

/* Events of a vCPU's thread, at the times 1, 2, 3, ... */
enum { ENTRY, EXIT, PUT };
/* the exit reason */
enum { KNOWN, UNKNOWN };

static u64 sum, unknown;	/* the sum, as in exit_time_ns; and the part without a reason */

static void happens(struct kvmw_exit_span *span, const int *what, int nr)
{
	u64 now, since;

	for (now = 1; nr--; now++, what++) {
		switch (*what) {
		case ENTRY:
			since = kvmw_span_ends(span);
			sum += since ? now - since : 0;
			unknown += since && span->cell == UNKNOWN ? now - since : 0;
			break;
		case EXIT:
			if (kvmw_span_begins(span))
				span->since = now;
			span->cell = KNOWN;
			break;
		case PUT:
			kvmw_span_put(span, now, UNKNOWN);
			break;
		}
	}
}

#define SUM(...) ({								\
	const int what_[] = { __VA_ARGS__ };					\
	struct kvmw_exit_span span_ = { };					\
										\
	sum = 0;								\
	unknown = 0;								\
	happens(&span_, what_, ARRAY_SIZE(what_));				\
	sum;									\
})

TEST(it_begins_with_the_event_of_the_exit)
{
	EXPECT_EQ(0, SUM(ENTRY, EXIT));
	EXPECT_EQ(1, SUM(ENTRY, EXIT, ENTRY));
	EXPECT_EQ(2, SUM(ENTRY, EXIT, PUT, ENTRY));
	EXPECT_EQ(3, SUM(EXIT, PUT, PUT, ENTRY, ENTRY));
	EXPECT_EQ(2, SUM(EXIT, ENTRY, EXIT, ENTRY));
}

TEST(it_begins_before_that_if_the_vcpu_is_put_before)
{
	EXPECT_EQ(2, SUM(ENTRY, PUT, EXIT, ENTRY));
	EXPECT_EQ(3, SUM(ENTRY, PUT, PUT, EXIT, ENTRY));
	EXPECT_EQ(4, SUM(ENTRY, PUT, EXIT, ENTRY, PUT, EXIT, ENTRY));
	EXPECT_EQ(0, unknown);
}

/*
 * The exit of the failed entry has no event. The exit after the next entry has one, and gets all of
 * its time.
 */
TEST(an_entry_that_fails_takes_no_time_from_the_next_exit)
{
	EXPECT_EQ(1, SUM(ENTRY, ENTRY, EXIT, ENTRY));
	EXPECT_EQ(1 + 1, SUM(ENTRY, PUT, ENTRY, EXIT, ENTRY));
	EXPECT_EQ(1 + 3, SUM(ENTRY, PUT, ENTRY, EXIT, PUT, PUT, ENTRY));
	EXPECT_EQ(1 + 2, SUM(ENTRY, PUT, ENTRY, PUT, EXIT, ENTRY));
	EXPECT_EQ(1, unknown);
}

TEST_HARNESS_MAIN
