/* SPDX-License-Identifier: GPL-2.0 */
/* The handlers of all rows of hook_table.h. */
#ifndef KVMW_ROWS_H
#define KVMW_ROWS_H

#include "hooks/hook.h"

extern const struct kvmw_handlers kvmw_handlers[KVMW_NR_HOOKS];
/* Those of other forms; the last one has no name. */
extern const struct kvmw_form_handlers kvmw_form_handlers[];

#endif /* KVMW_ROWS_H */
