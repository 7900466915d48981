/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine that a test runs on, and what tests may change there. The runner describes it in the
 * environment:
 *
 *   MACHINE	vm	the test VM: it goes away after the tests, so they may do anything
 *		ours	a machine that nobody else uses: tests may change settings that they put
 *			back, reload KVM, take CPUs offline, start hundreds of VMs
 *		quiet	only VMs of the tests run there; tests change no setting
 *		shared	other users' VMs run there; tests change no setting, and do not count
 *			those VMs. This is the default.
 *   OTHER_VMS	names of other users' VMs in KVM's debugfs, separated by spaces
 *   KVMWATCH_KO the module's file, by default /kvmwatch.ko
 *
 * Tests change settings of the machine only with machine_put() and machine_do(); "make lint" checks
 * that.
 */
#ifndef SELFTESTS_MACHINE_H
#define SELFTESTS_MACHINE_H

#include <stdbool.h>

/* Each of these is also true for the kinds above it in the list. */
bool machine_is_vm(void);
bool machine_is_ours(void);
bool machine_is_quiet(void);

/* Is this the name of another user's VM? */
bool machine_is_others_vm(const char *name);

/* Where the module is. */
const char *machine_module(void);

/*
 * Change a setting. Returns 0; -EPERM: tests may not change it; or another negative errno. A
 * teardown calls machine_put_back(), which restores the values before the first change. (After a
 * test that was killed the runner restores them.)
 */
int machine_put(const char *path, const char *value);
void machine_put_back(void);
/* The same for a command, such as drop_caches, which leaves nothing to restore. */
int machine_do(const char *path, const char *value);

/* Tell the runner that the kernel's messages until now were expected, and are no failure. */
void machine_expected_messages(void);

/*
 * Skip a test on a machine where its changes are not allowed. @statement is that of SKIP():
 * "return" in a test, and FROM_SETUP in the setup of a fixture. After a return from the setup, the
 * harness of 6.1 would still run the test. FROM_SETUP ends the harness's child process with the
 * exit status that means "skipped".
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
