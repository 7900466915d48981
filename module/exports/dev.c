// SPDX-License-Identifier: GPL-2.0
/* /dev/kvmwatch. See dev.h. */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "exports/all_fd.h"
#include "exports/dev.h"
#include "exports/heat_fd.h"
#include "exports/reader.h"
#include "exports/stats_fd.h"
#include "hooks/attach.h"
#include "hooks/hook.h"
#include "numbers/bucket_names.h"
#include "numbers/describe.h"
#include "numbers/footprint.h"
#include "records/alloc.h"
#include "records/generation.h"
#include "records/list.h"
#include "records/record.h"
#include "records/table.h"
#include "tasks/audit.h"
#include "tasks/rehook.h"

#define MAX_ITEM_SIZE	4096

/* The rights of an open file are those at the time of open(), whoever uses the file later. */
struct dev_file {
	bool	sees_all;
};

static bool may_see_all(const struct file *file)
{
	const struct dev_file *df = file->private_data;

	return df->sees_all;
}

/* --- KVMWATCH_INFO --------------------------------------------------------- */

static int ioctl_info(struct file *file, void *arg)
{
	struct kvmwatch_info *info = arg;

	info->abi = KVMWATCH_ABI;
	if (may_see_all(file))
		info->generation = kvmw_generation_after(0, NULL);
	info->vendor = kvmw_vendor();
	info->instance = kvmw_instance();
	BUILD_BUG_ON(sizeof(info->why) != KVMW_BLIND_SIZE);
	kvmw_blind(info->why);
	if (*info->why)
		info->flags = KVMWATCH_INFO_BLIND;
	return 0;
}

/* --- by KVM's fds ----------------------------------------------------------- */

/*
 * An open file of KVM pins its VM or vCPU. So the object's record, if it has one, stays until KVM
 * releases the file.
 */
static struct kvmw_object *find_by_file(const struct file *file, u32 kind)
{
	const void *release = kind == KVMWATCH_KIND_VCPU ? kvmw_kvm.vcpu_release :
							   kvmw_kvm.vm_release;
	struct kvmw_object *obj;

	if (!release || file->f_op->release != release)
		return ERR_PTR(-ENXIO);
	rcu_read_lock();
	obj = kvmw_find(file->private_data, KVMW_NO_SUBKEY);
	if (obj)
		kvmw_get(obj);
	rcu_read_unlock();
	return obj;
}

/* Find by KVM's fd of a vCPU or, for any other kind, of a VM. NULL: there is no record. */
static struct kvmw_object *find_by_kvm_fd(int fd, u32 kind)
{
	struct file *file = fget(fd);
	struct kvmw_object *obj;

	if (!file)
		return ERR_PTR(-EBADF);
	kvmw_attach_lock();
	obj = find_by_file(file, kind);
	kvmw_attach_unlock();
	fput(file);
	return obj;
}

/*
 * The VM that a request names, with a reference; NULL for all VMs, which the caller must have the
 * right to see.
 */
static struct kvmw_object *find_only_vm(const struct file *file, bool by_fd, int fd, u64 id)
{
	struct kvmw_object *vm;

	if (by_fd ? id : fd)
		return ERR_PTR(-EINVAL);
	if (!by_fd && !may_see_all(file))
		return ERR_PTR(-EPERM);
	if (!by_fd && !id)
		return NULL;
	vm = by_fd ? find_by_kvm_fd(fd, KVMWATCH_KIND_VM) : kvmw_get_vm(id);
	return vm ?: ERR_PTR(-ENOENT);
}

/* --- KVMWATCH_LIST --------------------------------------------------------- */

/* The caller's buffer for listed items. It gets as many as fit; @nr counts all. */
struct sink {
	u8 __user	*items;
	u32		item_size;
	u32		room;
	u32		nr;
};

/* If the caller's items are longer than ours, the rest is zeroed; if shorter, ours are cut. */
static int sink_put(struct sink *sink, const void *item, size_t size)
{
	u8 __user *to = sink->items + (size_t)sink->nr * sink->item_size;

	if (sink->nr++ >= sink->room)
		return 0;
	if (copy_to_user(to, item, min_t(size_t, size, sink->item_size)))
		return -EFAULT;
	if (sink->item_size > size && clear_user(to + size, sink->item_size - size))
		return -EFAULT;
	return 0;
}

static u64 memory_of(struct kvmw_object **slots, int nr, u32 *flags)
{
	u64 pages = 0;
	int i;

	for (i = 0; i < nr; i++) {
		const struct kvmw_slot *slot = kvmw_to_slot(slots[i]);

		if (kvmw_slot_is_memory(slots[i]))
			pages += READ_ONCE(slot->npages);
		if (READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES)
			*flags |= KVMWATCH_VM_DIRTY_LOG;
	}
	return pages << PAGE_SHIFT;
}

