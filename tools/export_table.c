// SPDX-License-Identifier: GPL-2.0
/* The names of statistics in the export. See export_table.h. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "export_table.h"
#include "hooks.h"
#include "libkvmwatch.h"

const struct export_group_name export_groups[] = {
	{ "ages", EXPORT_AGES },
	{ "costs", EXPORT_COSTS },
	{ "exits", EXPORT_EXITS },
	{ "histograms", EXPORT_HISTOGRAMS },
	{ "last-cpu", EXPORT_LAST_CPU },
	{ "off-cpu", EXPORT_OFF_CPU },
	{ "peaks", EXPORT_PEAKS },
	{ "rings", EXPORT_RINGS },
	{ "slots", EXPORT_SLOTS },
	{ "wakeups", EXPORT_WAKEUPS },
	{ }
};

#define VM(stat_name, family_name, ...)	\
	{ .kind = KVMWATCH_KIND_VM, .stat = stat_name, .family = family_name, __VA_ARGS__ }
#define SLOT(stat_name, family_name, ...)	\
	{ .kind = KVMWATCH_KIND_SLOT, .stat = stat_name, .family = family_name,	\
	  .group = EXPORT_SLOTS, __VA_ARGS__ }
#define VCPU(stat_name, family_name, ...)	\
	{ .kind = KVMWATCH_KIND_VCPU, .stat = stat_name, .family = family_name, __VA_ARGS__ }
/* A VM has the sums of these over its vCPUs. */
#define BOTH(stat_name, name, vcpu_group, ...)	\
	VM(stat_name, "vm_" name, .group = EXPORT_SUMS, __VA_ARGS__),	\
	VCPU(stat_name, "vcpu_" name, .group = vcpu_group, __VA_ARGS__)
#define LABEL(label_name, label_value, text)	\
	.label = label_name, .value = label_value, .help = text
#define LEFT_OUT	NULL

#define MAPPED_PAGES	"leaf entries now present in the second-level page tables, by level"
#define MAPS		"leaves that became present, by level"
#define UNMAPS		"leaves that stopped being present, by level"
#define MARKS		"pages marked dirty in a slot while its dirty logging is on, by cause"
#define WAKEUPS		"halts that ended, while polling or after blocking"
#define VALID		"halts that ended, by how KVM judged the wake-up"
#define TIMES		"time of vCPUs, by what they did; see kvmwatch(8)"
#define CHANGES		"times the halt polling window changed; silent: without KVM's event"

