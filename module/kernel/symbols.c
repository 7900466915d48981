// SPDX-License-Identifier: GPL-2.0
/*
 * Look up symbols of kvm.ko.
 *
 * The kernel exports no symbol look-up to modules. The module notifier passes us the struct module
 * of kvm.ko, whose symbol table has some thousands of entries. Registering a kprobe also looks up a
 * symbol, but some kernels search all of vmlinux first, which costs more instructions than the rest
 * of attaching.
 */
#include <linux/bug.h>
#include <linux/elf.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "kernel/symbols.h"

/* kvm.ko, or NULL. Under attach_sem. */
static const struct module *kvm;

void kvmw_symbols_of(const struct module *mod)
{
	kvm = mod;
}

/*
 * The whole name must match. When kvm.ko is initialised, the kernel replaces this table by one
 * without the symbols of init code, and frees the old one after a grace period for readers with
 * preemption off.
 */
unsigned long kvmw_symbol_addr(const char *name)
{
	const struct mod_kallsyms *all;
	unsigned long addr = 0;
	unsigned int i;

	if (!kvm)
		return 0;
	rcu_read_lock_sched();
	all = rcu_dereference_sched(kvm->kallsyms);
	for (i = 0; i < all->num_symtab && !addr; i++)
		if (all->symtab[i].st_shndx != SHN_UNDEF &&
		    !strcmp(all->strtab + all->symtab[i].st_name, name))
			addr = all->symtab[i].st_value;
	rcu_read_unlock_sched();
	return addr;
}

/*
 * register_kprobe() resolves the symbol before it checks the instruction, and stores the address
 * even if it then refuses the probe. It refuses this one: no instruction starts at the second byte
 * of the symbol.
 */
bool kvmw_symbol_is_loaded(const char *name)
{
	struct kprobe kp = { .symbol_name = name, .offset = 1, .flags = KPROBE_FLAG_DISABLED };

	if (WARN_ON_ONCE(!register_kprobe(&kp)))
		unregister_kprobe(&kp);
	return kp.addr;
}
