// SPDX-License-Identifier: GPL-2.0
/*
 * The parameter without: hooks and statistics that are left out are gone from each interface, with
 * the reason, and what is left is as right as with all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

#include "kselftest_harness.h"
#include "libkvmwatch.h"
#include "machine.h"
#include "oracle.h"
#include "watch.h"

#define UNAVAILABLE	(~0ULL)
#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		64

/* --- what is asked ---------------------------------------------------------------- */

static int load_without(const char *names)
{
	int err = watch_unload_patiently();
	char args[256];

	snprintf(args, sizeof(args), "%s audit_seconds=0 without=%s", getenv("MODARGS") ?: "",
		 names);
	return err && err != -ENOENT ? err : watch_load(args);
}

static struct kvmwatch_hook hook_of(const char *name)
{
	struct kvmwatch_hook *hooks, found = {};
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks)), i;

	for (i = 0; i < nr; i++)
		if (!strcmp(hooks[i].name, name))
			found = hooks[i];
	if (nr >= 0)
		free(hooks);
	return found;
}

static bool is_attached(const char *hook)
{
	return hook_of(hook).flags & KVMWATCH_HOOK_ATTACHED;
}

static bool is_left_out(const char *name)
{
	struct kvmwatch_hook hook = hook_of(name);

	return hook.flags == KVMWATCH_HOOK_LEFT_OUT && !strcmp(hook.why, "left out by without=");
}

/* In the list of statistics: KVMWATCH_STAT_* */
static __u32 listed_as(unsigned int kind, const char *name)
{
	struct kvmwatch_stat *stats;
	int nr = watch_list(KVMWATCH_KIND_STAT, 0, (void **)&stats, sizeof(*stats)), i;
	__u32 flags = ~0U;

	for (i = 0; i < nr; i++)
		if (stats[i].kind == kind && !strcmp(stats[i].name, name))
			flags = stats[i].flags;
	if (nr >= 0)
		free(stats);
	return flags;
}

/* Is the statistic of the VM unavailable everywhere? */
static bool is_gone(struct guest *g, const char *name)
{
	__u64 value;

	return listed_as(KVMWATCH_KIND_VM, name) == KVMWATCH_STAT_LEFT_OUT &&
	       watch_vm_stat(g, name) == UNAVAILABLE && watch_debugfs(g, name, &value) == -ENODATA;
}

static bool log_says(const char *text)
{
	static char log[1 << 18];
	int size = klogctl(3 /* read all */, log, sizeof(log) - 1);

	log[size > 0 ? size : 0] = '\0';
	return strstr(log, text);
}

/* --- a guest, and what all that is there says of it ------------------------------- */

FIXTURE(without) {
	struct guest *g;
};

FIXTURE_SETUP(without)
{
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_4K,
				    KVM_MEM_LOG_DIRTY_PAGES));
}

FIXTURE_TEARDOWN(without)
{
	guest_free(self->g);
	watch_unload_patiently();
	EXPECT_EQ(0, watch_load(NULL));
}

/* With a VM from before, and with one that comes later. */
static int replace_guest(struct guest **g)
{
	guest_free(*g);
	*g = guest_new(1, 0);
	return !*g ? -ENOMEM : guest_slot_add(*g, SLOT, GPA, PAGES, GUEST_MEM_4K,
					      KVM_MEM_LOG_DIRTY_PAGES);
}

#define WRITES(g, first, pages)							\
	guest_run(g, 0, work_write(GPA + (first) * GUEST_PAGE, pages, GUEST_PAGE, 1))

TEST_F(without, a_hook_takes_what_needs_it_and_leaves_the_rest)
{
	int young;

	ASSERT_EQ(0, load_without("exit"));
	EXPECT_TRUE(is_left_out("exit"));
	EXPECT_TRUE(is_left_out("entry"));	/* nobody needs it alone */
	EXPECT_TRUE(is_attached("user_exit"));
	for (young = 0; young < 2; young++) {
		ASSERT_EQ(0, WRITES(self->g, 0, 20));
		ASSERT_EQ(0, guest_run(self->g, 0, work_out(10)));
		EXPECT_TRUE(is_gone(self->g, "exits"));
		EXPECT_TRUE(is_gone(self->g, "exit_reasons"));
		EXPECT_TRUE(is_gone(self->g, "guest_time_ns"));
		EXPECT_TRUE(is_gone(self->g, "load_entry_ns"));
		EXPECT_LE(10, watch_vcpu_stat(self->g, 0, "loads"));
		EXPECT_LE(10, watch_vcpu_stat(self->g, 0, "user_exits"));
		EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "mapped_4k"));
		EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "dirty_marks"));
		EXPECT_EQ(1, watch_audit(self->g, NULL));
		EXPECT_EQ(0, watch_vm_stat(self->g, "lost_events"));
		ASSERT_EQ(0, replace_guest(&self->g));
	}
}

TEST_F(without, loads_exits_are_counted_all_the_same)
{
	__u64 begin;

	ASSERT_EQ(0, load_without("vcpu_load"));
	EXPECT_TRUE(is_left_out("vcpu_put"));
	EXPECT_TRUE(is_left_out("halt"));
	EXPECT_TRUE(is_left_out("wakeup"));
	EXPECT_TRUE(is_left_out("user_exit"));
	EXPECT_TRUE(is_left_out("dirty_mark"));
	ASSERT_EQ(0, WRITES(self->g, 0, 20));
	begin = watch_vcpu_stat(self->g, 0, "exits");
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(100)));
	EXPECT_LE(begin + 100, watch_vcpu_stat(self->g, 0, "exits"));
	EXPECT_LT(0, watch_vcpu_stat(self->g, 0, "exit_time_ns"));
	EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "mapped_4k"));
	EXPECT_TRUE(is_gone(self->g, "loads"));
	EXPECT_TRUE(is_gone(self->g, "run_delay_ns"));
	EXPECT_TRUE(is_gone(self->g, "dirty_marks"));
	EXPECT_EQ(1, watch_audit(self->g, NULL));
	EXPECT_EQ(0, watch_vm_stat(self->g, "lost_events"));
}

