/* SPDX-License-Identifier: GPL-2.0 */
/* Memory of records, and references to them. */
#ifndef KVMW_ALLOC_H
#define KVMW_ALLOC_H

#include <linux/types.h>

struct kvmw_object;

/* A record from the heap. Context: task. */
struct kvmw_object *kvmw_alloc(unsigned int kind);
/* Free a record that was never published. */
void kvmw_free(struct kvmw_object *obj);

void kvmw_get(struct kvmw_object *obj);
void kvmw_put(struct kvmw_object *obj);

/* Records that there are of a kind. Context: any. */
unsigned int kvmw_records(unsigned int kind);
/* Warn of records that are left. Context: nobody can give one back any more. */
void kvmw_alloc_exit(void);

#endif /* KVMW_ALLOC_H */
