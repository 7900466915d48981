/* SPDX-License-Identifier: GPL-2.0 */
/* How long instructions are (x86-64). Compiles in the kernel and in programs. */
#ifndef KVMW_PROOF_INSN_H
#define KVMW_PROOF_INSN_H

#include "proof/base.h"

/* The length of ModRM and what belongs to it; 0: it is not all there. */
size_t kvmw_insn_modrm(const __u8 *at, size_t left);

/* The length of an instruction; 0: it is not all there, or not one that kernels are made of. */
size_t kvmw_insn_length(const __u8 *at, size_t left);

#endif /* KVMW_PROOF_INSN_H */
