// SPDX-License-Identifier: GPL-2.0
/*
 * Per-page heat, compared with KVM's own dirty log of each page, round by round, and with
 * kvmwatch's count of marks.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "libkvmwatch.h"
#include "machine.h"
#include "subject.h"
#include "watch.h"
#include "workers.h"

#define GIB		0x40000000ULL
#define GPA_A		(1 * GIB)
#define GPA_B		(2 * GIB)
#define GPA_C		(3 * GIB)
#define PAGES		256	/* of each slot */
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define NOBODY		65534

#define WINDOWS		10	/* as many as the module has */

/* --- reading ------------------------------------------------------------- */

/* What an fd shows of one slot; @item is all zero if it does not show the slot. */
struct view {
	struct kvmwatch_heat_header head;
	struct kvmwatch_heat_slot item;
	__u64 distinct[WINDOWS];
	struct kvmwatch_heat_page pages[PAGES];
	__u64 counts;	/* sum over all pages */
};

/* Find the slot of address space 0 with this number; the first, if the fd shows several. */
static int look(int fd, unsigned int id, struct view *view)
{
	struct kvmwatch_heat *heat;
	int err = -ENOENT;
	size_t i, page;

	memset(view, 0, sizeof(*view));
	if (kvmwatch_heat_read(fd, &heat))
		return -EIO;
	view->head = *heat->head;
	for (i = 0; i < heat->nr && err == -ENOENT; i++) {
		if (heat->slots[i]->as_id || heat->slots[i]->id != id)
			continue;
		view->item = *heat->slots[i];
		for (page = 0; page < WINDOWS; page++)
			view->distinct[page] = kvmwatch_heat_distinct(heat, i, page);
		err = -E2BIG;
		if (view->item.npages > PAGES)
			break;
		err = kvmwatch_heat_pages(fd, heat, i, 0, view->item.npages, view->pages);
	}
	kvmwatch_heat_free(heat);
	for (page = 0; page < PAGES; page++)
		view->counts += view->pages[page].count;
	return err;
}

static int dirty(struct guest *g, unsigned int vcpu, __u64 gpa, __u64 first, __u64 pages)
{
	return guest_run(g, vcpu, work_write(gpa + first * GUEST_PAGE, pages, GUEST_PAGE, 1));
}

static __u64 marks(struct guest *g, unsigned int slot)
{
	return watch_slot_stat(g, slot, "dirty_marks");
}

/* --- a VM with two vCPUs and two logged slots, and its heat -------------- */

FIXTURE(heat) {
	struct guest *g;
	int dev, fd;
	struct view view;
};

