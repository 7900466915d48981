// SPDX-License-Identifier: GPL-2.0
/* The numbers of an object as readers get them. See stats.h. */
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvmwatch.h>

#include "object.h"
#include "stats.h"

/* --- descriptions ---------------------------------------------------------- */

#define HOOK(id)	KVMW_HOOK_BIT(id)
/* Not needed where KVM has no dirty rings. */
#define RING_HOOK(id)	(KVMW_HAS_RINGS ? HOOK(id) : 0)

#define UNIT_NONE	KVMWATCH_STATS_NONE
#define UNIT_BYTES	KVMWATCH_STATS_BYTES
#define UNIT_NS		KVMWATCH_STATS_SECONDS
#define UNIT_MS		KVMWATCH_STATS_SECONDS
#define EXPONENT_NONE	0
#define EXPONENT_BYTES	0
#define EXPONENT_NS	(-9)
#define EXPONENT_MS	(-3)

#define TYPE_CUMULATIVE	KVMWATCH_STATS_CUMULATIVE
#define TYPE_INSTANT	KVMWATCH_STATS_INSTANT
#define TYPE_PEAK	KVMWATCH_STATS_PEAK
#define TYPE_LOG_HIST	KVMWATCH_STATS_LOG_HIST
#define TYPE_AGE_HIST	KVMWATCH_STATS_LOG_HIST
#define TYPE_EXIT_HIST	KVMWATCH_STATS_LINEAR_HIST
#define TYPE_USER_HIST	KVMWATCH_STATS_LINEAR_HIST

#define ROW(struct_name, member, stat, type, unit, what, meaning) {			\
	.name = #stat, .help = meaning, .needs = what,				\
	.flags = TYPE_##type | UNIT_##unit, .exponent = EXPONENT_##unit,	\
	.size = KVMW_CELLS_##type, .kept = KVMW_CELLS_##type,			\
	.offset = offsetof(struct struct_name, member),				\
},
#define VM_ROW(stat, ...)	ROW(kvmw_vm_stats, stat, stat, __VA_ARGS__)
#define SUM_ROW(stat, ...)	ROW(kvmw_vm_stats, vcpus_sum.stat, stat, __VA_ARGS__)
#define VCPU_ROW(stat, ...)	ROW(kvmw_vcpu_stats, stat, stat, __VA_ARGS__)
#define SLOT_ROW(stat, ...)	ROW(kvmw_slot_stats, stat, stat, __VA_ARGS__)

static struct kvmw_stat vcpu_stats[] = { KVMW_VCPU_STATS(VCPU_ROW) };
static const struct kvmw_stat slot_stats[] = { KVMW_SLOT_STATS(SLOT_ROW) };

/* What a VM has of its own, then what its vCPUs have; made into one by vm_table(). */
static const struct kvmw_stat vm_rows[] = { KVMW_VM_STATS(VM_ROW) };
static const struct kvmw_stat sum_rows[] = { KVMW_VCPU_STATS(SUM_ROW) };
static struct kvmw_stat vm_stats[ARRAY_SIZE(vm_rows) + ARRAY_SIZE(sum_rows)];
static unsigned int nr_vm_stats;

static bool has_vm_row(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vm_rows); i++)
		if (!strcmp(vm_rows[i].name, name))
			return true;
	return false;
}

/*
 * Buckets of exit_reasons: up to the last reason of the vendor that has a cell, and one
 * for the rest. Intel's are below 128.
 */
static unsigned int exit_buckets(void)
{
	if (boot_cpu_has(X86_FEATURE_SVM))
		return KVMW_EXIT_HIGH_FIRST + KVMW_EXIT_HIGH + 1;
	return 128 + 1;
}

static void set_exit_buckets(struct kvmw_stat *stat, unsigned int nr)
{
	for (; nr--; stat++)
		if (stat->kept == KVMW_CELLS_EXIT_HIST)
			stat->size = exit_buckets();
}

