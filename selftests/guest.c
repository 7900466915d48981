// SPDX-License-Identifier: GPL-2.0
/*
 * The test guest; guest.h says what it is for.
 *
 * Slot 0 holds the guest's code, its descriptor and page tables, and a page per
 * vCPU with its mailbox at the start and its stack at the end. The accessed and
 * dirty bits of all tables are set from the start, so that no CPU ever writes
 * to them, and page tables only get entries where they had none.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "slow.h"
#include "sys.h"

#ifndef KVM_CAP_DIRTY_LOG_RING_ACQ_REL
#define KVM_CAP_DIRTY_LOG_RING_ACQ_REL	223
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define SZ_2M		0x200000ULL
#define SZ_1G		0x40000000ULL

/* Pages of slot 0, which starts at address 0. */
#define CODE_PAGE	0
#define TABLE_PAGE	1
#define PML4_PAGE	2
#define PDPT_PAGE	3
#define VCPU_PAGE	4
#define PD_PAGE		(VCPU_PAGE + GUEST_MAX_VCPUS)

#define IDT_OFFSET	0x100	/* in the table page, behind the GDT */

#define PTE_TABLE	0x63ULL	/* present, writable, accessed, dirty */
#define PTE_HUGE	0xe3ULL	/* the same, and a leaf */

#define CODE_SEL	0x08
#define DATA_SEL	0x10
#define WAKE_VECTOR	0x30

/* The SMM address space has this slot alone that is ours; where SMM starts after a reset. */
#define SMRAM_BASE	0x30000ULL
#define SMRAM_PAGES	16
#define SMM_ENTRY	0x8000	/* in SMRAM */
#define SMM_MAIL	0x8100
#define SMM_STATE	0xfe00	/* what KVM saves there */

/* In the slot of guest_nest(): a page each for every vCPU, then page tables. */
#define VMCB_PAGE	0
#define HSAVE_PAGE	(VMCB_PAGE + GUEST_MAX_VCPUS)
#define ROOT_PAGE	(HSAVE_PAGE + GUEST_MAX_VCPUS)

/* PTE_TABLE for all: a nested walk asks as a user. */
#define PTE_USER	((__u64)GUEST_NEST_ENTRY)
#define PTE_USER_HUGE	(PTE_USER | 0x80)

#define MSR_VM_HSAVE_PA	0xc0010117

#define PORT_DONE	0xe9	/* the command is done */

#define APIC_BASE	0xfee00000U
#define MSR_X2APIC_EOI	0x80b
#define MSR_X2APIC_TMICT 0x838
#define MSR_X2APIC_SELF_IPI 0x83f
#define PIT_HZ		1193182ULL

#define NR_EXITS	64

#define TEXT(x)		TEXT_OF(x)
#define TEXT_OF(x)	#x
#define NR_SLOTS	(2 * GUEST_MAX_SLOTS)

/* What host and guest say to each other; a vCPU's page starts with it. */
struct mailbox {
	__u64 op;
	__u64 rounds;
	__u64 gpa;
	__u64 pages;
	__u64 stride;
	__u64 value;		/* written: this, and the round's number */
	__u64 vmcb;		/* have the guest's guest do it; 0: do it */
	__u64 why;		/* guest: what else than its end ended the guest's guest */
	__u64 timer;		/* LAPIC timer count before each halt; 0: none */
	__u64 stop;		/* host: stop after this round */
	__u64 progress;		/* guest: rounds done */
};

/* What the handler of SMIs is to do, at SMM_MAIL. */
struct smm_mail {
	__u32 gpa;
	__u32 pages;
	__u32 done;		/* handler: SMIs so far */
};

/* Of the VMCB of AMD's manual, what is not 0. */
struct vmcb_segment {
	__u16 selector;
	__u16 attributes;
	__u32 limit;
	__u64 base;
};

struct vmcb {
	__u32 intercepts[5];	/* CR, DR, exceptions, and two for others */
	__u32 unused1[17];
	__u32 asid;
	__u32 unused2;
	__u32 interrupt_control;
	__u32 unused3[3];
	__u64 exit_code;
	__u64 unused4[3];
	__u64 nested_control;
	__u64 unused5[3];
	__u64 nested_cr3;
	__u64 unused6[105];
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	__u64 unused7[6];
	__u64 efer;
	__u64 unused8[14];
	__u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	__u64 unused9[11];
	__u64 rsp;
	__u64 unused10[17];
	__u64 pat;
};

static_assert(offsetof(struct vmcb, asid) == 0x58, "VMCB");
static_assert(offsetof(struct vmcb, exit_code) == 0x70, "VMCB");
static_assert(offsetof(struct vmcb, nested_cr3) == 0xb0, "VMCB");
static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB");
static_assert(offsetof(struct vmcb, efer) == 0x4d0, "VMCB");
static_assert(offsetof(struct vmcb, rip) == 0x578, "VMCB");
static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "VMCB");
static_assert(offsetof(struct vmcb, pat) == 0x668, "VMCB");

#define INTERCEPT_EXCEPTIONS	0x6140U	/* #UD, #DF, #GP, #PF */
#define INTERCEPT_INTR		1U	/* of the fourth word */
#define INTERCEPT_SHUTDOWN	0x80000000U
#define INTERCEPT_VMRUN		1U	/* of the fifth */
#define INTERCEPT_VMMCALL	2U
#define INTERRUPTS_MASKED	0x1000000U	/* interrupts are what its host says of them */

#define VMEXIT_PF	0x4e
#define VMEXIT_INTR	0x60
#define VMEXIT_VMMCALL	0x81
#define VMEXIT_NPF	0x400

enum state {
	IDLE,
	BUSY,
	DONE,			/* its thread has a result to collect */
};

struct vcpu {
	struct guest *guest;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	struct mailbox *mail;
	struct kvm_dirty_gfn *ring;
	__u32 ring_next;	/* entry to harvest next, counted on and on */
	long ring_taken;	/* harvested but not yet reported */
	bool lost;		/* stopped in the middle of a command */

	pthread_mutex_t lock;	/* for what follows, and the ring */
	pthread_cond_t cond;	/* state, kicks or quit changed */
	unsigned int state;	/* enum state */
	int result;
	bool quit;
	bool has_thread;
	pthread_t thread;
	int tid;
	__u64 kicks;		/* taken by the thread */

	/* atomic counters */
	__u64 runs;
	__u64 ioctls;
	__u64 exits[NR_EXITS];
};

struct slot {
	bool used;
	__u32 flags;
	__u64 gpa;
	__u64 size;
	void *host;
	void *area;		/* @host with its guards; NULL: it is another slot's */
	size_t area_size;
};

struct guest {
	int dev_fd;
	int vm_fd;
	bool irqchip;
	bool nested;
	char name[32];
	struct kvm_cpuid2 *cpuid;
	size_t run_size;
	__u32 ring_bytes;
	unsigned int nr_vcpus;
	unsigned int nr_gibs;
	struct vcpu *pit_user;	/* atomic */
	const struct slot *nest;	/* of guest_nest() */
	unsigned int nest_pages;	/* of it that are in use */
	struct slot slots[NR_SLOTS];	/* of both address spaces */
	struct vcpu vcpus[GUEST_MAX_VCPUS];
};

/* --- the guest's side ------------------------------------------------------ */

struct blob {
	const char *start;
	const char *irq;
	const char *end;
};

