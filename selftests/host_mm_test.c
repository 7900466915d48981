// SPDX-License-Identifier: GPL-2.0
/*
 * Changes that a host makes to a guest's memory by itself or for the VMM: migrate, discard, merge
 * or split pages, or make them non-executable. An MMU notifier makes KVM unmap them, and the next
 * fault maps them again. Leaves by level and slot are compared with KVM's own numbers and with the
 * test's actions.
 *
 * The shadow MMU also maps the neighbours of a faulting page, within the same 8, if they are
 * present in the host. So tests touch such pages in multiples of 8.
 *
 * Where the host gives no transparent huge pages, each huge page is its first page of 4 KiB alone,
 * and what is about large pages is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "machine.h"
#include "subject.h"
#include "vendor.h"
#include "watch.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define SYS_SPLIT	"/sys/kernel/debug/split_huge_pages"
#define SYS_COMPACT	"/proc/sys/vm/compact_memory"
#define SYS_NX		"/sys/module/kvm/parameters/nx_huge_pages"

#define NO_THP		"the host gives no transparent huge pages: left out"

#define SMALL		1	/* slot numbers */
#define HUGE		2
#define PAGES		256	/* pages of SMALL, at GPA_A */
#define NR_HUGE		4	/* huge pages of HUGE, at GPA_B */

FIXTURE(host_mm) {
	struct subject s;
	char *small;		/* host address of SMALL's memory */
	char *huge;
};

FIXTURE_VARIANT(host_mm) {
	bool other;		/* with the MMU that is not KVM's default */
	bool paging;		/* with the guest's own page tables shadowed, without NPT or EPT */
};

FIXTURE_VARIANT_ADD(host_mm, default_mmu) { };
FIXTURE_VARIANT_ADD(host_mm, other_mmu) { .other = true };
FIXTURE_VARIANT_ADD(host_mm, shadow_paging) { .paging = true };

FIXTURE_SETUP(host_mm)
{
	struct subject *s = &self->s;

	NEEDS_MACHINE(FROM_SETUP, "it changes how the host treats its memory");
	sys_no_khugepaged();
	s->thp = sys_has_thp();
	if (variant->other)
		ASSERT_EQ(0, reload_kvm(sys_is_on(SYS_TDP_MMU) ? "tdp_mmu=N" : "tdp_mmu=Y", ""));
	if (variant->paging)
		ASSERT_EQ(0, reload_kvm("", vendor_without_tdp()));
	ASSERT_EQ(0, subject_init(s, false, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, SMALL, GPA_A, PAGES, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, HUGE, GPA_B, NR_HUGE * HUGE_PAGES, GUEST_MEM_THP, 0));
	self->small = guest_slot_host(s->g, SMALL);
	self->huge = guest_slot_host(s->g, HUGE);
}

FIXTURE_TEARDOWN(host_mm)
{
	guest_free(self->s.g);
	machine_put_back();
	watch_load(NULL);	/* -EEXIST unless a test left it unloaded */
	if (variant->other || variant->paging)
		EXPECT_EQ(0, reload_kvm("", ""));
}

static char *small_page(char *small, unsigned int number)
{
	return small + number * GUEST_PAGE;
}

/* Map everything: all pages of SMALL, and HUGE by pages as large as KVM can use. */
static int map_all(struct subject *s)
{
	return touch(s, GPA_A, PAGES) ?: touch_huge(s, GPA_B, NR_HUGE);
}

/* Map new memory that has no pages yet, perhaps in place of other memory. */
static void *fresh(char *addr, unsigned int pages, int advice)
{
	addr = mmap(addr, pages * GUEST_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | (addr ? MAP_FIXED : 0), -1, 0);
	madvise(addr, pages * GUEST_PAGE, advice);
	return addr;
}

static void *fresh_small(char *addr, unsigned int pages)
{
	return fresh(addr, pages, MADV_NOHUGEPAGE);
}

/* Give the host new memory for HUGE, so that it uses huge pages again, and map everything. */
static int map_all_again(struct subject *s)
{
	fresh(guest_slot_host(s->g, HUGE), NR_HUGE * HUGE_PAGES, MADV_HUGEPAGE);
	return map_all(s);
}

#define EXPECT_ALL_MAPPED(s) do {						\
	EXPECT_STREQ("", untrue(s));						\
	EXPECT_MAPPED(s, SMALL, PAGES, 0);					\
	EXPECT_MAPPED(s, HUGE, as_4k(s, NR_HUGE), as_2m(s, NR_HUGE));		\
} while (0)

