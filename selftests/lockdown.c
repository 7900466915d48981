// SPDX-License-Identifier: GPL-2.0
/*
 * Ways to observe KVM while the kernel is locked down, by lockdown level. A kernel never returns to
 * a lower level, so this runs in a VM without other tests (make lockdown).
 *
 * TAP: kvmwatch's device and files have to work at each level, events at all but the last,
 * where the kernel closes tracefs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "oracle.h"
#include "sys.h"
#include "watch.h"

#define LOCKDOWN	"/sys/kernel/security/lockdown"
#define TRACEFS		"/sys/kernel/tracing/"

static struct guest *g;

static int read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	int err;

	if (fd < 0)
		return -errno;
	err = read(fd, buf, sizeof(buf)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int insmod_ours(void)
{
	return watch_unload_patiently() ?: watch_load(NULL);
}

/* Load kvmwatch.ko without the mark at its end, by which the kernel finds a signature. */
static int insmod_unsigned(void)
{
	int err = watch_unload_patiently(), fd;

	if (err)
		return err;
	if (system("head -c -28 /kvmwatch.ko >/tmp/unsigned.ko"))
		return -EIO;
	fd = open("/tmp/unsigned.ko", O_RDONLY | O_CLOEXEC);
	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	if (!err)
		err = watch_unload_patiently();
	watch_load(NULL);
	return err;
}

static int device(void)
{
	return watch_vm_stat(g, "mapped_4k") == ~0ULL ? -EIO : 0;
}

static int our_table(void)
{
	return read_file(WATCH_DEBUGFS "/vms");
}

static int our_value(void)
{
	__u64 value;

	return watch_debugfs(g, "vcpu0/loads", &value);
}

static int our_events(void)
{
	int err = sys_put(TRACEFS "events/kvmwatch/enable", "1");

	return err ?: sys_put(TRACEFS "events/kvmwatch/enable", "0") ?:
		      read_file(TRACEFS "trace");
}

static int kvms_totals(void)
{
	return read_file("/sys/kernel/debug/kvm/exits");
}

static int kvms_value(void)
{
	__u64 value;

	return oracle_debugfs(guest_name(g), "pages_4k", &value);
}

static int kvms_counter(void)
{
	__u64 value;

	return oracle_debugfs(guest_name(g), "exits", &value);
}

static int kvms_events(void)
{
	return sys_put(TRACEFS "events/kvm/kvm_exit/enable", "1") ?:
	       sys_put(TRACEFS "events/kvm/kvm_exit/enable", "0");
}

static int kprobe_events(void)
{
	return sys_put(TRACEFS "kprobe_events", "p:lockdown kvm_arch_vcpu_load") ?:
	       sys_put(TRACEFS "kprobe_events", "");	/* remove the event */
}

/* Load a BPF program that could be attached to KVM's functions and read kernel memory. */
static int bpf(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.insns = (unsigned long)insns,
		.insn_cnt = sizeof(insns) / sizeof(*insns),
		.license = (unsigned long)"GPL",
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static const struct {
	const char *name;
	int (*try)(void);
	int levels;	/* it has to work up to this level */
} ways[] = {
	{ "insmod of kvmwatch, signed", insmod_ours, 3 },
	{ "/dev/kvmwatch", device, 3 },
	{ "debugfs: kvmwatch/vms", our_table, 3 },
	{ "debugfs: kvmwatch/vm/*/vcpu0/loads", our_value, 3 },
	{ "trace events of kvmwatch", our_events, 2 },
	{ "insmod of kvmwatch, not signed", insmod_unsigned },
	{ "debugfs: kvm/exits", kvms_totals },
	{ "debugfs: kvm/*/pages_4k", kvms_value },
	{ "debugfs: kvm/*/exits", kvms_counter },
	{ "trace events of KVM", kvms_events },
	{ "kprobe events", kprobe_events },
	{ "BPF that reads kernel memory", bpf },
};

static const char *const levels[] = { "none", "integrity", "confidentiality" };

#define WAYS	(sizeof(ways) / sizeof(*ways))

static int answers[3][WAYS];

static int wrong(int level)
{
	int bad = 0;
	size_t i;

	for (i = 0; i < WAYS; i++)
		bad |= ways[i].levels > level && answers[level][i];
	return bad;
}

int main(void)
{
	size_t level, i;
	int err;

	mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	g = guest_new(1, 0);
	if (!g || guest_run(g, 0, work_cpuid(10))) {
		puts("not ok no guest");
		return 1;
	}
	for (level = 0; level < 3; level++) {
		err = level ? sys_put(LOCKDOWN, levels[level]) : 0;
		for (i = 0; i < WAYS; i++)
			answers[level][i] = ways[i].try();
		printf("%s lockdown: %s\n", err || wrong(level) ? "not ok" : "ok", levels[level]);
	}
	printf("# %-36s %12s %12s %16s\n", "", levels[0], levels[1], levels[2]);
	for (i = 0; i < WAYS; i++) {
		printf("# %-36s", ways[i].name);
		for (level = 0; level < 3; level++)
			printf(" %*s", level == 2 ? 16 : 12,
			       answers[level][i] ? strerrorname_np(-answers[level][i]) : "yes");
		puts("");
	}
	guest_free(g);
	return 0;
}
