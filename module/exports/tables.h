/* SPDX-License-Identifier: GPL-2.0 */
/* Tables of all objects of a kind, for people and awk: files of debugfs. */
#ifndef KVMW_TABLES_H
#define KVMW_TABLES_H

#include <linux/fs.h>

struct kvmw_table;
struct seq_file;

extern const struct kvmw_table kvmw_vms_table, kvmw_vcpus_table, kvmw_slots_table,
			       kvmw_halt_poll_table;
/* For a file whose i_private is a table */
extern const struct file_operations kvmw_table_fops;

/*
 * Print why the module watches nothing, if it does not. Without that line, a table without rows
 * means that there is no VM.
 */
void kvmw_put_blind(struct seq_file *m);

#endif /* KVMW_TABLES_H */