static int put_vm(void *sink, struct kvmw_object *obj)
{
	struct kvmw_object **slots, **vcpus;
	struct kvmw_vm *vm = obj->vm;
	struct kvmwatch_vm item = { .id = obj->id };
	int nr_slots, nr_vcpus;

	nr_slots = kvmw_get_children(vm, KVMWATCH_KIND_SLOT, &slots);
	if (nr_slots < 0)
		return nr_slots;
	item.memory = memory_of(slots, nr_slots, &item.flags);
	if (READ_ONCE(vm->ring))
		item.flags |= KVMWATCH_VM_DIRTY_RING;
	item.slots = nr_slots;
	kvmw_put_all(slots, nr_slots);

	nr_vcpus = kvmw_get_children(vm, KVMWATCH_KIND_VCPU, &vcpus);
	if (nr_vcpus < 0)
		return nr_vcpus;
	item.vcpus = nr_vcpus;
	kvmw_put_all(vcpus, nr_vcpus);

	item.footprint = kvmw_vm_footprint(vm);
	item.pid = kvmw_reader_pid(vm, &item.flags);
	strscpy(item.name, vm->name, sizeof(item.name));
	strscpy(item.comm, vm->comm, sizeof(item.comm));
	return sink_put(sink, &item, sizeof(item));
}

static int put_vcpu(void *sink, struct kvmw_object *obj)
{
	const struct kvmw_vcpu *vcpu = kvmw_to_vcpu(obj);
	struct kvmwatch_vcpu item = {
		.id = obj->id,
		.vm = obj->vm->obj.id,
		.vcpu_id = vcpu->vcpu_id,
	};

	item.tid = kvmw_reader_tid(vcpu, &item.flags);
	if (READ_ONCE(vcpu->where) == KVMW_VCPU_ON_CPU)
		item.flags |= KVMWATCH_VCPU_LOADED;
	if (READ_ONCE(vcpu->halted))
		item.flags |= KVMWATCH_VCPU_HALTED;
	return sink_put(sink, &item, sizeof(item));
}

static int put_slot(void *sink, struct kvmw_object *obj)
{
	const struct kvmw_slot *slot = kvmw_to_slot(obj);
	struct kvmwatch_slot item = {
		.vm = obj->vm->obj.id,
		.base_gfn = READ_ONCE(slot->base_gfn),
		.npages = READ_ONCE(slot->npages),
		.userspace_addr = READ_ONCE(slot->userspace_addr),
		.as_id = obj->subkey >> 16,
		.id = obj->subkey & 0xffff,
		.flags = READ_ONCE(slot->flags),
		.life = obj->id,
	};

	if (kvmw_slot_internal(obj))
		item.flags |= KVMWATCH_SLOT_INTERNAL;
	return sink_put(sink, &item, sizeof(item));
}

static int list_hooks(struct sink *sink)
{
	struct kvmwatch_hook item;
	int i, err = 0;

	for (i = 0; i < KVMW_NR_HOOKS && !err; i++) {
		kvmw_hook_describe(i, &item);
		err = sink_put(sink, &item, sizeof(item));
	}
	return err;
}

static int list_stats(struct sink *sink)
{
	const struct kvmw_stat *stat;
	struct kvmwatch_stat item;
	unsigned int kind, nr, i;
	int err = 0;

	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		stat = kvmw_stats_table(kind, &nr);
		for (i = 0; i < nr && !err; i++) {
			memset(&item, 0, sizeof(item));
			item.kind = kind;
			if (kvmw_stat_available(&stat[i], NULL))
				item.flags = KVMWATCH_STAT_AVAILABLE;
			if (kvmw_stat_left_out(&stat[i]))
				item.flags |= KVMWATCH_STAT_LEFT_OUT;
			item.desc_flags = stat[i].flags;
			item.exponent = stat[i].exponent;
			item.buckets = stat[i].buckets;
			item.nr = stat[i].size;
			item.bucket_size = kvmw_stat_bucket_size(&stat[i]);
			strscpy(item.name, stat[i].name, sizeof(item.name));
			strscpy(item.help, stat[i].help, sizeof(item.help));
			kvmw_hook_names(stat[i].needs, item.hooks, sizeof(item.hooks));
			err = sink_put(sink, &item, sizeof(item));
		}
	}
	return err;
}

