// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty rings: pushes, full rings and resets, compared with the entries that the test took out of
 * the rings.
 */
#include <asm/kvm_para.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "oracle.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		2000
#define LARGE		4096	/* number of entries; enough for all marks */
#define UNKNOWN		(~0ULL)

FIXTURE(ring)
{
	struct guest *g;
};

FIXTURE_VARIANT(ring)
{
	unsigned int vcpus;
	int small;
	int early;		/* the guest runs before kvmwatch is loaded */
};

FIXTURE_VARIANT_ADD(ring, large)
{
	.vcpus = 1,
};

FIXTURE_VARIANT_ADD(ring, small)
{
	.vcpus = 1, .small = 1,
};

FIXTURE_VARIANT_ADD(ring, three_small)
{
	.vcpus = 3, .small = 1,
};

FIXTURE_VARIANT_ADD(ring, early)
{
	.vcpus = 2, .small = 1, .early = 1,
};

/* Of these entries KVM reserves 64, and with PML as many again as the processor's buffer has. */
static unsigned int small_entries(void)
{
	return vendor_has_pml() ? 1024 : 256;
}

/* A guest with empty rings; NULL: errno says why. */
static struct guest *new_guest(unsigned int vcpus, unsigned int entries)
{
	struct guest *g = guest_new(0, 0);
	int err;

	if (!g)
		return NULL;
	err = guest_ring_enable(g, entries * sizeof(struct kvm_dirty_gfn));
	while (!err && guest_vcpus(g) < vcpus)
		err = guest_vcpu_add(g) < 0 ? -EIO : 0;
	err = err ?: guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES);
	err = err ?: guest_slot_populate(g, SLOT);
	if (!err)
		return g;
	guest_free(g);
	errno = -err;
	return NULL;
}

