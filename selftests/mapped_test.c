// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped pages: kvmwatch's counts against KVM's own, after every kind of change to the second-level
 * page tables.
 *
 * Each kind is a scenario in two parts. For a VM that kvmwatch saw from its creation, the parts
 * follow each other. For VMs from before insmod, kvmwatch is loaded between them. Both are repeated
 * with the other of KVM's two MMUs (5.10 uses the shadow MMU by default, later kernels with
 * tdp_mmu=0), and with the shadow MMU shadowing the guest's own page tables, as on processors
 * without EPT or NPT.
 *
 * 5.10's KVM keeps no counts. So on each kernel the counts are also compared with what the guest
 * touched, and with the page tables, which kvmwatch counts when it is loaded anew. The shadow MMU
 * also maps the neighbours of a faulting page, within the same 8, if they are present in the host.
 * So the guest touches such pages in multiples of 8.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "machine.h"
#include "subject.h"
#include "vendor.h"
#include "watch.h"

#define SYS_KSM		"/sys/kernel/mm/ksm/"
#define SYS_HUGETLB	"/proc/sys/vm/nr_hugepages"

/* --- scenarios ----------------------------------------------------------------- */

/* Reserve 2M pages of hugetlb; how many there are. */
static int reserve_hugetlb(unsigned int pages)
{
	char value[16] = "";
	int fd;

	snprintf(value, sizeof(value), "%u", pages);
	if (machine_put(SYS_HUGETLB, value))
		return 0;
	fd = open(SYS_HUGETLB, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, value, sizeof(value) - 1) < 0)
		value[0] = '\0';
	close(fd);
	return atoi(value);
}

enum needs {
	NEEDS_NOTHING,
	NEEDS_THP,
	NEEDS_THP_AND_EAGER_OFF,
	NEEDS_HUGETLB,
	NEEDS_1G,
};

struct scenario {
	const char *name;
	enum needs needs;
	void (*first)(struct __test_metadata *_metadata, struct subject *s);
	void (*then)(struct __test_metadata *_metadata, struct subject *s);
};

#define NR_HUGETLB	4

/* What the machine lacks for this, in words; NULL: nothing. */
static const char *missing(enum needs needs)
{
	switch (needs) {
	case NEEDS_NOTHING:
		break;
	case NEEDS_THP:
		return sys_has_thp() ? NULL : "the host gives no transparent huge pages";
	case NEEDS_THP_AND_EAGER_OFF:
		if (sys_is_on(SYS_EAGER) && !machine_is_ours())
			return "it changes KVM's eager_page_split: RUN_ALL=yes";
		return missing(NEEDS_THP);
	case NEEDS_HUGETLB:
		if (!machine_is_ours())
			return "it reserves 2M pages: RUN_ALL=yes";
		if (reserve_hugetlb(NR_HUGETLB) < NR_HUGETLB)
			return "the host has no 2M pages for " SYS_HUGETLB;
		break;
	case NEEDS_1G:
		return sys_has_1g() ? NULL : "the host has no free page of 1G";
	}
	return NULL;
}

FIXTURE(mapped) {
	struct subject s;
};

FIXTURE_SETUP(mapped)
{
	/* Nobody but us merges or splits the host's pages. */
	sys_no_khugepaged();
	if (subject_init(&self->s, false, 0))
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
}

FIXTURE_TEARDOWN(mapped)
{
	guest_free(self->s.g);
	watch_load(NULL);	/* -EEXIST unless a test left it unloaded */
	machine_put_back();
}

/*
 * SCENARIO_FIRST(name) is the first part of a scenario, with kvmwatch loaded or not.
 * SCENARIO_THEN(name, needs) checks the result, goes on, and is also a test of its own.
 */
#define SCENARIO_FIRST(name)							\
static void name##_first(struct __test_metadata *_metadata, struct subject *s)

