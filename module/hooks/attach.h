/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks as they are attached to kvm.ko, which comes and goes. See attach.c. */
#ifndef KVMW_ATTACH_H
#define KVMW_ATTACH_H

#include <linux/types.h>

#include "hooks/hook.h"

struct kvmwatch_hook;
struct list_head;
struct mutex;

/* Callbacks. Context: task, the attach lock held for write, unless stated otherwise. */
struct kvmw_attach_events {
	/* Hooks are about to be attached. @fresh: to a kvm.ko that has had no VM yet. */
	void	(*coming)(bool fresh);
	void	(*attached)(void);
	/* No handler runs any more, nor will until the next attach. */
	void	(*detached)(void);
	/* The first hits of a hook were judged: call kvmw_hooks_settle(). Context: hit. */
	void	(*settled)(void);
	/* KVM's vendor module is going. No VM is left. Context: task, no lock of ours held. */
	void	(*vendor_gone)(void);
};

/* @handlers: of each row; @forms: of other forms. */
int kvmw_hooks_init(const struct kvmw_handlers *handlers, const struct kvmw_form_handlers *forms,
		    const struct kvmw_attach_events *events);
void kvmw_hooks_exit(void);

/*
 * Reading what KVM keeps needs kvm.ko to stay. A VM that is alive pins it, but
 * whether a VM is alive is what the reader does not know yet.
 */
void kvmw_attach_lock(void);
void kvmw_attach_unlock(void);

/* KVM's own list of VMs and its lock, or NULL while kvm.ko is not attached. */
struct kvmw_kvm_syms {
	struct mutex		*kvm_lock;	/* KVM's, for vm_list */
	struct list_head	*vm_list;
	void			*vm_release;	/* kvm_vm_release() */
	void			*vcpu_release;	/* kvm_vcpu_release() */
	bool			marks_alone;	/* kept without a vCPU, in the bitmap */
	bool			ends_told;	/* no VM leaves vm_list without a hit before */
};

extern struct kvmw_kvm_syms kvmw_kvm;

void kvmw_hook_describe(enum kvmw_hook_id id, struct kvmwatch_hook *out);

#define KVMW_BLIND_SIZE	96

/*
 * Why nothing is watched though VMs may run, in words, or "". Returns whether kvm.ko is there.
 * Context: attach lock held.
 */
bool kvmw_hooks_blind(char buf[KVMW_BLIND_SIZE]);

/* --- hooks that others switch off; context: task, no lock of ours held ------- */

/* What has changed since it was looked at last. */
struct kvmw_hook_changes {
	u64	lost, back;
	bool	records;	/* hooks that records depend on are among them */
};

void kvmw_hooks_changes(struct kvmw_hook_changes *changes);
void kvmw_hooks_set_off(u64 hooks, bool off);
/* All of them, to begin once more when no record is left. */
void kvmw_hooks_detach(void);
void kvmw_hooks_attach(void);
/* Note which hooks' first hits were right, and refuse the others, which it returns: see live.h. */
u64 kvmw_hooks_settle(void);
/* Attach what was switched off before, if it works now. Returns whether it does. */
bool kvmw_hooks_try(void);

#endif /* KVMW_ATTACH_H */
