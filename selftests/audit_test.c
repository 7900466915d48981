// SPDX-License-Identifier: GPL-2.0
/*
 * Audits: kvmwatch compares its mapped pages with KVM's, its dirty marks with the bits that KVM's
 * logs got, and exits, halts and loads of vCPUs with KVM's counts. They agree whatever a guest
 * does. They differ if a hook is missing: then kvmwatch counts mapped pages again, and withdraws
 * other statistics.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "machine.h"
#include "oracle.h"
#include "vendor.h"
#include "watch.h"

#define UNAVAILABLE	(~0ULL)
#define GPA		0x40000000ULL
#define PAGES		2000

static int touch(struct guest *g, unsigned int first, unsigned int pages)
{
	return guest_run(g, 0, work_write(GPA + first * GUEST_PAGE, pages, GUEST_PAGE, 1));
}

static struct guest *new_guest(void)
{
	struct guest *g = guest_new(1, 0);

	if (g && guest_slot_add(g, 1, GPA, PAGES, GUEST_MEM_4K, 0)) {
		guest_free(g);
		return NULL;
	}
	return g;
}

/* A number of a stats fd; the VM may have ended. */
static __u64 number(int fd, const char *name)
{
	__u64 value;

	return oracle_read(fd, name, &value) ? UNAVAILABLE : value;
}

/* Tell the runner that the kernel's messages so far were expected. */
static void forget_messages(void)
{
	machine_expected_messages();
}

/*
 * Load kvmwatch with other parameters. Tests count audits, so none run by themselves unless @more
 * says so.
 */
static int load_with(const char *more)
{
	char args[160];

	snprintf(args, sizeof(args), "%s audit_seconds=0 %s", getenv("MODARGS") ?: "", more);
	if (watch_unload_patiently())
		return -EBUSY;
	return watch_load(args);
}

static bool parameter_is(const char *name, const char *value)
{
	char path[64], is[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/kvmwatch/parameters/%s", name);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fgets(is, sizeof(is), f))
		is[strcspn(is, "\n")] = '\0';
	fclose(f);
	return !strcmp(is, value);
}

/*
 * Load kvmwatch with all hooks and without audits by itself, if that is not so: it takes a second.
 */
static int load_without_audits(void)
{
	if (parameter_is("audit_seconds", "0") && parameter_is("drop", ""))
		return 0;
	return load_with("");
}

FIXTURE(audit) {
	struct guest *g;
};

FIXTURE_SETUP(audit)
{
	ASSERT_EQ(0, load_without_audits());
	self->g = new_guest();
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(audit)
{
	guest_free(self->g);
}

TEST_F(audit, each_is_counted_and_agrees)
{
	struct kvmwatch_audit first, then;

	ASSERT_EQ(0, touch(self->g, 0, 100));
	ASSERT_EQ(1, watch_audit(self->g, &first));
	ASSERT_EQ(0, touch(self->g, 100, 50));
	ASSERT_EQ(0, guest_slot_discard(self->g, 1, 20, 30));
	ASSERT_EQ(1, watch_audit(self->g, &then));
	EXPECT_EQ(first.audits + 2, then.audits);	/* one of leaves, one of vCPUs */
	EXPECT_EQ(0, then.failures);
	EXPECT_EQ(then.audits, watch_vm_stat(self->g, "audits"));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
}

TEST_F(audit, at_any_moment_of_a_guest_at_work_agrees)
{
	int i;

	ASSERT_EQ(0, guest_start(self->g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1000000)));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, guest_slot_discard(self->g, 1, i * 10, 500));
		ASSERT_EQ(1, watch_audit(self->g, NULL));
	}
	EXPECT_EQ(0, guest_stop(self->g, 0));
	EXPECT_EQ(0, guest_wait(self->g, 0, 10000));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
}

