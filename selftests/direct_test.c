// SPDX-License-Identifier: GPL-2.0
/*
 * The parameter via=direct: functions that are called often call thunks of kvmwatch's own. They are
 * counted as well as by ftrace, also while ftrace traces the same functions. A hook that is not
 * direct says why.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "machine.h"
#include "oracle.h"
#include "watch.h"

#define SLOT	1
#define GPA	0x40000000ULL
#define PAGES	300

static const char *const hot[] = { "spte_change", "dirty_mark", "vcpu_load", "vcpu_put" };

static int touch(struct guest *g)
{
	return guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1));
}

FIXTURE(direct) {
	struct guest *g;
	struct kvmwatch_hook *hooks;
	int nr;
};

FIXTURE_SETUP(direct)
{
	int err = watch_unload_patiently();

	ASSERT_TRUE(!err || err == -ENOENT);
	ASSERT_EQ(0, watch_load("via=direct"));
	self->nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&self->hooks, sizeof(*self->hooks));
	ASSERT_LT(0, self->nr);
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0));
	/* Maps the guest's own pages, which are in another slot. */
	ASSERT_EQ(0, touch(self->g));
}

FIXTURE_TEARDOWN(direct)
{
	machine_put_back();
	guest_free(self->g);
	free(self->hooks);
	EXPECT_EQ(0, watch_unload_patiently());
	EXPECT_EQ(0, watch_load(getenv("MODARGS")));
}

static const struct kvmwatch_hook *hook_of(const struct kvmwatch_hook *hooks, int nr,
					   const char *name)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(hooks[i].name, name))
			return &hooks[i];
	return NULL;
}

/* Does the file hooks say why the hook is not direct? */
static bool file_says(const struct kvmwatch_hook *hook)
{
	char *text = watch_debugfs_table("hooks"), line[512];
	bool says;

	snprintf(line, sizeof(line), "\n# %s is %s\n", hook->name, hook->why);
	says = text && strstr(text, line);
	free(text);
	return says;
}

TEST_F(direct, hooks_are_direct_or_say_why_not)
{
	const struct kvmwatch_hook *hook;
	unsigned int i, nr_direct = 0;

	for (i = 0; i < ARRAY_SIZE(hot); i++) {
		hook = hook_of(self->hooks, self->nr, hot[i]);
		ASSERT_NE(NULL, hook);
		ASSERT_TRUE(hook->flags & KVMWATCH_HOOK_ATTACHED);
		if (!strcmp(hook->via, "direct")) {
			EXPECT_STREQ("", hook->why);
			nr_direct++;
			continue;
		}
		EXPECT_STREQ("ftrace", hook->via);
		EXPECT_STREQ("not direct: this kernel has no direct calls", hook->why);
		EXPECT_TRUE(file_says(hook));
	}
	/* A kernel has them, or has them not. */
	EXPECT_TRUE(!nr_direct || nr_direct == ARRAY_SIZE(hot));
	/* Others never are, and nobody asks for that. */
	hook = hook_of(self->hooks, self->nr, "vm_init");
	EXPECT_STREQ("ftrace", hook->via);
	EXPECT_STREQ("", hook->why);
}

/* What the guest does is counted exactly, by each of the functions. */
static void expect_counted(struct __test_metadata *_metadata, struct guest *g)
{
	__u64 loads = watch_vcpu_stat(g, 0, "loads"), puts = watch_vcpu_stat(g, 0, "puts");
	__u64 maps = watch_vm_stat(g, "map_4k"), unmaps = watch_vm_stat(g, "unmap_4k");
	__u64 marks = watch_vm_stat(g, "dirty_marks");
	int i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, guest_run(g, 0, work_out(1)));
	ASSERT_EQ(0, guest_slot_discard(g, SLOT, 0, PAGES));
	ASSERT_EQ(0, touch(g));
	EXPECT_EQ(maps + PAGES, watch_vm_stat(g, "map_4k"));
	EXPECT_EQ(unmaps + PAGES, watch_vm_stat(g, "unmap_4k"));
	EXPECT_EQ(1, watch_mapped_is_kvms(g));

	ASSERT_EQ(0, guest_dirty_log(g, SLOT, 1));
	ASSERT_EQ(0, touch(g));
	EXPECT_EQ(marks + PAGES, watch_vm_stat(g, "dirty_marks"));
	ASSERT_EQ(0, guest_dirty_log(g, SLOT, 0));

	EXPECT_LE(loads + 20, watch_vcpu_stat(g, 0, "loads"));
	EXPECT_EQ(watch_vcpu_stat(g, 0, "loads") - loads, watch_vcpu_stat(g, 0, "puts") - puts);
	EXPECT_EQ(1, watch_audit(g, NULL));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
}

TEST_F(direct, hooks_count_what_the_guest_does)
{
	expect_counted(_metadata, self->g);
}

/* One word: Linux 5.10 takes no more from a write. Load and put are among them. */
#define FUNCTIONS	"kvm_arch_vcpu_*"
#define TRACER		WATCH_TRACEFS "/current_tracer"
#define FILTER		WATCH_TRACEFS "/set_ftrace_filter"

TEST_F(direct, hooks_count_while_ftrace_traces_the_same_functions)
{
	NEEDS_VM(return, "it has the machine's functions traced");
	ASSERT_EQ(0, machine_do(FILTER, FUNCTIONS));
	ASSERT_EQ(0, machine_put(TRACER, "function"));
	expect_counted(_metadata, self->g);
	ASSERT_EQ(0, machine_put(TRACER, "nop"));
	expect_counted(_metadata, self->g);
}

TEST_HARNESS_MAIN