/* A part of SMALL was unmapped. It is mapped again when the guest touches it. */
#define EXPECT_GONE(s, pages) do {						\
	EXPECT_STREQ("", untrue(s));						\
	EXPECT_MAPPED(s, SMALL, PAGES - (pages), 0);				\
	EXPECT_MAPPED(s, HUGE, as_4k(s, NR_HUGE), as_2m(s, NR_HUGE));		\
	ASSERT_EQ(0, map_all(s));						\
	EXPECT_ALL_MAPPED(s);							\
} while (0)

/* How many of these pages are present in this process. */
static unsigned int present(const char *addr, unsigned int pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned int i, n = 0;
	__u64 entry;

	for (i = 0; i < pages; i++) {
		if (pread(fd, &entry, sizeof(entry),
			  ((unsigned long)addr / GUEST_PAGE + i) * sizeof(entry)) != sizeof(entry))
			entry = 1ULL << 63;
		n += entry >> 63;
	}
	close(fd);
	return n;
}

/* Retry: a page stays if some kernel thread holds it for a moment. */
static bool page_out(char *addr, unsigned int pages)
{
	return WATCH_EVENTUALLY(!madvise(addr, pages * GUEST_PAGE, MADV_PAGEOUT) &&
				!present(addr, pages));
}

/* Use a RAM disk for swap. False: the kernel has no RAM disk, or the machine is not the test VM. */
static bool swap_on(void)
{
	return machine_is_vm() &&
	       !system("modprobe brd rd_nr=1 rd_size=16384 2>/dev/null") &&
	       !system("mkswap /dev/ram0 >/dev/null && swapon /dev/ram0");
}

static void swapping(struct __test_metadata *_metadata, struct subject *s, char *small)
{
	if (!swap_on()) {
		TH_LOG("no swap: left out");
		return;
	}
	EXPECT_TRUE(page_out(small_page(small, 64), 96));
	EXPECT_GONE(s, 96);
	EXPECT_EQ(0, system("swapoff /dev/ram0 && rmmod brd"));
	EXPECT_ALL_MAPPED(s);
}

static void giving_back(struct __test_metadata *_metadata, struct subject *s, char *small)
{
	ASSERT_EQ(0, madvise(small_page(small, 8), 40 * GUEST_PAGE, MADV_FREE));
	EXPECT_GONE(s, 40);
	ASSERT_EQ(0, madvise(small_page(small, 80), 8 * GUEST_PAGE, MADV_DONTNEED));
	EXPECT_GONE(s, 8);
	/*
	 * Forbid access for a moment: KVM unmaps the pages, and the guest's next writes map them
	 * again.
	 */
	ASSERT_EQ(0, mprotect(small_page(small, 16), 24 * GUEST_PAGE, PROT_NONE));
	ASSERT_EQ(0, mprotect(small_page(small, 16), 24 * GUEST_PAGE, PROT_READ | PROT_WRITE));
	EXPECT_GONE(s, 24);
}

static void moving_away(struct __test_metadata *_metadata, struct subject *s, char *small)
{
	char *away = fresh_small(NULL, 32), *place = small_page(small, 128);

	ASSERT_EQ(away, mremap(place, 32 * GUEST_PAGE, 32 * GUEST_PAGE,
			       MREMAP_MAYMOVE | MREMAP_FIXED, away));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, SMALL, PAGES - 32, 0);
	ASSERT_EQ(place, fresh_small(place, 32));
	EXPECT_GONE(s, 32);

	/* Move the memory back, in place of the new memory. */
	ASSERT_EQ(place, mremap(away, 32 * GUEST_PAGE, 32 * GUEST_PAGE,
				MREMAP_MAYMOVE | MREMAP_FIXED, place));
	EXPECT_GONE(s, 32);

	ASSERT_EQ(0, munmap(place, 32 * GUEST_PAGE));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, SMALL, PAGES - 32, 0);
	ASSERT_EQ(place, fresh_small(place, 32));
	EXPECT_GONE(s, 32);
}

