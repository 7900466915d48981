/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much of a VM's memory, or of a slot, KVM logs as it gets dirty: what a dirty rate covers.
 *
 * Logging is a property of each slot. Under QEMU the slot of a VGA display is always logged, and
 * the others only while there is a migration.
 */
#ifndef KVMWATCH_LOGGED_H
#define KVMWATCH_LOGGED_H

#include <stdbool.h>
#include <stddef.h>

#include "sample.h"

/**
 * struct logged - what is logged at one moment
 * @known:	it is known; if not, the rest says nothing
 * @ring:	dirty pages go to rings instead of bitmaps
 * @slots:	how many slots are logged
 * @bytes:	guest memory in them
 * @memory:	all of the guest's memory, or of the slot
 */
struct logged {
	bool known;
	bool ring;
	__u64 slots;
	__u64 bytes;
	__u64 memory;
};

/* Of a VM or slot, which is @item of a sample of its kind; -1: it was not there. */
struct logged logged_of(const struct sample *sample, long item);

/* Is anything logged, and is all of it? */
bool logged_any(const struct logged *logged);
bool logged_all(const struct logged *logged);

/* "off", "part" or "all"; NULL: unknown. For JSON and CSV. */
const char *logged_word(const struct logged *logged);

/* The same for people: "off", "on", "16.0 MiB of 2.00 GiB", "on (ring)", "unknown". */
void logged_text(const struct logged *logged, char *buf, size_t size);

/*
 * Why growth of marks between two moments gives no rate; NULL: it does. If what is logged changed
 * in between, nobody knows which part of the time the marks are of.
 */
const char *logged_no_rate(const struct logged *now, const struct logged *before);

/*
 * What a dirty rate is of: "dirty_marks_new", pages that were not in the log yet; or, with rings,
 * which do not remember what they have had, "dirty_marks".
 */
const char *logged_stat(const struct logged *logged);

#endif /* KVMWATCH_LOGGED_H */
