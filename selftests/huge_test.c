// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch huge: of guests whose memory is backed in a known way, with each of KVM's MMUs, it tells
 * how they are mapped, what the host would allow, and what keeps pages small.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "machine.h"
#include "subject.h"
#include "vendor.h"
#include "watch.h"

#define SYS_HUGETLB	"/proc/sys/vm/nr_hugepages"
#define NO_THP		"the host gives no transparent huge pages"
#define SYS_NX		"/sys/module/kvm/parameters/nx_huge_pages"

/* What the tool says of a slot or of the VM; -1: unknown. */
struct seen {
	long long memory, mapped_4k, mapped_2m, mapped_1g, may_2m, may_1g, host_4k, absent;
	long long unaligned, edge, least, most, nx, splits, unmapped;
	char by[64];
};

#define COLUMNS									\
	"object,memory,mapped_4k_bytes,mapped_2m_bytes,mapped_1g_bytes,may_2m_bytes,may_1g_bytes," \
	"host_4k_bytes,host_absent_bytes,unaligned_bytes,edge_bytes,could_be_huge_least," \
	"could_be_huge_most,nx_tables,splits,huge_unmapped,kept_small_by"

static long long take_number(char **line)
{
	char *field = strsep(line, ",");

	return field && *field ? atoll(field) : -1;
}

static void read_line(char *line, struct seen *seen)
{
	long long *const numbers[] = {
		&seen->memory, &seen->mapped_4k, &seen->mapped_2m, &seen->mapped_1g,
		&seen->may_2m, &seen->may_1g, &seen->host_4k, &seen->absent, &seen->unaligned,
		&seen->edge, &seen->least, &seen->most, &seen->nx, &seen->splits, &seen->unmapped,
	};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		*numbers[i] = take_number(&line);
	seen->by[0] = '\0';
	if (line)
		sscanf(line, "%*[\"]%63[^\"\n]", seen->by);
	if (line && *line != '"')
		sscanf(line, "%63[^\n]", seen->by);
}

/* @object: "vm" or "slot0-1". All is unknown if the tool does not show it. */
static struct seen look(struct guest *g, const char *object)
{
	struct seen seen;
	struct kvmwatch_vm vm = { };
	char command[512], line[512];
	size_t len = strlen(object);
	FILE *from;

	memset(&seen, -1, sizeof(seen));
	seen.by[0] = '\0';
	watch_find(g, &vm);
	snprintf(command, sizeof(command), "kvmwatch huge --csv -N -p id:%llu -o " COLUMNS, vm.id);
	from = popen(command, "r");
	while (from && fgets(line, sizeof(line), from)) {
		if (!strncmp(line, object, len) && line[len] == ',')
			read_line(line + len + 1, &seen);
	}
	if (from)
		pclose(from);
	return seen;
}

FIXTURE(huge)
{
	struct subject s;
};

FIXTURE_VARIANT(huge)
{
	bool other;	/* KVM uses the MMU that is not its default */
	bool paging;	/* neither EPT nor NPT */
};

FIXTURE_VARIANT_ADD(huge, default_mmu) { };
FIXTURE_VARIANT_ADD(huge, other_mmu) { .other = true };
FIXTURE_VARIANT_ADD(huge, shadow_paging) { .paging = true };

FIXTURE_SETUP(huge)
{
	sys_no_khugepaged();
	if (variant->other || variant->paging)
		NEEDS_MACHINE(FROM_SETUP, "it reloads KVM with another MMU");
	if (variant->other)
		ASSERT_EQ(0, reload_kvm(sys_is_on(SYS_TDP_MMU) ? "tdp_mmu=N" : "tdp_mmu=Y", ""));
	if (variant->paging)
		ASSERT_EQ(0, reload_kvm("", vendor_without_tdp()));
	if (subject_init(&self->s, false, 0))
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
}

FIXTURE_TEARDOWN(huge)
{
	guest_free(self->s.g);
	if (variant->other || variant->paging)
		EXPECT_EQ(0, reload_kvm("", ""));
	machine_put_back();
}

/* All that backs a slot, in bytes; it is the slot. */
#define EXPECT_BACKING(seen, b1g, b2m, small, no, off, cut) do {		\
	EXPECT_EQ((long long)(b1g), (seen).may_1g);				\
	EXPECT_EQ((long long)(b2m), (seen).may_2m);				\
	EXPECT_EQ((long long)(small), (seen).host_4k);				\
	EXPECT_EQ((long long)(no), (seen).absent);				\
	EXPECT_EQ((long long)(off), (seen).unaligned);				\
	EXPECT_EQ((long long)(cut), (seen).edge);				\
	EXPECT_EQ((seen).memory, (seen).may_1g + (seen).may_2m + (seen).host_4k +	\
		  (seen).absent + (seen).unaligned + (seen).edge);		\
} while (0)