/* The host moves the content of a page to another page. */
static void migrating(struct __test_metadata *_metadata, struct subject *s, char *small)
{
	/* The kernel does not use the old page again, so do this in the test VM only. */
	if (!machine_is_vm() ||
	    madvise(small_page(small, 200), 8 * GUEST_PAGE, MADV_SOFT_OFFLINE))
		TH_LOG("single pages are not moved here: left out");
	else
		EXPECT_GONE(s, 8);
	ASSERT_EQ(0, machine_put(SYS_COMPACT, "1"));
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, map_all(s));
	EXPECT_ALL_MAPPED(s);
}

/* After a fork, parent and child share all pages read-only, so KVM unmaps all of them. */
static void forking(struct __test_metadata *_metadata, struct subject *s)
{
	pid_t child = fork();

	if (!child) {
		pause();
		_exit(0);
	}
	ASSERT_LT(0, child);
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, SMALL, 0, 0);
	EXPECT_MAPPED(s, HUGE, 0, 0);
	EXPECT_EQ(0ULL, watch_vm_stat(s->g, "mapped_bytes"));

	ASSERT_EQ(0, guest_run(s->g, 0, work_read(GPA_A, 64, GUEST_PAGE)));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, SMALL, 64, 0);
	ASSERT_EQ(0, touch(s, GPA_A + 32 * GUEST_PAGE, 64));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, SMALL, 96, 0);

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, map_all_again(s));
	EXPECT_ALL_MAPPED(s);
}

/* The host splits a huge page, or only its own mapping of it, and makes a new huge page of it. */
static void splitting(struct __test_metadata *_metadata, struct subject *s, char *huge)
{
	char where[96];

	ASSERT_EQ(0, mprotect(huge + HUGE_SIZE + 5 * GUEST_PAGE, GUEST_PAGE, PROT_READ));
	ASSERT_EQ(0, mprotect(huge + HUGE_SIZE + 5 * GUEST_PAGE, GUEST_PAGE,
			      PROT_READ | PROT_WRITE));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, 0, NR_HUGE - 1);
	ASSERT_EQ(0, touch(s, GPA_B + HUGE_SIZE, 24));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, 24, NR_HUGE - 1);

	if (madvise(huge + HUGE_SIZE, HUGE_SIZE, MADV_COLLAPSE)) {
		TH_LOG("no MADV_COLLAPSE: left out");
		ASSERT_EQ(0, map_all_again(s));
	} else {
		EXPECT_STREQ("", untrue(s));
		EXPECT_MAPPED(s, HUGE, 0, NR_HUGE - 1);
		ASSERT_EQ(0, map_all(s));
	}
	EXPECT_ALL_MAPPED(s);

	snprintf(where, sizeof(where), "%d,%#llx,%#llx", getpid(),
		 (__u64)huge + 2 * HUGE_SIZE, (__u64)huge + 4 * HUGE_SIZE);
	if (machine_put(SYS_SPLIT, where)) {
		TH_LOG("the kernel splits no pages on demand: left out");
		return;
	}
	ASSERT_EQ(2LL * HUGE_SIZE, guest_slot_huge(s->g, HUGE));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, 0, 2);
	ASSERT_EQ(0, touch(s, GPA_B + 3 * HUGE_SIZE, 16));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, 16, 2);
	ASSERT_EQ(0, map_all_again(s));
	EXPECT_ALL_MAPPED(s);
}

/*
 * KVM maps huge pages non-executable (nx_huge_pages): it splits a huge page at an instruction
 * fetch, and after a while zaps the small pages to try a huge one again.
 */