/*
 * The guest's program. %rbp: mailbox, %r8: command, %r9: rounds done. It keeps
 * nothing from one command to the next. A guest in the guest has the same memory, code,
 * stack and registers, and does one round.
 */
static struct blob guest_blob(void)
{
	struct blob blob;

	asm volatile(".pushsection .rodata\n"
		     ".Lstart%=:\n"
		     /* Have all of slot 0 mapped. */
		     "	call	.Lslot0%=\n"
		     "	mov	%c[op](%%rbp), %%r8\n"
		     "	xor	%%r9d, %%r9d\n"
		     "	cmp	%[halt], %%r8\n"
		     "	jne	.Lround%=\n"
		     /* Take the interrupts left over. */
		     "	sti\n"
		     "	nop\n"
		     "	cli\n"

		     /*
		      * Bochs, when it enters a guest that takes no interrupts, forgets that
		      * the host does. CLI makes it think again.
		      */
		     ".Lround%=:\n"
		     "	cli\n"
		     "	cmpq	$0, %c[vmcb](%%rbp)\n"
		     "	jne	.Lnested%=\n"
		     "	call	.Lwork%=\n"
		     ".Lnext%=:\n"
		     "	inc	%%r9\n"
		     "	mov	%%r9, %c[progress](%%rbp)\n"
		     "	cmpq	$0, %c[stop](%%rbp)\n"
		     "	jne	.Ldone%=\n"
		     "	cmp	%c[rounds](%%rbp), %%r9\n"
		     "	jb	.Lround%=\n"
		     ".Ldone%=:\n"
		     "	out	%%al, $" TEXT(PORT_DONE) "\n"
		     "	jmp	.Lstart%=\n"

		     /* Only while it runs does an interrupt come, and only for a halt. */
		     ".Lnested%=:\n"
		     "	mov	%c[vmcb](%%rbp), %%rax\n"
		     "	lea	.Lnested_start%=(%%rip), %%rcx\n"
		     "	mov	%%rcx, %c[vmcb_rip](%%rax)\n"
		     "	mov	%%rsp, %c[vmcb_rsp](%%rax)\n"
		     "	clgi\n"
		     "	cmp	%[halt], %%r8\n"
		     "	jne	1f\n"
		     "	sti\n"
		     "1:	vmrun\n"
		     "	cli\n"
		     "	stgi\n"
		     "	mov	%c[vmcb_exit](%%rax), %%rcx\n"
		     "	cmp	$" TEXT(VMEXIT_VMMCALL) ", %%rcx\n"
		     "	je	.Lnext%=\n"
		     "	cmp	$" TEXT(VMEXIT_INTR) ", %%rcx\n"
		     "	jne	2f\n"
		     "	sti\n"
		     "	nop\n"
		     "	cli\n"
		     "	jmp	.Lnext%=\n"
		     "2:	mov	%%rcx, %c[why](%%rbp)\n"
		     "	jmp	.Ldone%=\n"

		     ".Lnested_start%=:\n"
		     "	call	.Lslot0%=\n"
		     "	cmp	%[halt], %%r8\n"
		     "	je	1f\n"
		     "	call	.Lwork%=\n"
		     "	vmmcall\n"
		     "1:	lea	1(%%r9), %%rax\n"
		     "	mov	%%rax, %c[progress](%%rbp)\n"
		     "2:	hlt\n"
		     "	jmp	2b\n"

		     ".Lslot0%=:\n"
		     "	xor	%%esi, %%esi\n"
		     "1:	mov	(%%rsi), %%rax\n"
		     "	add	%[page], %%rsi\n"
		     "	cmp	%[slot0_end], %%rsi\n"
		     "	jb	1b\n"
		     "	ret\n"

		     ".Lwork%=:\n"
		     "	cmp	%[read], %%r8\n"
		     "	je	.Lread%=\n"
		     "	cmp	%[write], %%r8\n"
		     "	je	.Lwrite%=\n"
		     "	cmp	%[call], %%r8\n"
		     "	je	.Lcall%=\n"
		     "	cmp	%[halt], %%r8\n"
		     "	je	.Lhalt%=\n"
		     "	cmp	%[out], %%r8\n"
		     "	je	.Lout%=\n"
		     "	cmp	%[cpuid], %%r8\n"
		     "	je	.Lcpuid%=\n"
		     "	ret\n"

		     ".Lread%=:\n"
		     "	mov	%c[gpa](%%rbp), %%rdi\n"
		     "	mov	%c[pages](%%rbp), %%rcx\n"
		     "	mov	%c[stride](%%rbp), %%rdx\n"
		     "1:	mov	(%%rdi), %%rax\n"
		     "	add	%%rdx, %%rdi\n"
		     "	dec	%%rcx\n"
		     "	jnz	1b\n"
		     "	ret\n"

		     ".Lwrite%=:\n"
		     "	mov	%c[gpa](%%rbp), %%rdi\n"
		     "	mov	%c[pages](%%rbp), %%rcx\n"
		     "	mov	%c[stride](%%rbp), %%rdx\n"
		     "	lea	1(%%r9), %%rax\n"
		     "	add	%c[value](%%rbp), %%rax\n"
		     "1:	mov	%%rax, (%%rdi)\n"
		     "	add	%%rdx, %%rdi\n"
		     "	dec	%%rcx\n"
		     "	jnz	1b\n"
		     "	ret\n"

		     ".Lcall%=:\n"
		     "	mov	%c[gpa](%%rbp), %%rdi\n"
		     "	mov	%c[pages](%%rbp), %%rcx\n"
		     "	mov	%c[stride](%%rbp), %%rdx\n"
		     "1:	call	*%%rdi\n"
		     "	add	%%rdx, %%rdi\n"
		     "	dec	%%rcx\n"
		     "	jnz	1b\n"
		     "	ret\n"

		     ".Lhalt%=:\n"
		     "	lea	1(%%r9), %%rax\n"
		     "	mov	%%rax, %c[progress](%%rbp)\n"
		     "	mov	%c[timer](%%rbp), %%eax\n"
		     "	test	%%eax, %%eax\n"
		     "	jz	1f\n"
		     "	xor	%%edx, %%edx\n"
		     "	mov	$" TEXT(MSR_X2APIC_TMICT) ", %%ecx\n"
		     "	wrmsr\n"
		     /* No interrupt comes between these two; but see below. */
		     "1:\n"
		     ".Lsti%=:\n"
		     "	sti\n"
		     ".Lhlt%=:\n"
		     "	hlt\n"
		     "	cli\n"
		     "	ret\n"

		     ".Lout%=:\n"
		     "	out	%%al, $" TEXT(GUEST_PORT) "\n"
		     "	ret\n"

		     ".Lcpuid%=:\n"
		     "	xor	%%eax, %%eax\n"
		     "	xor	%%ecx, %%ecx\n"
		     "	cpuid\n"
		     "	ret\n"

		     ".Lirq%=:\n"
		     "	push	%%rax\n"
		     "	push	%%rcx\n"
		     "	push	%%rdx\n"
		     "	xor	%%eax, %%eax\n"
		     "	xor	%%edx, %%edx\n"
		     "	mov	$" TEXT(MSR_X2APIC_EOI) ", %%ecx\n"
		     "	wrmsr\n"
		     /*
		      * QEMU's TCG forgets the shadow of STI over a VM exit. An
		      * interrupt that came because of that is sent once more,
		      * and the halt tried again: else it would never end.
		      */
		     "	lea	.Lhlt%=(%%rip), %%rcx\n"
		     "	cmp	%%rcx, 24(%%rsp)\n"
		     "	jne	1f\n"
		     "	lea	.Lsti%=(%%rip), %%rcx\n"
		     "	mov	%%rcx, 24(%%rsp)\n"
		     "	andl	%[no_if], 40(%%rsp)\n"
		     "	mov	$" TEXT(WAKE_VECTOR) ", %%eax\n"
		     "	mov	$" TEXT(MSR_X2APIC_SELF_IPI) ", %%ecx\n"
		     "	wrmsr\n"
		     "1:	pop	%%rdx\n"
		     "	pop	%%rcx\n"
		     "	pop	%%rax\n"
		     "	iretq\n"
		     ".Lend%=:\n"
		     ".popsection\n"

		     "lea	.Lstart%=(%%rip), %[start]\n"
		     "lea	.Lirq%=(%%rip), %[irq]\n"
		     "lea	.Lend%=(%%rip), %[end]\n"
		     : [start] "=r" (blob.start), [irq] "=r" (blob.irq), [end] "=r" (blob.end)
		     : [op] "i" (offsetof(struct mailbox, op)),
		       [rounds] "i" (offsetof(struct mailbox, rounds)),
		       [gpa] "i" (offsetof(struct mailbox, gpa)),
		       [pages] "i" (offsetof(struct mailbox, pages)),
		       [stride] "i" (offsetof(struct mailbox, stride)),
		       [value] "i" (offsetof(struct mailbox, value)),
		       [vmcb] "i" (offsetof(struct mailbox, vmcb)),
		       [why] "i" (offsetof(struct mailbox, why)),
		       [timer] "i" (offsetof(struct mailbox, timer)),
		       [stop] "i" (offsetof(struct mailbox, stop)),
		       [progress] "i" (offsetof(struct mailbox, progress)),
		       [page] "i" (GUEST_PAGE), [slot0_end] "i" (GUEST_SLOT0_PAGES * GUEST_PAGE),
		       [read] "i" (GUEST_READ), [write] "i" (GUEST_WRITE),
		       [call] "i" (GUEST_CALL), [halt] "i" (GUEST_HALT), [out] "i" (GUEST_OUT),
		       [cpuid] "i" (GUEST_CPUID),
		       [vmcb_rip] "i" (offsetof(struct vmcb, rip)),
		       [vmcb_rsp] "i" (offsetof(struct vmcb, rsp)),
		       [vmcb_exit] "i" (offsetof(struct vmcb, exit_code)),
		       [no_if] "i" (~0x200));
	return blob;
}

