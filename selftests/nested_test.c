// SPDX-License-Identifier: GPL-2.0
/*
 * A guest with a guest of its own (nested SVM). KVM then shadows the page tables that the guest
 * made for the nested guest, beside or instead of its own tables for the guest. Mapped pages, dirty
 * marks and exits of both are compared with KVM's own numbers, and with what the two guests did.
 *
 * Each test runs with each of KVM's MMUs for the guest, and without nested paging. kvmwatch is
 * loaded from the start, or after the nested guest has run.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <asm/svm.h>
#include <kselftest_harness.h>

#include "machine.h"
#include "oracle.h"
#include "subject.h"
#include "vendor.h"
#include "watch.h"

#define DATA		1	/* slots */
#define HUGE		2
#define TABLES		3

#define PAGES		1024	/* of DATA, at GPA_A */
#define NR_HUGE		4	/* of HUGE, at GPA_B */

/* The nested guest has one page of DATA at TIMES addresses. */
#define SHARED		512
#define GPA_SHARED	(GPA_A + SHARED * GUEST_PAGE)
#define AT_SHARED	(GPA_A + GIB / 2)
#define TIMES		40

/* Create a guest with all slots, and a nested guest that has not run yet. */
static int nest(struct subject *s, bool early)
{
	unsigned int i;
	int err;

	err = subject_init(s, early, GUEST_NESTED);
	err = err ?: guest_slot_add(s->g, DATA, GPA_A, PAGES, GUEST_MEM_4K, 0);
	err = err ?: guest_slot_add(s->g, HUGE, GPA_B, NR_HUGE * HUGE_PAGES, GUEST_MEM_THP, 0);
	err = err ?: guest_nest(s->g, TABLES, GPA_C);
	err = err ?: guest_nest_map(s->g, GPA_A, GPA_A, PAGES, false);
	err = err ?: guest_nest_map(s->g, GPA_B, GPA_B, NR_HUGE * HUGE_PAGES, true);
	for (i = 0; i < TIMES && !err; i++)
		err = guest_nest_map(s->g, AT_SHARED + i * GUEST_PAGE, GPA_SHARED, 1, false);
	return err;
}

/*
 * SCENARIO_FIRST(name) is the first part of a scenario, with kvmwatch loaded or not.
 * SCENARIO_THEN(name) checks the result and goes on.
 */
struct scenario {
	const char *name;
	void (*first)(struct __test_metadata *_metadata, struct subject *s);
	void (*then)(struct __test_metadata *_metadata, struct subject *s);
};

#define SCENARIO_FIRST(name)							\
static void name##_first(struct __test_metadata *_metadata, struct subject *s)

#define SCENARIO_THEN(name)							\
static void name##_then(struct __test_metadata *_metadata, struct subject *s);	\
static const struct scenario name = { #name, name##_first, name##_then };	\
static void name##_then(struct __test_metadata *_metadata, struct subject *s)

static int nested_touch(struct subject *s, __u64 gpa, __u64 pages)
{
	return guest_run(s->g, 0, work_nested(work_write(gpa, pages, GUEST_PAGE, 1)));
}

/* Have the guest write entries of the nested guest's tables. */
static int guest_sets(struct subject *s, __u64 at, unsigned int entries, __u64 value, bool huge)
{
	return guest_run(s->g, 0, work_store(guest_nest_entry(s->g, at, huge), entries, 8, value));
}

static __u64 page(__u64 number)
{
	return GPA_A + number * GUEST_PAGE;
}

SCENARIO_FIRST(what_both_guests_touch_is_mapped)
{
	ASSERT_EQ(0, nested_touch(s, page(0), 64));
}

SCENARIO_THEN(what_both_guests_touch_is_mapped)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 0, 2 * GUEST_SLOT0_PAGES, 0);
	EXPECT_MAPPED(s, DATA, 64, 0);
	/* The page of the VMCB is mapped; with the shadow MMU perhaps its neighbours too. */
	if (!s->shadow)
		EXPECT_MAPPED(s, TABLES, 1, 0);

	ASSERT_EQ(0, touch(s, page(0), 64));
	ASSERT_EQ(0, nested_touch(s, page(0), 64));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 128, 0);

	/* The host discards pages, which unmaps them for both guests. */
	ASSERT_EQ(0, guest_slot_discard(s->g, DATA, 0, 32));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 64, 0);

	/* The nested guest of the second vCPU finds the pages mapped. */
	ASSERT_EQ(0, guest_run(s->g, 1, work_nested(work_write(page(32), 32, GUEST_PAGE, 3))));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 0, 2 * GUEST_SLOT0_PAGES, 0);
	EXPECT_MAPPED(s, DATA, 64, 0);
	if (!s->shadow)
		EXPECT_MAPPED(s, TABLES, 2, 0);
}

