/* SPDX-License-Identifier: GPL-2.0 */
/* kvmwatch dirty --hot: what kvmwatch dirty hands over. */
#ifndef KVMWATCH_CMD_HOT_H
#define KVMWATCH_CMD_HOT_H

#include <stdbool.h>

struct cmd;
struct opt;

/* Do the arguments ask for it? Then all of them are its. */
bool hot_wanted(int argc, char **argv);
extern const struct cmd cmd_hot;

/* For the help of kvmwatch dirty. */
extern const struct opt opt_hot;

#endif /* KVMWATCH_CMD_HOT_H */