/* The handler of SMIs: 16-bit code, but for all of the memory below 4G. */
static struct blob smm_blob(void)
{
	struct blob blob = { 0 };

	asm volatile(".pushsection .rodata\n"
		     "	.code16\n"
		     ".Lsmm%=:\n"
		     "	movl	%[state], %%esi\n"
		     "	movl	(%%esi), %%eax\n"
		     "	movl	%[mail], %%ebp\n"
		     "	movl	%c[gpa](%%ebp), %%edi\n"
		     "	movl	%c[pages](%%ebp), %%ecx\n"
		     "	testl	%%ecx, %%ecx\n"
		     "	jz	2f\n"
		     "1:	movl	%%ecx, (%%edi)\n"
		     "	addl	%[page], %%edi\n"
		     "	decl	%%ecx\n"
		     "	jnz	1b\n"
		     "2:	incl	%c[done](%%ebp)\n"
		     "	rsm\n"
		     "	.code64\n"
		     ".Lsmm_end%=:\n"
		     ".popsection\n"

		     "lea	.Lsmm%=(%%rip), %[start]\n"
		     "lea	.Lsmm_end%=(%%rip), %[end]\n"
		     : [start] "=r" (blob.start), [end] "=r" (blob.end)
		     : [state] "i" (SMRAM_BASE + SMM_STATE), [mail] "i" (SMRAM_BASE + SMM_MAIL),
		       [gpa] "i" (offsetof(struct smm_mail, gpa)),
		       [pages] "i" (offsetof(struct smm_mail, pages)),
		       [done] "i" (offsetof(struct smm_mail, done)), [page] "i" (GUEST_PAGE));
	return blob;
}

static void *slot0_page(const struct guest *g, unsigned int page)
{
	return (char *)g->slots[0].host + page * GUEST_PAGE;
}

static __u64 page_gpa(unsigned int page)
{
	return page * GUEST_PAGE;
}

/* Map the GiBs that hold [@gpa, @gpa + @size) one to one, with 2M pages. */
static int identity_map(struct guest *g, __u64 gpa, __u64 size)
{
	__u64 *pdpt = slot0_page(g, PDPT_PAGE);
	__u64 gib, i, *pd;

	if (gpa + size < gpa || gpa + size > 512 * SZ_1G)
		return -EINVAL;
	for (gib = gpa / SZ_1G; gib * SZ_1G < gpa + size; gib++) {
		if (pdpt[gib])
			continue;
		if (g->nr_gibs == GUEST_MAX_GIBS)
			return -ENOSPC;
		pd = slot0_page(g, PD_PAGE + g->nr_gibs);
		for (i = 0; i < 512; i++)
			pd[i] = (gib * SZ_1G + i * SZ_2M) | PTE_HUGE;
		pdpt[gib] = page_gpa(PD_PAGE + g->nr_gibs) | PTE_TABLE;
		g->nr_gibs++;
	}
	return 0;
}

static int load_guest(struct guest *g)
{
	__u64 *gdt = slot0_page(g, TABLE_PAGE);
	__u64 *gate = gdt + (IDT_OFFSET + WAKE_VECTOR * 16) / sizeof(*gdt);
	__u64 *pml4 = slot0_page(g, PML4_PAGE);
	struct blob blob = guest_blob();
	__u64 irq;

	memcpy(slot0_page(g, CODE_PAGE), blob.start, blob.end - blob.start);

	gdt[CODE_SEL / 8] = 0x00af9b000000ffffULL;
	gdt[DATA_SEL / 8] = 0x00cf93000000ffffULL;
	irq = page_gpa(CODE_PAGE) + (blob.irq - blob.start);
	gate[0] = (irq & 0xffff) | CODE_SEL << 16 | 0x8e00ULL << 32;

	pml4[0] = page_gpa(PDPT_PAGE) | PTE_TABLE;
	return identity_map(g, 0, GUEST_SLOT0_PAGES * GUEST_PAGE);
}

/* --- helpers --------------------------------------------------------------- */

static int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	ret = ioctl(fd, request, arg);
	return ret < 0 ? -errno : ret;
}

static int vm_ioctl(struct guest *g, unsigned long request, void *arg)
{
	return kvm_ioctl(g->vm_fd, request, arg);
}

/* For all ioctls that load the vCPU, but KVM_RUN. */
static int vcpu_ioctl(struct vcpu *v, unsigned long request, void *arg)
{
	__atomic_add_fetch(&v->ioctls, 1, __ATOMIC_RELAXED);
	return kvm_ioctl(v->fd, request, arg);
}

static __u64 deadline_ns(int timeout_ms)
{
	return timeout_ms < 0 ? ~0ULL : now_ns() + timeout_ms * patience() * 1000000ULL;
}

static void nap(void)
{
	const struct timespec time = { .tv_nsec = 100000 };

	nanosleep(&time, NULL);
}

