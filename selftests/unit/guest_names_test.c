// SPDX-License-Identifier: GPL-2.0
/*
 * Guest names are kept from one call to the next, and a process that does not answer costs a
 * limited time. Reading a command line is played: each test says which processes answer.
 */
#include <stdatomic.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "guest_names.h"
#include "identity.h"
#include "select.h"

/* Processes from this number on do not answer. */
static atomic_int first_stuck = 1000000;
static atomic_uint reads;

/* Replaces the tool's. */
int identity_of(int pid, struct identity *identity)
{
	char name[24];

	reads++;
	while (pid >= first_stuck)
		usleep(1000);
	memset(identity, 0, sizeof(*identity));
	snprintf(name, sizeof(name), "guest%d", pid);
	if (pid % 10)
		identity->guest = strdup(name);
	snprintf(name, sizeof(name), "%d.scope", pid);
	identity->unit = strdup(name);
	identity->uuid = pid == 1 ? strdup("01234567-89ab-cdef-0123-456789abcdef") : NULL;
	return 0;
}

static unsigned int take_reads(void)
{
	return atomic_exchange(&reads, 0);
}

#define NR	40

FIXTURE(names) {
	struct guest_names *names;
	struct vm vms[NR];
};

/* The VM with id i + 1 belongs to process i + 1, which has a name unless it ends in 0. */
FIXTURE_SETUP(names)
{
	int i;

	for (i = 0; i < NR; i++) {
		self->vms[i].info.id = i + 1;
		self->vms[i].info.pid = i + 1;
		snprintf(self->vms[i].info.name, sizeof(self->vms[i].info.name), "%d-7", i + 1);
	}
}

static void forget_vm(struct vm *vm)
{
	free(vm->guest);
	free(vm->uuid);
	free(vm->unit);
	free(vm->user_unit);
	vm->guest = NULL;
	vm->uuid = NULL;
	vm->unit = NULL;
	vm->user_unit = NULL;
}

static void forget(struct vm *vms)
{
	int i;

	for (i = 0; i < NR; i++)
		forget_vm(&vms[i]);
}

/*
 * Call as often as it takes to read @nr command lines and to name each process that answers and has
 * a name. On a busy machine one of these may be late, too, and have its name only later.
 */
static int fill(struct guest_names **names, struct vm *vms, size_t nr_vms, unsigned int nr)
{
	bool all_named;
	size_t i;
	int err;

	do {
		for (i = 0; i < nr_vms; i++)
			forget_vm(&vms[i]);
		usleep(1000);
		err = guest_names_fill(names, vms, nr_vms);
		all_named = reads >= nr;
		for (i = 0; i < nr_vms; i++)
			all_named &= vms[i].guest || !vms[i].info.pid ||
				    vms[i].info.pid >= first_stuck || !(vms[i].info.pid % 10);
	} while (!err && !all_named);
	return err;
}

FIXTURE_TEARDOWN(names)
{
	first_stuck = 1000000;
	forget(self->vms);
	guest_names_free(self->names);
}

TEST_F(names, command_lines_are_read_once)
{
	int look;

	for (look = 0; look < 3; look++) {
		ASSERT_EQ(0, fill(&self->names, self->vms, NR, look ? 0 : NR));
		EXPECT_STREQ("guest1", self->vms[0].guest);
		EXPECT_EQ(NULL, self->vms[9].guest);
		EXPECT_STREQ("guest39", self->vms[38].guest);
		EXPECT_STREQ("39.scope", self->vms[38].unit);
		EXPECT_STREQ("10.scope", self->vms[9].unit);
		EXPECT_EQ(NULL, self->vms[38].uuid);
		EXPECT_STREQ("01234567-89ab-cdef-0123-456789abcdef", self->vms[0].uuid);
		EXPECT_EQ(NULL, self->vms[0].user_unit);
		EXPECT_EQ(look ? 0 : NR, take_reads());
		forget(self->vms);
	}
}