#define EXPECT_COULD(seen, bytes) do {						\
	EXPECT_EQ((long long)(bytes), (seen).least);				\
	EXPECT_EQ((long long)(bytes), (seen).most);				\
} while (0)

#define HUGE	((long long)HUGE_SIZE)
#define SMALL	((long long)GUEST_PAGE)

TEST_F(huge, small_pages_of_the_host_keep_pages_small)
{
	struct subject *s = &self->s;
	struct seen seen;

	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 4 * HUGE_PAGES, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 704));
	seen = look(s->g, "slot0-1");
	EXPECT_EQ(704 * SMALL, seen.mapped_4k);
	EXPECT_EQ(0, seen.mapped_2m);
	EXPECT_BACKING(seen, 0, 0, 704 * SMALL, 4 * HUGE - 704 * SMALL, 0, 0);
	EXPECT_COULD(seen, 0);
	EXPECT_STREQ("host", seen.by);
}

TEST_F(huge, transparent_huge_pages_may_be_used_until_the_host_splits_them)
{
	struct subject *s = &self->s;
	struct seen seen;

	if (!sys_has_thp())
		SKIP(return, NO_THP);
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 4 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 3));
	seen = look(s->g, "slot0-1");
	EXPECT_EQ(0, seen.mapped_4k);
	EXPECT_EQ(3 * HUGE, seen.mapped_2m);
	EXPECT_BACKING(seen, 0, 3 * HUGE, 0, HUGE, 0, 0);
	EXPECT_COULD(seen, 0);
	EXPECT_STREQ("", seen.by);

	ASSERT_EQ(0, guest_slot_discard(s->g, 1, HUGE_PAGES + 5, 1));
	seen = look(s->g, "slot0-1");
	EXPECT_EQ(2 * HUGE, seen.mapped_2m);
	EXPECT_BACKING(seen, 0, 2 * HUGE, HUGE - SMALL, HUGE + SMALL, 0, 0);
	EXPECT_COULD(seen, 0);
	EXPECT_STREQ("host", seen.by);
	EXPECT_EQ(1, look(s->g, "vm").unmapped);
}

/* Reads of what was never written get the host's huge page of zeros. */
TEST_F(huge, huge_pages_of_zeros_are_told_apart)
{
	struct subject *s = &self->s;
	struct seen seen;

	if (!sys_has_thp())
		SKIP(return, NO_THP);
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 2 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, guest_run(s->g, 0, work_read(GPA_A, 1, GUEST_PAGE)));
	seen = look(s->g, "slot0-1");
	EXPECT_EQ(2 * HUGE, seen.may_2m + seen.host_4k + seen.absent);
	EXPECT_GE(seen.may_2m, seen.mapped_2m);
	EXPECT_EQ(0, seen.unaligned + seen.edge);
}

TEST_F(huge, hugetlb_pages_may_be_used)
{
	struct subject *s = &self->s;
	struct seen seen;

	NEEDS_MACHINE(return, "it reserves 2M pages");
	ASSERT_EQ(0, machine_put(SYS_HUGETLB, "4"));
	if (guest_slot_add(s->g, 1, GPA_A, 4 * HUGE_PAGES, GUEST_MEM_2M, 0))
		SKIP(return, "the host has no 2M pages to reserve");
	ASSERT_EQ(0, touch_huge(s, GPA_A, 3));
	seen = look(s->g, "slot0-1");
	EXPECT_EQ(3 * HUGE, seen.mapped_2m);
	EXPECT_BACKING(seen, 0, 3 * HUGE, 0, HUGE, 0, 0);
	EXPECT_COULD(seen, 0);
	EXPECT_STREQ("", seen.by);
}

TEST_F(huge, pages_of_1g_may_be_used)
{
	struct subject *s = &self->s;
	struct seen seen;

	if (!sys_has_1g())
		SKIP(return, "the host has no free page of 1G");
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, GIB / GUEST_PAGE, GUEST_MEM_1G, 0));
	ASSERT_EQ(0, touch(s, GPA_A, 1));
	seen = look(s->g, "slot0-1");
	EXPECT_EQ(s->paging ? 0 : (long long)GIB, seen.mapped_1g);
	EXPECT_BACKING(seen, GIB, 0, 0, 0, 0, 0);
	EXPECT_COULD(seen, 0);
}

