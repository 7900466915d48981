/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Huge pages that go and come again, from the events of their leaves.
 *
 * A page is a range of guest memory of 2 MiB or 1 GiB. It has formed again when a leaf maps it that
 * is as large, or larger. In what is mapped by several page tables the first one counts.
 */
#ifndef KVMWATCH_HUGE_CHANGES_H
#define KVMWATCH_HUGE_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "probes/causes.h"

#define HUGE_CAUSES	(KVMW_LEAF_END + 1)

/* Times until a page has formed again: below 1 ms, 10 ms, 0.1 s, 1 s, 10 s, and longer */
#define HUGE_TIMES	6

/**
 * struct huge_event - leaves that are mapped, or one that is unmapped
 * @ns:		when
 * @vm:		kvmwatch id of the VM
 * @gfn:	first guest page of the first leaf
 * @leaves:	how many leaves, each behind the one before
 * @as_id:	address space
 * @level:	2: of 2 MiB, 3: of 1 GiB
 * @map:	they come
 * @cause:	enum kvmw_leaf_cause
 */
struct huge_event {
	__u64 ns, vm, gfn, leaves;
	__u16 as_id;
	__u8 level;
	bool map;
	unsigned int cause;
};

/**
 * struct huge_cause - what went and came by one cause; arrays are of 2 MiB and 1 GiB
 * @unmapped:	leaves that went
 * @mapped:	leaves that came
 * @again:	pages that went by this cause and have formed again
 * @left:	pages that went by it and have not
 * @again_ns:	time from when they went until they had formed again, of all together
 * @again_ns_max: the longest
 * @times:	how many of them took how long
 */
struct huge_cause {
	__u64 unmapped[2], mapped[2];
	__u64 again, left, again_ns, again_ns_max;
	__u64 times[HUGE_TIMES];
};

struct huge_changes;

/* NULL: no memory. */
struct huge_changes *huge_changes_new(void);
void huge_changes_free(struct huge_changes *changes);

/* Events in the order of time. Returns 0, -ENOMEM, or -E2BIG: too many pages are gone. */
int huge_changes_add(struct huge_changes *changes, const struct huge_event *event);

/* Of a VM, by cause; false: nothing of it has changed. */
bool huge_changes_of(const struct huge_changes *changes, __u64 vm,
		     struct huge_cause causes[HUGE_CAUSES]);

#endif /* KVMWATCH_HUGE_CHANGES_H */