/* A vCPU's gauges make no sense as a sum, and a VM's own count goes first. */
void kvmw_stats_init(void)
{
	unsigned int i;

	BUILD_BUG_ON(KVMW_CELLS_EXIT_HIST == KVMW_CELLS_USER_HIST);

	memcpy(vm_stats, vm_rows, sizeof(vm_rows));
	nr_vm_stats = ARRAY_SIZE(vm_rows);
	for (i = 0; i < ARRAY_SIZE(sum_rows); i++) {
		if ((sum_rows[i].flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_INSTANT)
			continue;
		if (!has_vm_row(sum_rows[i].name))
			vm_stats[nr_vm_stats++] = sum_rows[i];
	}
	set_exit_buckets(vcpu_stats, ARRAY_SIZE(vcpu_stats));
	set_exit_buckets(vm_stats, nr_vm_stats);
}

u64 kvmw_stat_cell(const struct kvmw_stat *stat, const union kvmw_any_stats *stats,
		   unsigned int i)
{
	const u64 *cells = (const void *)stats + stat->offset;
	unsigned int cell;
	u64 rest;

	if (stat->kept != KVMW_CELLS_EXIT_HIST)
		return cells[i];
	if (i < stat->size - 1) {
		cell = kvmw_exit_cell(i);
		return cell == KVMW_EXIT_REST ? 0 : cells[cell];
	}
	/* All that the buckets before have not shown. */
	rest = cells[KVMW_EXIT_REST];
	for (cell = i; cell < KVMW_EXIT_REST; cell++)
		rest += cells[cell];
	return rest;
}

const struct kvmw_stat *kvmw_stats_table(unsigned int kind, unsigned int *nr)
{
	switch (kind) {
	case KVMWATCH_KIND_VM:
		*nr = nr_vm_stats;
		return vm_stats;
	case KVMWATCH_KIND_VCPU:
		*nr = ARRAY_SIZE(vcpu_stats);
		return vcpu_stats;
	case KVMWATCH_KIND_SLOT:
		*nr = ARRAY_SIZE(slot_stats);
		return slot_stats;
	}
	*nr = 0;
	return NULL;
}

static u64 met_by(const struct kvmw_object *obj)
{
	struct kvmw_vm *vm = obj->vm;
	u64 met = 0;

	if (READ_ONCE(vm->armed) && !READ_ONCE(vm->unsure) && !READ_ONCE(vm->mapped_bad))
		met |= KVMW_NEED_MAPPED;
	if (!READ_ONCE(vm->leaf_failures) && !vm->opaque)
		met |= KVMW_NEED_SEEN;
	if (!READ_ONCE(vm->mark_failures))
		met |= KVMW_NEED_MARKED;
	met |= KVMW_NEED_AUDITED & ~READ_ONCE(vm->refuted);
	if (!vm->ring)
		met |= KVMW_NEED_BITMAP;
	if (obj->kind == KVMWATCH_KIND_SLOT) {
		const struct kvmw_slot *slot = container_of(obj, struct kvmw_slot, obj);

		if (READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES)
			met |= KVMW_NEED_LOGGING;
		if (!kvmw_slot_shares(slot))
			met |= KVMW_NEED_COUNTERS;
	}
	if (obj->kind == KVMWATCH_KIND_VCPU) {
		const struct kvmw_vcpu *vcpu = container_of(obj, struct kvmw_vcpu, obj);

		if (READ_ONCE(vcpu->where) != KVMW_VCPU_UNKNOWN)
			met |= KVMW_NEED_LOADED_ONCE;
	}
	return met;
}

bool kvmw_stat_available(const struct kvmw_stat *stat, const struct kvmw_object *obj)
{
	u64 met = READ_ONCE(kvmw_hooks_attached);

	if (obj)
		met = (met & ~READ_ONCE(obj->vm->missed)) | met_by(obj);
	else
		met |= ~0ULL << KVMW_NEED_FIRST;

	if (kvmw_no_reasons() || (obj && obj->vm->opaque))
		met &= ~KVMW_NEED_REASONS;
	else
		met |= KVMW_NEED_REASONS;
	return !(stat->needs & ~met);
}

bool kvmw_stat_withdrawn(const struct kvmw_stat *stat, const struct kvmw_object *obj)
{
	const struct kvmw_vm *vm = obj->vm;

	if (stat->needs & (READ_ONCE(vm->missed) | READ_ONCE(vm->refuted)))
		return true;
	if (stat->needs & KVMW_NEED_SEEN && READ_ONCE(vm->leaf_failures))
		return true;
	if (stat->needs & KVMW_NEED_MARKED && READ_ONCE(vm->mark_failures))
		return true;
	return stat->needs & KVMW_NEED_MAPPED &&
	       (READ_ONCE(vm->unsure) || READ_ONCE(vm->mapped_bad));
}

/* --- slots ----------------------------------------------------------------- */

/*
 * Unmaps first: what comes in between can then make a sum too large for a moment,
 * but never negative.
 */
void kvmw_slot_cpu_sum(const struct kvmw_slot_cpu __percpu *percpu, struct kvmw_slot_cpu *sum)
{
	const struct kvmw_slot_cpu *c;
	int cpu, i;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(percpu, cpu);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			sum->unmap[i] += READ_ONCE(c->unmap[i]);
		for (i = 0; i < ARRAY_SIZE(c->marks_new); i++)
			sum->marks_new[i] += READ_ONCE(c->marks_new[i]);
	}
	smp_rmb();	/* a page's map, which came before its unmap, is counted below */
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(percpu, cpu);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			sum->map[i] += READ_ONCE(c->map[i]);
		for (i = 0; i < KVMW_NR_CAUSES; i++) {
			sum->marks[i][0] += READ_ONCE(c->marks[i][0]);
			sum->marks[i][1] += READ_ONCE(c->marks[i][1]);
		}
		sum->splits += READ_ONCE(c->splits);
		sum->lost += READ_ONCE(c->lost);
	}
}