FIXTURE_SETUP(ring)
{
	int err;

	if (variant->early)
		ASSERT_EQ(0, watch_unload_patiently());
	self->g = new_guest(variant->vcpus, variant->small ? small_entries() : LARGE);
	err = errno;
	if (variant->early)
		ASSERT_EQ(0, watch_load(NULL));
	if (err != EOPNOTSUPP)
		ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(ring)
{
	guest_free(self->g);
}

/* Have each vCPU write its part of the slot. */
static int write_all(struct guest *g)
{
	unsigned int nr = guest_vcpus(g), i;
	__u64 part = PAGES / nr;
	int err = 0;

	for (i = 0; i < nr && !err; i++)
		err = guest_run(g, i, work_write(GPA + i * part * GUEST_PAGE, part, GUEST_PAGE, 1));
	return err;
}

TEST_F(ring, pushes_are_the_entries_in_the_rings)
{
	__u64 pushes, marks, all = 0, full = 0;
	unsigned int i;
	long entries;
	int round;

	if (!self->g)
		SKIP(return, "KVM has no dirty rings");
	for (round = 0; round < 2; round++)
		ASSERT_EQ(0, write_all(self->g));
	for (i = 0; i < guest_vcpus(self->g); i++) {
		entries = guest_ring_harvest(self->g, i);
		pushes = watch_vcpu_stat(self->g, i, "dirty_ring_pushes");
		marks = watch_vcpu_stat(self->g, i, "dirty_marks");
		EXPECT_LT(0, entries);
		EXPECT_EQ((__u64)entries, pushes);
		/* Each mark made one entry, and nothing else made any. */
		EXPECT_EQ(marks, pushes);
		all += pushes;
		full += guest_ring_full(self->g, i);
	}
	/*
	 * There are at least the marks of the guest's writes, and those of writes that met a full
	 * ring.
	 */
	EXPECT_LE(PAGES / guest_vcpus(self->g) * guest_vcpus(self->g) + full, all);
	EXPECT_EQ(all, watch_vm_stat(self->g, "dirty_ring_pushes"));
	EXPECT_EQ(all, watch_vm_stat(self->g, "dirty_marks"));
	EXPECT_EQ(0, watch_vm_stat(self->g, "lost_events"));
}

TEST_F(ring, full_counts_each_exit_for_a_full_ring)
{
	__u64 all = 0, full;
	unsigned int i;

	if (!self->g)
		SKIP(return, "KVM has no dirty rings");
	ASSERT_EQ(0, write_all(self->g));
	for (i = 0; i < guest_vcpus(self->g); i++) {
		full = guest_ring_full(self->g, i);
		EXPECT_EQ(full, watch_vcpu_stat(self->g, i, "dirty_ring_full"));
		all += full;
	}
	EXPECT_EQ(variant->small, all > 0);
	EXPECT_EQ(all, watch_vm_stat(self->g, "dirty_ring_full"));
}

/* A reset counts once, however many rings there are, and even if all are empty. */
TEST_F(ring, a_reset_is_one_collection)
{
	__u64 before, on_the_spot = 0;
	unsigned int i;

	if (!self->g)
		SKIP(return, "KVM has no dirty rings");
	if (watch_collects_are_hidden())
		SKIP(return, "clang has put a function that collects into its caller");
	before = watch_vm_stat(self->g, "dirty_collects");
	ASSERT_NE(UNKNOWN, before);
	ASSERT_EQ(0, write_all(self->g));
	for (i = 0; i < guest_vcpus(self->g); i++)
		on_the_spot += guest_ring_full(self->g, i);
	EXPECT_EQ(before + on_the_spot, watch_vm_stat(self->g, "dirty_collects"));

	for (i = 0; i < guest_vcpus(self->g); i++)
		ASSERT_LE(0, guest_ring_harvest(self->g, i));
	ASSERT_LE(1, guest_ring_reset(self->g));
	EXPECT_EQ(before + on_the_spot + 1, watch_vm_stat(self->g, "dirty_collects"));
	ASSERT_EQ(0, guest_ring_reset(self->g));
	EXPECT_EQ(before + on_the_spot + 2, watch_vm_stat(self->g, "dirty_collects"));
}

/* KVM's own write for a vCPU goes into the ring of that vCPU. */
TEST_F(ring, pushes_are_kvms_writes_too)
{
	unsigned int i;

	if (!self->g)
		SKIP(return, "KVM has no dirty rings");
	ASSERT_EQ(0, guest_set_msr(self->g, 0, MSR_KVM_STEAL_TIME,
				   (GPA + 5 * GUEST_PAGE) | KVM_MSR_ENABLED));
	for (i = 0; i < guest_vcpus(self->g); i++)
		ASSERT_EQ(0, guest_run(self->g, i, work_out(3)));
	EXPECT_LE(1, watch_vm_stat(self->g, "dirty_marks_kvm"));
	EXPECT_EQ(0, watch_vm_stat(self->g, "dirty_marks_fault"));
	EXPECT_EQ(watch_vm_stat(self->g, "dirty_marks_kvm"),
		  watch_vcpu_stat(self->g, 0, "dirty_ring_pushes"));
	EXPECT_EQ(watch_vm_stat(self->g, "dirty_marks_kvm"), guest_ring_harvest(self->g, 0));
	EXPECT_EQ(watch_vm_stat(self->g, "dirty_marks_kvm"),
		  watch_vm_stat(self->g, "dirty_ring_pushes"));
}

/*
 * Switch the slot's logging on and off while a vCPU writes, at last with entries left in the rings,
 * then delete the slot: the counts of pushes stay.
 */
TEST_F(ring, logs_that_come_and_go_push_each_mark)
{
	__u64 before, entries = 0;
	struct guest *g = self->g;
	unsigned int i;

	if (!g)
		SKIP(return, "KVM has no dirty rings");
	ASSERT_EQ(0, guest_start(g, 0, work_write(GPA, 100, GUEST_PAGE, GUEST_FOREVER)));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, guest_dirty_log(g, SLOT, 0));
		before = watch_vm_stat(g, "dirty_ring_pushes");
		ASSERT_EQ(0, guest_wait_progress(g, 0, guest_progress(g, 0) + 2, 30000));
		EXPECT_EQ(before, watch_vm_stat(g, "dirty_ring_pushes"));
		ASSERT_EQ(0, guest_dirty_log(g, SLOT, 1));
		ASSERT_EQ(0, guest_wait_progress(g, 0, guest_progress(g, 0) + 2, 30000));
		/* The processor's entries are in the ring after the vCPU has left the guest. */
		ASSERT_EQ(0, guest_kick(g, 0));
		entries += guest_ring_harvest(g, 0);
		ASSERT_LE(0, guest_ring_reset(g));
	}
	guest_stop(g, 0);
	ASSERT_EQ(0, guest_wait(g, 0, -1));
	EXPECT_LE(800, entries);
	ASSERT_EQ(0, guest_dirty_log(g, SLOT, 0));
	ASSERT_EQ(0, guest_slot_del(g, SLOT));
	entries += guest_ring_harvest(g, 0);
	ASSERT_LE(0, guest_ring_reset(g));
	EXPECT_EQ(entries, watch_vm_stat(g, "dirty_ring_pushes"));
	EXPECT_EQ(entries, watch_vm_stat(g, "dirty_marks"));
	EXPECT_EQ(entries, watch_vcpu_stat(g, 0, "dirty_ring_pushes"));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
}

