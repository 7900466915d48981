// SPDX-License-Identifier: GPL-2.0
/* Which VMs a command is about: all, or what --vm picks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "guest_name.h"
#include "libkvmwatch.h"
#include "select.h"
#include "text.h"

static bool has_name(const struct vm *vm, const char *name)
{
	return !strcmp(vm->info.name, name);
}

static bool has_guest(const struct vm *vm, const char *guest)
{
	return vm->guest && !strcmp(vm->guest, guest);
}

static bool has_pid(const struct vm *vm, __u64 pid)
{
	return vm->info.pid > 0 && (__u64)vm->info.pid == pid;
}

static bool has_id(const struct vm *vm, __u64 id)
{
	return vm->info.id == id;
}

static int match_string(bool (*has)(const struct vm *vm, const char *s), const char *s,
			const struct vm *vms, size_t nr, bool *match)
{
	int found = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		match[i] = has(&vms[i], s);
		found += match[i];
	}
	return found ? found : -ENOENT;
}

static int match_number(bool (*has)(const struct vm *vm, __u64 n), const char *s,
			const struct vm *vms, size_t nr, bool *match)
{
	int found = 0;
	__u64 number;
	size_t i;

	if (!text_parse_u64(s, &number))
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		match[i] = has(&vms[i], number);
		found += match[i];
	}
	return found ? found : -ENOENT;
}

/* In a pid namespace, and on small systems, pids are as small as ids. */
static int match_pid_or_id(const char *s, const struct vm *vms, size_t nr, bool *match)
{
	bool pids = false, ids = false, others = false;
	__u64 number;
	size_t i;

	if (!text_parse_u64(s, &number))
		return -ENOENT;
	for (i = 0; i < nr; i++) {
		pids |= has_pid(&vms[i], number);
		ids |= has_id(&vms[i], number);
		others |= has_id(&vms[i], number) != has_pid(&vms[i], number);
	}
	if (pids && ids && others)
		return -EEXIST;
	return match_number(pids ? has_pid : has_id, s, vms, nr, match);
}

int select_match(const char *arg, const struct vm *vms, size_t nr, bool *match)
{
	int found;

	if (!strncmp(arg, "pid:", 4))
		return match_number(has_pid, arg + 4, vms, nr, match);
	if (!strncmp(arg, "id:", 3))
		return match_number(has_id, arg + 3, vms, nr, match);
	if (!strncmp(arg, "name:", 5))
		return match_string(has_name, arg + 5, vms, nr, match);
	if (!strncmp(arg, "guest:", 6))
		return match_string(has_guest, arg + 6, vms, nr, match);

	found = match_string(has_name, arg, vms, nr, match);
	if (found == -ENOENT)
		found = match_string(has_guest, arg, vms, nr, match);
	if (found == -ENOENT)
		found = match_pid_or_id(arg, vms, nr, match);
	return found;
}

void vms_put(struct vm *vms, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		free(vms[i].guest);
	free(vms);
}

void selection_free(struct selection *selection)
{
	free(selection->ids);
	selection->ids = NULL;
	selection->nr = 0;
	selection->resolved = false;
}

/* All VMs of the host, with their guest names. */
static int get_all(int dev, struct vm **vms, size_t *nr)
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
	for (i = 0; i < *nr; i++) {
		all[i].info = infos[i];
		all[i].guest = guest_name_of(infos[i].pid);
	}
	free(infos);
	*vms = all;
	return 0;
}

/* Keep those whose @keep is set; the rest is freed. */
static void keep_only(struct vm *vms, size_t *nr, const bool *keep)
{
	size_t i, kept = 0;

	for (i = 0; i < *nr; i++) {
		if (keep[i])
			vms[kept++] = vms[i];
		else
			free(vms[i].guest);
	}
	*nr = kept;
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
	selection->nr = n;
	selection->resolved = true;
	return 0;
}

static bool is_selected(const struct selection *selection, __u64 id)
{
	size_t i;

	for (i = 0; i < selection->nr; i++) {
		if (selection->ids[i] == id)
			return true;
	}
	return false;
}

static int complain_selection(const char *arg, int err)
{
	switch (err) {
	case -ENOENT:
		return complain(arg, "no such VM; kvmwatch list shows those that there are");
	case -EEXIST:
		return complain(arg,
				"the pid of one VM and the id of another; write pid:%s or id:%s",
				arg, arg);
	case -EINVAL:
		complain(arg, "pid: and id: want a number");
		return EXIT_USAGE;
	default:
		return device_complain(err);
	}
}

/* Keep of all VMs those that are selected. */
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
	err = get_all(dev, &all, &nr_all);
	if (err)
		return device_complain(err);
	if (selection->arg)
		err = choose(selection, all, &nr_all);
	if (err) {
		vms_put(all, nr_all);
		return complain_selection(selection->arg, err);
	}
	*vms = all;
	*nr = nr_all;
	return 0;
}

int vms_none(const struct selection *selection, const char *what)
{
	if (selection->arg)
		return complain(selection->arg,
				"this VM has ended; kvmwatch list shows those that there are");
	if (access("/sys/module/kvm", F_OK))
		complain(what, "no VM, as kvm.ko is not loaded");
	else
		complain(what, "no VM runs here now");
	return EXIT_DONE;
}
