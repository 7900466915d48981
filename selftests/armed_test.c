// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody switches hooks off, before kvmwatch is loaded or later. Their statistics become
 * unavailable in every interface. When the hooks are switched on again, no number lacks the events
 * that were missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define UNAVAILABLE	(~0ULL)
#define FTRACE		"/proc/sys/kernel/ftrace_enabled"
#define KPROBES		"/sys/kernel/debug/kprobes/enabled"
#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		2000

static const char off_reason[] = "switched off";

/* --- state of kvmwatch ------------------------------------------------------------ */

static int load_with(const char *args)
{
	int err = watch_unload_patiently();

	return err && err != -ENOENT ? err : watch_load(args);
}

static struct guest *new_guest(unsigned int pages)
{
	struct guest *g = guest_new(1, 0);

	if (g && (guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0) ||
		  guest_run(g, 0, work_write(GPA, pages, GUEST_PAGE, 1)))) {
		guest_free(g);
		return NULL;
	}
	return g;
}

static int touch(struct guest *g, unsigned int first, unsigned int pages)
{
	return guest_run(g, 0, work_write(GPA + first * GUEST_PAGE, pages, GUEST_PAGE, 1));
}

static __u64 number(int fd, const char *name)
{
	__u64 value;

	return oracle_read(fd, name, &value) ? UNAVAILABLE : value;
}

static bool info(struct kvmwatch_info *info)
{
	int dev = watch_device(), err;

	*info = (struct kvmwatch_info) { .size = sizeof(*info) };
	err = ioctl(dev, KVMWATCH_INFO, info);
	close(dev);
	return !err;
}

/* KVMWATCH_INFO says that nothing is watched, and why. */
static bool is_blind(void)
{
	struct kvmwatch_info it;

	return info(&it) && it.flags & KVMWATCH_INFO_BLIND && strstr(it.why, off_reason);
}

static bool sees(void)
{
	struct kvmwatch_info it;

	return info(&it) && !it.flags && !*it.why;
}

/* Number of attached hooks; or with @name, 1 if that hook is attached. */
static int attached(const char *name)
{
	struct kvmwatch_hook *hooks;
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks)), i, n = 0;

	for (i = 0; i < nr; i++)
		n += hooks[i].flags & KVMWATCH_HOOK_ATTACHED &&
		     (!name || !strcmp(hooks[i].name, name));
	if (nr >= 0)
		free(hooks);
	return n;
}

static int vms(void)
{
	struct kvmwatch_vm *all;
	int nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&all, sizeof(*all));

	if (nr >= 0)
		free(all);
	return nr;
}

static __u64 id_of(struct guest *g)
{
	struct kvmwatch_vm vm;

	return watch_find(g, &vm) ? UNAVAILABLE : vm.id;
}

static bool table_says(const char *table, const char *what)
{
	char *text = watch_debugfs_table(table);
	bool says = text && strstr(text, what);

	free(text);
	return says;
}

/* Number of lines of the kernel's log that contain both strings. */
static int told(const char *what, const char *more)
{
	static char log[1 << 18];
	char *line, *next;
	int n = 0, size = klogctl(3 /* read all */, log, sizeof(log) - 1);

	log[size > 0 ? size : 0] = '\0';
	for (line = log; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		n += strstr(line, what) && strstr(line, more);
	}
	return n;
}

/* The commands of the tool that look at VMs say that nothing is watched, and fail. */
static const char *const commands[] = {
	"list", "list --json", "top --json -n 1", "stat", "vcpu", "vcpu -C", "exits", "audit",
	"dirty --rate", "dirty --hot -t 1", "wakeups -t 1", "haltpoll -t 1", "dirty -t 1",
	"pages -t 1", "record -t 1", "list -p 1",
};

static const char *unaware_command(const char *why)
{
	static char what[512];
	char command[128];
	int status;
	size_t i;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		char said[300] = "";

		snprintf(command, sizeof(command), "kvmwatch %s 2>&1 </dev/null", commands[i]);
		f = popen(command, "r");
		if (!f)
			return "popen";
		said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
		status = pclose(f);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 || !strstr(said, why)) {
			snprintf(what, sizeof(what), "%s: %d: %.300s", commands[i], status, said);
			return what;
		}
	}
	return "";
}

