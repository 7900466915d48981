// SPDX-License-Identifier: GPL-2.0
/* A census of machine code. See code.h. */
#include "proof/code.h"
#include "proof/insn.h"

#define LOCK		0xf0
#define LEA		0x8d
#define UNLOCKED	0x3e	/* what the kernel makes of LOCK while it has one CPU */

static __s32 number_at(const __u8 *at)
{
	return (__s32)((__u32)at[0] | (__u32)at[1] << 8 | (__u32)at[2] << 16 |
		       (__u32)at[3] << 24);
}

/* A memory operand with a register */
struct operand {
	bool	indexed;	/* by 8 bytes each */
	bool	folded;		/* what belongs into the offset may be in the index */
	__s32	offset;
	size_t	length;		/* of ModRM and what belongs to it */
};

static bool operand_at(const __u8 *at, size_t left, struct operand *operand)
{
	static const size_t offset_size[] = { 0, 1, 4 };
	unsigned int mod;
	bool sib;

	if (left < 2 || at[0] >> 6 == 3)
		return false;
	mod = at[0] >> 6;
	sib = (at[0] & 7) == 4;
	/* Without a register, or from the instruction itself: no member of a structure */
	if (!mod && ((at[0] & 7) == 5 || (sib && (at[1] & 7) == 5)))
		return false;
	operand->length = 1 + sib + offset_size[mod];
	if (left < operand->length)
		return false;
	/* Index 4 is none, but for r12. Taking that for an index errs on the right side. */
	operand->indexed = sib && at[1] >> 6 == 3;
	operand->folded = mod != 2;
	operand->offset = 0;
	if (mod == 1)
		operand->offset = (__s8)at[1 + sib];
	else if (mod == 2)
		operand->offset = number_at(at + 1 + sib);
	return true;
}

/*
 * Levels are counted from 1, so that the index may be one too high for its array. Compilers at
 * times add the array's place to the index: then the offset is small, whatever is counted.
 */
static bool is_counter(const struct operand *operand, __u32 offset, unsigned int nr)
{
	__s64 first = (__s64)offset - (operand->indexed ? 8 : 0);
	__s64 end = (__s64)offset + 8 * nr;

	if (operand->indexed && operand->folded)
		return true;
	return operand->offset >= first && operand->offset < end;
}

/* An atomic change of 8 bytes, behind its prefixes: how long its opcode is, or 0. */
static size_t change_opcode(const __u8 *at, size_t left, struct kvmw_change *change)
{
	change->constant = false;
	if (left < 2)
		return 0;
	switch (at[0]) {
	case 0x01:	/* add */
	case 0x29:	/* sub */
	case 0x87:	/* xchg */
		return 1;
	case 0x81:	/* add and others, of a number; but a comparison is never locked */
	case 0x83:
		return (at[1] >> 3 & 7) != 7;
	case 0xff:	/* inc, dec */
		return (at[1] >> 3 & 7) < 2;
	case 0x0f:	/* xadd, cmpxchg */
		return at[1] == 0xc1 || at[1] == 0xb1 ? 2 : 0;
	}
	return 0;
}

/* KVM counts by adding. What exchanges values, at an index, is a bitmap such as a dirty log's. */
static bool adds(const __u8 *opcode)
{
	return opcode[0] == 0x0f ? opcode[1] == 0xc1 : opcode[0] != 0x87;
}

static void find_constant(const __u8 *opcode, const __u8 *behind, size_t left,
			  struct kvmw_change *change)
{
	unsigned int what = opcode[1] >> 3 & 7;

	if (opcode[0] == 0xff) {
		change->constant = true;
		change->by = what ? -1 : 1;
		return;
	}
	if (opcode[0] == 0x83 && left >= 1)
		change->by = (__s8)behind[0];
	else if (opcode[0] == 0x81 && left >= 4)
		change->by = number_at(behind);
	else
		return;
	change->constant = !what || what == 5;	/* add, sub */
	if (what == 5)
		change->by = -change->by;
}

static bool is_rex_w(__u8 byte)
{
	return (byte & 0xf8) == 0x48;
}

/* lock, REX.W, opcode, operand */
static bool is_change(const __u8 *at, size_t left, __u32 offset, unsigned int nr,
		      struct kvmw_change *change)
{
	struct operand operand;
	size_t opcode;

