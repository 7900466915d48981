/* SPDX-License-Identifier: GPL-2.0 */
/* Names of exit reasons: the processor's and KVM's. */
#ifndef KVMWATCH_EXIT_NAMES_H
#define KVMWATCH_EXIT_NAMES_H

struct kvmwatch_value;

/* Ask the module for them, once; without them reasons have numbers. */
void exit_names_read(int dev);

/*
 * What a bucket of a histogram by exit reason counts; "other" for the last one. NULL: @value is no
 * such histogram, or the reason has no name.
 */
const char *exit_name(const struct kvmwatch_value *value, unsigned int bucket);

#endif /* KVMWATCH_EXIT_NAMES_H */
