/* SPDX-License-Identifier: GPL-2.0 */
/* kvmwatch dirty, and what it hands over: --hot and --rate. */
#ifndef KVMWATCH_CMD_DIRTY_H
#define KVMWATCH_CMD_DIRTY_H

struct cmd;
struct opt;

/* With these options, all arguments are theirs. */
extern const struct cmd cmd_dirty_hot, cmd_dirty_rate;
/* For the help of kvmwatch dirty. */
extern const struct opt opt_hot, opt_rate;

#endif /* KVMWATCH_CMD_DIRTY_H */
