// SPDX-License-Identifier: GPL-2.0
/* systemd units, from /proc/PID/cgroup of real hosts, and hostile ones. */
#include <kselftest_harness.h>

#include "unit.h"

/* "UNIT", "UNIT USER_UNIT" or "". */
static const char *units(const char *cgroups)
{
	static char text[2048];
	char *unit, *user;

	unit_parse(cgroups, &unit, &user);
	snprintf(text, sizeof(text), "%s%s%s", unit ? unit : "", user ? " " : "", user ? user : "");
	free(unit);
	free(user);
	return text;
}

TEST(units_of_version_2)
{
	EXPECT_STREQ("machine-qemu\\x2d1\\x2dweb1.scope",
		     units("0::/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope/emulator\n"));
	EXPECT_STREQ("100.scope", units("0::/qemu.slice/100.scope\n"));
	EXPECT_STREQ("session-3.scope", units("0::/user.slice/user-1000.slice/session-3.scope\n"));
	EXPECT_STREQ("microvm@web1.service",
		     units("0::/system.slice/system-microvm.slice/microvm@web1.service\n"));
	EXPECT_STREQ("init.scope", units("0::/init.scope\n"));
	EXPECT_STREQ("docker-1a2b.scope", units("0::/system.slice/docker-1a2b.scope"));
}

TEST(units_of_a_user)
{
	EXPECT_STREQ("user@1000.service app-Boxes-4711.scope",
		     units("0::/user.slice/user@1000.service/app.slice/app-Boxes-4711.scope\n"));
	EXPECT_STREQ("user@1000.service qemu\\x2d1.scope",
		     units("0::/user.slice/user@1000.service/a.slice/qemu\\x2d1.scope/libvirt\n"));
	EXPECT_STREQ("user@1000.service init.scope",
		     units("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n"));
	EXPECT_STREQ("user@1000.service",
		     units("0::/user.slice/user-1000.slice/user@1000.service\n"));
}

TEST(kubernetes)
{
	EXPECT_STREQ("cri-containerd-1a2b.scope",
		     units("0::/kubepods.slice/kubepods-pod0c7f.slice/cri-containerd-1a2b.scope"));
	EXPECT_STREQ("crio-1a2b.scope",
		     units("0::/kubepods.slice/pod0c7f.slice/crio-1a2b.scope/machine/qemu-1-x\n"));
	EXPECT_STREQ("", units("0::/kubepods/burstable/pod0c7f/1a2b\n"));
}

TEST(units_of_version_1_and_of_both)
{
	EXPECT_STREQ("machine-qemu\\x2d1\\x2dweb1.scope",
		     units("12:cpuset:/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope/vcpu0\n"
			   "11:cpu,cpuacct:/other.slice/other.scope\n"
			   "1:name=systemd:/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope\n"
			   "0::/\n"));
	EXPECT_STREQ("qemu-datapath@199.service",
		     units("8:memory:/vm.slice\n3:cpuset:/\n"
			   "1:name=systemd:/vm.slice/qemu-datapath@199.service\n"));
	EXPECT_STREQ("100.scope", units("1:name=systemd:/\n0::/qemu.slice/100.scope\n"));
	EXPECT_STREQ("", units("4:cpuset:/machine.slice/a.scope\n1:name=openrc:/b.service\n"));
}

/* Of nested units, the one of this host counts. */
TEST(what_is_nested_belongs_to_the_outer_unit)
{
	EXPECT_STREQ("libpod-1a2b.scope",
		     units("0::/machine.slice/libpod-1a2b.scope/system.slice/vm.service\n"));
	EXPECT_STREQ("libvirtd.service", units("0::/system.slice/libvirtd.service/a.scope\n"));
	/* As seen from another cgroup namespace. */
	EXPECT_STREQ("100.scope", units("0::/../../qemu.slice/100.scope\n"));
}

TEST(names_that_systemd_escapes)
{
	EXPECT_STREQ("memory.service", units("0::/system.slice/_memory.service\n"));
	EXPECT_STREQ("_a.service", units("0::/system.slice/__a.service\n"));
}

TEST(a_cgroup_that_was_removed)
{
	EXPECT_STREQ("100.scope", units("0::/qemu.slice/100.scope (deleted)\n"));
	EXPECT_STREQ("", units("0:: (deleted)\n"));
}

TEST(what_is_no_unit_is_none)
{
	char longest[400] = "0::/";

	EXPECT_STREQ("", units(""));
	EXPECT_STREQ("", units("\n\n"));
	EXPECT_STREQ("", units("0::/\n"));
	EXPECT_STREQ("", units("0::"));
	EXPECT_STREQ("", units("0:/a.scope\n"));
	EXPECT_STREQ("", units("::/a.scope\n"));
	EXPECT_STREQ("", units("0::/machine.slice\n"));
	EXPECT_STREQ("", units("0::/machine/qemu-1-web1.libvirt-qemu/emulator\n"));
	EXPECT_STREQ("", units("0::/a b.scope\n"));
	EXPECT_STREQ("", units("0::/a\033[31m.scope\n"));
	EXPECT_STREQ("", units("0::/\xff.scope\n"));
	EXPECT_STREQ("", units("0::/.scope\n"));
	EXPECT_STREQ("", units("0::/vm@.service\n"));
	EXPECT_STREQ("", units("0::/@a.service\n"));
	EXPECT_STREQ("", units("0::/user.slice/x/a.scope\n"));
	memset(longest + 4, 'a', 249);
	strcat(longest, ".scope");
	EXPECT_EQ(255, strlen(units(longest)));
	memset(longest + 4, 'a', 250);
	strcpy(longest + 254, ".scope");
	EXPECT_STREQ("", units(longest));
}

#define EXPECT_SHOWN(expected, unit) do {	\
	char *shown = unit_unescape(unit);	\
						\
	EXPECT_STREQ(expected, shown);		\
	free(shown);				\
} while (0)

TEST(units_for_people)
{
	EXPECT_SHOWN("machine-qemu-1-web1.scope", "machine-qemu\\x2d1\\x2dweb1.scope");
	EXPECT_SHOWN("b\xc3\xbc.scope", "b\\xc3\\xBC.scope");
	EXPECT_SHOWN("a\\x00b", "a\\x00b");
	EXPECT_SHOWN("\\x2", "\\x2");
	EXPECT_SHOWN("\\x", "\\x");
	EXPECT_SHOWN("\\", "\\");
	EXPECT_SHOWN("\\xg1\\x-1", "\\xg1\\x-1");
	EXPECT_SHOWN("\\x2d", "\\x5cx2d");
}

TEST_HARNESS_MAIN
