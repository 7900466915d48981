// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel half of the cycles benchmark. kbuild compiles this and the handlers in module/probes/ for
 * one kernel; a program links these objects and calls the handlers as KVM would. Here is what the
 * handlers refer to, filled in for their usual case: the vCPU, slot and caller of the last hit.
 *
 * Per-CPU variables are addressed from GS, whose base is 0 in a program. So they are plain
 * variables there.
 */
#include <linux/jump_label.h>
#include <linux/kvm_host.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/alternative.h>
#include <asm/cpufeatures.h>
#include <asm/svm.h>

#include "kernel/clock.h"
#include "probes/caller.h"
#include "probes/handlers.h"
#include "records/cpu.h"
#include "records/record.h"

#include "cycles.h"

/* --- what the handlers refer to ------------------------------------------------- */

DEFINE_PER_CPU(struct kvmw_cpu, kvmw_cpu);
DEFINE_PER_CPU(u64[KVMW_NR_HOOKS], kvmw_hits);
DEFINE_PER_CPU(const struct kvmw_caller *, kvmw_last_caller);
DEFINE_PER_CPU(struct task_struct *, current_task);
DEFINE_PER_CPU(int, __preempt_count) = 1;
DEFINE_STATIC_KEY_FALSE(kvmw_clock_tsc);
u64 kvmw_clock_mult = 1ULL << 31, kvmw_clock_offset;
u8 kvmw_bucket_below[64];
u64 kvmw_bucket_edge[64];
u64 kvmw_age_mult = 1ULL << 30, kvmw_age_limit = 1ULL << 62;

#define GFN	0x1000
#define PAGES	512

static struct task_struct task;
static struct pid pid;
static struct kvm kvm;
static struct {
	struct kvm_vcpu vcpu;
	struct vmcb *vmcb;	/* right behind it: see kvmw_vmcb_of() */
} svm;
static struct vmcb vmcb;
static struct kvm_memory_slot kslot;
static unsigned long log[PAGES / BITS_PER_LONG];
static struct kvmw_vm vm;
static struct kvmw_vcpu vcpu;
struct kvmw_vcpu kvmw_no_vcpu;
static struct kvmw_slot slot;
static struct kvmw_slot_cpu hits;
static const struct kvmw_caller caller = { .addr = 0x1234, .ready = true };

static void set_arguments(void);

void cycles_setup(void)
{
	int i;

	set_arguments();
	for (i = 0; i < 64; i++) {
		kvmw_bucket_below[i] = min(i, KVMW_HIST_BUCKETS - 2);
		kvmw_bucket_edge[i] = 3ULL << i >> 1;
	}
	vm.obj.key = &kvm;
	vm.obj.vm = &vm;
	vm.leaves_counted = true;
	vm.mapped_peak = ~0ULL;
	slot.obj.vm = &vm;
	slot.base_gfn = GFN;
	slot.npages = PAGES;
	slot.live_pages = PAGES;
	slot.hits = (struct kvmw_slot_cpu __percpu __force *)&hits;
	slot.cpu = slot.hits;
	vcpu.obj.key = &svm.vcpu;
	vcpu.obj.vm = &vm;
	vcpu.exit_span.vmcb_valid = true;
	vcpu.where = KVMW_VCPU_OFF_CPU + KVMW_OFF_USER;
	vcpu.since = rdtsc();
	vcpu.delay_pid = &pid;
	task.thread_pid = &pid;
	current_task = &task;
	*(struct pid **)&svm.vcpu.pid = &pid;
	svm.vcpu.kvm = &kvm;
	svm.vmcb = &vmcb;
	vmcb.control.exit_code = 0x72;
	kslot.base_gfn = GFN;
	kslot.npages = PAGES;
	kslot.flags = KVM_MEM_LOG_DIRTY_PAGES;
	kslot.dirty_bitmap = log;
	kvmw_cpu.vcpu = &kvmw_no_vcpu;
	kvmw_cpu.last_vcpu = &vcpu;
	kvmw_cpu.slot = &slot;
	kvmw_last_caller = &caller;
}

/* --- events --------------------------------------------------------------------- */

/* The arguments of KVM's functions, as ftrace saves them. */
static struct ftrace_regs of_vcpu, of_map, of_unmap, of_mark;

#define LEAF	(BIT_ULL(11) | 7)

static void set_arguments(void)
{
	of_vcpu.regs.di = (unsigned long)&svm.vcpu;
	of_map.regs.di = (unsigned long)&kvm;
	of_map.regs.dx = GFN + 7;
	of_map.regs.r8 = LEAF;
	of_map.regs.r9 = 1;
	of_unmap = of_map;
	of_unmap.regs.cx = LEAF;
	of_unmap.regs.r8 = 0;
	of_mark.regs.di = (unsigned long)&kvm;
	of_mark.regs.si = (unsigned long)&kslot;
	of_mark.regs.dx = GFN + 7;
}

