/* SPDX-License-Identifier: GPL-2.0 */
/* The file "hooks" in debugfs, the first thing to attach to a bug report. */
#ifndef KVMW_HOOKS_FILE_H
#define KVMW_HOOKS_FILE_H

#include <linux/fs.h>

extern const struct file_operations kvmw_hooks_fops;

#endif /* KVMW_HOOKS_FILE_H */
