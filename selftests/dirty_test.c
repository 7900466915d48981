// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty marks: kvmwatch's counts against KVM's own dirty log, and against the guest's writes. The
 * guest writes at the beginning of each page, see guest.h.
 */
#include <asm/kvm_para.h>
#include <asm/svm.h>
#include <asm/vmx.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "machine.h"
#include "oracle.h"
#include "vendor.h"
#include "watch.h"

#define GIB		0x40000000ULL
#define GPA_A		(1 * GIB)
#define GPA_B		(2 * GIB)
#define GPA_C		(3 * GIB)
#define PAGES		256	/* pages of each slot */

#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define UNKNOWN		(~0ULL)

/* MSRs with which a guest tells KVM to write to a page. */
#define MSR_SYSTEM_TIME	0x4b564d01
#define MSR_STEAL_TIME	0x4b564d03
#define MSR_ENABLE	1

/* Write to @pages pages from page @first of the slot at @gpa. */
static int dirty(struct guest *g, unsigned int vcpu, __u64 gpa, __u64 first, __u64 pages)
{
	return guest_run(g, vcpu, work_write(gpa + first * GUEST_PAGE, pages, GUEST_PAGE, 1));
}

static __u64 marks(struct guest *g, unsigned int slot)
{
	return watch_slot_stat(g, slot, "dirty_marks");
}

static __u64 marks_new(struct guest *g, unsigned int slot)
{
	return watch_slot_stat(g, slot, "dirty_marks_new");
}

static __u64 vm(struct guest *g, const char *name)
{
	return watch_vm_stat(g, name);
}

#define EXPECT_COLLECTS(number, g)							\
	EXPECT_EQ(watch_collects_are_hidden() ? UNKNOWN : (number), vm(g, "dirty_collects"))

/* Relations that hold at any time. */
#define EXPECT_CONSISTENT(g) do {						\
	EXPECT_EQ(watch_slots_sum(g, "dirty_marks"), vm(g, "dirty_marks"));	\
	EXPECT_EQ(watch_slots_sum(g, "dirty_marks_new"), vm(g, "dirty_marks_new"));	\
	EXPECT_EQ(vm(g, "dirty_marks"), vm(g, "dirty_marks_fault") +		\
		  vm(g, "dirty_marks_pml") + vm(g, "dirty_marks_kvm"));		\
	EXPECT_EQ(0ULL, vm(g, "dirty_marks_host"));				\
	EXPECT_EQ(0ULL, vm(g, "lost_events"));					\
	EXPECT_NE(UNKNOWN, vm(g, "dirty_marks"));				\
} while (0)

/* A guest with two vCPUs, and with slots 1 and 2, logged. */
FIXTURE(dirty) {
	struct guest *g;
};

FIXTURE_SETUP(dirty)
{
	self->g = guest_new(2, 0);
	if (!self->g)
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
	ASSERT_EQ(0, guest_slot_add(self->g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
	ASSERT_EQ(0, guest_slot_add(self->g, 2, GPA_B, PAGES, GUEST_MEM_4K, LOG));
}

FIXTURE_TEARDOWN(dirty)
{
	guest_free(self->g);
}

/* What the guest writes between two collections, page by page in both slots. */
static const struct round {
	__u64 first[2], pages[2], stride[2];
} rounds[] = {
	{ { 0, 0 }, { 100, 50 }, { 1, 1 } },
	{ { 0, 0 }, { 100, 50 }, { 1, 1 } },
	{ { 90, 7 }, { 20, 1 }, { 1, 1 } },
	{ { 0, 1 }, { 86, 64 }, { 3, 4 } },
	{ { 255, 0 }, { 1, 256 }, { 1, 1 } },
};

static void play_rounds(struct __test_metadata *_metadata, struct guest *g)
{
	static const __u64 gpa[] = { GPA_A, GPA_B };
	const struct round *r;
	__u64 before[2];
	int i;

	for (r = rounds; r < rounds + ARRAY_SIZE(rounds); r++) {
		for (i = 0; i < 2; i++) {
			before[i] = marks_new(g, i + 1);
			ASSERT_EQ(0, guest_run(g, i, work_write(gpa[i] + r->first[i] * GUEST_PAGE,
								r->pages[i],
								r->stride[i] * GUEST_PAGE, 2)));
		}
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(r->pages[i], marks_new(g, i + 1) - before[i]);
			EXPECT_EQ(marks_new(g, i + 1) - before[i], guest_dirty_get(g, i + 1, NULL));
		}
		EXPECT_CONSISTENT(g);
	}
}

TEST_F(dirty, new_marks_are_the_bits_of_the_log)
{
	play_rounds(_metadata, self->g);
	EXPECT_EQ(100 + 100 + 20 + 86 + 1ULL, marks(self->g, 1));
	EXPECT_EQ(50 + 50 + 1 + 64 + 256ULL, marks(self->g, 2));
}

TEST_F(dirty, writes_of_a_marked_page_are_no_marks)
{
	struct guest *g = self->g;

	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA_A, 40, GUEST_PAGE, 50)));
	ASSERT_EQ(0, guest_run(g, 1, work_write(GPA_A, 40, GUEST_PAGE, 50)));
	EXPECT_EQ(40ULL, marks(g, 1));
	EXPECT_EQ(40ULL, marks_new(g, 1));
	EXPECT_CONSISTENT(g);
}

