// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload kvmwatch and KVM: what pins the module, what it finds when it is loaded, and that
 * it does not depend on kvm.ko.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "listed.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		64

TEST(the_module_does_not_depend_on_kvm)
{
	static const char wanted[] = "\0depends=";
	int fd = open(machine_module(), O_RDONLY | O_CLOEXEC);
	char *ko, line[512], name[64], users[256];
	int nr = 0;
	struct stat st;
	FILE *f;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	ko = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, ko);
	/* "depends=" is followed by nothing */
	EXPECT_NE(NULL, memmem(ko, st.st_size, wanted, sizeof(wanted)));
	munmap(ko, st.st_size);
	close(fd);

	f = fopen("/proc/modules", "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %*u %*u %255s", name, users) != 2)
			continue;
		nr++;
		EXPECT_EQ(NULL, strstr(users, "kvmwatch"))
			TH_LOG("%s is used by %s", name, users);
	}
	EXPECT_LT(2, nr);
	fclose(f);
}

FIXTURE(in_use)
{
	struct guest *g;
	int fd;
};

FIXTURE_VARIANT(in_use)
{
	const char *what;
};

FIXTURE_VARIANT_ADD(in_use, device) { "device" };
FIXTURE_VARIANT_ADD(in_use, vm_stats) { "vm" };
FIXTURE_VARIANT_ADD(in_use, vcpu_stats) { "vcpu" };
FIXTURE_VARIANT_ADD(in_use, dead_slot_stats) { "slot" };
FIXTURE_VARIANT_ADD(in_use, table) { "/vcpus" };
FIXTURE_VARIANT_ADD(in_use, value_file) { "/vm/%s/loads" };

FIXTURE_SETUP(in_use)
{
	const char *what = variant->what;
	char path[128], file[64];
	__u64 value;

	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	if (*what == '/') {
		ASSERT_EQ(0, watch_debugfs(self->g, "loads", &value));
		snprintf(file, sizeof(file), what, guest_name(self->g));
		snprintf(path, sizeof(path), WATCH_DEBUGFS "%s", file);
		self->fd = open(path, O_RDONLY | O_CLOEXEC);
	} else if (!strcmp(what, "device")) {
		self->fd = watch_device();
	} else if (!strcmp(what, "vm")) {
		self->fd = watch_vm(self->g);
	} else if (!strcmp(what, "vcpu")) {
		self->fd = watch_vcpu(self->g, 0);
	} else {
		ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0));
		self->fd = watch_slot(self->g, 0, SLOT);
		ASSERT_EQ(0, guest_slot_del(self->g, SLOT));
	}
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(in_use)
{
	close(self->fd);
	guest_free(self->g);
}

TEST_F(in_use, the_module_can_not_be_unloaded)
{
	int err = watch_unload();

	EXPECT_TRUE(err == -EAGAIN || err == -EBUSY)
		TH_LOG("delete_module: %s", strerror(-err));
	EXPECT_EQ(0, guest_run(self->g, 0, work_out(1)));
	EXPECT_TRUE(is_listed(self->g));
}

/* Tests that load the module themselves. The teardown leaves it as it was. */
FIXTURE(unloaded)
{
	struct guest *g;
};

FIXTURE_SETUP(unloaded)
{
	int err = watch_unload_patiently();

	ASSERT_TRUE(!err || err == -ENOENT);
}

FIXTURE_TEARDOWN(unloaded)
{
	guest_free(self->g);
	if (access("/dev/kvm", F_OK))
		EXPECT_EQ(0, vendor_load(""));
	watch_unload_patiently();
	EXPECT_EQ(0, watch_load(NULL));
}

TEST_F(unloaded, wrong_parameters_are_refused)
{
	static const char *const wrong[] = {
		"via=junk", "via=", "via=ftrace,kprobe", "pool=257", "pool=1,2,3,4", "pool=-1",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, watch_load(wrong[i]))
			TH_LOG("%s", wrong[i]);
		EXPECT_NE(0, access("/sys/module/kvmwatch", F_OK));
		EXPECT_NE(0, access("/dev/kvmwatch", F_OK));
		EXPECT_NE(0, access(WATCH_DEBUGFS, F_OK));
	}
}