#define SCENARIO_THEN(name, needs)						\
static void name##_then(struct __test_metadata *_metadata, struct subject *s);	\
TEST_F(mapped, name)								\
{										\
	const char *why = missing(needs);					\
										\
	if (why)								\
		SKIP(return, "%s", why);					\
	name##_first(_metadata, &self->s);					\
	name##_then(_metadata, &self->s);					\
}										\
static const struct scenario name = { #name, needs, name##_first, name##_then };	\
static void name##_then(struct __test_metadata *_metadata, struct subject *s)

SCENARIO_FIRST(touched_4k_pages_are_mapped)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 1000, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B, 1000, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 700));
	ASSERT_EQ(0, touch(s, GPA_B + 10 * GUEST_PAGE, 9));
}

SCENARIO_THEN(touched_4k_pages_are_mapped, NEEDS_NOTHING)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 0, GUEST_SLOT0_PAGES, 0);
	EXPECT_MAPPED(s, 1, 700, 0);
	EXPECT_MAPPED(s, 2, 9, 0);

	/* A page that is mapped does not count again; a page that is only read counts. */
	ASSERT_EQ(0, touch(s, GPA_A, 700));
	ASSERT_EQ(0, guest_run(s->g, 0, work_read(GPA_A + 600 * GUEST_PAGE, 300, GUEST_PAGE)));
	ASSERT_EQ(0, guest_run(s->g, 1, work_read(GPA_B + GUEST_PAGE, 45, 20 * GUEST_PAGE)));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 900, 0);
	EXPECT_MAPPED(s, 2, 9 + 45, 0);
	EXPECT_SPLITS(s, 0);
}

SCENARIO_FIRST(touched_transparent_huge_pages_are_mapped)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 8 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 5));
}

SCENARIO_THEN(touched_transparent_huge_pages_are_mapped, NEEDS_THP)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 0, 5);

	ASSERT_EQ(0, touch_huge(s, GPA_A + GUEST_PAGE, 8));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 0, 8);
}

SCENARIO_FIRST(touched_hugetlb_pages_are_mapped)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, NR_HUGETLB * HUGE_PAGES,
				    GUEST_MEM_2M, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 3));
}

SCENARIO_THEN(touched_hugetlb_pages_are_mapped, NEEDS_HUGETLB)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 0, 3);

	ASSERT_EQ(0, touch_huge(s, GPA_A, 4));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 0, 4);
}

/* A slot that is huge in part: discarding a small page makes the host split a huge page. */
SCENARIO_FIRST(small_and_huge_pages_are_told_apart)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 300, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B, 6 * HUGE_PAGES + 10, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 123));
	ASSERT_EQ(0, touch_huge(s, GPA_B, 6));
	ASSERT_EQ(0, touch(s, GPA_B + 6 * HUGE_SIZE, 7));
}

SCENARIO_THEN(small_and_huge_pages_are_told_apart, NEEDS_THP)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 123, 0);
	EXPECT_MAPPED(s, 2, 7, 6);

	ASSERT_EQ(0, guest_slot_discard(s->g, 2, 2 * HUGE_PAGES + 5, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 2, 7, 5);

	ASSERT_EQ(0, touch(s, GPA_B + 2 * HUGE_SIZE, 96));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 2, 103, 5);
	EXPECT_SPLITS(s, 0);
}

SCENARIO_FIRST(pages_given_back_are_not_mapped)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 1000, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B, 4 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 1000));
	ASSERT_EQ(0, touch_huge(s, GPA_B, 4));
	ASSERT_EQ(0, guest_slot_discard(s->g, 1, 0, 100));
}

SCENARIO_THEN(pages_given_back_are_not_mapped, NEEDS_THP)
{
	/* A VM seen from its creation had 100 pages more at its peak. */
	if (!s->early)
		s->peak = (GUEST_SLOT0_PAGES + 1000 + 4 * HUGE_PAGES) * GUEST_PAGE;
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 900, 0);
	EXPECT_MAPPED(s, 2, 0, 4);

	ASSERT_EQ(0, guest_slot_discard(s->g, 1, 500, 300));
	ASSERT_EQ(0, guest_slot_discard(s->g, 2, HUGE_PAGES, HUGE_PAGES));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 600, 0);
	EXPECT_MAPPED(s, 2, 0, 3);

	ASSERT_EQ(0, touch(s, GPA_A, 600));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 800, 0);
	EXPECT_MAPPED(s, 0, GUEST_SLOT0_PAGES, 0);
}