/* A page that the host discarded faults again, so KVM marks it again. That is no new mark. */
TEST_F(dirty, marks_of_a_marked_page_are_not_new)
{
	struct guest *g = self->g;

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 40));
	ASSERT_EQ(0, guest_slot_discard(g, 1, 10, 20));
	ASSERT_EQ(0, dirty(g, 1, GPA_A, 0, 40));
	EXPECT_EQ(60ULL, marks(g, 1));
	EXPECT_EQ(40ULL, marks_new(g, 1));
	EXPECT_EQ(40L, guest_dirty_get(g, 1, NULL));
	EXPECT_CONSISTENT(g);
}

/* KVM maps pages writable at a read if it can, and marks them dirty then. */
TEST_F(dirty, reads_count_when_kvm_marks_them)
{
	struct guest *g = self->g;
	long bits;

	ASSERT_EQ(0, guest_slot_populate(g, 1));
	ASSERT_EQ(0, guest_run(g, 0, work_read(GPA_A, 30, GUEST_PAGE)));
	ASSERT_EQ(0, guest_run(g, 0, work_read(GPA_B, 30, GUEST_PAGE)));
	bits = guest_dirty_get(g, 1, NULL);
	EXPECT_EQ(bits, marks_new(g, 1));
	bits = guest_dirty_get(g, 2, NULL);
	EXPECT_EQ(bits, marks_new(g, 2));
	EXPECT_CONSISTENT(g);
}

TEST_F(dirty, dirty_pages_are_those_not_collected)
{
	struct guest *g = self->g;

	EXPECT_EQ(0ULL, watch_slot_stat(g, 1, "dirty_pages"));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 3, 70));
	EXPECT_EQ(70ULL, watch_slot_stat(g, 1, "dirty_pages"));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 50, 40));
	EXPECT_EQ(87ULL, watch_slot_stat(g, 1, "dirty_pages"));
	EXPECT_EQ(0ULL, watch_slot_stat(g, 2, "dirty_pages"));
	EXPECT_EQ(87L, guest_dirty_get(g, 1, NULL));
	EXPECT_EQ(0ULL, watch_slot_stat(g, 1, "dirty_pages"));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 5));
	EXPECT_EQ(5ULL, watch_slot_stat(g, 1, "dirty_pages"));
}

/* Bytes of the logged slots among 0, 1 and 2. They do not depend on what the guest writes. */
TEST_F(dirty, logged_bytes_are_the_size_of_logged_slots)
{
	struct guest *g = self->g;

	EXPECT_EQ(2 * PAGES * GUEST_PAGE, vm(g, "dirty_logged_bytes"));
	EXPECT_EQ(2ULL, vm(g, "dirty_logged_slots"));
	ASSERT_EQ(0, guest_dirty_log(g, 1, 0));
	EXPECT_EQ(PAGES * GUEST_PAGE, vm(g, "dirty_logged_bytes"));
	EXPECT_EQ(1ULL, vm(g, "dirty_logged_slots"));
	ASSERT_EQ(0, guest_slot_add(g, 3, GPA_C, 2 * PAGES, GUEST_MEM_4K, LOG));
	EXPECT_EQ(3 * PAGES * GUEST_PAGE, vm(g, "dirty_logged_bytes"));
	EXPECT_EQ(2ULL, vm(g, "dirty_logged_slots"));
	ASSERT_EQ(0, guest_slot_del(g, 3));
	ASSERT_EQ(0, guest_dirty_log(g, 2, 0));
	EXPECT_EQ(0ULL, vm(g, "dirty_logged_bytes"));
	EXPECT_EQ(0ULL, vm(g, "dirty_logged_slots"));
	ASSERT_EQ(0, guest_dirty_log(g, 0, 1));
	EXPECT_EQ(GUEST_SLOT0_PAGES * GUEST_PAGE, vm(g, "dirty_logged_bytes"));

	/* A slot of address space 1 shows the same memory, which counts only once. */
	if (guest_slot_add(g, GUEST_SMM_SLOT(4), GPA_C, PAGES, GUEST_MEM_4K, LOG))
		return;
	EXPECT_EQ(GUEST_SLOT0_PAGES * GUEST_PAGE, vm(g, "dirty_logged_bytes"));
	EXPECT_EQ(2ULL, vm(g, "dirty_logged_slots"));
}

