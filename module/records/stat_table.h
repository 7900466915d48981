/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every statistic, one row each. A row makes the storage, the sum over the slots or vCPUs of a VM,
 * the descriptor, the debugfs file, and the entries in the listing of statistics, in
 * docs/statistics.md and in the man page.
 *
 * X(name, type, unit, needs, source, help)
 *	type	CUMULATIVE, INSTANT, PEAK or LOG_HIST, as in KVM's own statistics;
 *		AGE_HIST, a short LOG_HIST; EXIT_HIST or USER_HIST: linear histograms with one
 *		bucket per reason
 *	unit	NONE, BYTES, NS or MS; TICKS: hits count ticks of kernel/clock.h, readers get
 *		nanoseconds
 *	needs	hooks (HOOK) and conditions of the object (KVMW_NEED_*) without which the number
 *		would be wrong; see needs.h
 *	source	COUNTED: a handler in probes/ counts it in cells that this row makes, with
 *		kvmw_inc(vcpu, name) for a vCPU, or kvmw_slot_inc(counters, name) for a VM's
 *		statistic that is counted per slot; see counts.h. Without such a call the module
 *		does not link: "kvmw_fed_..." is undefined.
 *		MADE(value): numbers/snapshot.c computes it for a reader, from struct gathered *it,
 *		or for a vCPU from struct times *it, in ticks if the unit is TICKS. The value of a
 *		histogram is an array of cells.
 *	help	what it means, in one sentence
 *
 * This header includes nothing, so that any file can expand the table.
 */
#ifndef KVMW_STAT_TABLE_H
#define KVMW_STAT_TABLE_H

/* Needs that several statistics share. */
#define NEED_LEAVES	(HOOK(spte_change) | HOOK(rmap_add) | HOOK(rmap_zap) |	\
			 KVMW_NEED_RMAP_KERNEL)
#define NEED_MAP_EVENTS	(NEED_LEAVES | KVMW_NEED_SEEN)
#define NEED_MAPPED	(NEED_LEAVES | HOOK(vm_init) | HOOK(slot_commit) | KVMW_NEED_MAPPED)
#define NEED_ONCPU	(HOOK(vcpu_load) | HOOK(vcpu_put) | KVMW_NEED_PAIRED)
#define NEED_DIRTY	(HOOK(dirty_mark) | KVMW_NEED_DIRTY_KERNEL | NEED_ONCPU | \
			 KVMW_NEED_MARKED)
#define NEED_NEW	(NEED_DIRTY | KVMW_NEED_BITMAP)
#define NEED_COLLECTS	(HOOK(log_get) | HOOK(log_clear) | RING_HOOK(ring_reset))
#define NEED_HALT	(HOOK(halt) | HOOK(wakeup) | NEED_ONCPU | KVMW_NEED_WOKEN)
#define NEED_POLL	(HOOK(halt_poll) | HOOK(wakeup) | NEED_ONCPU | KVMW_NEED_WOKEN)
#define NEED_TIMES	(NEED_ONCPU | NEED_EXIT | KVMW_NEED_ENTRIES)
#define NEED_EXIT	(HOOK(exit) | HOOK(entry) | KVMW_NEED_EXITED)
#define NEED_USER_EXIT	(HOOK(user_exit) | NEED_ONCPU)
#define NEED_LOAD_COST	(HOOK(load_cost) | NEED_ONCPU)
#define NEED_PUT_COST	(HOOK(put_cost) | NEED_ONCPU)

/* Statistics of a slot, and of a VM as sums over its slots. A slot needs its own counters. */
#define KVMW_SLOT_SUMS(X)							\
	X(mapped_4k, INSTANT, NONE, NEED_MAPPED, MADE(it->mapped[0]),		\
	  "4 KiB leaf entries now present in the second-level page tables")	\
	X(mapped_2m, INSTANT, NONE, NEED_MAPPED, MADE(it->mapped[1]),		\
	  "2 MiB leaf entries now present in the second-level page tables")	\
	X(mapped_1g, INSTANT, NONE, NEED_MAPPED, MADE(it->mapped[2]),		\
	  "1 GiB leaf entries now present in the second-level page tables")	\
	X(mapped_bytes, INSTANT, BYTES, NEED_MAPPED, MADE(kvmw_mapped_bytes(it->mapped)), \
	  "memory that these entries map")					\
	X(dirty_marks, CUMULATIVE, NONE, NEED_DIRTY, MADE(kvmw_marks(&it->hits)), \
	  "pages marked dirty in a slot while its dirty logging is on")		\
	X(dirty_marks_new, CUMULATIVE, NONE, NEED_NEW, MADE(kvmw_marks_new(&it->hits)), \
	  "dirty_marks whose page was not marked yet since the log was last collected") \
	X(dirty_age_hist, AGE_HIST, MS, NEED_DIRTY | NEED_COLLECTS, MADE(it->hits.marks_new),	\
	  "new marks by the time since the VMM began to clear the log; with rings all")

