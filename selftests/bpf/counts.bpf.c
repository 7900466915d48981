// SPDX-License-Identifier: GPL-2.0
/*
 * What kvmwatch counts by default, as well as eBPF can count it: for "make bench" to compare
 * with. It hooks the same functions and events (fentry where it attaches), has one record
 * for each vCPU with one writer, and per-CPU counters for pages.
 *
 * It leaves out what would cost it more: a mark's cause, a page's slot when it is mapped,
 * peaks of what is mapped, which host thread a vCPU has, and numbers that belong together.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <asm/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef unsigned long long u64;
typedef unsigned int u32;

#define KERNELS __attribute__((preserve_access_index))

struct sched_info {
	u64 run_delay;
} KERNELS;

struct task_struct {
	struct sched_info sched_info;
} KERNELS;

struct kvm {
	int last_boosted_vcpu;
} KERNELS;

struct kvm_vcpu {
	struct kvm *kvm;
	bool preempted;
	unsigned int halt_poll_ns;
} KERNELS;

struct kvm_memory_slot {
	u64 base_gfn;
	unsigned long *dirty_bitmap;
	short id;
	unsigned short as_id;
} KERNELS;

struct vmcb_control_area {
	u32 exit_code;
} KERNELS;

struct vmcb {
	struct vmcb_control_area control;
} KERNELS;

struct vcpu_svm {
	struct kvm_vcpu vcpu;
	struct vmcb *vmcb;
} KERNELS;

/* --- records ---------------------------------------------------------------------- */

#define BUCKETS		64
#define REASONS		256

struct record {
	u64 loads, puts, preemptions, load_migrations, since, cpu, run_delay, delay_base;
	u64 on_ns, on_max, on_hist[BUCKETS], off_ns, off_max, off_hist[BUCKETS];
	u64 halts, halted_since, halt_ns, halt_hist[BUCKETS], wait, poll, valid, invalid;
	u64 grow, shrink, silent, window, window_max;
	u64 exits, exit_ns, exit_since, reasons[REASONS];
	u64 user_exits, dirty_marks;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct record);
} records SEC(".maps");

/* A new record: too long for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct record);
} blank SEC(".maps");

/* The vCPU loaded on this CPU, for events that do not say. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} loaded SEC(".maps");

struct slot_key {
	u64 kvm;
	u64 id;
};

struct slot_count {
	u64 marks, marks_new;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct slot_key);
	__type(value, struct slot_count);
} slots SEC(".maps");

struct level_count {
	u64 map, unmap, split;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct slot_key);
	__type(value, struct level_count);
} levels SEC(".maps");

static struct record *record_of(u64 key)
{
	struct record *r = bpf_map_lookup_elem(&records, &key);
	u32 zero = 0;

	if (r)
		return r;
	r = bpf_map_lookup_elem(&blank, &zero);
	if (!r)
		return NULL;
	bpf_map_update_elem(&records, &key, r, BPF_NOEXIST);
	return bpf_map_lookup_elem(&records, &key);
}

static void set_loaded(u64 key)
{
	u32 zero = 0;
	u64 *here = bpf_map_lookup_elem(&loaded, &zero);

	if (here)
		*here = key;
}

static struct record *record_here(void)
{
	u32 zero = 0;
	u64 *here = bpf_map_lookup_elem(&loaded, &zero);

	return here && *here ? bpf_map_lookup_elem(&records, here) : NULL;
}

static __always_inline void add_hist(u64 *hist, u64 value)
{
	u32 bucket = 0;

	if (value >> 32) {
		bucket += 32;
		value >>= 32;
	}
	if (value >> 16) {
		bucket += 16;
		value >>= 16;
	}
	if (value >> 8) {
		bucket += 8;
		value >>= 8;
	}
	if (value >> 4) {
		bucket += 4;
		value >>= 4;
	}
	if (value >> 2) {
		bucket += 2;
		value >>= 2;
	}
	bucket += value;
	hist[bucket & (BUCKETS - 1)]++;
}

/* --- time ------------------------------------------------------------------------- */

SEC("fentry/kvm_arch_vcpu_load")
int BPF_PROG(on_load, struct kvm_vcpu *vcpu, int cpu)
{
	u64 key = (unsigned long)vcpu, now, ns, waited;
	struct record *r = record_of(key);
	struct task_struct *task;

	set_loaded(key);
	if (!r)
		return 0;
	now = bpf_ktime_get_ns();
	task = bpf_get_current_task_btf();
	waited = task->sched_info.run_delay;
	r->loads++;
	if (r->cpu != cpu)
		r->load_migrations++;
	r->cpu = cpu;
	if (r->since) {
		ns = now - r->since;
		r->off_ns += ns;
		add_hist(r->off_hist, ns);
		if (ns > r->off_max)
			r->off_max = ns;
		r->run_delay += waited - r->delay_base;
	}
	r->since = now;
	return 0;
}