FIXTURE_SETUP(heat)
{
	struct kvmwatch_info info;

	self->g = guest_new(2, 0);
	if (!self->g)
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
	ASSERT_EQ(0, guest_slot_add(self->g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
	ASSERT_EQ(0, guest_slot_add(self->g, 2, GPA_B, PAGES, GUEST_MEM_4K, LOG));
	/* These marks come before heat counts, so they are not counted. */
	ASSERT_EQ(0, dirty(self->g, 0, GPA_A, 0, 10));
	ASSERT_LE(0, guest_dirty_get(self->g, 1, NULL));
	self->dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	ASSERT_LE(0, self->dev);
	self->fd = kvmwatch_open_heat_vm_fd(self->dev, guest_vm_fd(self->g));
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(heat)
{
	close(self->fd);
	close(self->dev);
	guest_free(self->g);
}

/* Fetch the log; add 1 to @rounds for each page in it. Returns the number of pages. */
static long add_log(struct guest *g, unsigned int slot, __u32 *rounds)
{
	__u64 bitmap[PAGES / 64];
	long bits = guest_dirty_get(g, slot, bitmap);
	int i;

	for (i = 0; i < PAGES; i++)
		rounds[i] += bitmap[i / 64] >> i % 64 & 1;
	return bits;
}

static int differing(const struct view *view, const __u32 *rounds)
{
	int i, nr = 0;

	for (i = 0; i < PAGES; i++)
		nr += view->pages[i].count != rounds[i];
	return nr;
}

TEST_F(heat, counts_are_the_rounds_that_a_page_was_in_the_log)
{
	__u32 a[PAGES] = {}, b[PAGES] = {};
	struct view *v = &self->view;
	struct guest *g = self->g;
	int round;

	for (round = 1; round <= 12; round++) {
		ASSERT_EQ(0, dirty(g, round % 2, GPA_A, 3 * round, 100 - 7 * round));
		ASSERT_EQ(0, guest_run(g, 0, work_write(GPA_B, PAGES / round,
							round * GUEST_PAGE, 2)));
		EXPECT_EQ(100 - 7 * round, add_log(g, 1, a));
		EXPECT_EQ(PAGES / round, add_log(g, 2, b));
		ASSERT_EQ(0, look(self->fd, 1, v));
		EXPECT_EQ(0, differing(v, a));
		EXPECT_EQ(v->counts, v->item.marks);
		ASSERT_EQ(0, look(self->fd, 2, v));
		EXPECT_EQ(0, differing(v, b));
		EXPECT_EQ(v->counts, v->item.marks);
	}
	EXPECT_EQ(12, v->pages[0].count);
	EXPECT_EQ(GPA_B / GUEST_PAGE, v->item.base_gfn);
	EXPECT_EQ(KVMWATCH_HEAT_LOGGED, v->item.flags);
	EXPECT_EQ(3, v->head.nr_slots);
	EXPECT_EQ(24, v->head.collects);
	EXPECT_EQ(0, v->head.flags);
	EXPECT_EQ(0, v->head.uncovered);
	/* A slot that is not logged has no marks, and its flags show that. */
	ASSERT_EQ(0, look(self->fd, 0, v));
	EXPECT_EQ(GUEST_SLOT0_PAGES, v->item.npages);
	EXPECT_EQ(0, v->counts);
	EXPECT_EQ(0, v->item.flags);
}

/*
 * Both vCPUs find a page unmapped, and both mark it: each mark counts. They write to the same pages
 * in the same order, after the host has discarded all of them.
 */
TEST_F_TIMEOUT(heat, no_mark_is_lost_when_vcpus_mark_one_page_at_once, 90)
{
	__u64 before = marks(self->g, 1), collected = 0;
	struct view *v = &self->view;
	struct guest *g = self->g;
	__u32 rounds[PAGES] = {};
	int i;

	ASSERT_EQ(0, guest_start(g, 0, work_write(GPA_A, 64, GUEST_PAGE, GUEST_FOREVER)));
	ASSERT_EQ(0, guest_start(g, 1, work_write(GPA_A, 64, GUEST_PAGE, GUEST_FOREVER)));
	for (i = 0; i < 60; i++) {
		ASSERT_EQ(0, guest_wait_progress(g, i % 2, guest_progress(g, i % 2) + 1, 30000));
		collected += add_log(g, 1, rounds);
		ASSERT_EQ(0, guest_slot_discard(g, 1, 0, 64));
	}
	guest_stop(g, 0);
	guest_stop(g, 1);
	EXPECT_EQ(0, guest_wait(g, 0, -1));
	EXPECT_EQ(0, guest_wait(g, 1, -1));
	collected += add_log(g, 1, rounds);
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(marks(g, 1) - before, v->counts);
	EXPECT_EQ(v->counts, v->item.marks);
	for (i = 0; i < PAGES; i++)
		EXPECT_LE(rounds[i], v->pages[i].count);
	TH_LOG("%llu marks, %llu in the log", v->counts, collected);
}

TEST_F(heat, a_slot_s_fd_is_about_that_slot)
{
	struct view *v = &self->view;
	struct guest *g = self->g;
	int slot;

	slot = kvmwatch_open_heat_slot_fd(self->dev, guest_vm_fd(g), 0, 2);
	ASSERT_LE(0, slot);
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 20));
	ASSERT_EQ(0, dirty(g, 0, GPA_B, 5, 30));
	ASSERT_EQ(0, look(slot, 2, v));
	EXPECT_EQ(1, v->head.nr_slots);
	EXPECT_EQ(30, v->counts);
	EXPECT_EQ(1, v->pages[5].count);
	EXPECT_EQ(0, v->pages[4].count);
	EXPECT_EQ(0, v->head.uncovered);
	EXPECT_EQ(-ENOENT, look(slot, 1, v));
	close(slot);
}

/* --- windows ------------------------------------------------------------- */

#define MAX_MARKS	8192

/* Each mark as a page and a tick, in the order of the rounds. */
struct history {
	int nr;
	struct {
		int page;
		__u32 tick;
	} marks[MAX_MARKS];
};

/* Distinct pages in all windows of 2^@i ticks that ended before tick @now. */
static __u64 distinct_in(const struct history *h, unsigned int i, __u64 now)
{
	__u32 last[PAGES] = {};	/* the last window that has the page, from 1 on */
	__u64 sum = 0;
	int n;

	for (n = 0; n < h->nr; n++) {
		__u32 window = h->marks[n].tick >> i;

		if (window >= now >> i)
			continue;
		sum += last[h->marks[n].page] != window + 1;
		last[h->marks[n].page] = window + 1;
	}
	return sum;
}

/* Is there a window length for which a page was marked twice in one window, in different ticks? */
static bool tells_lengths_apart(const struct history *h, __u64 now)
{
	__u64 ticks = distinct_in(h, 0, now), pages;
	unsigned int i;

	for (i = 2; i < WINDOWS; i++) {
		pages = distinct_in(h, i, now);
		if (pages && pages < ticks)
			return true;
	}
	return false;
}

/*
 * The entry of a page has the tick of its last mark. With one mark per page and round, the test can
 * compute from these ticks what kvmwatch has counted on both CPUs.
 */
TEST_F_TIMEOUT(heat, windows_have_the_distinct_pages_that_were_marked_in_them, 60)
{
	static struct history h;
	struct view *v = &self->view;
	struct guest *g = self->g;
	__u32 rounds[PAGES] = {};
	__u64 ticks = 0, some = 0;
	int round, page, i;

	ASSERT_EQ(0, guest_pin(g, 0, 0));
	ASSERT_EQ(0, guest_pin(g, 1, 1));
	/* How many rounds fall into one tick, or ticks into one round, depends on the machine. */
	for (round = 0; round < MAX_MARKS / 30 &&
	     (ticks < 20 || !tells_lengths_apart(&h, ticks)); round++) {
		ASSERT_EQ(0, guest_start(g, 0, work_write(GPA_A, 1 + round % 9, GUEST_PAGE, 1)));
		ASSERT_EQ(0, guest_wait(g, 0, -1));
		ASSERT_EQ(0, guest_start(g, 1, work_write(GPA_A + (9 + round % 5) * GUEST_PAGE,
							  20, GUEST_PAGE, 1)));
		ASSERT_EQ(0, guest_wait(g, 1, -1));
		memset(rounds, 0, sizeof(rounds));
		add_log(g, 1, rounds);
		ASSERT_EQ(0, look(self->fd, 1, v));
		for (page = 0; page < PAGES && h.nr < MAX_MARKS; page++) {
			if (!rounds[page])
				continue;
			ASSERT_LT(0, v->pages[page].last);
			h.marks[h.nr].page = page;
			h.marks[h.nr++].tick = v->pages[page].last - 1;
		}
		for (i = 0; i < WINDOWS; i++)
			EXPECT_EQ(distinct_in(&h, i, v->item.ticks), v->distinct[i])
				TH_LOG("round %d, window %d", round, i);
		EXPECT_EQ(h.nr, v->item.marks);
		EXPECT_LE(ticks, v->item.ticks);
		ticks = v->item.ticks;
		usleep(round % 3 * 50000);
	}
	EXPECT_LE(20, ticks);
	EXPECT_TRUE(tells_lengths_apart(&h, ticks));
	for (i = 0; i < WINDOWS; i++)
		some += v->distinct[i] > 0;
	EXPECT_LE(5, some);
	EXPECT_GE(v->item.marks, v->distinct[0]);
}

TEST_F(heat, the_library_tells_windows_between_two_reads)
{
	struct kvmwatch_heat *before, *after;
	__u64 pages, windows, all_pages, all_windows;
	size_t slot = 0;

	ASSERT_EQ(0, dirty(self->g, 0, GPA_A, 0, 50));
	ASSERT_EQ(50, guest_dirty_get(self->g, 1, NULL));
	usleep(300000);
	ASSERT_EQ(0, kvmwatch_heat_read(self->fd, &before));
	while (slot < before->nr && before->slots[slot]->id != 1)
		slot++;
	ASSERT_EQ(0, kvmwatch_heat_window(before, NULL, slot, 0, &pages, &windows));
	EXPECT_EQ(50, pages);
	EXPECT_EQ(-ENODATA, kvmwatch_heat_window(before, before, slot, 0, &pages, &windows));
	ASSERT_EQ(0, dirty(self->g, 0, GPA_A, 0, 30));
	usleep(300000);
	ASSERT_EQ(0, kvmwatch_heat_read(self->fd, &after));
	ASSERT_EQ(0, kvmwatch_heat_window(after, before, slot, 0, &pages, &windows));
	ASSERT_EQ(0, kvmwatch_heat_window(after, NULL, slot, 0, &all_pages, &all_windows));
	EXPECT_EQ(30, pages);
	EXPECT_EQ(80, all_pages);
	EXPECT_EQ(after->slots[slot]->ticks, all_windows);
	EXPECT_EQ(windows, all_windows - before->slots[slot]->ticks);
	EXPECT_EQ(-EINVAL, kvmwatch_heat_window(after, NULL, slot, WINDOWS,
						&pages, &windows));
	EXPECT_EQ(-EINVAL, kvmwatch_heat_window(after, NULL, after->nr, 0, &pages, &windows));
	kvmwatch_heat_free(before);
	kvmwatch_heat_free(after);
}

/* --- slots that come and go ---------------------------------------------- */

TEST_F(heat, a_slot_that_moves_takes_its_pages_along)
{
	struct view *v = &self->view;
	struct guest *g = self->g;
	__u32 rounds[PAGES] = {};

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 10, 40));
	add_log(g, 1, rounds);
	ASSERT_EQ(0, guest_slot_move(g, 1, GPA_C));
	ASSERT_EQ(0, dirty(g, 1, GPA_C, 30, 40));
	add_log(g, 1, rounds);
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(GPA_C / GUEST_PAGE, v->item.base_gfn);
	EXPECT_EQ(0, differing(v, rounds));
	EXPECT_EQ(1, v->pages[10].count);
	EXPECT_EQ(2, v->pages[30].count);
	EXPECT_EQ(1, v->pages[69].count);
	EXPECT_EQ(KVMWATCH_HEAT_LOGGED, v->item.flags);
	EXPECT_EQ(0, v->head.uncovered);
}

