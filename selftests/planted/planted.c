// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on purpose, one of each class that the debug kernels are there to find: when
 * they are silent about these, their silence about kvmwatch says nothing.
 *
 * fault=NAME has one happen while the module loads, which then is canceled; a kernel
 * that has no check of the class answers "not supported". See selftests/vm/guest/tests.
 */
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *fault = "";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "which: leak, atomic, timer, inversion, freed, race or type");

/*
 * Of a size that nobody else has, above 8192, as of less kmemleak tells the size of the cache. And
 * many: where something else was before, a pointer to that may be left somewhere, and kmemleak
 * takes it for one to what is there now.
 */
static void leak(void)
{
	void *lost;
	int i;

	for (i = 0; i < 64; i++) {
		lost = kmalloc(8201, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(lost);
	}
}

static void sleep_in_atomic(void)
{
	preempt_disable();
	might_sleep();	/* but not so that the scheduler is confused, which lockdep cannot bear */
	preempt_enable();
}

static void tick(struct timer_list *timer)
{
}

/* Freed while it is pending; then made good, or it would go off. */
static void free_active_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, tick, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);	/* the check takes it off the list first */
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void invert_locks(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void use_after_free(void)
{
	char *gone = kmalloc(64, GFP_KERNEL);

	if (!gone)
		return;
	kfree(gone);
	OPTIMIZER_HIDE_VAR(gone);
	READ_ONCE(*gone);
}

static unsigned long shared;

static int add_to_shared(void *unused)
{
	while (!kthread_should_stop()) {
		shared++;
		cond_resched();
	}
	return 0;
}

static void race(void)
{
	struct task_struct *other = kthread_run(add_to_shared, NULL, "planted");
	unsigned long end = jiffies + 20 * HZ;

	if (IS_ERR(other))
		return;
	while (time_before(jiffies, end)) {
		shared++;
		cond_resched();
	}
	kthread_stop(other);
}

static void count_down(long *left)
{
	--*left;
}

/* By a pointer of another type, which gcc's code and clang's without kCFI do not mind. */
static void call_as_other_type(void)
{
	int (*function)(long *) = (void *)count_down;
	long left = 1;

	OPTIMIZER_HIDE_VAR(function);
	function(&left);
}

static const struct {
	const char	*name;
	bool		checked;
	void		(*happen)(void);
} faults[] = {
	{ "leak", IS_ENABLED(CONFIG_DEBUG_KMEMLEAK), leak },
	{ "atomic", IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP), sleep_in_atomic },
	{ "timer", IS_ENABLED(CONFIG_DEBUG_OBJECTS_FREE), free_active_timer },
	{ "inversion", IS_ENABLED(CONFIG_PROVE_LOCKING), invert_locks },
	{ "freed", IS_ENABLED(CONFIG_KASAN), use_after_free },
	{ "race", IS_ENABLED(CONFIG_KCSAN), race },
	/* One that does not end the kernel */
	{ "type", IS_ENABLED(CONFIG_CFI_PERMISSIVE), call_as_other_type },
};

static int __init planted_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(faults[i].name, fault))
			continue;
		if (!faults[i].checked)
			return -EOPNOTSUPP;
		faults[i].happen();
		return -ECANCELED;
	}
	return -EINVAL;
}
module_init(planted_init);

MODULE_DESCRIPTION("faults on purpose, to see that the kernel's checks work");
MODULE_LICENSE("GPL");