const struct export_row export_rows[] = {
	VM("mapped_4k", "vm_mapped_pages", LABEL("level", "4k", MAPPED_PAGES)),
	VM("mapped_2m", "vm_mapped_pages", LABEL("level", "2m", MAPPED_PAGES)),
	VM("mapped_1g", "vm_mapped_pages", LABEL("level", "1g", MAPPED_PAGES)),
	VM("mapped_bytes", "vm_mapped_bytes",
	   .help = "memory that the second-level page tables map now"),
	VM("mapped_bytes_peak", "vm_mapped_peak_bytes", .help = "highest value of mapped bytes"),
	VM("map_4k", "vm_page_maps", LABEL("level", "4k", MAPS)),
	VM("map_2m", "vm_page_maps", LABEL("level", "2m", MAPS)),
	VM("map_1g", "vm_page_maps", LABEL("level", "1g", MAPS)),
	VM("unmap_4k", "vm_page_unmaps", LABEL("level", "4k", UNMAPS)),
	VM("unmap_2m", "vm_page_unmaps", LABEL("level", "2m", UNMAPS)),
	VM("unmap_1g", "vm_page_unmaps", LABEL("level", "1g", UNMAPS)),
	VM("huge_splits", "vm_huge_page_splits"),
	VM("huge_collapses", "vm_huge_page_collapses"),
	/* This is the sum of its causes. */
	VM("dirty_marks", LEFT_OUT),
	VM("dirty_marks_fault", "vm_dirty_marks", LABEL("cause", "fault", MARKS)),
	VM("dirty_marks_pml", "vm_dirty_marks", LABEL("cause", "pml", MARKS)),
	VM("dirty_marks_kvm", "vm_dirty_marks", LABEL("cause", "kvm", MARKS)),
	VM("dirty_marks_host", "vm_dirty_marks_off_vcpu",
	   .help = "dirty marks with no vCPU of the VM loaded on the marking pCPU"),
	VM("dirty_marks_new", "vm_new_dirty_pages",
	   .help = "pages marked dirty that were not marked yet since the log was collected"),
	VM("dirty_age_hist", "vm_new_dirty_page_age_seconds", .group = EXPORT_AGES),
	VM("dirty_collects", "vm_dirty_log_collections"),
	VM("dirty_logged_bytes", "vm_dirty_logged_bytes"),
	VM("dirty_logged_slots", "vm_dirty_logged_slots"),
	VM("vcpus", "vm_vcpus"),
	VM("slots", "vm_slots"),
	VM("lost_events", "vm_lost_events"),
	VM("audits", "vm_audits"),
	VM("audit_failures", "vm_audit_failures"),

	/* The exits of a VM are the sum of its reasons. */
	VM("exits", LEFT_OUT),
	VCPU("exits", "vcpu_exits", .group = EXPORT_EXITS),
	VM("exit_reasons", "vm_exits", .sum = "exits",
	   .help = "times a vCPU left guest mode, by the processor's reason"),
	VCPU("exit_reasons", LEFT_OUT),
	VM("exit_time_ns", "vm_exit_seconds"),
	VCPU("exit_time_ns", "vcpu_exit_seconds", .group = EXPORT_EXITS),
	VM("exit_reason_times", "vm_exit_reason_seconds", .sum = "exit_time_ns",
	   .help = "time from leaving guest mode to the next entry, by the processor's reason"),
	VCPU("exit_reason_times", LEFT_OUT),
	VM("user_exits", LEFT_OUT),
	VCPU("user_exits", "vcpu_user_exits", .group = EXPORT_EXITS),
	VM("user_exit_reasons", "vm_user_exits", .sum = "user_exits",
	   .help = "times KVM_RUN returned to userspace, by KVM's reason"),
	VCPU("user_exit_reasons", LEFT_OUT),

	VM("on_cpu_hist", "vm_on_cpu_stretch_seconds"),
	VCPU("on_cpu_hist", "vcpu_on_cpu_stretch_seconds", .group = EXPORT_HISTOGRAMS),
	VM("off_cpu_hist", "vm_off_cpu_stretch_seconds"),
	VCPU("off_cpu_hist", "vcpu_off_cpu_stretch_seconds", .group = EXPORT_HISTOGRAMS),
	VM("exit_hist", "vm_exit_duration_seconds"),
	VCPU("exit_hist", "vcpu_exit_duration_seconds", .group = EXPORT_HISTOGRAMS),
	VM("load_entry_hist", "vm_load_latency_seconds"),
	VCPU("load_entry_hist", "vcpu_load_latency_seconds", .group = EXPORT_HISTOGRAMS),
	VM("exit_put_hist", "vm_put_latency_seconds"),
	VCPU("exit_put_hist", "vcpu_put_latency_seconds", .group = EXPORT_HISTOGRAMS),
	VM("halt_hist", "vm_halt_seconds"),
	VCPU("halt_hist", "vcpu_halt_seconds", .group = EXPORT_HISTOGRAMS),

#define STATE(stat, state)							\
	VM(stat, "vm_state_seconds", LABEL("state", state, TIMES))
	STATE("guest_time_ns", "guest"), STATE("kvm_time_ns", "kvm"),
	STATE("poll_time_ns", "poll"), STATE("wait_time_ns", "wait"),
	STATE("preempted_time_ns", "preempted"), STATE("blocked_time_ns", "blocked"),
	STATE("user_time_ns", "user"),
#undef STATE
#define STATE(stat, state)							\
	VCPU(stat, "vcpu_state_seconds", .group = EXPORT_EXITS, LABEL("state", state, TIMES))
	STATE("guest_time_ns", "guest"), STATE("kvm_time_ns", "kvm"),
	STATE("poll_time_ns", "poll"), STATE("wait_time_ns", "wait"),
	STATE("preempted_time_ns", "preempted"), STATE("blocked_time_ns", "blocked"),
	STATE("user_time_ns", "user"),
	VM("load_entry_ns", "vm_load_entry_seconds"),
	VCPU("load_entry_ns", "vcpu_load_entry_seconds", .group = EXPORT_EXITS),
	VM("exit_put_ns", "vm_exit_put_seconds"),
	VCPU("exit_put_ns", "vcpu_exit_put_seconds", .group = EXPORT_EXITS),

	BOTH("on_cpu_ns", "on_cpu_seconds", EXPORT_ALWAYS),
	BOTH("run_delay_ns", "run_delay_seconds", EXPORT_ALWAYS),
	BOTH("halt_time_ns", "halted_seconds", EXPORT_ALWAYS),
	BOTH("loads", "loads", EXPORT_ALWAYS),
	BOTH("preemptions", "preemptions", EXPORT_ALWAYS),
	BOTH("load_migrations", "cpu_migrations", EXPORT_ALWAYS),
	BOTH("wakeups_poll", "halt_wakeups", EXPORT_ALWAYS, LABEL("how", "poll", WAKEUPS)),
	BOTH("wakeups_wait", "halt_wakeups", EXPORT_ALWAYS, LABEL("how", "wait", WAKEUPS)),
	VCPU("halt_poll_ns", "vcpu_halt_poll_window_seconds"),
	BOTH("halt_poll_grow", "halt_poll_changes", EXPORT_ALWAYS,
	     LABEL("change", "grow", CHANGES)),
	BOTH("halt_poll_shrink", "halt_poll_changes", EXPORT_ALWAYS,
	     LABEL("change", "shrink", CHANGES)),
	BOTH("halt_poll_silent", "halt_poll_changes", EXPORT_ALWAYS,
	     LABEL("change", "silent", CHANGES)),
	/* Puts are as many as loads, or one less; and halts are the sum of the wake-ups. */
	VM("puts", LEFT_OUT), VCPU("puts", LEFT_OUT),
	VM("halts", LEFT_OUT), VCPU("halts", LEFT_OUT),

	VCPU("off_cpu_ns", "vcpu_off_cpu_seconds", .group = EXPORT_OFF_CPU),
	VM("off_cpu_ns", "vm_off_cpu_seconds", .group = EXPORT_OFF_CPU),
	VCPU("pcpu", "vcpu_last_cpu", .group = EXPORT_LAST_CPU),
	VCPU("dirty_marks", "vcpu_dirty_marks"),
	VM("dirty_ring_pushes", "vm_dirty_ring_pushes", .group = EXPORT_RINGS),
	VCPU("dirty_ring_pushes", "vcpu_dirty_ring_pushes", .group = EXPORT_RINGS),
	VM("dirty_ring_full", "vm_dirty_ring_full", .group = EXPORT_RINGS),
	VCPU("dirty_ring_full", "vcpu_dirty_ring_full", .group = EXPORT_RINGS),
	VM("wakeups_valid", "vm_halt_judgements", .group = EXPORT_WAKEUPS,
	   LABEL("judged", "valid", VALID)),
	VM("wakeups_invalid", "vm_halt_judgements", .group = EXPORT_WAKEUPS,
	   LABEL("judged", "invalid", VALID)),
	VCPU("wakeups_valid", "vcpu_halt_judgements", .group = EXPORT_WAKEUPS,
	     LABEL("judged", "valid", VALID)),
	VCPU("wakeups_invalid", "vcpu_halt_judgements", .group = EXPORT_WAKEUPS,
	     LABEL("judged", "invalid", VALID)),
	VM("load_cost_ns", "vm_load_cost_seconds", .group = EXPORT_COSTS),
	VCPU("load_cost_ns", "vcpu_load_cost_seconds", .group = EXPORT_COSTS),
	VM("put_cost_ns", "vm_put_cost_seconds", .group = EXPORT_COSTS),
	VCPU("put_cost_ns", "vcpu_put_cost_seconds", .group = EXPORT_COSTS),
	VM("load_cost_hist", "vm_load_call_seconds", .group = EXPORT_COSTS),
	VCPU("load_cost_hist", LEFT_OUT),
	VM("put_cost_hist", "vm_put_call_seconds", .group = EXPORT_COSTS),
	VCPU("put_cost_hist", LEFT_OUT),
	VM("on_cpu_ns_max", "vm_on_cpu_stretch_max_seconds", .group = EXPORT_PEAKS),
	VCPU("on_cpu_ns_max", "vcpu_on_cpu_stretch_max_seconds", .group = EXPORT_PEAKS),
	VM("off_cpu_ns_max", "vm_off_cpu_stretch_max_seconds", .group = EXPORT_PEAKS),
	VCPU("off_cpu_ns_max", "vcpu_off_cpu_stretch_max_seconds", .group = EXPORT_PEAKS),
	VM("exit_time_ns_max", "vm_exit_max_seconds", .group = EXPORT_PEAKS),
	VCPU("exit_time_ns_max", "vcpu_exit_max_seconds", .group = EXPORT_PEAKS),
	VM("load_entry_ns_max", "vm_load_entry_max_seconds", .group = EXPORT_PEAKS),
	VCPU("load_entry_ns_max", "vcpu_load_entry_max_seconds", .group = EXPORT_PEAKS),
	VM("exit_put_ns_max", "vm_exit_put_max_seconds", .group = EXPORT_PEAKS),
	VCPU("exit_put_ns_max", "vcpu_exit_put_max_seconds", .group = EXPORT_PEAKS),
	VM("halt_poll_ns_max", "vm_halt_poll_window_max_seconds", .group = EXPORT_PEAKS),
	VCPU("halt_poll_ns_max", "vcpu_halt_poll_window_max_seconds", .group = EXPORT_PEAKS),

	SLOT("npages", "slot_pages", .help = "size in pages of 4 KiB"),
	SLOT("mapped_4k", "slot_mapped_pages", LABEL("level", "4k", MAPPED_PAGES)),
	SLOT("mapped_2m", "slot_mapped_pages", LABEL("level", "2m", MAPPED_PAGES)),
	SLOT("mapped_1g", "slot_mapped_pages", LABEL("level", "1g", MAPPED_PAGES)),
	SLOT("mapped_bytes", "slot_mapped_bytes"),
	SLOT("dirty_marks", "slot_dirty_marks"),
	SLOT("dirty_marks_new", "slot_new_dirty_pages"),
	SLOT("dirty_pages", "slot_dirty_pages"),
	SLOT("dirty_age_hist", LEFT_OUT),
	/* The place of a slot does not change and is no measurement: kvmwatch stat shows it. */
	SLOT("base_gfn", LEFT_OUT),
	SLOT("userspace_addr", LEFT_OUT),
	SLOT("flags", LEFT_OUT),
};