/*
 * One leaf maps 1 GiB, eight times a region of tasks/count.c. With logging on KVM splits the leaf
 * down to 4K, or a write replaces it.
 */
SCENARIO_FIRST(a_1g_page_is_mapped_and_split)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, GIB / GUEST_PAGE, GUEST_MEM_1G, 0));
	ASSERT_EQ(0, touch(s, GPA_A + 700 * HUGE_SIZE / 2, 1));
}

SCENARIO_THEN(a_1g_page_is_mapped_and_split, NEEDS_1G)
{
	__u64 small = GIB / GUEST_PAGE;

	EXPECT_STREQ("", untrue(s));
	EXPECT_EQ(s->paging ? 0ULL : 1ULL, watch_vm_stat(s->g, "mapped_1g"));
	if (s->paging)		/* no page of the guest's own tables is that large */
		return;
	EXPECT_LEAVES(s, 1, 0, 0, 1);
	EXPECT_EQ(1, watch_audit(s->g, NULL));

	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_LEAVES(s, 1, s->eager ? small : 0, 0, s->eager ? 0 : 1);
	EXPECT_SPLITS(s, s->eager ? 1 + HUGE_PAGES : 0);
	ASSERT_EQ(0, touch(s, GPA_A + 3 * HUGE_SIZE, 8));
	EXPECT_STREQ("", untrue(s));
	EXPECT_LEAVES(s, 1, s->eager ? small : 8, 0, 0);
	EXPECT_EQ(1, watch_audit(s->g, NULL));

	/* KVM zaps the small leaves, or replaces them by the large one at once. */
	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 0));
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, touch(s, GPA_A, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_LEAVES(s, 1, 0, 0, 1);
	/* Forbid access for a moment. (5.10 discards no page of hugetlb.) */
	ASSERT_EQ(0, mprotect(guest_slot_host(s->g, 1), GIB, PROT_NONE));
	ASSERT_EQ(0, mprotect(guest_slot_host(s->g, 1), GIB, PROT_READ | PROT_WRITE));
	EXPECT_STREQ("", untrue(s));
	EXPECT_LEAVES(s, 1, 0, 0, 0);
	ASSERT_EQ(0, touch(s, GPA_A, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_LEAVES(s, 1, 0, 0, 1);
	EXPECT_EQ(1, watch_audit(s->g, NULL));
}

/*
 * When logging begins, KVM splits huge pages at once, or at the next write to them. When logging
 * ends, KVM zaps the small pages, or from 6.13 on replaces them by huge ones.
 */
SCENARIO_FIRST(dirty_logging_splits_and_merges)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 6 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_A + 6 * HUGE_SIZE, 2 * HUGE_PAGES,
				    GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 8));
	if (s->early)
		ASSERT_EQ(0, guest_dirty_log(s->g, 1, 1));
}

SCENARIO_THEN(dirty_logging_splits_and_merges, NEEDS_THP)
{
	__u64 splits = s->early || !s->eager ? 0 : 6, collapses;

	EXPECT_STREQ("", untrue(s));
	if (!s->early) {
		ASSERT_EQ(0, guest_dirty_log(s->g, 1, 1));
		EXPECT_STREQ("", untrue(s));
	}
	EXPECT_SPLITS(s, splits);
	EXPECT_COLLAPSES(s, 0);
	EXPECT_MAPPED(s, 1, s->eager ? 6 * HUGE_PAGES : 0, s->eager ? 0 : 6);
	EXPECT_MAPPED(s, 2, 0, 2);

	ASSERT_EQ(0, touch_huge(s, GPA_A, 8));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, s->eager ? 6 * HUGE_PAGES : 6, 0);

	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 0));
	EXPECT_STREQ("", untrue(s));
	collapses = watch_slot_stat(s->g, 1, "mapped_2m") ? 6 : 0;
	EXPECT_MAPPED(s, 1, 0, collapses);
	EXPECT_MAPPED(s, 2, 0, 2);
	EXPECT_COLLAPSES(s, collapses);

	ASSERT_EQ(0, touch_huge(s, GPA_A, 6));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 0, 6);

	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, s->eager ? 6 * HUGE_PAGES : 0, s->eager ? 0 : 6);
	EXPECT_SPLITS(s, splits + (s->eager ? 6 : 0));
}

