// SPDX-License-Identifier: GPL-2.0
/*
 * Handlers read the registers of a function whose prototype they only believe to know. If
 * a public header has it, the compiler compares. The others were read in KVM's source.
 */
#include <linux/compiler_types.h>
#include <linux/kvm_host.h>
#include <linux/types.h>

#include "hooks/hook.h"
#include "hooks/proof.h"
#include "kernel/kvm_prototypes.h"
#include "kernel/version.h"

#define AGREES(id, function, ...)						\
	[KVMW_HOOK_##id] = __builtin_types_compatible_p(typeof(function), __VA_ARGS__) ? YES : NO,

/* Does the compiler say so? 0: it cannot. */
enum { YES = 1, NO };
static const u8 compiler_says[KVMW_NR_HOOKS] = { KVMW_PROTOTYPES(AGREES) };

static bool is_proven(const struct kvmw_hook *hook)
{
	const unsigned int id = hook - kvmw_hooks;

	if (compiler_says[id])
		return compiler_says[id] == YES;
	switch (id) {
	case KVMW_HOOK_vm_destroy:	/* has had this one argument ever since there are VMs */
	case KVMW_HOOK_load_cost:	/* nobody looks at their arguments */
	case KVMW_HOOK_put_cost:
		return true;
	case KVMW_HOOK_exit:		/* these events are private to KVM */
	case KVMW_HOOK_entry:
		return KVMW_KNOWN_KERNEL;
	}
	/* Arguments of the other tracepoints are compared in probes/rows.c. */
	return KVMW_KNOWN_KERNEL || hook->tp_args;
}

const char *kvmw_hook_unproven(const struct kvmw_hook *hook)
{
	if (is_proven(hook))
		return NULL;
	return "its arguments are known on Linux " KVMW_KNOWN_KERNELS "only";
}
