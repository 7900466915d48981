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
#include <sys/utsname.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "machine.h"
#include "oracle.h"
#include "slow.h"
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

/* Linux 6.4 to 6.7, except late stable releases, may give this reason. */
static bool may_lose_calls(void)
{
	unsigned int minor = 0;
	struct utsname name;

	return !uname(&name) && sscanf(name.release, "6.%u.", &minor) == 1 &&
	       minor >= 4 && minor <= 7;
}

TEST_F(direct, hooks_are_direct_or_say_why_not)
{
	const char *why = may_lose_calls() ?
			  "not direct: this kernel loses such calls beside a tracer" :
			  "not direct: this kernel has no direct calls";
	const struct kvmwatch_hook *hook;
	unsigned int i, nr_direct = 0, nr_hot = 0;

	for (i = 0; i < ARRAY_SIZE(hot); i++) {
		hook = hook_of(self->hooks, self->nr, hot[i]);
		ASSERT_NE(NULL, hook);
		if (watch_hook_may_miss(hook))
			continue;
		nr_hot++;
		ASSERT_TRUE(hook->flags & KVMWATCH_HOOK_ATTACHED);
		if (!strcmp(hook->via, "direct")) {
			EXPECT_STREQ("", hook->why);
			nr_direct++;
			continue;
		}
		EXPECT_STREQ("ftrace", hook->via);
		EXPECT_STREQ(why, hook->why);
		EXPECT_TRUE(file_says(hook));
	}
	/* A kernel has them, or has them not. */
	EXPECT_TRUE(!nr_direct || nr_direct == nr_hot);
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
	EXPECT_EQ(watch_marks_are_hidden() ? ~0ULL : marks + PAGES,
		  watch_vm_stat(g, "dirty_marks"));
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
#define TRACE		WATCH_TRACEFS "/trace"
#define BUFFER		WATCH_TRACEFS "/buffer_size_kb"
#define STACKS		WATCH_TRACEFS "/options/func_stack_trace"

TEST_F(direct, hooks_count_while_ftrace_traces_the_same_functions)
{
	NEEDS_VM(return, "it has the machine's functions traced");
	ASSERT_EQ(0, machine_do(FILTER, FUNCTIONS));
	ASSERT_EQ(0, machine_put(TRACER, "function"));
	expect_counted(_metadata, self->g);
	ASSERT_EQ(0, machine_put(TRACER, "nop"));
	expect_counted(_metadata, self->g);
}

/* --- the time inside load and put ------------------------------------------- */

/* How the hook is attached now; "": it is not. */
static const char *via(const char *name)
{
	static char found[sizeof(((struct kvmwatch_hook *)0)->via)];
	struct kvmwatch_hook *hooks;
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks));
	const struct kvmwatch_hook *hook = nr < 0 ? NULL : hook_of(hooks, nr, name);

	snprintf(found, sizeof(found), "%s", hook ? hook->via : "no such hook");
	if (nr >= 0)
		free(hooks);
	return found;
}

/* Direct calls time only where the tests were run: there first hits are not looked at. */
static bool looks_at_first_hits(void)
{
	struct kvmwatch_hook *hooks;
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks));
	const struct kvmwatch_hook *hook = nr < 0 ? NULL : hook_of(hooks, nr, "vcpu_load");
	bool live = hook && strstr(hook->by, "+live");

	if (nr >= 0)
		free(hooks);
	return live;
}

static bool is_timed(void)
{
	return !strcmp(via("load_cost"), "direct") && !strcmp(via("put_cost"), "direct");
}

#define NEEDS_TIMES(statement) do {						\
	if (!is_timed())							\
		SKIP(statement, "no direct calls time load and put here");		\
} while (0)

TEST_F(direct, hooks_time_load_and_put_where_tests_were_run)
{
	bool direct = !strcmp(via("vcpu_load"), "direct");

	ASSERT_EQ(0, guest_run(self->g, 0, work_out(200)));
	if (!direct || WATCH_EVENTUALLY(is_timed() || looks_at_first_hits())) {
		EXPECT_NE(direct && !looks_at_first_hits(), !is_timed());
		EXPECT_STREQ(is_timed() ? "direct" : "", via("load_cost"));
		EXPECT_STREQ(is_timed() ? "direct" : "", via("put_cost"));
		return;
	}
	EXPECT_TRUE(false) TH_LOG("not timed, and not looked at");
}

/* Neither a parameter that says no nor one that leaves a hook out touches the other hooks. */
TEST_F(direct, hooks_time_nothing_that_is_not_wanted)
{
	NEEDS_TIMES(return);
	guest_free(self->g);
	self->g = NULL;
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load("via=direct load_cost=0"));
	EXPECT_STREQ("direct", via("vcpu_load"));
	EXPECT_STREQ("", via("load_cost"));
	EXPECT_STREQ("", via("put_cost"));
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load("via=direct without=load_cost"));
	EXPECT_STREQ("direct", via("vcpu_load"));
	EXPECT_STREQ("", via("load_cost"));
	EXPECT_STREQ("direct", via("put_cost"));
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(20)));
	EXPECT_EQ(~0ULL, watch_vcpu_stat(self->g, 0, "load_cost_ns"));
	EXPECT_LT(0, watch_vcpu_stat(self->g, 0, "put_cost_ns"));
}