static void executing(struct __test_metadata *_metadata, struct subject *s, char *huge)
{
	__u64 small, code = GPA_B + HUGE_SIZE + 8 * GUEST_PAGE;

	memset(huge + HUGE_SIZE, 0xc3, HUGE_SIZE);	/* ret */
	ASSERT_EQ(0, machine_put(SYS_NX, "force"));
	machine_put(SYS_NX "_recovery_ratio", "0");
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, map_all(s));
	EXPECT_ALL_MAPPED(s);

	ASSERT_EQ(0, guest_run(s->g, 0, work_call(code, 1, GUEST_PAGE)));
	EXPECT_STREQ("", untrue(s));
	small = watch_slot_stat(s->g, HUGE, "mapped_4k");
	/*
	 * KVM maps the page of the fetch, the eight pages around it, or all pages of the huge page.
	 */
	EXPECT_TRUE(small == 1 || small == 8 || small == HUGE_PAGES);
	EXPECT_MAPPED(s, HUGE, small, NR_HUGE - 1);
	ASSERT_EQ(0, guest_run(s->g, 0, work_call(code, 64, GUEST_PAGE)));
	EXPECT_STREQ("", untrue(s));
	EXPECT_MAPPED(s, HUGE, small == HUGE_PAGES ? HUGE_PAGES : 64, NR_HUGE - 1);

	if (!machine_put(SYS_NX "_recovery_period_ms", "20")) {
		ASSERT_EQ(0, machine_put(SYS_NX "_recovery_ratio", "1"));
		EXPECT_TRUE(WATCH_EVENTUALLY(!watch_slot_stat(s->g, HUGE, "mapped_4k")));
		EXPECT_STREQ("", untrue(s));
		EXPECT_MAPPED(s, HUGE, 0, NR_HUGE - 1);
		ASSERT_EQ(0, map_all(s));
		EXPECT_ALL_MAPPED(s);
		machine_put(SYS_NX "_recovery_period_ms", "0");
		machine_put(SYS_NX "_recovery_ratio", "60");
	} else {
		TH_LOG("KVM takes its time to recover huge pages: left out");
	}
	ASSERT_EQ(0, machine_put(SYS_NX, "auto"));
	EXPECT_STREQ("", untrue(s));
	ASSERT_EQ(0, map_all(s));
	EXPECT_ALL_MAPPED(s);
}

/* Do all of these to a guest with everything mapped. */
static void busy_host(struct __test_metadata *_metadata, struct subject *s, char *small, char *huge)
{
	ASSERT_EQ(0, map_all(s));
	EXPECT_ALL_MAPPED(s);
	giving_back(_metadata, s, small);
	moving_away(_metadata, s, small);
	swapping(_metadata, s, small);
	migrating(_metadata, s, small);
	forking(_metadata, s);
	if (s->thp) {
		splitting(_metadata, s, huge);
		executing(_metadata, s, huge);
	} else {
		TH_LOG(NO_THP);
	}
	EXPECT_STREQ("", untrue_after_reload(s, 1));
}

TEST_F_TIMEOUT(host_mm, each_change_by_the_host_is_counted, 180)
{
	struct subject *s = &self->s;

	if (!self->huge)
		return;
	busy_host(_metadata, s, self->small, self->huge);

	/* From here on, treat the guest as a VM from before insmod. */
	s->early = true;
	s->peak = 0;
	note_base(s);
	busy_host(_metadata, s, self->small, self->huge);
}

/* --- the cause in each event --------------------------------------------------- */

/*
 * A VM, and how many leaves were mapped and unmapped while its events were recorded, by its
 * counters.
 */
struct told {
	char vm[64];
	__u64 maps0, unmaps0;		/* the counters when the recording began */
	__u64 maps, unmaps;
};

static __u64 leaves_moved(struct subject *s, const char *way)
{
	char name[16];
	__u64 sum = 0;
	int i;

	for (i = 0; i < NR_LEVELS; i++) {
		snprintf(name, sizeof(name), "%s_%s", way, level_name[i]);
		sum += watch_vm_stat(s->g, name);
	}
	return sum;
}

static void listen(struct __test_metadata *_metadata, struct subject *s, struct told *t)
{
	struct kvmwatch_vm vm;

	ASSERT_EQ(0, watch_find(s->g, &vm));
	snprintf(t->vm, sizeof(t->vm), " vm %llu pid %d ", vm.id, getpid());
	t->maps0 = leaves_moved(s, "map");
	t->unmaps0 = leaves_moved(s, "unmap");
	ASSERT_EQ(0, watch_trace_start());
}

static void heard(struct __test_metadata *_metadata, struct subject *s, struct told *t)
{
	t->maps = leaves_moved(s, "map") - t->maps0;
	t->unmaps = leaves_moved(s, "unmap") - t->unmaps0;
	ASSERT_EQ(0, watch_trace_stop());
	ASSERT_EQ(0, watch_trace_lost());
}

static __u64 mapped_for(const struct told *t, const char *cause)
{
	char what[32];

	snprintf(what, sizeof(what), " cause %s", cause);
	return watch_trace_sum("leaves", " kvmwatch_map: ", t->vm, what, NULL);
}

static __u64 unmapped_for(const struct told *t, const char *cause)
{
	char what[32];

	snprintf(what, sizeof(what), " cause %s", cause);
	return watch_trace_count(" kvmwatch_unmap: ", t->vm, what, NULL);
}