SCENARIO_FIRST(huge_pages_of_both_are_mapped)
{
	ASSERT_EQ(0, guest_run(s->g, 0, work_nested(work_write(GPA_B, 3, HUGE_SIZE, 1))));
}

SCENARIO_THEN(huge_pages_of_both_are_mapped)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, as_4k(s, 3), as_2m(s, 3));

	ASSERT_EQ(0, touch_huge(s, GPA_B, NR_HUGE));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, as_4k(s, 3 + NR_HUGE), as_2m(s, 3 + NR_HUGE));
	if (!s->thp) {
		TH_LOG("the host gives no transparent huge pages: the rest is left out");
		return;
	}

	/* A page that both have mapped is unmapped twice. */
	ASSERT_EQ(0, guest_slot_discard(s->g, HUGE, HUGE_PAGES + 7, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, 0, 1 + NR_HUGE);
	ASSERT_EQ(0, nested_touch(s, GPA_B + HUGE_SIZE, 16));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, 16, 1 + NR_HUGE);
}

/* KVM keeps where a page is mapped in chunks of some entries each. */
SCENARIO_FIRST(a_page_counts_each_time_it_is_mapped)
{
	ASSERT_EQ(0, nested_touch(s, AT_SHARED, 24));
}

SCENARIO_THEN(a_page_counts_each_time_it_is_mapped)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 24, 0);
	ASSERT_EQ(0, nested_touch(s, AT_SHARED, TIMES));
	ASSERT_EQ(0, touch(s, GPA_SHARED, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, TIMES + 1, 0);

	ASSERT_EQ(0, guest_slot_discard(s->g, DATA, SHARED, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 0, 0);
	ASSERT_EQ(0, nested_touch(s, AT_SHARED + 8 * GUEST_PAGE, 16));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 16, 0);
}

SCENARIO_FIRST(what_the_guest_takes_from_its_guest_is_not_mapped)
{
	ASSERT_EQ(0, nested_touch(s, page(0), 64));
	ASSERT_EQ(0, nested_touch(s, page(600), 8));
}

SCENARIO_THEN(what_the_guest_takes_from_its_guest_is_not_mapped)
{
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 72, 0);

	/* KVM updates its tables when the nested guest runs again. */
	ASSERT_EQ(0, guest_sets(s, page(16), 16, 0, false));
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, nested_touch(s, page(0), 8));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 56, 0);
	EXPECT_EQ(-EFAULT, nested_touch(s, page(16), 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 56, 0);

	/* Map another page where none is mapped, and another page in place of a mapped one. */
	ASSERT_EQ(0, guest_sets(s, page(16), 1, page(104) | GUEST_NEST_ENTRY, false));
	ASSERT_EQ(0, guest_sets(s, page(40), 1, page(112) | GUEST_NEST_ENTRY, false));
	ASSERT_EQ(0, nested_touch(s, page(16), 1));
	ASSERT_EQ(0, nested_touch(s, page(40), 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, DATA, 57, 0);

	/*
	 * Clear the entry of a whole table. KVM may keep its own table, which the guest cannot see.
	 */
	ASSERT_EQ(0, guest_sets(s, page(0), 1, 0, true));
	EXPECT_STREQ("", untrue(s));
	EXPECT_EQ(-EFAULT, nested_touch(s, page(0), 1));
	ASSERT_EQ(0, nested_touch(s, page(600), 16));
	EXPECT_STREQ("", untrue(s));
	EXPECT_LE(16ULL, watch_slot_stat(s->g, DATA, "mapped_4k"));
}

SCENARIO_FIRST(a_slot_that_goes_takes_all_with_it)
{
	ASSERT_EQ(0, nested_touch(s, page(0), 64));
	ASSERT_EQ(0, nested_touch(s, GPA_B, 8));
	ASSERT_EQ(0, touch(s, page(0), 8));
}

SCENARIO_THEN(a_slot_that_goes_takes_all_with_it)
{
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, guest_slot_del(s->g, HUGE));
	EXPECT_STREQ("", untrue(s));
	EXPECT_EQ(0ULL, watch_vm_stat(s->g, "mapped_bytes"));
	ASSERT_EQ(0, nested_touch(s, page(0), 16));
	ASSERT_EQ(0, touch(s, page(64), 8));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 0, 2 * GUEST_SLOT0_PAGES, 0);
	EXPECT_MAPPED(s, DATA, 24, 0);
}