	if (left < 3 || (at[0] != LOCK && at[0] != UNLOCKED) || !is_rex_w(at[1]))
		return false;
	at += 2;
	left -= 2;
	opcode = change_opcode(at, left, change);
	if (!opcode || !operand_at(at + opcode, left - opcode, &operand))
		return false;
	operand.folded &= adds(at);
	if (!is_counter(&operand, offset, nr))
		return false;
	find_constant(at, at + opcode + operand.length, left - opcode - operand.length, change);
	return true;
}

/* REX.W, lea, operand */
static bool is_address(const __u8 *at, size_t left, __u32 offset, unsigned int nr)
{
	struct operand operand;

	return left > 2 && is_rex_w(at[0]) && at[1] == LEA &&
	       operand_at(at + 2, left - 2, &operand) && operand.indexed && !operand.folded &&
	       is_counter(&operand, offset, nr);
}

#define ONES	0x0101010101010101ULL

/* Is one of eight bytes this one? */
static bool has_byte(__u64 eight, __u8 byte)
{
	__u64 zero = eight ^ ONES * byte;

	return (zero - ONES) & ~zero & ONES * 0x80;
}

/* May one of the next eight bytes begin what is looked for? Nearly none does. */
static bool may_be_near(const __u8 *at)
{
	__u64 first, second;

	memcpy(&first, at, sizeof(first));
	memcpy(&second, at + 1, sizeof(second));
	return has_byte(first, LOCK) || has_byte(first, UNLOCKED) || has_byte(second, LEA);
}

bool kvmw_code_change(const struct kvmw_code *code, size_t at, __u32 offset, unsigned int nr,
		      struct kvmw_change *change)
{
	const __u8 *bytes = code->bytes;
	size_t looked = at;	/* the bytes ahead of this may be it */

	for (; at + 1 < code->size; at++) {
		if (at >= looked) {
			while (code->size - at > 8 && !may_be_near(bytes + at))
				at += 8;
			looked = at + 8;
		}
		change->at = at;
		if (is_change(bytes + at, code->size - at, offset, nr, change))
			return true;
		if (is_address(bytes + at, code->size - at, offset, nr)) {
			change->constant = false;
			return true;
		}
	}
	return false;
}

/* A jump to near by */
static bool is_short_jump(const struct kvmw_code *code, size_t at, unsigned long target)
{
	const __u8 *bytes = code->bytes + at;

	return code->size - at >= 2 && (bytes[0] == 0xeb || (bytes[0] & 0xf0) == 0x70) &&
	       code->address + at + 2 + (__s8)bytes[1] == target;
}

/* Four bytes that are how far it is from behind them to the target: of a call or jump? */
static bool is_far(const struct kvmw_code *code, size_t from, size_t distance, size_t *found)
{
	const __u8 *bytes = code->bytes;

	if (distance >= from + 1 && (bytes[distance - 1] & 0xfe) == 0xe8) {
		*found = distance - 1;
		return true;
	}
	if (distance >= from + 2 && bytes[distance - 2] == 0x0f &&
	    (bytes[distance - 1] & 0xf0) == 0x80) {
		*found = distance - 2;
		return true;
	}
	return false;
}

/* Is one of the next eight distances one to the target, which is @wanted from the first? */
static bool may_be_far(const __u8 *at, __u32 wanted)
{
#define IS(i)	((__u32)number_at(at + (i)) == wanted - (i))
	return IS(0) || IS(1) || IS(2) || IS(3) || IS(4) || IS(5) || IS(6) || IS(7);
#undef IS
}

static bool find_far(const struct kvmw_code *code, size_t from, unsigned long target,
		     size_t *found)
{
	const __u32 wanted = target - code->address - 4;
	size_t at = from + 1, end;

	while (at + 4 <= code->size) {
		end = at + 8;
		if (end + 4 <= code->size && !may_be_far(code->bytes + at, wanted - (__u32)at)) {
			at = end;
			continue;
		}
		for (; at < end && at + 4 <= code->size; at++)
			if ((__u32)number_at(code->bytes + at) + (__u32)at == wanted &&
			    is_far(code, from, at, found))
				return true;
	}
	return false;
}

#define SHORT_MAX	130

