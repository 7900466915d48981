// SPDX-License-Identifier: GPL-2.0
/*
 * System management mode. A vCPU in SMM sees slots of its own (as_id 1), which mostly have the same
 * memory as the slots of the same number outside. Mapped pages and dirty marks of both, by slot,
 * are compared with KVM's numbers and with the accesses of the guest and its SMI handler.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "machine.h"
#include "subject.h"
#include "watch.h"

#define DATA		1
#define HUGE		2
#define PAGES		512
#define NR_HUGE		3

#define SMRAM		GUEST_SMM_SLOT(0)
#define SMM_DATA	GUEST_SMM_SLOT(DATA)
#define SMM_HUGE	GUEST_SMM_SLOT(HUGE)
#define SMM_OWN		GUEST_SMM_SLOT(3)	/* a slot that only SMM has */

#define LOG		KVM_MEM_LOG_DIRTY_PAGES

FIXTURE(smm) {
	struct subject s;
};

FIXTURE_VARIANT(smm) {
	bool early;
	bool other;		/* with the MMU that is not KVM's default */
};

FIXTURE_VARIANT_ADD(smm, default_mmu) { };
FIXTURE_VARIANT_ADD(smm, before_insmod) { .early = true };
FIXTURE_VARIANT_ADD(smm, other_mmu) { .other = true };
FIXTURE_VARIANT_ADD(smm, other_mmu_before_insmod) { .other = true, .early = true };

FIXTURE_SETUP(smm)
{
	struct subject *s = &self->s;
	int err;

	sys_no_khugepaged();
	s->thp = sys_has_thp();
	if (variant->other) {
		NEEDS_MACHINE(FROM_SETUP, "it reloads KVM with another MMU");
		ASSERT_EQ(0, reload_kvm(sys_is_on(SYS_TDP_MMU) ? "tdp_mmu=N" : "tdp_mmu=Y", ""));
	}
	if (variant->early)
		ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, subject_init(s, variant->early, 0));
	err = guest_smm(s->g);
	if (err == -EOPNOTSUPP)
		SKIP(return, "KVM has no SMM");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, guest_slot_add(s->g, DATA, GPA_A, PAGES, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, HUGE, GPA_B, NR_HUGE * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, guest_slot_alias(s->g, SMM_DATA, DATA, 0));
	ASSERT_EQ(0, guest_slot_alias(s->g, SMM_HUGE, HUGE, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, SMM_OWN, GPA_C, PAGES, GUEST_MEM_4K, 0));
}

FIXTURE_TEARDOWN(smm)
{
	guest_free(self->s.g);
	machine_put_back();
	watch_load(NULL);	/* -EEXIST unless a test left it unloaded */
	if (variant->other)
		EXPECT_EQ(0, reload_kvm("", ""));
}

/* Load kvmwatch now, if it was not loaded before the guest. */
static int arrive(struct subject *s)
{
	int err;

	if (!s->early)
		return 0;
	err = watch_load(NULL);
	if (!err)
		note_base(s);
	return err;
}

/*
 * A TDP MMU up to early releases of 6.1 unmaps everything when a vCPU enters or leaves SMM, so what
 * was mapped before is gone. KVM's own count tells, but on 5.10, which has none.
 */
static bool forgetful;

/* Look after an SMI that came when @pages were mapped. */
static bool has_forgotten(struct subject *s, __u64 pages)
{
	return s->counted ? leaves(s, 0) < pages : !s->shadow;
}

#define EXPECT_KEPT(s, slot, n4k, n2m)						\
	EXPECT_MAPPED(s, slot, forgetful ? 0 : (n4k), forgetful ? 0 : (n2m))

static int lists_slot(struct subject *s, unsigned int as_id, unsigned int id)
{
	struct kvmwatch_slot *slots;
	struct kvmwatch_vm vm;
	int nr, i, found = 0;

	if (watch_find(s->g, &vm))
		return -ENOENT;
	nr = watch_list(KVMWATCH_KIND_SLOT, vm.id, (void **)&slots, sizeof(*slots));
	for (i = 0; i < nr; i++)
		found += slots[i].as_id == as_id && slots[i].id == id;
	free(slots);
	return found;
}

