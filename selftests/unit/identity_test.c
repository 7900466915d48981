// SPDX-License-Identifier: GPL-2.0
/*
 * Names, UUIDs and units of VMs, from real and hostile command lines. Real QEMU 7.2 (query-name,
 * query-uuid) gave the answers for unusual ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "identity.h"
#include "libkvmwatch.h"

#define WEB1_UUID	"4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a"
#define WEB2_UUID	"00112233-4455-6677-8899-aabbccddeeff"

static char *name_in(const char *cmdline, size_t len, const char *exe)
{
	struct identity identity;
	char *guest;

	identity_parse(cmdline, len, exe, &identity);
	guest = identity.guest;
	identity.guest = NULL;
	identity_free(&identity);
	return guest;
}

static char *uuid_in(const char *cmdline, size_t len)
{
	struct identity identity;
	char *uuid;

	identity_parse(cmdline, len, NULL, &identity);
	uuid = identity.uuid;
	identity.uuid = NULL;
	identity_free(&identity);
	return uuid;
}

/* A string literal holds the NULs between its arguments, and one behind the last. */
#define NAME(literal)	name_in(literal, sizeof(literal), NULL)
#define UUID(literal)	uuid_in(literal, sizeof(literal))

/* The same for a process whose program file is known */
#define NAME_OF_EXE(exe, literal)	name_in(literal, sizeof(literal), exe)

TEST(qemu_with_a_plain_name)
{
	EXPECT_STREQ("web1", NAME("/usr/bin/qemu-system-x86_64\0-m\0004096\0-name\0web1\0-S"));
	EXPECT_STREQ("web1", NAME("qemu-system-x86_64\0--name\0web1"));
	EXPECT_STREQ("web1", NAME("/usr/libexec/qemu-kvm\0-name\0web1,debug-threads=on"));
	EXPECT_STREQ("web1", NAME("kvm\0-name\0web1"));
}

TEST(qemu_as_libvirt_starts_it)
{
	EXPECT_STREQ("web1", NAME("/usr/bin/qemu-system-x86_64\0-name\0"
				  "guest=web1,debug-threads=on\0-S"));
	EXPECT_STREQ("web1", NAME("qemu-system-x86_64\0-name\0debug-threads=on,guest=web1"));
}

TEST(qemu_with_commas_in_the_name)
{
	EXPECT_STREQ("a,b", NAME("qemu-system-x86_64\0-name\0guest=a,,b,debug-threads=on"));
	EXPECT_STREQ("a,guest=b", NAME("qemu-system-x86_64\0-name\0guest=a,,guest=b"));
	EXPECT_STREQ("a,", NAME("qemu-system-x86_64\0-name\0a,,"));
}

TEST(qemu_takes_the_last_name)
{
	EXPECT_STREQ("b", NAME("qemu-system-x86_64\0-name\0a\0-name\0b"));
	EXPECT_STREQ("b", NAME("qemu-system-x86_64\0-name\0guest=a,guest=b"));
	EXPECT_STREQ("b", NAME("qemu-system-x86_64\0-name\0a,guest=b"));
}

TEST(qemu_without_a_name_has_none)
{
	EXPECT_EQ(NULL, NAME("qemu-system-x86_64\0-m\0004096"));
	EXPECT_EQ(NULL, NAME("qemu-system-x86_64\0-name"));
	EXPECT_EQ(NULL, NAME("qemu-system-x86_64\0-name\0"));
	EXPECT_EQ(NULL, NAME("qemu-system-x86_64\0-name\0debug-threads=on"));
	EXPECT_EQ(NULL, NAME("qemu-system-x86_64\0-name\0guest="));
	EXPECT_EQ(NULL, NAME("qemu-system-x86_64\0-names\0web1"));
	EXPECT_EQ(NULL, NAME("qemu-system-x86_64\0name\0web1"));
}

TEST(other_vmms)
{
	EXPECT_STREQ("fc-1", NAME("/usr/bin/firecracker\0--api-sock\0/x\0--id\0fc-1"));
	EXPECT_STREQ("fc-1", NAME("firecracker\0--id=fc-1"));
	EXPECT_STREQ("vm1", NAME("crosvm\0run\0--name\0vm1\0kernel"));
	EXPECT_STREQ("vm1", NAME("lkvm\0run\0--name\0vm1"));
	EXPECT_EQ(NULL, NAME("firecracker\0-id\0fc-1"));
}

