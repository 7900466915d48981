// SPDX-License-Identifier: GPL-2.0
/* Huge pages that go and come again. See huge_changes.h. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "huge_changes.h"

#define PAGES_OF(level)	(1ULL << 9 * ((level) - 1))
/* 250 MB with what tsearch() takes: 8 TiB in pages of 2 MiB */
#define MAX_GONE	4000000

/* A page that went; those are all in a tree. */
struct gone {
	__u64 vm, gfn;
	__u16 as_id;
	__u8 level;
	__u8 cause;
	__u64 ns;
};

struct vm_changes {
	__u64 vm;
	struct huge_cause causes[HUGE_CAUSES];
};

struct huge_changes {
	void *gone;	/* of tsearch() */
	size_t nr_gone;
	struct vm_changes *vms;
	size_t nr;
};

struct huge_changes *huge_changes_new(void)
{
	return calloc(1, sizeof(struct huge_changes));
}

void huge_changes_free(struct huge_changes *changes)
{
	if (!changes)
		return;
	tdestroy(changes->gone, free);
	free(changes->vms);
	free(changes);
}

static int compare(const void *x, const void *y)
{
	const struct gone *a = x, *b = y;

	if (a->vm != b->vm)
		return a->vm < b->vm ? -1 : 1;
	if (a->gfn != b->gfn)
		return a->gfn < b->gfn ? -1 : 1;
	if (a->as_id != b->as_id)
		return a->as_id < b->as_id ? -1 : 1;
	return (int)a->level - b->level;
}

/* A VM keeps its place in the array, not its address. */
static struct vm_changes *vm_of(struct huge_changes *changes, __u64 vm)
{
	struct vm_changes *more;
	size_t i;

	for (i = 0; i < changes->nr; i++) {
		if (changes->vms[i].vm == vm)
			return &changes->vms[i];
	}
	more = realloc(changes->vms, (changes->nr + 1) * sizeof(*more));
	if (!more)
		return NULL;
	changes->vms = more;
	more += changes->nr++;
	memset(more, 0, sizeof(*more));
	more->vm = vm;
	return more;
}

static void form_again(struct huge_cause *cause, __u64 ns)
{
	__u64 limit = 1000000;
	size_t i = 0;

	for (; i < HUGE_TIMES - 1 && ns >= limit; i++)
		limit *= 10;
	cause->times[i]++;
	cause->again++;
	cause->left--;
	cause->again_ns += ns;
	if (ns > cause->again_ns_max)
		cause->again_ns_max = ns;
}

static void find_gone(struct huge_changes *changes, struct vm_changes *vm,
		      const struct huge_event *event, __u64 gfn, __u8 level)
{
	const struct gone key = {
		.vm = event->vm, .gfn = gfn, .as_id = event->as_id, .level = level,
	};
	struct gone **found = tfind(&key, &changes->gone, compare), *gone;

	if (!found)
		return;
	gone = *found;
	form_again(&vm->causes[gone->cause], event->ns - gone->ns);
	tdelete(&key, &changes->gone, compare);
	free(gone);
	changes->nr_gone--;
}

/* A larger leaf has all smaller ones in it. */
static void map_one(struct huge_changes *changes, struct vm_changes *vm,
		    const struct huge_event *event, __u64 gfn)
{
	__u64 inner;

	find_gone(changes, vm, event, gfn, event->level);
	if (event->level == 2)
		return;
	for (inner = gfn; inner < gfn + PAGES_OF(3) && changes->nr_gone; inner += PAGES_OF(2))
		find_gone(changes, vm, event, inner, 2);
}

static int add_gone(struct huge_changes *changes, struct vm_changes *vm,
		    const struct huge_event *event)
{
	struct gone *gone, **found;

	if (changes->nr_gone == MAX_GONE)
		return -E2BIG;
	gone = malloc(sizeof(*gone));
	if (!gone)
		return -ENOMEM;
	*gone = (struct gone){
		.vm = event->vm, .gfn = event->gfn, .as_id = event->as_id, .level = event->level,
		.cause = event->cause, .ns = event->ns,
	};
	found = tsearch(gone, &changes->gone, compare);
	if (!found || *found != gone) {
		free(gone);
		return found ? 0 : -ENOMEM;
	}
	changes->nr_gone++;
	vm->causes[event->cause].left++;
	return 0;
}

int huge_changes_add(struct huge_changes *changes, const struct huge_event *event)
{
	struct vm_changes *vm;
	__u64 i;

	if (event->level < 2 || event->level > 3 || event->cause >= HUGE_CAUSES)
		return 0;
	vm = vm_of(changes, event->vm);
	if (!vm)
		return -ENOMEM;
	if (!event->map) {
		vm->causes[event->cause].unmapped[event->level - 2]++;
		return add_gone(changes, vm, event);
	}
	vm->causes[event->cause].mapped[event->level - 2] += event->leaves;
	for (i = 0; i < event->leaves && changes->nr_gone; i++)
		map_one(changes, vm, event, event->gfn + i * PAGES_OF(event->level));
	return 0;
}

bool huge_changes_of(const struct huge_changes *changes, __u64 vm,
		     struct huge_cause causes[HUGE_CAUSES])
{
	size_t i;

	for (i = 0; i < changes->nr; i++) {
		if (changes->vms[i].vm != vm)
			continue;
		memcpy(causes, changes->vms[i].causes, sizeof(changes->vms[i].causes));
		return true;
	}
	memset(causes, 0, HUGE_CAUSES * sizeof(*causes));
	return false;
}
