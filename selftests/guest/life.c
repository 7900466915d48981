// SPDX-License-Identifier: GPL-2.0
/* Creating VMs and vCPUs, and closing them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/parts.h"
#include "sys.h"

/* Start in 64-bit mode, at the beginning of the code. */
static int setup_cpu(struct vcpu *v)
{
	const struct kvm_segment code = {
		.limit = 0xffffffff, .selector = CODE_SEL, .type = 0xb,
		.present = 1, .s = 1, .l = 1, .g = 1,
	};
	const struct kvm_segment data = {
		.limit = 0xffffffff, .selector = DATA_SEL, .type = 0x3,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct kvm_regs regs = {
		.rip = page_gpa(CODE_PAGE),
		.rbp = page_gpa(VCPU_PAGE + v->index),
		.rsp = page_gpa(VCPU_PAGE + v->index + 1),
		.rflags = 0x2,
	};
	struct kvm_sregs sregs;
	int err;

	err = vcpu_ioctl(v, KVM_SET_CPUID2, v->guest->cpuid);
	if (err)
		return err;
	err = vcpu_ioctl(v, KVM_GET_SREGS, &sregs);
	if (err)
		return err;
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.gdt.base = page_gpa(TABLE_PAGE);
	sregs.gdt.limit = 3 * 8 - 1;
	sregs.idt.base = page_gpa(TABLE_PAGE) + IDT_OFFSET;
	sregs.idt.limit = (WAKE_VECTOR + 1) * 16 - 1;
	sregs.cr0 = 0x80000033;		/* PG, NE, ET, MP, PE */
	sregs.cr3 = page_gpa(PML4_PAGE);
	sregs.cr4 = 0x20;		/* PAE */
	sregs.efer = 0x500;		/* LMA, LME */
	if (v->guest->nested)
		sregs.efer |= 0x1000;	/* SVME */
	if (v->guest->irqchip)
		sregs.apic_base |= 0xc00;	/* x2APIC */
	err = vcpu_ioctl(v, KVM_SET_SREGS, &sregs);
	if (err)
		return err;
	return vcpu_ioctl(v, KVM_SET_REGS, &regs);
}

static void set_apic(struct kvm_lapic_state *apic, unsigned int reg, __u32 value)
{
	memcpy(apic->regs + reg, &value, sizeof(value));
}

static int setup_apic(struct vcpu *v)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_lapic_state apic;
	int err;

	err = vcpu_ioctl(v, KVM_GET_LAPIC, &apic);
	if (err)
		return err;
	set_apic(&apic, 0x0f0, 0x1ff);		/* software enable */
	set_apic(&apic, 0x320, WAKE_VECTOR);	/* timer: one-shot */
	set_apic(&apic, 0x350, 0x10000);	/* LINT0, where the PIC is: masked */
	set_apic(&apic, 0x3e0, 0xb);		/* timer: divided by 1, which is 1 GHz */
	err = vcpu_ioctl(v, KVM_SET_LAPIC, &apic);
	if (err)
		return err;
	return vcpu_ioctl(v, KVM_SET_MP_STATE, &runnable);
}

