/* SPDX-License-Identifier: GPL-2.0 */
/* Memory of records, and references to them. */
#ifndef KVMW_ALLOC_H
#define KVMW_ALLOC_H

#include <linux/types.h>

struct kvmw_object;

/* Allocate a record. Context: task. */
struct kvmw_object *kvmw_alloc(unsigned int kind);
/* Free a record that was never published. */
void kvmw_free(struct kvmw_object *obj);

void kvmw_get(struct kvmw_object *obj);
void kvmw_put(struct kvmw_object *obj);

/* Number of records of a kind. Context: any. */
unsigned int kvmw_records(unsigned int kind);
/* Warn about leaked records. Context: no reference can be dropped any more. */
void kvmw_alloc_exit(void);

#endif /* KVMW_ALLOC_H */