TEST_F(names, they_go_by_the_vm_and_not_by_its_place)
{
	struct vm swapped;

	ASSERT_EQ(0, fill(&self->names, self->vms, NR, NR));
	forget(self->vms);
	take_reads();
	swapped = self->vms[3];
	self->vms[3] = self->vms[4];
	self->vms[4] = swapped;
	ASSERT_EQ(0, fill(&self->names, self->vms + 2, NR - 2, 0));
	EXPECT_STREQ("guest5", self->vms[3].guest);
	EXPECT_STREQ("guest4", self->vms[4].guest);
	EXPECT_EQ(0, take_reads());
}

/* After insmod ids begin again at 1. */
TEST_F(names, another_vm_with_the_same_id_has_its_own)
{
	ASSERT_EQ(0, fill(&self->names, self->vms, NR, NR));
	forget(self->vms);
	take_reads();
	self->vms[0].info.pid = 77;
	strcpy(self->vms[1].info.name, "2-8");
	ASSERT_EQ(0, fill(&self->names, self->vms, NR, 2));
	EXPECT_STREQ("guest77", self->vms[0].guest);
	EXPECT_STREQ("guest2", self->vms[1].guest);
	EXPECT_EQ(2, take_reads());
}

TEST_F(names, a_process_that_is_not_visible_has_none)
{
	self->vms[0].info.pid = 0;
	ASSERT_EQ(0, fill(&self->names, self->vms, NR, NR - 1));
	EXPECT_EQ(NULL, self->vms[0].guest);
	EXPECT_EQ(NR - 1, take_reads());
}

/* A call waits for at most a second. If it waited for ever, the test's own limit would end it. */
TEST_F(names, a_process_that_does_not_answer_hides_no_other_name)
{
	int i;

	self->vms[2].info.pid = 500;
	first_stuck = 500;
	ASSERT_EQ(0, fill(&self->names, self->vms, NR, NR));
	for (i = 0; i < NR; i++) {
		if (i != 2 && (i + 1) % 10)
			EXPECT_NE(NULL, self->vms[i].guest);
	}
	EXPECT_EQ(NULL, self->vms[2].guest);
	EXPECT_EQ(NR, take_reads());
	forget(self->vms);

	/* The process is not asked again. */
	ASSERT_EQ(0, guest_names_fill(&self->names, self->vms, NR));
	EXPECT_EQ(NULL, self->vms[2].guest);
	EXPECT_EQ(0, take_reads());
}

TEST_F(names, one_that_answers_late_is_shown_then)
{
	self->vms[2].info.pid = 501;
	first_stuck = 500;
	ASSERT_EQ(0, fill(&self->names, self->vms, NR, NR));
	EXPECT_EQ(NULL, self->vms[2].guest);
	first_stuck = 1000;
	while (!self->vms[2].guest) {
		usleep(10000);
		forget(self->vms);
		ASSERT_EQ(0, guest_names_fill(&self->names, self->vms, NR));
	}
	EXPECT_STREQ("guest501", self->vms[2].guest);
	EXPECT_EQ(NR, take_reads());
}

/* Each of these processes would keep a thread. After some of them, kvmwatch tries no others. */
TEST_F(names, many_that_do_not_answer_have_a_limit)
{
	int i;

	for (i = 0; i < NR; i++)
		self->vms[i].info.pid = 501 + i;
	first_stuck = 500;
	ASSERT_EQ(0, guest_names_fill(&self->names, self->vms, NR));
	for (i = 0; i < NR; i++)
		EXPECT_EQ(NULL, self->vms[i].guest);
	EXPECT_GT(NR / 2, take_reads());

	/*
	 * Processes of VMs that are not listed any more are forgotten, whether they answer or not.
	 */
	ASSERT_EQ(0, guest_names_fill(&self->names, self->vms, 0));
	first_stuck = 1000;
	ASSERT_EQ(0, fill(&self->names, self->vms, NR, 0));
	EXPECT_STREQ("guest501", self->vms[0].guest);
}

TEST_HARNESS_MAIN
