// SPDX-License-Identifier: GPL-2.0
/*
 * Where kvm.ko has a symbol.
 *
 * The kernel offers modules no look-up of symbols. Those of kvm.ko are in its struct module, which
 * we are told of: some thousands. A kprobe has a look-up too, but some kernels go through all of
 * their own symbols first, which takes more instructions than all else that is done to attach.
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
 * The name must match to the letter. The symbols of code that only initialises kvm.ko go when that
 * is done, and this table with them: the kernel waits for readers that have preemption off.
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
 * A kprobe that is asked for a symbol resolves the address before it looks at what is there, and
 * tells it also when it then refuses. This one is on the second byte of the symbol, where no
 * instruction starts: it is never accepted.
 */
bool kvmw_symbol_is_loaded(const char *name)
{
	struct kprobe kp = { .symbol_name = name, .offset = 1, .flags = KPROBE_FLAG_DISABLED };

	if (WARN_ON_ONCE(!register_kprobe(&kp)))
		unregister_kprobe(&kp);
	return kp.addr;
}