void kvmw_slot_cpu_add(struct kvmw_slot_cpu *sum, const struct kvmw_slot_cpu *more)
{
	const u64 *from = (const u64 *)more;
	u64 *to = (u64 *)sum;
	size_t i;

	for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		to[i] += from[i];
}

static void mapped_of(const s64 base[KVMW_NR_LEVELS], const struct kvmw_slot_cpu *sum,
		      s64 mapped[KVMW_NR_LEVELS])
{
	int i;

	for (i = 0; i < KVMW_NR_LEVELS; i++)
		mapped[i] = base[i] + (s64)(sum->map[i] - sum->unmap[i]);
}

void kvmw_slot_mapped(const struct kvmw_slot *slot, s64 mapped[KVMW_NR_LEVELS])
{
	struct kvmw_slot_cpu sum;

	kvmw_slot_cpu_sum(slot->cpu, &sum);
	mapped_of(slot->base, &sum, mapped);
}

/* --- dirty logs ------------------------------------------------------------ */

/* Of KVM's dirty log so many words are read at a time. */
#define LOG_WORDS	64

/* Logs up to this size are counted for each reader, larger ones (32 GiB) now and then. */
#define LOG_BYTES_EACH	SZ_1M
#define LOG_INTERVAL	(HZ / 10)

/*
 * Is the log that @life and @log tell of still KVM's? KVM frees it after the hook that changes
 * these, or marks the slot or the VM as gone. So what was read before is of the log if it is.
 */
static bool is_log(const struct kvmw_slot *slot, u64 life, const void *log)
{
	smp_rmb();	/* what was read of it is read */
	return READ_ONCE(slot->log_life) == life && READ_ONCE(slot->log) == log &&
	       READ_ONCE(slot->obj.key) && !READ_ONCE(slot->obj.vm->dying);
}

/*
 * No lock of KVM's is held, as it would be for as long as 32 MiB take for a slot of 1 TiB. So the
 * log may be freed meanwhile: then reading fails, or what was read is thrown away.
 */
s64 kvmw_log_weight(const struct kvmw_slot *slot)
{
	u64 life = READ_ONCE(slot->log_life);
	unsigned long words[LOG_WORDS], left, n, i;
	const unsigned long *log, *from;
	s64 weight = 0;

	smp_rmb();	/* a log that changes after this changes its life, too */
	log = READ_ONCE(slot->log);
	if (!log || !is_log(slot, life, log))
		return -1;
	left = BITS_TO_LONGS(READ_ONCE(slot->npages));
	for (from = log; left; from += n, left -= n) {
		n = min_t(unsigned long, left, LOG_WORDS);
		if (copy_from_kernel_nofault(words, from, n * sizeof(*words)))
			return -1;
		for (i = 0; i < n; i++)
			weight += hweight_long(words[i]);
		cond_resched();
	}
	return is_log(slot, life, log) ? weight : -1;
}

/* Once more if the log changed meanwhile. It stays as it was last if there is none any more. */
static u64 count_log(struct kvmw_slot *slot)
{
	s64 weight = -1;
	int tries;

	for (tries = 0; weight < 0 && tries < 3; tries++)
		weight = kvmw_log_weight(slot);
	if (weight >= 0)
		WRITE_ONCE(slot->dirty_pages, weight);
	return READ_ONCE(slot->dirty_pages);
}

/*
 * Bits set in KVM's dirty log of the slot. A large log is counted by one reader at a time, and
 * not again for a while: what readers ask for often shall not cost more than that.
 */