SCENARIO_FIRST(nothing_is_mapped_after_the_vms_end)
{
	ASSERT_EQ(0, nested_touch(s, page(0), 64));
	ASSERT_EQ(0, nested_touch(s, AT_SHARED, TIMES));
}

SCENARIO_THEN(nothing_is_mapped_after_the_vms_end)
{
	int vm, level;

	ASSERT_EQ(0, touch(s, page(0), 64));
	EXPECT_STREQ("", untrue(s));
	vm = watch_vm(s->g);
	ASSERT_LE(0, vm);

	guest_free(s->g);
	s->g = NULL;
	for (level = 0; level < NR_LEVELS; level++) {
		EXPECT_EQ(0ULL, number(vm, "mapped_", level_name[level]));
		EXPECT_EQ(s->base[level] + number(vm, "map_", level_name[level]),
			  number(vm, "unmap_", level_name[level]));
	}
	EXPECT_LT(0ULL, number(vm, "unmap_4k", ""));
	EXPECT_EQ(0ULL, number(vm, "lost_events", ""));
	EXPECT_EQ(0ULL, number(vm, "audit_failures", ""));
	close(vm);
}

static __u64 marks(struct subject *s, const char *name)
{
	return watch_slot_stat(s->g, DATA, name);
}

SCENARIO_FIRST(what_both_write_is_marked_dirty)
{
	ASSERT_EQ(0, guest_dirty_log(s->g, DATA, 1));
	ASSERT_EQ(0, nested_touch(s, page(0), 8));
	ASSERT_EQ(8L, guest_dirty_get(s->g, DATA, NULL));
}

SCENARIO_THEN(what_both_write_is_marked_dirty)
{
	__u64 before = s->early ? 0 : 8, fault;

	/* Some of these pages are mapped already, some are not. */
	ASSERT_EQ(0, nested_touch(s, page(0), 64));
	EXPECT_EQ(before + 64, marks(s, "dirty_marks_new"));
	EXPECT_EQ(64ULL, marks(s, "dirty_pages"));
	EXPECT_EQ(64L, guest_dirty_get(s->g, DATA, NULL));
	EXPECT_EQ(marks(s, "dirty_marks"), watch_vm_stat(s->g, "dirty_marks_fault"));
	EXPECT_EQ(0ULL, watch_vm_stat(s->g, "dirty_marks_kvm"));

	/* KVM maps and marks the same page once for each of the two guests. */
	fault = marks(s, "dirty_marks");
	ASSERT_EQ(0, nested_touch(s, page(0), 32));
	EXPECT_EQ(fault + 32, marks(s, "dirty_marks"));
	ASSERT_EQ(0, touch(s, page(0), 32));
	EXPECT_EQ(fault + 64, marks(s, "dirty_marks"));
	EXPECT_EQ(32ULL, marks(s, "dirty_pages"));
	EXPECT_EQ(32L, guest_dirty_get(s->g, DATA, NULL));
	EXPECT_EQ(marks(s, "dirty_marks"), watch_vm_stat(s->g, "dirty_marks_fault"));
	EXPECT_EQ(watch_vm_stat(s->g, "dirty_marks"), watch_vcpu_stat(s->g, 0, "dirty_marks"));
	EXPECT_EQ(0ULL, watch_vm_stat(s->g, "dirty_marks_host"));
	EXPECT_STREQ("", untrue(s));
}

/* KVM writes the state of the nested guest into it. */
SCENARIO_FIRST(kvm_marks_the_vmcb)
{
}

SCENARIO_THEN(kvm_marks_the_vmcb)
{
	__u64 bitmap[GUEST_NEST_PAGES / 64];

	ASSERT_EQ(0, guest_dirty_log(s->g, TABLES, 1));
	ASSERT_EQ(0, nested_touch(s, page(0), 8));
	EXPECT_EQ(1ULL, watch_slot_stat(s->g, TABLES, "dirty_marks_new"));
	EXPECT_EQ(1L, guest_dirty_get(s->g, TABLES, bitmap));
	EXPECT_EQ(1ULL, bitmap[0]);
	EXPECT_LE(1ULL, watch_vm_stat(s->g, "dirty_marks_kvm"));
	EXPECT_EQ(watch_slot_stat(s->g, TABLES, "dirty_marks"),
		  watch_vm_stat(s->g, "dirty_marks_kvm") +
		  watch_vm_stat(s->g, "dirty_marks_fault"));
}