TEST_F(audit, the_last_is_when_the_vm_is_gone)
{
	int fd = watch_vm(self->g);
	__u64 before;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, touch(self->g, 0, 300));
	before = number(fd, "audits");
	guest_free(self->g);
	self->g = NULL;
	ASSERT_EQ(0, watch_wait_ended(fd));
	EXPECT_EQ(before + 2, number(fd, "audits"));
	EXPECT_EQ(0, number(fd, "audit_failures"));
	close(fd);
}

TEST_F(audit, rejects_unknown_vms)
{
	struct kvmwatch_audit arg = { .size = sizeof(arg), .vm = ~0ULL };
	int dev = watch_device();

	ASSERT_LE(0, dev);
	EXPECT_EQ(-1, ioctl(dev, KVMWATCH_AUDIT, &arg));
	EXPECT_EQ(ENOENT, errno);
	arg.size--;
	EXPECT_EQ(-1, ioctl(dev, KVMWATCH_AUDIT, &arg));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(dev, KVMWATCH_AUDIT, NULL));
	EXPECT_EQ(EFAULT, errno);
	close(dev);
}

/* --- with other parameters ---------------------------------------------------- */

TEST(audits_come_by_themselves_from_time_to_time)
{
	struct guest *g;
	__u64 before;

	ASSERT_EQ(0, load_with("audit_seconds=1"));
	g = new_guest();
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, touch(g, 0, 100));
	before = watch_vm_stat(g, "audits");
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_vm_stat(g, "audits") >= before + 2));
	EXPECT_EQ(0, watch_vm_stat(g, "audit_failures"));
	guest_free(g);
	ASSERT_EQ(0, load_with("audit_seconds=0"));
	g = new_guest();
	ASSERT_NE(NULL, g);
	sleep(3);
	EXPECT_EQ(0, watch_vm_stat(g, "audits"));
	guest_free(g);
	EXPECT_EQ(0, watch_unload_patiently());
	EXPECT_EQ(0, watch_load(NULL));
}

FIXTURE(dropped) {
	struct guest *g;
};

/* A dropped hook, and which MMU it is needed for. */
FIXTURE_VARIANT(dropped) {
	const char *hook;
	int tdp_mmu;
};

FIXTURE_VARIANT_ADD(dropped, spte_change) { .hook = "spte_change", .tdp_mmu = 1 };
FIXTURE_VARIANT_ADD(dropped, rmap_add) { .hook = "rmap_add" };
FIXTURE_VARIANT_ADD(dropped, rmap_zap) { .hook = "rmap_zap" };

static int vendor_with(const char *args)
{
	return vendor_unload() ?: vendor_load(args);
}

static int has_tdp_mmu(void)
{
	return !system("grep -qs Y /sys/module/kvm/parameters/tdp_mmu");
}

/* The harness runs a test even if its fixture skips, so the tests check it. */
static const char no_guest[] = "KVM does not use a TDP MMU here";

