/* SPDX-License-Identifier: GPL-2.0 */
/* Arguments of a hooked function, from the registers at its entry. */
#ifndef KVMW_REGS_H
#define KVMW_REGS_H

#include <linux/ptrace.h>

/* Arguments 1 to 6 are in registers, the others on the stack. */
#define KVMW_ARG1(regs)	((regs)->di)
#define KVMW_ARG2(regs)	((regs)->si)
#define KVMW_ARG3(regs)	((regs)->dx)
#define KVMW_ARG4(regs)	((regs)->cx)
#define KVMW_ARG5(regs)	((regs)->r8)
#define KVMW_ARG6(regs)	((regs)->r9)
#define KVMW_ARG7(regs)	(((const unsigned long *)(regs)->sp)[1])

#endif /* KVMW_REGS_H */
