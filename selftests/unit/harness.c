// SPDX-License-Identifier: GPL-2.0
/* Runs the tests of one program, each in a process of its own. See kselftest_harness.h. */
#include "kselftest_harness.h"

#define TIMEOUT	300	/* seconds; it ends what hangs, on a busy machine, too */

static Suite *suite;
/* Why the current assertion fails */
static char why[1024];

/* Lines that unit_note() got */
static char notes[4096];

void unit_add(const TTest *test)
{
	TCase *one = tcase_create(test->name + strlen("unit_"));

	if (!suite)
		suite = suite_create("unit");
	tcase_set_timeout(one, TIMEOUT);
	tcase_add_test(one, test);
	suite_add_tcase(suite, one);
}

bool unit_holds(bool holds, const char *format, ...)
{
	va_list args;

	mark_point();
	if (holds)
		return true;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	return false;
}

const char *unit_text(const char *s)
{
	return s ?: "(null)";
}

void unit_note(const char *line)
{
	size_t len = strlen(notes);

	snprintf(notes + len, sizeof(notes) - len, "\n# %.*s", (int)strcspn(line, "\n"), line);
}

bool unit_fail(void)
{
	ck_abort_msg("%s%s", why, notes);
	return false;
}

static void print_result(TestResult *result, int nr)
{
	if (tr_rtype(result) != CK_PASS)
		printf("# %s:%d: %s\nnot ", tr_lfile(result), tr_lno(result), tr_msg(result));
	printf("ok %d %s\n", nr, tr_tcname(result));
}

int unit_main(void)
{
	SRunner *runner = srunner_create(suite);
	TestResult **results;
	int i, failed, nr;

	setvbuf(stdout, NULL, _IOLBF, 0);
	srunner_run_all(runner, CK_SILENT);
	nr = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	results = srunner_results(runner);
	printf("1..%d\n", nr);
	for (i = 0; i < nr; i++)
		print_result(results[i], i + 1);
	free(results);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
