// SPDX-License-Identifier: GPL-2.0
/* The file "hooks": which hooks are attached, why others are not, and figures of the module. */
#include <linux/bits.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <uapi/linux/kvmwatch.h>

#include "exports/hooks_file.h"
#include "exports/tables.h"
#include "hooks/attach.h"
#include "hooks/hook.h"
#include "kernel/clock.h"
#include "numbers/describe.h"
#include "numbers/footprint.h"
#include "probes/exit.h"
#include "records/alloc.h"
#include "records/counters.h"
#include "records/lost.h"
#include "records/pool.h"
#include "tasks/adopt.h"
#include "tasks/audit_vcpus.h"

static const char *const kind_names[] = {
	[KVMWATCH_KIND_VM] = "vm", [KVMWATCH_KIND_VCPU] = "vcpu", [KVMWATCH_KIND_SLOT] = "slot",
};

/* The statistics that need a hook, as "vm:mapped_4k,vcpu:loads,...". */
static void put_dependants(struct seq_file *m, enum kvmw_hook_id id)
{
	const struct kvmw_stat *stat;
	unsigned int kind, nr, i;
	bool any = false;

	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		stat = kvmw_stats_table(kind, &nr);
		for (i = 0; i < nr; i++) {
			if (!(stat[i].needs & BIT_ULL(id)))
				continue;
			seq_printf(m, "%s%s:%s", any ? "," : "", kind_names[kind], stat[i].name);
			any = true;
		}
	}
	seq_puts(m, any ? "\n" : "-\n");
}

static void put_rounds(struct seq_file *m)
{
	u64 rounds, interrupts;

	kvmw_adopt_counts(&rounds, &interrupts);
	seq_printf(m, "# rounds that looked for VMs: %llu, CPUs interrupted for them: %llu\n",
		   rounds, interrupts);
}

/* Number of records, and how many of them are in the pools. */
static void put_records(struct seq_file *m)
{
	static const char *const names[] = { "VM", "vCPU", "slot" };
	unsigned int i, nr, ready;

	seq_puts(m, "# records (of them ready for new ones):");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		nr = kvmw_records(KVMWATCH_KIND_VM + i);
		ready = kvmw_pool_ready(KVMWATCH_KIND_VM + i);
		seq_printf(m, "%s %s %u (%u)", i ? "," : "", names[i], nr, ready);
	}
	seq_putc(m, '\n');
}

/* Memory of the counters of slots, and how many slots have none because of the limits. */
static void put_counters(struct seq_file *m)
{
	struct kvmw_counters it;

	kvmw_counters(&it);
	seq_printf(m, "# counters of slots: %zu bytes of %zu (slot_mb), for %u slots of a VM (vm_slots); slots without: %u\n",
		   it.bytes, it.bytes_max, it.slots_max, it.without);
}

static const char *trust_of(const struct kvmwatch_hook *hook)
{
	return hook->flags & KVMWATCH_HOOK_PROVEN ? "proven" : "tested";
}

static int hooks_show(struct seq_file *m, void *unused)
{
	struct kvmwatch_hook hook;
	int i;

	kvmw_put_blind(m);
	seq_printf(m, "%-14s %-10s %-32s %12s %8s %-16s %-25s %s\n", "hook", "via", "target",
		   "hits", "misses", "state", "trust", "statistics");
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		kvmw_hook_describe(i, &hook);
		if (hook.flags & KVMWATCH_HOOK_ATTACHED)
			seq_printf(m, "%-14s %-10s %-32s %12llu %8llu %-16s %-6s:%-18s ", hook.name,
				   hook.via, hook.target, hook.hits, hook.misses, "attached",
				   trust_of(&hook), hook.by);
		else
			seq_printf(m, "%-14s %-10s %-32s %12s %8s %-16s %-25s ", hook.name, "-",
				   hook.target, "-", "-", "missing", "-");
		put_dependants(m, i);
	}
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		kvmw_hook_describe(i, &hook);
		if (!(hook.flags & KVMWATCH_HOOK_ATTACHED))
			seq_printf(m, "# %s is missing: %s\n", hook.name, hook.why);
		else if (*hook.why)
			seq_printf(m, "# %s is %s\n", hook.name, hook.why);
	}
	if (kvmw_no_reasons())
		seq_printf(m, "# exit_reasons is unavailable: %s\n", kvmw_no_reasons());
	seq_printf(m, "# clock: %s\n", kvmw_clock_name());
	seq_printf(m, "# events of VMs without a record: %llu\n", kvmw_lost_unknown());
	put_rounds(m);
	seq_printf(m, "# bytes per VM %zu, vCPU %zu, slot %zu\n",
		   kvmw_kind_footprint(KVMWATCH_KIND_VM),
		   kvmw_kind_footprint(KVMWATCH_KIND_VCPU),
		   kvmw_kind_footprint(KVMWATCH_KIND_SLOT));
	put_records(m);
	put_counters(m);
	kvmw_audit_vcpus_describe(m);
	return 0;
}

static int hooks_open(struct inode *inode, struct file *file)
{
	return single_open(file, hooks_show, NULL);
}

const struct file_operations kvmw_hooks_fops = {
	.owner = THIS_MODULE, .open = hooks_open, .read = seq_read, .llseek = seq_lseek,
	.release = single_release,
};