FIXTURE_SETUP(dropped)
{
	char args[40];

	self->g = NULL;
	if (variant->tdp_mmu && !has_tdp_mmu())
		return;
	if (!variant->tdp_mmu) {
		NEEDS_MACHINE(FROM_SETUP, "it reloads KVM without nested paging");
		ASSERT_EQ(0, vendor_with(vendor_without_tdp()));
	}
	snprintf(args, sizeof(args), "drop=%s", variant->hook);
	ASSERT_EQ(0, load_with(args));
	self->g = new_guest();
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(dropped)
{
	if (variant->tdp_mmu && !has_tdp_mmu())
		return;
	guest_free(self->g);
	if (!variant->tdp_mmu)
		EXPECT_EQ(0, vendor_with(""));
	EXPECT_EQ(0, watch_unload_patiently());
	EXPECT_EQ(0, watch_load(NULL));
	forget_messages();
}

/* Map and unmap pages, which only the dropped hook sees. */
static int go_wrong(struct guest *g, int round)
{
	int err = touch(g, round * 200, 100);

	return err ? err : guest_slot_discard(g, 1, round * 200, 40);
}

TEST_F(dropped, fails_the_audit_and_the_one_at_the_vms_end)
{
	struct kvmwatch_audit answer;
	int fd, round;

	if (!self->g)
		SKIP(return, "%s", no_guest);
	fd = watch_vm(self->g);
	ASSERT_LE(0, fd);
	EXPECT_NE(KVMWATCH_WITHDRAWN, number(fd, "map_4k"));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, go_wrong(self->g, round));
		ASSERT_EQ(0, watch_audit(self->g, &answer));
		EXPECT_EQ(round + 1ULL, answer.failures);
		/* kvmwatch counts the page tables again, and mapped_4k is available again. */
		ASSERT_TRUE(WATCH_EVENTUALLY(watch_vm_stat(self->g, "mapped_4k") != UNAVAILABLE));
		EXPECT_EQ(1, watch_audit(self->g, NULL));
		EXPECT_LE(60ULL * (round + 1), watch_vm_stat(self->g, "mapped_4k"));
		EXPECT_EQ(60ULL * (round + 1), watch_slot_stat(self->g, 1, "mapped_4k"));
	}
	EXPECT_EQ(3, watch_vm_stat(self->g, "audit_failures"));
	/* The missed maps and unmaps are unknown from now on. */
	EXPECT_EQ(UNAVAILABLE, watch_vm_stat(self->g, "map_4k"));
	EXPECT_EQ(UNAVAILABLE, watch_vm_stat(self->g, "huge_splits"));
	EXPECT_EQ(UNAVAILABLE, watch_vm_stat(self->g, "mapped_bytes_peak"));
	/* An fd that was open says so too. */
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "map_4k"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "huge_splits"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "mapped_bytes_peak"));
	EXPECT_EQ(watch_vm_stat(self->g, "mapped_4k"), number(fd, "mapped_4k"));
	EXPECT_EQ(3, number(fd, "audit_failures"));
	close(fd);

	/* A VM that is audited only at its end: */
	guest_free(self->g);
	self->g = new_guest();
	ASSERT_NE(NULL, self->g);
	fd = watch_vm(self->g);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, go_wrong(self->g, 0));
	guest_free(self->g);
	self->g = NULL;
	ASSERT_EQ(0, watch_wait_ended(fd));
	EXPECT_EQ(2, number(fd, "audits"));
	/* Without spte_change neither maps nor unmaps are counted: at the end, 0 is right. */
	EXPECT_EQ(strcmp(variant->hook, "spte_change") ? 1 : 0, number(fd, "audit_failures"));
	close(fd);
}

/* --- VMs whose page tables kvmwatch cannot read ---------------------------------- */

/*
 * The test machine has no TDX, so the module treats ordinary VMs as TDX VMs. Statistics that are
 * known for TDX VMs stay available.
 */
