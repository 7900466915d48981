/* SPDX-License-Identifier: GPL-2.0 */
/* kvmwatch huge --time, which has a table of its own. */
#ifndef KVMWATCH_CMD_HUGE_H
#define KVMWATCH_CMD_HUGE_H

#include "options.h"

extern const struct cmd cmd_huge_changes;
extern const struct opt opt_huge_time;

#endif /* KVMWATCH_CMD_HUGE_H */
