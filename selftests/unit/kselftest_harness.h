/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The macros of the kernel's test harness for tests on this machine, made with libcheck, which runs
 * each test in a process of its own. With them, these tests read like those in the VM and need no
 * kernel source.
 *
 * Unlike the kernel's, EXPECT_*() ends a test at once, as ASSERT_*() does. A statement after an
 * assertion, such as TH_LOG(), runs when the assertion fails.
 */
#ifndef UNIT_KSELFTEST_HARNESS_H
#define UNIT_KSELFTEST_HARNESS_H

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#endif

/* Add a test to the suite, before main() runs. */
void unit_add(const TTest *test);

#ifndef __printf
#define __printf(a, b)	__attribute((format(printf, a, b)))
#endif

/* Return @holds. If it is false, keep the words for unit_fail(). */
bool __printf(2, 3) unit_holds(bool holds, const char *format, ...);

/* The text to print for a string. */
const char *unit_text(const char *s);

/* Print this line, too, if the test fails. */
void unit_note(const char *line);

/* End the test. */
bool unit_fail(void);

/* Run all tests. Returns main()'s exit status. */
int unit_main(void);

#define TEST(name)								\
	static void name(void);							\
	START_TEST(unit_##name)							\
	{									\
		name();								\
	}									\
	END_TEST								\
	static __attribute__((constructor)) void unit_add_##name(void)		\
	{									\
		unit_add(unit_##name);						\
	}									\
	static void name(void)

#define FIXTURE(name)		struct unit_##name
#define FIXTURE_SETUP(name)	static void name##_setup(struct unit_##name *self)
#define FIXTURE_TEARDOWN(name)	static void name##_teardown(struct unit_##name *self)

#define TEST_F(fixture, name)							\
	static void fixture##_##name(struct unit_##fixture *self);		\
	START_TEST(unit_##fixture##_##name)					\
	{									\
		struct unit_##fixture self = { 0 };				\
										\
		fixture##_setup(&self);						\
		fixture##_##name(&self);					\
		fixture##_teardown(&self);					\
	}									\
	END_TEST								\
	static __attribute__((constructor)) void unit_add_##fixture##_##name(void) \
	{									\
		unit_add(unit_##fixture##_##name);				\
	}									\
	static void fixture##_##name(struct unit_##fixture *self)

#define UNIT_HANDLER(holds)	for (bool unit_bad = !(holds); unit_bad; unit_bad = unit_fail())

#define UNIT_COMPARE(expected, seen, op)	UNIT_HANDLER(({				\
	__auto_type unit_expected = (expected);						\
	__auto_type unit_seen = (seen);							\
	unit_holds(unit_expected op unit_seen, "Expected %s (%lld) " #op " %s (%lld)",	\
		   #expected, (long long)(intptr_t)unit_expected,			\
		   #seen, (long long)(intptr_t)unit_seen);				\
}))
#define UNIT_STRINGS(expected, seen, op)	UNIT_HANDLER(({				\
	const char *unit_expected = unit_text(expected);				\
	const char *unit_seen = unit_text(seen);					\
	unit_holds(strcmp(unit_expected, unit_seen) op 0, "Expected '%s' " #op " '%s'", \
		   unit_expected, unit_seen);						\
}))

#define EXPECT_EQ(expected, seen)	UNIT_COMPARE(expected, seen, ==)
#define EXPECT_NE(expected, seen)	UNIT_COMPARE(expected, seen, !=)
#define EXPECT_LT(expected, seen)	UNIT_COMPARE(expected, seen, <)
#define EXPECT_LE(expected, seen)	UNIT_COMPARE(expected, seen, <=)
#define EXPECT_GT(expected, seen)	UNIT_COMPARE(expected, seen, >)
#define EXPECT_GE(expected, seen)	UNIT_COMPARE(expected, seen, >=)
#define EXPECT_TRUE(seen)		UNIT_HANDLER(unit_holds(seen, "%s is not true", #seen))
#define EXPECT_FALSE(seen)		UNIT_HANDLER(unit_holds(!(seen), "%s is not false", #seen))
#define EXPECT_STREQ(expected, seen)	UNIT_STRINGS(expected, seen, ==)
#define EXPECT_STRNE(expected, seen)	UNIT_STRINGS(expected, seen, !=)

#define ASSERT_EQ	EXPECT_EQ
#define ASSERT_NE	EXPECT_NE
#define ASSERT_LT	EXPECT_LT
#define ASSERT_LE	EXPECT_LE
#define ASSERT_GT	EXPECT_GT
#define ASSERT_GE	EXPECT_GE
#define ASSERT_TRUE	EXPECT_TRUE
#define ASSERT_FALSE	EXPECT_FALSE
#define ASSERT_STREQ	EXPECT_STREQ
#define ASSERT_STRNE	EXPECT_STRNE

#define TH_LOG(format, ...) \
	fprintf(stdout, "# %s:%d: " format "\n", __FILE__, __LINE__, ##__VA_ARGS__)

#define TEST_HARNESS_MAIN	\
	int main(void)		\
	{			\
		exit(unit_main()); \
	}

#endif /* UNIT_KSELFTEST_HARNESS_H */