/* A slot that is moved by a page has huge pages in the host that are of no use. */
TEST_F(huge, a_misaligned_slot_keeps_pages_small)
{
	struct subject *s = &self->s;
	struct seen seen;

	if (!sys_has_thp())
		SKIP(return, NO_THP);
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 4 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 3));
	ASSERT_EQ(0, guest_slot_move(s->g, 1, GPA_B + GUEST_PAGE));
	ASSERT_EQ(0, touch(s, GPA_B + HUGE_SIZE, 64));
	seen = look(s->g, "slot0-1");
	EXPECT_LE(64 * SMALL, seen.mapped_4k);
	EXPECT_EQ(0, seen.mapped_2m);
	EXPECT_BACKING(seen, 0, 0, 0, HUGE, 3 * HUGE, 0);
	EXPECT_COULD(seen, 0);
	EXPECT_STREQ("alignment,edge", seen.by);
}

/* Another slot shows the middle of what the first one has, but for 5 pages at each end. */
TEST_F(huge, the_edges_of_a_slot_keep_pages_small)
{
	struct kvm_userspace_memory_region region = { .slot = 9 };
	struct subject *s = &self->s;
	struct seen seen;

	if (!sys_has_thp())
		SKIP(return, NO_THP);
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 4 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, 2, GPA_B + GIB / 2, 1, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 4));
	region.guest_phys_addr = GPA_B + 5 * GUEST_PAGE;
	region.userspace_addr = (__u64)(unsigned long)guest_slot_host(s->g, 1) + 5 * GUEST_PAGE;
	region.memory_size = 4 * HUGE_SIZE - 10 * GUEST_PAGE;
	ASSERT_EQ(0, ioctl(guest_vm_fd(s->g), KVM_SET_USER_MEMORY_REGION, &region));
	ASSERT_EQ(0, touch(s, GPA_B + HUGE_SIZE - 8 * GUEST_PAGE, 16));
	seen = look(s->g, "slot0-9");
	EXPECT_EQ(HUGE, seen.mapped_2m);
	EXPECT_LE(8 * SMALL, seen.mapped_4k);
	EXPECT_BACKING(seen, 0, 2 * HUGE, 0, 0, 0, 2 * HUGE - 10 * SMALL);
	/* Whether these are at the edge, where they have to be small, nobody counts. */
	EXPECT_EQ(0, seen.least);
	EXPECT_EQ(seen.mapped_4k, seen.most);
	ASSERT_EQ(0, touch(s, GPA_B + 2 * HUGE_SIZE, 8));
	seen = look(s->g, "slot0-9");
	EXPECT_EQ(2 * HUGE, seen.mapped_2m);
	EXPECT_COULD(seen, 0);
	EXPECT_STREQ("edge", seen.by);
	/* Both slots show it, but it is the VM's twice. */
	EXPECT_EQ(6 * HUGE, look(s->g, "vm").may_2m);
}

/* As a migration does that is called off: what it split, and what is left behind it. */
TEST_F(huge, logging_keeps_pages_small_and_what_is_left_is_known)
{
	struct subject *s = &self->s;
	struct seen seen, vm;

	if (!sys_has_thp())
		SKIP(return, NO_THP);
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 4 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 4));
	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 1));
	ASSERT_EQ(0, touch(s, GPA_A, 4 * HUGE_PAGES));
	seen = look(s->g, "slot0-1");
	EXPECT_EQ(4 * HUGE, seen.mapped_4k);
	EXPECT_BACKING(seen, 0, 4 * HUGE, 0, 0, 0, 0);
	EXPECT_COULD(seen, 4 * HUGE);
	EXPECT_STREQ("logging", seen.by);
	vm = look(s->g, "vm");
	EXPECT_EQ(4, vm.unmapped);
	EXPECT_EQ(s->shadow ? -1 : (long long)watch_vm_stat(s->g, "huge_splits"), vm.splits);
	EXPECT_NE(NULL, strstr(vm.by, "logging"));

	/* Small leaves are gone, or have become huge ones, or stay until they are zapped. */
	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 0));
	seen = look(s->g, "slot0-1");
	EXPECT_COULD(seen, seen.mapped_4k);
	EXPECT_STREQ("", seen.by);
	ASSERT_EQ(0, touch_huge(s, GPA_A, 4));
	seen = look(s->g, "slot0-1");
	EXPECT_EQ(4 * HUGE, seen.mapped_2m);
	EXPECT_COULD(seen, 0);
}