/* Which marks are new is unknown, as a ring does not remember earlier entries. */
TEST_F(ring, statistics_that_need_a_bitmap_are_unavailable)
{
	if (!self->g)
		SKIP(return, "KVM has no dirty rings");
	ASSERT_EQ(0, write_all(self->g));
	EXPECT_EQ(UNKNOWN, watch_vm_stat(self->g, "dirty_marks_new"));
	EXPECT_EQ(UNKNOWN, watch_slot_stat(self->g, SLOT, "dirty_marks_new"));
	EXPECT_EQ(UNKNOWN, watch_slot_stat(self->g, SLOT, "dirty_pages"));
	EXPECT_EQ(watch_vm_stat(self->g, "dirty_marks"),
		  watch_slot_stat(self->g, SLOT, "dirty_marks"));
}

/* A reader that shows a rate needs to know how much memory is logged. */
TEST_F(ring, the_list_says_that_it_is_a_ring_and_how_much_it_covers)
{
	struct kvmwatch_vm vm;

	if (!self->g)
		SKIP(return, "KVM has no dirty rings");
	ASSERT_EQ(0, watch_find(self->g, &vm));
	EXPECT_EQ(KVMWATCH_VM_DIRTY_LOG | KVMWATCH_VM_DIRTY_RING, vm.flags);
	EXPECT_EQ(PAGES * GUEST_PAGE, watch_vm_stat(self->g, "dirty_logged_bytes"));
	EXPECT_EQ(1, watch_vm_stat(self->g, "dirty_logged_slots"));
	ASSERT_EQ(0, guest_slot_flags(self->g, SLOT, 0));
	ASSERT_EQ(0, watch_find(self->g, &vm));
	EXPECT_EQ(KVMWATCH_VM_DIRTY_RING, vm.flags);
	EXPECT_EQ(0, watch_vm_stat(self->g, "dirty_logged_bytes"));
}

/* Slot 0 was there before the ring, and no event has told of slots since. */
TEST(rings_are_known_from_the_first_vcpu_on)
{
	struct guest *g = guest_new(0, 0);
	int err;

	ASSERT_NE(NULL, g);
	EXPECT_NE(UNKNOWN, watch_vm_stat(g, "dirty_marks_new"));
	err = guest_ring_enable(g, LARGE * sizeof(struct kvm_dirty_gfn));
	if (err == -EOPNOTSUPP) {
		guest_free(g);
		SKIP(return, "KVM has no dirty rings");
	}
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, guest_vcpu_add(g));
	EXPECT_EQ(UNKNOWN, watch_vm_stat(g, "dirty_marks_new"));
	guest_free(g);
}

TEST(without_rings_nothing_is_pushed_and_resets_are_none)
{
	struct guest *g = guest_new(1, 0);
	__u64 pushes;

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, 64, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, 64, GUEST_PAGE, 1)));
	EXPECT_EQ(64, watch_vm_stat(g, "dirty_marks"));
	pushes = watch_vm_stat(g, "dirty_ring_pushes");
	/* Unavailable in a kernel that has no dirty rings. */
	EXPECT_TRUE(!pushes || pushes == UNKNOWN);
	EXPECT_GT(0, guest_ring_reset(g));
	EXPECT_EQ(watch_collects_are_hidden() ? UNKNOWN : 0, watch_vm_stat(g, "dirty_collects"));
	guest_free(g);
}

TEST_HARNESS_MAIN