/* The guest's faults map what it touches; with the shadow MMU, its neighbours as well. */
static void come_back(struct __test_metadata *_metadata, struct subject *s, unsigned int pages)
{
	struct told t;

	listen(_metadata, s, &t);
	ASSERT_EQ(0, map_all(s));
	heard(_metadata, s, &t);
	EXPECT_EQ(pages, t.maps);
	EXPECT_EQ(pages, mapped_for(&t, "fault") + mapped_for(&t, "async") +
		  mapped_for(&t, "prefetch"));
	EXPECT_EQ(0, t.unmaps);
}

#define EXPECT_GONE_FOR(s, t, pages, cause) do {				\
	heard(_metadata, s, t);							\
	EXPECT_EQ(pages, (t)->unmaps);						\
	EXPECT_EQ((t)->unmaps, unmapped_for(t, cause));				\
	EXPECT_EQ(0, (t)->maps);						\
} while (0)

static void why_by_the_host(struct __test_metadata *_metadata, struct subject *s, char *small)
{
	struct told t;

	listen(_metadata, s, &t);
	ASSERT_EQ(0, madvise(small_page(small, 80), 8 * GUEST_PAGE, MADV_DONTNEED));
	EXPECT_GONE_FOR(s, &t, 8, "mm");
	come_back(_metadata, s, 8);

	listen(_metadata, s, &t);
	ASSERT_EQ(0, mprotect(small_page(small, 16), 24 * GUEST_PAGE, PROT_NONE));
	ASSERT_EQ(0, mprotect(small_page(small, 16), 24 * GUEST_PAGE, PROT_READ | PROT_WRITE));
	EXPECT_GONE_FOR(s, &t, 24, "mm");
	come_back(_metadata, s, 24);

	if (!swap_on()) {
		TH_LOG("no swap: left out");
		return;
	}
	listen(_metadata, s, &t);
	EXPECT_TRUE(page_out(small_page(small, 64), 16));
	EXPECT_GONE_FOR(s, &t, 16, "mm");
	listen(_metadata, s, &t);
	ASSERT_EQ(0, map_all(s));
	heard(_metadata, s, &t);
	EXPECT_EQ(t.maps, mapped_for(&t, "fault") + mapped_for(&t, "async") +
		  mapped_for(&t, "prefetch"));
	EXPECT_LE(16, t.maps);
	EXPECT_EQ(0, system("swapoff /dev/ram0 && rmmod brd"));
	ASSERT_EQ(0, map_all(s));
}

/*
 * Logging, or the first write under logging, splits huge pages. Without logging they become whole
 * again.
 */
static void why_by_logging(struct __test_metadata *_metadata, struct subject *s)
{
	struct told t;

	listen(_metadata, s, &t);
	ASSERT_EQ(0, guest_dirty_log(s->g, HUGE, 1));
	heard(_metadata, s, &t);
	EXPECT_EQ(t.unmaps, unmapped_for(&t, "split_eager"));
	EXPECT_EQ(t.maps, mapped_for(&t, "split_eager"));
	EXPECT_EQ(s->eager && !s->shadow ? NR_HUGE : 0, t.unmaps);
	EXPECT_EQ(t.unmaps * HUGE_PAGES, t.maps);

	listen(_metadata, s, &t);
	ASSERT_EQ(0, touch(s, GPA_B, 8));
	heard(_metadata, s, &t);
	EXPECT_EQ(t.unmaps, unmapped_for(&t, "fault") + unmapped_for(&t, "split"));
	EXPECT_EQ(t.maps, mapped_for(&t, "fault") + mapped_for(&t, "split") +
		  mapped_for(&t, "prefetch"));

	listen(_metadata, s, &t);
	ASSERT_EQ(0, guest_dirty_log(s->g, HUGE, 0));
	heard(_metadata, s, &t);
	EXPECT_LE(8, t.unmaps);
	EXPECT_EQ(t.unmaps, unmapped_for(&t, "collapse"));
	EXPECT_EQ(t.maps, mapped_for(&t, "collapse"));
	ASSERT_EQ(0, map_all(s));
}

/*
 * The cause of unmaps below an invalid root. In the TDP MMU of 5.18 to 6.5 a worker of KVM unmaps
 * these pages, for several callers.
 */
static const char *by_root(const struct subject *s, const char *cause)
{
	return !s->shadow && sys_has_function("tdp_mmu_zap_root_work") ? "host" : cause;
}