/* Statistics of a VM alone. The sums over its vCPUs follow these. */
#define KVMW_VM_OWN(X)								\
	X(mapped_bytes_peak, PEAK, BYTES, NEED_MAPPED | KVMW_NEED_SEEN, MADE(peak_of(it)), \
	  "highest value of mapped_bytes")					\
	X(map_4k, CUMULATIVE, NONE, NEED_MAP_EVENTS, MADE(it->hits.map[0]),	\
	  "4 KiB leaves that became present")					\
	X(map_2m, CUMULATIVE, NONE, NEED_MAP_EVENTS, MADE(it->hits.map[1]),	\
	  "2 MiB leaves that became present")					\
	X(map_1g, CUMULATIVE, NONE, NEED_MAP_EVENTS, MADE(it->hits.map[2]),	\
	  "1 GiB leaves that became present")					\
	X(unmap_4k, CUMULATIVE, NONE, NEED_MAP_EVENTS, MADE(it->hits.unmap[0]),	\
	  "4 KiB leaves that stopped being present")				\
	X(unmap_2m, CUMULATIVE, NONE, NEED_MAP_EVENTS, MADE(it->hits.unmap[1]),	\
	  "2 MiB leaves that stopped being present")				\
	X(unmap_1g, CUMULATIVE, NONE, NEED_MAP_EVENTS, MADE(it->hits.unmap[2]),	\
	  "1 GiB leaves that stopped being present")				\
	X(huge_splits, CUMULATIVE, NONE, HOOK(spte_change) | KVMW_NEED_SEEN, COUNTED, \
	  "huge leaves that a table of leaves replaced")			\
	X(huge_collapses, CUMULATIVE, NONE, HOOK(spte_change) | KVMW_NEED_SEEN, COUNTED, \
	  "huge leaves that replaced a table of leaves, in place")		\
	X(dirty_marks_fault, CUMULATIVE, NONE, NEED_DIRTY, MADE(marks_by(it, KVMW_CAUSE_FAULT)), \
	  "dirty_marks by a write fault of the guest")				\
	X(dirty_marks_pml, CUMULATIVE, NONE, NEED_DIRTY, MADE(marks_by(it, KVMW_CAUSE_PML)), \
	  "dirty_marks by a flush of Intel's page modification log")		\
	X(dirty_marks_kvm, CUMULATIVE, NONE, NEED_DIRTY, MADE(marks_by(it, KVMW_CAUSE_KVM)), \
	  "dirty_marks by writes of KVM itself")				\
	X(dirty_marks_host, CUMULATIVE, NONE, NEED_DIRTY, MADE(marks_by_host(it)), \
	  "dirty_marks with no vCPU of the VM loaded on the marking pCPU")	\
	X(dirty_collects, CUMULATIVE, NONE, NEED_COLLECTS, MADE(READ_ONCE(it->vm->collects)), \
	  "times the VMM fetched or cleared the dirty log of a slot, or reset the dirty rings") \
	X(dirty_logged_bytes, INSTANT, BYTES, HOOK(slot_commit), MADE(of_slots(it, logged_bytes)), \
	  "guest memory whose dirty logging is on: slots of address space 0 that the VMM made") \
	X(dirty_logged_slots, INSTANT, NONE, HOOK(slot_commit), MADE(of_slots(it, is_logged)), \
	  "slots whose dirty logging is on, in all address spaces")		\
	X(vcpus, INSTANT, NONE, HOOK(vcpu_created), MADE(shown_vcpus(it)),	\
	  "vCPUs now")								\
	X(slots, INSTANT, NONE, HOOK(slot_commit), MADE(of_slots(it, is_there)), \
	  "memory slots now")							\
	X(lost_events, CUMULATIVE, NONE, 0, COUNTED,				\
	  "events that found no vCPU or slot to be counted for")		\
	X(audits, CUMULATIVE, NONE, 0, MADE(READ_ONCE(it->vm->audits)),		\
	  "comparisons with KVM's own counts")					\
	X(audit_failures, CUMULATIVE, NONE, 0, MADE(READ_ONCE(it->vm->audit_failures)), \
	  "comparisons that differed")

#define KVMW_VM_STATS(X)	KVMW_SLOT_SUMS(X) KVMW_VM_OWN(X)