static struct vcpu *get_vcpu(const struct guest *g, unsigned int index)
{
	if (index >= g->nr_vcpus || g->vcpus[index].fd < 0)
		return NULL;
	return (struct vcpu *)&g->vcpus[index];
}

/* Where slot @id is or will be; NULL: no slot has such a number. */
static struct slot *slot_place(const struct guest *g, unsigned int id)
{
	unsigned int as_id = id >> 16, number = id & 0xffff;

	if (as_id > 1 || number >= GUEST_MAX_SLOTS)
		return NULL;
	return (struct slot *)&g->slots[as_id * GUEST_MAX_SLOTS + number];
}

static struct slot *get_slot(const struct guest *g, unsigned int id)
{
	struct slot *slot = slot_place(g, id);

	return slot && slot->used ? slot : NULL;
}

/* --- slots ----------------------------------------------------------------- */

static int set_region(struct guest *g, unsigned int id, const struct slot *slot,
		      __u64 size)
{
	struct kvm_userspace_memory_region region = {
		.slot = id,
		.flags = slot->flags,
		.guest_phys_addr = slot->gpa,
		.memory_size = size,
		.userspace_addr = (unsigned long)slot->host,
	};

	return vm_ioctl(g, KVM_SET_USER_MEMORY_REGION, &region);
}