static int list_buckets_of(struct sink *sink, const struct kvmw_stat *stat)
{
	struct kvmwatch_bucket item = { .buckets = stat->buckets };
	const char *name;
	int err = 0;

	for (; item.number < stat->size && !err; item.number++) {
		name = kvmw_bucket_name(stat->buckets, item.number, stat->size);
		if (!name)
			continue;
		memset(item.name, 0, sizeof(item.name));
		strscpy(item.name, name, sizeof(item.name));
		err = sink_put(sink, &item, sizeof(item));
	}
	return err;
}

/* All statistics with the same kind of buckets have the same names. */
static int list_buckets(struct sink *sink)
{
	const struct kvmw_stat *stat;
	unsigned int nr, last = KVMWATCH_BUCKETS_VALUES;
	int err = 0;

	for (stat = kvmw_stats_table(KVMWATCH_KIND_VCPU, &nr); nr && !err; nr--, stat++) {
		if (stat->buckets <= last)
			continue;
		last = stat->buckets;
		err = list_buckets_of(sink, stat);
	}
	return err;
}

static int list_objects(struct file *file, struct kvmwatch_list *list, struct sink *sink)
{
	static int (*const put[])(void *sink, struct kvmw_object *obj) = {
		[KVMWATCH_KIND_VM] = put_vm,
		[KVMWATCH_KIND_VCPU] = put_vcpu,
		[KVMWATCH_KIND_SLOT] = put_slot,
	};
	struct kvmw_changes *changes;
	struct kvmw_object *vm;
	int err;

	vm = find_only_vm(file, list->flags & KVMWATCH_LIST_BY_FD, list->fd, list->vm);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	/* This may signal a change that the list includes; it never misses one. */
	changes = vm ? &vm->vm->changes : NULL;
	list->generation = kvmw_generation_before(list->kind, changes);
	err = kvmw_each(list->kind, vm, put[list->kind], sink);
	if (list->generation != kvmw_generation_after(list->kind, changes))
		list->state = KVMWATCH_LIST_CHANGED;
	if (vm)
		kvmw_put(vm);
	return err;
}

static size_t filled(u32 kind)
{
	static const u16 sizes[] = {
		[KVMWATCH_KIND_VM] = sizeof(struct kvmwatch_vm),
		[KVMWATCH_KIND_VCPU] = sizeof(struct kvmwatch_vcpu),
		[KVMWATCH_KIND_SLOT] = sizeof(struct kvmwatch_slot),
		[KVMWATCH_KIND_HOOK] = sizeof(struct kvmwatch_hook),
		[KVMWATCH_KIND_STAT] = sizeof(struct kvmwatch_stat),
		[KVMWATCH_KIND_BUCKET] = sizeof(struct kvmwatch_bucket),
	};

	return sizes[kind];
}

static int ioctl_list(struct file *file, void *arg)
{
	struct kvmwatch_list *list = arg;
	struct sink sink = {
		.items = u64_to_user_ptr(list->items),
		.item_size = list->item_size,
		.room = list->nr,
	};
	int err;

	if (list->kind < KVMWATCH_KIND_VM || list->kind > KVMWATCH_KIND_BUCKET)
		return -EINVAL;
	if (!list->item_size || list->item_size > MAX_ITEM_SIZE ||
	    list->flags & ~KVMWATCH_LIST_BY_FD)
		return -EINVAL;
	if (list->kind > KVMWATCH_KIND_SLOT && (list->vm || list->flags || list->fd))
		return -EINVAL;
	if (list->kind == KVMWATCH_KIND_HOOK && !may_see_all(file))
		return -EPERM;

	list->generation = 0;
	list->state = 0;
	if (list->kind == KVMWATCH_KIND_HOOK)
		err = list_hooks(&sink);
	else if (list->kind == KVMWATCH_KIND_STAT)
		err = list_stats(&sink);
	else if (list->kind == KVMWATCH_KIND_BUCKET)
		err = list_buckets(&sink);
	else
		err = list_objects(file, list, &sink);
	list->nr = sink.nr;
	list->item_filled = min_t(size_t, list->item_size, filled(list->kind));
	return err;
}

/* --- KVMWATCH_OPEN --------------------------------------------------------- */

static struct kvmw_object *get_slot(struct kvmw_vm *vm, const struct kvmwatch_open *open)
{
	struct kvmw_object *slot = kvmw_get_slot(vm, open->as_id, open->slot);

	if (!slot || !open->life || open->life == slot->id)
		return slot;
	kvmw_put(slot);
	return NULL;
}

static struct kvmw_object *find_by_id(const struct kvmwatch_open *open)
{
	struct kvmw_object *vm, *slot;

