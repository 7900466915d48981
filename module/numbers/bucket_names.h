/* SPDX-License-Identifier: GPL-2.0 */
/* Names of buckets: exit reasons of the processor, and KVM_EXIT_*. Context: any. */
#ifndef KVMW_BUCKET_NAMES_H
#define KVMW_BUCKET_NAMES_H

#include <linux/types.h>

/* The vendor whose exit reasons this processor uses: KVMWATCH_VENDOR_*. */
u32 kvmw_vendor(void);

/*
 * The name of a bucket, or NULL if it has none. @buckets: KVMWATCH_BUCKETS_EXIT or _USER_EXIT.
 * @nr: number of buckets of the statistic.
 */
const char *kvmw_bucket_name(unsigned int buckets, unsigned int bucket, unsigned int nr);

#endif /* KVMW_BUCKET_NAMES_H */
