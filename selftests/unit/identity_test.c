// SPDX-License-Identifier: GPL-2.0
/* Who a VM is, by its VMM's command line and cgroup. */
#include <kselftest_harness.h>

#include "identity.h"

#define UUID	"12345678-9abc-def0-1234-56789abcdef0"

#define EXPECT_UUID(expected, literal) do {				\
	char *uuid = identity_uuid(literal, sizeof(literal));		\
									\
	EXPECT_STREQ(expected, uuid);					\
	free(uuid);							\
} while (0)

TEST(the_uuid_is_what_qemu_was_told)
{
	EXPECT_UUID(UUID, "qemu\0-uuid\0" UUID);
	EXPECT_UUID(UUID, "qemu\0-uuid\0" "12345678-9ABC-DEF0-1234-56789ABCDEF0");
	EXPECT_UUID(UUID, "kvm\0-smbios\0type=1,manufacturer=a,,b,uuid=" UUID ",x=y");
	EXPECT_UUID(UUID, "qemu\0-smbios\0uuid=87654321-9abc-def0-1234-56789abcdef0\0-uuid\0" UUID);
	EXPECT_UUID(NULL, "qemu\0-name\0" UUID);
	EXPECT_UUID(NULL, "qemu\0-uuid\0" "123");
	EXPECT_UUID(NULL, "qemu\0-uuid\0" "12345678-9abc-def0-1234-56789abcdefg");
	EXPECT_UUID(NULL, "qemu\0-uuid");
	EXPECT_UUID(NULL, "other\0-uuid\0" UUID);
}

#define EXPECT_UNIT(expected, text) do {				\
	char *unit = identity_unit(text);				\
									\
	EXPECT_STREQ(expected, unit);					\
	free(unit);							\
} while (0)

TEST(the_unit_is_the_innermost_one)
{
	EXPECT_UNIT("machine-qemu\\x2d1\\x2dweb1.scope",
		    "0::/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope/libvirt/emulator\n");
	EXPECT_UNIT("100.scope", "0::/qemu.slice/100.scope\n");
	EXPECT_UNIT("a.service", "2:cpu:/a.scope\n1:name=systemd:/system.slice/a.service\n0::/\n");
	EXPECT_UNIT("b.scope", "0::/a.service/b.scope");
	EXPECT_UNIT(NULL, "0::/\n");
	EXPECT_UNIT(NULL, "0::/user.slice/.scope\n");
	EXPECT_UNIT(NULL, "");
	EXPECT_UNIT(NULL, "nonsense\n\n::::\n");
}

TEST_HARNESS_MAIN
