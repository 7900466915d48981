// SPDX-License-Identifier: GPL-2.0
/*
 * Holds up whoever comes to certain functions of kvmwatch, now and then: the other CPUs go on
 * meanwhile, so that what is freed or changed under somebody's feet is found by the checks of a
 * debug kernel. Without it such a moment is a few instructions long, and an emulator whose CPUs
 * take turns hardly ever ends a turn there.
 *
 * insmod stall.ko at=FUNCTION,... before kvmwatch.ko. It is there for each kvmwatch that comes
 * from then on, and says at its end how often it did something.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/notifier.h>

#define MAX_AT	8

static char *at[MAX_AT];
static unsigned int nr;
module_param_array(at, charp, &nr, 0);
MODULE_PARM_DESC(at, "functions of kvmwatch");

static unsigned int us = 2000;
module_param(us, uint, 0);
MODULE_PARM_DESC(us, "how long somebody is held up");

static unsigned int every = 7;
module_param(every, uint, 0);
MODULE_PARM_DESC(every, "one of how many is");

static struct kprobe probes[MAX_AT], *list[MAX_AT];
/* With the module's name in front: the kernel has such names, too. */
static char names[MAX_AT][KSYM_NAME_LEN];
static bool registered;
static atomic_t calls, stalls;

/* Context: the function's, with preemption off. */
static int on_call(struct kprobe *probe, struct pt_regs *regs)
{
	if (atomic_inc_return(&calls) % every)
		return 0;
	atomic_inc(&stalls);
	mdelay(us / 1000);
	udelay(us % 1000);
	return 0;
}

NOKPROBE_SYMBOL(on_call);

static int put_in_place(void)
{
	unsigned int i;
	int err;

	memset(probes, 0, sizeof(probes));
	for (i = 0; i < nr; i++) {
		snprintf(names[i], sizeof(names[i]), "kvmwatch:%s", at[i]);
		probes[i].symbol_name = names[i];
		probes[i].pre_handler = on_call;
		list[i] = &probes[i];
	}
	err = register_kprobes(list, nr);
	registered = !err;
	return err;
}

static void take_away(void)
{
	if (registered)
		unregister_kprobes(list, nr);
	registered = false;
}

/* kvmwatch does not come without: a function that is not there is a mistake of who asks. */
static int on_module(struct notifier_block *nb, unsigned long state, void *data)
{
	if (strcmp(((struct module *)data)->name, "kvmwatch"))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING)
		return notifier_from_errno(put_in_place());
	if (state == MODULE_STATE_GOING)
		take_away();
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = on_module };

static int __init stall_init(void)
{
	if (!nr || !every || us > 1000000)
		return -EINVAL;
	return register_module_notifier(&notifier);
}

static void __exit stall_exit(void)
{
	unregister_module_notifier(&notifier);
	take_away();
	pr_info("%d of %d calls were held up\n", atomic_read(&stalls), atomic_read(&calls));
}

module_init(stall_init);
module_exit(stall_exit);

MODULE_DESCRIPTION("Holds up those who come to functions of kvmwatch");
MODULE_AUTHOR("The kvmwatch developers");
MODULE_LICENSE("GPL");
