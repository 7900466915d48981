/* SPDX-License-Identifier: GPL-2.0 */
/* Memory of records, and references to them. */
#ifndef KVMW_ALLOC_H
#define KVMW_ALLOC_H

#include <linux/types.h>

struct kvmw_object;

/* A record from the heap. Context: task. */
struct kvmw_object *kvmw_alloc(unsigned int kind);
/* One that nobody has seen */
void kvmw_free(struct kvmw_object *obj);

void kvmw_get(struct kvmw_object *obj);
void kvmw_put(struct kvmw_object *obj);

/* Records that there are of a kind. Context: any. */
unsigned int kvmw_records(unsigned int kind);
/* None is left, and nobody who could give one back. */
void kvmw_alloc_exit(void);

#endif /* KVMW_ALLOC_H */
