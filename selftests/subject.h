/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest whose mapped pages tests compare with KVM's counts and with the page tables, and the
 * settings of KVM and the host on which these depend.
 *
 * Functions that return int return 0 or -errno, unless stated otherwise.
 */
#ifndef SELFTESTS_SUBJECT_H
#define SELFTESTS_SUBJECT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "guest.h"
#include "sys.h"
#include "watch.h"

#define GIB		0x40000000ULL
#define HUGE_SIZE	0x200000ULL
#define HUGE_PAGES	(HUGE_SIZE / GUEST_PAGE)

/* Where the slots of a test begin; any addresses will do. */
#define GPA_A		(1 * GIB)
#define GPA_B		(2 * GIB)
#define GPA_C		(3 * GIB)

#define UNKNOWN		(~0ULL)
#define NR_LEVELS	3	/* of leaves: 4k, 2m, 1g */

/* --- settings ------------------------------------------------------------------ */

#define SYS_TDP_MMU	"/sys/module/kvm/parameters/tdp_mmu"
#define SYS_EAGER	"/sys/module/kvm/parameters/eager_page_split"
#define SYS_THP		"/sys/kernel/mm/transparent_hugepage/"

/* Nobody but the test merges or splits the host's pages. */
void sys_no_khugepaged(void);
/* Does the host have transparent huge pages for madvise()? */
bool sys_has_thp(void);
/* Does it have a free hugetlb page of 1 GiB? */
bool sys_has_1g(void);
/* Reload KVM, with other parameters of its two modules. */
int reload_kvm(const char *kvm, const char *vendor);

/* --- the guest ------------------------------------------------------------------ */

struct subject {
	struct guest *g;
	bool early;		/* it ran before kvmwatch was loaded */
	bool shadow;		/* KVM uses the shadow MMU */
	bool paging;		/* the shadow MMU shadows the guest's own page tables */
	bool counted;		/* KVM counts leaves */
	bool eager;		/* KVM splits huge pages when logging begins */
	bool peak_unknown;	/* the test did not see the peak */
	bool thp;		/* sys_has_thp(), set by tests that do without */
	__u64 base[NR_LEVELS];	/* KVM's counts when kvmwatch was loaded */
	__u64 peak;		/* most bytes mapped since then, by the test's own calculation */
};

/* Create a guest with two vCPUs; @flags as for guest_new(). */
int subject_init(struct subject *s, bool early, unsigned int flags);
/* Make the guest write to pages; touch_huge(): to one page of each of @huge huge pages. */
int touch(struct subject *s, __u64 gpa, __u64 pages);
int touch_huge(struct subject *s, __u64 gpa, __u64 huge);
/* What touch_huge() maps of memory that may be huge: @huge pages of 2 MiB, or as many of 4 KiB. */
__u64 as_2m(const struct subject *s, __u64 huge);
__u64 as_4k(const struct subject *s, __u64 huge);

/* Leaves as KVM counts them, or if it does not, as kvmwatch does. @level counts from 0. */
__u64 leaves(struct subject *s, int level);
/* A statistic made of two words, read through a stats fd; UNKNOWN: it is not there. */
__u64 number(int fd, const char *prefix, const char *suffix);
extern const char *const level_name[];
/* Note the current counts as those when kvmwatch was loaded, unless it saw the VM's creation. */
void note_base(struct subject *s);
/* The same if KVM's counts of that moment are unknown: compute them from kvmwatch's. */
void guess_base(struct subject *s);
/*
 * A number of kvmwatch that is wrong, in words; "" if all are right. Call this while the guest does
 * nothing, and each time that more is mapped than before.
 */
const char *untrue(struct subject *s);
/* The leaves of each slot, in words. */
const char *picture(struct subject *s, char *text, size_t size);

/*
 * Unload kvmwatch and load it again. Returns "" if it then finds in the page tables of each guest
 * what its hits had counted, else the difference in words.
 */
const char *untrue_after_reload(struct subject *s, unsigned int nr);

/* Leaves of a slot by level. */
#define EXPECT_LEAVES(s, slot, n4k, n2m, n1g) do {				\
	EXPECT_EQ((__u64)(n4k), watch_slot_stat((s)->g, slot, "mapped_4k"));	\
	EXPECT_EQ((__u64)(n2m), watch_slot_stat((s)->g, slot, "mapped_2m"));	\
	EXPECT_EQ((__u64)(n1g), watch_slot_stat((s)->g, slot, "mapped_1g"));	\
	EXPECT_EQ((n4k) * GUEST_PAGE + (n2m) * HUGE_SIZE + (n1g) * GIB,		\
		  watch_slot_stat((s)->g, slot, "mapped_bytes"));		\
} while (0)

#define EXPECT_MAPPED(s, slot, n4k, n2m)	EXPECT_LEAVES(s, slot, n4k, n2m, 0)

#define EXPECT_SPLITS(s, n) do {						\
	if (!(s)->shadow)							\
		EXPECT_EQ((__u64)(n), watch_vm_stat((s)->g, "huge_splits"));	\
} while (0)

/* The same for tables that a huge leaf replaced. */
#define EXPECT_COLLAPSES(s, n) do {						\
	if (!(s)->shadow)							\
		EXPECT_EQ((__u64)(n), watch_vm_stat((s)->g, "huge_collapses"));	\
} while (0)

#endif /* SELFTESTS_SUBJECT_H */