/*
 * Command lines that people have published, shortened. A blank stands for the end of an argument.
 */
static const struct {
	const char *guest;
	const char *words;
} started[] = {
	/* libvirt, oVirt, old libvirt, KubeVirt */
	{ "web1", "/usr/bin/qemu-system-x86_64 -name guest=web1,debug-threads=on -S" },
	{ "web1", "qemu -object {\"qom-type\":\"secret\",\"id\":\"-name\"} -name guest=web1" },
	{ "web1", "qemu -machine {\"type\":\"q35\",\"name\":\"x\"} -name guest=web1 -uuid x" },
	{ "vm1", "/usr/libexec/qemu-kvm -name guest=vm1,process=qemu:vm1,debug-threads=on -S" },
	{ "web1", "/usr/bin/kvm -S -M pc-1.0 -enable-kvm -name web1 -uuid x" },
	{ "default_vmi-1", "/usr/libexec/qemu-kvm -name guest=default_vmi-1,debug-threads=on" },
	/* Proxmox VE, Kata Containers, Incus, Ganeti */
	{ "web1", "/usr/bin/kvm -id 100 -name web1,debug-threads=on -no-shutdown -smbios type=1" },
	{ "sandbox-5c", "/opt/kata/bin/qemu-system-x86_64 -name sandbox-5c,debug-threads=on" },
	{ "web1", "/opt/incus/bin/qemu-system-x86_64 -S -name web1 -readconfig /run/web1" },
	{ "web1.example.com", "/usr/bin/kvm -pidfile /run/web1 -name web1.example.com" },
	/* Android's emulator */
	{ "Pixel_9", "/sdk/qemu-system-x86_64-headless -netdelay none -avd Pixel_9 -no-window" },
	/* Firecracker: by its jailer, new and old, and by hand */
	{ "fc-1", "/firecracker --id fc-1 --start-time-us 12 --parent-cpu-time-us 3" },
	{ "fc-1", "firecracker-v1.7.0-x86_64 --id=fc-1 --seccomp-level=2 --api-sock=/api.socket" },
	{ "fc-1", "firecracker --id fc-1 -- --id fc-2" },
	{ NULL, "firecracker --api-sock /tmp/fc.sock --config-file --id" },
	/* Cloud Hypervisor has no names. */
	{ NULL, "cloud-hypervisor --api-socket /tmp/ch.sock --platform uuid=x --name web1" },
	/* crosvm */
	{ "arcvm", "/usr/bin/crosvm run --cpus 4 -s /run/vm.sock -p --name --name=arcvm vmlinux" },
	{ NULL, "/usr/bin/crosvm --extended-status run -s /run/vm.sock vmlinux" },
	/* kvmtool */
	{ "web1", "lkvm run -k bzImage --name=web1 -d --name -n mode=none" },
	{ "web1", "./lkvm-static sandbox --name web1 -- --name sh" },
	{ "web1", "lkvm run -k --name --nam web1 --par --name -p--name" },
	{ "web1", "lkvm run --na=web1 -m 256 -n mode=none" },
	/* StratoVirt, VirtualBox with KVM below it */
	{ "sandbox-5c", "/usr/bin/stratovirt -name sandbox-5c -machine microvm" },
	{ "web1", "/usr/lib/virtualbox/VBoxHeadless --comment web1 --startvm web2 --vrde config" },
	{ "web1", "VirtualBoxVM -startvm web1" },
	/* Other programs have formats that we do not know. */
	{ NULL, "runsc-sandbox --platform=kvm boot --name web1" },
	{ NULL, "/usr/bin/containerd-shim-kata-v2 -namespace k8s.io -id 5c" },
	{ NULL, "vmm-reference --memory size_mib=256 --kernel path=vmlinux --name web1" },
};

TEST(vmms_as_they_are_started)
{
	char line[256], *at;
	size_t i, len;

	for (i = 0; i < sizeof(started) / sizeof(*started); i++) {
		len = strlen(started[i].words) + 1;
		ASSERT_GE(sizeof(line), len);
		memcpy(line, started[i].words, len);
		while ((at = memchr(line, ' ', len)))
			*at = '\0';
		EXPECT_STREQ(started[i].guest, name_in(line, len, NULL))
			TH_LOG("%s", started[i].words);
	}
}