#define KVMW_VCPU_STATS(X)							\
	X(loads, CUMULATIVE, NONE, NEED_ONCPU, COUNTED, "times it was loaded on a pCPU") \
	X(puts, CUMULATIVE, NONE, NEED_ONCPU, COUNTED, "times it was put from a pCPU") \
	X(load_migrations, CUMULATIVE, NONE, NEED_ONCPU, COUNTED,		\
	  "loads on another pCPU than the one before")				\
	X(preemptions, CUMULATIVE, NONE, NEED_ONCPU, COUNTED,			\
	  "puts because the scheduler took the pCPU from a runnable vCPU")	\
	X(pcpu, INSTANT, NONE, NEED_ONCPU | KVMW_NEED_LOADED_ONCE, COUNTED,	\
	  "pCPU it is or was last on")						\
	X(on_cpu_ns, CUMULATIVE, TICKS, NEED_ONCPU, COUNTED, "time between load and put") \
	X(off_cpu_ns, CUMULATIVE, TICKS, NEED_ONCPU, COUNTED,			\
	  "time between put and the next load")					\
	/* The next four are in the order of enum kvmw_off. */			\
	X(user_time_ns, CUMULATIVE, TICKS, NEED_ONCPU, COUNTED,			\
	  "off_cpu_ns in the VMM, whatever its thread does there")		\
	X(wait_time_ns, CUMULATIVE, TICKS, NEED_HALT, COUNTED,			\
	  "off_cpu_ns in a halt")						\
	X(preempted_time_ns, CUMULATIVE, TICKS, NEED_HALT, COUNTED,		\
	  "off_cpu_ns because the scheduler took the pCPU from a vCPU that ran in KVM") \
	X(blocked_time_ns, CUMULATIVE, TICKS, NEED_HALT, COUNTED,		\
	  "off_cpu_ns asleep in KVM without a halt, say for a page of the host's") \
	X(on_cpu_ns_max, PEAK, TICKS, NEED_ONCPU, COUNTED,			\
	  "longest stretch between load and put")				\
	X(off_cpu_ns_max, PEAK, TICKS, NEED_ONCPU, COUNTED,			\
	  "longest stretch between put and load")				\
	X(on_cpu_hist, LOG_HIST, TICKS, NEED_ONCPU, COUNTED,			\
	  "ended stretches between load and put")				\
	X(off_cpu_hist, LOG_HIST, TICKS, NEED_ONCPU, COUNTED,			\
	  "ended stretches between put and load")				\
	X(halts, CUMULATIVE, NONE, NEED_HALT, COUNTED, "times it halted")	\
	X(halt_time_ns, CUMULATIVE, TICKS, NEED_HALT, COUNTED,			\
	  "time halted, polling and waiting together")				\
	X(poll_time_ns, CUMULATIVE, TICKS, NEED_HALT, MADE(it->polled),		\
	  "halt_time_ns on a pCPU: polling")					\
	X(halt_hist, LOG_HIST, TICKS, NEED_HALT, COUNTED,				\
	  "ended halts, polling and waiting together")				\
	X(wakeups_poll, CUMULATIVE, NONE, NEED_HALT, COUNTED, "halts that ended while polling") \
	X(wakeups_wait, CUMULATIVE, NONE, NEED_HALT, COUNTED, "halts that ended after blocking") \
	X(wakeups_valid, CUMULATIVE, NONE, NEED_HALT, COUNTED,			\
	  "halts whose wake-up KVM judged valid")				\
	X(wakeups_invalid, CUMULATIVE, NONE, NEED_HALT, COUNTED,		\
	  "halts whose wake-up KVM judged invalid")				\
	X(halt_poll_ns, INSTANT, NS, NEED_POLL, COUNTED,			\
	  "halt polling window as the last halt left it")			\
	X(halt_poll_ns_max, PEAK, NS, NEED_POLL, COUNTED, "highest value of halt_poll_ns") \
	X(halt_poll_grow, CUMULATIVE, NONE, NEED_POLL, COUNTED,			\
	  "KVM's events that the window grew")					\
	X(halt_poll_shrink, CUMULATIVE, NONE, NEED_POLL, COUNTED,		\
	  "KVM's events that the window shrank")				\
	X(halt_poll_silent, CUMULATIVE, NONE, NEED_POLL, COUNTED,		\
	  "times the window changed without an event of KVM (clamped, reset)")	\
	X(run_delay_ns, CUMULATIVE, NS, NEED_ONCPU, COUNTED,			\
	  "time its thread was runnable but waited for a pCPU, until it was last loaded") \
	X(load_cost_ns, CUMULATIVE, TICKS, NEED_LOAD_COST, COUNTED,		\
	  "time inside KVM's load function")					\
	X(put_cost_ns, CUMULATIVE, TICKS, NEED_PUT_COST, COUNTED,		\
	  "time inside KVM's put function")					\
	X(load_cost_hist, LOG_HIST, TICKS, NEED_LOAD_COST, COUNTED, "the same, call by call") \
	X(put_cost_hist, LOG_HIST, TICKS, NEED_PUT_COST, COUNTED, "the same, call by call") \
	X(dirty_marks, CUMULATIVE, NONE, NEED_DIRTY, COUNTED,			\
	  "pages it marked dirty in a slot while its dirty logging is on")	\
	X(dirty_ring_pushes, CUMULATIVE, NONE, HOOK(ring_push), COUNTED,	\
	  "entries pushed to its dirty ring")					\
	X(dirty_ring_full, CUMULATIVE, NONE, HOOK(ring_full), COUNTED,		\
	  "times KVM_RUN ended because its dirty ring was full")		\
	X(load_entry_ns, CUMULATIVE, TICKS, NEED_ONCPU | NEED_EXIT, COUNTED,	\
	  "time from loads to the first entry to guest mode behind each")	\
	X(load_entry_ns_max, PEAK, TICKS, NEED_ONCPU | NEED_EXIT, COUNTED, "the longest") \
	X(load_entry_hist, LOG_HIST, TICKS, NEED_ONCPU | NEED_EXIT, COUNTED,	\
	  "the same, load by load; those that no entry came behind are left out") \
	X(exit_put_ns, CUMULATIVE, TICKS, NEED_ONCPU | NEED_EXIT, COUNTED,	\
	  "time to puts from the last exit from guest mode before each")	\
	X(exit_put_ns_max, PEAK, TICKS, NEED_ONCPU | NEED_EXIT, COUNTED, "the longest") \
	X(exit_put_hist, LOG_HIST, TICKS, NEED_ONCPU | NEED_EXIT, COUNTED,	\
	  "the same, put by put; those that no exit came before since the load are left out") \
	X(guest_time_ns, CUMULATIVE, TICKS, NEED_TIMES, MADE(it->guest), "time in guest mode") \
	X(kvm_time_ns, CUMULATIVE, TICKS, NEED_TIMES | NEED_HALT, MADE(it->kvm),	\
	  "on_cpu_ns in KVM itself: neither in guest mode nor polling")		\
	X(exits, CUMULATIVE, NONE, NEED_EXIT, MADE(it->exits), "times it left guest mode") \
	X(exit_reasons, EXIT_HIST, NONE, NEED_EXIT | KVMW_NEED_REASONS, COUNTED, \
	  "exits by the processor's exit reason; last, those with no bucket of their own") \
	X(exit_time_ns, CUMULATIVE, TICKS, NEED_EXIT, MADE(it->out),		\
	  "time from leaving guest mode to the next entry, in KVM, in userspace or off its pCPU") \
	X(exit_reason_times, EXIT_HIST, TICKS, NEED_EXIT | KVMW_NEED_REASONS, COUNTED, \
	  "exit_time_ns by the processor's exit reason; last, those with no bucket of their own") \
	X(exit_time_ns_max, PEAK, TICKS, NEED_EXIT, COUNTED, "longest of these times") \
	X(exit_hist, LOG_HIST, TICKS, NEED_EXIT, COUNTED,			\
	  "ended exits by their time, from each to the next entry")		\
	X(user_exits, CUMULATIVE, NONE, NEED_USER_EXIT, COUNTED,		\
	  "times KVM_RUN returned to userspace")				\
	X(user_exit_reasons, USER_HIST, NONE, NEED_USER_EXIT, COUNTED,		\
	  "user_exits by KVM_EXIT_*; last, those with no bucket of their own")