	if (open->kind == KVMWATCH_KIND_VCPU)
		return kvmw_get_vcpu(open->id);
	vm = kvmw_get_vm(open->id);
	if (!vm || open->kind == KVMWATCH_KIND_VM)
		return vm;
	slot = get_slot(vm->vm, open);
	kvmw_put(vm);
	return slot;
}

static struct kvmw_object *find_by_fd(const struct kvmwatch_open *open)
{
	struct kvmw_object *obj = find_by_kvm_fd(open->fd, open->kind), *slot;

	if (IS_ERR_OR_NULL(obj) || open->kind != KVMWATCH_KIND_SLOT)
		return obj;
	slot = get_slot(obj->vm, open);
	kvmw_put(obj);
	return slot;
}

/* The object that a request to open names, with a reference. */
static struct kvmw_object *find_to_open(const struct file *file, const struct kvmwatch_open *open)
{
	bool by_fd = open->flags & KVMWATCH_OPEN_BY_FD;
	struct kvmw_object *obj;

	if (open->kind < KVMWATCH_KIND_VM || open->kind > KVMWATCH_KIND_SLOT)
		return ERR_PTR(-EINVAL);
	if (open->flags & ~KVMWATCH_OPEN_BY_FD || open->reserved)
		return ERR_PTR(-EINVAL);
	if (by_fd ? open->id : open->fd)
		return ERR_PTR(-EINVAL);
	if (open->kind != KVMWATCH_KIND_SLOT && (open->as_id || open->slot || open->life))
		return ERR_PTR(-EINVAL);
	if (!by_fd && !may_see_all(file))
		return ERR_PTR(-EPERM);

	obj = by_fd ? find_by_fd(open) : find_by_id(open);
	return obj ?: ERR_PTR(-ENOENT);
}

static int ioctl_open(struct file *file, void *arg)
{
	struct kvmw_object *obj = find_to_open(file, arg);
	int fd;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	fd = kvmw_stats_fd(obj, may_see_all(file));
	kvmw_put(obj);
	return fd;
}

/* Heat counts the same marks. */
static bool sees_marks(void)
{
	return kvmw_stat_available(kvmw_stat_by_name(KVMWATCH_KIND_SLOT, "dirty_marks"), NULL);
}

static int ioctl_open_heat(struct file *file, void *arg)
{
	const struct kvmwatch_open *open = arg;
	struct kvmw_object *obj;
	int fd;

	if (open->kind == KVMWATCH_KIND_VCPU)
		return -EINVAL;
	obj = find_to_open(file, open);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	fd = sees_marks() ? kvmw_heat_fd(obj, may_see_all(file)) : -EOPNOTSUPP;
	kvmw_put(obj);
	return fd;
}

/* --- KVMWATCH_OPEN_ALL ----------------------------------------------------- */

#define MAX_NAMES_SIZE	65536

/* Copy the names that a caller has chosen; free them with kvfree(). NULL: it wants all. */
static char *get_names(const struct kvmwatch_open_all *open)
{
	char *names;

	if (!(open->flags & KVMWATCH_OPEN_CHOOSE))
		return open->names || open->names_size ? ERR_PTR(-EINVAL) : NULL;
	if (open->names_size > MAX_NAMES_SIZE)
		return ERR_PTR(-EINVAL);
	names = kvzalloc(open->names_size + 1, GFP_KERNEL);
	if (!names)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(names, u64_to_user_ptr(open->names), open->names_size)) {
		kvfree(names);
		return ERR_PTR(-EFAULT);
	}
	if (open->names_size && names[open->names_size - 1]) {
		kvfree(names);
		return ERR_PTR(-EINVAL);
	}
	return names;
}

static int ioctl_open_all(struct file *file, void *arg)
{
	const struct kvmwatch_open_all *open = arg;
	struct kvmw_all_choice choice = {
		.no_histograms = open->flags & KVMWATCH_OPEN_NO_HISTOGRAMS,
		.names_size = open->names_size,
	};
	struct kvmw_object *vm;
	char *names;
	int fd;

	if (open->kind < KVMWATCH_KIND_VM || open->kind > KVMWATCH_KIND_SLOT || open->reserved)
		return -EINVAL;
	if (open->flags & ~(KVMWATCH_OPEN_BY_FD | KVMWATCH_OPEN_NO_HISTOGRAMS |
			    KVMWATCH_OPEN_CHOOSE))
		return -EINVAL;
	vm = find_only_vm(file, open->flags & KVMWATCH_OPEN_BY_FD, open->fd, open->vm);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	names = get_names(open);
	fd = PTR_ERR_OR_ZERO(names);
	if (!fd) {
		choice.names = names;
		fd = kvmw_all_fd(open->kind, vm, &choice, may_see_all(file));
		kvfree(names);
	}
	if (vm)
		kvmw_put(vm);
	return fd;
}