TEST(programs_whose_names_are_like_a_vmm_s_are_none)
{
	EXPECT_EQ(NULL, NAME("kvmtool-ui\0--name\0web1"));
	EXPECT_EQ(NULL, NAME("kvmwatch\0-name\0web1"));
	EXPECT_EQ(NULL, NAME("crosvmd\0--name\0web1"));
	EXPECT_STREQ("web1", NAME("kvm-spice\0-name\0web1"));
	EXPECT_STREQ("web1", NAME("kvm_intel\0-name\0web1"));
}

TEST(uuids)
{
	EXPECT_STREQ(WEB1_UUID, UUID("qemu\0-uuid\0" WEB1_UUID));
	EXPECT_STREQ(WEB1_UUID, UUID("qemu\0--uuid\0" "4F1F2F6C-7D5F-4A0F-9D3A-0C7F1D2E3B4A"));
	EXPECT_STREQ(WEB1_UUID, UUID("kvm\0-id\000100\0-smbios\0type=1,uuid=" WEB1_UUID));
	/* Nova */
	EXPECT_STREQ(WEB1_UUID, UUID("qemu\0-smbios\0type=1,product=OpenStack Nova,uuid="
				     WEB1_UUID ",family=Virtual Machine"));
	EXPECT_STREQ(WEB1_UUID, UUID("qemu\0-smbios\0type=0x1,product=a,,b,uuid=" WEB1_UUID));
	EXPECT_STREQ(WEB1_UUID, UUID("qemu\0-smbios\0uuid=" WEB1_UUID ",type=1"));
	EXPECT_STREQ(WEB1_UUID, UUID("stratovirt\0-uuid\0" WEB1_UUID));
	EXPECT_STREQ(WEB1_UUID, UUID("cloud-hypervisor\0--platform\0oem_strings=[a,uuid="
				     WEB2_UUID ",b],uuid=" WEB1_UUID));
	EXPECT_STREQ(WEB1_UUID, UUID("cloud-hypervisor\0--platform=serial_number=\"a,uuid="
				     WEB2_UUID "\",system_uuid=" WEB1_UUID));
	EXPECT_STREQ(WEB1_UUID, UUID("VBoxHeadless\0--comment\0web1\0--startvm\0" WEB1_UUID));
}

TEST(what_is_no_uuid_of_the_guest_s_is_none)
{
	EXPECT_EQ(NULL, UUID("qemu\0-uuid\0" "web1"));
	EXPECT_EQ(NULL, UUID("qemu\0-uuid\0" WEB1_UUID "0"));
	EXPECT_EQ(NULL, UUID("qemu\0-uuid\0" "00000000-0000-0000-0000-000000000000"));
	EXPECT_EQ(NULL, UUID("qemu\0-uuid"));
	EXPECT_EQ(NULL, UUID("qemu\0-smbios\0type=3,serial=uuid=" WEB1_UUID));
	EXPECT_EQ(NULL, UUID("qemu\0-smbios\0type=1,serial=a,,uuid=" WEB1_UUID));
	EXPECT_EQ(NULL, UUID("qemu\0-smbios\0type=11,value=uuid=" WEB1_UUID));
	EXPECT_EQ(NULL, UUID("qemu\0-smbios\0uuid=" WEB1_UUID));
	EXPECT_EQ(NULL, UUID("qemu\0-append\0uuid=" WEB1_UUID));
	EXPECT_EQ(NULL, UUID("firecracker\0--id\0" WEB1_UUID));
	EXPECT_EQ(NULL, UUID("cloud-hypervisor\0--disk\0path=a,uuid=" WEB1_UUID));
	EXPECT_EQ(NULL, UUID("find\0-uuid\0" WEB1_UUID));
}

TEST(qemu_takes_the_last_uuid)
{
	EXPECT_STREQ(WEB2_UUID, UUID("qemu\0-uuid\0" WEB1_UUID "\0-smbios\0type=1,uuid="
				     WEB2_UUID));
	EXPECT_STREQ(WEB1_UUID, UUID("qemu\0-smbios\0type=1,uuid=" WEB2_UUID "\0-uuid\0"
				     WEB1_UUID));
	EXPECT_STREQ(WEB2_UUID, UUID("qemu\0-smbios\0type=1,uuid=" WEB2_UUID
				     "\0-smbios\0type=1,product=x"));
}

