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

void cycles_setup(void);
/* Patch the code, which is writable, as a kernel does when it loads a module. Once. */
void cycles_patch(void);

#endif /* CYCLES_H */