/* KVM calls its marking function for its own writes also when the log is off. */
TEST_F(dirty, nothing_counts_with_logging_off)
{
	struct guest *g = self->g;
	__u64 before;

	ASSERT_EQ(0, guest_dirty_log(g, 1, 0));
	ASSERT_EQ(0, guest_set_msr(g, 0, MSR_SYSTEM_TIME, (GPA_A + 3 * GUEST_PAGE) | MSR_ENABLE));
	ASSERT_EQ(0, guest_set_msr(g, 0, MSR_STEAL_TIME, (GPA_A + 5 * GUEST_PAGE) | MSR_ENABLE));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 100));
	ASSERT_EQ(0, guest_run(g, 0, work_out(20)));
	EXPECT_EQ(0ULL, marks(g, 1));
	EXPECT_EQ(0ULL, marks_new(g, 1));
	EXPECT_EQ(0ULL, vm(g, "dirty_marks"));
	EXPECT_EQ(0ULL, watch_vcpu_stat(g, 0, "dirty_marks"));
	EXPECT_EQ(UNKNOWN, watch_slot_stat(g, 1, "dirty_pages"));
	EXPECT_EQ(-ENOENT, guest_dirty_get(g, 1, NULL));

	ASSERT_EQ(0, guest_set_msr(g, 0, MSR_SYSTEM_TIME, 0));
	ASSERT_EQ(0, guest_set_msr(g, 0, MSR_STEAL_TIME, 0));
	ASSERT_EQ(0, guest_dirty_log(g, 1, 1));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 12));
	EXPECT_EQ(12ULL, marks_new(g, 1));
	EXPECT_EQ(12ULL, watch_slot_stat(g, 1, "dirty_pages"));

	/* With the log off again, the counts stay and do not grow. */
	ASSERT_EQ(0, guest_dirty_log(g, 1, 0));
	before = marks(g, 1);
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 100, 100));
	EXPECT_EQ(before, marks(g, 1));
	EXPECT_EQ(UNKNOWN, watch_slot_stat(g, 1, "dirty_pages"));
	EXPECT_CONSISTENT(g);
}

/*
 * KVM write-protects a mapped page so that a write faults; or with PML it clears the dirty bit, and
 * the processor logs the write.
 */
TEST_F(dirty, guest_writes_count_as_faults_or_by_pml)
{
	__u64 pml = vendor_has_pml() ? 64 : 0;
	struct guest *g = self->g;

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 64));	/* the page is not mapped yet */
	ASSERT_EQ(64L, guest_dirty_get(g, 1, NULL));
	EXPECT_EQ(64ULL, vm(g, "dirty_marks_fault"));
	ASSERT_EQ(0, dirty(g, 1, GPA_A, 0, 64));
	EXPECT_EQ(128ULL - pml, vm(g, "dirty_marks_fault"));
	EXPECT_EQ(pml, vm(g, "dirty_marks_pml"));
	EXPECT_EQ(0ULL, vm(g, "dirty_marks_kvm"));
	EXPECT_EQ(128ULL, vm(g, "dirty_marks"));
	EXPECT_CONSISTENT(g);
}

/* Exits of a guest because it wrote where it may not, or filled the PML buffer. */
static __u64 exits_for_writes(int vcpu_fd)
{
	void *snapshot = oracle_snapshot(vcpu_fd, NULL);
	const __u64 *reasons = snapshot ? oracle_in(snapshot, "exit_reasons", NULL) : NULL;
	__u64 exits = UNKNOWN;

	if (reasons && vendor_is_intel())
		exits = reasons[EXIT_REASON_EPT_VIOLATION] + reasons[EXIT_REASON_PML_FULL];
	else if (reasons)
		exits = reasons[SVM_EXIT_NPF];
	free(snapshot);
	return exits;
}

#define PML_ENTRIES	512	/* entries of the processor's buffer */
#define MANY		(4 * PML_ENTRIES)