/* --- exits --------------------------------------------------------------------------- */

#define ROUNDS	25

/* How often the vCPU has left its guest for this reason. */
static __u64 reason(int vcpu_fd, unsigned int code)
{
	static __u64 buckets[2048];
	int nr = oracle_hist(vcpu_fd, "exit_reasons", buckets, ARRAY_SIZE(buckets));

	return nr < 0 || code >= (unsigned int)nr ? UNKNOWN : buckets[code];
}

SCENARIO_FIRST(exits_of_both_count)
{
	ASSERT_EQ(0, nested_touch(s, page(0), 8));
}

SCENARIO_THEN(exits_of_both_count)
{
	__u64 vmrun, vmmcall, cpuid;
	int fd;

	fd = watch_vcpu(s->g, 0);
	ASSERT_LE(0, fd);
	vmrun = reason(fd, SVM_EXIT_VMRUN);
	vmmcall = reason(fd, SVM_EXIT_VMMCALL);
	cpuid = reason(fd, SVM_EXIT_CPUID);
	ASSERT_NE(UNKNOWN, vmrun);
	EXPECT_EQ(s->early ? 0ULL : 1, vmrun);
	EXPECT_EQ(vmrun, vmmcall);
	EXPECT_EQ(0ULL, cpuid);

	/* The host handles CPUID of both guests. */
	ASSERT_EQ(0, guest_run(s->g, 0, work_nested(work_cpuid(ROUNDS))));
	ASSERT_EQ(0, guest_run(s->g, 0, work_cpuid(7)));
	EXPECT_EQ(vmrun + ROUNDS, reason(fd, SVM_EXIT_VMRUN));
	EXPECT_EQ(vmmcall + ROUNDS, reason(fd, SVM_EXIT_VMMCALL));
	EXPECT_EQ(cpuid + ROUNDS + 7, reason(fd, SVM_EXIT_CPUID));
	EXPECT_EQ(number(fd, "exits", ""), ({
		__u64 sum = UNKNOWN;

		oracle_hist_sum(fd, "exit_reasons", &sum);
		sum;
	}));
	close(fd);
}

SCENARIO_FIRST(halts_of_the_guests_guest_count)
{
	ASSERT_EQ(0, nested_touch(s, page(0), 8));
}

SCENARIO_THEN(halts_of_the_guests_guest_count)
{
	__u64 halts, hlt;
	int fd, i;

	fd = watch_vcpu(s->g, 0);
	ASSERT_LE(0, fd);
	halts = number(fd, "halts", "");
	hlt = reason(fd, SVM_EXIT_HLT);
	ASSERT_EQ(0, guest_start(s->g, 0,
				 work_nested(work_halt(4, GUEST_WAKE_USER, 0))));
	for (i = 1; i <= 4; i++) {
		ASSERT_EQ(0, guest_wait_asleep(s->g, 0, i, 10000));
		ASSERT_EQ(0, guest_wake(s->g, 0));
	}
	EXPECT_EQ(0, guest_wait(s->g, 0, 10000));
	EXPECT_EQ(hlt + 4, reason(fd, SVM_EXIT_HLT));
	EXPECT_EQ(halts + 4, number(fd, "halts", ""));
	EXPECT_EQ(number(fd, "halts", ""),
		  number(fd, "wakeups_poll", "") + number(fd, "wakeups_wait", ""));
	close(fd);
}

/* --- kvmwatch is loaded while the nested guest works ---------------------------------- */

struct discarder {
	struct guest *g;
	int stop;
};

static void *discard_again_and_again(void *arg)
{
	struct discarder *d = arg;

	while (!__atomic_load_n(&d->stop, __ATOMIC_RELAXED)) {
		guest_slot_discard(d->g, DATA, 0, 200);
		guest_slot_discard(d->g, DATA, SHARED, 1);
		usleep(500);	/* leave the CPU to the others */
	}
	return NULL;
}

static void adopt_at_work(struct __test_metadata *_metadata, struct subject *s)
{
	struct discarder d = { .g = s->g };
	pthread_t thread;

	s->peak_unknown = true;
	ASSERT_EQ(0, guest_start(s->g, 0, work_nested(work_write(page(0), 256, GUEST_PAGE,
								 GUEST_FOREVER))));
	ASSERT_EQ(0, guest_start(s->g, 1, work_nested(work_write(AT_SHARED, TIMES, GUEST_PAGE,
								 GUEST_FOREVER))));
	ASSERT_EQ(0, pthread_create(&thread, NULL, discard_again_and_again, &d));
	usleep(50000);
	EXPECT_EQ(0, watch_load(NULL));
	usleep(50000);
	__atomic_store_n(&d.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	guest_stop(s->g, 0);
	guest_stop(s->g, 1);
	EXPECT_EQ(0, guest_wait(s->g, 0, -1));
	EXPECT_EQ(0, guest_wait(s->g, 1, -1));

	guess_base(s);
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, nested_touch(s, page(0), 256));
	ASSERT_EQ(0, nested_touch(s, AT_SHARED, TIMES));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 0, 2 * GUEST_SLOT0_PAGES, 0);
	EXPECT_MAPPED(s, DATA, 256 + TIMES, 0);
}