static void why_by_nx(struct __test_metadata *_metadata, struct subject *s, char *huge)
{
	struct told t;

	memset(huge + HUGE_SIZE, 0xc3, HUGE_SIZE);	/* ret */
	listen(_metadata, s, &t);
	ASSERT_EQ(0, machine_put(SYS_NX, "force"));
	machine_put(SYS_NX "_recovery_ratio", "0");
	heard(_metadata, s, &t);
	EXPECT_LE(PAGES + NR_HUGE, t.unmaps);
	EXPECT_EQ(t.unmaps, unmapped_for(&t, by_root(s, "nx")));
	ASSERT_EQ(0, map_all(s));
	ASSERT_EQ(0, guest_run(s->g, 0, work_call(GPA_B + HUGE_SIZE, 8, GUEST_PAGE)));

	listen(_metadata, s, &t);
	if (!machine_put(SYS_NX "_recovery_period_ms", "20")) {
		ASSERT_EQ(0, machine_put(SYS_NX "_recovery_ratio", "1"));
		EXPECT_TRUE(WATCH_EVENTUALLY(!watch_slot_stat(s->g, HUGE, "mapped_4k")));
		heard(_metadata, s, &t);
		EXPECT_LE(8, t.unmaps);
		EXPECT_EQ(t.unmaps, unmapped_for(&t, "nx"));
		machine_put(SYS_NX "_recovery_period_ms", "0");
		machine_put(SYS_NX "_recovery_ratio", "60");
	}
	ASSERT_EQ(0, machine_put(SYS_NX, "auto"));
	ASSERT_EQ(0, map_all(s));
}

/*
 * When a slot is deleted KVM unmaps leaves of other slots too, usually all. The pages stay in the
 * host, so the shadow MMU maps the 7 pages below one that is touched (5.10 maps none above it).
 */
static void why_by_a_slot(struct __test_metadata *_metadata, struct subject *s)
{
	struct told t;

	ASSERT_EQ(0, guest_slot_add(s->g, 3, GPA_C, 16, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, touch(s, GPA_C, 16));
	listen(_metadata, s, &t);
	ASSERT_EQ(0, guest_slot_del(s->g, 3));
	heard(_metadata, s, &t);
	EXPECT_LE(16, t.unmaps);
	EXPECT_EQ(t.unmaps, unmapped_for(&t, by_root(s, "slot")));
	EXPECT_EQ(0, t.maps);
	ASSERT_EQ(0, watch_slot_stat(s->g, SMALL, "mapped_4k"));

	listen(_metadata, s, &t);
	ASSERT_EQ(0, guest_run(s->g, 0, work_write(GPA_A + 7 * GUEST_PAGE, 3, 8 * GUEST_PAGE, 1)));
	heard(_metadata, s, &t);
	strcat(t.vm, "vcpu 0 slot 0:1 ");
	EXPECT_EQ(3, mapped_for(&t, "fault"));
	EXPECT_EQ(s->shadow ? 21 : 0, mapped_for(&t, "prefetch"));
}

TEST_F_TIMEOUT(host_mm, events_of_leaves_name_the_cause, 90)
{
	struct subject *s = &self->s;
	struct told t;
	__u64 before;

	if (!self->huge)
		return;
	ASSERT_EQ(0, map_all(s));
	why_by_the_host(_metadata, s, self->small);
	if (s->thp) {
		why_by_logging(_metadata, s);
		why_by_nx(_metadata, s, self->huge);
	} else {
		TH_LOG(NO_THP);
	}
	why_by_a_slot(_metadata, s);

	ASSERT_EQ(0, map_all(s));
	before = watch_vm_stat(s->g, "mapped_4k") + watch_vm_stat(s->g, "mapped_2m");
	listen(_metadata, s, &t);
	guest_free(s->g);
	s->g = NULL;
	ASSERT_EQ(0, watch_trace_stop());
	ASSERT_EQ(0, watch_trace_lost());
	EXPECT_LE(PAGES + NR_HUGE, before);
	EXPECT_EQ(before, watch_trace_count(" kvmwatch_unmap: ", t.vm, NULL));
	EXPECT_EQ(before, unmapped_for(&t, "end"));
	watch_trace_end();
}

/* --- a page of 1 GiB ------------------------------------------------------------- */

#define GIANT		3	/* slot number, at GPA_C */

FIXTURE(giant) {
	struct subject s;
};

FIXTURE_VARIANT(giant) {
	bool other;		/* with the MMU that is not KVM's default */
	bool early;		/* the VM ran before kvmwatch was loaded */
};

FIXTURE_VARIANT_ADD(giant, default_mmu) { };
FIXTURE_VARIANT_ADD(giant, default_mmu_before_insmod) { .early = true };
FIXTURE_VARIANT_ADD(giant, other_mmu) { .other = true };
FIXTURE_VARIANT_ADD(giant, other_mmu_before_insmod) { .other = true, .early = true };

FIXTURE_SETUP(giant)
{
	struct subject *s = &self->s;

	if (!sys_has_1g())
		SKIP(return, "the host has no free 1G page");
	if (variant->other)
		NEEDS_MACHINE(FROM_SETUP, "it reloads KVM with another MMU");
	if (variant->other)
		ASSERT_EQ(0, reload_kvm(sys_is_on(SYS_TDP_MMU) ? "tdp_mmu=N" : "tdp_mmu=Y", ""));
	if (variant->early)
		ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, subject_init(s, variant->early, 0));
	ASSERT_EQ(0, guest_slot_add(s->g, GIANT, GPA_C, GIB / GUEST_PAGE, GUEST_MEM_1G, 0));
	ASSERT_EQ(0, touch(s, GPA_C + 5 * HUGE_SIZE, 1));
	if (variant->early)
		ASSERT_EQ(0, watch_load(NULL));
}