#define KVMW_SLOT_OWN(X)							\
	X(npages, INSTANT, NONE, HOOK(slot_commit), MADE(READ_ONCE(it->slot->npages)), \
	  "size in pages of 4 KiB")						\
	X(base_gfn, INSTANT, NONE, HOOK(slot_commit), MADE(READ_ONCE(it->slot->base_gfn)), \
	  "first guest page frame")						\
	X(userspace_addr, INSTANT, NONE, HOOK(slot_commit),			\
	  MADE(READ_ONCE(it->slot->userspace_addr)), "where the VMM has it mapped") \
	X(flags, INSTANT, NONE, HOOK(slot_commit), MADE(READ_ONCE(it->slot->flags)), \
	  "KVM_MEM_* as the VMM set them")					\
	X(dirty_pages, INSTANT, NONE,						\
	  HOOK(slot_commit) | HOOK(vm_destroy) | KVMW_NEED_BITMAP | KVMW_NEED_LOGGING, \
	  MADE(kvmw_dirty_pages(it->slot)),					\
	  "pages marked in the slot's dirty log now; of slots above 32 GiB up to 0.1 s ago")

#define KVMW_SLOT_STATS(X)	KVMW_SLOT_OWN(X) KVMW_SLOT_SUMS(X)

#endif /* KVMW_STAT_TABLE_H */
