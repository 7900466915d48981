/* SPDX-License-Identifier: GPL-2.0 */
/* kvmwatch haltpoll --what-if, which cmd_haltpoll calls. */
#ifndef KVMWATCH_CMD_WHAT_IF_H
#define KVMWATCH_CMD_WHAT_IF_H

extern const struct cmd cmd_what_if;
extern const struct opt opt_what_if;

#endif /* KVMWATCH_CMD_WHAT_IF_H */
