// SPDX-License-Identifier: GPL-2.0
/* Saved reads of exits, and files that are not valid. */
#include <stdio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "cmd.h"
#include "exit_file.h"

static struct exit_file *file;

static int read_text(const char *text)
{
	static const char path[] = "/tmp/exit_file_test.json";
	FILE *to = fopen(path, "we");
	int code;

	fputs(text, to);
	fclose(to);
	file = NULL;
	code = exit_file_read(path, &file);
	unlink(path);
	return code;
}

#define WHO	"\"vm\":3,\"time_ns\":50,\"instance\":9,\"kind\":\"kvm\","
#define VM	"{" WHO "\"object\":\"vm\","
#define VCPU	"{" WHO "\"object\":\"vcpu0\",\"id\":8,"

/* A cell of a statistic with @size cells; ~0: it is unknown. */
static __u64 cell(__u64 id, const char *name, unsigned int size, unsigned int at)
{
	const struct kvmwatch_value now = { .name = name, .size = size };
	struct exit_saved *saved = exit_file_find(file, 3, id);
	struct kvmwatch_value value;

	if (!saved || !exit_saved_value(saved, &now, &value) || value.size != size)
		return ~0ULL;
	return value.data[at];
}

TEST(numbers_are_where_they_belong)
{
	static const char text[] =
		VM "\"reason\":\"npf\",\"number\":2,\"count\":5,\"exit_time_ns\":70}\n"
		VM "\"reason\":\"other\",\"count\":6,\"exit_time_ns\":71}\n"
		VM "\"reason\":\"all\",\"count\":11,\"exit_time_ns\":141}\n"
		VCPU "\"reason\":\"hlt\",\"number\":1,\"count\":4}\n"
		VCPU "\"reason\":\"all\",\"count\":4}\n";

	ASSERT_EQ(0, read_text(text));
	EXPECT_EQ(9, exit_file_instance(file));
	EXPECT_EQ(50, exit_saved_ns(exit_file_find(file, 3, 0)));
	EXPECT_EQ(5, cell(0, "exit_reasons", 5, 2));
	EXPECT_EQ(0, cell(0, "exit_reasons", 5, 1));
	EXPECT_EQ(6, cell(0, "exit_reasons", 5, 4));
	EXPECT_EQ(70, cell(0, "exit_reason_times", 5, 2));
	EXPECT_EQ(71, cell(0, "exit_reason_times", 5, 4));
	EXPECT_EQ(11, cell(0, "exits", 1, 0));
	EXPECT_EQ(141, cell(0, "exit_time_ns", 1, 0));
	EXPECT_EQ(4, cell(8, "exit_reasons", 5, 1));
	EXPECT_EQ(4, cell(8, "exits", 1, 0));
	/* A statistic that the file lacks is unknown, not 0. */
	EXPECT_EQ(~0ULL, cell(8, "exit_time_ns", 1, 0));
	EXPECT_EQ(~0ULL, cell(8, "exit_reason_times", 5, 1));
	EXPECT_EQ(~0ULL, cell(0, "user_exits", 1, 0));
	EXPECT_EQ(~0ULL, cell(0, "exit_hist", 5, 0));
	EXPECT_EQ(NULL, exit_file_find(file, 3, 7));
	EXPECT_EQ(NULL, exit_file_find(file, 4, 0));
	exit_file_free(file);
}

TEST(where_none_came_all_are_zero)
{
	ASSERT_EQ(0, read_text(VM "\"reason\":\"all\",\"count\":0,\"exit_time_ns\":0}\n"));
	EXPECT_EQ(0, cell(0, "exit_reasons", 5, 1));
	EXPECT_EQ(0, cell(0, "exit_reason_times", 5, 1));
	exit_file_free(file);
	/* If the number of exits is unknown, so are their reasons. */
	ASSERT_EQ(0, read_text(VM "\"reason\":\"all\",\"count\":null}\n"));
	EXPECT_EQ(~0ULL, cell(0, "exit_reasons", 5, 1));
	EXPECT_EQ(~0ULL, cell(0, "exits", 1, 0));
	exit_file_free(file);
}

TEST(what_is_no_look_is_refused)
{
	static const char *const bad[] = {
		"", "\n", "hello\n", "[]\n", "5\n", "{}\n", "{\"vm\":3}\n",
		VM "\"reason\":\"npf\",\"number\":5000000000,\"count\":1}\n",
		VM "\"reason\":\"all\",\"count\":1}\ngarbage\n",
		"{\"vm\":-3,\"time_ns\":50,\"instance\":9,\"kind\":\"kvm\",\"object\":\"vm\"}\n",
		"{\"vm\":3,\"time_ns\":50,\"instance\":9,\"kind\":\"what\",\"object\":\"vm\"}\n",
		"{\"vm\":3,\"time_ns\":50,\"kind\":\"kvm\",\"object\":\"vm\"}\n",
		"{" WHO "\"object\":\"vcpu0\"}\n",
		VM "\"reason\":\"all\",\"count\":1}\n"
		"{\"vm\":3,\"time_ns\":50,\"instance\":8,\"kind\":\"kvm\",\"object\":\"vm\"}\n",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(EXIT_COULD_NOT, read_text(bad[i])) {
			TH_LOG("taken: %s", bad[i]);
		}
	}
	EXPECT_EQ(EXIT_COULD_NOT, exit_file_read("/nowhere", &file));
	EXPECT_EQ(EXIT_COULD_NOT, exit_file_read("/", &file));
}

TEST_HARNESS_MAIN
