/* SPDX-License-Identifier: GPL-2.0 */
/* Where kvm.ko has a symbol. */
#ifndef KVMW_SYMBOLS_H
#define KVMW_SYMBOLS_H

#include <linux/types.h>

struct module;

/* Look for symbols there, or, with NULL, nowhere. Context: task, attach lock held for write. */
void kvmw_symbols_of(const struct module *kvm);
/* Its address, or 0. Context: task, attach lock held. */
unsigned long kvmw_symbol_addr(const char *name);

/* Has a module that we were not told of this symbol? @name: MODULE:SYMBOL. Context: task. */
bool kvmw_symbol_is_loaded(const char *name);

#endif /* KVMW_SYMBOLS_H */