#define VIEWS_MAP_EVENTS WATCH_TRACEFS "/instances/kvmwatch-view-*/events/kvmwatch/kvmwatch_map"

/* Has a view switched its events on? */
static bool view_has_begun(void)
{
	char on = '0';
	glob_t found;
	FILE *f;

	if (glob(VIEWS_MAP_EVENTS "/enable", 0, NULL, &found))
		return false;
	f = fopen(found.gl_pathv[0], "r");
	if (f) {
		on = fgetc(f);
		fclose(f);
	}
	globfree(&found);
	return on == '1';
}

/* Start a live view of a VM. When this returns, the view records events. */
static FILE *begin_view(struct guest *g)
{
	char command[128];
	FILE *f;
	int i;

	snprintf(command, sizeof(command), "kvmwatch pages -p name:%s 2>&1 >/dev/null </dev/null",
		 guest_name(g));
	f = popen(command, "r");
	for (i = 0; f && i < 5000 * patience(); i++) {
		if (view_has_begun())
			return f;
		usleep(1000);
	}
	return NULL;
}

/* Wait until the view ends by itself. Returns its output. */
static const char *end_of_view(FILE *view, int *status)
{
	static char said[512];

	memset(said, 0, sizeof(said));
	(void)!fread(said, 1, sizeof(said) - 1, view);
	*status = pclose(view);
	return said;
}

static void forget_messages(void)
{
	klogctl(5 /* clear the log */, NULL, 0);
}

static int switch_all(const char *to)
{
	int err = machine_put(FTRACE, to);

	return machine_put(KPROBES, to) ?: err;
}

/* --- hooks that are off when kvmwatch is loaded, or are switched off later --------------- */

FIXTURE(off) {
	struct guest *g;
};

FIXTURE_VARIANT(off) {
	const char *via;
	const char *file;	/* "0" to it switches them off */
};

FIXTURE_VARIANT_ADD(off, auto_ftrace) { .via = "auto", .file = FTRACE };
FIXTURE_VARIANT_ADD(off, ftrace_ftrace) { .via = "ftrace", .file = FTRACE };
FIXTURE_VARIANT_ADD(off, direct_ftrace) { .via = "direct", .file = FTRACE };
FIXTURE_VARIANT_ADD(off, kprobe_ftrace) { .via = "kprobe", .file = FTRACE };
FIXTURE_VARIANT_ADD(off, kprobe_kprobes) { .via = "kprobe", .file = KPROBES };

/* Linux 7.3 refuses to switch off ftrace, with -EOPNOTSUPP. */
static bool stay_on(const char *file)
{
	int err = watch_unload_patiently();

	if (!err || err == -ENOENT)
		err = machine_put(file, "0");
	machine_put(file, "1");
	load_with(NULL);
	return err == -EOPNOTSUPP;
}

FIXTURE_SETUP(off)
{
	NEEDS_VM(FROM_SETUP, "it switches off ftrace or kprobes of all");
	if (stay_on(variant->file))
		SKIP(FROM_SETUP, "this kernel never switches them off");
	forget_messages();
	self->g = new_guest(100);
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(off)
{
	EXPECT_EQ(0, switch_all("1"));
	guest_free(self->g);
	EXPECT_EQ(0, load_with(NULL));
	forget_messages();
}

#define LOAD(more) ({								\
	char args_[96];								\
										\
	snprintf(args_, sizeof(args_), "via=%s audit_seconds=1 %s", variant->via, more); \
	load_with(args_);							\
})

