/* SPDX-License-Identifier: GPL-2.0 */
/* Names of exit reasons: the processor's and KVM's. */
#ifndef KVMWATCH_EXIT_NAMES_H
#define KVMWATCH_EXIT_NAMES_H

struct kvmwatch_value;

/*
 * What a bucket of exit_reasons or user_exit_reasons counts; "other" for the last one.
 * NULL: @value is no such histogram, or the reason has no name that we know.
 */
const char *exit_name(const struct kvmwatch_value *value, unsigned int bucket);

#endif /* KVMWATCH_EXIT_NAMES_H */