/* Map the slot's memory between two guards, which keep other memory away. */
static int map_memory(struct slot *slot, enum guest_mem mem)
{
	__u64 align = mem == GUEST_MEM_1G ? SZ_1G : SZ_2M;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	unsigned long addr;
	void *host;

	slot->area_size = slot->size + align + 2 * GUEST_PAGE;
	slot->area = mmap(NULL, slot->area_size, PROT_NONE, flags, -1, 0);
	if (slot->area == MAP_FAILED)
		return -errno;

	addr = (unsigned long)slot->area + GUEST_PAGE;
	addr += (slot->gpa - addr) & (align - 1);
	flags |= MAP_FIXED;
	if (mem == GUEST_MEM_2M)
		flags |= MAP_HUGETLB | 21 << MAP_HUGE_SHIFT;
	if (mem == GUEST_MEM_1G)
		flags |= MAP_HUGETLB | 30 << MAP_HUGE_SHIFT;
	if (flags & MAP_HUGETLB)
		flags &= ~MAP_NORESERVE;	/* fail here, not with SIGBUS */
	host = mmap((void *)addr, slot->size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (host == MAP_FAILED)
		goto unmap;
	slot->host = host;

	/* -EINVAL: a kernel without huge pages, where there is nothing to choose. */
	if (mem == GUEST_MEM_4K && madvise(host, slot->size, MADV_NOHUGEPAGE) &&
	    errno != EINVAL)
		goto unmap;
	if (mem == GUEST_MEM_THP && madvise(host, slot->size, MADV_HUGEPAGE) &&
	    errno != EINVAL)
		goto unmap;
	return 0;

unmap:
	flags = -errno;
	munmap(slot->area, slot->area_size);
	return flags;
}

static int add_slot(struct guest *g, unsigned int id, __u64 gpa, __u64 pages,
		    enum guest_mem mem, __u32 flags)
{
	struct slot slot = {
		.used = true,
		.flags = flags,
		.gpa = gpa,
		.size = pages * GUEST_PAGE,
	};
	int err;

	err = map_memory(&slot, mem);
	if (err)
		return err;
	err = set_region(g, id, &slot, slot.size);
	if (err) {
		munmap(slot.area, slot.area_size);
		return err;
	}
	*slot_place(g, id) = slot;
	return 0;
}

int guest_slot_add(struct guest *g, unsigned int id, __u64 gpa, __u64 pages,
		   enum guest_mem mem, __u32 flags)
{
	__u64 unit = GUEST_PAGE;
	int err;

	if (mem == GUEST_MEM_2M)
		unit = SZ_2M;
	if (mem == GUEST_MEM_1G)
		unit = SZ_1G;
	if (!id || !slot_place(g, id) || !pages || pages > SZ_1G ||
	    gpa % unit || pages * GUEST_PAGE % unit)
		return -EINVAL;
	if (get_slot(g, id))
		return -EEXIST;
	err = identity_map(g, gpa, pages * GUEST_PAGE);
	if (err)
		return err;
	return add_slot(g, id, gpa, pages, mem, flags);
}

int guest_slot_alias(struct guest *g, unsigned int id, unsigned int of, __u32 flags)
{
	const struct slot *other = get_slot(g, of);
	struct slot *slot = slot_place(g, id);
	int err;

	if (!id || !slot)
		return -EINVAL;
	if (!other)
		return -ENOENT;
	if (slot->used)
		return -EEXIST;
	*slot = *other;
	slot->flags = flags;
	slot->area = NULL;
	err = set_region(g, id, slot, slot->size);
	slot->used = !err;
	return err;
}

int guest_slot_move(struct guest *g, unsigned int id, __u64 gpa)
{
	struct slot *slot = get_slot(g, id);
	struct slot moved;
	int err;

	if (!slot || !id)
		return -ENOENT;
	err = identity_map(g, gpa, slot->size);
	if (err)
		return err;
	moved = *slot;
	moved.gpa = gpa;
	err = set_region(g, id, &moved, moved.size);
	if (!err)
		*slot = moved;
	return err;
}

int guest_slot_flags(struct guest *g, unsigned int id, __u32 flags)
{
	struct slot *slot = get_slot(g, id);
	struct slot changed;
	int err;

	if (!slot)
		return -ENOENT;
	changed = *slot;
	changed.flags = flags;
	err = set_region(g, id, &changed, changed.size);
	if (!err)
		*slot = changed;
	return err;
}

int guest_slot_del(struct guest *g, unsigned int id)
{
	struct slot *slot = get_slot(g, id);
	int err;

	if (!slot || !id)
		return -ENOENT;
	err = set_region(g, id, slot, 0);
	if (err)
		return err;
	if (slot->area)
		munmap(slot->area, slot->area_size);
	slot->used = false;
	return 0;
}

void *guest_slot_host(const struct guest *g, unsigned int id)
{
	const struct slot *slot = get_slot(g, id);

	return slot ? slot->host : NULL;
}

int guest_slot_populate(struct guest *g, unsigned int id)
{
	const struct slot *slot = get_slot(g, id);

	if (!slot)
		return -ENOENT;
	if (!madvise(slot->host, slot->size, MADV_POPULATE_WRITE))
		return 0;
	/* 5.10 has no such thing. This does the same, and leaves in the pages what is there. */
	if (mlock(slot->host, slot->size) || munlock(slot->host, slot->size))
		return -errno;
	return 0;
}

int guest_slot_discard(struct guest *g, unsigned int id, __u64 first, __u64 pages)
{
	const struct slot *slot = get_slot(g, id);
	__u64 all;

	if (!slot)
		return -ENOENT;
	all = slot->size / GUEST_PAGE;
	if (first > all || pages > all - first)
		return -EINVAL;
	if (madvise((char *)slot->host + first * GUEST_PAGE, pages * GUEST_PAGE,
		    MADV_DONTNEED))
		return -errno;
	return 0;
}

long long guest_slot_huge(const struct guest *g, unsigned int id)
{
	const struct slot *slot = get_slot(g, id);
	unsigned long addr, start, end;
	long long kb, bytes = 0;
	bool inside = false;
	char line[512];
	FILE *f;

	if (!slot)
		return -ENOENT;
	addr = (unsigned long)slot->host;
	f = fopen("/proc/self/smaps", "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start >= addr && end <= addr + slot->size;
		else if (inside && (sscanf(line, "AnonHugePages: %lld", &kb) == 1 ||
				    sscanf(line, "Private_Hugetlb: %lld", &kb) == 1))
			bytes += kb * 1024;
	}
	fclose(f);
	return bytes;
}

/* --- the guest's guest ----------------------------------------------------- */

static __u64 nest_gpa(const struct guest *g, unsigned int page)
{
	return g->nest->gpa + page * GUEST_PAGE;
}

static void *nest_page(const struct guest *g, unsigned int page)
{
	return (char *)g->nest->host + page * GUEST_PAGE;
}

/* The entry of @gpa in a table that lies at @table, @level 0 to 3. */
static __u64 *nest_entry(const struct guest *g, __u64 table, unsigned int level, __u64 gpa)
{
	__u64 *entries = nest_page(g, (table - g->nest->gpa) / GUEST_PAGE);

	return entries + (gpa >> (12 + 9 * level) & 511);
}

/* The same, found from the root, at level 0 or 1, or above where that is a leaf. */
static __u64 *nest_find(struct guest *g, __u64 gpa, bool huge)
{
	__u64 table = nest_gpa(g, ROOT_PAGE), *entry;
	unsigned int level;

	for (level = 3;; level--) {
		entry = nest_entry(g, table, level, gpa);
		if (level == huge || (*entry & PTE_USER_HUGE) == PTE_USER_HUGE)
			return entry;
		if (!*entry) {
			if (g->nest_pages == GUEST_NEST_PAGES)
				return NULL;
			*entry = nest_gpa(g, g->nest_pages++) | PTE_USER;
		}
		table = *entry & ~0xfffULL;
	}
}

int guest_nest_map(struct guest *g, __u64 at, __u64 gpa, __u64 pages, bool huge)
{
	__u64 step = huge ? SZ_2M : GUEST_PAGE, size = pages * GUEST_PAGE, done, *entry;

	if (!g->nest || at % step || gpa % step || size % step)
		return -EINVAL;
	for (done = 0; done < size; done += step) {
		entry = nest_find(g, at + done, huge);
		if (!entry)
			return -ENOSPC;
		if (!*entry)
			*entry = (gpa + done) | (huge ? PTE_USER_HUGE : PTE_USER);
	}
	return 0;
}

__u64 guest_nest_entry(struct guest *g, __u64 at, bool huge)
{
	const char *entry = (char *)nest_find(g, at, huge);

	return entry ? g->nest->gpa + (entry - (char *)g->nest->host) : 0;
}

/* Does KVM tell guests that they have nested paging? */
static bool offers_npt(const struct guest *g)
{
	unsigned int i;

	for (i = 0; i < g->cpuid->nent; i++)
		if (g->cpuid->entries[i].function == 0x8000000a)
			return g->cpuid->entries[i].edx & 1;
	return false;
}

/* It starts where its host does, but for the tables between. */
static void fill_vmcb(struct guest *g, unsigned int vcpu)
{
	const struct vmcb_segment code = { CODE_SEL, 0xa9b, 0xffffffff, 0 };
	const struct vmcb_segment data = { DATA_SEL, 0xc93, 0xffffffff, 0 };
	struct vmcb *vmcb = nest_page(g, VMCB_PAGE + vcpu);

	memset(vmcb, 0, sizeof(*vmcb));
	vmcb->intercepts[2] = INTERCEPT_EXCEPTIONS;
	vmcb->intercepts[3] = INTERCEPT_INTR | INTERCEPT_SHUTDOWN;
	vmcb->intercepts[4] = INTERCEPT_VMRUN | INTERCEPT_VMMCALL;
	vmcb->asid = 1;
	vmcb->interrupt_control = INTERRUPTS_MASKED;
	vmcb->cs = code;
	vmcb->ds = data;
	vmcb->es = data;
	vmcb->ss = data;
	vmcb->gdtr = (struct vmcb_segment){ .limit = 3 * 8 - 1, .base = page_gpa(TABLE_PAGE) };
	vmcb->efer = 0x1500;		/* SVME, LMA, LME */
	vmcb->cr4 = 0x20;
	vmcb->cr3 = page_gpa(PML4_PAGE);
	vmcb->cr0 = 0x80000033;
	vmcb->dr7 = 0x400;
	vmcb->dr6 = 0xffff0ff0;
	vmcb->rflags = 0x2;
	vmcb->rsp = page_gpa(VCPU_PAGE + vcpu + 1);
	vmcb->pat = 0x0007040600070406ULL;
	if (offers_npt(g)) {
		vmcb->nested_control = 1;
		vmcb->nested_cr3 = nest_gpa(g, ROOT_PAGE);
	} else {
		vmcb->cr3 = nest_gpa(g, ROOT_PAGE);
	}
}

static int set_msr(struct vcpu *v, __u32 index, __u64 value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {
		.head.nmsrs = 1,
		.entry = { .index = index, .data = value },
	};
	int n = vcpu_ioctl(v, KVM_SET_MSRS, &msrs);

	if (n < 0)
		return n;
	return n == 1 ? 0 : -EINVAL;
}

int guest_nest(struct guest *g, unsigned int id, __u64 gpa)
{
	unsigned int i;
	int err;

	if (!g->nested || g->nest)
		return -EINVAL;
	err = guest_slot_add(g, id, gpa, GUEST_NEST_PAGES, GUEST_MEM_4K, 0);
	err = err ? err : guest_slot_populate(g, id);
	if (err)
		return err;
	g->nest = get_slot(g, id);
	g->nest_pages = ROOT_PAGE + 1;
	for (i = 0; !err && i < g->nr_vcpus; i++) {
		fill_vmcb(g, i);
		err = set_msr(&g->vcpus[i], MSR_VM_HSAVE_PA, nest_gpa(g, HSAVE_PAGE + i));
	}
	return err ? err : guest_nest_map(g, 0, 0, GUEST_SLOT0_PAGES, false);
}

/* --- SMM ------------------------------------------------------------------- */

int guest_smm(struct guest *g)
{
	const struct blob blob = smm_blob();
	char *smram;
	int err;

	if (vm_ioctl(g, KVM_CHECK_EXTENSION, (void *)KVM_CAP_X86_SMM) <= 0)
		return -EOPNOTSUPP;
	err = add_slot(g, GUEST_SMM_SLOT(0), SMRAM_BASE, SMRAM_PAGES, GUEST_MEM_4K, 0);
	if (err)
		return err;
	smram = guest_slot_host(g, GUEST_SMM_SLOT(0));
	memcpy(smram + SMM_ENTRY, blob.start, blob.end - blob.start);
	return 0;
}

int guest_smi(struct guest *g, unsigned int vcpu, __u64 gpa, unsigned int pages)
{
	char *smram = guest_slot_host(g, GUEST_SMM_SLOT(0));
	struct vcpu *v = get_vcpu(g, vcpu);
	struct smm_mail *mail;
	__u32 done;
	int err;

	if (!smram || !v || (gpa + pages * GUEST_PAGE) >> 32)
		return -EINVAL;
	mail = (void *)(smram + SMM_MAIL);
	mail->gpa = gpa;
	mail->pages = pages;
	done = mail->done;
	err = vcpu_ioctl(v, KVM_SMI, NULL);
	err = err ? err : guest_run(g, vcpu, work_cpuid(1));
	if (err)
		return err;
	return __atomic_load_n(&mail->done, __ATOMIC_ACQUIRE) == done + 1 ? 0 : -EPROTO;
}

/* --- dirty log ------------------------------------------------------------- */

int guest_dirty_log(struct guest *g, unsigned int id, int on)
{
	const struct slot *slot = get_slot(g, id);
	__u32 flags;

	if (!slot)
		return -ENOENT;
	flags = slot->flags & ~KVM_MEM_LOG_DIRTY_PAGES;
	return guest_slot_flags(g, id, on ? flags | KVM_MEM_LOG_DIRTY_PAGES : flags);
}

static size_t bitmap_words(__u64 pages)
{
	return (pages + 63) / 64;
}

size_t guest_bitmap_size(const struct guest *g, unsigned int id)
{
	const struct slot *slot = get_slot(g, id);

	return slot ? bitmap_words(slot->size / GUEST_PAGE) * sizeof(__u64) : 0;
}

long guest_dirty_get(struct guest *g, unsigned int id, __u64 *bitmap)
{
	size_t i, size = guest_bitmap_size(g, id);
	struct kvm_dirty_log log = { .slot = id };
	__u64 *bits;
	long n;

	if (!size)
		return -ENOENT;
	bits = bitmap ? bitmap : malloc(size);
	if (!bits)
		return -ENOMEM;
	memset(bits, 0, size);
	log.dirty_bitmap = bits;
	n = vm_ioctl(g, KVM_GET_DIRTY_LOG, &log);
	for (i = 0; n >= 0 && i < size / sizeof(*bits); i++)
		n += __builtin_popcountll(bits[i]);
	if (bits != bitmap)
		free(bits);
	return n;
}

int guest_dirty_manual(struct guest *g, __u64 flags)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { flags },
	};

	return vm_ioctl(g, KVM_ENABLE_CAP, &cap);
}