TEST_F(heat, a_deleted_slot_keeps_its_counts_and_a_new_one_is_not_covered)
{
	struct view *v = &self->view;
	struct guest *g = self->g;
	int fd;

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 10, 40));
	ASSERT_EQ(0, guest_slot_del(g, 1));
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(KVMWATCH_HEAT_GONE, v->item.flags);
	EXPECT_EQ(40, v->counts);
	EXPECT_EQ(0, v->head.uncovered);

	ASSERT_EQ(0, guest_slot_add(g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
	ASSERT_EQ(0, guest_slot_add(g, 3, GPA_C, PAGES, GUEST_MEM_4K, LOG));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 60));
	ASSERT_EQ(0, dirty(g, 1, GPA_C, 0, 7));
	ASSERT_EQ(0, dirty(g, 1, GPA_B, 0, 5));
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(KVMWATCH_HEAT_GONE, v->item.flags);
	EXPECT_EQ(40, v->counts);
	EXPECT_EQ(67, v->head.uncovered);
	EXPECT_EQ(3, v->head.nr_slots);
	EXPECT_EQ(-ENOENT, look(self->fd, 3, v));

	/* A new fd covers the new slots too, which changes nothing for the earlier fd. */
	fd = kvmwatch_open_heat_vm_fd(self->dev, guest_vm_fd(g));
	ASSERT_LE(0, fd);
	ASSERT_EQ(60, guest_dirty_get(g, 1, NULL));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 3));
	ASSERT_EQ(0, look(fd, 1, v));
	EXPECT_EQ(KVMWATCH_HEAT_LOGGED, v->item.flags);
	EXPECT_EQ(3, v->counts);
	EXPECT_EQ(4, v->head.nr_slots);
	EXPECT_EQ(0, v->head.uncovered);
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(70, v->head.uncovered);
	/* The slots that were not covered are deleted, too. */
	ASSERT_EQ(0, guest_slot_del(g, 1));
	ASSERT_EQ(0, guest_slot_del(g, 3));
	ASSERT_EQ(0, look(self->fd, 2, v));
	EXPECT_EQ(70, v->head.uncovered);
	EXPECT_EQ(5, v->counts);
	close(fd);
}

