/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every statistic, one row each. Descriptors, debugfs files, the listing of
 * statistics and the tables of the documentation all come from here.
 *
 * X(name, type, unit, needs, help)
 *	type	CUMULATIVE, INSTANT, PEAK or LOG_HIST, as in KVM's own statistics;
 *		AGE_HIST, a short LOG_HIST; EXIT_HIST or USER_HIST: linear histograms with a
 *		bucket a reason
 *	unit	NONE, BYTES, NS or MS
 *	needs	what must be there for the number to be true: hooks (HOOK) and
 *		conditions of the object (KVMW_NEED_*); see needs.h
 *	help	what it means, in one sentence
 *
 * A statistic with one place to be counted at has a call of kvmw_inc() or
 * kvmw_add() there. Those of a VM and a slot that are sums are made in
 * numbers/snapshot.c, when somebody asks.
 *
 * This header includes nothing, so that anyone can expand it.
 */

#ifndef KVMW_STAT_TABLE_H
#define KVMW_STAT_TABLE_H

/* What a set of statistics needs. */
#define NEED_LEAVES	(HOOK(spte_change) | HOOK(rmap_add) | HOOK(rmap_zap) |	\
			 KVMW_NEED_RMAP_KERNEL)
#define NEED_MAP_EVENTS	(NEED_LEAVES | KVMW_NEED_SEEN)
#define NEED_MAPPED	(NEED_LEAVES | HOOK(vm_init) | HOOK(slot_commit) | KVMW_NEED_MAPPED)
#define NEED_ONCPU	(HOOK(vcpu_load) | HOOK(vcpu_put) | KVMW_NEED_PAIRED)
#define NEED_DIRTY	(HOOK(dirty_mark) | KVMW_NEED_DIRTY_KERNEL | NEED_ONCPU |	\
			 KVMW_NEED_MARKED)
#define NEED_NEW	(NEED_DIRTY | KVMW_NEED_BITMAP)
#define NEED_COLLECTS	(HOOK(log_get) | HOOK(log_clear) | RING_HOOK(ring_reset))
#define NEED_HALT	(HOOK(halt) | HOOK(wakeup) | NEED_ONCPU | KVMW_NEED_WOKEN)
#define NEED_POLL	(HOOK(halt_poll) | HOOK(wakeup) | NEED_ONCPU | KVMW_NEED_WOKEN)
#define NEED_EXIT	(HOOK(exit) | HOOK(entry) | KVMW_NEED_EXITED)
#define NEED_USER_EXIT	(HOOK(user_exit) | NEED_ONCPU)
#define NEED_LOAD_COST	(HOOK(load_cost) | NEED_ONCPU)
#define NEED_PUT_COST	(HOOK(put_cost) | NEED_ONCPU)