/* There is one exit for each page; or with PML, one for each full buffer. */
TEST_F(dirty, marks_count_each_page_singly_and_in_batches)
{
	__u64 pml = vendor_has_pml() ? MANY : 0, before, exits;
	struct guest *g = self->g;
	int fd = watch_vcpu(g, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, guest_slot_add(g, 3, GPA_C, MANY, GUEST_MEM_4K, LOG));
	ASSERT_EQ(0, dirty(g, 0, GPA_C, 0, MANY));
	EXPECT_EQ(MANY, vm(g, "dirty_marks_fault"));
	EXPECT_EQ(MANY, guest_dirty_get(g, 3, NULL));

	before = exits_for_writes(fd);
	ASSERT_EQ(0, dirty(g, 0, GPA_C, 0, MANY));
	exits = exits_for_writes(fd) - before;
	EXPECT_EQ(pml, vm(g, "dirty_marks_pml"));
	EXPECT_EQ(2 * MANY - pml, vm(g, "dirty_marks_fault"));
	EXPECT_EQ(2 * MANY, marks_new(g, 3));
	EXPECT_EQ(2 * MANY, watch_vcpu_stat(g, 0, "dirty_marks"));
	EXPECT_EQ(MANY, guest_dirty_get(g, 3, NULL));
	/* Any other exit empties the PML buffer too, so there may be fewer exits for it. */
	EXPECT_LE(pml ? 0 : MANY, exits);
	EXPECT_GE(pml ? MANY / PML_ENTRIES : UNKNOWN - 1, exits);
	EXPECT_CONSISTENT(g);
	close(fd);
}

TEST_F(dirty, kvms_own_writes_count_as_kvms)
{
	struct guest *g = self->g;
	__u64 bitmap[PAGES / 64];

	ASSERT_EQ(0, guest_set_msr(g, 0, MSR_SYSTEM_TIME, (GPA_A + 3 * GUEST_PAGE) | MSR_ENABLE));
	ASSERT_EQ(0, guest_set_msr(g, 0, MSR_STEAL_TIME, (GPA_B + 5 * GUEST_PAGE) | MSR_ENABLE));
	ASSERT_EQ(0, guest_run(g, 0, work_out(1)));
	EXPECT_LE(1ULL, marks(g, 1));
	EXPECT_LE(1ULL, marks(g, 2));
	EXPECT_EQ(0ULL, vm(g, "dirty_marks_fault"));
	EXPECT_EQ(marks(g, 1) + marks(g, 2), vm(g, "dirty_marks_kvm"));
	EXPECT_EQ(vm(g, "dirty_marks"), watch_vcpu_stat(g, 0, "dirty_marks"));
	EXPECT_EQ(0ULL, watch_vcpu_stat(g, 1, "dirty_marks"));
	EXPECT_EQ(1ULL, marks_new(g, 1));
	EXPECT_EQ(1ULL, marks_new(g, 2));
	EXPECT_EQ(1L, guest_dirty_get(g, 1, bitmap));
	EXPECT_EQ(1ULL << 3, bitmap[0]);
	EXPECT_EQ(1L, guest_dirty_get(g, 2, bitmap));
	EXPECT_EQ(1ULL << 5, bitmap[0]);

	/* Writes of the guest count beside those of KVM. */
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 10, 33));
	EXPECT_EQ(33ULL, vm(g, "dirty_marks_fault"));
	EXPECT_CONSISTENT(g);
}

/*
 * KVM marks the page of the steal time when it enters the guest again; a version in that page
 * counts this. KVM also marks it when it puts a preempted vCPU, at most once between two entries,
 * and only if the vCPU was in its guest. preemption_other counts the other puts, over all vCPUs of
 * the VM, so the vCPU that competes for the pCPU belongs to another VM.
 */
TEST_F(dirty, marks_of_a_vcpu_being_put_count_for_it)
{
	struct guest *g = self->g, *rival = guest_new(1, 0);
	struct kvm_steal_time *steal = guest_slot_host(g, 1);
	__u64 entries, before, other;

	ASSERT_NE(NULL, rival);
	ASSERT_EQ(0, guest_set_msr(g, 0, MSR_STEAL_TIME, GPA_A | MSR_ENABLE));
	ASSERT_EQ(0, guest_pin(g, 0, 0));
	ASSERT_EQ(0, guest_pin(rival, 0, 0));
	ASSERT_EQ(0, oracle_debugfs(guest_name(g), "preemption_other", &before));
	ASSERT_EQ(0, guest_start(g, 0, work_spin()));
	ASSERT_EQ(0, guest_start(rival, 0, work_spin()));
	EXPECT_TRUE(WATCH_EVENTUALLY(__atomic_load_n(&steal->version, __ATOMIC_RELAXED) >= 40));
	guest_stop(g, 0);
	guest_stop(rival, 0);
	EXPECT_EQ(0, guest_wait(g, 0, -1));
	EXPECT_EQ(0, guest_wait(rival, 0, -1));
	guest_free(rival);

	entries = steal->version / 2;
	ASSERT_EQ(0, oracle_debugfs(guest_name(g), "preemption_other", &other));
	other -= before;
	EXPECT_LE(20ULL, entries);
	EXPECT_GE(2 * entries, marks(g, 1));
	EXPECT_LE(2 * entries - 1 - other, marks(g, 1));
	EXPECT_EQ(marks(g, 1), watch_vcpu_stat(g, 0, "dirty_marks"));
	EXPECT_EQ(0ULL, watch_vcpu_stat(g, 1, "dirty_marks"));
	EXPECT_EQ(marks(g, 1), vm(g, "dirty_marks_kvm"));
	EXPECT_EQ(1ULL, marks_new(g, 1));
	EXPECT_EQ(1L, guest_dirty_get(g, 1, NULL));
	EXPECT_CONSISTENT(g);
}