TEST_F(heat, counts_while_logging_is_on)
{
	struct view *v = &self->view;
	struct guest *g = self->g;

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 20));
	ASSERT_EQ(0, guest_dirty_log(g, 1, 0));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 30));
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(0, v->item.flags);
	EXPECT_EQ(20, v->counts);
	ASSERT_EQ(0, guest_dirty_log(g, 1, 1));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 10));
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(KVMWATCH_HEAT_LOGGED, v->item.flags);
	EXPECT_EQ(30, v->counts);
	EXPECT_EQ(2, v->pages[9].count);
	EXPECT_EQ(1, v->pages[19].count);
}

TEST_F(heat, pages_of_huge_mappings_count_one_by_one)
{
	const __u64 pages = 1024;
	struct kvmwatch_heat_page *page;
	struct kvmwatch_heat *heat;
	struct guest *g = self->g;
	__u64 i, wrong = 0;
	int fd;

	ASSERT_EQ(0, guest_slot_add(g, 3, GPA_C, pages, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, guest_slot_populate(g, 3));
	ASSERT_EQ(0, dirty(g, 0, GPA_C, 0, pages));
	ASSERT_EQ(0, guest_dirty_log(g, 3, 1));
	fd = kvmwatch_open_heat_slot_fd(self->dev, guest_vm_fd(g), 0, 3);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA_C, pages / 2, 2 * GUEST_PAGE, 1)));
	ASSERT_EQ(0, kvmwatch_heat_read(fd, &heat));
	page = calloc(pages, sizeof(*page));
	ASSERT_EQ(0, kvmwatch_heat_pages(fd, heat, 0, 0, pages, page));
	for (i = 0; i < pages; i++)
		wrong += page[i].count != !(i % 2);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(pages / 2, heat->slots[0]->marks);
	free(page);
	kvmwatch_heat_free(heat);
	close(fd);
}

TEST(pages_that_go_into_a_dirty_ring_count)
{
	struct guest *g = guest_new(0, 0);
	struct kvmwatch_info info;
	static struct view v;
	int dev, fd, i;

	ASSERT_NE(NULL, g);
	if (guest_ring_enable(g, 65536)) {
		guest_free(g);
		SKIP(return, "no dirty rings here");
	}
	ASSERT_EQ(0, guest_vcpu_add(g));
	ASSERT_EQ(0, guest_slot_add(g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
	dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	ASSERT_LE(0, dev);
	fd = kvmwatch_open_heat_vm_fd(dev, guest_vm_fd(g));
	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 50 + i));
		ASSERT_EQ(50 + i, guest_ring_harvest(g, 0));
		ASSERT_EQ(50 + i, guest_ring_reset(g));
	}
	ASSERT_EQ(0, look(fd, 1, &v));
	EXPECT_EQ(3, v.pages[49].count);
	EXPECT_EQ(2, v.pages[50].count);
	EXPECT_EQ(1, v.pages[51].count);
	EXPECT_EQ(3, v.head.collects);
	close(fd);
	close(dev);
	guest_free(g);
}

/* --- lives --------------------------------------------------------------- */

TEST_F(heat, it_outlives_the_vm)
{
	struct view *v = &self->view;
	static struct view then;
	struct guest *g = self->g;

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 33));
	ASSERT_EQ(0, look(self->fd, 1, v));
	guest_free(g);
	self->g = NULL;
	EXPECT_TRUE(WATCH_EVENTUALLY(!look(self->fd, 1, &then) &&
				     then.item.flags == KVMWATCH_HEAT_GONE));
	EXPECT_EQ(KVMWATCH_HEAT_ENDED, then.head.flags);
	EXPECT_EQ(33, then.counts);
	EXPECT_EQ(0, then.head.uncovered);
	EXPECT_EQ(0, memcmp(v->pages, then.pages, sizeof(then.pages)));
}