/*
 * Here KVM splits nothing ahead. At a write to a huge page KVM zaps the huge leaf and maps one
 * small page; or since 6.3 the TDP MMU splits it.
 */
SCENARIO_FIRST(writes_to_logged_huge_pages_replace_them)
{
	if (s->eager)
		ASSERT_EQ(0, machine_put(SYS_EAGER, "N"));
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 6 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 6));
	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 1));
	if (s->eager)
		ASSERT_EQ(0, machine_put(SYS_EAGER, "Y"));
	ASSERT_EQ(0, touch(s, GPA_A, 3));
}

SCENARIO_THEN(writes_to_logged_huge_pages_replace_them, NEEDS_THP_AND_EAGER_OFF)
{
	bool split = s->counted && leaves(s, 0) == GUEST_SLOT0_PAGES + HUGE_PAGES;
	__u64 splits = s->early ? 0 : 1;

	if (!s->early && !split)
		s->peak = 6 * HUGE_SIZE + GUEST_SLOT0_PAGES * GUEST_PAGE;
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, split ? HUGE_PAGES : 3, 5);
	EXPECT_SPLITS(s, split ? splits : 0);

	ASSERT_EQ(0, touch(s, GPA_A + 2 * HUGE_SIZE, 40));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, split ? 2 * HUGE_PAGES : 43, 4);
	EXPECT_SPLITS(s, split ? splits + 1 : 0);
}

/* KVM_CLEAR_DIRTY_LOG splits huge pages in the part that it clears, or at the next write there. */
SCENARIO_FIRST(clearing_the_dirty_log_splits)
{
	ASSERT_EQ(0, guest_dirty_manual(s->g, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
					KVM_DIRTY_LOG_INITIALLY_SET));
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 6 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 6));
	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 1));
	ASSERT_EQ(0, guest_dirty_clear(s->g, 1, HUGE_PAGES, 64, NULL));
}

SCENARIO_THEN(clearing_the_dirty_log_splits, NEEDS_THP)
{
	__u64 before = 0;

	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, s->eager ? HUGE_PAGES : 0, s->eager ? 5 : 6);
	if (!s->early && s->eager)
		before = 1;
	EXPECT_SPLITS(s, before);

	ASSERT_EQ(0, guest_dirty_clear(s->g, 1, 3 * HUGE_PAGES, 2 * HUGE_PAGES, NULL));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, s->eager ? 3 * HUGE_PAGES : 0, s->eager ? 3 : 6);
	EXPECT_SPLITS(s, s->eager ? before + 2 : 0);
}

/* KVM zaps all leaves of the VM. The guest's next accesses bring some back. */
SCENARIO_FIRST(deleting_a_slot_unmaps_everything)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 200, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B, 3 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 3, GPA_C, 200, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 150));
	ASSERT_EQ(0, touch_huge(s, GPA_B, 3));
	ASSERT_EQ(0, touch(s, GPA_C, 77));
}

SCENARIO_THEN(deleting_a_slot_unmaps_everything, NEEDS_NOTHING)
{
	__u64 slots;

	EXPECT_STREQ("", untrue(s));
	slots = watch_vm_stat(s->g, "slots");

	ASSERT_EQ(0, guest_slot_del(s->g, 2));
	EXPECT_STREQ("", untrue(s));
	EXPECT_EQ(0ULL, watch_vm_stat(s->g, "mapped_bytes"));
	EXPECT_EQ(slots - 1, watch_vm_stat(s->g, "slots"));
	EXPECT_EQ(UNKNOWN, watch_slot_stat(s->g, 2, "mapped_4k"));

	ASSERT_EQ(0, touch(s, GPA_A, 24));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 0, GUEST_SLOT0_PAGES, 0);
	EXPECT_MAPPED(s, 1, 24, 0);
	EXPECT_MAPPED(s, 3, 0, 0);

	/* A new slot of the same number has none of the old slot's pages. */
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B, 50, GUEST_MEM_4K, 0));
	EXPECT_MAPPED(s, 2, 0, 0);
	ASSERT_EQ(0, touch(s, GPA_B, 11));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 2, 11, 0);
}