#define KVMW_VM_STATS(X)								\
	X(mapped_4k, INSTANT, NONE, NEED_MAPPED,					\
	  "4 KiB leaf entries now present in the second-level page tables")		\
	X(mapped_2m, INSTANT, NONE, NEED_MAPPED,					\
	  "2 MiB leaf entries now present in the second-level page tables")		\
	X(mapped_1g, INSTANT, NONE, NEED_MAPPED,					\
	  "1 GiB leaf entries now present in the second-level page tables")		\
	X(mapped_bytes, INSTANT, BYTES, NEED_MAPPED, "memory that these entries map")	\
	X(mapped_bytes_peak, PEAK, BYTES, NEED_MAPPED | KVMW_NEED_SEEN,			\
	  "highest value of mapped_bytes")						\
	X(map_4k, CUMULATIVE, NONE, NEED_MAP_EVENTS, "4 KiB leaves that became present")	\
	X(map_2m, CUMULATIVE, NONE, NEED_MAP_EVENTS, "2 MiB leaves that became present")	\
	X(map_1g, CUMULATIVE, NONE, NEED_MAP_EVENTS, "1 GiB leaves that became present")	\
	X(unmap_4k, CUMULATIVE, NONE, NEED_MAP_EVENTS, "4 KiB leaves that stopped being present") \
	X(unmap_2m, CUMULATIVE, NONE, NEED_MAP_EVENTS, "2 MiB leaves that stopped being present") \
	X(unmap_1g, CUMULATIVE, NONE, NEED_MAP_EVENTS, "1 GiB leaves that stopped being present") \
	X(huge_splits, CUMULATIVE, NONE, HOOK(spte_change) | KVMW_NEED_SEEN,		\
	  "huge leaves that a table of leaves replaced")				\
	X(dirty_marks, CUMULATIVE, NONE, NEED_DIRTY,					\
	  "pages marked dirty in a slot while its dirty logging is on")			\
	X(dirty_marks_new, CUMULATIVE, NONE, NEED_NEW,					\
	  "dirty_marks whose page was not marked yet since the log was last collected")	\
	X(dirty_age_hist, AGE_HIST, MS, NEED_DIRTY,					\
	  "new marks by the time since the VMM began to clear the log; with rings all")	\
	X(dirty_marks_fault, CUMULATIVE, NONE, NEED_DIRTY,				\
	  "dirty_marks by a write fault of the guest")					\
	X(dirty_marks_pml, CUMULATIVE, NONE, NEED_DIRTY,				\
	  "dirty_marks by a flush of Intel's page modification log")			\
	X(dirty_marks_kvm, CUMULATIVE, NONE, NEED_DIRTY, "dirty_marks by writes of KVM itself") \
	X(dirty_marks_host, CUMULATIVE, NONE, NEED_DIRTY,				\
	  "dirty_marks with no vCPU of the VM loaded on the marking pCPU")		\
	X(dirty_collects, CUMULATIVE, NONE, NEED_COLLECTS,					\
	  "times the VMM fetched or cleared the dirty log of a slot, or reset the dirty rings") \
	X(dirty_logged_bytes, INSTANT, BYTES, HOOK(slot_commit),			\
	  "guest memory whose dirty logging is on: slots of address space 0 that the VMM made") \
	X(dirty_logged_slots, INSTANT, NONE, HOOK(slot_commit),			\
	  "slots whose dirty logging is on, in all address spaces")			\
	X(vcpus, INSTANT, NONE, HOOK(vcpu_created), "vCPUs now")			\
	X(slots, INSTANT, NONE, HOOK(slot_commit), "memory slots now")			\
	X(lost_events, CUMULATIVE, NONE, 0,						\
	  "events that found no vCPU or slot to be counted for")			\
	X(audits, CUMULATIVE, NONE, 0, "comparisons with KVM's own counts")		\
	X(audit_failures, CUMULATIVE, NONE, 0, "comparisons that differed")

#define KVMW_VCPU_STATS(X)								\
	X(loads, CUMULATIVE, NONE, NEED_ONCPU, "times it was loaded on a pCPU")	\
	X(puts, CUMULATIVE, NONE, NEED_ONCPU, "times it was put from a pCPU")		\
	X(load_migrations, CUMULATIVE, NONE, NEED_ONCPU,				\
	  "loads on another pCPU than the one before")					\
	X(preemptions, CUMULATIVE, NONE, NEED_ONCPU,					\
	  "puts because the scheduler took the pCPU from a runnable vCPU")		\
	X(pcpu, INSTANT, NONE, NEED_ONCPU | KVMW_NEED_LOADED_ONCE, "pCPU it is or was last on")	\
	X(on_cpu_ns, CUMULATIVE, NS, NEED_ONCPU, "time between load and put")		\
	X(off_cpu_ns, CUMULATIVE, NS, NEED_ONCPU, "time between put and the next load")	\
	X(on_cpu_ns_max, PEAK, NS, NEED_ONCPU, "longest stretch between load and put")	\
	X(off_cpu_ns_max, PEAK, NS, NEED_ONCPU, "longest stretch between put and load")	\
	X(on_cpu_hist, LOG_HIST, NS, NEED_ONCPU, "ended stretches between load and put")	\
	X(off_cpu_hist, LOG_HIST, NS, NEED_ONCPU, "ended stretches between put and load")	\
	X(halts, CUMULATIVE, NONE, NEED_HALT, "times it halted")			\
	X(halt_time_ns, CUMULATIVE, NS, NEED_HALT, "time halted, polling and waiting together")	\
	X(halt_hist, LOG_HIST, NS, NEED_HALT, "ended halts, polling and waiting together")	\
	X(wakeups_poll, CUMULATIVE, NONE, NEED_HALT, "halts that ended while polling")	\
	X(wakeups_wait, CUMULATIVE, NONE, NEED_HALT, "halts that ended after blocking")	\
	X(wakeups_valid, CUMULATIVE, NONE, NEED_HALT, "halts whose wake-up KVM judged valid")	\
	X(wakeups_invalid, CUMULATIVE, NONE, NEED_HALT,					\
	  "halts whose wake-up KVM judged invalid")					\
	X(halt_poll_ns, INSTANT, NS, NEED_POLL, "halt polling window as the last halt left it")	\
	X(halt_poll_ns_max, PEAK, NS, NEED_POLL, "highest value of halt_poll_ns")	\
	X(halt_poll_grow, CUMULATIVE, NONE, NEED_POLL, "KVM's events that the window grew")	\
	X(halt_poll_shrink, CUMULATIVE, NONE, NEED_POLL, "KVM's events that the window shrank")	\
	X(halt_poll_silent, CUMULATIVE, NONE, NEED_POLL,				\
	  "times the window changed without an event of KVM (clamped, reset)")		\
	X(run_delay_ns, CUMULATIVE, NS, NEED_ONCPU,					\
	  "time its thread was runnable but waited for a pCPU, until it was last loaded") \
	X(load_cost_ns, CUMULATIVE, NS, NEED_LOAD_COST, "time inside KVM's load function") \
	X(put_cost_ns, CUMULATIVE, NS, NEED_PUT_COST, "time inside KVM's put function")	\
	X(load_cost_hist, LOG_HIST, NS, NEED_LOAD_COST, "the same, call by call")	\
	X(put_cost_hist, LOG_HIST, NS, NEED_PUT_COST, "the same, call by call")	\
	X(dirty_marks, CUMULATIVE, NONE, NEED_DIRTY,					\
	  "pages it marked dirty in a slot while its dirty logging is on")		\
	X(dirty_ring_pushes, CUMULATIVE, NONE, HOOK(ring_push),				\
	  "entries pushed to its dirty ring")						\
	X(dirty_ring_full, CUMULATIVE, NONE, HOOK(ring_full),				\
	  "times KVM_RUN ended because its dirty ring was full")			\
	X(exits, CUMULATIVE, NONE, NEED_EXIT, "times it left guest mode")		\
	X(exit_reasons, EXIT_HIST, NONE, NEED_EXIT | KVMW_NEED_REASONS,			\
	  "exits by the processor's exit reason; last, those with no bucket of their own") \
	X(exit_time_ns, CUMULATIVE, NS, NEED_EXIT,					\
	  "time from leaving guest mode to the next entry, in KVM, in userspace or off its pCPU") \
	X(user_exits, CUMULATIVE, NONE, NEED_USER_EXIT, "times KVM_RUN returned to userspace") \
	X(user_exit_reasons, USER_HIST, NONE, NEED_USER_EXIT,				\
	  "user_exits by KVM_EXIT_*; last, those with no bucket of their own")