TEST_F(heat, fds_of_one_slot_share_it_until_the_last_closes)
{
	struct view *v = &self->view;
	struct guest *g = self->g;
	__u64 begin_ns;
	int fd;

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 8));
	ASSERT_EQ(0, look(self->fd, 1, v));
	begin_ns = v->item.begin_ns;
	fd = kvmwatch_open_heat_slot_fd(self->dev, guest_vm_fd(g), 0, 1);
	ASSERT_LE(0, fd);
	close(self->fd);
	ASSERT_EQ(8, guest_dirty_get(g, 1, NULL));
	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 4));
	ASSERT_EQ(0, look(fd, 1, v));
	EXPECT_EQ(12, v->counts);
	EXPECT_EQ(begin_ns, v->item.begin_ns);
	close(fd);

	self->fd = kvmwatch_open_heat_vm_fd(self->dev, guest_vm_fd(g));
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(0, v->counts);
	EXPECT_EQ(0, v->item.marks);
	EXPECT_LT(begin_ns, v->item.begin_ns);
}

static int send_fd(int to, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] = {};
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(to, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int from)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(from, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -EIO;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* The module counts as long as the fd is open, even if only a message in a socket holds it. */
TEST_F(heat, an_fd_may_be_passed_on)
{
	struct view *v = &self->view;
	int pair[2], refs = watch_refs();

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, send_fd(pair[0], self->fd));
	close(self->fd);
	ASSERT_EQ(0, dirty(self->g, 0, GPA_A, 0, 21));
	self->fd = receive_fd(pair[1]);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(21, v->counts);
	EXPECT_EQ(refs, watch_refs());
	close(pair[0]);
	close(pair[1]);
}

TEST_F(heat, a_child_reads_heat_after_its_parent_closed_the_fd)
{
	struct view *v = &self->view;
	int ready[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) || look(self->fd, 1, v))
			_exit(255);
		_exit(v->counts);
	}
	close(ready[0]);
	close(self->fd);
	EXPECT_EQ(0, dirty(self->g, 0, GPA_A, 0, 77));
	close(ready[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(77, WEXITSTATUS(status));
	self->fd = -1;
}

TEST_F(heat, the_module_stays_while_it_is_open)
{
	struct view *v = &self->view;

	close(self->dev);
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_refs() == 1));
	EXPECT_EQ(-EAGAIN, watch_unload());
	ASSERT_EQ(0, dirty(self->g, 0, GPA_A, 0, 2));
	ASSERT_EQ(0, look(self->fd, 1, v));
	EXPECT_EQ(2, v->counts);
	close(self->fd);
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_refs() == 0));
	self->fd = -1;
	self->dev = -1;
}

/* --- reading byte by byte ------------------------------------------------ */

TEST_F(heat, any_part_can_be_read_alone)
{
	struct kvmwatch_heat_header header;
	size_t size, head, at, step = 1;
	char *whole, *part, byte, *wrong = MAP_FAILED;
	ssize_t got;

	ASSERT_EQ(0, dirty(self->g, 0, GPA_A, 0, 100));
	ASSERT_EQ(sizeof(header), pread(self->fd, &header, sizeof(header), 0));
	head = header.slot_offset + header.nr_slots * header.slot_size;
	size = head + (GUEST_SLOT0_PAGES + 2 * PAGES) * header.page_size;
	whole = calloc(2, size);
	part = calloc(2, size);
	ASSERT_EQ(size, pread(self->fd, whole, 2 * size, 0));
	ASSERT_EQ(size, read(self->fd, part, 2 * size));
	EXPECT_EQ(0, read(self->fd, part, 1));
	EXPECT_EQ(0, memcmp(whole + head, part + head, size - head));
	/* The head changes with time, but the pages stay. */
	for (at = head; at < size; at += got, step = step * 5 % 1009) {
		got = pread(self->fd, part, step, at);
		ASSERT_EQ(step < size - at ? step : size - at, got);
		ASSERT_EQ(0, memcmp(part, whole + at, got));
	}
	ASSERT_EQ(11, pread(self->fd, part, 11, head - 4));
	EXPECT_EQ(0, memcmp(part + 4, whole + head, 7));
	EXPECT_EQ(0, pread(self->fd, part, 1, size));
	EXPECT_EQ(0, pread(self->fd, part, 1, 1ULL << 50));
	EXPECT_EQ(-1, pread(self->fd, wrong, 100, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pread(self->fd, wrong, 100, head));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, 0));
	free(whole);
	free(part);
}

/* --- who may, and how much ----------------------------------------------- */

static int open_heat(int dev, struct kvmwatch_open arg)
{
	int fd;

	arg.size = arg.size ?: sizeof(arg);
	fd = ioctl(dev, KVMWATCH_OPEN_HEAT, &arg);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST_F(heat, rejects_invalid_arguments)
{
	int dev = self->dev, vm = guest_vm_fd(self->g), vcpu = guest_vcpu_fd(self->g, 0);

#define OPEN(...)	open_heat(dev, (struct kvmwatch_open){ __VA_ARGS__ })
#define BY_FD(...)	OPEN(.flags = KVMWATCH_OPEN_BY_FD, __VA_ARGS__)
	EXPECT_EQ(0, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = vm));
	EXPECT_EQ(0, BY_FD(.kind = KVMWATCH_KIND_SLOT, .fd = vm, .slot = 1));
	EXPECT_EQ(-EINVAL, BY_FD(.kind = KVMWATCH_KIND_VCPU, .fd = vcpu));
	EXPECT_EQ(-EINVAL, BY_FD(.fd = vm));
	EXPECT_EQ(-EINVAL, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = vm, .id = 1));
	EXPECT_EQ(-EINVAL, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = vm, .slot = 1));
	EXPECT_EQ(-EINVAL, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = vm, .reserved = 1));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .flags = 2));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .size = 8));
	EXPECT_EQ(-ENOENT, BY_FD(.kind = KVMWATCH_KIND_SLOT, .fd = vm, .slot = 9));
	EXPECT_EQ(-ENOENT, BY_FD(.kind = KVMWATCH_KIND_SLOT, .fd = vm, .as_id = 1));
	EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_VM, .id = 1000000));
	EXPECT_EQ(-ENXIO, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = vcpu));
	EXPECT_EQ(-EBADF, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = 999));
}