TEST_F(unloaded, a_vm_from_before_is_listed_when_the_module_is_loaded)
{
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_slot slot = {};
	struct kvmwatch_vm vm = {};
	struct guest *g;
	__u64 loads;

	prctl(PR_SET_NAME, "unload-early");
	self->g = guest_new(3, 0);
	g = self->g;
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, 16, GUEST_PAGE, 1)));
	ASSERT_EQ(0, guest_start(g, 1, work_spin()));
	ASSERT_EQ(0, guest_start(g, 2, work_halt(1, GUEST_WAKE_USER, 0)));
	ASSERT_EQ(0, guest_wait_progress(g, 1, 1, 5000));
	ASSERT_EQ(0, guest_wait_asleep(g, 2, 1, 5000));

	ASSERT_EQ(0, watch_load(NULL));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(watch_finds_owners() ? getpid() : 0, vm.pid);
	EXPECT_STREQ(watch_finds_owners() ? "unload-early" : "", vm.comm);
	EXPECT_EQ(3, vm.vcpus);
	EXPECT_EQ(vendor_slots(2), vm.slots);
	EXPECT_EQ(KVMWATCH_VM_DIRTY_LOG, vm.flags);
	ASSERT_EQ(0, listed_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(GPA / GUEST_PAGE, slot.base_gfn);
	EXPECT_EQ(PAGES, slot.npages);
	EXPECT_EQ((unsigned long)guest_slot_host(g, SLOT), slot.userspace_addr);
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	ASSERT_EQ(3, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	EXPECT_EQ(1, vcpus[1].vcpu_id);
	EXPECT_EQ(2, vcpus[2].vcpu_id);
	free(vcpus);
	EXPECT_TRUE(WATCH_EVENTUALLY(has_dir(guest_name(g))));

	/* From here on kvmwatch sees each event of these vCPUs. */
	EXPECT_EQ(0, guest_stop(g, 1));
	EXPECT_EQ(0, guest_wait(g, 1, 5000));
	EXPECT_EQ(0, guest_wake(g, 2));
	EXPECT_EQ(0, guest_wait(g, 2, 5000));
	loads = watch_vcpu_stat(g, 0, "loads");
	EXPECT_EQ(0, guest_run(g, 0, work_write(GPA, 32, GUEST_PAGE, 1)));
	EXPECT_LT(loads, watch_vcpu_stat(g, 0, "loads"));
	EXPECT_EQ(32, watch_slot_stat(g, SLOT, "mapped_4k"));
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
	EXPECT_EQ(0, unknown_vm_events());
	guest_free(g);
	self->g = NULL;
	EXPECT_EQ(0, listed_count(KVMWATCH_KIND_VM, 0));
}

/* Does kvmwatch count the work of a small guest? */
static int works(void)
{
	struct guest *g = guest_new(1, 0);
	int ok;

	ok = g && !guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0) &&
	     !guest_run(g, 0, work_write(GPA, 16, GUEST_PAGE, 1)) && is_listed(g) &&
	     watch_slot_stat(g, SLOT, "mapped_4k") == 16 && watch_mapped_is_kvms(g) &&
	     !watch_vm_stat(g, "lost_events");
	guest_free(g);
	return ok;
}

static int all_attached(void)
{
	struct kvmwatch_hook *hooks;
	int nr, missing = 0;

	nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks));
	if (nr <= 0)
		return 0;
	while (nr--) {
		if (watch_hook_may_miss(&hooks[nr]) || hooks[nr].flags & KVMWATCH_HOOK_ATTACHED)
			continue;
		fprintf(stderr, "# %s: %s\n", hooks[nr].name, hooks[nr].why);
		missing++;
	}
	free(hooks);
	return !missing;
}

TEST_F_TIMEOUT(unloaded, kvm_unloads_and_loads_freely, 60)
{
	int i, stats;

	NEEDS_MACHINE(return, "it unloads KVM");
	/* Create a VM while kvmwatch and KVM are loaded, then reload kvmwatch, and KVM twice. */
	ASSERT_EQ(0, watch_load(NULL));
	EXPECT_TRUE(works());
	self->g = guest_new(2, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_run(self->g, 1, work_out(10)));
	stats = watch_vm(self->g);
	guest_free(self->g);
	self->g = NULL;
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, vendor_unload());
		ASSERT_EQ(0, system("rmmod kvm"));
		EXPECT_TRUE(table_has("hooks", "kvm.ko is not loaded"));
		EXPECT_FALSE(table_has("hooks", " attached "));
		EXPECT_EQ(0, listed_count(KVMWATCH_KIND_VM, 0));
		/* An open fd keeps the record of a VM after its KVM was unloaded. */
		EXPECT_EQ(11, stat_of(stats, "user_exits"));
		EXPECT_EQ(0, stat_of(stats, "audit_failures"));
		ASSERT_EQ(0, vendor_load(""));
		EXPECT_FALSE(table_has("hooks", "kvm.ko is not loaded"));
		EXPECT_TRUE(all_attached());
		EXPECT_TRUE(works());
		EXPECT_EQ(0, unknown_vm_events());
	}
	EXPECT_EQ(11, stat_of(stats, "user_exits"));
	close(stats);

	/* Load kvmwatch before KVM, and unload kvmwatch while KVM is unloaded. */
	EXPECT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, vendor_unload_kvm());
	ASSERT_EQ(0, watch_load(NULL));
	EXPECT_TRUE(table_has("hooks", "kvm.ko is not loaded"));
	ASSERT_EQ(0, vendor_load(""));
	EXPECT_TRUE(all_attached());
	EXPECT_TRUE(works());
	EXPECT_EQ(0, vendor_unload());
	ASSERT_EQ(0, system("rmmod kvm"));
	EXPECT_EQ(0, watch_unload_patiently());
	EXPECT_EQ(0, vendor_load(""));
}

TEST_HARNESS_MAIN