int guest_dirty_clear(struct guest *g, unsigned int id, __u64 first, __u64 pages,
		      const __u64 *bitmap)
{
	struct kvm_clear_dirty_log clear = {
		.slot = id,
		.num_pages = pages,
		.first_page = first,
	};
	size_t size = bitmap_words(pages) * sizeof(__u64);
	void *bits;
	int err;

	if (!get_slot(g, id))
		return -ENOENT;
	if (!pages || pages > SZ_1G)
		return -EINVAL;
	bits = malloc(size);
	if (!bits)
		return -ENOMEM;
	if (bitmap)
		memcpy(bits, bitmap, size);
	else
		memset(bits, 0xff, size);
	clear.dirty_bitmap = bits;
	err = vm_ioctl(g, KVM_CLEAR_DIRTY_LOG, &clear);
	free(bits);
	return err;
}

int guest_ring_enable(struct guest *g, __u32 bytes)
{
	struct kvm_enable_cap cap = { .args = { bytes } };
	static const __u32 caps[] = {
		KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
		KVM_CAP_DIRTY_LOG_RING,
	};
	unsigned int i;
	int err;

	if (g->nr_vcpus)
		return -EBUSY;
	for (i = 0; i < 2; i++) {
		err = vm_ioctl(g, KVM_CHECK_EXTENSION, (void *)(unsigned long)caps[i]);
		if (err <= 0)
			continue;
		cap.cap = caps[i];
		err = vm_ioctl(g, KVM_ENABLE_CAP, &cap);
		if (!err)
			g->ring_bytes = bytes;
		return err;
	}
	return err ? err : -EOPNOTSUPP;
}

/* Hand all that is in the ring back to KVM. Called with v->lock held. */
static void harvest(struct vcpu *v)
{
	__u32 size = v->guest->ring_bytes / sizeof(*v->ring);
	struct kvm_dirty_gfn *entry;

	for (;;) {
		entry = &v->ring[v->ring_next % size];
		if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) &
		      KVM_DIRTY_GFN_F_DIRTY))
			break;
		__atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		v->ring_next++;
		v->ring_taken++;
	}
}

long guest_ring_harvest(struct guest *g, unsigned int vcpu)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	long n;

	if (!v)
		return -ENOENT;
	if (!v->ring)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&v->lock);
	harvest(v);
	n = v->ring_taken;
	v->ring_taken = 0;
	pthread_mutex_unlock(&v->lock);
	return n;
}

int guest_ring_reset(struct guest *g)
{
	return vm_ioctl(g, KVM_RESET_DIRTY_RINGS, NULL);
}

__u64 guest_ring_full(const struct guest *g, unsigned int vcpu)
{
	return guest_exits(g, vcpu, KVM_EXIT_DIRTY_RING_FULL);
}

/* --- interrupts ------------------------------------------------------------ */

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

/* Pin 0 of the IOAPIC, where the PIT is: to @v, or nowhere. */
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
 * Channel 0: tick every @count cycles, or with 0 not at all. Ticks that come late
 * come all the same; switching that on makes KVM forget what was before.
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

static void stop_pit(struct vcpu *v)
{
	struct guest *g = v->guest;

	if (__atomic_load_n(&g->pit_user, __ATOMIC_ACQUIRE) != v)
		return;
	set_pit(g, 0);
	route_pit(g, NULL);
	__atomic_store_n(&g->pit_user, NULL, __ATOMIC_RELEASE);
}

static int start_pit(struct vcpu *v, __u64 period_ns)
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

/* PIC, IOAPIC, LAPICs and PIT in KVM; the PIC masked, for it has vector 0. */
static int create_irqchip(struct guest *g)
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

/* --- running --------------------------------------------------------------- */

#define SIG_KICK	SIGRTMIN

static void ignore_kick(int sig)
{
	(void)sig;
}

/* An access outside the slots, or a write to one that is read-only. */
static int handle_mmio(struct vcpu *v)
{
	const struct slot *slot = v->guest->slots;
	struct kvm_run *run = v->run;

	if (run->mmio.is_write) {
		for (; slot < v->guest->slots + NR_SLOTS; slot++)
			if (slot->used && (slot->flags & KVM_MEM_READONLY) &&
			    run->mmio.phys_addr - slot->gpa < slot->size)
				return 0;
	} else {
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
	}
	__atomic_store_n(&v->mail->stop, 1, __ATOMIC_RELEASE);
	return -EFAULT;
}

/* KVM_RUN interrupted: a kick, or the end. */
static int handle_intr(struct vcpu *v)
{
	const struct timespec at_once = { 0 };
	bool quit;
	sigset_t kick;

	pthread_mutex_lock(&v->lock);
	if (v->has_thread) {
		sigemptyset(&kick);
		sigaddset(&kick, SIG_KICK);
		if (sigtimedwait(&kick, NULL, &at_once) > 0)
			v->kicks++;
		pthread_cond_broadcast(&v->cond);
	}
	quit = v->quit;
	pthread_mutex_unlock(&v->lock);
	return quit ? -ECANCELED : 0;
}

static int handle_ring_full(struct vcpu *v)
{
	int n;

	pthread_mutex_lock(&v->lock);
	harvest(v);
	pthread_mutex_unlock(&v->lock);
	n = guest_ring_reset(v->guest);
	return n < 0 ? n : 0;
}

