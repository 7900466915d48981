/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Access to kvmwatch for tests: its device, stats fds, debugfs files and trace events, and loading
 * the module. A test compares these with what the guest did (guest.h), with KVM's own numbers
 * (oracle.h), or with each other.
 *
 * Calls return 0 or a count, or -errno, unless stated otherwise.
 */
#ifndef SELFTESTS_WATCH_H
#define SELFTESTS_WATCH_H

#include <linux/kvmwatch.h>
#include <linux/types.h>
#include <unistd.h>

#include "guest.h"
#include "slow.h"

#define WATCH_DEBUGFS	"/sys/kernel/debug/kvmwatch"
#define WATCH_TRACEFS	"/sys/kernel/tracing"

/* --- the module ------------------------------------------------------------ */

/* Load the module with MODARGS, as the runner does, or with other arguments; unload it. */
int watch_load(const char *args);
int watch_unload(void);
/* Unload the module; retry while another process briefly has one of its files open. */
int watch_unload_patiently(void);
/* Number of references to the module; -ENOENT: it is not loaded. */
int watch_refs(void);
/*
 * Number of records in use, without those of other users' VMs: 0 if all VMs of the tests are gone
 * and no fd is open. -EIO: the file hooks has no such line.
 */
int watch_records(void);
/*
 * Kernel memory in use: bytes of slab objects of the sizes that kvmwatch allocates, without cached
 * objects and those about to be freed; bytes of per-CPU allocations, in whole pages.
 */
long long watch_slab(void);
long long watch_percpu(void);

/*
 * Does kvmwatch know the owner of an adopted VM? KVM has only the VMM's mm, whose owner only a
 * kernel with memory cgroups records.
 */
bool watch_finds_owners(void);

/*
 * Does a condition become true within 5 s, multiplied as slow.h says? It is checked at least a
 * thousand times, however long each check takes.
 */
#define WATCH_EVENTUALLY(condition) ({					\
	struct watch_limit limit = watch_limit();			\
	bool true_now;							\
									\
	while (!(true_now = (condition)) && watch_goes_on(&limit))	\
		;							\
	true_now;							\
})

struct watch_limit {
	long long end_ns;	/* by CLOCK_MONOTONIC */
	unsigned int looks;
};

struct watch_limit watch_limit(void);
bool watch_goes_on(struct watch_limit *limit);

/* --- stats fds --------------------------------------------------------------- */

/* Open /dev/kvmwatch; an fd or -errno. */
int watch_device(void);

/* A stats fd of a guest's VM, vCPU (by its KVM fd) or slot; an fd or -errno. */
int watch_vm(struct guest *g);
int watch_vcpu(struct guest *g, unsigned int vcpu);
int watch_slot(struct guest *g, unsigned int as_id, unsigned int slot);

/*
 * A number of an object, read through a new stats fd. ~0 if it is unavailable: no test expects that
 * number, so a comparison fails and shows it. @slot may be a GUEST_SMM_SLOT().
 */
__u64 watch_vm_stat(struct guest *g, const char *name);
__u64 watch_vcpu_stat(struct guest *g, unsigned int vcpu, const char *name);
__u64 watch_slot_stat(struct guest *g, unsigned int slot, const char *name);

/*
 * Wait until the housekeeper has audited an ended object and taken it off the lists, so that its
 * numbers do not change any more.
 */
int watch_wait_ended(int fd);

/* Sum over the shown slots of both address spaces; ~0 as above. */
__u64 watch_slots_sum(struct guest *g, const char *name);

/*
 * Are mapped_4k, _2m and _1g equal to KVM's counts, and to the sums of the slots? If KVM does not
 * count, they must be what an audit finds in the page tables.
 */
int watch_mapped_is_kvms(struct guest *g);

/* Audit a guest's VM. 1: the numbers agree; 0: they do not. @answer may be NULL. */
int watch_audit(struct guest *g, struct kvmwatch_audit *answer);

/* --- lists ------------------------------------------------------------------- */

/*
 * List all objects of a kind, of VM @vm or of all VMs (0), without those of other users' VMs (see
 * machine.h). *@items is to be freed; each item has @size bytes. Returns how many there are.
 */
int watch_list(unsigned int kind, __u64 vm, void **items, size_t size);
/* The guest as listed: found by the name KVM gives it. */
int watch_find(struct guest *g, struct kvmwatch_vm *vm);

/*
 * May this hook be missing? Yes if no parameter asked for it, if it is for dirty rings and KVM has
 * none, or if the compiler has put the function into its callers.
 */
int watch_hook_may_miss(const struct kvmwatch_hook *hook);
/* Is it so that nobody sees collections of dirty logs, and their number is unavailable? */
bool watch_collects_are_hidden(void);
/* The same of marks, all statistics of which are unavailable then. */
bool watch_marks_are_hidden(void);

/* --- debugfs ----------------------------------------------------------------- */

/*
 * The first number in a file below the guest's directory ("mapped_4k", "vcpu0/loads",
 * "slot0-1/dirty_marks"). Waits for the file for 5 s, multiplied as slow.h says. -ENODATA: the file
 * says "unavailable".
 */
int watch_debugfs(struct guest *g, const char *file, __u64 *value);
/*
 * Read a whole file of WATCH_DEBUGFS, without rows of other users' VMs. The text ends with NUL and
 * is to be freed; NULL: errno says why.
 */
char *watch_debugfs_table(const char *file);
/*
 * Read all files below a directory. Call @fn with the first 8 KiB of each; @got is negative if it
 * could not be read. Files that disappear meanwhile are left out.
 */
void watch_read_tree(const char *path,
		     void (*fn)(const char *path, const char *text, ssize_t got));

/* --- trace events ------------------------------------------------------------ */

/*
 * Record kvmwatch's events, but not those of other users' VMs, in a trace instance of the test's
 * own, from watch_trace_start() to watch_trace_stop(). Then watch_trace_count() returns how many
 * lines contain all of the given strings (up to NULL), and watch_trace_sum() the sum of a field
 * over these lines ("leaves", as in "leaves 512"). watch_trace_end() removes the instance.
 */
int watch_trace_start(void);
/* Use another clock than the kernel's usual one, "x86-tsc". This clears what was recorded. */
int watch_trace_clock(const char *clock);
/* Record another event in the same instance, "kvm/kvm_halt_poll_ns". */
int watch_trace_also(const char *event);
int watch_trace_stop(void);
/* Record nothing until watch_trace_also("kvmwatch"). What was recorded stays. */
int watch_trace_pause(void);
/* The recorded events as the kernel shows them: one line each; comments begin with '#'. */
const char *watch_trace_text(void);
long watch_trace_count(const char *first, ...);
long long watch_trace_sum(const char *field, const char *first, ...);
/*
 * Is @ns, by which a number grew, the sum of that field over @events events? The number is rounded
 * down to a nanosecond, and so is each event.
 */
bool watch_trace_is_sum(__u64 ns, long long sum, long events);
/* Number of events that the instance lost; a test that counts events expects 0. */
long watch_trace_lost(void);
void watch_trace_end(void);
/* Does a command of the tool record this event of kvmwatch's ("kvmwatch_halt")? */
bool watch_is_viewed(const char *event);

#endif /* SELFTESTS_WATCH_H */
