// SPDX-License-Identifier: GPL-2.0
/* Names of guests, from command lines as VMMs have them and as nobody should. */
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "guest_name.h"

/* A string literal holds the NULs between its arguments, and one behind the last. */
#define NAME(literal)	guest_name_parse(literal, sizeof(literal))

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

TEST(programs_that_are_no_vmm_have_no_name)
{
	EXPECT_EQ(NULL, NAME("/usr/bin/find\0-name\0web1"));
	EXPECT_EQ(NULL, NAME("/opt/qemu/bin/other\0-name\0web1"));
}

/* As QEMU merges them: see qemu_name_opts there. */
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
	EXPECT_EQ(NULL, guest_name_parse("", 0));
	EXPECT_EQ(NULL, NAME(""));
	EXPECT_EQ(NULL, NAME("\0\0\0"));
	/* No NUL behind the last argument: it counts, and nothing behind it does. */
	EXPECT_STREQ("web", guest_name_parse("qemu\0-name\0web1", 14));
	EXPECT_EQ(NULL, guest_name_parse("qemu\0-name\0web1", 11));
	EXPECT_EQ(NULL, guest_name_parse("qemu\0-name\0web1", 9));
}

/* Whoever shows them cleans them. */
TEST(names_are_whole)
{
	EXPECT_STREQ("a\033[31mb", NAME("qemu\0-name\0a\033[31mb"));
	EXPECT_STREQ("a\xff", NAME("qemu\0-name\0a\xff"));
}

TEST(process_that_is_not_there_has_no_name)
{
	EXPECT_EQ(NULL, guest_name_of(0));
	EXPECT_EQ(NULL, guest_name_of(-1));
	EXPECT_EQ(NULL, guest_name_of(0x7fffffff));
	EXPECT_EQ(NULL, guest_name_of(getpid()));
}

/* A process that is called like a VMM, and waits until its input ends. */
static pid_t start_vmm(int *input)
{
	static char *const argv[] = { "qemu-sh", "-s", "-name", "web1", NULL };
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

/* The name is to be there soon after exec; it is looked for as long as a test may take. */
static char *name_of(pid_t pid)
{
	char *name;

	while (!(name = guest_name_of(pid)))
		usleep(1000);
	return name;
}

/* In a pid namespace without a /proc of its own, that pid is another process. */
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
		_exit(guest_name_of(vmm) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(input);
	waitpid(vmm, NULL, 0);
}

TEST_HARNESS_MAIN