static int map_vcpu(struct vcpu *v)
{
	struct guest *g = v->guest;
	void *map;

	map = mmap(NULL, g->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	v->run = map;
	if (!g->ring_bytes)
		return 0;
	map = mmap(NULL, g->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
		   KVM_DIRTY_LOG_PAGE_OFFSET * GUEST_PAGE);
	if (map == MAP_FAILED)
		return -errno;
	v->ring = map;
	return 0;
}

static void unmap_vcpu(struct vcpu *v)
{
	if (v->ring)
		sys_unmap(v->ring, v->guest->ring_bytes);
	if (v->run)
		sys_unmap(v->run, v->guest->run_size);
	v->ring = NULL;
	v->run = NULL;
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

int guest_vcpu_add(struct guest *g)
{
	struct vcpu *v = &g->vcpus[g->nr_vcpus];
	pthread_condattr_t attr;
	int err;

	if (g->nr_vcpus == GUEST_MAX_VCPUS)
		return -ENOSPC;
	*v = (struct vcpu){ .guest = g, .index = g->nr_vcpus };
	v->mail = slot0_page(g, VCPU_PAGE + v->index);
	v->fd = vm_ioctl(g, KVM_CREATE_VCPU, (void *)(unsigned long)v->index);
	if (v->fd < 0)
		return v->fd;

	err = map_vcpu(v);
	if (!err)
		err = setup_cpu(v);
	if (!err && g->irqchip)
		err = setup_apic(v);
	if (err) {
		unmap_vcpu(v);
		return err;
	}
	pthread_mutex_init(&v->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&v->cond, &attr);
	pthread_condattr_destroy(&attr);
	return g->nr_vcpus++;
}

/* Wait until the kernel has removed the thread: pthread_join() returns a little earlier. */
static void wait_gone(int tid)
{
	while (!tgkill(getpid(), tid, 0))
		usleep(1000);
}

static void end_thread(struct vcpu *v)
{
	if (!v->has_thread)
		return;
	pthread_mutex_lock(&v->lock);
	v->quit = true;
	pthread_kill(v->thread, SIG_KICK);
	pthread_cond_broadcast(&v->cond);
	pthread_mutex_unlock(&v->lock);
	pthread_join(v->thread, NULL);
	wait_gone(v->tid);
	v->has_thread = false;
	v->tid = 0;
}

void guest_close_vcpu(struct guest *g, unsigned int vcpu)
{
	struct vcpu *v = get_vcpu(g, vcpu);

	if (!v)
		return;
	end_thread(v);
	unmap_vcpu(v);
}

void guest_close_vm(struct guest *g)
{
	if (g->vm_fd >= 0)
		close(g->vm_fd);
	g->vm_fd = -1;
}

static struct kvm_cpuid2 *supported_cpuid(int dev_fd)
{
	const unsigned int max = 256;
	struct kvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + max * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return NULL;
	cpuid->nent = max;
	if (ioctl(dev_fd, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		free(cpuid);
		return NULL;
	}
	return cpuid;
}

static int create_vm(struct guest *g)
{
	g->dev_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (g->dev_fd < 0)
		return -errno;
	g->run_size = ioctl(g->dev_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	g->cpuid = supported_cpuid(g->dev_fd);
	if (!g->cpuid)
		return -errno;
	g->vm_fd = kvm_ioctl(g->dev_fd, KVM_CREATE_VM, NULL);
	if (g->vm_fd < 0)
		return g->vm_fd;
	snprintf(g->name, sizeof(g->name), "%d-%d", gettid(), g->vm_fd);

	/* Intel processors without unrestricted guest need this; for others it has no effect. */
	vm_ioctl(g, KVM_SET_TSS_ADDR, (void *)0xfffbd000UL);
	return g->irqchip ? create_irqchip(g) : 0;
}

struct guest *guest_new(unsigned int vcpus, unsigned int flags)
{
	struct guest *g;
	int err;

	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->dev_fd = -1;
	g->vm_fd = -1;
	g->irqchip = !(flags & GUEST_NO_IRQCHIP);
	g->nested = flags & GUEST_NESTED;

	err = create_vm(g);
	if (!err)
		err = add_slot(g, 0, 0, GUEST_SLOT0_PAGES, GUEST_MEM_4K, 0);
	if (!err)
		err = guest_slot_populate(g, 0);
	if (!err)
		err = load_guest(g);
	while (err >= 0 && g->nr_vcpus < vcpus)
		err = guest_vcpu_add(g);
	if (err < 0) {
		guest_free(g);
		errno = -err;
		return NULL;
	}
	return g;
}

void guest_free(struct guest *g)
{
	unsigned int i;

	if (!g)
		return;
	for (i = 0; i < g->nr_vcpus; i++) {
		guest_close_vcpu(g, i);
		pthread_cond_destroy(&g->vcpus[i].cond);
		pthread_mutex_destroy(&g->vcpus[i].lock);
	}
	guest_close_vm(g);
	if (g->dev_fd >= 0)
		close(g->dev_fd);
	for (i = 0; i < NR_SLOTS; i++)
		if (g->slots[i].used && g->slots[i].area)
			munmap(g->slots[i].area, g->slots[i].area_size);
	free(g->cpuid);
	free(g);
}

const char *guest_name(const struct guest *g)
{
	return g->name;
}

int guest_vm_fd(const struct guest *g)
{
	return g->vm_fd;
}

int guest_set_msr(struct guest *g, unsigned int vcpu, __u32 index, __u64 value)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {
		.head.nmsrs = 1,
		.entry = { .index = index, .data = value },
	};
	int n = v ? vcpu_ioctl(v, KVM_SET_MSRS, &msrs) : -EINVAL;

	if (n < 0)
		return n;
	return n == 1 ? 0 : -EINVAL;
}

int guest_vcpu_fd(const struct guest *g, unsigned int vcpu)
{
	const struct vcpu *v = get_vcpu(g, vcpu);

	return v ? v->fd : -1;
}

const struct kvm_run *guest_kvm_run(const struct guest *g, unsigned int vcpu)
{
	const struct vcpu *v = get_vcpu(g, vcpu);

	return v ? v->run : NULL;
}

unsigned int guest_vcpus(const struct guest *g)
{
	return g->nr_vcpus;
}
