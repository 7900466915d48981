/* SPDX-License-Identifier: GPL-2.0 */
/* Names of exit reasons: the processor's and KVM's. */
#ifndef KVMWATCH_EXIT_NAMES_H
#define KVMWATCH_EXIT_NAMES_H

struct kvmwatch_value;

/* Read the names from the module, once. Without names, reasons are shown as numbers. */
void exit_names_read(int dev);

/*
 * The name of a bucket of a histogram by exit reason; "other" for the last one. NULL: @value is no
 * such histogram, or the reason has no name.
 */
const char *exit_name(const struct kvmwatch_value *value, unsigned int bucket);

#endif /* KVMWATCH_EXIT_NAMES_H */
