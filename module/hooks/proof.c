// SPDX-License-Identifier: GPL-2.0
/*
 * Handlers read the registers of a function whose prototype they only believe to know. So kvm.ko is
 * asked each time that hooks are attached to it: proof/judge.h says by what.
 */
#include <linux/bug.h>
#include <linux/compiler_types.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/utsname.h>
#include <linux/version.h>	/* RHEL_RELEASE_CODE */

#include "hooks/hook.h"
#include "hooks/proof.h"
#include "kernel/kvm_functions.h"
#include "kernel/kvm_mmu.h"
#include "kernel/kvm_prototypes.h"
#include "kernel/kvm_types.h"
#include "kernel/symbols.h"
#include "proof/judge.h"

/* --- what the compiler says ------------------------------------------------ */

/* Have public headers the prototype of the form that we know? */
static const struct {
	const char *hook;
	const char *form;
	bool agrees;
} headers[] = {
#define HEADER(id, form, function, ...)						\
	{ #id, #form, __builtin_types_compatible_p(typeof(function), __VA_ARGS__) },
	KVMW_PROTOTYPES(HEADER)
	/* The compiler has compared these in probes/rows.c, or it would have failed. */
#define EVENT(id)	{ #id, "plain", true },
	EVENT(wakeup) EVENT(halt_poll) EVENT(user_exit)
	EVENT(ring_push) EVENT(ring_full) EVENT(ring_reset)
};

static bool is_declared(const char *hook, const char *form)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(headers); i++)
		if (headers[i].agrees && !strcmp(headers[i].hook, hook) &&
		    !strcmp(headers[i].form, form))
			return true;
	return false;
}

/* --- what kvm.ko says -------------------------------------------------------- */

/* Whose kernel it is: others give theirs numbers that say nothing about what is in them. */
static const char *release(void)
{
#if defined(RHEL_RELEASE_CODE) || defined(CONFIG_SUSE_KERNEL)
	return NULL;
#else
	return init_utsname()->release;
#endif
}

static const char *judge(struct kvmw_judgement *judgement, const struct module *kvm)
{
	const struct kvmw_code code = kvmw_code_of(kvm);
	char untyped[KVMW_UNTYPED_SIZE];
	const struct kvmw_subject subject = {
		.release = release(),
		.symbols = kvmw_symbols(),
		.complete = kvm->state == MODULE_STATE_COMING,
		.code = &code,
		.nr_code = 1,
		.btf = kvmw_types_read(untyped),
		.untyped = untyped,
		.declared = is_declared,
	};

	return kvmw_judge(judgement, &subject);
}

/* --- what comes of it ------------------------------------------------------ */

/* Of each row, and of other forms. */
static const struct kvmw_handlers *usual;
static const struct kvmw_form_handlers *others;

void kvmw_proof_init(const struct kvmw_handlers *handlers, const struct kvmw_form_handlers *forms)
{
	usual = handlers;
	others = forms;
}

/* NULL: there are none for what was proven. */
static const struct kvmw_handlers *handlers_for(enum kvmw_hook_id id,
						const struct kvmw_verdict *verdict)
{
	static const char *const forms[] = { KVMW_FORMS };
	const struct kvmw_form_handlers *other;
	int i;

	if (strstr(verdict->by, "layout") && !KVMW_SP_IS_AS_PROVEN)
		return NULL;
	for (other = others; other->form; other++)
		if (other->id == id && !strcmp(other->form, verdict->form))
			return &other->on;
	for (i = 0; i < ARRAY_SIZE(forms); i++)
		if (!strcmp(forms[i], verdict->form))
			return &usual[id];
	return NULL;
}

static void refuse(struct kvmw_hook *hook, const char *why)
{
	hook->trust = KVMW_UNAVAILABLE;
	strscpy(hook->reason, why, sizeof(hook->reason));
}

static void note(enum kvmw_hook_id id, const struct kvmw_verdict *verdict, bool untried)
{
	struct kvmw_hook *hook = &kvmw_hooks[id];
	const struct kvmw_handlers *handlers;

	hook->trust = verdict->trust;
	hook->untried = untried;
	hook->by = verdict->by;
	strscpy(hook->reason, verdict->reason, sizeof(hook->reason));
	hook->symbol = verdict->symbol;
	if (verdict->needless)
		WRITE_ONCE(kvmw_hooks_needless, kvmw_hooks_needless | BIT_ULL(id));
	if (verdict->trust < KVMW_TESTED)
		return;
	handlers = handlers_for(id, verdict);
	if (handlers)
		hook->on = *handlers;
	else
		refuse(hook, "kvmwatch was not built for what this kvm.ko has there");
}

void kvmw_hooks_prove(const struct module *kvm)
{
	struct kvmw_judgement *judgement = kvmalloc(sizeof(*judgement), GFP_KERNEL);
	const struct kvmw_verdict *verdict;
	const char *wrong = "no memory";
	int i;

	if (judgement)
		wrong = judge(judgement, kvm);
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		verdict = wrong ? NULL : kvmw_verdict_of(judgement, kvmw_hooks[i].name);
		if (verdict)
			note(i, verdict, !judgement->tested);
		else if (!WARN_ON_ONCE(!wrong))	/* each row of the table has a rule */
			refuse(&kvmw_hooks[i], wrong);
	}
	kvmw_types_forget();
	kvfree(judgement);
}
