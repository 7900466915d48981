// SPDX-License-Identifier: GPL-2.0
/* Which VMs the argument of --vm selects. */
#include <errno.h>

#include <kselftest_harness.h>

#include "select.h"

static struct vm vms[] = {
	{ { .id = 1, .pid = 4242, .name = "4242-12" }, "web1" },
	{ { .id = 2, .pid = 4242, .name = "4242-13" }, "web1" },
	{ { .id = 3, .pid = 7, .name = "7-12" }, "7" },
	{ { .id = 7, .pid = 100, .name = "100-9" }, NULL, "4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a",
	  "machine-qemu\\x2d1\\x2dweb1.scope" },
	{ { .id = 9, .pid = 0, .name = "0-9" }, "id:1", "00112233-4455-6677-8899-aabbccddeeff",
	  "user@1000.service", "app-a.scope" },
	{ { .id = 11, .pid = 11, .name = "11-9" }, "db", "00112233-4455-6677-8899-aabbccddeeff",
	  "user@1000.service", "app-b.scope" },
};

#define NR	ARRAY_SIZE(vms)

/* The ids that match, as digits, or the error. */
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
	EXPECT_PICK("1 2 ", "guest:web1");
	EXPECT_PICK("11 ", "db");
}

TEST(pid_picks_all_of_that_process)
{
	EXPECT_PICK("1 2 ", "pid:4242");
	EXPECT_PICK("7 ", "100");
}

/* Two VMs have this name, or are in this process. */
TEST(what_does_not_say_which_picks_one)
{
	char *candidates;

	EXPECT_PICK_ERROR(-EEXIST, "web1");
	EXPECT_PICK_ERROR(-EEXIST, "4242");
	candidates = select_candidates("web1", vms, NR);
	EXPECT_STREQ("guest:web1 is VM 1 (4242-12), guest:web1 is VM 2 (4242-13)", candidates);
	free(candidates);
}

TEST(uuid_picks_one)
{
	EXPECT_PICK("7 ", "uuid:4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a");
	EXPECT_PICK("7 ", "4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a");
	EXPECT_PICK("7 ", "uuid:4F1F2F6C7D5F4A0F9D3A0C7F1D2E3B4A");
	EXPECT_PICK_ERROR(-ENOENT, "uuid:4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4b");
	/* As while a VM migrates to the same host. */
	EXPECT_PICK_ERROR(-EEXIST, "uuid:00112233-4455-6677-8899-aabbccddeeff");
	EXPECT_PICK_ERROR(-EINVAL, "uuid:web1");
	EXPECT_PICK_ERROR(-EINVAL, "uuid:");
}

TEST(unit_picks_all_in_it)
{
	EXPECT_PICK("7 ", "unit:machine-qemu\\x2d1\\x2dweb1.scope");
	EXPECT_PICK("7 ", "machine-qemu\\x2d1\\x2dweb1.scope");
	EXPECT_PICK("9 11 ", "unit:user@1000.service");
	EXPECT_PICK_ERROR(-EEXIST, "user@1000.service");
	EXPECT_PICK("9 ", "app-a.scope");
	EXPECT_PICK_ERROR(-ENOENT, "unit:machine-qemu-1-web1.scope");
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

/*
 * Tenants choose guest names. Such a name must neither select its VM instead of another, nor be one
 * of several matches.
 */
TEST(guest_name_that_is_another_vm_s_pid_id_or_name_is_refused)
{
	struct vm tenants[] = {
		{ { .id = 1, .pid = 17937, .name = "17937-12" }, "web1" },
		{ { .id = 2, .pid = 200, .name = "200-9" }, "17937" },
		{ { .id = 3, .pid = 300, .name = "300-9" }, "1" },
		{ { .id = 4, .pid = 400, .name = "400-9" }, "17937-12" },
		{ { .id = 5, .pid = 500, .name = "500-9" }, "500-9" },
	};
	bool match[ARRAY_SIZE(tenants)];
	char *candidates;

	EXPECT_EQ(-EEXIST, select_match("17937", tenants, ARRAY_SIZE(tenants), match));
	EXPECT_EQ(-EEXIST, select_match("1", tenants, ARRAY_SIZE(tenants), match));
	EXPECT_EQ(-EEXIST, select_match("17937-12", tenants, ARRAY_SIZE(tenants), match));
	EXPECT_EQ(1, select_match("500-9", tenants, ARRAY_SIZE(tenants), match));
	EXPECT_TRUE(match[4]);
	EXPECT_EQ(1, select_match("pid:17937", tenants, ARRAY_SIZE(tenants), match));
	EXPECT_TRUE(match[0]);
	EXPECT_EQ(1, select_match("guest:17937", tenants, ARRAY_SIZE(tenants), match));
	EXPECT_TRUE(match[1]);
	EXPECT_EQ(1, select_match("name:17937-12", tenants, ARRAY_SIZE(tenants), match));
	EXPECT_TRUE(match[0]);

	candidates = select_candidates("17937", tenants, ARRAY_SIZE(tenants));
	EXPECT_STREQ("guest:17937 is VM 2 (200-9), pid:17937 is VM 1 (17937-12)", candidates);
	free(candidates);
}

TEST(message_about_candidates_stays_short)
{
	char arg[1000], *candidates;
	struct vm many[30] = { };
	size_t i;

	memset(arg, 'x', sizeof(arg) - 1);
	arg[sizeof(arg) - 1] = '\0';
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		many[i].guest = arg;
		many[i].info.id = i + 1;
	}
	candidates = select_candidates(arg, many, ARRAY_SIZE(many));
	EXPECT_GT(800, strlen(candidates));
	EXPECT_NE(NULL, strstr(candidates, " and 22 more"));
	free(candidates);
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
