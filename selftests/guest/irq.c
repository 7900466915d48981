// SPDX-License-Identifier: GPL-2.0
/* Interrupts, and the timers that wake a vCPU. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "guest/parts.h"

#define APIC_BASE	0xfee00000U

int guest_wake(struct guest *g, unsigned int vcpu)
{
	struct kvm_msi msi = {
		.address_lo = APIC_BASE | vcpu << 12,
		.data = WAKE_VECTOR,
	};
	int ret;

	if (!get_vcpu(g, vcpu))
		return -ENOENT;
	if (!g->irqchip)
		return -EINVAL;
	ret = vm_ioctl(g, KVM_SIGNAL_MSI, &msi);
	if (ret < 0)
		return ret;
	return ret ? 0 : -EAGAIN;
}

/* Route pin 0 of the IOAPIC, where the PIT is, to @v, or mask it. */
static int route_pit(struct guest *g, const struct vcpu *v)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	int err;

	err = vm_ioctl(g, KVM_GET_IRQCHIP, &chip);
	if (err)
		return err;
	memset(&chip.chip.ioapic.redirtbl[0], 0, sizeof(chip.chip.ioapic.redirtbl[0]));
	chip.chip.ioapic.redirtbl[0].fields.vector = WAKE_VECTOR;
	chip.chip.ioapic.redirtbl[0].fields.mask = !v;
	chip.chip.ioapic.redirtbl[0].fields.dest_id = v ? v->index : 0;
	return vm_ioctl(g, KVM_SET_IRQCHIP, &chip);
}

/*
 * Have the PIT's channel 0 tick every @count cycles, or with 0 not at all. KVM delivers late ticks
 * too. Switching this on makes KVM forget ticks from before.
 */
static int set_pit(struct guest *g, __u32 count)
{
	struct kvm_reinject_control reinject = { .pit_reinject = !!count };
	struct kvm_pit_state2 pit;
	int err;

	err = vm_ioctl(g, KVM_REINJECT_CONTROL, &reinject);
	if (err)
		return err;
	err = vm_ioctl(g, KVM_GET_PIT2, &pit);
	if (err)
		return err;
	pit.channels[0].mode = count ? 2 : 0xff;
	pit.channels[0].count = count;
	pit.channels[0].gate = 1;
	return vm_ioctl(g, KVM_SET_PIT2, &pit);
}

void stop_pit(struct vcpu *v)
{
	struct guest *g = v->guest;

	if (__atomic_load_n(&g->pit_user, __ATOMIC_ACQUIRE) != v)
		return;
	set_pit(g, 0);
	route_pit(g, NULL);
	__atomic_store_n(&g->pit_user, NULL, __ATOMIC_RELEASE);
}

int start_pit(struct vcpu *v, __u64 period_ns)
{
	struct guest *g = v->guest;
	struct vcpu *nobody = NULL;
	int err;

	if (!__atomic_compare_exchange_n(&g->pit_user, &nobody, v, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return -EBUSY;
	err = route_pit(g, v);
	if (!err)
		err = set_pit(g, period_ns * PIT_HZ / 1000000000);
	if (err)
		stop_pit(v);
	return err;
}

/* Create PIC, IOAPIC, LAPICs and PIT in KVM. Mask the PIC, which would send vector 0. */
int create_irqchip(struct guest *g)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	int err;

	err = vm_ioctl(g, KVM_CREATE_IRQCHIP, NULL);
	if (err)
		return err;
	err = vm_ioctl(g, KVM_GET_IRQCHIP, &chip);
	if (err)
		return err;
	chip.chip.pic.imr = 0xff;
	err = vm_ioctl(g, KVM_SET_IRQCHIP, &chip);
	if (err)
		return err;
	return vm_ioctl(g, KVM_CREATE_PIT2, &config);
}
