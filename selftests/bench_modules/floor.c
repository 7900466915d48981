// SPDX-License-Identifier: GPL-2.0
/*
 * An empty ftrace callback on some functions, each with ftrace_ops of its own, as kvmwatch
 * hooks them: what nobody can be cheaper than. For "make bench".
 */
#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/version.h>

#define MOST	32

static char *functions[MOST];
static int nr_functions;
module_param_array(functions, charp, &nr_functions, 0444);
MODULE_PARM_DESC(functions, "names of functions");

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
static void notrace nothing(unsigned long ip, unsigned long caller, struct ftrace_ops *ops,
			    struct ftrace_regs *regs)
#else
static void notrace nothing(unsigned long ip, unsigned long caller, struct ftrace_ops *ops,
			    struct pt_regs *regs)
#endif
{
}

static struct ftrace_ops ops[MOST] = { [0 ... MOST - 1] = { .func = nothing } };

static void remove_all(int nr)
{
	while (nr--) {
		unregister_ftrace_function(&ops[nr]);
		ftrace_free_filter(&ops[nr]);
	}
}

static int __init floor_init(void)
{
	int i, err;

	for (i = 0; i < nr_functions; i++) {
		err = ftrace_set_filter(&ops[i], functions[i], strlen(functions[i]), 1);
		if (!err)
			err = register_ftrace_function(&ops[i]);
		if (err) {
			remove_all(i);
			return err;
		}
	}
	return 0;
}

static void __exit floor_exit(void)
{
	remove_all(nr_functions);
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_DESCRIPTION("Empty ftrace callbacks, to measure");
MODULE_LICENSE("GPL");