/* --- each scenario --------------------------------------------------------------------- */

static const struct scenario *const scenarios[] = {
	&what_both_guests_touch_is_mapped,
	&huge_pages_of_both_are_mapped,
	&a_page_counts_each_time_it_is_mapped,
	&what_the_guest_takes_from_its_guest_is_not_mapped,
	&a_slot_that_goes_takes_all_with_it,
	&nothing_is_mapped_after_the_vms_end,
	&what_both_write_is_marked_dirty,
	&kvm_marks_the_vmcb,
	&exits_of_both_count,
	&halts_of_the_guests_guest_count,
};

#define NR_SCENARIOS	ARRAY_SIZE(scenarios)

FIXTURE(nested) {
	struct subject s[NR_SCENARIOS + 1];
};

FIXTURE_VARIANT(nested) {
	bool early;
	bool other;		/* with the MMU that is not KVM's default */
	bool paging;		/* with the guest's own page tables shadowed, without NPT */
};

FIXTURE_VARIANT_ADD(nested, vms_that_kvmwatch_saw_begin) { };
FIXTURE_VARIANT_ADD(nested, vms_from_before_insmod) { .early = true };
FIXTURE_VARIANT_ADD(nested, other_mmu) { .other = true };
FIXTURE_VARIANT_ADD(nested, other_mmu_before_insmod) { .other = true, .early = true };
FIXTURE_VARIANT_ADD(nested, shadow_paging) { .paging = true };
FIXTURE_VARIANT_ADD(nested, shadow_paging_before_insmod) { .paging = true, .early = true };

FIXTURE_SETUP(nested)
{
	unsigned int i;

	sys_no_khugepaged();
	if (vendor_is_intel())
		return;	/* harnesses before 6.3 run the test after a SKIP here */
	self->s[0].thp = sys_has_thp();
	for (i = 1; i < ARRAY_SIZE(self->s); i++)
		self->s[i].thp = self->s[0].thp;
	if (variant->other || variant->paging)
		NEEDS_MACHINE(FROM_SETUP, "it reloads KVM with another MMU");
	if (variant->other)
		ASSERT_EQ(0, reload_kvm(sys_is_on(SYS_TDP_MMU) ? "tdp_mmu=N" : "tdp_mmu=Y", ""));
	if (variant->paging)
		ASSERT_EQ(0, reload_kvm("", "npt=0"));
}

FIXTURE_TEARDOWN(nested)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(self->s); i++)
		guest_free(self->s[i].g);
	machine_put_back();
	watch_load(NULL);	/* -EEXIST unless a test left it unloaded */
	if (variant->other || variant->paging)
		EXPECT_EQ(0, reload_kvm("", ""));
}

TEST_F_TIMEOUT(nested, have_true_counts, 120)
{
	struct subject *s = self->s;
	unsigned int i;

	if (vendor_is_intel())
		SKIP(return, "the test's guests of guests take SVM");
	if (variant->early)
		ASSERT_EQ(0, watch_unload_patiently());
	for (i = 0; i < NR_SCENARIOS; i++, s++) {
		ASSERT_EQ(0, nest(s, variant->early));
		ASSERT_EQ(variant->paging, s->paging);
		scenarios[i]->first(_metadata, s);
		if (variant->early && s->counted)
			note_base(s);
	}
	if (variant->early) {
		ASSERT_EQ(0, nest(s, true));
		adopt_at_work(_metadata, s);
	}
	for (i = 0, s = self->s; i < NR_SCENARIOS; i++, s++) {
		if (variant->early && !s->counted)
			note_base(s);
		scenarios[i]->then(_metadata, s);
		if (!_metadata->passed) {
			TH_LOG("That was %s; the rest is left out.", scenarios[i]->name);
			return;
		}
	}
	EXPECT_STREQ("", untrue_after_reload(self->s, ARRAY_SIZE(self->s)));
}

TEST_HARNESS_MAIN
