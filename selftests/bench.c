// SPDX-License-Identifier: GPL-2.0
/*
 * Guest instructions per event, for "make bench": run in a VM under -icount shift=0,
 * where one nanosecond of its clock is one instruction.
 *
 * Prints "name instructions" for each event, the minimum of several rounds: other rounds include
 * timer ticks.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "guest.h"
#include "sys.h"
#include "watch.h"

#define ROUNDS		6
#define EVENTS		1000
#define HALTS		200	/* each takes a timer's time, polling executes it */
#define SLOT		1
#define GPA		0x40000000ULL

static __u64 now(void)
{
	return clock_ns(CLOCK_MONOTONIC_RAW);
}

static void die(const char *what, long err)
{
	fprintf(stderr, "bench: %s: error %ld\n", what, err);
	exit(1);
}

static void check(const char *what, long err)
{
	if (err < 0)
		die(what, err);
}

/* An event: @prepare runs before the measured time, @run is measured. */
struct event {
	const char	*name;
	void		(*prepare)(struct guest *g);
	void		(*run)(struct guest *g);
	unsigned int	nr;
};

static void prepare_nothing(struct guest *g)
{
}

static void run_out(struct guest *g)
{
	check("exits", guest_run(g, 0, work_out(EVENTS)));
}

static void run_cpuid(struct guest *g)
{
	check("exits", guest_run(g, 0, work_cpuid(EVENTS)));
}

static void unmap(struct guest *g)
{
	check("discard", guest_slot_discard(g, SLOT, 0, EVENTS));
	check("populate", guest_slot_populate(g, SLOT));
}

static void touch(struct guest *g)
{
	check("write", guest_run(g, 0, work_write(GPA, EVENTS, GUEST_PAGE, 1)));
}

static void log_off(struct guest *g)
{
	check("logging off", guest_dirty_log(g, SLOT, 0));
	unmap(g);
}

static void discard(struct guest *g)
{
	check("discard", guest_slot_discard(g, SLOT, 0, EVENTS));
}

static void prepare_mapped(struct guest *g)
{
	unmap(g);
	touch(g);
}

static void prepare_logged(struct guest *g)
{
	check("logging on", guest_dirty_log(g, SLOT, 1));
	touch(g);
	check("get log", guest_dirty_get(g, SLOT, NULL));
}

/* As many marks in a row, with no exit between: see bench_modules/burst.c. */
static void mark_all(struct guest *g)
{
	static int fd = -1;
	char arg[64];
	int length;

	if (fd < 0)
		fd = open("/sys/module/burst/parameters/mark", O_WRONLY | O_CLOEXEC);
	length = snprintf(arg, sizeof(arg), "%d %llu %d", guest_vcpu_fd(g, 0), GPA / GUEST_PAGE,
			  EVENTS);
	check("marks", pwrite(fd, arg, length, 0));
}

static void *take(void *arg)
{
	eventfd_t value;

	while (!eventfd_read((int)(long)arg, &value))
		;
	return NULL;
}

/*
 * Let a thread that goes first wait for what the guest writes to the port: at each write the
 * only CPU goes to that thread, which waits again, and back.
 */
static void prepare_switch(struct guest *g)
{
	static struct kvm_ioeventfd io = { .addr = GUEST_PORT, .len = 1,
					   .flags = KVM_IOEVENTFD_FLAG_PIO };
	const struct sched_param first = { .sched_priority = 1 };
	pthread_attr_t attr;
	pthread_t thread;

	if (io.fd)
		return;
	io.fd = eventfd(0, EFD_CLOEXEC);
	check("eventfd", io.fd);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &first);
	check("thread", -pthread_create(&thread, &attr, take, (void *)(long)io.fd));
	check("ioeventfd", ioctl(guest_vm_fd(g), KVM_IOEVENTFD, &io));
}

/* With kvmwatch, have it count the marks of each page, from here on to the end. */
static void prepare_heated(struct guest *g)
{
	struct kvmwatch_open open = {
		.size = sizeof(open), .kind = KVMWATCH_KIND_VM,
		.flags = KVMWATCH_OPEN_BY_FD, .fd = guest_vm_fd(g),
	};
	static int heat = -1;
	int dev;

	prepare_logged(g);
	dev = watch_device();
	if (dev < 0 || heat >= 0)
		return;
	heat = ioctl(dev, KVMWATCH_OPEN_HEAT, &open);
	check("heat", heat);
}

static void run_halt(struct guest *g)
{
	check("halts", guest_run(g, 0, work_halt(HALTS, GUEST_WAKE_LAPIC, 50000)));
}

static const struct event events[] = {
	{ "load_put", prepare_nothing, run_out, EVENTS },
	{ "page_map", unmap, touch, EVENTS },
	{ "page_unmap", prepare_mapped, discard, EVENTS },
	{ "dirty_mark", prepare_logged, touch, EVENTS },
	{ "mark_burst", prepare_logged, mark_all, EVENTS },
	{ "halt_wake", log_off, run_halt, HALTS },
	{ "exit", prepare_nothing, run_cpuid, EVENTS },
	{ "switch", prepare_switch, run_out, EVENTS },	/* and no more OUT to userspace */
	{ "dirty_mark_heat", prepare_heated, touch, EVENTS },
	{}
};

static void measure(struct guest *g, const struct event *event)
{
	__u64 best = ~0ULL, start, took;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		event->prepare(g);
		start = now();
		event->run(g);
		took = now() - start;
		if (took < best)
			best = took;
	}
	printf("%s %.1f\n", event->name, (double)best / event->nr);
	fflush(stdout);
}

int main(void)
{
	struct guest *g = guest_new(1, 0);
	size_t i;

	if (!g)
		die("no KVM guest", -1);
	check("slot", guest_slot_add(g, SLOT, GPA, EVENTS, GUEST_MEM_4K, 0));
	check("populate", guest_slot_populate(g, SLOT));
	for (i = 0; events[i].name; i++)
		measure(g, &events[i]);
	guest_free(g);
	return 0;
}
