// SPDX-License-Identifier: GPL-2.0
/* A guest whose mapped pages are compared; see subject.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "oracle.h"
#include "subject.h"
#include "vendor.h"

const char *const level_name[] = { "4k", "2m", "1g" };
static const unsigned int level_shift[] = { 12, 21, 30 };

/* --- settings ------------------------------------------------------------------ */

void sys_no_khugepaged(void)
{
	machine_put(SYS_THP "khugepaged/scan_sleep_millisecs", "1000000");
}

bool sys_has_thp(void)
{
	struct guest *g = guest_new(0, 0);
	long long huge = 0;

	if (g && !guest_slot_add(g, 1, GPA_A, HUGE_PAGES, GUEST_MEM_THP, 0) &&
	    !guest_slot_populate(g, 1))
		huge = guest_slot_huge(g, 1);
	guest_free(g);
	return huge == HUGE_SIZE;
}

bool sys_has_1g(void)
{
	struct guest *g = guest_new(0, 0);
	bool has = g && !guest_slot_add(g, 1, GPA_A, GIB / GUEST_PAGE, GUEST_MEM_1G, 0);

	guest_free(g);
	return has;
}

int reload_kvm(const char *kvm, const char *vendor)
{
	char command[128];

	if (vendor_unload_kvm() == -EPERM)
		return -EPERM;
	snprintf(command, sizeof(command), "modprobe kvm %s", kvm);
	return system(command) ?: vendor_load(vendor);
}

/* --- comparisons --------------------------------------------------------------- */

static char complaints[2048];

static void complain(const char *format, ...)
{
	size_t len = strlen(complaints);
	va_list args;

	va_start(args, format);
	vsnprintf(complaints + len, sizeof(complaints) - len, format, args);
	va_end(args);
}

__u64 number(int fd, const char *prefix, const char *suffix)
{
	__u64 value = UNKNOWN;
	char name[64];

	snprintf(name, sizeof(name), "%s%s", prefix, suffix);
	return fd < 0 || oracle_read(fd, name, &value) ? UNKNOWN : value;
}

static bool kvm_counts(struct guest *g)
{
	struct oracle kvm;
	bool counts = true;
	__u64 value;

	if (!oracle_of_vm(&kvm, g))
		counts = oracle_number(&kvm, "pages_4k", &value) != -EOPNOTSUPP;
	oracle_close(&kvm);
	return counts;
}

__u64 leaves(struct subject *s, int level)
{
	__u64 value = UNKNOWN;
	struct oracle kvm;
	char name[16];

	if (!s->counted) {
		snprintf(name, sizeof(name), "mapped_%s", level_name[level]);
		return watch_vm_stat(s->g, name);
	}
	snprintf(name, sizeof(name), "pages_%s", level_name[level]);
	if (oracle_of_vm(&kvm, s->g) || oracle_number(&kvm, name, &value))
		value = UNKNOWN;
	oracle_close(&kvm);
	return value;
}

static void compare_level(struct subject *s, int fd, int level)
{
	__u64 kvm = leaves(s, level), mapped, map, unmap, sum;
	const char *name = level_name[level];
	char stat[16];

	mapped = number(fd, "mapped_", name);
	map = number(fd, "map_", name);
	unmap = number(fd, "unmap_", name);
	if (mapped != kvm || mapped == UNKNOWN)
		complain(" mapped_%s %lld, KVM's pages_%s %lld;", name, mapped, name, kvm);
	if (s->base[level] + map - unmap != mapped || map == UNKNOWN || unmap == UNKNOWN)
		complain(" mapped_%s %lld, first %lld, then map %lld, unmap %lld;", name,
			 mapped, s->base[level], map, unmap);
	snprintf(stat, sizeof(stat), "mapped_%s", name);
	sum = watch_slots_sum(s->g, stat);
	if (sum != mapped)
		complain(" mapped_%s %lld, that of all slots %lld;", name, mapped, sum);
}