static int kvm_run(struct vcpu *v)
{
	__u32 reason;
	int err;

	__atomic_add_fetch(&v->runs, 1, __ATOMIC_RELAXED);
	err = kvm_ioctl(v->fd, KVM_RUN, NULL);
	reason = v->run->exit_reason;
	if ((!err || err == -EINTR) && reason < NR_EXITS)
		__atomic_add_fetch(&v->exits[reason], 1, __ATOMIC_RELAXED);
	return err;
}

/* What ended the guest's guest, if that was not its end. */
static int nested_result(const struct vcpu *v)
{
	switch (v->mail->why) {
	case 0:
		return 0;
	case VMEXIT_PF:
	case VMEXIT_NPF:
		return -EFAULT;
	}
	return -EPROTO;
}

/* Until the guest says that it is done, or can't go on. */
static int run_guest(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	int err, result = 0;

	for (;;) {
		err = kvm_run(v);
		if (err == -EINTR) {
			err = handle_intr(v);
			if (err)
				break;
			continue;
		}
		if (err)
			break;
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			if (run->io.port == PORT_DONE)
				return result ? result : nested_result(v);
			break;
		case KVM_EXIT_HLT:
			break;
		case KVM_EXIT_MMIO:
			if (handle_mmio(v))
				result = -EFAULT;
			break;
		case KVM_EXIT_DIRTY_RING_FULL:
			err = handle_ring_full(v);
			break;
		default:
			err = -EIO;
		}
		if (err)
			break;
	}
	v->lost = true;
	return err;
}

/* Does the work make sense? */
static int check_work(const struct vcpu *v, const struct guest_work *w)
{
	__u64 count = w->period_ns * PIT_HZ / 1000000000;
	bool in_kernel = w->wake < GUEST_WAKE_EXIT;

	if (!w->rounds || (w->nested && !v->guest->nest))
		return -EINVAL;
	switch (w->op) {
	case GUEST_READ:
	case GUEST_WRITE:
	case GUEST_CALL:
		return w->pages ? 0 : -EINVAL;
	case GUEST_SPIN:
	case GUEST_OUT:
	case GUEST_CPUID:
		return 0;
	case GUEST_HALT:
		if (w->nested && w->wake != GUEST_WAKE_USER)
			return -EINVAL;
		if (w->wake > GUEST_WAKE_EXIT || v->guest->irqchip != in_kernel)
			return -EINVAL;
		if (w->wake == GUEST_WAKE_LAPIC && (!w->period_ns || w->period_ns >> 32))
			return -EINVAL;
		if (w->wake == GUEST_WAKE_PIT && (!count || count > 65536))
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

/* Take the vCPU for a command, and put the command into its mailbox. */
static int begin_work(struct vcpu *v, const struct guest_work *w)
{
	struct mailbox *mail = v->mail;
	bool halt = w->op == GUEST_HALT;
	int err;

	err = check_work(v, w);
	if (err)
		return err;
	if (v->lost)
		return -EIO;
	if (v->state != IDLE)
		return -EBUSY;
	if (halt && w->wake == GUEST_WAKE_PIT) {
		err = start_pit(v, w->period_ns);
		if (err)
			return err;
	}
	mail->op = w->op;
	mail->rounds = w->rounds;
	mail->gpa = w->gpa;
	mail->pages = w->pages;
	mail->stride = w->stride;
	mail->value = w->value;
	mail->vmcb = w->nested ? nest_gpa(v->guest, VMCB_PAGE + v->index) : 0;
	mail->why = 0;
	mail->timer = halt && w->wake == GUEST_WAKE_LAPIC ? w->period_ns : 0;
	__atomic_store_n(&mail->stop, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&mail->progress, 0, __ATOMIC_RELEASE);
	v->state = BUSY;
	pthread_cond_broadcast(&v->cond);
	return 0;
}

static void end_work(struct vcpu *v, enum state next, int result)
{
	stop_pit(v);
	pthread_mutex_lock(&v->lock);
	v->state = next;
	v->result = result;
	pthread_cond_broadcast(&v->cond);
	pthread_mutex_unlock(&v->lock);
}

/* Only KVM_RUN lets the kick in, so that one kick ends exactly one KVM_RUN. */
static int set_kick_mask(struct vcpu *v)
{
	__u32 mask[] = { 8, 0, 0 };	/* struct kvm_signal_mask: bytes, bits */
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	sigdelset(&set, SIG_KICK);
	memcpy(mask + 1, &set, 8);
	return kvm_ioctl(v->fd, KVM_SET_SIGNAL_MASK, mask);
}

static void drop_kicks(void)
{
	const struct timespec at_once = { 0 };
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, SIG_KICK);
	while (sigtimedwait(&kick, NULL, &at_once) > 0)
		;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	int err;

	err = set_kick_mask(v);
	pthread_mutex_lock(&v->lock);
	v->tid = gettid();
	v->result = err;
	pthread_cond_broadcast(&v->cond);
	while (!err) {
		while (v->state != BUSY && !v->quit)
			pthread_cond_wait(&v->cond, &v->lock);
		if (v->quit) {
			v->result = -ECANCELED;
			v->state = v->state == BUSY ? DONE : v->state;
			break;
		}
		drop_kicks();
		pthread_mutex_unlock(&v->lock);
		end_work(v, DONE, run_guest(v));
		pthread_mutex_lock(&v->lock);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

int guest_thread(struct guest *g, unsigned int vcpu)
{
	const struct sigaction action = { .sa_handler = ignore_kick };
	struct vcpu *v = get_vcpu(g, vcpu);
	char name[16];
	int err;

	if (!v)
		return -ENOENT;
	if (v->has_thread)
		return 0;
	if (sigaction(SIG_KICK, &action, NULL))
		return -errno;

	pthread_mutex_lock(&v->lock);
	if (v->state != IDLE) {
		pthread_mutex_unlock(&v->lock);
		return -EBUSY;
	}
	err = pthread_create(&v->thread, NULL, vcpu_thread, v);
	v->has_thread = !err;
	while (!err && !v->tid)
		pthread_cond_wait(&v->cond, &v->lock);
	pthread_mutex_unlock(&v->lock);
	if (err)
		return -err;
	if (v->result) {
		pthread_join(v->thread, NULL);
		v->has_thread = false;
		v->tid = 0;
		return v->result;
	}
	snprintf(name, sizeof(name), "CPU %u/KVM", vcpu % GUEST_MAX_VCPUS);
	pthread_setname_np(v->thread, name);
	return 0;
}

int guest_start(struct guest *g, unsigned int vcpu, struct guest_work work)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	int err;

	err = guest_thread(g, vcpu);
	if (err)
		return err;
	pthread_mutex_lock(&v->lock);
	err = begin_work(v, &work);
	pthread_mutex_unlock(&v->lock);
	return err;
}

int guest_wait(struct guest *g, unsigned int vcpu, int timeout_ms)
{
	__u64 deadline = deadline_ns(timeout_ms);
	struct timespec until = {
		.tv_sec = deadline / 1000000000,
		.tv_nsec = deadline % 1000000000,
	};
	struct vcpu *v;
	int err = 0;

	if (vcpu >= g->nr_vcpus)
		return -ENOENT;
	v = &g->vcpus[vcpu];
	pthread_mutex_lock(&v->lock);
	while (!err && v->state == BUSY)
		err = pthread_cond_timedwait(&v->cond, &v->lock, &until);
	if (v->state == IDLE)
		err = ECHILD;
	if (v->state == DONE) {
		v->state = IDLE;
		err = -v->result;
	}
	pthread_mutex_unlock(&v->lock);
	return -err;
}

int guest_run(struct guest *g, unsigned int vcpu, struct guest_work work)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	int err;

	if (!v)
		return -ENOENT;
	if (v->has_thread) {
		err = guest_start(g, vcpu, work);
		return err ? err : guest_wait(g, vcpu, -1);
	}
	pthread_mutex_lock(&v->lock);
	err = begin_work(v, &work);
	pthread_mutex_unlock(&v->lock);
	if (err)
		return err;
	err = run_guest(v);
	end_work(v, IDLE, 0);
	return err;
}

int guest_stop(struct guest *g, unsigned int vcpu)
{
	struct vcpu *v = get_vcpu(g, vcpu);

	if (!v)
		return -ENOENT;
	__atomic_store_n(&v->mail->stop, 1, __ATOMIC_SEQ_CST);
	if (v->mail->op == GUEST_HALT && g->irqchip)
		return guest_wake(g, vcpu);
	return 0;
}

int guest_kick(struct guest *g, unsigned int vcpu)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	int err = -ESRCH;
	__u64 kicks;

	if (!v)
		return -ENOENT;
	pthread_mutex_lock(&v->lock);
	if (v->has_thread && v->state == BUSY) {
		kicks = v->kicks;
		pthread_kill(v->thread, SIG_KICK);
		while (v->kicks == kicks && v->state == BUSY)
			pthread_cond_wait(&v->cond, &v->lock);
		if (v->kicks != kicks)
			err = 0;
	}
	pthread_mutex_unlock(&v->lock);
	return err;
}

