/* SPDX-License-Identifier: GPL-2.0 */
/* Between the two halves of the cycles benchmark: subject.c is kernel code, main.c a program. */
#ifndef CYCLES_H
#define CYCLES_H

struct cycles_event {
	const char *name;
	void (*prepare)(void);
	void (*once)(void);
	unsigned long long (*count)(void);	/* what it has counted so far; NULL: nothing */
};

/* The first does nothing. The last has no name. */
extern const struct cycles_event cycles_events[];

/* The linker's: where the program's code is, and where sections of the objects begin and end. */
#ifdef __KERNEL__
extern struct alt_instr __start_altinstructions[], __stop_altinstructions[];
extern struct jump_entry __start___jump_table[], __stop___jump_table[];
extern s32 __start_return_sites[], __stop_return_sites[];
#else
extern char __executable_start[], etext[], __data_start[], _end[];
#endif

void cycles_setup(void);
/* Patch the code, which is writable, as a kernel does when it loads a module. Once. */
void cycles_patch(void);

#endif /* CYCLES_H */