const size_t export_nr_rows = sizeof(export_rows) / sizeof(*export_rows);

const struct export_row *export_find_row(__u32 kind, const char *stat)
{
	size_t i;

	for (i = 0; i < export_nr_rows; i++) {
		if (export_rows[i].kind == kind && !strcmp(export_rows[i].stat, stat))
			return &export_rows[i];
	}
	return NULL;
}

enum expose_type export_type(const struct kvmwatch_value *value)
{
	switch (value->flags & KVMWATCH_STATS_TYPE_MASK) {
	case KVMWATCH_STATS_CUMULATIVE:
	case KVMWATCH_STATS_LINEAR_HIST:
		return EXPOSE_COUNTER;
	case KVMWATCH_STATS_LOG_HIST:
		return EXPOSE_HISTOGRAM;
	default:
		return EXPOSE_GAUGE;
	}
}

static bool has_end(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && !strcmp(name + len - end_len, end);
}

/* The name begins with the object, so it is longer than @end. */
static void drop_end(char *name, const char *end)
{
	if (has_end(name, end))
		name[strlen(name) - strlen(end)] = '\0';
}

/* Keep characters that a metric's name may have, and avoid suffixes that the formats reserve. */
static void make_sane(char *name)
{
	static const char *const kept[] = {
		"_total", "_count", "_sum", "_bucket", "_created", "_info", NULL
	};
	size_t i;

	for (i = 0; name[i]; i++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
			    name[i]))
			name[i] = '_';
	}
	for (i = 0; kept[i]; i++) {
		if (has_end(name, kept[i])) {
			strcat(name, "_value");
			return;
		}
	}
}

void export_make_name(char *name, __u32 kind, const struct kvmwatch_value *value)
{
	__u32 unit = value->flags & KVMWATCH_STATS_UNIT_MASK;

	snprintf(name, EXPORT_MAX_NAME - 16, "%s_%s", hooks_object(kind), value->name);
	drop_end(name, "_hist");
	if (unit == KVMWATCH_STATS_SECONDS) {
		drop_end(name, "_ns");
		drop_end(name, "_ms");
	}
	make_sane(name);
	if (unit == KVMWATCH_STATS_SECONDS && !has_end(name, "_seconds"))
		strcat(name, "_seconds");
	if (unit == KVMWATCH_STATS_BYTES && !has_end(name, "_bytes"))
		strcat(name, "_bytes");
}
