// SPDX-License-Identifier: GPL-2.0
/*
 * Where kvm.ko has a symbol.
 *
 * The kernel offers modules no look-up of symbols, but a kprobe has one: asked for a
 * symbol, it resolves the address before it looks at what is there, and tells it
 * also when it then refuses.
 */
#include <linux/bug.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>

#include "kernel/symbols.h"

/*
 * The name must match to the letter. The probe is on the second byte of the symbol, where no
 * instruction starts: it is never accepted.
 */
unsigned long kvmw_symbol_addr(const char *name)
{
	char symbol[KSYM_NAME_LEN];
	struct kprobe kp = { .symbol_name = symbol, .offset = 1, .flags = KPROBE_FLAG_DISABLED };

	snprintf(symbol, sizeof(symbol), "kvm:%s", name);
	if (WARN_ON_ONCE(!register_kprobe(&kp)))
		unregister_kprobe(&kp);
	return kp.addr ? (unsigned long)kp.addr - 1 : 0;
}