/* Code in a huge page, with the workaround: each page of code has a table of its own. */
TEST_F(huge, the_workaround_for_executable_pages_is_told)
{
	struct subject *s = &self->s;
	unsigned char *host;
	struct seen vm;

	if (!sys_has_thp())
		SKIP(return, NO_THP);
	NEEDS_MACHINE(return, "it changes KVM's parameters");
	if (machine_put(SYS_NX, "1"))
		SKIP(return, "this KVM has no such workaround");
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 2 * HUGE_PAGES, GUEST_MEM_THP, 0));
	host = guest_slot_host(s->g, 1);
	host[0] = 0xc3;		/* ret */
	host[HUGE_SIZE] = 0xc3;
	ASSERT_EQ(0, guest_run(s->g, 0, work_call(GPA_A, 2, HUGE_SIZE)));
	vm = look(s->g, "vm");
	if (!vm.nx)
		SKIP(return, "KVM does without it here");
	EXPECT_EQ(2, vm.nx);
	EXPECT_NE(NULL, strstr(vm.by, "nx"));
	EXPECT_LE(2 * HUGE - look(s->g, "slot0-1").mapped_2m, 2 * HUGE);
}

/* --- over time ------------------------------------------------------------ */

/* What kvmwatch huge --time says of all causes together; -1: nothing. */
struct recorded {
	long long unmapped, mapped, again, left;
	pid_t pid;
	FILE *from;
};

/* The host takes all pages away for a fork: call this before the guest touches any. */
static int record(struct guest *g, struct recorded *rec)
{
	struct kvmwatch_vm vm;
	char id[32];
	int pipes[2];

	memset(rec, -1, sizeof(*rec));
	if (watch_find(g, &vm) || pipe(pipes))
		return -EIO;
	snprintf(id, sizeof(id), "id:%llu", vm.id);
	rec->pid = fork();
	if (!rec->pid) {
		dup2(pipes[1], 1);
		close(pipes[0]);
		execlp("kvmwatch", "kvmwatch", "huge", "--time", "100000", "--csv", "-N", "-o",
		       "cause,unmapped_2m,mapped_2m,again,left", "-p", id, NULL);
		_exit(127);
	}
	close(pipes[1]);
	rec->from = fdopen(pipes[0], "re");
	return WATCH_EVENTUALLY(watch_is_viewed("kvmwatch_unmap")) ? 0 : -ETIMEDOUT;
}

/* Returns its exit status. @cause: the one whose line is wanted. */
static int end_record(struct recorded *rec, const char *cause)
{
	size_t len = strlen(cause);
	char line[256];
	int status;

	kill(rec->pid, SIGINT);
	while (fgets(line, sizeof(line), rec->from)) {
		printf("# %s", line);
		if (!strncmp(line, cause, len) && line[len] == ',')
			sscanf(line + len, ",%lld,%lld,%lld,%lld", &rec->unmapped, &rec->mapped,
			       &rec->again, &rec->left);
	}
	fclose(rec->from);
	if (waitpid(rec->pid, &status, 0) != rec->pid || !WIFEXITED(status))
		return -EIO;
	return WEXITSTATUS(status);
}

/* The host takes four away, of which the guest gets three back. */
TEST_F(huge, pages_that_form_again_are_told_from_those_that_do_not)
{
	struct subject *s = &self->s;
	struct recorded rec;

	if (!sys_has_thp())
		SKIP(return, NO_THP);
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 6 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, record(s->g, &rec));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 5));
	ASSERT_EQ(0, guest_slot_discard(s->g, 1, 0, 4 * HUGE_PAGES));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 3));
	/* Not one of those that went. */
	ASSERT_EQ(0, touch_huge(s, GPA_A + 5 * HUGE_SIZE, 1));
	EXPECT_EQ(0, end_record(&rec, "mm"));
	EXPECT_EQ(4, rec.unmapped);
	EXPECT_EQ(0, rec.mapped);
	EXPECT_EQ(3, rec.again);
	EXPECT_EQ(1, rec.left);
}

/* By whatever cause that is on this kernel. */
TEST_F(huge, what_logging_splits_forms_again)
{
	struct subject *s = &self->s;
	struct recorded rec;

	if (!sys_has_thp())
		SKIP(return, NO_THP);
	ASSERT_EQ(0, guest_slot_add(s->g, 1, GPA_A, 3 * HUGE_PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, record(s->g, &rec));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 3));
	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 1));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 3));
	ASSERT_EQ(0, guest_dirty_log(s->g, 1, 0));
	ASSERT_EQ(0, touch_huge(s, GPA_A, 2));
	EXPECT_EQ(0, end_record(&rec, "all"));
	EXPECT_EQ(3, rec.unmapped);
	EXPECT_EQ(rec.mapped, 3 + rec.again);
	EXPECT_LE(2, rec.again);
	EXPECT_EQ(3, rec.again + rec.left);
}

TEST_HARNESS_MAIN