#define KVMW_SLOT_STATS(X)								\
	X(npages, INSTANT, NONE, HOOK(slot_commit), "size in pages of 4 KiB")		\
	X(base_gfn, INSTANT, NONE, HOOK(slot_commit), "first guest page frame")		\
	X(userspace_addr, INSTANT, NONE, HOOK(slot_commit), "where the VMM has it mapped")	\
	X(flags, INSTANT, NONE, HOOK(slot_commit), "KVM_MEM_* as the VMM set them")	\
	X(mapped_4k, INSTANT, NONE, NEED_MAPPED | KVMW_NEED_COUNTERS,			\
	  "4 KiB leaves within the slot")						\
	X(mapped_2m, INSTANT, NONE, NEED_MAPPED | KVMW_NEED_COUNTERS,			\
	  "2 MiB leaves within the slot")						\
	X(mapped_1g, INSTANT, NONE, NEED_MAPPED | KVMW_NEED_COUNTERS,			\
	  "1 GiB leaves within the slot")						\
	X(mapped_bytes, INSTANT, BYTES, NEED_MAPPED | KVMW_NEED_COUNTERS,		\
	  "memory that these leaves map")						\
	X(dirty_marks, CUMULATIVE, NONE, NEED_DIRTY | KVMW_NEED_COUNTERS,		\
	  "pages marked dirty while the slot's dirty logging is on")			\
	X(dirty_marks_new, CUMULATIVE, NONE, NEED_NEW | KVMW_NEED_COUNTERS,		\
	  "dirty_marks whose page was not marked yet since the log was last collected")	\
	X(dirty_age_hist, AGE_HIST, MS, NEED_DIRTY | KVMW_NEED_COUNTERS,			\
	  "new marks by the time since the VMM began to clear the log; with rings all")	\
	X(dirty_pages, INSTANT, NONE,							\
	  HOOK(slot_commit) | HOOK(vm_destroy) | KVMW_NEED_BITMAP | KVMW_NEED_LOGGING,	\
	  "pages marked in the slot's dirty log now; of slots above 32 GiB up to 0.1 s ago")

#endif /* KVMW_STAT_TABLE_H */
