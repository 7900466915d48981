/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine that a test runs on, and what the test may do to it. The runner says so in the
 * environment:
 *
 *   MACHINE	vm	the test VM: it goes away after the tests, so they may do anything
 *		ours	a machine that nobody else uses: tests may change settings that they put
 *			back, reload KVM, take CPUs offline, start hundreds of VMs
 *		quiet	only VMs of the tests run there; tests change no setting
 *		shared	VMs of others run there; tests change no setting and leave those VMs
 *			out of what they count. This is what tests assume when nobody says.
 *   OTHER_VMS	names of the VMs of others, as KVM has them in debugfs, with spaces between
 *   KVMWATCH_KO the module's file, /kvmwatch.ko if nobody says
 *
 * Tests change settings of the machine with machine_put() and machine_do() alone, which "make lint"
 * looks after.
 */
#ifndef SELFTESTS_MACHINE_H
#define SELFTESTS_MACHINE_H

#include <stdbool.h>

/* Each is true of those above it in the list, too. */
bool machine_is_vm(void);
bool machine_is_ours(void);
bool machine_is_quiet(void);

/* Is this the name of a VM of somebody else? */
bool machine_is_others_vm(const char *name);

/* Where the module is. */
const char *machine_module(void);

/*
 * Change a setting: 0, or -EPERM where a test may not, or another negative errno. What it was
 * before the first change comes back with machine_put_back(), which a teardown calls. (The runner
 * puts back what a test left that was killed.)
 */
int machine_put(const char *path, const char *value);
void machine_put_back(void);
/* The same of a command, such as drop_caches, which leaves nothing to put back. */
int machine_do(const char *path, const char *value);

/* The kernel said until now what it was expected to: the runner does not count it as complaint. */
void machine_expected_messages(void);

/*
 * Skip a test on a machine where it may not do what it does. @statement is SKIP()'s: "return" in a
 * test, FROM_SETUP in the setup of a fixture, which the harness of 6.1 would leave only to go on to
 * the test. It ends the harness's child process, with the exit status that says "skipped".
 */
#define FROM_SETUP _exit(255)

#define NEEDS_VM(statement, what) do {							\
	if (!machine_is_vm())								\
		SKIP(statement, "%s: only in the test VM (make vm-test)", what);	\
} while (0)

#define NEEDS_MACHINE(statement, what) do {						\
	if (!machine_is_ours())								\
		SKIP(statement, "%s: RUN_ALL=yes, where nobody else uses KVM", what);	\
} while (0)

#define NEEDS_QUIET(statement, what) do {						\
	if (!machine_is_quiet())							\
		SKIP(statement, "%s: end all other VMs first", what);			\
} while (0)

#endif /* SELFTESTS_MACHINE_H */
