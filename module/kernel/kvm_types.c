// SPDX-License-Identifier: GPL-2.0
/*
 * The types of the kvm.ko that runs. The kernel keeps them, and offers modules no look-up but the
 * files that everybody reads. They are there before we are told of kvm.ko.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/path.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "kernel/facts.h"
#include "kernel/kvm_types.h"

#define VMLINUX_PATH	"/sys/kernel/btf/vmlinux"
#define KVM_PATH	"/sys/kernel/btf/kvm"
#define MAX_BYTES	(256 << 20)

/* Under attach_sem. */
static struct kvmw_btf types;
static void *vmlinux_file, *kvm_file;

/*
 * A file of the first process, as kvm.ko may be loaded in a chroot without /sys. From 7.3 on the
 * root of init_task, and of all threads of the kernel, is an empty file system.
 */
static struct file *open_for_init(const char *path)
{
	struct task_struct *first = init_pid_ns.child_reaper;
	struct file *file;
	struct path root;

	task_lock(first);
	get_fs_root(first->fs, &root);
	task_unlock(first);
#if KVMW_HAS_OPEN_BY_PATH
	file = file_open_root(&root, path, O_RDONLY, 0);
#else
	file = file_open_root(root.dentry, root.mnt, path, O_RDONLY, 0);
#endif
	path_put(&root);
	return file;
}

static int read_all(struct file *file, void *to, size_t size)
{
	loff_t pos = 0;
	ssize_t got;

	while (pos < size) {
		got = kernel_read(file, to + pos, size - pos, &pos);
		if (got <= 0)
			return got ?: -EIO;
	}
	return 0;
}

/*
 * All of a file. kernel_read_file() has a reason to be given, which security modules know; this one
 * they do not: IPE warns of each that is new to it, and LoadPin wants a disk behind the file. The
 * caller frees *@to. Returns its size, or -errno.
 */
static ssize_t read_file(const char *path, void **to)
{
	struct file *file = open_for_init(path);
	ssize_t size, err;

	*to = NULL;
	if (IS_ERR(file))
		return PTR_ERR(file);
	size = i_size_read(file_inode(file));
	err = size > 0 && size <= MAX_BYTES ? 0 : -EFBIG;
	if (!err) {
		*to = vmalloc(size);
		err = *to ? read_all(file, *to, size) : -ENOMEM;
	}
	fput(file);
	if (!err)
		return size;
	vfree(*to);
	*to = NULL;
	return err;
}

static bool read_part(struct kvmw_btf_part *part, void **file, const char *path, char *why)
{
	ssize_t size = read_file(path, file);

	if (size == -ENOENT) {
		snprintf(why, KVMW_UNTYPED_SIZE, "there are no types (BTF): no %s", path);
		return false;
	}
	if (size < 0) {
		snprintf(why, KVMW_UNTYPED_SIZE, "types (BTF) cannot be read: %s: error %zd", path,
			 size);
		return false;
	}
	if (kvmw_btf_part(part, *file, size))
		return true;
	snprintf(why, KVMW_UNTYPED_SIZE, "types (BTF) are broken: %s", path);
	return false;
}

static bool index_types(char *why)
{
	size_t base = kvmw_btf_marks(&types.base);
	const char *wrong;

	types.base.marks = kvmalloc_array(base + kvmw_btf_marks(&types.split), sizeof(u32),
					  GFP_KERNEL);
	if (!types.base.marks) {
		strscpy(why, "types (BTF) cannot be read: no memory", KVMW_UNTYPED_SIZE);
		return false;
	}
	types.split.marks = types.base.marks + base;
	wrong = kvmw_btf_index(&types);
	if (wrong)
		snprintf(why, KVMW_UNTYPED_SIZE, "kvm.ko's types (BTF) are of no use: %s", wrong);
	return !wrong;
}

const struct kvmw_btf *kvmw_types_read(char why[KVMW_UNTYPED_SIZE])
{
	if (!read_part(&types.split, &kvm_file, KVM_PATH, why) ||
	    !read_part(&types.base, &vmlinux_file, VMLINUX_PATH, why) || !index_types(why))
		return NULL;
	return &types;
}

void kvmw_types_forget(void)
{
	kvfree(types.base.marks);
	vfree(vmlinux_file);
	vfree(kvm_file);
	memset(&types, 0, sizeof(types));
	vmlinux_file = NULL;
	kvm_file = NULL;
}
