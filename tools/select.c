// SPDX-License-Identifier: GPL-2.0
/* The VMs of a command: all, or those that --vm selects. See select.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "guest_names.h"
#include "libkvmwatch.h"
#include "select.h"
#include "text.h"
#include "uuid.h"

/* Limits of a message: number of VMs, and of characters of the argument */
#define MAX_CANDIDATES	8
#define MAX_SHOWN	64

/*
 * What the argument of --vm may mean. Tenants choose guest names, and maybe UUIDs, so no meaning
 * has precedence over another.
 */
enum meaning { NAME, GUEST, PID, ID, UUID, UNIT, NR_MEANINGS };

static const char *const prefixes[NR_MEANINGS] = {
	"name:", "guest:", "pid:", "id:", "uuid:", "unit:"
};

#define ANY	((1U << NR_MEANINGS) - 1)

/* The argument without its prefix, if it has one, and its possible meanings, as bits. */
struct wanted {
	const char *text;
	unsigned int meanings;
	__u64 number;
	char uuid[UUID_TEXT_SIZE];
	bool one;	/* it may match only one VM */
};

static int parse(const char *arg, struct wanted *wanted)
{
	unsigned int cannot = 0, i;
	size_t len;

	wanted->text = arg;
	wanted->meanings = ANY;
	wanted->one = true;
	for (i = 0; i < NR_MEANINGS; i++) {
		len = strlen(prefixes[i]);
		if (strncmp(arg, prefixes[i], len))
			continue;
		wanted->text = arg + len;
		wanted->meanings = 1U << i;
		wanted->one = i == UUID;
		break;
	}
	if (!text_parse_u64(wanted->text, &wanted->number))
		cannot |= 1U << PID | 1U << ID;
	if (!uuid_from_text(wanted->text, wanted->uuid))
		cannot |= 1U << UUID;
	wanted->meanings &= ~cannot;
	return wanted->meanings ? 0 : -EINVAL;
}

static bool same(const char *name, const char *wanted)
{
	return name && !strcmp(name, wanted);
}

static bool means(const struct wanted *wanted, enum meaning meaning, const struct vm *vm)
{
	switch (meaning) {
	case NAME:
		return !strcmp(vm->info.name, wanted->text);
	case GUEST:
		return same(vm->guest, wanted->text);
	case PID:
		return vm->info.pid > 0 && (__u64)vm->info.pid == wanted->number;
	case UUID:
		return same(vm->uuid, wanted->uuid);
	case UNIT:
		return same(vm->unit, wanted->text) || same(vm->user_unit, wanted->text);
	default:
		return vm->info.id == wanted->number;
	}
}

/* The meanings by which the argument matches this VM, as bits. */
static unsigned int meanings_of(const struct wanted *wanted, const struct vm *vm)
{
	unsigned int bits = 0, i;

	for (i = 0; i < NR_MEANINGS; i++) {
		if (wanted->meanings & 1U << i && means(wanted, i, vm))
			bits |= 1U << i;
	}
	return bits;
}

/* Several meanings are allowed if they match the same VMs. */
int select_match(const char *arg, const struct vm *vms, size_t nr, bool *match)
{
	unsigned int used = 0, bits;
	struct wanted wanted;
	int err, found = 0;
	size_t i;

	err = parse(arg, &wanted);
	if (err)
		return err;
	for (i = 0; i < nr; i++)
		used |= meanings_of(&wanted, &vms[i]);
	for (i = 0; i < nr; i++) {
		bits = meanings_of(&wanted, &vms[i]);
		if (bits && bits != used)
			return -EEXIST;
		match[i] = bits;
		found += match[i];
	}
	if (wanted.one && found > 1)
		return -EEXIST;
	return found ? found : -ENOENT;
}

