/* SPDX-License-Identifier: GPL-2.0 */
/* Where kvm.ko has a symbol. */
#ifndef KVMW_SYMBOLS_H
#define KVMW_SYMBOLS_H

/* Its address, or 0. Context: task. */
unsigned long kvmw_symbol_addr(const char *name);

#endif /* KVMW_SYMBOLS_H */