SCENARIO_FIRST(moving_a_slot_unmaps_it)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 200, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B, 200, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 150));
	ASSERT_EQ(0, touch(s, GPA_B, 30));
}

SCENARIO_THEN(moving_a_slot_unmaps_it, NEEDS_NOTHING)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 150, 0);

	ASSERT_EQ(0, guest_slot_move(s->g, 1, GPA_C));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 0, 0);
	EXPECT_EQ(GPA_C / GUEST_PAGE, watch_slot_stat(s->g, 1, "base_gfn"));

	/* The memory of the slot is present, but at another guest address. */
	ASSERT_EQ(0, touch(s, GPA_C + 96 * GUEST_PAGE, 64));
	ASSERT_EQ(0, touch(s, GPA_B, 8));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 64, 0);
	EXPECT_MAPPED(s, 2, 8, 0);

	/* Move slot 2 to where slot 1 was. */
	ASSERT_EQ(0, guest_slot_move(s->g, 2, GPA_A));
	ASSERT_EQ(0, touch(s, GPA_A, 42));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 0, 0);
	EXPECT_MAPPED(s, 2, 42, 0);
}

/* Slots that adjoin, lie across the boundary of a GiB, or are far apart. */
SCENARIO_FIRST(slots_all_over_the_address_space_count_each_their_own)
{
	unsigned int i;

	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A - 50 * GUEST_PAGE, 100, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_A + 50 * GUEST_PAGE, 30, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 3, GPA_A + 80 * GUEST_PAGE, 1, GUEST_MEM_4K, 0));
	for (i = 4; i < 12; i++)
		ASSERT_EQ(0, guest_slot_add(s->g, i, (i * 7 + 1) * GIB, 64, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 12, 512 * GIB - 8 * GUEST_PAGE, 8,
				    GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 13, GPA_B - 2 * HUGE_SIZE, 4 * HUGE_PAGES,
				    GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch(s, GPA_A - 50 * GUEST_PAGE, 131));
	for (i = 4; i < 12; i++)
		ASSERT_EQ(0, touch(s, (i * 7 + 1) * GIB, i));
	ASSERT_EQ(0, touch(s, 512 * GIB - 8 * GUEST_PAGE, 8));
	ASSERT_EQ(0, touch_huge(s, GPA_B - 2 * HUGE_SIZE, 4));
}

SCENARIO_THEN(slots_all_over_the_address_space_count_each_their_own, NEEDS_NOTHING)
{
	unsigned int i;

	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 100, 0);
	EXPECT_MAPPED(s, 2, 30, 0);
	EXPECT_MAPPED(s, 3, 1, 0);
	for (i = 4; i < 12; i++)
		EXPECT_MAPPED(s, i, i, 0);
	EXPECT_MAPPED(s, 12, 8, 0);
	if (guest_slot_huge(s->g, 13) == 4 * HUGE_SIZE)
		EXPECT_MAPPED(s, 13, 0, 4);
}

SCENARIO_FIRST(vcpus_that_fault_at_once_count_each_page_once)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 2048, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B, 2048, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_start(s->g, 0, work_write(GPA_A, 1024, GUEST_PAGE, 1)));
	ASSERT_EQ(0, guest_start(s->g, 1, work_write(GPA_B, 512, 2 * GUEST_PAGE, 1)));
	EXPECT_EQ(0, guest_wait(s->g, 0, -1));
	EXPECT_EQ(0, guest_wait(s->g, 1, -1));
}