/* Every interface says that nothing is watched. */
#define EXPECT_BLIND() do {							\
	EXPECT_TRUE(WATCH_EVENTUALLY(is_blind()));				\
	EXPECT_EQ(0, attached(NULL));						\
	EXPECT_TRUE(WATCH_EVENTUALLY(vms() == 0));				\
	EXPECT_TRUE(table_says("vms", "# nothing is watched: switched off"));	\
	EXPECT_TRUE(table_says("vcpus", "# nothing is watched: switched off"));	\
	EXPECT_TRUE(table_says("slots", "# nothing is watched: switched off"));	\
	EXPECT_TRUE(table_says("halt_poll", "# nothing is watched: switched off")); \
	EXPECT_TRUE(table_says("hooks", "# vm_init is missing: switched off"));	\
} while (0)

#define EXPECT_SEEN(g, pages) do {						\
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_slot_stat(g, SLOT, "mapped_4k") == (pages))); \
	EXPECT_EQ(1, watch_mapped_is_kvms(g));					\
	EXPECT_EQ(1, watch_audit(g, NULL));					\
} while (0)

TEST_F_TIMEOUT(off, before_insmod_nothing_is_watched_until_they_are_on, 200)
{
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, machine_put(variant->file, "0"));
	ASSERT_EQ(0, LOAD(""));
	ASSERT_EQ(0, touch(self->g, 100, 100));
	EXPECT_BLIND();
	EXPECT_STREQ("", unaware_command(off_reason));
	/* A VM that is created meanwhile is not seen either. */
	guest_free(self->g);
	self->g = new_guest(300);
	ASSERT_NE(NULL, self->g);
	EXPECT_EQ(0, vms());
	EXPECT_EQ(1, told("nothing is watched", off_reason));

	ASSERT_EQ(0, machine_put(variant->file, "1"));
	EXPECT_TRUE(WATCH_EVENTUALLY(sees()));
	EXPECT_EQ(1, vms());
	EXPECT_SEEN(self->g, 300ULL);
	ASSERT_EQ(0, touch(self->g, 300, 50));
	EXPECT_SEEN(self->g, 350ULL);
	EXPECT_EQ(50, watch_vm_stat(self->g, "map_4k"));
	EXPECT_EQ(1, told("hooks work again", ""));
}

TEST_F_TIMEOUT(off, after_insmod_what_was_known_is_withdrawn, 200)
{
	struct guest *other;
	__u64 id, exits;
	int fd, vcpu, status;
	const char *said;
	FILE *view;

	ASSERT_EQ(0, LOAD(""));
	EXPECT_SEEN(self->g, 100ULL);
	id = id_of(self->g);
	fd = watch_vm(self->g);
	vcpu = watch_vcpu(self->g, 0);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, vcpu);
	ASSERT_EQ(0, touch(self->g, 100, 10));
	EXPECT_EQ(10, number(fd, "map_4k"));
	exits = number(vcpu, "exits");

	if (strcmp(variant->via, "kprobe")) {
		/* ftrace refuses to be switched off, as kvmwatch uses it. */
		EXPECT_EQ(-EBUSY, machine_put(variant->file, "0"));
		ASSERT_EQ(0, touch(self->g, 110, 90));
		EXPECT_SEEN(self->g, 200ULL);
		EXPECT_LT(exits, number(vcpu, "exits"));
		goto out;
	}
	view = begin_view(self->g);
	ASSERT_NE(NULL, view);
	ASSERT_EQ(0, machine_put(variant->file, "0"));
	other = new_guest(10);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, touch(self->g, 110, 90));
	EXPECT_BLIND();
	/* The live view says that a hook is missing, and not that the VM has ended. */
	said = end_of_view(view, &status);
	EXPECT_EQ(1, WEXITSTATUS(status));
	EXPECT_NE(NULL, strstr(said, "hook missing: spte_change"));
	EXPECT_EQ(NULL, strstr(said, "has ended"));
	/* A read of an open fd says that its numbers are withdrawn. */
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "map_4k"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "mapped_4k"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(vcpu, "loads"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(vcpu, "halts"));
	guest_free(other);	/* unseen */
	sleep(3);
	/* Kprobes go off one by one. An audit meanwhile names only those that are off by then. */
	EXPECT_LE(1, told("are switched off", "kvmwatch: hooks "));
	EXPECT_EQ(1, told("nothing is watched", off_reason));

	ASSERT_EQ(0, machine_put(variant->file, "1"));
	EXPECT_TRUE(WATCH_EVENTUALLY(sees()));
	EXPECT_EQ(1, vms());
	EXPECT_SEEN(self->g, 200ULL);
	/* The VM has a new record, whose counts begin when hooks work again. */
	EXPECT_LT(id, id_of(self->g));
	EXPECT_EQ(0, watch_vm_stat(self->g, "map_4k"));
	ASSERT_EQ(0, touch(self->g, 200, 20));
	EXPECT_EQ(20, watch_vm_stat(self->g, "map_4k"));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "map_4k"));