TEST(vms_with_opaque_page_tables_are_not_audited)
{
	const char *const gone[] = {
		"mapped_4k", "mapped_bytes", "mapped_bytes_peak", "map_4k", "unmap_2m",
		"huge_splits", "exit_reasons",
	};
	struct guest *g[2];
	unsigned int i, j;

	g[0] = new_guest();
	ASSERT_NE(NULL, g[0]);
	ASSERT_EQ(0, touch(g[0], 0, 100));
	ASSERT_EQ(0, load_with("opaque_type=0"));
	g[1] = new_guest();
	ASSERT_NE(NULL, g[1]);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, touch(g[i], 0, 200));
		ASSERT_EQ(0, guest_slot_discard(g[i], 1, 50, 100));
		ASSERT_EQ(0, guest_dirty_log(g[i], 1, 1));
		ASSERT_EQ(0, touch(g[i], 0, 300));
		for (j = 0; j < ARRAY_SIZE(gone); j++)
			EXPECT_EQ(UNAVAILABLE, watch_vm_stat(g[i], gone[j]));
		EXPECT_EQ(UNAVAILABLE, watch_slot_stat(g[i], 1, "mapped_4k"));
		EXPECT_EQ(300, watch_slot_stat(g[i], 1, "dirty_pages"));
		EXPECT_EQ(watch_marks_are_hidden() ? UNAVAILABLE : 300,
			  watch_slot_stat(g[i], 1, "dirty_marks_new"));
		EXPECT_LT(0, watch_vm_stat(g[i], "exits"));
		EXPECT_EQ(0, watch_vm_stat(g[i], "lost_events"));
		EXPECT_EQ(-EOPNOTSUPP, watch_audit(g[i], NULL));
		EXPECT_EQ(-EOPNOTSUPP, watch_audit(g[i], NULL));
		EXPECT_EQ(0, watch_vm_stat(g[i], "audit_failures"));
	}
	guest_free(g[1]);
	/* kvmwatch audits the VM if VMs of another type than its are opaque. */
	ASSERT_EQ(0, load_with("opaque_type=5"));
	ASSERT_TRUE(WATCH_EVENTUALLY(watch_audit(g[0], NULL) == 1));
	EXPECT_LE(300, watch_vm_stat(g[0], "mapped_4k"));
	guest_free(g[0]);
	EXPECT_EQ(0, watch_unload_patiently());
	EXPECT_EQ(0, watch_load(NULL));
}

/* --- dirty marks --------------------------------------------------------------- */

/* Whether the VMM clears the log by a call of its own. */
FIXTURE(marks) {
	struct guest *g;
};

FIXTURE_VARIANT(marks) {
	__u64 manual;		/* KVM_DIRTY_LOG_* */
};

FIXTURE_VARIANT_ADD(marks, get) { };
FIXTURE_VARIANT_ADD(marks, clear) { .manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE };
FIXTURE_VARIANT_ADD(marks, initially_set) {
	.manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET,
};

static struct guest *new_logged(__u64 manual, unsigned int vcpus)
{
	struct guest *g = guest_new(vcpus, 0);

	if (g && ((manual && guest_dirty_manual(g, manual)) ||
		  guest_slot_add(g, 1, GPA, PAGES, GUEST_MEM_4K, 0) ||
		  guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)) ||
		  guest_dirty_log(g, 1, 1))) {
		guest_free(g);
		return NULL;
	}
	return g;
}

/* Collect the whole log; by KVM_CLEAR_DIRTY_LOG in three parts. */
static int collect(struct guest *g, __u64 manual)
{
	long got = guest_dirty_get(g, 1, NULL);

	if (got < 0 || !manual)
		return got < 0 ? got : 0;
	return guest_dirty_clear(g, 1, 0, 640, NULL) ?: guest_dirty_clear(g, 1, 640, 640, NULL) ?:
	       guest_dirty_clear(g, 1, 1280, PAGES - 1280, NULL);
}

FIXTURE_SETUP(marks)
{
	ASSERT_EQ(0, load_without_audits());
	self->g = new_logged(variant->manual, 1);
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(marks)
{
	guest_free(self->g);
}

/* Without any of these hooks there is nothing that an audit could compare. */
static bool marks_are_not_audited(void)
{
	return watch_marks_are_hidden() || watch_collects_are_hidden();
}

#define NOT_AUDITED	"clang has put functions that mark, or collect, into their callers"

TEST_F(marks, agree_with_what_the_vmm_collects)
{
	struct kvmwatch_audit first, then;
	int round;

	if (marks_are_not_audited())
		SKIP(return, NOT_AUDITED);
	ASSERT_EQ(1, watch_audit(self->g, NULL));
	ASSERT_EQ(0, collect(self->g, variant->manual));
	ASSERT_EQ(1, watch_audit(self->g, NULL));
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(1, watch_audit(self->g, &first));
		ASSERT_EQ(0, touch(self->g, round * 100, 700));
		if (round % 2)
			ASSERT_EQ(0, collect(self->g, variant->manual));
		ASSERT_EQ(1, watch_audit(self->g, &then));
		EXPECT_EQ(first.audits + 3, then.audits);	/* leaves, marks, vCPUs */
		EXPECT_EQ(0, then.failures);
	}
	EXPECT_NE(UNAVAILABLE, watch_vm_stat(self->g, "dirty_marks_new"));
}