int guest_pin(struct guest *g, unsigned int vcpu, int cpu)
{
	cpu_set_t set;
	int err, i;

	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	err = guest_thread(g, vcpu);
	if (err)
		return err;
	CPU_ZERO(&set);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (cpu < 0 || i == cpu)
			CPU_SET(i, &set);
	return sched_setaffinity(guest_tid(g, vcpu), sizeof(set), &set) ? -errno : 0;
}

int guest_tid(const struct guest *g, unsigned int vcpu)
{
	const struct vcpu *v = get_vcpu(g, vcpu);

	return v ? v->tid : 0;
}

__u64 guest_progress(const struct guest *g, unsigned int vcpu)
{
	const struct vcpu *v = get_vcpu(g, vcpu);

	return v ? __atomic_load_n(&v->mail->progress, __ATOMIC_ACQUIRE) : 0;
}

int guest_wait_progress(struct guest *g, unsigned int vcpu, __u64 progress,
			int timeout_ms)
{
	__u64 deadline = deadline_ns(timeout_ms);

	while (guest_progress(g, vcpu) < progress) {
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}

/* One word of a file of a thread's; empty when there is none. */
static void thread_says(const char *thread, const char *file, const char *format, char *word)
{
	char path[64];
	FILE *f;

	word[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%s/%s", thread, file);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, format, word) != 1)
		word[0] = '\0';
	fclose(f);
}

/* Does this kernel tell where a thread sleeps? Init does, until we are done. */
static bool kernel_tells_where(void)
{
	char where[32];

	thread_says("1", "wchan", "%31s", where);
	return strcmp(where, "0");
}

/*
 * Does the thread sleep where a vCPU halts? One that was preempted on its way to sleep has
 * the state of a sleeper, but is nowhere; where the kernel does not tell, the state has to do.
 */
static bool blocks_in_kvm(int tid)
{
	char thread[32], where[32], state[2];

	snprintf(thread, sizeof(thread), "self/task/%d", tid);
	if (kernel_tells_where()) {
		thread_says(thread, "wchan", "%31s", where);
		return !strncmp(where, "kvm_vcpu_block", 14) ||
		       !strncmp(where, "kvm_vcpu_halt", 13);
	}
	thread_says(thread, "stat", "%*d (%*[^)]) %1s", state);
	return state[0] == 'S';
}

/* How often it has gone to sleep so far, or -errno. */
static long sleeps_of(int tid)
{
	long sleeps = -EIO;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (sleeps < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps);
	fclose(f);
	return sleeps;
}

/*
 * KVM also has a vCPU wait where it halts, for a moment, while a page is fetched that the
 * host has not got: a halt is a sleep that lasts. So look often.
 */
#define LASTS	30

int guest_wait_asleep(struct guest *g, unsigned int vcpu, __u64 halt,
		      int timeout_ms)
{
	__u64 deadline = deadline_ns(timeout_ms);
	int tid = guest_tid(g, vcpu), err, times = 0;
	long sleeps, before = -1;

	if (!tid)
		return -ECHILD;
	err = guest_wait_progress(g, vcpu, halt, timeout_ms);
	while (!err && times < LASTS) {
		nap();
		if (__atomic_load_n(&g->vcpus[vcpu].state, __ATOMIC_RELAXED) != BUSY)
			return -ESRCH;
		sleeps = sleeps_of(tid);
		if (sleeps < 0)
			return sleeps;
		times = blocks_in_kvm(tid) && sleeps == before ? times + 1 : 0;
		before = sleeps;
		err = now_ns() > deadline ? -ETIMEDOUT : 0;
	}
	return err;
}

/* Less than this may be too little where others storm, on a machine that is busy itself. */
#define HALT_MS		60000

int guest_halt_asleep(struct guest *g, unsigned int vcpu, __u64 halts)
{
	int err, ret;
	__u64 i;

	err = guest_start(g, vcpu, work_halt(halts, GUEST_WAKE_USER, 0));
	if (err)
		return err;
	for (i = 1; !err && i <= halts; i++) {
		err = guest_wait_asleep(g, vcpu, i, HALT_MS);
		if (!err)
			err = guest_wake(g, vcpu);
	}
	if (err)
		guest_stop(g, vcpu);
	ret = guest_wait(g, vcpu, HALT_MS);
	return err ? err : ret;
}

__u64 guest_runs(const struct guest *g, unsigned int vcpu)
{
	if (vcpu >= g->nr_vcpus)
		return 0;
	return __atomic_load_n(&g->vcpus[vcpu].runs, __ATOMIC_RELAXED);
}

__u64 guest_ioctls(const struct guest *g, unsigned int vcpu)
{
	if (vcpu >= g->nr_vcpus)
		return 0;
	return __atomic_load_n(&g->vcpus[vcpu].ioctls, __ATOMIC_RELAXED);
}

__u64 guest_exits(const struct guest *g, unsigned int vcpu, unsigned int reason)
{
	if (vcpu >= g->nr_vcpus || reason >= NR_EXITS)
		return 0;
	return __atomic_load_n(&g->vcpus[vcpu].exits[reason], __ATOMIC_RELAXED);
}

/* --- life ------------------------------------------------------------------ */

/* Straight into 64-bit mode, at the start of the code. */
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
	set_apic(&apic, 0x0f0, 0x1ff);		/* on */
	set_apic(&apic, 0x320, WAKE_VECTOR);	/* timer: one shot */
	set_apic(&apic, 0x350, 0x10000);	/* LINT0, the PIC: masked */
	set_apic(&apic, 0x3e0, 0xb);		/* timer: undivided, which is 1 GHz */
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
		munmap(v->ring, v->guest->ring_bytes);
	if (v->run)
		munmap(v->run, v->guest->run_size);
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

/* pthread_join() returns a little before the kernel has forgotten the thread. */
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

	/* Intel without unrestricted guest asks for it; no other does anything. */
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