SEC("fentry/kvm_arch_vcpu_put")
int BPF_PROG(on_put, struct kvm_vcpu *vcpu)
{
	struct record *r = record_of((unsigned long)vcpu);
	struct task_struct *task;
	u64 now, ns;

	set_loaded(0);
	if (!r)
		return 0;
	now = bpf_ktime_get_ns();
	task = bpf_get_current_task_btf();
	r->delay_base = task->sched_info.run_delay;
	r->puts++;
	if (vcpu->preempted)
		r->preemptions++;
	if (r->since) {
		ns = now - r->since;
		r->on_ns += ns;
		add_hist(r->on_hist, ns);
		if (ns > r->on_max)
			r->on_max = ns;
	}
	r->since = now;
	return 0;
}

/* --- halts ------------------------------------------------------------------------ */

SEC("fentry/kvm_vcpu_halt")
int BPF_PROG(on_halt, struct kvm_vcpu *vcpu)
{
	struct record *r = record_of((unsigned long)vcpu);

	if (r) {
		r->halts++;
		r->halted_since = bpf_ktime_get_ns();
	}
	return 0;
}

SEC("tp_btf/kvm_vcpu_wakeup")
int BPF_PROG(on_wakeup, u64 ns, bool waited, bool valid)
{
	struct record *r = record_here();

	if (!r)
		return 0;
	ns = bpf_ktime_get_ns() - r->halted_since;
	r->halt_ns += ns;
	add_hist(r->halt_hist, ns);
	if (waited)
		r->wait++;
	else
		r->poll++;
	if (valid)
		r->valid++;
	else
		r->invalid++;
	return 0;
}

SEC("tp_btf/kvm_halt_poll_ns")
int BPF_PROG(on_halt_poll, bool grow, unsigned int vcpu_id, unsigned int new, unsigned int old)
{
	struct record *r = record_here();

	if (!r)
		return 0;
	if (r->window != old)
		r->silent++;
	if (grow)
		r->grow++;
	else
		r->shrink++;
	r->window = new;
	if (new > r->window_max)
		r->window_max = new;
	return 0;
}

/* --- exits ------------------------------------------------------------------------ */

SEC("tp_btf/kvm_exit")
int BPF_PROG(on_exit, struct kvm_vcpu *vcpu)
{
	struct record *r = record_of((unsigned long)vcpu);
	u32 reason;

	if (!vcpu || !r)	/* for the verifier, vcpu */
		return 0;
	reason = BPF_CORE_READ((struct vcpu_svm *)vcpu, vmcb, control.exit_code);
	r->exits++;
	r->reasons[reason & (REASONS - 1)]++;
	r->exit_since = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/kvm_entry")
int BPF_PROG(on_entry, struct kvm_vcpu *vcpu)
{
	struct record *r = record_of((unsigned long)vcpu);

	if (r && r->exit_since) {
		r->exit_ns += bpf_ktime_get_ns() - r->exit_since;
		r->exit_since = 0;
	}
	return 0;
}

SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(on_user_exit, u32 reason, int error)
{
	struct record *r = record_here();

	if (r)
		r->user_exits++;
	return 0;
}

/* --- pages ------------------------------------------------------------------------ */

SEC("fentry/mark_page_dirty_in_slot")
int BPF_PROG(on_mark, struct kvm *kvm, struct kvm_memory_slot *slot, u64 gfn)
{
	struct slot_key key = { .kvm = (unsigned long)kvm };
	struct slot_count *count, first = {};
	unsigned long word = 0;
	struct record *r;
	u64 page;

	if (!slot || !slot->dirty_bitmap)
		return 0;
	key.id = (u64)slot->as_id << 16 | (unsigned short)slot->id;
	count = bpf_map_lookup_elem(&slots, &key);
	if (!count) {
		bpf_map_update_elem(&slots, &key, &first, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&slots, &key);
		if (!count)
			return 0;
	}
	page = gfn - slot->base_gfn;
	bpf_probe_read_kernel(&word, sizeof(word), slot->dirty_bitmap + page / 64);
	count->marks++;
	if (!(word >> page % 64 & 1))
		count->marks_new++;
	r = record_here();
	if (r)
		r->dirty_marks++;
	return 0;
}

/* Bits of an entry of a page table of KVM's */
#define PRESENT		0x800ULL
#define HUGE		0x80ULL
#define ADDRESS		0x000ffffffffff000ULL

static bool is_leaf(u64 spte, u32 level)
{
	return spte & PRESENT && (level == 1 || spte & HUGE);
}

/* Seven arguments: more than fentry takes. */
SEC("kprobe/__handle_changed_spte")
int on_spte(struct pt_regs *regs)
{
	u64 before = PT_REGS_PARM4(regs), after = PT_REGS_PARM5(regs);
	struct slot_key key = { .kvm = PT_REGS_PARM1(regs) };
	struct level_count *count, first = {};
	u32 level = regs->r9;
	bool was = is_leaf(before, level), is = is_leaf(after, level);

	if (!was && !is)
		return 0;
	if (was && is && !((before ^ after) & ADDRESS))
		return 0;
	key.id = PT_REGS_PARM2(regs) << 16 | level;
	count = bpf_map_lookup_elem(&levels, &key);
	if (!count) {
		bpf_map_update_elem(&levels, &key, &first, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&levels, &key);
		if (!count)
			return 0;
	}
	count->map += is;
	count->unmap += was;
	if (was && !is && after & PRESENT)
		count->split++;
	return 0;
}

char _license[] SEC("license") = "GPL";
