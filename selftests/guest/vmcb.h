/* SPDX-License-Identifier: GPL-2.0 */
/* AMD's VMCB, by which the nested guest runs. */
#ifndef GUEST_VMCB_H
#define GUEST_VMCB_H

#include <assert.h>
#include <stddef.h>
#include <linux/types.h>

#include "guest.h"

/* Pages in the slot of guest_nest(): one for each vCPU, then page tables. */
#define VMCB_PAGE	0
#define HSAVE_PAGE	(VMCB_PAGE + GUEST_MAX_VCPUS)
#define ROOT_PAGE	(HSAVE_PAGE + GUEST_MAX_VCPUS)

/* PTE_TABLE with user rights, as a nested walk reads with these. */
#define PTE_USER	((__u64)GUEST_NEST_ENTRY)
#define PTE_USER_HUGE	(PTE_USER | 0x80)

#define MSR_VM_HSAVE_PA	0xc0010117

/* The members of the VMCB in AMD's manual that are not 0 here. */
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
#define INTERCEPT_INTR		1U	/* bit of the fourth word */
#define INTERCEPT_SHUTDOWN	0x80000000U
#define INTERCEPT_VMRUN		1U	/* bit of the fifth word */
#define INTERCEPT_VMMCALL	2U
#define INTERRUPTS_MASKED	0x1000000U	/* the host's flags say whether interrupts are on */

#define VMEXIT_PF	0x4e
#define VMEXIT_INTR	0x60
#define VMEXIT_VMMCALL	0x81
#define VMEXIT_NPF	0x400

#endif /* GUEST_VMCB_H */
