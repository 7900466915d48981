// SPDX-License-Identifier: GPL-2.0
/* Names of VMs in the export. See export_names.h. */
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export_names.h"

static int compare_labels(const void *a, const void *b)
{
	const struct export_name *x = a, *y = b;

	return strcmp(x->label, y->label);
}

static int compare_ids(const void *a, const void *b)
{
	const struct export_name *const *x = a, *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static struct export_name **find(const struct export_names *names, const struct vm *vm)
{
	const struct export_name key = { .id = vm->info.id }, *pointer = &key;
	struct export_name **found;

	if (!names->nr)
		return NULL;
	found = bsearch(&pointer, names->all, names->nr, sizeof(*names->all), compare_ids);
	return found && !strcmp((*found)->vm, vm->info.name) ? found : NULL;
}

/* Is this a label that the VM may have: its name, alone or with a suffix? */
static bool fits(const struct export_name *name, const struct vm *vm)
{
	char base[EXPOSE_MAX_LABEL + 1];
	size_t len;

	expose_clean(base, vm->guest ? vm->guest : vm->info.name);
	len = strlen(base);
	return !strcmp(name->vm, vm->info.name) && !strncmp(name->label, base, len) &&
	       (!name->label[len] || name->label[len] == '@');
}

/* Find the name of a VM that has got another id. */
static struct export_name **find_again(const struct export_names *names, const struct vm *vm)
{
	size_t i;

	for (i = 0; i < names->nr; i++) {
		if (!names->all[i]->listed && fits(names->all[i], vm))
			return &names->all[i];
	}
	return NULL;
}

static void forget(struct export_names *names, struct export_name *name)
{
	if (name)
		tdelete(name, &names->labels, compare_labels);
	free(name);
}

/* Take this label for @name. False: another VM has it. */
static bool claim(struct export_names *names, struct export_name *name)
{
	struct export_name **in = tsearch(name, &names->labels, compare_labels);

	return in && *in == name;
}

/* Each try is another label, so there are at most as many tries as VMs. */
static int choose(struct export_names *names, struct export_name *name, const struct vm *vm)
{
	char base[EXPOSE_MAX_LABEL + 1];
	size_t try;

	expose_clean(base, vm->guest ? vm->guest : vm->info.name);
	for (try = 0; try < names->nr + 2; try++) {
		if (!try)
			snprintf(name->label, sizeof(name->label), "%s", base);
		else if (try == 1)
			snprintf(name->label, sizeof(name->label), "%s@%s", base, name->vm);
		else
			snprintf(name->label, sizeof(name->label), "%s@%s.%zu", base, name->vm,
				 try);
		if (claim(names, name))
			return 0;
	}
	return -ENOMEM;
}

static struct export_name *make(struct export_names *names, const struct vm *vm)
{
	struct export_name *name = calloc(1, sizeof(*name));

	if (!name)
		return NULL;
	name->id = vm->info.id;
	memcpy(name->vm, vm->info.name, sizeof(name->vm));
	name->vm[sizeof(name->vm) - 1] = '\0';
	if (!choose(names, name, vm))
		return name;
	free(name);
	return NULL;
}

/* VMs that have ended give up their labels before new ones choose. */
int export_names_update(struct export_names *names, __u64 instance, const struct vm *const *vms,
			size_t nr)
{
	struct export_name **all = calloc(nr + 1, sizeof(*all)), **old;
	int err = 0;
	size_t i;

	if (!all)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		old = instance == names->instance ? find(names, vms[i]) :
						    find_again(names, vms[i]);
		if (!old)
			continue;
		all[i] = *old;
		all[i]->id = vms[i]->info.id;
		all[i]->listed = true;
	}
	names->instance = instance;
	for (i = 0; i < names->nr; i++) {
		if (!names->all[i]->listed)
			forget(names, names->all[i]);
	}
	free(names->all);
	names->all = all;
	names->nr = nr;
	for (i = 0; i < nr; i++) {
		if (all[i])
			all[i]->listed = false;
	}
	for (i = 0; i < nr && !err; i++) {
		if (!all[i])
			all[i] = make(names, vms[i]);
		if (!all[i])
			err = -ENOMEM;
	}
	if (err)
		export_names_free(names);
	return err;
}

void export_names_free(struct export_names *names)
{
	size_t i;

	for (i = 0; i < names->nr; i++)
		forget(names, names->all[i]);
	free(names->all);
	memset(names, 0, sizeof(*names));
}