SCENARIO_THEN(vcpus_that_fault_at_once_count_each_page_once, NEEDS_NOTHING)
{
	int i;

	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 1024, 0);
	EXPECT_MAPPED(s, 2, 512, 0);

	/* Both vCPUs touch the same pages at the same time. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, guest_slot_discard(s->g, 1, 0, 2048));
		ASSERT_EQ(0, guest_start(s->g, 0, work_write(GPA_A, 2048, GUEST_PAGE, 1)));
		ASSERT_EQ(0, guest_start(s->g, 1, work_write(GPA_A, 2048, GUEST_PAGE, 1)));
		EXPECT_EQ(0, guest_wait(s->g, 0, -1));
		EXPECT_EQ(0, guest_wait(s->g, 1, -1));
		EXPECT_STREQ("", untrue(s));
		EXPECT_MAPPED(s, 1, 2048, 0);
	}
}

SCENARIO_FIRST(nothing_is_mapped_after_the_vms_end)
{
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 200, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B, 2 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 150));
}

SCENARIO_THEN(nothing_is_mapped_after_the_vms_end, NEEDS_NOTHING)
{
	int vm, slot, level;
	__u64 map, unmap;

	ASSERT_EQ(0, touch_huge(s, GPA_B, 2));
	EXPECT_STREQ("", untrue(s));
	vm = watch_vm(s->g);
	slot = watch_slot(s->g, 0, 1);
	ASSERT_LE(0, vm);
	ASSERT_LE(0, slot);
	EXPECT_EQ(150ULL, number(slot, "mapped_4k", ""));

	guest_free(s->g);
	s->g = NULL;
	for (level = 0; level < NR_LEVELS; level++) {
		EXPECT_EQ(0ULL, number(vm, "mapped_", level_name[level]));
		EXPECT_EQ(0ULL, number(slot, "mapped_", level_name[level]));
		map = number(vm, "map_", level_name[level]);
		unmap = number(vm, "unmap_", level_name[level]);
		EXPECT_NE(UNKNOWN, map);
		EXPECT_EQ(s->base[level] + map, unmap);
	}
	EXPECT_EQ(0ULL, number(vm, "mapped_bytes", ""));
	EXPECT_EQ(0ULL, number(slot, "mapped_bytes", ""));
	EXPECT_EQ(s->peak, number(vm, "mapped_bytes_peak", ""));
	EXPECT_EQ(0ULL, number(vm, "lost_events", ""));
	EXPECT_EQ(0ULL, number(vm, "audit_failures", ""));
	close(vm);
	close(slot);
}

/* --- KSM --------------------------------------------------------------------- */

#define MERGED	64

static long ksm_number(const char *name)
{
	char path[128];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), SYS_KSM "%s", name);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%ld", &value) != 1)
			value = -1;
		fclose(f);
	}
	return value;
}

/*
 * KSM replaces pages with the same content by a single read-only page. Its MMU notifier makes KVM
 * either zap their leaves or map the new page. After a zap KVM maps the page at the next read.
 */
TEST_F(mapped, pages_that_ksm_merges_are_mapped_when_kvm_has_them_mapped)
{
	struct subject *s = &self->s;
	char before[256], after[256];

	NEEDS_MACHINE(return, "it has KSM merge pages");
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 2 * MERGED, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 2 * MERGED));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 2 * MERGED, 0);

	if (madvise(guest_slot_host(s->g, 1), MERGED * GUEST_PAGE, MADV_MERGEABLE) ||
	    machine_put(SYS_KSM "sleep_millisecs", "1") ||
	    machine_put(SYS_KSM "run", "1"))
		SKIP(return, "the host has no KSM");
	EXPECT_TRUE(WATCH_EVENTUALLY(ksm_number("pages_sharing") >= MERGED - 1));
	EXPECT_EQ(0, machine_put(SYS_KSM "run", "0"));
	EXPECT_STREQ("", untrue(s));
	if (watch_slot_stat(s->g, 1, "mapped_4k") != 2 * MERGED)
		EXPECT_MAPPED(s, 1, MERGED, 0);
	picture(s, before, sizeof(before));
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load(NULL));
	EXPECT_STREQ(before, picture(s, after, sizeof(after)));
	s->early = true;
	note_base(s);
	s->peak = 0;

	/* Each page is mapped after a read; a write makes the host copy the page. */
	ASSERT_EQ(0, guest_run(s->g, 0, work_read(GPA_A, MERGED, GUEST_PAGE)));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 2 * MERGED, 0);
	ASSERT_EQ(0, touch(s, GPA_A, 24));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 1, 2 * MERGED, 0);
	picture(s, before, sizeof(before));
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load(NULL));
	EXPECT_STREQ(before, picture(s, after, sizeof(after)));
}

