/* SPDX-License-Identifier: GPL-2.0 */
/* The parameter without: hooks and statistics that are left out. */
#ifndef KVMW_WITHOUT_H
#define KVMW_WITHOUT_H

/*
 * Leave out what the parameter names. Returns 0, or -EINVAL if it names what there is not, or what
 * cannot be left out; the log says which. Context: after kvmw_describe_init(), before hooks are
 * attached.
 */
int kvmw_without_check(void);

#endif /* KVMW_WITHOUT_H */
