// SPDX-License-Identifier: GPL-2.0
/*
 * The types of the kvm.ko that runs. The kernel keeps them, and offers modules no look-up but the
 * files that everybody reads. They are there before we are told of kvm.ko.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kernel_read_file.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "kernel/kvm_types.h"

#define VMLINUX_PATH	"/sys/kernel/btf/vmlinux"
#define KVM_PATH	"/sys/kernel/btf/kvm"

/* Under attach_sem. */
static struct kvmw_btf types;
static void *vmlinux_file, *kvm_file;

static bool read_part(struct kvmw_btf_part *part, void **file, const char *path, char *why)
{
	size_t size = 0;
	int err;

	err = kernel_read_file_from_path_initns(path, 0, file, INT_MAX, &size, READING_UNKNOWN);
	if (err < 0) {
		*file = NULL;
		if (err == -ENOENT)
			snprintf(why, KVMW_UNTYPED_SIZE, "there are no types (BTF): no %s", path);
		else
			snprintf(why, KVMW_UNTYPED_SIZE,
				 "types (BTF) cannot be read: %s: error %d", path, err);
		return false;
	}
	if (kvmw_btf_part(part, *file, err))
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