/* --- each scenario --------------------------------------------------------------- */

static const struct scenario *const scenarios[] = {
	&touched_4k_pages_are_mapped,
	&touched_transparent_huge_pages_are_mapped,
	&touched_hugetlb_pages_are_mapped,
	&small_and_huge_pages_are_told_apart,
	&a_1g_page_is_mapped_and_split,
	&pages_given_back_are_not_mapped,
	&dirty_logging_splits_and_merges,
	&writes_to_logged_huge_pages_replace_them,
	&clearing_the_dirty_log_splits,
	&deleting_a_slot_unmaps_everything,
	&moving_a_slot_unmaps_it,
	&slots_all_over_the_address_space_count_each_their_own,
	&vcpus_that_fault_at_once_count_each_page_once,
	&nothing_is_mapped_after_the_vms_end,
};

#define NR_SCENARIOS	ARRAY_SIZE(scenarios)

FIXTURE(all_scenarios) {
	struct subject s[NR_SCENARIOS];
};

FIXTURE_VARIANT(all_scenarios) {
	bool early;
	bool other;		/* with the MMU that is not KVM's default */
	bool paging;		/* with the guest's own page tables shadowed, without NPT or EPT */
};

FIXTURE_VARIANT_ADD(all_scenarios, vms_from_before_insmod) { .early = true };
FIXTURE_VARIANT_ADD(all_scenarios, other_mmu) { .other = true };
FIXTURE_VARIANT_ADD(all_scenarios, other_mmu_before_insmod) { .early = true, .other = true };
FIXTURE_VARIANT_ADD(all_scenarios, shadow_paging) { .paging = true };
FIXTURE_VARIANT_ADD(all_scenarios, shadow_paging_before_insmod) { .early = true, .paging = true };

FIXTURE_SETUP(all_scenarios)
{
	sys_no_khugepaged();
	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
	if (variant->other || variant->paging)
		NEEDS_MACHINE(FROM_SETUP, "it reloads KVM with another MMU");
	if (variant->other)
		ASSERT_EQ(0, reload_kvm(sys_is_on(SYS_TDP_MMU) ? "tdp_mmu=N" : "tdp_mmu=Y", ""));
	if (variant->paging)
		ASSERT_EQ(0, reload_kvm("", vendor_without_tdp()));
}

FIXTURE_TEARDOWN(all_scenarios)
{
	unsigned int i;

	for (i = 0; i < NR_SCENARIOS; i++)
		guest_free(self->s[i].g);
	watch_load(NULL);	/* -EEXIST unless a test left it unloaded */
	if (variant->other || variant->paging)
		EXPECT_EQ(0, reload_kvm("", ""));
	machine_put_back();
}

TEST_F_TIMEOUT(all_scenarios, have_true_counts, 120)
{
	struct subject *s;
	unsigned int i;

	if (variant->early)
		ASSERT_EQ(0, watch_unload_patiently());
	for (i = 0; i < NR_SCENARIOS; i++) {
		s = &self->s[i];
		if (missing(scenarios[i]->needs))
			continue;
		ASSERT_EQ(0, subject_init(s, variant->early, 0));
		ASSERT_EQ(variant->paging, s->paging);
		ASSERT_TRUE(s->shadow || !variant->paging);
		scenarios[i]->first(_metadata, s);
		if (variant->early && s->counted)
			note_base(s);
	}
	if (variant->early)
		ASSERT_EQ(0, watch_load(NULL));
	for (i = 0; i < NR_SCENARIOS; i++) {
		s = &self->s[i];
		if (!s->g)
			continue;
		if (variant->early && !s->counted)
			note_base(s);
		scenarios[i]->then(_metadata, s);
		if (!_metadata->passed) {
			TH_LOG("That was %s; the rest is left out.", scenarios[i]->name);
			return;
		}
	}
	EXPECT_STREQ("", untrue_after_reload(self->s, NR_SCENARIOS));
}

/* --- kvmwatch is loaded while a guest works --------------------------------------- */