TEST_F(without, leaves_no_audit_of_them_fails)
{
	int young;

	ASSERT_EQ(0, load_without("spte_change"));
	EXPECT_TRUE(is_left_out("rmap_zap"));
	EXPECT_TRUE(is_left_out("rmap_add"));
	for (young = 0; young < 2; young++) {
		ASSERT_EQ(0, WRITES(self->g, 0, 20));
		EXPECT_TRUE(is_gone(self->g, "mapped_4k"));
		EXPECT_TRUE(is_gone(self->g, "mapped_bytes_peak"));
		EXPECT_TRUE(is_gone(self->g, "map_4k"));
		EXPECT_EQ(UNAVAILABLE, watch_slot_stat(self->g, SLOT, "mapped_4k"));
		EXPECT_EQ(-EOPNOTSUPP, watch_audit(self->g, NULL));
		EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
		/* Marks find their slot as ever. */
		EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "dirty_marks"));
		EXPECT_EQ(0, watch_vm_stat(self->g, "lost_events"));
		ASSERT_EQ(0, replace_guest(&self->g));
	}
}

TEST_F(without, marks_nothing_counts_them_page_by_page)
{
	int dev;

	ASSERT_EQ(0, load_without("dirty_mark"));
	EXPECT_TRUE(is_left_out("log_word"));	/* nobody audits marks */
	EXPECT_TRUE(is_attached("log_get"));
	ASSERT_EQ(0, WRITES(self->g, 0, 20));
	EXPECT_TRUE(is_gone(self->g, "dirty_marks"));
	EXPECT_TRUE(is_gone(self->g, "dirty_marks_new"));
	EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "dirty_pages"));
	EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "mapped_4k"));
	dev = watch_device();
	ASSERT_LE(0, dev);
	EXPECT_EQ(-EOPNOTSUPP, kvmwatch_open_heat_vm_fd(dev, guest_vm_fd(self->g)));
	close(dev);
}

TEST_F(without, collections_ages_of_marks_are_unknown)
{
	ASSERT_EQ(0, load_without("log_clear"));
	EXPECT_TRUE(is_attached("dirty_mark"));
	ASSERT_EQ(0, WRITES(self->g, 0, 20));
	EXPECT_TRUE(is_gone(self->g, "dirty_collects"));
	EXPECT_TRUE(is_gone(self->g, "dirty_age_hist"));
	EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "dirty_marks_new"));
}

#define ALL_BUT_ONE	"halt_poll_ns,halt_poll_grow,halt_poll_shrink,halt_poll_silent"

TEST_F(without, a_statistic_goes_and_its_hook_with_the_last)
{
	ASSERT_EQ(0, load_without("dirty_marks_host," ALL_BUT_ONE));
	ASSERT_EQ(0, WRITES(self->g, 0, 20));
	EXPECT_TRUE(is_gone(self->g, "dirty_marks_host"));
	EXPECT_TRUE(is_gone(self->g, "halt_poll_grow"));
	EXPECT_TRUE(is_attached("halt_poll"));
	EXPECT_TRUE(is_attached("dirty_mark"));
	EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "dirty_marks"));

	ASSERT_EQ(0, load_without(ALL_BUT_ONE ",halt_poll_ns_max"));
	ASSERT_EQ(0, WRITES(self->g, 20, 20));
	EXPECT_TRUE(is_left_out("halt_poll"));
	EXPECT_TRUE(is_attached("wakeup"));
	EXPECT_TRUE(is_gone(self->g, "halt_poll_ns_max"));
	EXPECT_EQ(0, watch_vm_stat(self->g, "halts"));
	EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "dirty_marks"));
}

/* --- refused ---------------------------------------------------------------------- */

FIXTURE(refused) { };
FIXTURE_VARIANT(refused) {
	const char *names, *says;
};

FIXTURE_VARIANT_ADD(refused, unknown) {
	"exits,spam", "without=spam: there is no hook or statistic of this name"
};

FIXTURE_VARIANT_ADD(refused, beginning) {
	"exi", "without=exi: there is no hook or statistic of this name"
};

FIXTURE_VARIANT_ADD(refused, empty) {
	"exits,", "without=: there is no hook or statistic of this name"
};

FIXTURE_VARIANT_ADD(refused, vm_init) {
	"vm_init", "without=vm_init: nothing works without this hook"
};

FIXTURE_VARIANT_ADD(refused, slot_commit) {
	"halt,slot_commit", "without=slot_commit: nothing works without this hook"
};

FIXTURE_SETUP(refused) { }

FIXTURE_TEARDOWN(refused)
{
	EXPECT_EQ(0, watch_load(NULL));
	machine_expected_messages();
}

TEST_F(refused, the_load_fails_and_the_log_says_why)
{
	EXPECT_EQ(-EINVAL, load_without(variant->names));
	EXPECT_TRUE(log_says(variant->says));
	EXPECT_EQ(-ENOENT, watch_refs());
}

TEST_HARNESS_MAIN
