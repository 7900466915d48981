// SPDX-License-Identifier: GPL-2.0
/* Memory whose dirty logging is on. See logged.h. */
#include <stdio.h>

#include <linux/kvm.h>

#include "logged.h"
#include "quantity.h"

#define PAGE_BYTES	4096

static struct logged logged_vm(const struct sample *sample, size_t item)
{
	struct maybe bytes = sample_value(sample, item, "dirty_logged_bytes");
	struct maybe slots = sample_value(sample, item, "dirty_logged_slots");
	const struct vm *vm = sample_vm(sample, item);
	struct logged logged = { };

	if (!vm)
		return logged;
	logged.known = bytes.known && slots.known;
	logged.ring = vm->info.flags & KVMWATCH_VM_DIRTY_RING;
	logged.bytes = bytes.number;
	logged.slots = slots.number;
	logged.memory = vm->info.memory;
	return logged;
}

static struct logged logged_slot(const struct sample *sample, size_t item)
{
	const struct kvmwatch_slot *slot = sample_slot(sample, item);
	const struct vm *vm = sample_vm(sample, item);
	struct logged logged = { };

	if (!slot)
		return logged;
	logged.known = true;
	logged.ring = vm && vm->info.flags & KVMWATCH_VM_DIRTY_RING;
	logged.slots = !!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES);
	logged.memory = slot->npages * PAGE_BYTES;
	logged.bytes = logged.slots ? logged.memory : 0;
	return logged;
}

struct logged logged_of(const struct sample *sample, long item)
{
	if (item < 0)
		return (struct logged) { };
	return sample->all->kind == KVMWATCH_KIND_SLOT ? logged_slot(sample, item) :
							 logged_vm(sample, item);
}

bool logged_any(const struct logged *logged)
{
	return logged->known && logged->slots;
}

bool logged_all(const struct logged *logged)
{
	return logged_any(logged) && logged->bytes >= logged->memory;
}

const char *logged_word(const struct logged *logged)
{
	if (!logged->known)
		return NULL;
	if (!logged_any(logged))
		return "off";
	return logged_all(logged) ? "all" : "part";
}

void logged_text(const struct logged *logged, char *buf, size_t size)
{
	struct quantity part = quantity_bytes(logged->bytes);
	struct quantity all = quantity_bytes(logged->memory);
	const char *ring = logged->ring ? " (ring)" : "";

	if (!logged->known)
		snprintf(buf, size, "unknown");
	else if (!logged_any(logged))
		snprintf(buf, size, "off");
	else if (logged_all(logged))
		snprintf(buf, size, "on%s", ring);
	else if (!logged->bytes)
		snprintf(buf, size, "only SMM's%s", ring);
	else
		snprintf(buf, size, "%s %s of %s %s%s", part.value, part.unit, all.value, all.unit,
			 ring);
}

const char *logged_no_rate(const struct logged *now, const struct logged *before)
{
	if (!now->known)
		return "what is logged is unavailable";
	if (!logged_any(now))
		return "dirty logging is off";
	if (!logged_any(before))
		return "dirty logging has just begun";
	if (now->slots != before->slots || now->bytes != before->bytes)
		return "what is logged has just changed";
	return NULL;
}

const char *logged_stat(const struct logged *logged)
{
	return logged->ring ? "dirty_marks" : "dirty_marks_new";
}
