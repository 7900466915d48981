// SPDX-License-Identifier: GPL-2.0
/*
 * Read the symbols and the code of kvm.ko.
 *
 * The kernel exports no symbol look-up to modules. The module notifier passes us the struct module
 * of kvm.ko, whose symbol table has some thousands of entries. Registering a kprobe also looks up a
 * symbol, but some kernels search all of vmlinux first, which costs more instructions than the rest
 * of attaching.
 */
#include <linux/bug.h>
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kernel/facts.h"
#include "kernel/symbols.h"

/* Under attach_sem. */
static struct kvmw_symbols symbols;
static char *names;

struct kvmw_symbols *kvmw_symbols(void)
{
	return &symbols;
}

void kvmw_symbols_forget(void)
{
	kvfree(symbols.all);
	kvfree(symbols.next);
	kvfree(names);
	symbols.all = NULL;
	symbols.next = NULL;
	symbols.nr = 0;
	names = NULL;
}

static bool is_wanted(const Elf_Sym *sym)
{
	const unsigned int type = ELF_ST_TYPE(sym->st_info);

	return sym->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_OBJECT);
}

static void measure(const struct mod_kallsyms *all, u32 *nr, size_t *size)
{
	unsigned int i;

	*nr = 0;
	*size = 0;
	for (i = 0; i < all->num_symtab; i++) {
		if (!is_wanted(&all->symtab[i]))
			continue;
		++*nr;
		*size += strlen(all->strtab + all->symtab[i].st_name) + 1;
	}
}

/* @nr and @size: how much room there is. */
static void copy(const struct mod_kallsyms *all, u32 nr, size_t size)
{
	struct kvmw_symbol *to = symbols.all;
	char *name = names;
	unsigned int i;
	size_t length;

	for (i = 0; i < all->num_symtab && to < symbols.all + nr; i++) {
		if (!is_wanted(&all->symtab[i]))
			continue;
		length = strlen(all->strtab + all->symtab[i].st_name) + 1;
		if (length > size)
			break;
		memcpy(name, all->strtab + all->symtab[i].st_name, length);
		*to++ = (struct kvmw_symbol){
			.name = name,
			.address = all->symtab[i].st_value,
			.size = all->symtab[i].st_size,
			.function = ELF_ST_TYPE(all->symtab[i].st_info) == STT_FUNC,
		};
		name += length;
		size -= length;
	}
	symbols.nr = to - symbols.all;
}

/*
 * In a copy: when kvm.ko is initialised, the kernel replaces this table by one without the symbols
 * of init code, and frees the old one after a grace period for readers with preemption off.
 */
int kvmw_symbols_read(const struct module *kvm)
{
	size_t size;
	u32 nr;

	rcu_read_lock_sched();
	measure(rcu_dereference_sched(kvm->kallsyms), &nr, &size);
	rcu_read_unlock_sched();
	symbols.all = kvmalloc_array(nr + 1, sizeof(*symbols.all), GFP_KERNEL);
	symbols.next = kvmalloc_array(nr + 1, sizeof(*symbols.next), GFP_KERNEL);
	names = kvmalloc(size + 1, GFP_KERNEL);
	if (!symbols.all || !symbols.next || !names) {
		kvmw_symbols_forget();
		return -ENOMEM;
	}
	rcu_read_lock_sched();
	copy(rcu_dereference_sched(kvm->kallsyms), nr, size);
	rcu_read_unlock_sched();
	kvmw_symbols_index(&symbols);
	return 0;
}

unsigned long kvmw_symbol_addr(const char *name)
{
	const struct kvmw_symbol *symbol;

	symbol = symbols.nr ? kvmw_symbols_find(&symbols, name) : NULL;
	return symbol ? symbol->address : 0;
}

struct kvmw_code kvmw_code_of(const struct module *kvm)
{
#if KVMW_HAS_MODULE_MEM
	const struct module_memory *text = &kvm->mem[MOD_TEXT];

	return (struct kvmw_code){ text->base, text->size, (unsigned long)text->base };
#else
	const struct module_layout *core = &kvm->core_layout;

	return (struct kvmw_code){ core->base, core->text_size, (unsigned long)core->base };
#endif
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
