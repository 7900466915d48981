// SPDX-License-Identifier: GPL-2.0
/*
 * The time inside KVM's load and put functions, summed per CPU, measured as how= says: by a
 * kretprobe of each or by one fprobe. For "make bench": what timing a function costs at least.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include <linux/version.h>
#include <asm/msr.h>

#ifdef CONFIG_FPROBE
#include <linux/fprobe.h>
#endif

static char *how = "kretprobe";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "kretprobe or fprobe");

static const char *const functions[] = { "kvm_arch_vcpu_load", "kvm_arch_vcpu_put" };

static DEFINE_PER_CPU(u64, entered);
static DEFINE_PER_CPU(u64, total);

/* Both functions run with preemption off, and neither calls the other. */
static void enter(void)
{
	__this_cpu_write(entered, rdtsc());
}

static void leave(void)
{
	__this_cpu_add(total, rdtsc() - __this_cpu_read(entered));
}

/* --- kretprobe --------------------------------------------------------------- */

static int kretprobe_enter(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	enter();
	return 0;
}

static int kretprobe_leave(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	leave();
	return 0;
}

#define BY_KRETPROBE	{ .entry_handler = kretprobe_enter, .handler = kretprobe_leave }
static struct kretprobe load_probe = BY_KRETPROBE, put_probe = BY_KRETPROBE;
static struct kretprobe *kretprobes[] = { &load_probe, &put_probe };

static int add_kretprobes(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kretprobes); i++)
		kretprobes[i]->kp.symbol_name = functions[i];
	return register_kretprobes(kretprobes, ARRAY_SIZE(kretprobes));
}

/* --- fprobe ------------------------------------------------------------------ */

#ifdef CONFIG_FPROBE

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
#define FPROBE_ARGS	struct fprobe *fp, unsigned long ip, unsigned long caller,	\
			struct ftrace_regs *regs, void *data
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define FPROBE_ARGS	struct fprobe *fp, unsigned long ip, unsigned long caller,	\
			struct pt_regs *regs, void *data
#else
#error "an fprobe's handlers look different before 6.5"
#endif

static int fprobe_enter(FPROBE_ARGS)
{
	enter();
	return 0;
}

static void fprobe_leave(FPROBE_ARGS)
{
	leave();
}

static struct fprobe fprobe = { .entry_handler = fprobe_enter, .exit_handler = fprobe_leave };

static int add_fprobe(void)
{
	const char *names[ARRAY_SIZE(functions)];

	memcpy(names, functions, sizeof(names));	/* it sorts them in place */
	return register_fprobe_syms(&fprobe, names, ARRAY_SIZE(names));
}

static void remove_fprobe(void)
{
	unregister_fprobe(&fprobe);
}

#else

static int add_fprobe(void)
{
	return -EOPNOTSUPP;
}

static void remove_fprobe(void)
{
}

#endif

static int __init returns_init(void)
{
	return strcmp(how, "fprobe") ? add_kretprobes() : add_fprobe();
}

static void __exit returns_exit(void)
{
	if (strcmp(how, "fprobe"))
		unregister_kretprobes(kretprobes, ARRAY_SIZE(kretprobes));
	else
		remove_fprobe();
}

module_init(returns_init);
module_exit(returns_exit);
MODULE_DESCRIPTION("Times functions from entry to return, to measure what that costs");
MODULE_LICENSE("GPL");