TEST_F(dirty, each_vcpu_counts_its_own_marks)
{
	struct guest *g = self->g;

	ASSERT_EQ(0, guest_start(g, 0, work_write(GPA_A, 200, GUEST_PAGE, 3)));
	ASSERT_EQ(0, guest_start(g, 1, work_write(GPA_A + 200 * GUEST_PAGE, 50, GUEST_PAGE, 3)));
	EXPECT_EQ(0, guest_wait(g, 0, -1));
	EXPECT_EQ(0, guest_wait(g, 1, -1));
	EXPECT_EQ(200ULL, watch_vcpu_stat(g, 0, "dirty_marks"));
	EXPECT_EQ(50ULL, watch_vcpu_stat(g, 1, "dirty_marks"));
	EXPECT_EQ(250ULL, marks_new(g, 1));
	EXPECT_EQ(250L, guest_dirty_get(g, 1, NULL));

	ASSERT_EQ(0, dirty(g, 1, GPA_A, 0, 30));
	ASSERT_EQ(0, dirty(g, 0, GPA_B, 0, 7));
	EXPECT_EQ(207ULL, watch_vcpu_stat(g, 0, "dirty_marks"));
	EXPECT_EQ(80ULL, watch_vcpu_stat(g, 1, "dirty_marks"));
	EXPECT_EQ(287ULL, vm(g, "dirty_marks"));
	EXPECT_CONSISTENT(g);

	/* The VM keeps the marks of a vCPU that has ended. */
	guest_close_vcpu(g, 1);
	EXPECT_EQ(287ULL, vm(g, "dirty_marks"));
}

/*
 * Two vCPUs that mark a page at the same moment both find it unmarked, so kvmwatch counts two new
 * marks for one bit.
 */
TEST_F(dirty, new_marks_of_parallel_writers_are_at_most_their_marks)
{
	struct guest *g = self->g;
	__u64 bits = 0;
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, guest_start(g, 0, work_write(GPA_A, PAGES, GUEST_PAGE, 1)));
		ASSERT_EQ(0, guest_start(g, 1, work_write(GPA_A, PAGES, GUEST_PAGE, 1)));
		EXPECT_EQ(0, guest_wait(g, 0, -1));
		EXPECT_EQ(0, guest_wait(g, 1, -1));
		bits += guest_dirty_get(g, 1, NULL);
	}
	EXPECT_EQ(10ULL * PAGES, bits);
	EXPECT_LE(bits, marks_new(g, 1));
	EXPECT_GE(marks(g, 1), marks_new(g, 1));
	EXPECT_CONSISTENT(g);
}

/*
 * Collect the log while the guest writes: each bit that is set was a new mark, and no mark is lost.
 */
TEST_F(dirty, collections_meanwhile_lose_nothing)
{
	struct guest *g = self->g;
	__u64 bits = 0;
	int i;

	ASSERT_EQ(0, guest_start(g, 0, work_write(GPA_A, PAGES, GUEST_PAGE, GUEST_FOREVER)));
	for (i = 0; i < 20; i++)
		bits += guest_dirty_get(g, 1, NULL);
	guest_stop(g, 0);
	EXPECT_EQ(0, guest_wait(g, 0, -1));
	bits += guest_dirty_get(g, 1, NULL);
	EXPECT_EQ(bits, marks_new(g, 1));
	EXPECT_COLLECTS(21ULL, g);
	EXPECT_CONSISTENT(g);
}

