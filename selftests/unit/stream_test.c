// SPDX-License-Identifier: GPL-2.0
/* Which trace instances a view may remove when their owner is gone. */
#include <kselftest_harness.h>

#include "stream.h"

TEST(an_instance_of_a_view_is_known_by_its_name)
{
	EXPECT_TRUE(stream_made_instance("kvmwatch-view-1-0123456789abcdef"));
	EXPECT_TRUE(stream_made_instance("kvmwatch-view-4194304-ffffffffffffffff"));
}

TEST(an_instance_of_anybody_else_is_not)
{
	static const char *const others[] = {
		"", "foo", "kvmwatch", "kvmwatch-", "kvmwatch-1", "kvmwatch-mine", "kvmwatch-view",
		"kvmwatch-view-", "kvmwatch-view-1", "kvmwatch-view-1-", "kvmwatch-view--",
		"kvmwatch-view-1-0123456789abcde", "kvmwatch-view-1-0123456789abcdef0",
		"kvmwatch-view-1-0123456789ABCDEF", "kvmwatch-view-x-0123456789abcdef",
		"kvmwatch-view--0123456789abcdef", "kvmwatch-view-1-0123456789abcdef-",
		"my-kvmwatch-view-1-0123456789abcdef",
	};
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
		EXPECT_FALSE(stream_made_instance(others[i])) {
			TH_LOG("'%s' would be removed", others[i]);
		}
	}
}

TEST_HARNESS_MAIN