TEST_F(heat, the_vm_s_own_fd_is_right_enough)
{
	struct kvmwatch_vm vm;
	int dev;

	ASSERT_EQ(0, watch_find(self->g, &vm));
	ASSERT_EQ(0, chmod("/dev/kvmwatch", 0666));
	ASSERT_EQ(0, seteuid(NOBODY));
	dev = watch_device();
	ASSERT_LE(0, dev);
	EXPECT_EQ(0, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = guest_vm_fd(self->g)));
	EXPECT_EQ(-EPERM, OPEN(.kind = KVMWATCH_KIND_VM, .id = vm.id));
	EXPECT_EQ(-EPERM, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = vm.id, .slot = 1));
	EXPECT_EQ(-EPERM, OPEN(.kind = KVMWATCH_KIND_VM, .id = vm.id + 1000));
	close(dev);
	ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(0, chmod("/dev/kvmwatch", 0600));
	dev = self->dev;
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_VM, .id = vm.id));
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = vm.id, .slot = 1));
}

static long long vmalloc_used(void)
{
	long long kib = -1;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmallocUsed: %lld", &kib);
	if (f)
		fclose(f);
	return kib * 1024;
}

#define MIB		1048576
#define BIG		131072	/* pages, for which heat takes 1 MiB */

/* Heat takes 1 MiB each time, so memory that is not freed stands out. */
TEST_F_TIMEOUT(heat, closing_the_fd_frees_the_memory, 60)
{
	struct kvmwatch_vm vm = {}, with = {};
	long long used, percpu;
	struct guest *g = self->g;
	int fd, i;

	ASSERT_EQ(0, guest_slot_add(g, 3, GPA_C, BIG, GUEST_MEM_4K, LOG));
	ASSERT_EQ(0, watch_find(g, &vm));
	used = vmalloc_used();
	ASSERT_LT(0, used);
	fd = kvmwatch_open_heat_slot_fd(self->dev, guest_vm_fd(g), 0, 3);
	ASSERT_LE(0, fd);
	/* Meanwhile the kernel may free stacks of threads that have ended. */
	if (machine_is_ours())
		EXPECT_LE(used + MIB - MIB / 8, vmalloc_used());
	ASSERT_EQ(0, watch_find(g, &with));
	EXPECT_LE(vm.footprint + MIB, with.footprint);
	EXPECT_GE(vm.footprint + MIB + 4096 + 4096 * sysconf(_SC_NPROCESSORS_CONF),
		  with.footprint);
	close(fd);
	percpu = watch_percpu();
	for (i = 0; i < 100; i++) {
		fd = kvmwatch_open_heat_slot_fd(self->dev, guest_vm_fd(g), 0, 3);
		ASSERT_LE(0, fd);
		close(fd);
	}
	/* On a shared machine other programs allocate memory, too. */
	if (machine_is_ours()) {
		EXPECT_GT(used + 2 * MIB, vmalloc_used());
		EXPECT_GE(percpu + 16384, watch_percpu());
	}
	ASSERT_EQ(0, watch_find(g, &with));
	EXPECT_EQ(vm.footprint, with.footprint);
}

/* Calls of synchronize_rcu() by this thread while @fd is closed; -EPERM: nobody can see them. */
static long waits_to_close(int fd)
{
	char thread[32];
	long waits = -EPERM;

	snprintf(thread, sizeof(thread), "-%d ", (int)syscall(SYS_gettid));
	if (machine_do(WATCH_TRACEFS "/kprobe_events", "p:heat_wait synchronize_rcu"))
		return waits;
	if (!watch_trace_start() && !watch_trace_also("kprobes/heat_wait")) {
		close(fd);
		waits = watch_trace_stop() ? -EIO : watch_trace_count("heat_wait", thread, NULL);
	}
	watch_trace_end();
	machine_do(WATCH_TRACEFS "/kprobe_events", "-:heat_wait");
	return waits;
}

/* Hits may still use what is freed, so the last one waits for them. */
TEST_F(heat, closing_an_fd_waits_only_if_that_frees_something)
{
	int other = kvmwatch_open_heat_vm_fd(self->dev, guest_vm_fd(self->g));
	long waits;

	ASSERT_LE(0, other);
	waits = waits_to_close(other);
	if (waits == -EPERM)
		SKIP(return, "this kernel has no kprobe events");
	EXPECT_EQ(0, waits);
	EXPECT_EQ(1, waits_to_close(self->fd));
	self->fd = kvmwatch_open_heat_vm_fd(self->dev, guest_vm_fd(self->g));
	EXPECT_LE(0, self->fd);
}