TEST_F(marks, begin_again_with_each_log)
{
	int round;

	for (round = 0; round < 4; round++) {
		ASSERT_EQ(1, watch_audit(self->g, NULL));
		ASSERT_EQ(0, touch(self->g, 0, 500));
		if (round % 2)
			ASSERT_EQ(1, watch_audit(self->g, NULL));
		ASSERT_EQ(0, guest_dirty_log(self->g, 1, 0));
		ASSERT_EQ(0, touch(self->g, 500, 300));
		if (round / 2)
			ASSERT_EQ(1, watch_audit(self->g, NULL));
		ASSERT_EQ(0, guest_dirty_log(self->g, 1, 1));
	}
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
}

TEST_F(marks, of_a_log_from_before_insmod_agree)
{
	ASSERT_EQ(0, touch(self->g, 0, 900));
	ASSERT_EQ(0, load_with(""));
	ASSERT_TRUE(WATCH_EVENTUALLY(watch_audit(self->g, NULL) == 1));
	ASSERT_EQ(0, touch(self->g, 500, 900));
	ASSERT_EQ(0, collect(self->g, variant->manual));
	ASSERT_EQ(1, watch_audit(self->g, NULL));
	ASSERT_EQ(0, touch(self->g, 0, PAGES));
	ASSERT_EQ(1, watch_audit(self->g, NULL));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
}

/* The hook that sees marks by faults: 5.10 has a separate one. */
static const char *hook_of_faults(void)
{
	struct kvmwatch_hook *hooks = NULL;
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks)), i;
	const char *name = "dirty_mark";

	for (i = 0; i < nr; i++)
		if (!strcmp(hooks[i].name, "dirty_mark_vcpu"))
			name = "dirty_mark_vcpu";
	free(hooks);
	return name;
}

TEST_F(marks, that_a_hook_misses_are_found)
{
	const char *const gone[] = {
		"dirty_marks", "dirty_marks_new", "dirty_marks_fault", "dirty_marks_host",
	};
	char args[48];
	__u64 before;
	int i, fd;

	if (marks_are_not_audited())
		SKIP(return, NOT_AUDITED);
	guest_free(self->g);
	snprintf(args, sizeof(args), "drop=%s", hook_of_faults());
	ASSERT_EQ(0, load_with(args));
	self->g = new_logged(variant->manual, 1);
	ASSERT_NE(NULL, self->g);
	fd = watch_vm(self->g);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, collect(self->g, variant->manual));
	ASSERT_EQ(1, watch_audit(self->g, NULL));
	EXPECT_NE(UNAVAILABLE, watch_vm_stat(self->g, "dirty_marks_new"));

	ASSERT_EQ(0, touch(self->g, 0, 400));
	ASSERT_EQ(0, collect(self->g, variant->manual));
	ASSERT_EQ(0, touch(self->g, 0, 400));
	EXPECT_EQ(400, watch_slot_stat(self->g, 1, "dirty_pages"));
	before = number(fd, "audit_failures");
	ASSERT_EQ(0, watch_audit(self->g, NULL));
	EXPECT_EQ(before + 1, number(fd, "audit_failures"));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(UNAVAILABLE, watch_vm_stat(self->g, gone[i]));
		EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, gone[i]));
	}
	EXPECT_EQ(UNAVAILABLE, watch_vcpu_stat(self->g, 0, "dirty_marks"));
	EXPECT_EQ(UNAVAILABLE, watch_slot_stat(self->g, 1, "dirty_marks_new"));
	/* Numbers that KVM keeps, or that other hooks count, stay available. */
	EXPECT_EQ(400, watch_slot_stat(self->g, 1, "dirty_pages"));
	EXPECT_LE(PAGES, watch_vm_stat(self->g, "mapped_4k"));
	EXPECT_NE(UNAVAILABLE, watch_vm_stat(self->g, "map_4k"));
	close(fd);
	guest_free(self->g);
	self->g = NULL;
	EXPECT_EQ(0, watch_unload_patiently());
	EXPECT_EQ(0, watch_load(NULL));
	forget_messages();
}