char *select_candidates(const char *arg, const struct vm *vms, size_t nr)
{
	const char *separator = "";
	unsigned int m, shown = 0;
	struct wanted wanted;
	char *text = NULL;
	size_t i, len;
	FILE *f;

	f = parse(arg, &wanted) ? NULL : open_memstream(&text, &len);
	if (!f)
		return NULL;
	for (m = 0; m < NR_MEANINGS; m++) {
		for (i = 0; i < nr; i++) {
			if (!(meanings_of(&wanted, &vms[i]) & 1U << m))
				continue;
			if (shown++ < MAX_CANDIDATES)
				fprintf(f, "%s%s%.*s is VM %llu (%s)", separator, prefixes[m],
					MAX_SHOWN, wanted.text, vms[i].info.id, vms[i].info.name);
			separator = ", ";
		}
	}
	if (shown > MAX_CANDIDATES)
		fprintf(f, " and %u more", shown - MAX_CANDIDATES);
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

static void vm_put(struct vm *vm)
{
	free(vm->guest);
	free(vm->uuid);
	free(vm->unit);
	free(vm->user_unit);
}

void vms_put(struct vm *vms, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		vm_put(&vms[i]);
	free(vms);
}

void selection_free(struct selection *selection)
{
	free(selection->ids);
	selection->ids = NULL;
	selection->nr = 0;
	selection->resolved = false;
	guest_names_free(selection->names);
	selection->names = NULL;
}

/* List all VMs of the host, with their names. */
static int get_all(int dev, struct guest_names **names, struct vm **vms, size_t *nr)
{
	struct kvmwatch_vm *infos;
	struct vm *all;
	size_t i;
	int err;

	err = kvmwatch_list_vms(dev, &infos, nr);
	if (err)
		return err;
	all = calloc(*nr + 1, sizeof(*all));
	if (!all) {
		free(infos);
		return -ENOMEM;
	}
	for (i = 0; i < *nr; i++)
		all[i].info = infos[i];
	free(infos);
	err = guest_names_fill(names, all, *nr);
	if (err) {
		vms_put(all, *nr);
		return err;
	}
	*vms = all;
	return 0;
}

/* Keep VMs whose @keep is set, and free the others. */
static void keep_only(struct vm *vms, size_t *nr, const bool *keep)
{
	size_t i, kept = 0;

	for (i = 0; i < *nr; i++) {
		if (keep[i])
			vms[kept++] = vms[i];
		else
			vm_put(&vms[i]);
	}
	*nr = kept;
}

static int compare_ids(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int resolve(struct selection *selection, const struct vm *vms, size_t nr, bool *match)
{
	size_t i, n = 0;
	int found;

	found = select_match(selection->arg, vms, nr, match);
	if (found < 0)
		return found;
	selection->ids = calloc(found, sizeof(*selection->ids));
	if (!selection->ids)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		if (match[i])
			selection->ids[n++] = vms[i].info.id;
	}
	qsort(selection->ids, n, sizeof(*selection->ids), compare_ids);
	selection->nr = n;
	selection->resolved = true;
	return 0;
}

static bool is_selected(const struct selection *selection, __u64 id)
{
	return bsearch(&id, selection->ids, selection->nr, sizeof(id), compare_ids);
}

static int complain_ambiguous(const char *arg, const struct vm *vms, size_t nr)
{
	char *candidates = select_candidates(arg, vms, nr);

	if (!candidates)
		return device_complain(-ENOMEM);
	complain(arg, "this could mean different VMs: %s; write which, or id:N for one of them",
		 candidates);
	free(candidates);
	return EXIT_COULD_NOT;
}

static int complain_selection(const char *arg, int err, const struct vm *vms, size_t nr)
{
	switch (err) {
	case -ENOENT:
		return complain(arg, "no such VM; kvmwatch list shows those that there are");
	case -EEXIST:
		return complain_ambiguous(arg, vms, nr);
	case -EINVAL:
		complain(arg, "pid: and id: want a number, uuid: wants a UUID");
		return EXIT_USAGE;
	default:
		return device_complain(err);
	}
}

/* Of all VMs, keep those that are selected. */
static int choose(struct selection *selection, struct vm *vms, size_t *nr)
{
	bool *match = calloc(*nr + 1, sizeof(*match));
	int err = 0;
	size_t i;

	if (!match)
		return -ENOMEM;
	if (!selection->resolved)
		err = resolve(selection, vms, *nr, match);
	if (!err) {
		for (i = 0; i < *nr; i++)
			match[i] = is_selected(selection, vms[i].info.id);
		keep_only(vms, nr, match);
	}
	free(match);
	return err;
}

int vms_get(int dev, struct selection *selection, struct vm **vms, size_t *nr)
{
	struct vm *all;
	size_t nr_all;
	int err;

	*vms = NULL;
	*nr = 0;
	err = get_all(dev, &selection->names, &all, &nr_all);
	if (err)
		return device_complain(err);
	/* No VM is listed: because there is none? */
	if (!nr_all && device_blind(dev)) {
		vms_put(all, nr_all);
		return EXIT_COULD_NOT;
	}
	if (selection->arg)
		err = choose(selection, all, &nr_all);
	if (err) {
		err = complain_selection(selection->arg, err, all, nr_all);
		vms_put(all, nr_all);
		return err;
	}
	*vms = all;
	*nr = nr_all;
	return 0;
}

bool kvm_is_loaded(void)
{
	return !access("/sys/module/kvm", F_OK);
}

int vms_none(const struct selection *selection, const char *what)
{
	if (selection->arg)
		return complain(selection->arg,
				"this VM has ended; kvmwatch list shows those that there are");
	if (!kvm_is_loaded())
		complain(what, "no VM, as kvm.ko is not loaded");
	else
		complain(what, "no VM runs here now");
	return EXIT_DONE;
}