/* Load kvmwatch with a limit of 4 MiB, of which 1 MiB is for those without rights. */
TEST(memory_is_limited_apart_for_those_with_rights_and_those_without)
{
	struct kvmwatch_info info;
	int dev, fds[5], i;
	char args[256];
	struct guest *g;

	ASSERT_EQ(0, watch_unload_patiently());
	snprintf(args, sizeof(args), "%s heat_mb=4", getenv("MODARGS") ?: "");
	ASSERT_EQ(0, watch_load(args));
	g = guest_new(1, 0);
	ASSERT_NE(NULL, g);
	for (i = 1; i <= 4; i++)
		ASSERT_EQ(0, guest_slot_add(g, i, i * GIB, BIG, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_slot_add(g, 5, 5 * GIB, BIG / 2, GUEST_MEM_4K, 0));
	dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	ASSERT_LE(0, dev);

	/* The VM would take 4.5 MiB. A call that failed leaves nothing charged. */
	for (i = 0; i < 10; i++)
		EXPECT_EQ(-ENOSPC, kvmwatch_open_heat_vm_fd(dev, guest_vm_fd(g)));
	for (i = 1; i <= 3; i++) {
		fds[i] = kvmwatch_open_heat_slot_fd(dev, guest_vm_fd(g), 0, i);
		EXPECT_LE(0, fds[i]);
	}
	EXPECT_EQ(-ENOSPC, kvmwatch_open_heat_slot_fd(dev, guest_vm_fd(g), 0, 4));
	/* A slot that has heat already takes no more memory for another fd. */
	EXPECT_EQ(0, BY_FD(.kind = KVMWATCH_KIND_SLOT, .fd = guest_vm_fd(g), .slot = 1));
	close(fds[2]);
	fds[2] = kvmwatch_open_heat_slot_fd(dev, guest_vm_fd(g), 0, 4);
	EXPECT_LE(0, fds[2]);
	close(dev);

	ASSERT_EQ(0, chmod("/dev/kvmwatch", 0666));
	ASSERT_EQ(0, seteuid(NOBODY));
	dev = watch_device();
	ASSERT_LE(0, dev);
	EXPECT_EQ(-ENOSPC, BY_FD(.kind = KVMWATCH_KIND_SLOT, .fd = guest_vm_fd(g), .slot = 2));
	fds[0] = kvmwatch_open_heat_slot_fd(dev, guest_vm_fd(g), 0, 5);
	EXPECT_LE(0, fds[0]);
	ASSERT_EQ(0, seteuid(0));
	close(dev);
	for (i = 0; i <= 3; i++)
		close(fds[i]);
	guest_free(g);
	EXPECT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load(NULL));
}

/*
 * Marks of slots without counters are in the VM's counts, so an fd of the VM says that it does not
 * show them.
 */
TEST(slots_without_counters_are_covered_by_an_fd_of_their_own_only)
{
	struct view *v = calloc(1, sizeof(*v));
	struct kvmwatch_info info;
	int dev, of_vm, of_slot;
	char args[256];
	struct guest *g;

	ASSERT_EQ(0, watch_unload_patiently());
	snprintf(args, sizeof(args), "%s slot_mb=0", getenv("MODARGS") ?: "");
	ASSERT_EQ(0, watch_load(args));
	g = guest_new(1, 0);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_slot_add(g, 1, GPA_A, PAGES, GUEST_MEM_4K, LOG));
	dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	ASSERT_LE(0, dev);
	of_vm = kvmwatch_open_heat_vm_fd(dev, guest_vm_fd(g));
	of_slot = kvmwatch_open_heat_slot_fd(dev, guest_vm_fd(g), 0, 1);
	ASSERT_LE(0, of_vm);
	ASSERT_LE(0, of_slot);

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 10, 40));
	EXPECT_EQ(-ENOENT, look(of_vm, 1, v));
	EXPECT_EQ(40, v->head.uncovered);
	EXPECT_EQ(0, look(of_slot, 1, v));
	EXPECT_EQ(0, v->head.uncovered);
	EXPECT_EQ(40, v->counts);
	EXPECT_EQ(1, v->pages[10].count);
	ASSERT_EQ(0, guest_slot_del(g, 1));
	EXPECT_EQ(-ENOENT, look(of_vm, 1, v));
	EXPECT_EQ(40, v->head.uncovered);

	close(of_slot);
	close(of_vm);
	close(dev);
	guest_free(g);
	free(v);
	EXPECT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load(NULL));
}

/* --- all at once --------------------------------------------------------- */

struct storm {
	struct guest *g;
	int dev;
	int stop;
	__u64 opened;
	int bad;	/* a read showed something that cannot be */
};

/* Create slot 3, which nobody writes to, and delete it; fetch slot 1's log. */
static void *change_slots(void *arg)
{
	struct storm *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		guest_slot_add(s->g, 3, GPA_C, PAGES, GUEST_MEM_4K, LOG);
		guest_dirty_get(s->g, 1, NULL);
		guest_dirty_get(s->g, 2, NULL);
		guest_slot_del(s->g, 3);
	}
	return NULL;
}

static int is_sane(int fd)
{
	struct kvmwatch_heat *heat;
	__u64 i, windows, pages;
	int sane = 1;
	size_t n;

	if (kvmwatch_heat_read(fd, &heat))
		return 0;
	for (n = 0; n < heat->nr; n++)
		for (i = 0; i < WINDOWS; i++)
			if (!kvmwatch_heat_window(heat, NULL, n, i, &pages, &windows))
				sane &= pages <= heat->slots[n]->marks &&
					pages <= windows * heat->slots[n]->npages;
	kvmwatch_heat_free(heat);
	return sane;
}

