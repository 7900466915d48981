// SPDX-License-Identifier: GPL-2.0
/*
 * More VMs, vCPUs and slots at once than the pools have records for, and more slots than may have
 * counters of their own. kvmwatch counts the events that it missed, and the numbers of VMs are
 * right.
 */
#include <stdio.h>

#include "kselftest_harness.h"
#include "listed.h"
#include "machine.h"
#include "oracle.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		64

/* --- more objects at a time than records are ready --------------------------- */

FIXTURE(burst)
{
	struct guest *guests[6];
};

FIXTURE_VARIANT(burst)
{
	const char *pool;
	int lost;	/* at least; a pool of one is perhaps refilled in time */
};

FIXTURE_VARIANT_ADD(burst, one_of_each) { "pool=1,1,1", 0 };
FIXTURE_VARIANT_ADD(burst, none) { "pool=0,0,0", 1 };

FIXTURE_SETUP(burst)
{
	int err = watch_unload_patiently();
	char args[128];

	ASSERT_TRUE(!err || err == -ENOENT);
	snprintf(args, sizeof(args), "%s %s", getenv("MODARGS") ?: "", variant->pool);
	ASSERT_EQ(0, watch_load(args));
}

FIXTURE_TEARDOWN(burst)
{
	size_t i;

	for (i = 0; i < 6; i++)
		guest_free(self->guests[i]);
	watch_unload_patiently();
	EXPECT_EQ(0, watch_load(NULL));
}

TEST_F(burst, objects_without_a_record_are_counted_as_lost_and_adopted)
{
	unsigned long long lost;
	struct kvmwatch_vm vm;
	struct guest *g;
	int i, slot;

	for (i = 0; i < 6; i++) {
		g = guest_new(4, 0);
		self->guests[i] = g;
		ASSERT_NE(NULL, g);
		for (slot = 1; slot <= 4; slot++)
			ASSERT_EQ(0, guest_slot_add(g, slot, GPA + slot * 0x10000000ULL, PAGES,
						    GUEST_MEM_4K, 0));
		for (slot = 1; slot <= 4; slot++)
			ASSERT_EQ(0, guest_run(g, 0, work_write(GPA + slot * 0x10000000ULL,
								slot, GUEST_PAGE, 1)));
	}
	for (i = 0; i < 6; i++) {
		g = self->guests[i];
		EXPECT_TRUE(WATCH_EVENTUALLY(!watch_find(g, &vm) && vm.vcpus == 4 &&
					     vm.slots == vendor_slots(5)))
			TH_LOG("VM %d: %u vCPUs, %u slots", i, vm.vcpus, vm.slots);
		EXPECT_TRUE(WATCH_EVENTUALLY(watch_mapped_is_kvms(g)))
			TH_LOG("VM %d: mapped_4k %lld, of its slots %lld", i,
			       watch_vm_stat(g, "mapped_4k"), watch_slots_sum(g, "mapped_4k"));
		for (slot = 1; slot <= 4; slot++)
			EXPECT_EQ(slot, watch_slot_stat(g, slot, "mapped_4k"));
		if (vm.pid || watch_finds_owners()) {
			EXPECT_STREQ("limits_test", vm.comm);
			EXPECT_EQ(getpid(), vm.pid);
		}
	}
	lost = unknown_vm_events();
	for (i = 0; i < 6; i++)
		lost += watch_vm_stat(self->guests[i], "lost_events");
	EXPECT_LE(variant->lost, lost);

	/* From then on the VM is counted like any other. */
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, guest_run(self->guests[i], 3, work_write(GPA + 0x10000000ULL, PAGES,
								      GUEST_PAGE, 1)));
		EXPECT_EQ(PAGES, watch_slot_stat(self->guests[i], 1, "mapped_4k"));
		EXPECT_TRUE(watch_mapped_is_kvms(self->guests[i]));
	}
}

