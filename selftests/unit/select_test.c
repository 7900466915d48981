// SPDX-License-Identifier: GPL-2.0
/* Which VMs the argument of --vm means. */
#include <errno.h>

#include <kselftest_harness.h>

#include "select.h"

static struct vm vms[] = {
	{ { .id = 1, .pid = 4242, .name = "4242-12" }, "web1" },
	{ { .id = 2, .pid = 4242, .name = "4242-13" }, "web1" },
	{ { .id = 3, .pid = 7, .name = "7-12" }, "7" },
	{ { .id = 7, .pid = 100, .name = "100-9" }, NULL },
	{ { .id = 9, .pid = 0, .name = "0-9" }, "id:1" },
	{ { .id = 11, .pid = 11, .name = "11-9" }, "db" },
};

#define NR	ARRAY_SIZE(vms)

/* The ids that match, as digits, or what else it comes to. */
static int pick(const char *arg, char *ids)
{
	bool match[NR];
	size_t i;
	int found;

	*ids = '\0';
	found = select_match(arg, vms, NR, match);
	for (i = 0; found > 0 && i < NR; i++) {
		if (match[i])
			ids += sprintf(ids, "%llu ", vms[i].info.id);
	}
	return found;
}

#define EXPECT_PICK(expected, arg) do {		\
	char ids[64];				\
						\
	pick(arg, ids);				\
	EXPECT_STREQ(expected, ids);		\
} while (0)

#define EXPECT_PICK_ERROR(expected, arg) do {	\
	char ids[64];				\
						\
	EXPECT_EQ(expected, pick(arg, ids));	\
} while (0)

TEST(name_picks_one)
{
	EXPECT_PICK("2 ", "4242-13");
	EXPECT_PICK("2 ", "name:4242-13");
}

TEST(guest_name_picks_all_of_that_name)
{
	EXPECT_PICK("1 2 ", "web1");
	EXPECT_PICK("1 2 ", "guest:web1");
	EXPECT_PICK("11 ", "db");
}

TEST(pid_picks_all_of_that_process)
{
	EXPECT_PICK("1 2 ", "4242");
	EXPECT_PICK("7 ", "100");
}

TEST(id_picks_one)
{
	EXPECT_PICK("2 ", "2");
	EXPECT_PICK("9 ", "9");
	EXPECT_PICK("7 ", "id:7");
}

TEST(prefix_says_what_is_meant)
{
	EXPECT_PICK("3 ", "pid:7");
	EXPECT_PICK("7 ", "id:7");
	EXPECT_PICK("3 ", "guest:7");
	EXPECT_PICK("9 ", "guest:id:1");
	EXPECT_PICK("1 ", "id:1");
}

TEST(number_that_means_two_vms_is_refused)
{
	vms[2].guest = NULL;
	EXPECT_PICK_ERROR(-EEXIST, "7");
}

TEST(number_that_means_one_vm_twice_is_fine)
{
	EXPECT_PICK("11 ", "11");
}

TEST(pid_that_is_not_known_is_not_zero)
{
	EXPECT_PICK_ERROR(-ENOENT, "0");
	EXPECT_PICK_ERROR(-ENOENT, "pid:0");
}

TEST(what_is_not_there_is_not_found)
{
	EXPECT_PICK_ERROR(-ENOENT, "nothing");
	EXPECT_PICK_ERROR(-ENOENT, "4242-1");
	EXPECT_PICK_ERROR(-ENOENT, "99999999999999999999");
	EXPECT_PICK_ERROR(-ENOENT, "id:99");
	EXPECT_PICK_ERROR(-ENOENT, "");
}

TEST(prefix_without_a_number_is_refused)
{
	EXPECT_PICK_ERROR(-EINVAL, "id:x");
	EXPECT_PICK_ERROR(-EINVAL, "pid:");
	EXPECT_PICK_ERROR(-EINVAL, "id:-1");
}

TEST_HARNESS_MAIN