out:
	close(fd);
	close(vcpu);
}

/* No hook sees a VM end while hooks are off. kvmwatch must not read its memory then. */
TEST_F_TIMEOUT(off, vms_that_end_meanwhile_are_not_read, 200)
{
	struct guest *many[8];
	int i, round;

	if (strcmp(variant->via, "kprobe"))
		SKIP(return, "these cannot be switched off");
	for (round = 0; round < 3; round++) {
		/* In round 0 no audit notices that hooks are off, in the others one does. */
		ASSERT_EQ(0, LOAD(round ? "" : "audit_seconds=600"));
		forget_messages();
		for (i = 0; i < 8; i++)
			ASSERT_NE(NULL, (many[i] = new_guest(20)));
		ASSERT_EQ(0, machine_put(variant->file, "0"));
		for (i = 0; i < 8; i++)
			guest_free(many[i]);
		free(watch_debugfs_table("vms"));
		free(watch_debugfs_table("slots"));
		/*
		 * A kernel may warn in ftrace_shutdown(), and lose ftrace, if ftrace is switched on
		 * while kprobes are removed that were off. So wait until they are removed.
		 */
		if (round) {
			EXPECT_TRUE(WATCH_EVENTUALLY(told("nothing is watched", off_reason)));
			EXPECT_TRUE(WATCH_EVENTUALLY(is_blind()));
		}
		ASSERT_EQ(0, machine_put(variant->file, "1"));
		free(watch_debugfs_table("slots"));
		EXPECT_TRUE(WATCH_EVENTUALLY(sees()));
	}
}

/* --- a kvm.ko whose tracepoints the kernel does not announce ------------------------------ */

/*
 * Load KVM as insmod -f does. That taints the kernel and the module, and the kernel announces no
 * tracepoints of a tainted module.
 */
static int load_kvm_by_force(void)
{
	int fd, err;
	glob_t found;

	if (glob("/lib/modules/*/kernel/arch/x86/kvm/kvm.ko", 0, NULL, &found))
		return -ENOENT;
	fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	globfree(&found);
	err = syscall(SYS_finit_module, fd, "", 2 /* MODULE_INIT_IGNORE_VERMAGIC */) ? -errno : 0;
	close(fd);
	return err;
}

TEST(a_kvm_loaded_by_force_is_reported)
{
	static const char why[] = "loaded by force";
	struct kvmwatch_info it;
	struct guest *g;
	int err;

	NEEDS_VM(return, "it loads KVM by force, which taints the kernel");
	if (!access("/proc/lockdep", F_OK))
		SKIP(return, "lockdep would be switched off for good");
	ASSERT_EQ(0, vendor_unload_kvm());
	err = load_kvm_by_force();
	if (err)
		EXPECT_EQ(0, vendor_load(""));
	if (err == -ENOEXEC)
		SKIP(return, "this kernel loads nothing by force");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, vendor_load(""));
	g = new_guest(10);
	EXPECT_NE(NULL, g);
	EXPECT_EQ(0, vms());
	EXPECT_TRUE(info(&it) && it.flags & KVMWATCH_INFO_BLIND && strstr(it.why, why));
	EXPECT_TRUE(table_says("vms", why));
	EXPECT_STREQ("", unaware_command(why));
	guest_free(g);
	EXPECT_EQ(0, vendor_unload_kvm());
	EXPECT_TRUE(sees());
	EXPECT_EQ(0, vendor_load(""));
	EXPECT_TRUE(WATCH_EVENTUALLY(attached("vm_init")));
	forget_messages();
}