bool kvmw_code_call(const struct kvmw_code *code, size_t at, unsigned long target, size_t *found)
{
	unsigned long place = target - code->address;
	size_t near = at, end = code->size;
	bool is_found;

	is_found = find_far(code, at, target, found);
	if (is_found)
		end = *found;
	if (place > code->size + SHORT_MAX)	/* in front of it, too */
		return is_found;
	if (place > SHORT_MAX && near < place - SHORT_MAX)
		near = place - SHORT_MAX;
	for (; near < end && near < place + SHORT_MAX; near++) {
		if (is_short_jump(code, near, target)) {
			*found = near;
			return true;
		}
	}
	return is_found;
}

/* How long a call or jump to far away is, by its first byte; 0: it is none. */
static const __u8 branch_lengths[256] = { [0x0f] = 6, [0xe8] = 5, [0xe9] = 5 };

bool kvmw_code_branch(const struct kvmw_code *code, size_t at, size_t *found,
		      unsigned long *target)
{
	const __u8 *byte = code->bytes + at, *end = code->bytes + code->size;
	size_t length;

	for (; byte < end; byte++) {
		length = branch_lengths[*byte];
		if (!length || end - byte < (long)length ||
		    (length == 6 && (byte[1] & 0xf0) != 0x80))
			continue;
		*found = byte - code->bytes;
		*target = code->address + *found + length + number_at(byte + length - 4);
		return true;
	}
	return false;
}

/*
 * Where calls are counted (retbleed=stuff), they lead to an instruction ahead of the function, in
 * room that is left for that.
 */
#define AHEAD	16

static bool is_call_of(const struct kvmw_callee *callee, unsigned long from,
		       unsigned long target, bool is_call)
{
	return (target == callee->address || (is_call && callee->address - target <= AHEAD)) &&
	       from - callee->address >= callee->size;
}

static bool has_short_jump(const struct kvmw_code *code, const struct kvmw_callee *callee,
			   kvmw_code_begins_fn *begins, const void *arg)
{
	unsigned long from = callee->address - SHORT_MAX, end = callee->address + SHORT_MAX;
	size_t at;

	if (from < code->address)
		from = code->address;
	for (; from < end && from - code->address < code->size; from++) {
		at = from - code->address;
		if (from - callee->address >= callee->size &&
		    is_short_jump(code, at, callee->address) && begins(arg, code, at))
			return true;
	}
	return false;
}

/* Where calls may lead to: by a part of the address, which tells most other functions apart. */
struct targets {
	bool wanted[512];
};

static bool *target_of(struct targets *targets, unsigned long address)
{
	return &targets->wanted[address / AHEAD % 512];
}

static void find_far_calls(const struct kvmw_code *code, struct kvmw_callee *callees, size_t nr,
			   kvmw_code_begins_fn *begins, const void *arg)
{
	struct targets targets = { };
	unsigned long target;
	size_t at, i;

	for (i = 0; i < nr; i++) {
		*target_of(&targets, callees[i].address) = true;
		*target_of(&targets, callees[i].address - AHEAD) = true;
	}
	for (at = 0; kvmw_code_branch(code, at, &at, &target); at++) {
		if (!*target_of(&targets, target))
			continue;
		for (i = 0; i < nr; i++)
			if (!callees[i].called &&
			    is_call_of(&callees[i], code->address + at, target,
				       code->bytes[at] == 0xe8))
				callees[i].called = begins(arg, code, at);
	}
}

void kvmw_code_callees(const struct kvmw_code *code, struct kvmw_callee *callees, size_t nr,
		       kvmw_code_begins_fn *begins, const void *arg)
{
	size_t i;

	find_far_calls(code, callees, nr, begins, arg);
	for (i = 0; i < nr; i++)
		if (!callees[i].called)
			callees[i].called = has_short_jump(code, &callees[i], begins, arg);
}

bool kvmw_code_begins(const struct kvmw_code *code, size_t function, size_t at)
{
	size_t length;

	while (function < at) {
		length = kvmw_insn_length(code->bytes + function, code->size - function);
		if (!length)
			return true;
		function += length;
	}
	return function == at;
}

/* --- a function that passes its arguments on --------------------------------- */