/* The first argument need not be the program's name. */
TEST(the_file_that_runs_says_what_vmm_it_is)
{
	EXPECT_STREQ("web1", NAME_OF_EXE("/nix/store/x-qemu/bin/qemu-system-x86_64",
					 "microvm@web1\0-name\0web1\0-M\0microvm\0"));
	EXPECT_STREQ("web1", NAME_OF_EXE("/usr/bin/qemu-system-x86_64 (deleted)",
					 "\0-name\0web1\0"));
	EXPECT_STREQ("web1", NAME_OF_EXE("/usr/bin/dash", "qemu-sh\0-name\0web1\0"));
	EXPECT_STREQ("web1", NAME_OF_EXE("", "qemu\0-name\0web1\0"));
	EXPECT_EQ(NULL, NAME_OF_EXE("/usr/bin/crosvm", "qemu\0-name\0web1\0"));
	EXPECT_EQ(NULL, NAME_OF_EXE("/usr/bin/qemu-system-x86_64", ""));
	EXPECT_EQ(NULL, NAME_OF_EXE("/opt/runsc", "runsc-sandbox\0--platform=kvm\0boot\0web1\0"));
}

TEST(programs_that_are_no_vmm_have_no_name)
{
	EXPECT_EQ(NULL, NAME("/usr/bin/find\0-name\0web1"));
	EXPECT_EQ(NULL, NAME("/opt/qemu/bin/other\0-name\0web1"));
}

/* The same result as QEMU's qemu_name_opts. */
TEST(qemu_merges_what_several_names_say)
{
	EXPECT_STREQ("web1", NAME("kvm\0-id\000100\0-name\0web1,debug-threads=on\0-name\0"
				  "debug-threads=off"));
	EXPECT_STREQ("web1", NAME("qemu\0-name\0web1\0-name\0process=vm100"));
	EXPECT_STREQ("web1", NAME("qemu\0-name\0guest=web1\0-S\0-name\0"
				  "process=a,debug-threads=on"));
	EXPECT_STREQ("web1", NAME("qemu\0-name\0web1\0-name\0"));
	EXPECT_EQ(NULL, NAME("qemu\0-name\0web1\0-name\0guest="));
	EXPECT_STREQ("web2", NAME("qemu\0-name\0web1\0-name\0process=a,guest=web2"));
}

TEST(qemu_with_an_equals_sign_in_the_name)
{
	EXPECT_STREQ("web1,role=db", NAME("qemu\0-name\0web1,,role=db,debug-threads=on"));
	EXPECT_STREQ("web1,role=db", NAME("qemu\0-name\0guest=web1,,role=db,debug-threads=on"));
	EXPECT_STREQ("a=b", NAME("qemu\0-name\0guest=a=b"));
	EXPECT_EQ(NULL, NAME("qemu\0-name\0a=b"));	/* a key that QEMU does not know */
	EXPECT_STREQ("b", NAME("qemu\0-name\0a,guest=b,,c\0-name\0guest=b"));
	EXPECT_STREQ("on", NAME("qemu\0-name\0a,guest"));
}

TEST(values_of_other_options_are_no_options)
{
	EXPECT_EQ(NULL, NAME("qemu\0-append\0-name\0web1"));
	EXPECT_STREQ("web2", NAME("qemu\0-append\0-name\0-name\0web2"));
	EXPECT_STREQ("web2", NAME("qemu\0--append\0-name\0--name\0web2\0-kernel\0--name\0x"));
	EXPECT_STREQ("-append", NAME("qemu\0-name\0-append\0-name"));
	EXPECT_STREQ("web1", NAME("qemu\0-name\0web1\0-append\0-name\0web2"));
	EXPECT_STREQ("web1", NAME("qemu\0-S\0-nographic\0-enable-kvm\0-name\0web1"));
	EXPECT_STREQ("web1", NAME("qemu\0-what-comes-later\0-name\0web1"));
	EXPECT_STREQ("web1", NAME("qemu\0-virtfs_synth\0-name\0web1"));	/* up to 4.2 */
	EXPECT_EQ(NULL, NAME("lkvm\0run\0-p\0--name\0web1"));
	EXPECT_STREQ("fc-1", NAME("firecracker\0--api-sock\0--id\0--id\0fc-1"));
}

