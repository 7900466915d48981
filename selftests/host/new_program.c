// SPDX-License-Identifier: GPL-2.0
/*
 * A program of a newer kvmwatch, and its library, with the module of today: what the module does
 * not know is 0, and the rest is right. For library_test.sh, which compiles this with a header
 * whose structures have the member more[]. The device is played_device.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libkvmwatch.h"
#include "libkvmwatch_predict.h"

static void need(const char *what, int is)
{
	if (is)
		return;
	printf("%s: not so\n", what);
	exit(1);
}

#define NEED(condition)	need(#condition, condition)

static int is_zero(const __u64 *more)
{
	size_t i;

	for (i = 0; i < 16; i++)
		if (more[i])
			return 0;
	return 1;
}

static void try_info(int dev)
{
	struct kvmwatch_audit audit;
	struct kvmwatch_info info;

	memset(&info, 'x', sizeof(info));
	memset(&audit, 'x', sizeof(audit));
	NEED(!kvmwatch_device_info(dev, &info));
	NEED(info.abi == KVMWATCH_ABI && info.instance == 5 && is_zero(info.more));
	NEED(!kvmwatch_audit_vm(dev, 1, &audit));
	NEED(audit.agrees == 1 && audit.audits == 3 && is_zero(audit.more));
}

static void try_lists(int dev)
{
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_stat *stats;
	struct kvmwatch_slot *slots;
	struct kvmwatch_hook *hooks;
	struct kvmwatch_vm *vms;
	size_t nr;

	NEED(!kvmwatch_list_vms(dev, &vms, &nr) && nr == 2);
	NEED(vms[1].id == 2 && !strcmp(vms[1].name, "43-5") && is_zero(vms[1].more));
	NEED(!kvmwatch_list_vcpus(dev, 0, &vcpus, &nr) && nr == 1);
	NEED(vcpus->tid == 44 && is_zero(vcpus->more));
	NEED(!kvmwatch_list_slots(dev, 0, &slots, &nr) && nr == 1);
	NEED(slots->life == 11 && is_zero(slots->more));
	NEED(!kvmwatch_list_hooks(dev, &hooks, &nr) && nr == 1);
	NEED(hooks->hits == 8 && is_zero(hooks->more));
	NEED(!kvmwatch_list_stats(dev, &stats, &nr) && nr == 1);
	NEED(!strcmp(stats->name, "on_cpu_ns") && is_zero(stats->more));
	free(vms);
	free(vcpus);
	free(slots);
	free(hooks);
	free(stats);
}

static void try_all(int dev)
{
	int fd = kvmwatch_open_all(dev, KVMWATCH_KIND_VCPU, 0, 0);
	const struct kvmwatch_all_item *item;
	struct kvmwatch_all *all;

	NEED(fd >= 0 && !kvmwatch_all_read(fd, &all));
	NEED(all->nr && all->kind == KVMWATCH_KIND_VCPU && is_zero(all->more));
	item = kvmwatch_all_at(all, 0);
	NEED(!strcmp(item->name, "4242-5") && is_zero(item->more));
	NEED(*kvmwatch_all_value(all, 0, kvmwatch_all_find(all, "loads")) > 0);
	kvmwatch_all_free(all);
	close(fd);
}

/* All that such a file has is its header, which is shorter than the library's. */
static void try_none(int dev)
{
	int fd = kvmwatch_open_chosen(dev, KVMWATCH_KIND_VM, 0, NULL, 0);
	struct kvmwatch_all *all;

	NEED(fd >= 0 && !kvmwatch_all_read(fd, &all));
	NEED(!all->nr && all->kind == KVMWATCH_KIND_VM);
	kvmwatch_all_free(all);
	close(fd);
}

static void try_heat(int dev)
{
	struct kvmwatch_heat_page pages[2];
	int fd = kvmwatch_open_heat_vm(dev, 1);
	struct kvmwatch_heat *heat;
	__u64 distinct, windows;

	NEED(fd >= 0 && !kvmwatch_heat_read(fd, &heat));
	NEED(heat->nr == 1 && heat->head->vm == 1 && is_zero(heat->head->more));
	NEED(heat->slots[0]->id == 5 && is_zero(heat->slots[0]->more));
	memset(pages, 'x', sizeof(pages));
	NEED(!kvmwatch_heat_pages(fd, heat, 0, 0, 2, pages));
	NEED(pages[0].count == 1 && pages[1].last == 3 && is_zero(pages[1].more));
	NEED(!kvmwatch_heat_window(heat, NULL, 0, 1, &distinct, &windows));
	NEED(distinct == 7 && windows == 2);
	kvmwatch_heat_free(heat);
	close(fd);
}

/* What an older library does not know it refuses, unless it is 0. */
static void try_forecasts(void)
{
	struct kvmwatch_curve_point points[] = { { 500000000, 900 }, { 1000000000, 1600 } };
	struct kvmwatch_cycle cycle = { points, 2 };
	struct kvmwatch_predict_input in = {
		.size = sizeof(in), .cycles = &cycle, .nr_cycles = 1, .ram_pages = 65536,
		.data_pages = 20000, .zero_pages = 45536, .bandwidth = 16 << 20, .downtime = 0.3,
	};
	struct kvmwatch_prediction out = { .size = sizeof(out) };
	struct kvmwatch_textbook book = {
		.size = sizeof(book), .curve = cycle, .data_pages = 20000, .zero_pages = 45536,
		.zero_bytes = 9, .bandwidth = 16 << 20, .downtime = 0.3, .horizon = 1000,
	};

	NEED(!kvmwatch_predict(&in, &out) && out.first_bytes > 0 && is_zero(out.more));
	NEED(!kvmwatch_predict_textbook(&book) && book.bytes > 0 && is_zero(book.more));
	in.more[0] = 1;
	NEED(kvmwatch_predict(&in, &out) == -E2BIG);
}

int main(int argc, char **argv)
{
	struct kvmwatch_info info;
	int dev;

	(void)argv;
	if (argc > 1) {
		try_forecasts();
		return 0;
	}
	dev = kvmwatch_device_open("/dev/null", &info);
	NEED(dev >= 0);
	try_info(dev);
	try_lists(dev);
	try_all(dev);
	try_none(dev);
	try_heat(dev);
	return 0;
}
