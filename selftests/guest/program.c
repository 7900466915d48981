// SPDX-License-Identifier: GPL-2.0
/* The guest's code, and its memory at the start. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "guest/parts.h"
#include "guest/vmcb.h"

#define MSR_APICBASE	0x1b
#define MSR_X2APIC_EOI	0x80b
#define MSR_X2APIC_TMICT 0x838
#define MSR_X2APIC_SELF_IPI 0x83f

#define TEXT(x)		TEXT_OF(x)
#define TEXT_OF(x)	#x

/*
 * The guest's program. %rbp: mailbox, %r8: command, %r9: rounds done. It keeps nothing from one
 * command to the next. A nested guest has the same memory, code, stack and registers, and does one
 * round.
 */
static struct blob guest_blob(void)
{
	struct blob blob;

	asm volatile(".pushsection .rodata\n"
		     ".Lstart%=:\n"
		     /* Read all of slot 0, so that it is mapped. */
		     "	call	.Lslot0%=\n"
		     "	mov	%c[op](%%rbp), %%r8\n"
		     "	xor	%%r9d, %%r9d\n"
		     "	cmp	%[halt], %%r8\n"
		     "	jne	.Lround%=\n"
		     /* Take pending interrupts. */
		     "	sti\n"
		     "	nop\n"
		     "	cli\n"

		     /*
		      * When Bochs enters a guest with interrupts off, it forgets that they are on
		      * in the host. CLI makes it check again.
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

		     /* Interrupts come only while the nested guest runs, and only for a halt. */
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
		     "	cmp	%[rdmsr], %%r8\n"
		     "	je	.Lrdmsr%=\n"
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
		     /*
		      * No interrupt comes between these two instructions, except as described
		      * below.
		      */
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

		     ".Lrdmsr%=:\n"
		     "	mov	$" TEXT(MSR_APICBASE) ", %%ecx\n"
		     "	rdmsr\n"
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
		      * QEMU's TCG forgets the shadow of STI when the guest exits. If an interrupt
		      * came because of that, send it once more and try the halt again, which would
		      * never end otherwise.
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
		       [cpuid] "i" (GUEST_CPUID), [rdmsr] "i" (GUEST_RDMSR),
		       [vmcb_rip] "i" (offsetof(struct vmcb, rip)),
		       [vmcb_rsp] "i" (offsetof(struct vmcb, rsp)),
		       [vmcb_exit] "i" (offsetof(struct vmcb, exit_code)),
		       [no_if] "i" (~0x200));
	return blob;
}

/* The handler of SMIs: 16-bit code that reaches all memory below 4G. */
struct blob smm_blob(void)
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

void *slot0_page(const struct guest *g, unsigned int page)
{
	return (char *)g->slots[0].host + page * GUEST_PAGE;
}

__u64 page_gpa(unsigned int page)
{
	return page * GUEST_PAGE;
}

/* Map the GiBs that hold [@gpa, @gpa + @size) one to one, with 2M pages. */
int identity_map(struct guest *g, __u64 gpa, __u64 size)
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

int load_guest(struct guest *g)
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