TEST(a_vmm_behind_a_wrapper_or_loader_is_one)
{
	EXPECT_STREQ("web1", NAME("/lib64/ld-linux-x86-64.so.2\0--library-path\0/opt/lib\0"
				  "/usr/bin/qemu-system-x86_64\0-name\0web1"));
	EXPECT_STREQ("web1", NAME("ld-linux-x86-64.so.2\0/usr/bin/qemu-system-x86_64\0"
				  "-name\0web1"));
	EXPECT_STREQ("web1", NAME("/usr/bin/valgrind\0-q\0qemu-system-x86_64\0-name\0web1"));
	EXPECT_STREQ("web1", NAME("/usr/bin/run-vm\0/usr/bin/kvm\0-name\0web1"));
	EXPECT_STREQ("web1", NAME("/nix/x/bin/.qemu-system-x86_64-wrapped\0-name\0web1"));
	EXPECT_EQ(NULL, NAME("/usr/bin/other\0--with\0/usr/bin/qemu-system-x86_64\0-name\0web1"));
	EXPECT_EQ(NULL, NAME("/lib64/ld-linux-x86-64.so.2\0/usr/bin/find\0-name\0web1"));
}

TEST(odd_command_lines_are_survived)
{
	EXPECT_EQ(NULL, name_in("", 0, NULL));
	EXPECT_EQ(NULL, NAME(""));
	EXPECT_EQ(NULL, NAME("\0\0\0"));
	/*
	 * The last argument ends with the data if it has no NUL. Bytes behind the end do not count.
	 */
	EXPECT_STREQ("web", name_in("qemu\0-name\0web1", 14, NULL));
	EXPECT_EQ(NULL, name_in("qemu\0-name\0web1", 11, NULL));
	EXPECT_EQ(NULL, name_in("qemu\0-name\0web1", 9, NULL));
}

/* Command lines are read to their end, in a time that grows with their length, not its square. */
TEST(long_command_lines_are_survived)
{
	const size_t size = 2 << 20;
	char *line = malloc(size);
	char *name;
	size_t i;

	memset(line, 'x', size);
	memcpy(line, "qemu\0-name\0", 11);
	name = name_in(line, size, NULL);
	ASSERT_NE(NULL, name);
	EXPECT_EQ(size - 11, strlen(name));
	free(name);

	for (i = 5; i + 3 <= size; i += 3)
		memcpy(line + i, "-w\0", 3);
	memcpy(line + size - 12, "\0-name\0web1", 12);
	name = name_in(line, size, NULL);
	EXPECT_STREQ("web1", name);
	free(name);

	memcpy(line, "qemu\0-name\0", 11);
	for (i = 11; i + 2 <= size; i += 2)
		memcpy(line + i, "a,", 2);
	name = name_in(line, size, NULL);
	EXPECT_STREQ("a", name);
	free(name);
	free(line);
}

/* Names keep special characters; the output functions clean them. */
TEST(names_are_whole)
{
	EXPECT_STREQ("a\033[31mb", NAME("qemu\0-name\0a\033[31mb"));
	EXPECT_STREQ("a\xff", NAME("qemu\0-name\0a\xff"));
}

TEST(process_that_is_not_there_has_no_name)
{
	static const int pids[] = { 0, -1, 0x7fffffff };
	struct identity identity;
	size_t i;

	for (i = 0; i < sizeof(pids) / sizeof(*pids); i++) {
		memset(&identity, 0xff, sizeof(identity));
		EXPECT_EQ(-ESRCH, identity_of(pids[i], &identity));
		EXPECT_EQ(NULL, identity.guest);
		EXPECT_EQ(NULL, identity.uuid);
		EXPECT_EQ(NULL, identity.unit);
		EXPECT_EQ(NULL, identity.user_unit);
	}
	identity_of(getpid(), &identity);
	EXPECT_EQ(NULL, identity.guest);
	EXPECT_EQ(NULL, identity.uuid);
	identity_free(&identity);
}

/* Start a process with a VMM's command line, which waits until its input ends. */
static pid_t start_called(char *const *argv, int *input)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(fds[0], 0);
		execv("/bin/sh", argv);
		_exit(1);
	}
	close(fds[0]);
	*input = fds[1];
	return pid;
}

static pid_t start_vmm(int *input)
{
	static char *const argv[] = {
		"qemu-sh", "-c", "read x", "-name", "web1", "-uuid", WEB1_UUID, NULL
	};

	return start_called(argv, input);
}