static u64 dirty_pages(struct kvmw_slot *slot)
{
	struct kvmw_vm *vm = slot->obj.vm;
	u64 life, pages;

	if (!(READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES))
		return READ_ONCE(slot->dirty_pages);
	if (BITS_TO_LONGS(READ_ONCE(slot->npages)) * sizeof(long) <= LOG_BYTES_EACH)
		return count_log(slot);
	mutex_lock(&vm->log_lock);
	life = READ_ONCE(slot->log_life);
	if (slot->counted_life != life ||
	    time_after_eq(jiffies, slot->counted_at + LOG_INTERVAL)) {
		count_log(slot);
		slot->counted_life = life;
		slot->counted_at = jiffies;
	}
	pages = READ_ONCE(slot->dirty_pages);
	mutex_unlock(&vm->log_lock);
	return pages;
}

/* --- slots as readers see them ----------------------------------------------- */

static u64 marks_by(const struct kvmw_slot_cpu *sum, enum kvmw_cause cause)
{
	return sum->marks[cause][0] + sum->marks[cause][1];
}

u64 kvmw_marks_new(const struct kvmw_slot_cpu *sum)
{
	u64 marks = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sum->marks_new); i++)
		marks += sum->marks_new[i];
	return marks;
}

static u64 marks_of(const struct kvmw_slot_cpu *sum)
{
	u64 marks = 0;
	int i;

	for (i = 0; i < KVMW_NR_CAUSES; i++)
		marks += marks_by(sum, i);
	return marks;
}

static void slot_collect(struct kvmw_slot *slot, struct kvmw_slot_stats *out)
{
	s64 mapped[KVMW_NR_LEVELS];
	struct kvmw_slot_cpu sum;

	kvmw_slot_cpu_sum(slot->cpu, &sum);
	mapped_of(slot->base, &sum, mapped);
	*out = (struct kvmw_slot_stats) {
		.npages = { READ_ONCE(slot->npages) },
		.base_gfn = { READ_ONCE(slot->base_gfn) },
		.userspace_addr = { READ_ONCE(slot->userspace_addr) },
		.flags = { READ_ONCE(slot->flags) },
		.mapped_4k = { mapped[0] },
		.mapped_2m = { mapped[1] },
		.mapped_1g = { mapped[2] },
		.mapped_bytes = { kvmw_mapped_bytes(mapped) },
		.dirty_marks = { marks_of(&sum) },
		.dirty_marks_new = { kvmw_marks_new(&sum) },
		.dirty_pages = { dirty_pages(slot) },
	};
	memcpy(out->dirty_age_hist, sum.marks_new, sizeof(out->dirty_age_hist));
}

/* --- vCPUs ----------------------------------------------------------------- */

static void add_open_stretch(u64 *sum, u64 *peak, u64 since, u64 now)
{
	u64 length = kvmw_elapsed(now, since);

	*sum += length;
	if (peak && length > *peak)
		*peak = length;
}

void kvmw_vcpu_snapshot(const struct kvmw_vcpu *vcpu, struct kvmw_vcpu_stats *out)
{
	u64 now, since, halted_since, exit_since;
	unsigned int seq;
	bool halted;
	u8 where;

	do {
		seq = read_seqcount_begin(&vcpu->seq);
		*out = vcpu->stats;
		where = vcpu->where;
		since = vcpu->since;
		halted = vcpu->halted;
		halted_since = vcpu->halted_since;
		exit_since = kvmw_exit_open(vcpu) ? vcpu->exit_span.since : 0;
		now = kvmw_now_anywhere();
	} while (read_seqcount_retry(&vcpu->seq, seq));

	if (where == KVMW_VCPU_ON_CPU)
		add_open_stretch(out->on_cpu_ns, out->on_cpu_ns_max, since, now);
	else if (where == KVMW_VCPU_OFF_CPU)
		add_open_stretch(out->off_cpu_ns, out->off_cpu_ns_max, since, now);
	if (halted)
		add_open_stretch(out->halt_time_ns, NULL, halted_since, now);
	if (exit_since)
		add_open_stretch(out->exit_time_ns, NULL, exit_since, now);
}

