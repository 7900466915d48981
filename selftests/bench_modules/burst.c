// SPDX-License-Identifier: GPL-2.0
/*
 * Have KVM mark many pages in a row as written to, as kvm-intel does for what the processor has
 * logged (PML) when a vCPU leaves its guest; AMD's have no such log. For "make bench".
 *
 *	echo "FD GFN PAGES" >/sys/module/burst/parameters/mark
 *
 * by the process whose vCPU FD is, and which is not in KVM_RUN.
 */
#include <linux/file.h>
#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/module.h>

/* KVM has some of its functions for its own modules only. */
static void (*load)(struct kvm_vcpu *vcpu);
static void (*put)(struct kvm_vcpu *vcpu);
static void (*mark_page)(struct kvm_vcpu *vcpu, gfn_t gfn);

static void *address_of(const char *function)
{
	struct kprobe kp = { .symbol_name = function };

	if (register_kprobe(&kp))
		return NULL;
	unregister_kprobe(&kp);
	return kp.addr;
}

static void mark_pages(struct kvm_vcpu *vcpu, gfn_t gfn, unsigned int pages)
{
	int srcu;

	load(vcpu);
	srcu = srcu_read_lock(&vcpu->kvm->srcu);
	while (pages--)
		mark_page(vcpu, gfn++);
	srcu_read_unlock(&vcpu->kvm->srcu, srcu);
	put(vcpu);
}

static int set_mark(const char *value, const struct kernel_param *param)
{
	unsigned int fd, pages;
	struct file *file;
	gfn_t gfn;

	if (sscanf(value, "%u %llu %u", &fd, &gfn, &pages) != 3)
		return -EINVAL;
	file = fget(fd);
	if (!file)
		return -EBADF;
	mark_pages(file->private_data, gfn, pages);
	fput(file);
	return 0;
}

static const struct kernel_param_ops mark_ops = { .set = set_mark };

module_param_cb(mark, &mark_ops, NULL, 0200);
MODULE_PARM_DESC(mark, "fd of a vCPU, first gfn, pages");

static int __init burst_init(void)
{
	load = address_of("vcpu_load");
	put = address_of("vcpu_put");
	mark_page = address_of("kvm_vcpu_mark_page_dirty");
	return load && put && mark_page ? 0 : -ENOENT;
}

static void __exit burst_exit(void)
{
}

module_init(burst_init);
module_exit(burst_exit);
MODULE_DESCRIPTION("Many marks in a row, to measure");
MODULE_LICENSE("GPL");
