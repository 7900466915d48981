/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entry of the guest of the migration benchmark: QEMU's -kernel loads it as a multiboot kernel,
 * in 32-bit protected mode, with flat segments and without paging.
 */
	.set	MAGIC, 0x1badb002
	.set	FLAGS, 0x2		/* tell where the memory ends */

	.section .multiboot, "a"
	.balign	4
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)

	.section .text.start, "ax"
	.globl	start
start:
	cld
	cli
	mov	$stack_end, %esp
	lgdt	gdt_pointer
	ljmp	$8, $1f
1:	mov	$16, %ecx
	mov	%ecx, %ds
	mov	%ecx, %es
	mov	%ecx, %ss
	fninit
	push	%ebx			/* what the loader tells */
	call	run
2:	hlt
	jmp	2b

/* The timer's interrupt only ends a HLT. */
	.globl	timer_entry
timer_entry:
	push	%eax
	incl	ticks
	mov	$0x20, %al
	out	%al, $0x20
	pop	%eax
	iret

	.section .rodata
	.balign	8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.bss
	.balign	16
	.skip	16384
stack_end:
	.section .note.GNU-stack, "", @progbits
