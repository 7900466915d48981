/* SPDX-License-Identifier: GPL-2.0 */
/* Names of buckets: of the processor's exit reasons, and of KVM's to userspace. Context: any. */
#ifndef KVMW_BUCKET_NAMES_H
#define KVMW_BUCKET_NAMES_H

#include <linux/types.h>

/* Whose exit reasons this processor has: KVMWATCH_VENDOR_*. */
u32 kvmw_vendor(void);

/* Of KVMWATCH_BUCKETS_EXIT or _USER_EXIT, of @nr buckets: the name of one; NULL: it has none. */
const char *kvmw_bucket_name(unsigned int buckets, unsigned int bucket, unsigned int nr);

#endif /* KVMW_BUCKET_NAMES_H */
