// SPDX-License-Identifier: GPL-2.0
/*
 * How long instructions are. See insn.h. Compilers make no others for kernels: none of vectors
 * (VEX, EVEX), and none that 64-bit code does not have.
 */
#include "proof/insn.h"

#define UNKNOWN	-1

/* What the prefixes of an instruction say */
struct prefixes {
	bool	short_number;	/* numbers of 4 bytes have 2 */
	bool	wide;		/* REX.W */
};

size_t kvmw_insn_modrm(const __u8 *at, size_t left)
{
	static const size_t offset_size[] = { 0, 1, 4, 0 };
	unsigned int mod;
	size_t length;
	bool sib;

	if (left < 2)
		return 0;
	mod = at[0] >> 6;
	sib = mod != 3 && (at[0] & 7) == 4;
	length = 1 + sib + offset_size[mod];
	if (!mod && ((at[0] & 7) == 5 || (sib && (at[1] & 7) == 5)))
		length += 4;
	return length <= left ? length : 0;
}

static size_t read_prefixes(const __u8 *at, size_t left, struct prefixes *found)
{
	size_t i;

	*found = (struct prefixes){ 0 };
	for (i = 0; i < left; i++) {
		switch (at[i]) {
		case 0x66:
			found->short_number = true;
			continue;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
		case 0xf0: case 0xf2: case 0xf3:
			continue;
		}
		break;
	}
	if (i < left && (at[i] & 0xf0) == 0x40) {
		found->wide = at[i] & 8;
		i++;
	}
	return i;
}

static int number_size(const struct prefixes *prefixes)
{
	return prefixes->short_number ? 2 : 4;
}

/* One byte of opcode, ModRM, a number: how many bytes the number has */
static int number_behind_modrm(const __u8 *opcode, const struct prefixes *prefixes)
{
	const bool test = !(opcode[1] >> 3 & 6);

	switch (opcode[0]) {
	case 0x6b: case 0x80: case 0x83: case 0xc0: case 0xc1: case 0xc6:
		return 1;
	case 0x69: case 0x81: case 0xc7:
		return number_size(prefixes);
	case 0xf6:
		return test;
	case 0xf7:
		return test ? number_size(prefixes) : 0;
	case 0x63: case 0x84 ... 0x8f: case 0xd0 ... 0xd3: case 0xd8 ... 0xdf: case 0xfe: case 0xff:
		return 0;
	}
	return opcode[0] < 0x40 && !(opcode[0] & 4) ? 0 : UNKNOWN;
}

/* One byte of opcode, a number */
static int number_alone(__u8 opcode, const struct prefixes *prefixes)
{
	switch (opcode) {
	case 0x50 ... 0x5f: case 0x6c ... 0x6f: case 0x90 ... 0x99: case 0x9b ... 0x9f:
	case 0xa4 ... 0xa7: case 0xaa ... 0xaf: case 0xc3: case 0xc9: case 0xcb: case 0xcc:
	case 0xcf: case 0xec ... 0xef: case 0xf1: case 0xf4: case 0xf5: case 0xf8 ... 0xfd:
		return 0;
	case 0x6a: case 0x70 ... 0x7f: case 0xa8: case 0xb0 ... 0xb7: case 0xcd:
	case 0xe0 ... 0xe7: case 0xeb:
		return 1;
	case 0xc2:
		return 2;
	case 0x68: case 0xa9:
		return number_size(prefixes);
	case 0xe8: case 0xe9:
		return 4;
	case 0xb8 ... 0xbf:
		return prefixes->wide ? 8 : number_size(prefixes);
	}
	if (opcode < 0x40 && (opcode & 7) == 4)
		return 1;
	return opcode < 0x40 && (opcode & 7) == 5 ? number_size(prefixes) : UNKNOWN;
}

/* Behind 0x0f: opcode, a number */
static int number_alone_far(__u8 opcode)
{
	switch (opcode) {
	case 0x05 ... 0x09: case 0x0b: case 0x30 ... 0x37: case 0x77: case 0xa0 ... 0xa2:
	case 0xa8 ... 0xaa: case 0xc8 ... 0xcf:
		return 0;
	case 0x80 ... 0x8f:
		return 4;
	}
	return UNKNOWN;
}

/* Behind 0x0f: opcode, ModRM, a number */
static int number_behind_modrm_far(__u8 opcode)
{
	switch (opcode) {
	case 0x70 ... 0x73: case 0xa4: case 0xac: case 0xba: case 0xc2: case 0xc4 ... 0xc6:
		return 1;
	case 0x04: case 0x0a: case 0x0c: case 0x0e: case 0x0f: case 0x24 ... 0x27:
		return UNKNOWN;
	}
	return 0;
}

static size_t with_modrm(size_t opcode, const __u8 *at, size_t left, int number)
{
	const size_t modrm = left > opcode ? kvmw_insn_modrm(at + opcode, left - opcode) : 0;

	return modrm && number >= 0 ? opcode + modrm + number : 0;
}

/* Opcodes of two bytes and three */
static size_t far_length(const __u8 *at, size_t left)
{
	int number;

	if (at[1] == 0x38)
		return with_modrm(3, at, left, 0);
	if (at[1] == 0x3a)
		return with_modrm(3, at, left, 1);
	number = number_alone_far(at[1]);
	if (number >= 0)
		return 2 + number;
	return with_modrm(2, at, left, number_behind_modrm_far(at[1]));
}

static size_t near_length(const __u8 *at, size_t left, const struct prefixes *prefixes)
{
	int number = number_alone(at[0], prefixes);

	if (number >= 0)
		return 1 + number;
	if (left < 2)
		return 0;
	return with_modrm(1, at, left, number_behind_modrm(at, prefixes));
}

size_t kvmw_insn_length(const __u8 *at, size_t left)
{
	struct prefixes prefixes;
	size_t begin = read_prefixes(at, left, &prefixes), length;

	if (begin == left)
		return 0;
	if (at[begin] != 0x0f)
		length = near_length(at + begin, left - begin, &prefixes);
	else
		length = left - begin < 2 ? 0 : far_length(at + begin, left - begin);
	return length && begin + length <= left ? begin + length : 0;
}