static void load(void)
{
	kvmw_ftrace_vcpu_load(0, caller.addr, NULL, &of_vcpu);
}

static void put(void)
{
	kvmw_ftrace_vcpu_put(0, caller.addr, NULL, &of_vcpu);
}

static noinline void nothing(void)
{
	asm volatile("");
}

/* Ways to read the TSC, to compare with */
static void read_plain(void)
{
	asm volatile("rdtsc" : : : "rax", "rdx");
}

static void read_lfence(void)
{
	asm volatile("lfence\n\trdtsc" : : : "rax", "rdx");
}

static void read_rdtscp(void)
{
	asm volatile("rdtscp" : : : "rax", "rcx", "rdx");
}

static void off(void)
{
	if (kvmw_vcpu_loaded())
		put();
}

static void on(void)
{
	off();
	load();
}

static void exit_entry(void)
{
	kvmw_tp_exit(NULL, &svm.vcpu, 1);
	kvmw_tp_entry_more(NULL, &svm.vcpu, false);
}

static void load_put(void)
{
	load();
	put();
}

static void map(void)
{
	kvmw_ftrace_spte_change(0, caller.addr, NULL, &of_map);
}

static void unmap(void)
{
	kvmw_ftrace_spte_change(0, caller.addr, NULL, &of_unmap);
}

static void mark(void)
{
	kvmw_ftrace_dirty_mark(0, caller.addr, NULL, &of_mark);
}

/* --- counted -------------------------------------------------------------------- */

static u64 exits(void)
{
	u64 in_hist = 0;
	int i;

	for (i = 0; i < KVMW_HIST_BUCKETS; i++)
		in_hist += vcpu.stats.exit_hist[i];
	return in_hist == vcpu.stats.exit_reasons[0x72] ? in_hist : 0;
}

static u64 loads(void)
{
	u64 in_hist = 0;
	int i;

	for (i = 0; i < KVMW_HIST_BUCKETS; i++)
		in_hist += vcpu.stats.off_cpu_hist[i];
	return in_hist;
}

static u64 maps(void)
{
	return hits.map[0];
}

static u64 unmaps(void)
{
	return hits.unmap[0];
}

static u64 marks(void)
{
	return vcpu.stats.dirty_marks[0];
}

const struct cycles_event cycles_events[] = {
	{ "nothing", off, nothing },
	{ "rdtsc", off, read_plain },
	{ "lfence_rdtsc", off, read_lfence },
	{ "rdtscp", off, read_rdtscp },
	{ "exit_entry", on, exit_entry, exits },
	{ "load_put", off, load_put, loads },
	{ "map", on, map, maps },
	{ "unmap", on, unmap, unmaps },
	{ "mark", on, mark, marks },
	{ }
};

/* --- what a kernel patches -------------------------------------------------------- */

static bool has(u16 feature)
{
	return feature == X86_FEATURE_ALWAYS || feature == X86_FEATURE_SVM;
}

static void replace(const struct alt_instr *alt)
{
	u8 *at = (u8 *)&alt->instr_offset + alt->instr_offset;
	const u8 *by = (const u8 *)&alt->repl_offset + alt->repl_offset;
	s32 distance;

	memset(at, 0x90, alt->instrlen);
	memcpy(at, by, alt->replacementlen);
	if (alt->replacementlen == 5 && (*by & 0xfe) == 0xe8) {	/* a call or jump */
		memcpy(&distance, by + 1, sizeof(distance));
		distance += by - at;
		memcpy(at + 1, &distance, sizeof(distance));
	}
}

void cycles_patch(void)
{
	const struct jump_entry *jump;
	const struct alt_instr *alt;
	const s32 *site;
	u8 *at;

	for (alt = __start_altinstructions; alt < __stop_altinstructions; alt++)
		if (has(alt->cpuid))
			replace(alt);
	/* The clock is the TSC, so a branch on that is none. Nobody traces. */
	for (jump = __start___jump_table; jump < __stop___jump_table; jump++) {
		at = (u8 *)jump_entry_code(jump);
		if (jump_entry_key(jump) == &kvmw_clock_tsc.key)
			memset(at, 0x90, *at == 0xeb ? 2 : 5);
	}
	/* Returns are jumps to a thunk. A processor that needs none gets the instruction. */
	for (site = __start_return_sites; site < __stop_return_sites; site++)
		*((u8 *)site + *site) = 0xc3;
}
