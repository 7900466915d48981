/* SPDX-License-Identifier: GPL-2.0 */
/* Read the symbols and the code of kvm.ko. */
#ifndef KVMW_SYMBOLS_H
#define KVMW_SYMBOLS_H

#include <linux/types.h>

#include "proof/code.h"
#include "proof/symbols.h"

struct module;

/*
 * Read all symbols, so that they can be looked up until they are forgotten. Returns 0 or a negative
 * errno. Context of all of these: task, attach lock held for write.
 */
int kvmw_symbols_read(const struct module *kvm);
void kvmw_symbols_forget(void);

/* The symbols that were read. */
struct kvmw_symbols *kvmw_symbols(void);

/* The address of a symbol, or 0. */
unsigned long kvmw_symbol_addr(const char *name);

/* The code of kvm.ko without its init code. */
struct kvmw_code kvmw_code_of(const struct module *kvm);

/* Does any loaded module have this symbol? @name: MODULE:SYMBOL. Context: task. */
bool kvmw_symbol_is_loaded(const char *name);

#endif /* KVMW_SYMBOLS_H */