/* --- KVMWATCH_AUDIT -------------------------------------------------------- */

static int ioctl_audit(struct file *file, void *arg)
{
	struct kvmwatch_audit *audit = arg;
	struct kvmw_object *obj;
	int same;

	if (!may_see_all(file))
		return -EPERM;
	kvmw_rehook();
	obj = kvmw_get_vm(audit->vm);
	if (!obj)
		return -ENOENT;
	same = kvmw_audit(obj->vm);
	mutex_lock(&obj->vm->lock);
	audit->audits = obj->vm->audits;
	audit->failures = obj->vm->audit_failures;
	mutex_unlock(&obj->vm->lock);
	kvmw_put(obj);
	audit->agrees = same > 0;
	return same < 0 ? same : 0;
}

/* --- the device ------------------------------------------------------------ */

static const struct command {
	unsigned int	nr;
	size_t		size;
	size_t		least;		/* size of the first published structure */
	bool		returns;	/* copies its argument back */
	int		(*run)(struct file *file, void *arg);
} commands[] = {
	{ KVMWATCH_INFO, sizeof(struct kvmwatch_info), KVMWATCH_INFO_SIZE_VER0, true,
	  ioctl_info },
	{ KVMWATCH_LIST, sizeof(struct kvmwatch_list), KVMWATCH_LIST_SIZE_VER0, true,
	  ioctl_list },
	{ KVMWATCH_OPEN, sizeof(struct kvmwatch_open), KVMWATCH_OPEN_SIZE_VER0, false,
	  ioctl_open },
	{ KVMWATCH_AUDIT, sizeof(struct kvmwatch_audit), KVMWATCH_AUDIT_SIZE_VER0, true,
	  ioctl_audit },
	{ KVMWATCH_OPEN_ALL, sizeof(struct kvmwatch_open_all), KVMWATCH_OPEN_ALL_SIZE_VER0, false,
	  ioctl_open_all },
	{ KVMWATCH_OPEN_HEAT, sizeof(struct kvmwatch_open), KVMWATCH_OPEN_SIZE_VER0, false,
	  ioctl_open_heat },
};

union any_arg {
	u32			size;
	struct kvmwatch_info	info;
	struct kvmwatch_list	list;
	struct kvmwatch_open	open;
	struct kvmwatch_open_all open_all;
	struct kvmwatch_audit	audit;
};

/* Ignore the size in @cmd: it is that of the caller's structure, which may be older or newer. */
static const struct command *command_of(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (_IOC_TYPE(cmd) == KVMWATCH_IOC && _IOC_NR(cmd) == _IOC_NR(commands[i].nr) &&
		    _IOC_DIR(cmd) == _IOC_DIR(commands[i].nr))
			return &commands[i];
	return NULL;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long address)
{
	const struct command *command = command_of(cmd);
	void __user *user = (void __user *)address;
	union any_arg arg;
	u32 size;
	long ret;

	if (!command)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < command->least || size > PAGE_SIZE)
		return size < command->least ? -EINVAL : -E2BIG;
	memset(&arg, 0, sizeof(arg));
	ret = copy_struct_from_user(&arg, command->size, user, size);
	if (ret)
		return ret;
	ret = command->run(file, &arg);
	if (ret < 0 || !command->returns)
		return ret;
	arg.size = min_t(size_t, size, command->size);
	return copy_to_user(user, &arg, arg.size) ? -EFAULT : ret;
}

static int dev_open(struct inode *inode, struct file *file)
{
	struct dev_file *df = kzalloc(sizeof(*df), GFP_KERNEL_ACCOUNT);

	if (!df)
		return -ENOMEM;
	df->sees_all = perfmon_capable();
	file->private_data = df;
	return 0;
}

static int dev_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static const struct file_operations dev_fops = {
	.owner		= THIS_MODULE,
	.open		= dev_open,
	.release	= dev_release,
	.unlocked_ioctl	= dev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "kvmwatch",
	.mode	= 0600,
	.fops	= &dev_fops,
};

int kvmw_dev_init(void)
{
	int err = misc_register(&dev);

	if (err)
		pr_err("cannot make /dev/kvmwatch: error %d\n", err);
	return err;
}

void kvmw_dev_exit(void)
{
	misc_deregister(&dev);
	kvmw_stats_fds_exit();
}