/* What the function graph tracer measured of these functions: nanoseconds of so many calls. */
static int graphed(const char *const names[2], __u64 *ns, __u64 *nr)
{
	FILE *trace = fopen(TRACE, "re");
	char line[256];
	double us;

	*ns = 0;
	*nr = 0;
	if (!trace)
		return -errno;
	while (fgets(line, sizeof(line), trace)) {
		const char *at = strchr(line, ')');

		if (!at || !(strstr(at, names[0]) || strstr(at, names[1])))
			continue;
		/* A mark for calls that took long is ahead of the number. */
		at += 1 + strspn(at + 1, " $@*#!+");
		if (sscanf(at, "%lf us", &us) == 1) {
			*ns += us * 1000;
			++*nr;
		}
	}
	fclose(trace);
	return 0;
}

/* Trace only these functions. Who traced before may have left a small buffer. */
static int trace_by(const char *tracer, const char *functions)
{
	return machine_do(FILTER, functions) ?: machine_put(TRACER, tracer) ?:
	       machine_put(BUFFER, "1408") ?: machine_do(TRACE, "0");
}

/* What ftrace has of KVM's function contains ours, which contains what ftrace has of a part. */
TEST_F(direct, hooks_find_the_times_that_ftrace_finds)
{
	static const char *const all[] = { " kvm_arch_vcpu_load", " kvm_arch_vcpu_load" };
	static const char *const part[] = { " svm_vcpu_load", " vmx_vcpu_load" };
	__u64 ours, nr_ours, ns, nr, part_ns, part_nr;

	NEEDS_VM(return, "it has the machine's functions traced");
	NEEDS_TIMES(return);
	ASSERT_EQ(0, machine_put(WATCH_TRACEFS "/options/funcgraph-tail", "1"));
	ASSERT_EQ(0, trace_by("function_graph", "*_vcpu_load"));
	ours = watch_vcpu_stat(self->g, 0, "load_cost_ns");
	nr_ours = watch_vcpu_stat(self->g, 0, "loads");
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(200)));
	ours = watch_vcpu_stat(self->g, 0, "load_cost_ns") - ours;
	nr_ours = watch_vcpu_stat(self->g, 0, "loads") - nr_ours;
	ASSERT_EQ(0, graphed(all, &ns, &nr));
	ASSERT_EQ(0, graphed(part, &part_ns, &part_nr));
	TH_LOG("%llu calls: %llu ns; by ftrace %llu and %llu, %llu ns, of which %llu in a part",
	       nr_ours, ours, nr, part_nr, ns, part_ns);
	EXPECT_LE(200, nr_ours);
	ASSERT_EQ(nr_ours, nr);
	ASSERT_EQ(nr_ours, part_nr);
	EXPECT_LT(ours, ns);
	EXPECT_GT(ours, part_ns);
}

/* Of each stack in the trace: does it reach from the function to the system call? */
static int stacks(const char *function, int *nr, int *whole)
{
	FILE *trace = fopen(TRACE, "re");
	bool in = false, has = false;
	char line[256];

	*nr = 0;
	*whole = 0;
	if (!trace)
		return -errno;
	while (fgets(line, sizeof(line), trace)) {
		if (strstr(line, "<stack trace>")) {
			in = true;
			has = false;
			++*nr;
		}
		has |= in && strstr(line, function);
		if (in && has && strstr(line, "entry_SYSCALL_64")) {
			++*whole;
			in = false;
		}
	}
	fclose(trace);
	return 0;
}

/* The vendor's part of a load runs below the thunk: in a system call, and in the scheduler. */
TEST_F(direct, stacks_are_whole_inside_of_load)
{
	static const char *const vendors[] = { "svm_vcpu_load", "vmx_vcpu_load" };
	int nr, whole;

	NEEDS_VM(return, "it has the machine's functions traced");
	NEEDS_TIMES(return);
	ASSERT_EQ(0, machine_put(STACKS, "1"));
	ASSERT_EQ(0, trace_by("function", vendors[0]) && trace_by("function", vendors[1]));
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(20)));
	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 5));
	ASSERT_EQ(0, stacks("kvmw_direct_load_cost", &nr, &whole));
	EXPECT_LE(25, nr);
	EXPECT_EQ(nr, whole);
}

/* Unloaded in the midst of loads and puts, in system calls and in the scheduler. */
TEST_F_TIMEOUT(direct, hooks_go_while_vcpus_are_loaded_and_put, 300)
{
	struct guest *g;
	int i;

	NEEDS_TIMES(return);
	guest_free(self->g);
	self->g = guest_new(3, 0);
	g = self->g;
	ASSERT_NE(NULL, g);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, guest_pin(g, i, 0));
	ASSERT_EQ(0, guest_start(g, 0, work_out(GUEST_FOREVER)));
	ASSERT_EQ(0, guest_start(g, 1, work_spin()));
	ASSERT_EQ(0, guest_start(g, 2, work_halt(GUEST_FOREVER, GUEST_WAKE_LAPIC, 300000)));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, watch_unload_patiently());
		ASSERT_EQ(0, watch_load("via=direct"));
		usleep(20000);
	}
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_vcpu_stat(g, 2, "load_cost_ns") != ~0ULL &&
				     watch_vcpu_stat(g, 2, "load_cost_ns")));
	EXPECT_EQ(1, watch_audit(g, NULL));
}

TEST_HARNESS_MAIN