FIXTURE(adoption) {
	struct subject s;
};

FIXTURE_SETUP(adoption)
{
	if (subject_init(&self->s, true, 0))
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
}

FIXTURE_TEARDOWN(adoption)
{
	guest_free(self->s.g);
	watch_load(NULL);
}

/* The second slot lies across a GiB's boundary, as kvmwatch counts GiB by GiB. */
#define GPA_ACROSS	(GPA_C - 120 * GUEST_PAGE)

struct discarder {
	struct guest *g;
	int stop;
};

static void *discard_again_and_again(void *arg)
{
	struct discarder *d = arg;

	while (!__atomic_load_n(&d->stop, __ATOMIC_RELAXED)) {
		guest_slot_discard(d->g, 1, 0, 200);
		guest_slot_discard(d->g, 2, 100, 20);
		usleep(500);	/* leave the CPU to the others */
	}
	return NULL;
}

TEST_F_TIMEOUT(adoption, of_a_vm_at_work_counts_each_leaf_once, 60)
{
	struct subject *s = &self->s;
	struct discarder d = { .g = s->g };
	pthread_t thread;
	int round;

	s->peak_unknown = true;
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 256, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_ACROSS, 256, GUEST_MEM_4K, 0));
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, watch_unload_patiently());
		ASSERT_EQ(0, guest_start(s->g, 0, work_write(GPA_A, 256, GUEST_PAGE,
							     GUEST_FOREVER)));
		ASSERT_EQ(0, guest_start(s->g, 1, work_write(GPA_ACROSS, 256, GUEST_PAGE,
							     GUEST_FOREVER)));
		d.stop = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, discard_again_and_again, &d));
		usleep(20000);
		EXPECT_EQ(0, watch_load(NULL));
		usleep(20000);
		__atomic_store_n(&d.stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		guest_stop(s->g, 0);
		guest_stop(s->g, 1);
		EXPECT_EQ(0, guest_wait(s->g, 0, -1));
		EXPECT_EQ(0, guest_wait(s->g, 1, -1));

		guess_base(s);
		s->peak = 0;
		EXPECT_STREQ("", untrue(s));
		ASSERT_EQ(0, touch(s, GPA_A, 256));
		ASSERT_EQ(0, touch(s, GPA_ACROSS, 256));
		EXPECT_STREQ("", untrue(s));
		EXPECT_MAPPED(s, 1, 256, 0);
		EXPECT_MAPPED(s, 2, 256, 0);
	}
}

/*
 * A 1G leaf splits and collapses while kvmwatch has counted a part of the memory that it maps. The
 * count and the changes of logging compete for mmu_lock.
 */
struct splitter {
	struct guest *g;
	int stop;
};

static void *split_again_and_again(void *arg)
{
	struct splitter *it = arg;

	while (!__atomic_load_n(&it->stop, __ATOMIC_RELAXED)) {
		guest_run(it->g, 0, work_write(GPA_A, 1, GUEST_PAGE, 1));
		guest_dirty_log(it->g, 1, 1);
		guest_dirty_log(it->g, 1, 0);
	}
	return NULL;
}

TEST_F_TIMEOUT(adoption, of_a_1g_page_that_splits_meanwhile_counts_each_leaf_once, 120)
{
	struct splitter it = { .g = self->s.g };
	struct subject *s = &self->s;
	pthread_t thread;
	int round, rounds = getenv("vm_short") ? 3 : 8;

	if (missing(NEEDS_1G))
		SKIP(return, "%s", missing(NEEDS_1G));
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, GIB / GUEST_PAGE, GUEST_MEM_1G, 0));
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, watch_unload_patiently());
		it.stop = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, split_again_and_again, &it));
		usleep(20000 + round * 3000);
		EXPECT_EQ(0, watch_load(NULL));
		EXPECT_TRUE(WATCH_EVENTUALLY(watch_audit(s->g, NULL) >= 0));
		__atomic_store_n(&it.stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		EXPECT_EQ(0, watch_vm_stat(s->g, "audit_failures"));
		EXPECT_EQ(1, watch_audit(s->g, NULL));
	}
}

TEST_HARNESS_MAIN