/* Counts and histograms add up, peaks are the highest; see vcpu_stats[]. */
void kvmw_vcpu_stats_add(struct kvmw_vcpu_stats *sum, const struct kvmw_vcpu_stats *more)
{
	const struct kvmw_stat *stat;
	const u64 *from;
	unsigned int i;
	u64 *to;

	for (stat = vcpu_stats; stat < vcpu_stats + ARRAY_SIZE(vcpu_stats); stat++) {
		to = (void *)sum + stat->offset;
		from = (const void *)more + stat->offset;
		for (i = 0; i < stat->kept; i++) {
			if ((stat->flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_PEAK)
				to[i] = max(to[i], from[i]);
			else
				to[i] += from[i];
		}
	}
}

/* --- VMs ------------------------------------------------------------------- */

/* The slot that readers see: how much of it is logged goes to the numbers of its VM. */
static void add_logged(struct kvmw_vm_stats *out, const struct kvmw_slot *slot)
{
	if (!(READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	out->dirty_logged_slots[0]++;
	if (kvmw_slot_is_memory(&slot->obj))
		out->dirty_logged_bytes[0] += (u64)READ_ONCE(slot->npages) << PAGE_SHIFT;
}

static void vm_collect(struct kvmw_vm *vm, struct kvmw_vm_stats *out,
		       struct kvmw_vcpu_stats *scratch)
{
	s64 mapped[KVMW_NR_LEVELS] = {}, part[KVMW_NR_LEVELS];
	struct kvmw_slot_cpu sum, total;
	struct kvmw_object *obj;
	u64 vcpus = 0, slots = 0;
	int i;

	out->dirty_logged_bytes[0] = 0;
	out->dirty_logged_slots[0] = 0;
	mutex_lock(&vm->lock);
	total = vm->gone_slots;
	list_for_each_entry(obj, &vm->slots, node) {
		struct kvmw_slot *slot = kvmw_to_slot(obj);

		kvmw_slot_cpu_sum(slot->cpu, &sum);
		mapped_of(slot->base, &sum, part);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			mapped[i] += part[i];
		kvmw_slot_cpu_add(&total, &sum);
		/* A dying VM's slots go without a word. */
		if (READ_ONCE(vm->dying) || !kvmw_shown(obj))
			continue;
		slots++;
		add_logged(out, slot);
	}
	kvmw_slot_cpu_sum(vm->stray->cpu, &sum);
	mapped_of(vm->stray->base, &sum, part);
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		mapped[i] += part[i];
	kvmw_slot_cpu_add(&total, &sum);

	out->vcpus_sum = *vm->gone_vcpus;
	list_for_each_entry(obj, &vm->vcpus, node) {
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), scratch);
		kvmw_vcpu_stats_add(&out->vcpus_sum, scratch);
		vcpus += kvmw_shown(obj);
	}
	mutex_unlock(&vm->lock);

	out->mapped_4k[0] = mapped[0];
	out->mapped_2m[0] = mapped[1];
	out->mapped_1g[0] = mapped[2];
	out->mapped_bytes[0] = kvmw_mapped_bytes(mapped);
	out->mapped_bytes_peak[0] = max(out->mapped_bytes[0], READ_ONCE(vm->mapped_peak));
	out->map_4k[0] = total.map[0];
	out->map_2m[0] = total.map[1];
	out->map_1g[0] = total.map[2];
	out->unmap_4k[0] = total.unmap[0];
	out->unmap_2m[0] = total.unmap[1];
	out->unmap_1g[0] = total.unmap[2];
	out->huge_splits[0] = total.splits;
	out->dirty_marks[0] = marks_of(&total);
	out->dirty_marks_new[0] = kvmw_marks_new(&total);
	memcpy(out->dirty_age_hist, total.marks_new, sizeof(out->dirty_age_hist));
	out->dirty_marks_fault[0] = marks_by(&total, KVMW_CAUSE_FAULT);
	out->dirty_marks_pml[0] = marks_by(&total, KVMW_CAUSE_PML);
	out->dirty_marks_kvm[0] = marks_by(&total, KVMW_CAUSE_KVM);
	out->dirty_marks_host[0] = 0;
	for (i = 0; i < KVMW_NR_CAUSES; i++)
		out->dirty_marks_host[0] += total.marks[i][1];
	out->dirty_collects[0] = READ_ONCE(vm->collects);
	out->vcpus[0] = vcpus;
	out->slots[0] = slots;
	out->lost_events[0] = total.lost;
	out->audits[0] = READ_ONCE(vm->audits);
	out->audit_failures[0] = READ_ONCE(vm->audit_failures);
}

void kvmw_stats(struct kvmw_object *obj, union kvmw_any_stats *out)
{
	might_sleep();
	kvmw_absorb();
	switch (obj->kind) {
	case KVMWATCH_KIND_VM:
		vm_collect(kvmw_to_vm(obj), &out->vm, &out->scratch);
		break;
	case KVMWATCH_KIND_VCPU:
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), &out->vcpu);
		break;
	case KVMWATCH_KIND_SLOT:
		slot_collect(kvmw_to_slot(obj), &out->slot);
		break;
	}
}