static void *open_and_close(void *arg)
{
	struct storm *s = arg;
	int fd;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		fd = kvmwatch_open_heat_vm_fd(s->dev, guest_vm_fd(s->g));
		if (fd < 0 || !is_sane(fd))
			__atomic_add_fetch(&s->bad, 1, __ATOMIC_RELAXED);
		close(fd);
		__atomic_add_fetch(&s->opened, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * Open and close heat fds of a VM while its pages are dirtied, and slots are created and deleted. A
 * slot whose fd is open all that time loses no mark.
 */
TEST_F_TIMEOUT(heat, opened_and_closed_under_fire, 900)
{
	struct storm s = { .g = self->g, .dev = self->dev };
	__u64 before, vm_before;
	struct view *v = &self->view;
	pthread_t threads[3];
	struct guest *g = self->g;
	int fd, i;

	/* Slot 1 has heat all the time; heat of the VM begins and ends. */
	close(self->fd);
	self->fd = -1;
	fd = kvmwatch_open_heat_slot_fd(self->dev, guest_vm_fd(g), 0, 1);
	ASSERT_LE(0, fd);
	before = marks(g, 1);
	vm_before = marks(g, 2);
	ASSERT_EQ(0, guest_start(g, 0, work_write(GPA_A, PAGES, GUEST_PAGE, GUEST_FOREVER)));
	ASSERT_EQ(0, guest_start(g, 1, work_write(GPA_B, PAGES, GUEST_PAGE, GUEST_FOREVER)));
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, change_slots, &s));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, open_and_close, &s));
	ASSERT_EQ(0, pthread_create(&threads[2], NULL, open_and_close, &s));
	sleep(atoi(getenv("vm_storm_seconds") ?: getenv("vm_short") ? "2" : "5"));
	EXPECT_TRUE(WATCH_EVENTUALLY(__atomic_load_n(&s.opened, __ATOMIC_RELAXED) > 5 &&
				     marks(g, 1) - before > PAGES && marks(g, 2) > vm_before));
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	guest_stop(g, 0);
	guest_stop(g, 1);
	EXPECT_EQ(0, guest_wait(g, 0, -1));
	EXPECT_EQ(0, guest_wait(g, 1, -1));
	ASSERT_EQ(0, look(fd, 1, v));
	EXPECT_EQ(marks(g, 1) - before, v->counts);
	EXPECT_EQ(v->counts, v->item.marks);
	EXPECT_EQ(0, s.bad);
	TH_LOG("opened %llu times, %llu marks", s.opened, v->counts);
	close(fd);
}

/*
 * Each mark of a VM is in the count of a page, or in the count of uncovered marks, whatever happens
 * to slots.
 */
TEST_F_TIMEOUT(heat, counts_and_uncovered_marks_add_up_to_all_marks, 60)
{
	__u64 before = watch_vm_stat(self->g, "dirty_marks"), counts = 0;
	struct view *v = &self->view;
	struct guest *g = self->g;
	unsigned int i;

	for (i = 0; i < 12; i++) {
		ASSERT_EQ(0, guest_slot_add(g, 3 + i % 3, GPA_C, PAGES, GUEST_MEM_4K, LOG));
		ASSERT_EQ(0, dirty(g, 0, GPA_C, i, 50));
		ASSERT_EQ(0, dirty(g, 1, GPA_B, 2 * i, 20));
		if (i % 4 == 3)
			ASSERT_LE(0, guest_dirty_get(g, 2, NULL));
		if (i == 6)
			ASSERT_EQ(0, guest_slot_del(g, 1));
		ASSERT_EQ(0, guest_slot_del(g, 3 + i % 3));
		ASSERT_EQ(0, look(self->fd, 2, v));
		counts = v->counts;
		ASSERT_EQ(0, look(self->fd, 1, v));
		EXPECT_EQ(watch_vm_stat(g, "dirty_marks") - before,
			  counts + v->counts + v->head.uncovered);
		EXPECT_EQ(50 * (i + 1), v->head.uncovered);
	}
	EXPECT_LT(0, counts);
}

/* --- before the housekeeper was there ------------------------------------ */

/*
 * The housekeeper gets no CPU, so the slot's record is on no list yet. kvmwatch counts its marks as
 * uncovered.
 */
TEST_F(heat, marks_of_a_slot_that_was_just_born_are_not_covered)
{
	struct guest *g = self->g;
	struct workers w;
	int err;

	ASSERT_EQ(0, dirty(g, 0, GPA_A, 0, 1));
	ASSERT_EQ(0, guest_pin(g, 0, 0));
	NEEDS_MACHINE(return, "it holds up the kernel's workers");
	err = workers_hold(&w, false);
	if (err == -ENODEV)
		SKIP(return, "takes two CPUs");
	ASSERT_EQ(0, err);
	EXPECT_EQ(0, guest_slot_add(g, 3, GPA_C, PAGES, GUEST_MEM_4K, LOG));
	EXPECT_EQ(0, dirty(g, 0, GPA_C, 0, 50));
	EXPECT_EQ(0, look(self->fd, 1, &self->view));
	EXPECT_EQ(0, workers_release(&w));
	EXPECT_EQ(50, self->view.head.uncovered);
}

TEST_HARNESS_MAIN
