/* SPDX-License-Identifier: GPL-2.0 */
/* What each row of hook_table.h has for a handler, one place for all of them. */
#ifndef KVMW_ROWS_H
#define KVMW_ROWS_H

#include "hooks/hook.h"

extern const struct kvmw_handlers kvmw_handlers[KVMW_NR_HOOKS];

#endif /* KVMW_ROWS_H */
