/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Thunks for via=direct: a function of KVM's calls one at its entry, in place of ftrace's
 * trampoline. It puts the function's arguments, and its stack pointer or caller if the callback of
 * the hook has use for it, where the callback looks for them, calls that, and restores the
 * arguments. No other register that a callback may change means anything there.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm-offsets.h>
#include <asm/frame.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

/* Kernels that count calls (from 6.2 on, where asked to) must count that from the entry. */
#ifndef CALL_DEPTH_ACCOUNT
#define CALL_DEPTH_ACCOUNT
#endif

/*
 * Only direct calls come here. Before 6.14 SYM_FUNC_START puts an ENDBR there all the same; from
 * then on it does not, and objtool wants to be told. Only there is this name a #define.
 */
#ifdef ANNOTATE_NOENDBR
#define NO_ENDBR	ANNOTATE_NOENDBR
#else
#define NO_ENDBR
#endif

.macro save register offset
	movq	\register, \offset(%rsp)
.endm

.macro restore register offset
	movq	\offset(%rsp), \register
.endm

/*
 * @how with each register that may have an argument. A function whose name or types lie has others
 * than the callback believes, until its first hits are looked at.
 */
.macro each_argument how
	\how	%rdi pt_regs_di
	\how	%rsi pt_regs_si
	\how	%rdx pt_regs_dx
	\how	%rcx pt_regs_cx
	\how	%r8 pt_regs_r8
	\how	%r9 pt_regs_r9
.endm

/* On the stack are where the entry goes on, and then where the function returns to. */
#define RETURN_AT	PTREGS_SIZE + FRAME_OFFSET + 8

/* For a callback that looks for arguments on the stack, and for callers. */
.macro stack_pointer
	leaq	RETURN_AT(%rsp), %rsi
	movq	%rsi, pt_regs_sp(%rsp)
.endm

/* For a callback that has use for its second parameter. */
.macro caller
	movq	RETURN_AT(%rsp), %rsi
.endm

.macro nothing
.endm

/* @callback has the parameters KVMW_FTRACE_ARGS, and uses the fourth, and what @more provides. */
.macro hit callback more
	NO_ENDBR
	CALL_DEPTH_ACCOUNT
	FRAME_BEGIN
	subq	$PTREGS_SIZE, %rsp
	each_argument save
	\more
	movq	%rsp, %rcx
	call	\callback
.endm

.macro drop_frame
	addq	$PTREGS_SIZE, %rsp
	FRAME_END
.endm

.macro thunk callback more
	hit	\callback \more
	each_argument restore
	drop_frame
	RET
.endm

/*
 * The same, and it times the function: it has that run below itself and return to it, tells @done
 * of the TSC before, and returns in its place. A function whose types lie may return something.
 * Stacks are whole: they have this frame, then the function's entry, then its caller. No function
 * with arguments on the stack may come here, nor one that sleeps: see detach_direct().
 */
.macro timing_thunk callback done
	hit	\callback nothing
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, pt_regs_bx(%rsp)
	each_argument restore
	call	kvmw_direct_go_on
	movq	pt_regs_bx(%rsp), %rdi
	save	%rax pt_regs_bx
	save	%rdx pt_regs_dx
	call	\done
	restore	%rax pt_regs_bx
	restore	%rdx pt_regs_dx
	drop_frame
	/* The entry went on already: what is left is where the function returns to. */
	addq	$8, %rsp
	UNWIND_HINT_FUNC
	RET
.endm

/*
 * Go on behind the entry that called the thunk, where no ENDBR is. On the stack are the thunk's
 * return address, its frame, and where the entry goes on.
 */
SYM_FUNC_START_LOCAL(kvmw_direct_go_on)
	pushq	PTREGS_SIZE + FRAME_OFFSET + 8(%rsp)
	UNWIND_HINT_FUNC
	RET
SYM_FUNC_END(kvmw_direct_go_on)

SYM_FUNC_START(kvmw_direct_spte_change)
	thunk kvmw_ftrace_spte_change stack_pointer
SYM_FUNC_END(kvmw_direct_spte_change)

SYM_FUNC_START(kvmw_direct_spte_change_page)
	thunk kvmw_ftrace_spte_change_page stack_pointer
SYM_FUNC_END(kvmw_direct_spte_change_page)

SYM_FUNC_START(kvmw_direct_dirty_mark)
	thunk kvmw_ftrace_dirty_mark caller
SYM_FUNC_END(kvmw_direct_dirty_mark)

SYM_FUNC_START(kvmw_direct_vcpu_load)
	thunk kvmw_ftrace_vcpu_load nothing
SYM_FUNC_END(kvmw_direct_vcpu_load)

SYM_FUNC_START(kvmw_direct_vcpu_put)
	thunk kvmw_ftrace_vcpu_put nothing
SYM_FUNC_END(kvmw_direct_vcpu_put)

SYM_FUNC_START(kvmw_direct_load_cost)
	timing_thunk kvmw_ftrace_vcpu_load kvmw_timed_load_cost
SYM_FUNC_END(kvmw_direct_load_cost)

SYM_FUNC_START(kvmw_direct_put_cost)
	timing_thunk kvmw_ftrace_vcpu_put kvmw_timed_put_cost
SYM_FUNC_END(kvmw_direct_put_cost)