/* How many bytes of a number an instruction that only compares has; -1: it is another one. */
static int number_of_compare(const __u8 *opcode)
{
	const unsigned int what = opcode[1] >> 3 & 7;

	switch (opcode[0]) {
	case 0x38: case 0x39: case 0x3a: case 0x3b:	/* compare */
	case 0x84: case 0x85:				/* compare by and */
		return 0;
	case 0x80: case 0x83:				/* the same with a number */
		return what == 7 ? 1 : -1;
	case 0x81:
		return what == 7 ? 4 : -1;
	case 0xf6:					/* the same by and */
		return !what ? 1 : -1;
	case 0xf7:
		return !what ? 4 : -1;
	}
	return -1;
}

static size_t compare_length(const __u8 *at, size_t left)
{
	size_t prefix = left && (at[0] & 0xf0) == 0x40, modrm;
	int number;

	if (left < prefix + 2)
		return 0;
	number = number_of_compare(at + prefix);
	modrm = kvmw_insn_modrm(at + prefix + 1, left - prefix - 1);
	if (number < 0 || !modrm || prefix + 1 + modrm + number > left)
		return 0;
	return prefix + 1 + modrm + number;
}

/* A jump, by how its address is written */
static size_t jump_length(const __u8 *at, size_t left)
{
	if (left >= 2 && (at[0] == 0xeb || (at[0] & 0xf0) == 0x70))
		return 2;
	if (left >= 5 && at[0] == 0xe9)
		return 5;
	return left >= 6 && at[0] == 0x0f && (at[1] & 0xf0) == 0x80 ? 6 : 0;
}

/* Instructions that begin or end a function, or fill it: how they begin, and how long they are */
static size_t frame_length(const __u8 *at, size_t left)
{
	static const struct {
		__u8 bytes[4], known, length;
	} frame[] = {
		{ { 0xf3, 0x0f, 0x1e, 0xfa }, 4, 4 },	/* endbr64 */
		{ { 0x55 }, 1, 1 },			/* keep the frame pointer */
		{ { 0x48, 0x89, 0xe5 }, 3, 3 },		/* set it */
		{ { 0x48, 0x83, 0xec }, 3, 4 },		/* take stack */
		{ { 0x48, 0x83, 0xc4 }, 3, 4 },		/* give it back */
		{ { 0x5d }, 1, 1 },			/* restore the frame pointer */
		{ { 0xc9 }, 1, 1 },			/* both */
		{ { 0xc3 }, 1, 1 },			/* ret */
		{ { 0xcc }, 1, 1 },			/* int3, behind it */
		{ { 0x90 }, 1, 1 },			/* nop */
	};
	size_t i;

	for (i = 0; i < sizeof(frame) / sizeof(*frame); i++)
		if (left >= frame[i].length && !memcmp(at, frame[i].bytes, frame[i].known))
			return frame[i].length;
	return 0;
}

/* A nop that has an operand */
static size_t nop_length(const __u8 *at, size_t left)
{
	size_t modrm = 0;

	if (left > 2 && at[0] == 0x0f && at[1] == 0x1f)
		modrm = kvmw_insn_modrm(at + 2, left - 2);
	return modrm ? 2 + modrm : 0;
}

/* ftrace's call, if it is not a nop: it keeps all registers. */
static size_t fentry_length(const __u8 *at, size_t done, size_t left)
{
	return done <= 4 && left >= 5 && at[0] == 0xe8 ? 5 : 0;
}

/* An instruction that changes no register that has an argument; 0: another one, or unknown */
static size_t harmless_length(const __u8 *at, size_t done, size_t left)
{
	size_t length = compare_length(at, left);

	if (!length)
		length = frame_length(at, left);
	if (!length)
		length = nop_length(at, left);
	return length ? length : fentry_length(at, done, left);
}

static unsigned long jump_target(const struct kvmw_code *code, size_t at, size_t length)
{
	const __u8 *behind = code->bytes + at + length;

	return code->address + at + length +
	       (length == 2 ? (__s8)behind[-1] : number_at(behind - 4));
}

bool kvmw_code_passes_on(const struct kvmw_code *code, size_t at, size_t size,
			 unsigned long target)
{
	const size_t begin = at, end = at + size;
	bool reached = false;
	size_t length;

	for (; at < end; at += length) {
		length = jump_length(code->bytes + at, end - at);
		if (length) {
			reached |= jump_target(code, at, length) == target;
			continue;
		}
		length = harmless_length(code->bytes + at, at - begin, end - at);
		if (!length)
			return false;
	}
	return reached;
}