TEST_F(dirty, marks_of_a_deleted_slot_stay_in_its_vm)
{
	struct guest *g = self->g;

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 31));
	ASSERT_EQ(0, dirty(g, 1, GPA_B, 0, 17));
	ASSERT_EQ(31L, guest_dirty_get(g, 1, NULL));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 3));
	EXPECT_CONSISTENT(g);
	ASSERT_EQ(0, guest_slot_del(g, 1));
	EXPECT_EQ(51ULL, vm(g, "dirty_marks"));
	EXPECT_EQ(51ULL, vm(g, "dirty_marks_new"));
	EXPECT_EQ(51ULL, vm(g, "dirty_marks_fault") + vm(g, "dirty_marks_pml"));
	EXPECT_EQ(17ULL, watch_slots_sum(g, "dirty_marks"));
	EXPECT_EQ(34ULL, watch_vcpu_stat(g, 0, "dirty_marks"));

	/* A new slot of the same number begins with counts of 0. */
	ASSERT_EQ(0, guest_slot_add(g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
	EXPECT_EQ(0ULL, marks(g, 1));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 8));
	EXPECT_EQ(8ULL, marks_new(g, 1));
	EXPECT_EQ(59ULL, vm(g, "dirty_marks"));
	EXPECT_EQ(59ULL, vm(g, "dirty_marks_new"));
	EXPECT_EQ(0ULL, vm(g, "lost_events"));
}

TEST_F(dirty, each_collection_counts)
{
	struct guest *g = self->g;
	int i;

	EXPECT_COLLECTS(0ULL, g);
	for (i = 1; i <= 5; i++) {
		ASSERT_LE(0, guest_dirty_get(g, 1 + i % 2, NULL));
		EXPECT_COLLECTS((__u64)i, g);
	}
}

TEST_F(dirty, collections_that_fail_do_not_count)
{
	struct guest *g = self->g;

	ASSERT_EQ(0, guest_dirty_log(g, 2, 0));
	EXPECT_EQ(-ENOENT, guest_dirty_get(g, 2, NULL));
	EXPECT_EQ(-ENOENT, guest_dirty_clear(g, 2, 0, PAGES, NULL));
	EXPECT_EQ(-EINVAL, guest_dirty_clear(g, 1, 0, 2 * PAGES, NULL));
	EXPECT_COLLECTS(0ULL, g);
}

/* --- logging switched on and off while vCPUs write --------------------------------------- */

#define HUGE_SLOT	3
#define GPA_HUGE	GPA_C
#define HUGE_LOGGED	1024	/* small pages of that slot */

/* Each vCPU writes to a slot of its own, so that no two mark the same page at once. */
static int start_writing(struct guest *g)
{
	return guest_start(g, 0, work_write(GPA_A, PAGES, GUEST_PAGE, GUEST_FOREVER)) ?:
	       guest_start(g, 1, work_write(GPA_HUGE, HUGE_LOGGED, GUEST_PAGE, GUEST_FOREVER));
}

static int stop_writing(struct guest *g)
{
	guest_stop(g, 0);
	guest_stop(g, 1);
	return guest_wait(g, 0, -1) ?: guest_wait(g, 1, -1);
}

/* Wait until the vCPU has written to every page once more. */
static int wait_a_round(struct guest *g)
{
	return guest_wait_progress(g, 0, guest_progress(g, 0) + 2, 30000) ?:
	       guest_wait_progress(g, 1, guest_progress(g, 1) + 2, 30000);
}

/*
 * A log begins empty, each new mark sets a bit, and only a collection clears bits. Huge pages are
 * split while logging is on, and whole again when it is off. Nothing is marked when it is off.
 */
TEST_F_TIMEOUT(dirty, logs_that_come_and_go_have_each_new_mark, 60)
{
	static const unsigned int slots[] = { 1, HUGE_SLOT };
	struct guest *g = self->g;
	__u64 bits[2], before[2], all;
	int cycles = getenv("vm_short") ? 3 : 6, cycle, i, n;

	ASSERT_EQ(0, guest_slot_add(g, HUGE_SLOT, GPA_HUGE, HUGE_LOGGED, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, guest_dirty_log(g, 1, 0));
	ASSERT_EQ(0, start_writing(g));
	for (cycle = 0; cycle < cycles; cycle++) {
		for (i = 0; i < 2; i++) {
			before[i] = marks_new(g, slots[i]);
			ASSERT_EQ(0, guest_dirty_log(g, slots[i], 1));
			bits[i] = 0;
		}
		for (n = 0; n < 3; n++)
			for (i = 0; i < 2; i++)
				bits[i] += guest_dirty_get(g, slots[i], NULL);
		ASSERT_EQ(0, wait_a_round(g));
		ASSERT_EQ(0, stop_writing(g));
		EXPECT_EQ(1, watch_mapped_is_kvms(g));
		for (i = 0; i < 2; i++) {
			bits[i] += guest_dirty_get(g, slots[i], NULL);
			EXPECT_EQ(bits[i], marks_new(g, slots[i]) - before[i]);
			EXPECT_LE(i ? HUGE_LOGGED : PAGES, bits[i]);
		}
		EXPECT_CONSISTENT(g);

		ASSERT_EQ(0, start_writing(g));
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, guest_dirty_log(g, slots[i], 0));
		all = vm(g, "dirty_marks");
		ASSERT_EQ(0, wait_a_round(g));
		EXPECT_EQ(all, vm(g, "dirty_marks"));
	}
	ASSERT_EQ(0, stop_writing(g));
	EXPECT_EQ(1, watch_mapped_is_kvms(g));
	EXPECT_EQ(UNKNOWN, watch_slot_stat(g, 1, "dirty_pages"));
	EXPECT_CONSISTENT(g);
}

