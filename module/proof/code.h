/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A census of machine code (x86-64): who changes a counter, and who calls a function.
 *
 * It looks at each byte as if an instruction began there, so that it misses none; what it
 * finds may at times be part of another one. For a proof that nobody else does something, that
 * errs on the right side; kvmw_code_begins() tells. This compiles in the kernel and in programs.
 */
#ifndef KVMW_PROOF_CODE_H
#define KVMW_PROOF_CODE_H

#include "proof/base.h"

struct kvmw_code {
	const __u8	*bytes;
	size_t		size;
	unsigned long	address;	/* of the first */
};

/* An instruction that changes a counter, or takes its address. */
struct kvmw_change {
	size_t		at;		/* in the bytes */
	bool		constant;	/* a number is added, by: */
	__s32		by;
};

/*
 * The next instruction from @at on that changes one of the @nr counters of 8 bytes each that are
 * @offset into a structure, atomically, by an index or not; or takes the address of one by an
 * index. False: there is none.
 */
bool kvmw_code_change(const struct kvmw_code *code, size_t at, __u32 offset, unsigned int nr,
		      struct kvmw_change *change);

/* The next call of, or jump to @target from @at on, in the bytes; false: there is none. */
bool kvmw_code_call(const struct kvmw_code *code, size_t at, unsigned long target, size_t *found);

/* A function, and whether another one calls it or jumps to it */
struct kvmw_callee {
	unsigned long	address;
	__u32		size;
	bool		called;
};

/*
 * Does an instruction begin at @at in the code? @arg is the caller's. Who says yes because it does
 * not know makes a function called.
 */
typedef bool kvmw_code_begins_fn(const void *arg, const struct kvmw_code *code, size_t at);

/*
 * Find out which of these functions are called in the code; what is called already stays so. What
 * looks like a call counts only where @begins says that an instruction does.
 */
void kvmw_code_callees(const struct kvmw_code *code, struct kvmw_callee *callees, size_t nr,
		       kvmw_code_begins_fn *begins, const void *arg);

/*
 * The next call or jump to far away from @at on, and where to; false: there is none. It looks at
 * each byte, so that not all that it finds are calls.
 */
bool kvmw_code_branch(const struct kvmw_code *code, size_t at, size_t *found,
		      unsigned long *target);

/*
 * Does an instruction begin at @at, in the function from @function on? A jump to near by is two
 * bytes that may well be in another instruction; of a kernel that runs, even in one boot and not in
 * another, as addresses are drawn at random. Yes, if the function has what nobody knows.
 */
bool kvmw_code_begins(const struct kvmw_code *code, size_t function, size_t at);

/*
 * Does a function, which is the @size bytes from @at on, jump to @target, and change no register of
 * an argument? Then @target has the same arguments in the same registers. This one reads a function
 * instruction by instruction, and says no to an instruction that it does not know.
 */
bool kvmw_code_passes_on(const struct kvmw_code *code, size_t at, size_t size,
			 unsigned long target);

#endif /* KVMW_PROOF_CODE_H */
