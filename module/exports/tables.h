/* SPDX-License-Identifier: GPL-2.0 */
/* Tables of all objects of a kind, for people and awk: files of debugfs. */
#ifndef KVMW_TABLES_H
#define KVMW_TABLES_H

#include <linux/fs.h>

struct kvmw_table;
struct seq_file;

extern const struct kvmw_table kvmw_vms_table, kvmw_vcpus_table, kvmw_slots_table,
			       kvmw_halt_poll_table;
/* Of a file that has a table as its i_private */
extern const struct file_operations kvmw_table_fops;

/* A table without rows says that there is no VM, unless this says why not. */
void kvmw_put_blind(struct seq_file *m);

#endif /* KVMW_TABLES_H */