/* Two vCPUs mark the same pages while the log is collected: the largest allowed differences. */
TEST_F_TIMEOUT(marks, at_any_moment_of_a_storm_agree, 120)
{
	int i, vcpu, rounds = 48;

	guest_free(self->g);
	self->g = new_logged(variant->manual, 2);
	ASSERT_NE(NULL, self->g);
	for (vcpu = 0; vcpu < 2; vcpu++)
		ASSERT_EQ(0, guest_start(self->g, vcpu, work_write(GPA, PAGES, GUEST_PAGE,
								   GUEST_FOREVER)));
	for (i = 0; i < rounds; i++) {
		if (i % 12 == 11) {
			ASSERT_EQ(0, guest_dirty_log(self->g, 1, 0));
			ASSERT_EQ(0, guest_dirty_log(self->g, 1, 1));
		}
		ASSERT_EQ(0, collect(self->g, variant->manual));
		if (i % 3 == 0)
			EXPECT_NE(0, watch_audit(self->g, NULL));
	}
	for (vcpu = 0; vcpu < 2; vcpu++) {
		guest_stop(self->g, vcpu);
		EXPECT_EQ(0, guest_wait(self->g, vcpu, -1));
	}
	EXPECT_EQ(1, watch_audit(self->g, NULL));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
}

/* --- vCPUs --------------------------------------------------------------------- */

FIXTURE(vcpus) {
	struct guest *g;
};

FIXTURE_SETUP(vcpus)
{
	ASSERT_EQ(0, load_without_audits());
	self->g = guest_new(2, 0);
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(vcpus)
{
	guest_free(self->g);
}

/* KVM's own count, of all vCPUs of the VM. */
static __u64 kvms(struct guest *g, const char *name)
{
	__u64 value;

	return oracle_debugfs(guest_name(g), name, &value) ? UNAVAILABLE : value;
}

#define EXITS		300
#define MSR_CORE_THREADS	0x35
#define HALTS		40
#define SHORT_HALTS	10

TEST_F(vcpus, agree_on_so_many_exits_and_halts)
{
	__u64 exits = kvms(self->g, "exits"), hlts = kvms(self->g, "halt_exits"), waits;
	struct kvmwatch_audit first, then;

	ASSERT_EQ(1, watch_audit(self->g, &first));
	waits = watch_vm_stat(self->g, "wakeups_wait");
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(EXITS)));
	ASSERT_EQ(0, guest_halt_asleep(self->g, 1, HALTS));
	ASSERT_EQ(1, watch_audit(self->g, &then));
	EXPECT_EQ(first.audits + 2, then.audits);
	EXPECT_EQ(0, then.failures);
	/* The audits agreed on these numbers, which are those of the work. */
	EXPECT_LE(exits + EXITS + HALTS, watch_vm_stat(self->g, "exits"));
	EXPECT_EQ(hlts + HALTS, kvms(self->g, "halt_exits"));
	EXPECT_EQ(waits + HALTS, watch_vm_stat(self->g, "wakeups_wait"));
	if (!vendor_is_intel())
		EXPECT_EQ(kvms(self->g, "exits"), watch_vm_stat(self->g, "exits"));
}

/* As QEMU does since 7.2: all MSRs are allowed but one, which userspace answers for. */
static int filter_msrs(struct guest *g)
{
	__u8 denied = 0;
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] = {
			.flags = KVM_MSR_FILTER_READ, .nmsrs = 1, .base = MSR_CORE_THREADS,
			.bitmap = &denied,
		},
	};

	return ioctl(guest_vm_fd(g), KVM_X86_SET_MSR_FILTER, &filter) ? -errno : 0;
}