/* After their creation these VMs cause no event that makes kvmwatch look for them. */
TEST_F(burst, vms_without_vcpus_and_slots_are_found)
{
	int fds[20], i;

	for (i = 0; i < 20; i++) {
		fds[i] = create_bare_vm();
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_TRUE(WATCH_EVENTUALLY(listed_count(KVMWATCH_KIND_VM, 0) == 20))
		TH_LOG("only %d are listed", listed_count(KVMWATCH_KIND_VM, 0));
	for (i = 0; i < 20; i++)
		close(fds[i]);
	EXPECT_EQ(0, listed_count(KVMWATCH_KIND_VM, 0));
}

/* --- more slots than may have counters ----------------------------------------- */

FIXTURE(few_counters)
{
	struct guest *g;
};

/* @adopted: the module is loaded after the VM was created */
FIXTURE_VARIANT(few_counters)
{
	const char *limit;
	int slots;	/* slots with counters, without KVM's own; -1: no slot has any */
	int adopted;
};

FIXTURE_VARIANT_ADD(few_counters, of_a_vm) { "vm_slots", 2, 0 };
FIXTURE_VARIANT_ADD(few_counters, of_a_vm_from_before) { "vm_slots", 2, 1 };
FIXTURE_VARIANT_ADD(few_counters, of_all) { "slot_mb", -1, 0 };
FIXTURE_VARIANT_ADD(few_counters, of_all_from_before) { "slot_mb", -1, 1 };

FIXTURE_SETUP(few_counters)
{
	int err;

	NEEDS_QUIET(FROM_SETUP, "it counts slots without counters of all VMs");
	err = watch_unload_patiently();
	ASSERT_TRUE(!err || err == -ENOENT);
}

FIXTURE_TEARDOWN(few_counters)
{
	guest_free(self->g);
	watch_unload_patiently();
	EXPECT_EQ(0, watch_load(NULL));
}

#define FEW_SLOTS	5

static __u64 few_gpa(int slot)
{
	return GPA + slot * 0x10000000ULL;
}

static int few_load(const char *limit, int slots)
{
	char args[128];

	snprintf(args, sizeof(args), "%s %s=%d", getenv("MODARGS") ?: "", limit,
		 slots < 0 ? 0 : (int)vendor_slots(slots));
	return watch_load(args);
}

static unsigned int slots_without_counters(void)
{
	char *hooks = watch_debugfs_table("hooks"), *at = strstr(hooks ?: "", "slots without: ");
	unsigned int nr = ~0U;

	if (at)
		sscanf(at, "slots without: %u", &nr);
	free(hooks);
	return nr;
}

/*
 * Check a slot to which @pages pages were written. Its size and its log are known to KVM, so they
 * are shown for a slot without counters too.
 */
static void few_check(struct __test_metadata *_metadata, struct guest *g, int slot, __u64 pages,
		      int counted, int marks)
{
	char path[128];
	__u64 value;

	EXPECT_EQ(PAGES, watch_slot_stat(g, slot, "npages"));
	EXPECT_EQ(pages, watch_slot_stat(g, slot, "dirty_pages"));
	EXPECT_EQ(counted ? pages : ~0ULL, watch_slot_stat(g, slot, "mapped_4k"))
		TH_LOG("slot %d", slot);
	EXPECT_EQ(counted && marks ? pages : counted ? 0 : ~0ULL,
		  watch_slot_stat(g, slot, "dirty_marks_new"))
		TH_LOG("slot %d", slot);
	snprintf(path, sizeof(path), "slot0-%d/mapped_4k", slot);
	if (counted) {
		EXPECT_EQ(0, watch_debugfs(g, path, &value));
		EXPECT_EQ(pages, value);
		return;
	}
	snprintf(path, sizeof(path), "%s/slot0-%d", guest_name(g), slot);
	EXPECT_FALSE(has_dir(path));
}

TEST_F(few_counters, slots_beyond_count_with_their_vm)
{
	int slot, adopted = variant->adopted, with = variant->slots - 1;
	__u64 mapped = GUEST_SLOT0_PAGES, marks = 0;
	struct guest *g;

	if (!adopted)
		ASSERT_EQ(0, few_load(variant->limit, variant->slots));
	self->g = guest_new(1, 0);
	g = self->g;
	ASSERT_NE(NULL, g);
	for (slot = 1; slot <= FEW_SLOTS; slot++) {
		ASSERT_EQ(0, guest_slot_add(g, slot, few_gpa(slot), PAGES, GUEST_MEM_4K,
					    KVM_MEM_LOG_DIRTY_PAGES));
		ASSERT_EQ(0, guest_run(g, 0, work_write(few_gpa(slot), slot, GUEST_PAGE, 1)));
		mapped += slot;
		marks += slot;
	}
	if (adopted) {
		ASSERT_EQ(0, few_load(variant->limit, variant->slots));
		marks = 0;
	}

	/* kvmwatch adopts slots in no certain order: check only how many have counters. */
	if (adopted && with > 0) {
		EXPECT_EQ(FEW_SLOTS + 1 - variant->slots, slots_without_counters());
	} else {
		for (slot = 1; slot <= FEW_SLOTS; slot++)
			few_check(_metadata, g, slot, slot, slot <= with, !adopted);
	}
	EXPECT_EQ(mapped, watch_vm_stat(g, "mapped_4k"));
	EXPECT_EQ(marks, watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(vendor_slots(FEW_SLOTS + 1), watch_vm_stat(g, "slots"));
	EXPECT_EQ(1, watch_audit(g, NULL));

	/* All slots go on counting, in their own counters or in the VM's. */
	for (slot = 1; slot <= FEW_SLOTS; slot++) {
		ASSERT_EQ(0, guest_run(g, 0, work_write(few_gpa(slot), PAGES, GUEST_PAGE, 1)));
		mapped += PAGES - slot;
		marks += PAGES - slot;
	}
	EXPECT_EQ(mapped, watch_vm_stat(g, "mapped_4k"));
	EXPECT_EQ(marks, watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(1, watch_audit(g, NULL));

	/*
	 * The VM's numbers keep the counts of a deleted slot, and its counters become free. Some
	 * kernels unmap all of the VM when a slot is deleted.
	 */
	for (slot = 1; slot <= FEW_SLOTS; slot++) {
		ASSERT_EQ(0, guest_slot_del(g, slot));
		mapped -= PAGES;
		EXPECT_GE(mapped, watch_vm_stat(g, "mapped_4k"));
		EXPECT_EQ(marks, watch_vm_stat(g, "dirty_marks_new"));
	}
	EXPECT_EQ(1, watch_audit(g, NULL));
	EXPECT_TRUE(WATCH_EVENTUALLY(slots_without_counters() ==
				     (variant->slots < 0 ? vendor_slots(1) : 0)));
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, 7, GUEST_PAGE, 1)));
	few_check(_metadata, g, SLOT, 7, variant->slots > 0, 1);
	EXPECT_EQ(mapped + 7, watch_vm_stat(g, "mapped_4k"));
	EXPECT_EQ(marks + 7, watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(1, watch_audit(g, NULL));
	EXPECT_EQ(0, watch_vm_stat(g, "audit_failures"));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
}

TEST_HARNESS_MAIN