/* --- each way in which KVM finds dirty pages --------------------------------------------- */

FIXTURE(ways) {
	struct guest *g;
};

FIXTURE_SETUP(ways)
{
	NEEDS_MACHINE(FROM_SETUP, "it reloads KVM with other parameters");
	self->g = NULL;
}

FIXTURE_TEARDOWN(ways)
{
	guest_free(self->g);
	vendor_unload();
	EXPECT_EQ(0, vendor_load(""));
}

TEST_F_TIMEOUT(ways, have_the_same_marks, 90)
{
	const char *const *way;
	__u64 pml;

	for (way = vendor_ways_to_log(); *way; way++) {
		ASSERT_EQ(0, vendor_unload());
		ASSERT_EQ(0, vendor_load(*way));
		EXPECT_FALSE(**way && vendor_has_pml());
		self->g = guest_new(2, 0);
		ASSERT_NE(NULL, self->g);
		ASSERT_EQ(0, guest_slot_add(self->g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
		ASSERT_EQ(0, guest_slot_add(self->g, 2, GPA_B, PAGES, GUEST_MEM_4K, LOG));
		play_rounds(_metadata, self->g);
		/* With PML the processor logs writes to mapped pages. Other marks are faults. */
		pml = vm(self->g, "dirty_marks_pml");
		EXPECT_EQ(vendor_has_pml(), pml > 0);
		EXPECT_EQ(marks(self->g, 1) + marks(self->g, 2) - pml,
			  vm(self->g, "dirty_marks_fault"));
		guest_free(self->g);
		self->g = NULL;
	}
}

/* --- other ways to log ------------------------------------------------------------- */

FIXTURE(dirty_manual) {
	struct guest *g;
};

FIXTURE_VARIANT(dirty_manual) {
	__u64 flags;
};

FIXTURE_VARIANT_ADD(dirty_manual, first_none) { };
FIXTURE_VARIANT_ADD(dirty_manual, first_all) { .flags = KVM_DIRTY_LOG_INITIALLY_SET };

FIXTURE_SETUP(dirty_manual)
{
	self->g = guest_new(1, 0);
	if (!self->g)
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
	ASSERT_EQ(0, guest_dirty_manual(self->g,
					KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | variant->flags));
	ASSERT_EQ(0, guest_slot_add(self->g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
}

FIXTURE_TEARDOWN(dirty_manual)
{
	guest_free(self->g);
}

TEST_F(dirty_manual, new_marks_are_the_bits_that_were_clear)
{
	struct guest *g = self->g;
	__u64 some = 0xff, first;

	first = variant->flags ? PAGES : 0;
	EXPECT_EQ(first, watch_slot_stat(g, 1, "dirty_pages"));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 100));
	EXPECT_EQ(first ? 0ULL : 100, marks_new(g, 1));
	EXPECT_EQ(100ULL, marks(g, 1));
	EXPECT_EQ(first ?: 100, watch_slot_stat(g, 1, "dirty_pages"));

	/* Fetching the log does not clear it. */
	EXPECT_EQ(first ?: 100, guest_dirty_get(g, 1, NULL));
	EXPECT_EQ(first ?: 100, watch_slot_stat(g, 1, "dirty_pages"));
	EXPECT_COLLECTS(1ULL, g);

	ASSERT_EQ(0, guest_dirty_clear(g, 1, 0, PAGES, NULL));
	EXPECT_EQ(0ULL, watch_slot_stat(g, 1, "dirty_pages"));
	EXPECT_COLLECTS(2ULL, g);
	first = marks_new(g, 1);
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 100));
	EXPECT_EQ(100ULL, marks_new(g, 1) - first);

	/* 8 of the 100 marked pages are cleared. Only these can be marked again. */
	ASSERT_EQ(0, guest_dirty_clear(g, 1, 64, 64, &some));
	EXPECT_EQ(92ULL, watch_slot_stat(g, 1, "dirty_pages"));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 101));
	EXPECT_EQ(109ULL, marks_new(g, 1) - first);
	EXPECT_EQ(101ULL, watch_slot_stat(g, 1, "dirty_pages"));
	EXPECT_EQ(101L, guest_dirty_get(g, 1, NULL));
	EXPECT_COLLECTS(4ULL, g);
	EXPECT_CONSISTENT(g);
}