/*
 * Run an SMI. From 5.18 to 6.5 a worker of KVM then unmaps pages. Wait until that worker has left
 * KVM's count alone for 200 ms.
 */
static int run_smi(struct subject *s, unsigned int vcpu, __u64 gpa, __u64 pages)
{
	int err = guest_smi(s->g, vcpu, gpa, pages), same = 0;
	__u64 before = leaves(s, 0), now;

	if (!sys_has_function("tdp_mmu_zap_root_work"))
		return err;
	while (same < 20) {
		usleep(10000);
		now = leaves(s, 0);
		same = now == before ? same + 1 : 0;
		before = now;
	}
	return err;
}

/* Address spaces have slots of the same number: counts of the two must not be mixed up. */
TEST_F_TIMEOUT(smm, leaves_and_marks_count_where_they_are, 60)
{
	struct subject *s = &self->s;
	struct guest *g = s->g;
	__u64 bitmap[PAGES / 64], value;

	if (!g || !guest_slot_host(g, SMM_OWN))
		return;
	ASSERT_EQ(0, touch(s, GPA_A, 48));
	ASSERT_EQ(0, run_smi(s, 0, GPA_A, 16));
	ASSERT_EQ(0, run_smi(s, 0, GPA_B, 1));
	forgetful = has_forgotten(s, 48);
	s->peak_unknown = forgetful;
	ASSERT_EQ(0, arrive(s));
	EXPECT_STREQ("", untrue(s));
	EXPECT_EQ(1, lists_slot(s, 0, DATA));
	EXPECT_EQ(1, lists_slot(s, 1, 0));
	EXPECT_EQ(1, lists_slot(s, 1, DATA));
	EXPECT_EQ(1, lists_slot(s, 1, 3));
	EXPECT_EQ(0, lists_slot(s, 0, 3));
	EXPECT_MAPPED(s, 0, GUEST_SLOT0_PAGES, 0);
	EXPECT_KEPT(s, DATA, 48, 0);
	EXPECT_MAPPED(s, HUGE, 0, 0);
	EXPECT_KEPT(s, SMRAM, 2, 0);
	EXPECT_KEPT(s, SMM_DATA, 16, 0);
	EXPECT_KEPT(s, SMM_HUGE, as_4k(s, 1), as_2m(s, 1));
	EXPECT_MAPPED(s, SMM_OWN, 0, 0);
	EXPECT_EQ(0, watch_debugfs(g, "slot1-1/mapped_4k", &value));
	EXPECT_EQ(forgetful ? 0ULL : 16, value);

	/*
	 * Touch more pages of each, run an SMI on the other vCPU, and use memory that only SMM
	 * sees.
	 */
	ASSERT_EQ(0, run_smi(s, 1, GPA_A + 16 * GUEST_PAGE, 16));
	ASSERT_EQ(0, run_smi(s, 1, GPA_C, 8));
	ASSERT_EQ(0, touch_huge(s, GPA_B, NR_HUGE));
	EXPECT_EQ(-EFAULT, touch(s, GPA_C, 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, 0, GUEST_SLOT0_PAGES, 0);
	EXPECT_KEPT(s, DATA, 48, 0);
	EXPECT_MAPPED(s, HUGE, as_4k(s, NR_HUGE), as_2m(s, NR_HUGE));
	EXPECT_KEPT(s, SMRAM, 2, 0);
	EXPECT_KEPT(s, SMM_DATA, 32, 0);
	EXPECT_KEPT(s, SMM_HUGE, as_4k(s, 1), as_2m(s, 1));
	EXPECT_KEPT(s, SMM_OWN, 8, 0);

	/* Pages that the host discards are unmapped from both. */
	ASSERT_EQ(0, guest_slot_discard(g, DATA, 8, 32));
	ASSERT_EQ(0, guest_slot_discard(g, HUGE, as_2m(s, 3), 1));
	EXPECT_STREQ("", untrue(s));
	EXPECT_KEPT(s, DATA, 16, 0);
	EXPECT_KEPT(s, SMM_DATA, 8, 0);
	EXPECT_MAPPED(s, HUGE, as_4k(s, NR_HUGE - 1), as_2m(s, NR_HUGE - 1));
	EXPECT_MAPPED(s, SMM_HUGE, 0, 0);

	/* Only SMM's slot is logged. */
	ASSERT_EQ(0, guest_slot_flags(g, SMM_DATA, LOG));
	ASSERT_EQ(0, touch(s, GPA_A, 64));
	ASSERT_EQ(0, run_smi(s, 0, GPA_A + 4 * GUEST_PAGE, 20));
	EXPECT_EQ(0ULL, watch_slot_stat(g, DATA, "dirty_marks"));
	EXPECT_EQ(20ULL, watch_slot_stat(g, SMM_DATA, "dirty_marks_new"));
	EXPECT_EQ(20L, guest_dirty_get(g, SMM_DATA, bitmap));
	EXPECT_EQ(0xfffff0ULL, bitmap[0]);
	EXPECT_EQ(20ULL, watch_vm_stat(g, "dirty_marks_fault"));
	EXPECT_EQ(0ULL, watch_vm_stat(g, "dirty_marks_kvm"));

	/* Both slots are logged, each in a log of its own. */
	ASSERT_EQ(0, guest_slot_flags(g, DATA, LOG));
	ASSERT_EQ(0, run_smi(s, 1, GPA_A, 32));
	ASSERT_EQ(0, touch(s, GPA_A + 24 * GUEST_PAGE, 16));
	EXPECT_EQ(16ULL, watch_slot_stat(g, DATA, "dirty_marks_new"));
	EXPECT_EQ(16ULL, watch_slot_stat(g, DATA, "dirty_pages"));
	EXPECT_EQ(52ULL, watch_slot_stat(g, SMM_DATA, "dirty_marks_new"));
	EXPECT_EQ(32ULL, watch_slot_stat(g, SMM_DATA, "dirty_pages"));
	EXPECT_EQ(16L, guest_dirty_get(g, DATA, NULL));
	EXPECT_EQ(32L, guest_dirty_get(g, SMM_DATA, NULL));
	EXPECT_EQ(68ULL, watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(watch_vm_stat(g, "dirty_marks"), watch_vm_stat(g, "dirty_marks_fault"));
	EXPECT_EQ(0ULL, watch_vm_stat(g, "dirty_marks_host"));
	EXPECT_STREQ("", untrue(s));

	/* KVM writes a vCPU's state where SMM keeps it. */
	ASSERT_EQ(0, guest_slot_flags(g, SMRAM, LOG));
	value = watch_vm_stat(g, "dirty_marks_kvm");
	ASSERT_EQ(0, run_smi(s, 0, GPA_A, 0));
	EXPECT_LE(value + 1, watch_vm_stat(g, "dirty_marks_kvm"));
	EXPECT_EQ(2ULL, watch_slot_stat(g, SMRAM, "dirty_marks_new"));
	EXPECT_EQ(2L, guest_dirty_get(g, SMRAM, NULL));

	EXPECT_STREQ("", untrue_after_reload(s, 1));
	note_base(s);
	s->early = true;
	s->peak = 0;
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, guest_slot_del(g, SMM_HUGE));
	EXPECT_STREQ("", untrue(s));
	EXPECT_EQ(0, lists_slot(s, 1, HUGE));
	EXPECT_EQ(1, lists_slot(s, 0, HUGE));
	ASSERT_EQ(0, run_smi(s, 0, GPA_A, 24));
	EXPECT_STREQ("", untrue(s));
	EXPECT_KEPT(s, SMM_DATA, 24, 0);
	EXPECT_MAPPED(s, DATA, 0, 0);
}

TEST_HARNESS_MAIN