/* The filter may come before a VM's first exit, and also between two audits. */
TEST_F(vcpus, with_an_msr_filter_agree)
{
	__u64 exits;

	ASSERT_EQ(0, guest_run(self->g, 1, work_rdmsr(EXITS)));
	ASSERT_EQ(1, watch_audit(self->g, NULL));
	ASSERT_EQ(0, filter_msrs(self->g));
	exits = watch_vm_stat(self->g, "exits");
	ASSERT_EQ(0, guest_run(self->g, 0, work_rdmsr(EXITS)));
	ASSERT_EQ(0, guest_run(self->g, 1, work_rdmsr(EXITS)));
	EXPECT_EQ(1, watch_audit(self->g, NULL));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
	EXPECT_LE(exits + 2 * EXITS, watch_vm_stat(self->g, "exits"));
}

static int exit_and_halt(struct guest *g)
{
	return guest_start(g, 0, work_cpuid(GUEST_FOREVER)) ?:
	       guest_start(g, 1, work_halt(GUEST_FOREVER, GUEST_WAKE_LAPIC, 50000));
}

static int stop_both(struct guest *g)
{
	guest_stop(g, 0);
	guest_stop(g, 1);
	return guest_wait(g, 0, -1) ?: guest_wait(g, 1, -1);
}

TEST_F_TIMEOUT(vcpus, at_any_moment_of_guests_at_work_agree, 120)
{
	__u64 audits;
	int i;

	ASSERT_EQ(0, exit_and_halt(self->g));
	audits = watch_vm_stat(self->g, "audits");
	for (i = 0; i < 200; i++)
		EXPECT_EQ(1, watch_audit(self->g, NULL));
	/* Each audit compares leaves; those above 200 compared vCPUs. */
	EXPECT_LT(audits + 200, watch_vm_stat(self->g, "audits"));
	EXPECT_EQ(0, stop_both(self->g));
	EXPECT_EQ(1, watch_audit(self->g, NULL));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
}

TEST_F_TIMEOUT(vcpus, from_before_insmod_agree, 120)
{
	int round, i;

	for (round = 0; round < 4; round++) {
		ASSERT_EQ(0, exit_and_halt(self->g));
		ASSERT_EQ(0, load_with(""));
		ASSERT_TRUE(WATCH_EVENTUALLY(watch_audit(self->g, NULL) == 1));
		for (i = 0; i < 20; i++)
			EXPECT_EQ(1, watch_audit(self->g, NULL));
		EXPECT_EQ(0, stop_both(self->g));
		EXPECT_EQ(1, watch_audit(self->g, NULL));
		EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
		EXPECT_NE(UNAVAILABLE, watch_vm_stat(self->g, "exits"));
	}
}

/* Set a count of KVM to 0 for all vCPUs of the VM. */
static int set_kvms_to_0(struct guest *g, const char *name)
{
	char path[128];
	size_t len;
	int err = oracle_debugfs_dir(guest_name(g), path, sizeof(path));

	if (err)
		return err;
	len = strlen(path);
	snprintf(path + len, sizeof(path) - len, "/%s", name);
	return machine_put(path, "0");
}

TEST_F(vcpus, agree_when_somebody_sets_kvms_counts_to_0)
{
	static const char *const names[] = { "exits", "halt_successful_poll", "io_exits" };
	unsigned int i;
	int round;

	NEEDS_MACHINE(return, "it writes to KVM's files in debugfs");
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(EXITS >> round)));
		ASSERT_EQ(1, watch_audit(self->g, NULL));
		ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(10)));
		for (i = 0; i < ARRAY_SIZE(names); i++)
			ASSERT_EQ(0, set_kvms_to_0(self->g, names[i]));
		EXPECT_EQ(0, kvms(self->g, "exits"));
		ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(1 + round * 20)));
		EXPECT_EQ(1, watch_audit(self->g, NULL));
		EXPECT_EQ(1, watch_audit(self->g, NULL));
	}
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
	EXPECT_LE(EXITS, watch_vm_stat(self->g, "exits"));
}