/* --- hooks that only feed statistics ------------------------------------------------------ */

FIXTURE(costs) {
	struct guest *g;
};

FIXTURE_SETUP(costs)
{
	NEEDS_VM(FROM_SETUP, "it switches off ftrace or kprobes of all");
	forget_messages();
	self->g = new_guest(100);
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(costs)
{
	EXPECT_EQ(0, switch_all("1"));
	guest_free(self->g);
	EXPECT_EQ(0, load_with(NULL));
	forget_messages();
}

TEST_F_TIMEOUT(costs, of_load_are_withdrawn_alone, 200)
{
	struct guest *young;
	__u64 id, loads;
	int fd;

	ASSERT_EQ(0, load_with("via=ftrace load_cost=1 audit_seconds=1"));
	id = id_of(self->g);
	fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(10)));
	loads = number(fd, "loads");
	EXPECT_LT(0, number(fd, "load_cost_ns"));
	EXPECT_NE(KVMWATCH_WITHDRAWN, number(fd, "load_cost_ns"));

	ASSERT_EQ(0, machine_put(KPROBES, "0"));
	EXPECT_TRUE(WATCH_EVENTUALLY(!attached("load_cost")));
	EXPECT_EQ(0, attached("put_cost"));
	EXPECT_EQ(1, attached("vcpu_load"));
	EXPECT_TRUE(table_says("hooks", "# load_cost is missing: switched off"));
	EXPECT_EQ(UNAVAILABLE, watch_vcpu_stat(self->g, 0, "load_cost_ns"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "load_cost_ns"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "put_cost_ns"));
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(10)));
	EXPECT_LT(loads, number(fd, "loads"));
	EXPECT_TRUE(sees());

	ASSERT_EQ(0, machine_put(KPROBES, "1"));
	EXPECT_TRUE(WATCH_EVENTUALLY(attached("load_cost")));
	EXPECT_EQ(id, id_of(self->g));
	/* Nobody can count the loads that were missed. */
	EXPECT_EQ(UNAVAILABLE, watch_vcpu_stat(self->g, 0, "load_cost_ns"));
	EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, "load_cost_ns"));
	young = new_guest(10);
	ASSERT_NE(NULL, young);
	EXPECT_NE(UNAVAILABLE, watch_vcpu_stat(young, 0, "load_cost_ns"));
	EXPECT_LT(0, watch_vcpu_stat(young, 0, "load_cost_ns"));
	guest_free(young);
	EXPECT_EQ(1, told("are switched off", "load_cost"));
	EXPECT_EQ(1, told("work again", "load_cost"));
	close(fd);
}

TEST_F_TIMEOUT(costs, of_load_come_with_kprobes, 200)
{
	struct guest *young;

	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, machine_put(KPROBES, "0"));
	ASSERT_EQ(0, load_with("via=ftrace load_cost=1 audit_seconds=1"));
	EXPECT_EQ(0, attached("load_cost"));
	EXPECT_EQ(1, attached("vcpu_load"));
	EXPECT_EQ(UNAVAILABLE, watch_vcpu_stat(self->g, 0, "load_cost_ns"));
	ASSERT_EQ(0, machine_put(KPROBES, "1"));
	EXPECT_TRUE(WATCH_EVENTUALLY(attached("load_cost")));
	EXPECT_EQ(UNAVAILABLE, watch_vcpu_stat(self->g, 0, "load_cost_ns"));
	young = new_guest(10);
	ASSERT_NE(NULL, young);
	EXPECT_LT(0, watch_vcpu_stat(young, 0, "load_cost_ns"));
	EXPECT_NE(UNAVAILABLE, watch_vcpu_stat(young, 0, "load_cost_ns"));
	guest_free(young);
}

TEST_HARNESS_MAIN