static char *name_now(pid_t pid)
{
	struct identity identity;
	char *guest;

	identity_of(pid, &identity);
	guest = identity.guest;
	identity.guest = NULL;
	identity_free(&identity);
	return guest;
}

/* The name appears soon after exec; look until the test's time limit. */
static char *name_of(pid_t pid)
{
	char *name;

	while (!(name = name_now(pid)))
		usleep(1000);
	return name;
}

TEST(a_process_has_name_and_uuid_until_it_ends)
{
	struct identity identity;
	int input = -1;
	pid_t vmm;

	vmm = start_vmm(&input);
	ASSERT_LT(0, vmm);
	EXPECT_STREQ("web1", name_of(vmm));
	identity_of(vmm, &identity);
	EXPECT_STREQ(WEB1_UUID, identity.uuid);
	identity_free(&identity);
	close(input);
	waitpid(vmm, NULL, 0);
	EXPECT_EQ(NULL, name_now(vmm));
}

/* Before exec the process has the test's own command line. */
static void wait_for_exec(pid_t pid)
{
	char path[32], comm[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	while (strncmp(comm, "sh", 2)) {
		usleep(1000);
		fd = open(path, O_RDONLY);
		if (read(fd, comm, sizeof(comm)) < 0)
			*comm = '\0';
		close(fd);
	}
}

/*
 * As "lkvm list" shows them. The pid is that of the innermost namespace, which is the only one
 * here.
 */
TEST(kvmtool_calls_a_guest_after_its_process)
{
	static char *const plain[] = { "lkvm", "-c", "read x", "--disk", "/srv/web1.img", NULL };
	static char *const kept[][6] = {
		{ "lkvm", "-c", "read x", "--disk", "debian", NULL },
		{ "lkvm", "-c", "read x", "-ddebian", NULL },
	};
	static char *const named[] = { "lkvm", "-c", "read x", "--name", "web1", NULL };
	char expected[32];
	int input = -1;
	unsigned int i;
	pid_t vmm;

	vmm = start_called(plain, &input);
	ASSERT_LT(0, vmm);
	snprintf(expected, sizeof(expected), "guest-%d", vmm);
	EXPECT_STREQ(expected, name_of(vmm));
	close(input);
	waitpid(vmm, NULL, 0);

	vmm = start_called(named, &input);
	ASSERT_LT(0, vmm);
	EXPECT_STREQ("web1", name_of(vmm));
	close(input);
	waitpid(vmm, NULL, 0);

	/* The name may be that of a root file system or of a file here, so it is unknown. */
	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		vmm = start_called(kept[i], &input);
		ASSERT_LT(0, vmm);
		wait_for_exec(vmm);
		EXPECT_EQ(NULL, name_now(vmm));
		close(input);
		waitpid(vmm, NULL, 0);
	}
}

TEST(programs_ask_the_library)
{
	struct kvmwatch_guest *guest = NULL;
	int input = -1;
	pid_t vmm;

	vmm = start_vmm(&input);
	ASSERT_LT(0, vmm);
	wait_for_exec(vmm);
	ASSERT_EQ(0, kvmwatch_guest_read(vmm, &guest));
	EXPECT_STREQ("web1", guest->name);
	EXPECT_STREQ(WEB1_UUID, guest->uuid);
	kvmwatch_guest_free(guest);
	close(input);
	waitpid(vmm, NULL, 0);
	EXPECT_EQ(-ESRCH, kvmwatch_guest_read(vmm, &guest));
	EXPECT_EQ(-ESRCH, kvmwatch_guest_read(-1, &guest));
	kvmwatch_guest_free(NULL);
}

/* In a pid namespace without its own /proc, that pid is another process's. */
TEST(a_process_of_another_pid_namespace_gives_no_name)
{
	int input = -1, status;
	pid_t vmm, pid;

	vmm = start_vmm(&input);
	ASSERT_LT(0, vmm);
	EXPECT_STREQ("web1", name_of(vmm));
	if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID)) {
		close(input);
		TH_LOG("no right to make a pid namespace: not tested");
		return;
	}
	pid = fork();
	if (!pid)
		_exit(name_now(vmm) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(input);
	waitpid(vmm, NULL, 0);
}

TEST_HARNESS_MAIN