FIXTURE_TEARDOWN(giant)
{
	guest_free(self->s.g);
	watch_load(NULL);	/* -EEXIST unless a test left it unloaded */
	if (variant->other)
		EXPECT_EQ(0, reload_kvm("", ""));
	watch_trace_end();
}

static __u64 giants(const struct told *t, const char *event)
{
	return watch_trace_count(event, t->vm, "slot 0:3 ", " level 1g", NULL);
}

TEST_F_TIMEOUT(giant, leaves_are_counted_and_traced_through_split_collapse_and_end, 120)
{
	struct subject *s = &self->s;
	struct told t;

	if (!s->g)
		return;
	if (variant->early && s->counted)
		note_base(s);
	ASSERT_EQ(1ULL, watch_vm_stat(s->g, "mapped_1g"));
	ASSERT_EQ(0ULL, watch_vm_stat(s->g, "audit_failures"));

	/*
	 * When logging begins, KVM splits the 1G leaf, or the next write replaces it by small ones.
	 */
	listen(_metadata, s, &t);
	ASSERT_EQ(0, guest_dirty_log(s->g, GIANT, 1));
	ASSERT_EQ(0, touch(s, GPA_C + 8 * HUGE_SIZE, 8));
	heard(_metadata, s, &t);
	EXPECT_EQ(1, giants(&t, " kvmwatch_unmap: "));
	EXPECT_EQ(0ULL, watch_slot_stat(s->g, GIANT, "mapped_1g"));
	EXPECT_EQ(1, watch_audit(s->g, NULL));

	listen(_metadata, s, &t);
	ASSERT_EQ(0, guest_dirty_log(s->g, GIANT, 0));
	ASSERT_EQ(0, touch(s, GPA_C + 9 * HUGE_SIZE, 1));
	heard(_metadata, s, &t);
	EXPECT_EQ(1, giants(&t, " kvmwatch_map: "));
	EXPECT_LEAVES(s, GIANT, 0, 0, 1);
	EXPECT_EQ(1, watch_audit(s->g, NULL));

	/* Forbid access for a moment. (5.10 discards no page of hugetlb.) */
	listen(_metadata, s, &t);
	ASSERT_EQ(0, mprotect(guest_slot_host(s->g, GIANT), GIB, PROT_NONE));
	ASSERT_EQ(0, mprotect(guest_slot_host(s->g, GIANT), GIB, PROT_READ | PROT_WRITE));
	heard(_metadata, s, &t);
	EXPECT_EQ(1, giants(&t, " kvmwatch_unmap: "));
	EXPECT_EQ(1, unmapped_for(&t, "mm"));
	EXPECT_LEAVES(s, GIANT, 0, 0, 0);
	ASSERT_EQ(0, touch(s, GPA_C, 1));
	EXPECT_LEAVES(s, GIANT, 0, 0, 1);
	EXPECT_STREQ("", untrue_after_reload(s, 1));
}

TEST_HARNESS_MAIN