const char *untrue(struct subject *s)
{
	__u64 bytes = 0, peak, value;
	int fd, level;

	complaints[0] = '\0';
	fd = watch_vm(s->g);
	for (level = 0; level < NR_LEVELS; level++) {
		compare_level(s, fd, level);
		bytes += leaves(s, level) << level_shift[level];
	}
	value = number(fd, "mapped_bytes", "");
	if (value != bytes)
		complain(" mapped_bytes %lld, not %lld;", value, bytes);
	value = watch_slots_sum(s->g, "mapped_bytes");
	if (value != bytes)
		complain(" mapped_bytes of all slots %lld, not %lld;", value, bytes);

	if (s->peak < bytes)
		s->peak = bytes;
	peak = number(fd, "mapped_bytes_peak", "");
	if (s->peak_unknown ? peak < s->peak || peak == UNKNOWN : peak != s->peak)
		complain(" mapped_bytes_peak %lld, not %lld;", peak, s->peak);

	value = number(fd, "lost_events", "");
	if (value)
		complain(" lost_events %lld;", value);
	value = number(fd, "audits", "");
	if (value == UNKNOWN || (s->early && s->counted && !value))
		complain(" audits %lld;", value);
	value = number(fd, "audit_failures", "");
	if (value)
		complain(" audit_failures %lld;", value);
	if (!s->counted && watch_audit(s->g, NULL) != 1)
		complain(" the page tables do not agree;");
	close(fd);
	return complaints;
}

void note_base(struct subject *s)
{
	int level;

	for (level = 0; level < NR_LEVELS; level++)
		s->base[level] = leaves(s, level);
}

void guess_base(struct subject *s)
{
	int level, fd = watch_vm(s->g);

	for (level = 0; level < NR_LEVELS; level++)
		s->base[level] = number(fd, "mapped_", level_name[level]) +
				 number(fd, "unmap_", level_name[level]) -
				 number(fd, "map_", level_name[level]);
	close(fd);
}

static size_t picture_slot(struct subject *s, unsigned int slot, char *text, size_t size)
{
	if (!guest_slot_host(s->g, slot))
		return 0;
	return snprintf(text, size, " %#x: %lld %lld %lld;", slot,
			watch_slot_stat(s->g, slot, "mapped_4k"),
			watch_slot_stat(s->g, slot, "mapped_2m"),
			watch_slot_stat(s->g, slot, "mapped_1g"));
}

const char *picture(struct subject *s, char *text, size_t size)
{
	unsigned int i;
	size_t len = 0;

	for (i = 0; i < GUEST_MAX_SLOTS && len < size; i++)
		len += picture_slot(s, i, text + len, size - len);
	for (i = 0; i < GUEST_MAX_SLOTS && len < size; i++)
		len += picture_slot(s, GUEST_SMM_SLOT(i), text + len, size - len);
	return text;
}

#define PICTURE_SIZE	1024

const char *untrue_after_reload(struct subject *s, unsigned int nr)
{
	char *all = calloc(nr, PICTURE_SIZE), *before, after[PICTURE_SIZE];
	unsigned int i;

	complaints[0] = '\0';
	for (i = 0; all && i < nr; i++)
		if (s[i].g)
			picture(&s[i], all + i * PICTURE_SIZE, PICTURE_SIZE);
	if (!all || watch_unload_patiently() || watch_load(NULL))
		complain("cannot load kvmwatch again");
	for (i = 0; !complaints[0] && i < nr; i++) {
		before = all + i * PICTURE_SIZE;
		if (s[i].g && strcmp(before, picture(&s[i], after, sizeof(after))))
			complain("VM %u: counted %s found %s", i, before, after);
	}
	free(all);
	return complaints;
}

int touch(struct subject *s, __u64 gpa, __u64 pages)
{
	return guest_run(s->g, 0, work_write(gpa, pages, GUEST_PAGE, 1));
}

int touch_huge(struct subject *s, __u64 gpa, __u64 huge)
{
	return guest_run(s->g, 0, work_write(gpa, huge, HUGE_SIZE, 1));
}

__u64 as_2m(const struct subject *s, __u64 huge)
{
	return s->thp ? huge : 0;
}

__u64 as_4k(const struct subject *s, __u64 huge)
{
	return s->thp ? 0 : huge;
}

int subject_init(struct subject *s, bool early, unsigned int flags)
{
	s->early = early;
	s->paging = !vendor_has_tdp();
	s->shadow = s->paging || !sys_is_on(SYS_TDP_MMU);
	s->eager = !s->shadow && sys_is_on(SYS_EAGER);
	s->g = guest_new(2, flags);
	if (!s->g)
		return -errno;
	s->counted = kvm_counts(s->g);
	return 0;
}