/* Audits find out what a dropped hook missed. */
FIXTURE(missed) {
	struct guest *g;
};

FIXTURE_VARIANT(missed) {
	const char *hook;
	const char *gone[3];
	const char *stays[3];
};

FIXTURE_VARIANT_ADD(missed, exit) {
	.hook = "exit", .gone = { "exits", "exit_time_ns" },
	.stays = { "halts", "loads", "user_exits" },
};

FIXTURE_VARIANT_ADD(missed, wakeup) {
	.hook = "wakeup", .gone = { "halts", "wakeups_wait", "halt_poll_grow" },
	.stays = { "exits", "loads", "user_exits" },
};

FIXTURE_VARIANT_ADD(missed, vcpu_put) {
	.hook = "vcpu_put", .gone = { "puts", "on_cpu_ns", "halts" },
	.stays = { "exits", "map_4k", "mapped_4k" },
};

FIXTURE_VARIANT_ADD(missed, vcpu_load) {
	.hook = "vcpu_load", .gone = { "loads", "off_cpu_ns", "dirty_marks" },
	.stays = { "exits", "map_4k", "mapped_4k" },
};

FIXTURE_SETUP(missed)
{
	char args[40];

	snprintf(args, sizeof(args), "drop=%s", variant->hook);
	ASSERT_EQ(0, load_with(args));
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(missed)
{
	guest_free(self->g);
	EXPECT_EQ(0, watch_unload_patiently());
	EXPECT_EQ(0, watch_load(NULL));
	forget_messages();
}

/* On VMX, KVM counts exits for I/O, and on 5.10 only halts in which it polls. So do both. */
static int work_of_all_kinds(struct guest *g)
{
	/* Let KVM poll after a halt shorter than this. */
	struct kvm_enable_cap poll = { .cap = KVM_CAP_HALT_POLL, .args = { 2000000000 } };

	if (ioctl(guest_vm_fd(g), KVM_ENABLE_CAP, &poll))
		return -errno;
	return guest_run(g, 0, work_out(EXITS)) ?: guest_halt_asleep(g, 0, SHORT_HALTS);
}

TEST_F(missed, fails_the_audit_and_the_one_at_the_vms_end)
{
	__u64 before;
	int i, fd;

	fd = watch_vm(self->g);
	ASSERT_LE(0, fd);
	for (i = 0; i < 3 && variant->gone[i]; i++)
		EXPECT_NE(watch_marks_are_hidden() && !strcmp(variant->gone[i], "dirty_marks"),
			  number(fd, variant->gone[i]) != KVMWATCH_WITHDRAWN);
	before = number(fd, "audit_failures");
	ASSERT_EQ(0, work_of_all_kinds(self->g));
	ASSERT_EQ(0, watch_audit(self->g, NULL));
	EXPECT_EQ(before + 1, number(fd, "audit_failures"));
	for (i = 0; i < 3 && variant->gone[i]; i++) {
		EXPECT_EQ(UNAVAILABLE, watch_vm_stat(self->g, variant->gone[i]));
		EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, variant->gone[i]));
		EXPECT_EQ(UNAVAILABLE, watch_vcpu_stat(self->g, 0, variant->gone[i]));
	}
	for (i = 0; i < 3; i++)
		EXPECT_NE(UNAVAILABLE, watch_vm_stat(self->g, variant->stays[i]));
	close(fd);

	/* A VM that is audited only at its end: */
	guest_free(self->g);
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	fd = watch_vm(self->g);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, work_of_all_kinds(self->g));
	guest_free(self->g);
	self->g = NULL;
	ASSERT_EQ(0, watch_wait_ended(fd));
	EXPECT_EQ(1, number(fd, "audit_failures"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, variant->gone[0]));
	close(fd);
}

TEST_HARNESS_MAIN
