/* SPDX-License-Identifier: GPL-2.0 */
/* Look up symbols of kvm.ko. */
#ifndef KVMW_SYMBOLS_H
#define KVMW_SYMBOLS_H

#include <linux/types.h>

struct module;

/* Look up symbols in @kvm; NULL: find none. Context: task, attach lock held for write. */
void kvmw_symbols_of(const struct module *kvm);
/* The address of a symbol, or 0. Context: task, attach lock held. */
unsigned long kvmw_symbol_addr(const char *name);

/* Does any loaded module have this symbol? @name: MODULE:SYMBOL. Context: task. */
bool kvmw_symbol_is_loaded(const char *name);

#endif /* KVMW_SYMBOLS_H */