/*
 * Clearing removes exactly the bits that it names, even while a vCPU writes. All other bits were
 * set by new marks, or when the log began.
 */
TEST_F_TIMEOUT(dirty_manual, clearing_meanwhile_loses_nothing, 60)
{
	struct guest *g = self->g;
	__u64 bitmap[PAGES / 64], first = variant->flags ? PAGES : 0, cleared = 0;
	int i;

	ASSERT_EQ(0, guest_start(g, 0, work_write(GPA_A, PAGES, GUEST_PAGE, GUEST_FOREVER)));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, guest_wait_progress(g, 0, guest_progress(g, 0) + 1, 30000));
		ASSERT_LE(0, guest_dirty_get(g, 1, bitmap));
		/* Clear everything, or in every other round the second quarter. */
		if (i % 2) {
			cleared += __builtin_popcountll(bitmap[1]);
			ASSERT_EQ(0, guest_dirty_clear(g, 1, 64, 64, bitmap + 1));
			continue;
		}
		cleared += __builtin_popcountll(bitmap[0]) + __builtin_popcountll(bitmap[1]) +
			   __builtin_popcountll(bitmap[2]) + __builtin_popcountll(bitmap[3]);
		ASSERT_EQ(0, guest_dirty_clear(g, 1, 0, PAGES, bitmap));
	}
	guest_stop(g, 0);
	EXPECT_EQ(0, guest_wait(g, 0, -1));
	EXPECT_LT(first, cleared);
	EXPECT_EQ(first + marks_new(g, 1), cleared + guest_dirty_get(g, 1, NULL));
	EXPECT_EQ(watch_slot_stat(g, 1, "dirty_pages"), guest_dirty_get(g, 1, NULL));
	EXPECT_COLLECTS(42ULL, g);
	EXPECT_CONSISTENT(g);
}

/* Rings list the marked pages, but not whether the mark was new. */
TEST(with_dirty_rings_marks_equal_the_entries_of_the_rings)
{
	struct guest *g = guest_new(0, 0);

	if (!g)
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
	if (guest_ring_enable(g, 4096 * sizeof(struct kvm_dirty_gfn))) {
		guest_free(g);
		SKIP(return, "KVM has no dirty rings");
	}
	EXPECT_EQ(0, guest_vcpu_add(g));
	EXPECT_EQ(0, guest_slot_add(g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
	EXPECT_EQ(0, dirty(g, 0, GPA_A, 0, 90));
	EXPECT_EQ(90ULL, marks(g, 1));
	EXPECT_EQ(90ULL, vm(g, "dirty_marks"));
	EXPECT_EQ(90L, guest_ring_harvest(g, 0));
	EXPECT_EQ(UNKNOWN, marks_new(g, 1));
	EXPECT_EQ(UNKNOWN, vm(g, "dirty_marks_new"));
	EXPECT_EQ(UNKNOWN, watch_slot_stat(g, 1, "dirty_pages"));
	EXPECT_EQ(0ULL, vm(g, "lost_events"));
	guest_free(g);
}

/* --- kvmwatch is loaded while vCPUs write and the log is collected ------------------------ */

TEST_F_TIMEOUT(dirty, a_vm_from_before_insmod_counts_from_then_on, 60)
{
	struct guest *g = self->g;
	int err;

	ASSERT_EQ(0, watch_unload_patiently());
	err = dirty(g, 0, GPA_A, 0, 100) ?: dirty(g, 0, GPA_B, 0, 50);
	err = err ?: guest_start(g, 1, work_spin());
	EXPECT_EQ(0, watch_load(NULL));
	ASSERT_EQ(0, err);
	EXPECT_EQ(0ULL, vm(g, "dirty_marks"));
	EXPECT_EQ(100ULL, watch_slot_stat(g, 1, "dirty_pages"));

	/* Pages that were marked before insmod are not new. */
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 90, 20));
	EXPECT_EQ(10ULL, marks_new(g, 1));
	EXPECT_EQ(10ULL, watch_vcpu_stat(g, 0, "dirty_marks"));
	EXPECT_EQ(110L, guest_dirty_get(g, 1, NULL));
	EXPECT_EQ(50L, guest_dirty_get(g, 2, NULL));
	guest_stop(g, 1);
	EXPECT_EQ(0, guest_wait(g, 1, -1));
	play_rounds(_metadata, g);
}

TEST_HARNESS_MAIN
