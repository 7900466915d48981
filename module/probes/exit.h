/* SPDX-License-Identifier: GPL-2.0 */
/* Exits from guest mode. See exit.c. */
#ifndef KVMW_EXIT_H
#define KVMW_EXIT_H

/* NULL, or the reason why exit reasons are unavailable. Context: any. */
const char *kvmw_no_reasons(void);

#endif /* KVMW_EXIT_H */
