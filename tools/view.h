/* SPDX-License-Identifier: GPL-2.0 */
/* Live views: commands that show trace events as they happen, one row each. */
#ifndef KVMWATCH_VIEW_H
#define KVMWATCH_VIEW_H

#include "options.h"
#include "select.h"
#include "stream.h"

/**
 * struct view_options - options of live views
 * @common:	those of all commands
 * @has_vcpu:	--vcpu was given
 * @has_slot:	--slot was given
 * @vcpu:	--vcpu
 * @as_id:	--slot, taken apart
 * @slot:	likewise
 * @time_ns:	--time; 0: until interrupted
 * @buffer_kb:	--buffer; 0: as much as is usual
 */
struct view_options {
	struct options common;	/* first: options_parse() knows only that */
	bool has_vcpu, has_slot;
	__u32 vcpu;
	__u16 as_id, slot;
	__u64 time_ns;
	__u64 buffer_kb;
};

extern const struct opt opt_vcpu;
extern const struct opt opt_slot;
extern const struct opt opt_time;
extern const struct opt opt_buffer;
/* The same of "kvmwatch vcpu", which reads less often */
extern const struct opt opt_vcpu_buffer;

struct view_row;

/**
 * struct view_column - a column of a view
 * @column:	how it is shown
 * @field:	the events' field that it is about; NULL: none
 * @show:	fills the cell; the field's value is row->h->values[column]
 */
struct view_column {
	struct output_column column;
	const char *field;
	void (*show)(const struct view_row *row, size_t column);
};

/**
 * struct view - a view
 * @kind:	kind of object (KVMWATCH_KIND_*) of @stat
 * @stat:	a statistic that counts the same and needs the same hooks
 * @events:	the trace events that it shows, ended by NULL
 * @columns:	its columns
 * @nr_columns:	how many, at most STREAM_MAX_FIELDS
 */
struct view {
	__u32 kind;
	const char *stat;
	const char *const *events;
	const struct view_column *columns;
	size_t nr_columns;
};

/* An event, for the functions of columns. */
struct view_row {
	struct output *out;
	const struct view_options *options;
	const struct happening *h;
	__u64 lost;		/* time since the row before */
};

/* Print numbers, and numbers that stand for names. */
void view_number(const struct view_row *row, size_t column);
void view_hex(const struct view_row *row, size_t column);
void view_ns(const struct view_row *row, size_t column);
void view_level(const struct view_row *row, size_t column);
/* Needs as_id in the column before. */
void view_slot(const struct view_row *row, size_t column);
void view_name(const struct view_row *row, size_t column, const char *const *names, size_t nr);

/* For the macro below. */
void view_time(const struct view_row *row, size_t column);
void view_vm_name(const struct view_row *row, size_t column);
void view_thread(const struct view_row *row, size_t column);
void view_tid(const struct view_row *row, size_t column);
void view_comm(const struct view_row *row, size_t column);
void view_vcpu(const struct view_row *row, size_t column);
void view_lost(const struct view_row *row, size_t column);

/* The first columns of all views: the time, and the VM and vCPU of the event. */
#define VIEW_COLUMNS_WHO							\
	{ { "time_ns", "TIME", true, 16, true }, NULL, view_time },			\
	{ { "lost", NULL, true, 0, false }, NULL, view_lost },				\
	{ { "vm", "VM", true, 4, true }, "vm", view_number },				\
	{ { "name", NULL, false, 0, false }, "vm", view_vm_name },			\
	{ { "pid", "PID/TID", true, 13, true }, "pid", view_thread },			\
	{ { "tid", NULL, true, 0, true }, NULL, view_tid },				\
	{ { "comm", "COMM", false, 15, false }, NULL, view_comm },			\
	{ { "vcpu_id", "VCPU", true, 4, true }, "vcpu", view_vcpu }

/* Make a kernel filter for the events of the selected VMs; the caller frees it. NULL: no memory. */
char *view_filter_vms(const struct selection *selection);

/**
 * struct view_choice - what the options ask for
 * @vms:	the VMs that there are, of those
 * @nr:		how many
 * @vms_filter:	all events of these VMs, as the kernel's filters have it; NULL: of all VMs
 * @filter:	those of them that are asked for; "" for all
 */
struct view_choice {
	struct vm *vms;
	size_t nr;
	char *vms_filter;
	char *filter;
};

/* Returns an exit code, and prints errors. Free @choice in any case. */
int view_choose(const struct view_options *options, struct view_choice *choice);
void view_choice_free(struct view_choice *choice);

/* Show a view until --time is over or a signal comes. Returns an exit code. */
int view_run(const struct view *view, const struct cmd *cmd, const struct view_options *options);

#endif /* KVMWATCH_VIEW_H */
