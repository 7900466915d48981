/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names of statistics in the export. Type and unit are those of the module (stat_table.h). The
 * suffix _total of a counter is added later, so rows have names without it. A statistic without a
 * row is exported under a name made from its own. A statistic that is left out has a row without a
 * family.
 */
#ifndef KVMWATCH_EXPORT_TABLE_H
#define KVMWATCH_EXPORT_TABLE_H

#include <stddef.h>

#include <linux/types.h>

#include "expose.h"

struct kvmwatch_value;

/* Groups that are exported only on request. */
enum export_group {
	EXPORT_ALWAYS		= 0,
	EXPORT_AGES		= 1 << 0,
	EXPORT_COSTS		= 1 << 1,
	EXPORT_EXITS		= 1 << 2,
	EXPORT_HISTOGRAMS	= 1 << 3,
	EXPORT_LAST_CPU		= 1 << 4,
	EXPORT_OFF_CPU		= 1 << 5,
	EXPORT_PEAKS		= 1 << 6,
	EXPORT_RINGS		= 1 << 7,
	EXPORT_SLOTS		= 1 << 8,
	EXPORT_WAKEUPS		= 1 << 9,
	/* Sums over the vCPUs of a VM, for VMs whose vCPUs are not exported themselves. */
	EXPORT_SUMS		= 1 << 10,
};

/* Words for --with; ended by NULL. */
struct export_group_name {
	const char *name;
	enum export_group group;
};

extern const struct export_group_name export_groups[];

/**
 * struct export_row - how a statistic is exported
 * @kind:	of the object, KVMWATCH_KIND_*
 * @stat:	its name in the module
 * @family:	its name here, without kvmwatch_ and _total; NULL: left out on purpose. Rows with
 *		one family follow upon each other
 * @label:	tells it from others of its family; NULL: it is alone
 * @value:	of the label
 * @group:	what has to be asked for
 * @help:	what the family is; NULL: as the module says of the statistic
 * @sum:	of a histogram of reasons: the statistic that counts all of them, should the
 *		reasons be unknown
 */
struct export_row {
	__u32 kind;
	const char *stat;
	const char *family;
	const char *label;
	const char *value;
	enum export_group group;
	const char *help;
	const char *sum;
};

extern const struct export_row export_rows[];
extern const size_t export_nr_rows;

const struct export_row *export_find_row(__u32 kind, const char *stat);

/* The type of a statistic in the export, from its flags. */
enum expose_type export_type(const struct kvmwatch_value *value);

#define EXPORT_MAX_NAME	96

/* Make a family's name for a statistic without a row. */
void export_make_name(char *name, __u32 kind, const struct kvmwatch_value *value);

#endif /* KVMWATCH_EXPORT_TABLE_H */
