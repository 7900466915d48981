/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much of a VM's memory, or of a slot, has dirty logging on: what a dirty rate covers.
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
 * struct logged - memory with dirty logging at one moment
 * @known:	the other members are valid
 * @ring:	dirty pages go to rings instead of bitmaps
 * @slots:	number of logged slots
 * @bytes:	guest memory in them
 * @memory:	all memory of the guest, or of the slot
 */
struct logged {
	bool known;
	bool ring;
	__u64 slots;
	__u64 bytes;
	__u64 memory;
};

/* For a VM or slot: @item is its index in a sample of its kind; -1: the sample lacks it. */
struct logged logged_of(const struct sample *sample, long item);

/* Is anything logged, and is all of it? */
bool logged_any(const struct logged *logged);
bool logged_all(const struct logged *logged);

/* "off", "part" or "all"; NULL: unknown. For JSON and CSV. */
const char *logged_word(const struct logged *logged);

/* The same for people: "off", "on", "16.0 MiB of 2.00 GiB", "on (ring)", "unknown". */
void logged_text(const struct logged *logged, char *buf, size_t size);

/*
 * Why the growth of marks between two moments gives no rate; NULL: it gives one. If the logged
 * memory changed in between, the marks belong to an unknown part of the time.
 */
const char *logged_no_rate(const struct logged *now, const struct logged *before);

/*
 * The statistic of a dirty rate: "dirty_marks_new", which counts pages that are not in the log yet.
 * With rings, which do not remember earlier pages, "dirty_marks".
 */
const char *logged_stat(const struct logged *logged);

#endif /* KVMWATCH_LOGGED_H */
