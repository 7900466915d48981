// SPDX-License-Identifier: GPL-2.0
/* What is listed. See listed.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvmwatch.h>

#include "guest.h"
#include "listed.h"
#include "oracle.h"
#include "watch.h"

bool is_listed(struct guest *g)
{
	struct kvmwatch_vm vm;

	return !watch_find(g, &vm);
}

bool id_is_listed(__u64 id)
{
	struct kvmwatch_vm *vms;
	bool found = false;
	int nr;

	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	while (nr > 0)
		found |= vms[--nr].id == id;
	free(vms);
	return found;
}

int listed_count(unsigned int kind, __u64 vm)
{
	void *items;
	int nr;

	nr = watch_list(kind, vm, &items, sizeof(struct kvmwatch_vm));
	free(items);
	return nr;
}

int listed_slot(__u64 vm, unsigned int id, struct kvmwatch_slot *slot)
{
	struct kvmwatch_slot *slots;
	int nr, i, err = -ENOENT;

	nr = watch_list(KVMWATCH_KIND_SLOT, vm, (void **)&slots, sizeof(*slots));
	for (i = 0; i < nr; i++) {
		if (!slots[i].as_id && slots[i].id == id) {
			*slot = slots[i];
			err = 0;
		}
	}
	free(slots);
	return err;
}

static int open_as(struct kvmwatch_open arg)
{
	int dev = watch_device(), fd;

	arg.size = sizeof(arg);
	fd = ioctl(dev, KVMWATCH_OPEN, &arg);
	if (fd < 0)
		fd = -errno;
	close(dev);
	return fd;
}

int open_by_id(unsigned int kind, __u64 id, unsigned int slot)
{
	return open_as((struct kvmwatch_open){ .kind = kind, .id = id, .slot = slot });
}

int open_by_fd(unsigned int kind, int kvm_fd)
{
	return open_as((struct kvmwatch_open){
		.kind = kind, .flags = KVMWATCH_OPEN_BY_FD, .fd = kvm_fd,
	});
}

__u64 stat_of(int fd, const char *name)
{
	__u64 value;

	return oracle_read(fd, name, &value) ? ~0ULL : value;
}

bool has_dir(const char *name)
{
	char path[192];

	snprintf(path, sizeof(path), WATCH_DEBUGFS "/vm/%s", name);
	return !access(path, F_OK);
}

bool table_has(const char *table, const char *text)
{
	char *all = watch_debugfs_table(table);
	bool has = all && strstr(all, text);

	free(all);
	return has;
}

unsigned long long unknown_vm_events(void)
{
	unsigned long long nr = ~0ULL;
	char *hooks = watch_debugfs_table("hooks");
	char *line = hooks ? strstr(hooks, "# events of VMs without a record: ") : NULL;

	if (line)
		sscanf(line, "# events of VMs without a record: %llu", &nr);
	free(hooks);
	return nr;
}

int create_bare_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	close(kvm);
	return vm;
}
