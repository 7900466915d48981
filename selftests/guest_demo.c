// SPDX-License-Identifier: GPL-2.0
/*
 * A guest to look at: it does a known amount of work, prints it, and stays. vCPU 0 does all work of
 * a round, except that every vCPU halts and exits. Nothing else happens between rounds, so a
 * counter that grows then is wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"
#include "slow.h"

#define SMALL_SLOT	1
#define SMALL_GPA	0x40000000ULL
#define HUGE_SLOT	2
#define HUGE_GPA	0x80000000ULL
#define HUGE_SIZE	0x200000ULL
#define RING_BYTES	65536	/* 4096 entries */

struct options {
	const char *name;
	unsigned long vcpus;
	unsigned long pages_4k;
	unsigned long pages_2m;
	unsigned long dirty_rounds;
	unsigned long halts;
	unsigned long halt_us;
	unsigned long exits;
	unsigned long rounds;
	long seconds;			/* -1: until a signal comes */
	bool keep_log;
	bool rings;
	bool spin;
};

static void print_help(void)
{
	fputs("usage: guest_demo [OPTION]...\n"
	      "\n"
	      "Start a small KVM guest that does a known amount of work, and say what it\n"
	      "did. Then stay, idle, until a signal or the time given.\n"
	      "\n"
	      "  -name NAME          name of the guest, as with qemu (default: demo)\n"
	      "  -qmp CHARDEV        where somebody else serves a monitor, as with qemu\n"
	      "  --vcpus N           vCPUs, 1 to 8 (1)\n"
	      "  --rounds N          how often to do all of the following (1)\n"
	      "  --pages-4k N        write to N pages of 4K memory (4096)\n"
	      "  --pages-2m N        write to N huge pages of 2M memory (8)\n"
	      "  --dirty-rounds N    with dirty logging of the 4K memory: write to half of\n"
	      "                      its pages and collect the log, N times (3)\n"
	      "  --keep-log          leave dirty logging on\n"
	      "  --rings             log to dirty rings instead of bitmaps\n"
	      "  --halts N           halt N times, woken by a timer; each vCPU (200)\n"
	      "  --halt-us N         for so many microseconds (300)\n"
	      "  --exits N           exit to userspace N times; each vCPU (1000)\n"
	      "  --spin              after that keep each vCPU busy; no more rounds\n"
	      "  --seconds N         how long to stay after that (until a signal)\n"
	      "  -h, --help          show this\n"
	      "\n"
	      "SIGUSR1: one more round. SIGTERM, SIGINT: end.\n", stdout);
}

#define say(options, format, ...) \
	printf("%s: " format "\n", (options)->name, ##__VA_ARGS__)

static int fail(const struct options *o, const char *what, int err)
{
	fprintf(stderr, "guest_demo: %s: %s: %s\n", o->name, what, strerror(-err));
	return err;
}

static int write_pages(struct guest *g, const struct options *o)
{
	int err;

	if (o->pages_4k) {
		err = guest_run(g, 0, work_write(SMALL_GPA, o->pages_4k, GUEST_PAGE, 1));
		if (err)
			return fail(o, "can't write to 4K pages", err);
		say(o, "wrote to %lu 4K pages", o->pages_4k);
	}
	if (o->pages_2m) {
		err = guest_run(g, 0, work_write(HUGE_GPA, o->pages_2m, HUGE_SIZE, 1));
		if (err)
			return fail(o, "can't write to 2M pages", err);
		say(o, "wrote to %lu 2M pages (%lld of them huge in the host)", o->pages_2m,
		    guest_slot_huge(g, HUGE_SLOT) / (long long)HUGE_SIZE);
	}
	return 0;
}

/* Number of pages that the log has had since the last call, or -errno. */
static long collect(struct guest *g, const struct options *o)
{
	long logged;
	int err;

	if (!o->rings)
		return guest_dirty_get(g, SMALL_SLOT, NULL);
	logged = guest_ring_harvest(g, 0);
	err = guest_ring_reset(g);
	return err < 0 ? err : logged;
}

static int dirty_rounds(struct guest *g, const struct options *o)
{
	unsigned long i, pages = (o->pages_4k + 1) / 2;
	long logged;
	int err;

	if (!o->dirty_rounds || !pages)
		return 0;
	err = guest_dirty_log(g, SMALL_SLOT, 1);
	if (err)
		return fail(o, "can't switch dirty logging on", err);
	for (i = 1; i <= o->dirty_rounds; i++) {
		err = guest_run(g, 0, work_write(SMALL_GPA, pages, GUEST_PAGE, 1));
		if (err)
			return fail(o, "can't write to 4K pages", err);
		logged = collect(g, o);
		if (logged < 0)
			return fail(o, "can't get the dirty log", logged);
		say(o, "dirty round %lu: wrote to %lu pages, %ld in KVM's dirty log",
		    i, pages, logged);
	}
	if (o->keep_log) {
		say(o, "dirty logging stays on");
		return 0;
	}
	err = guest_dirty_log(g, SMALL_SLOT, 0);
	return err ? fail(o, "can't switch dirty logging off", err) : 0;
}

/* Every vCPU does this work at the same time. */
static int run_all(struct guest *g, const struct options *o, struct guest_work work)
{
	int err = 0, ret;
	unsigned int i, started;

	for (started = 0; !err && started < guest_vcpus(g); started++)
		err = guest_start(g, started, work);
	if (err)
		started--;
	for (i = 0; i < started; i++) {
		ret = guest_wait(g, i, -1);
		err = err ? err : ret;
	}
	return err ? fail(o, "can't run the vCPUs", err) : 0;
}

static int halts(struct guest *g, const struct options *o)
{
	int err;

	if (!o->halts)
		return 0;
	err = run_all(g, o, work_halt(o->halts, GUEST_WAKE_LAPIC, o->halt_us * 1000));
	if (!err)
		say(o, "halted %lu times for %lu us (%lu on each vCPU)",
		    o->halts * o->vcpus, o->halt_us, o->halts);
	return err;
}

static int exits(struct guest *g, const struct options *o)
{
	int err;

	if (!o->exits)
		return 0;
	err = run_all(g, o, work_out(o->exits));
	if (!err)
		say(o, "exited to userspace %lu times (%lu on each vCPU)",
		    o->exits * o->vcpus, o->exits);
	return err;
}

static int do_round(struct guest *g, const struct options *o, unsigned long round)
{
	int err;

	err = write_pages(g, o);
	if (!err)
		err = dirty_rounds(g, o);
	if (!err)
		err = halts(g, o);
	if (!err)
		err = exits(g, o);
	if (!err)
		say(o, "round %lu done", round);
	return err;
}

static struct guest *start(const struct options *o)
{
	struct guest *g;
	unsigned int i;
	int err = 0;

	g = guest_new(o->rings ? 0 : o->vcpus, 0);
	if (!g) {
		fail(o, "can't create a VM with KVM", -errno);
		return NULL;
	}
	if (o->rings)
		err = guest_ring_enable(g, RING_BYTES);
	while (!err && guest_vcpus(g) < o->vcpus)
		err = guest_vcpu_add(g) < 0 ? -EIO : 0;
	if (!err && o->pages_4k)
		err = guest_slot_add(g, SMALL_SLOT, SMALL_GPA, o->pages_4k, GUEST_MEM_4K, 0);
	if (!err && o->pages_2m)
		err = guest_slot_add(g, HUGE_SLOT, HUGE_GPA,
				     o->pages_2m * (HUGE_SIZE / GUEST_PAGE), GUEST_MEM_THP, 0);
	for (i = 0; !err && i < o->vcpus; i++)
		err = guest_thread(g, i);
	if (err) {
		fail(o, "can't set the guest up", err);
		guest_free(g);
		return NULL;
	}
	say(o, "started: VM %s, %lu vCPUs, %d pages of its own", guest_name(g), o->vcpus,
	    GUEST_SLOT0_PAGES);
	return g;
}

/* Have all vCPUs spin until the guest ends. */
static int spin(struct guest *g, const struct options *o)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < guest_vcpus(g) && !err; i++)
		err = guest_start(g, i, work_spin());
	if (err)
		return fail(o, "can't keep the vCPUs busy", err);
	say(o, "spins");
	return 0;
}

/* Do rounds, one more at each signal, until the time is over. */
static int work(struct guest *g, const struct options *o, const sigset_t *signals)
{
	const struct timespec at_once = { 0 };
	struct timespec left = { .tv_sec = o->seconds };
	unsigned long round = 0;
	int sig = 0, err = 0;

	while (!err && (round < o->rounds || sig == SIGUSR1)) {
		err = do_round(g, o, ++round);
		if (err)
			break;
		if (round == o->rounds && o->spin)
			err = spin(g, o);
		if (round < o->rounds)
			sig = sigtimedwait(signals, NULL, &at_once);
		else if (o->seconds < 0)
			sig = sigwaitinfo(signals, NULL);
		else
			sig = sigtimedwait(signals, NULL, &left);
		if (sig > 0 && sig != SIGUSR1)
			break;
	}
	return err;
}

static int parse_number(const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || *value > max)
		return -EINVAL;
	return 0;
}

/* 0: go on; else the exit code plus 1. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "qmp", required_argument, NULL, 'q' },
		{ "vcpus", required_argument, NULL, 'v' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "pages-4k", required_argument, NULL, '4' },
		{ "pages-2m", required_argument, NULL, '2' },
		{ "dirty-rounds", required_argument, NULL, 'd' },
		{ "keep-log", no_argument, NULL, 'k' },
		{ "rings", no_argument, NULL, 'R' },
		{ "spin", no_argument, NULL, 'p' },
		{ "halts", required_argument, NULL, 't' },
		{ "halt-us", required_argument, NULL, 'u' },
		{ "exits", required_argument, NULL, 'e' },
		{ "seconds", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	unsigned long seconds;
	int c, err;

	while ((c = getopt_long_only(argc, argv, "h", longs, NULL)) != -1) {
		err = 0;
		switch (c) {
		case 'n':
			o->name = optarg;
			break;
		case 'q':
			break;
		case 'v':
			err = parse_number(optarg, GUEST_MAX_VCPUS, &o->vcpus);
			if (!o->vcpus)
				err = -EINVAL;
			break;
		case 'r':
			err = parse_number(optarg, LONG_MAX, &o->rounds);
			break;
		case '4':
			err = parse_number(optarg, (HUGE_GPA - SMALL_GPA) / GUEST_PAGE,
					   &o->pages_4k);
			break;
		case '2':
			err = parse_number(optarg, 4096, &o->pages_2m);
			break;
		case 'd':
			err = parse_number(optarg, LONG_MAX, &o->dirty_rounds);
			break;
		case 'k':
			o->keep_log = true;
			break;
		case 'R':
			o->rings = true;
			break;
		case 'p':
			o->spin = true;
			break;
		case 't':
			err = parse_number(optarg, UINT_MAX, &o->halts);
			break;
		case 'u':
			err = parse_number(optarg, 4000000, &o->halt_us);
			if (!o->halt_us)
				err = -EINVAL;
			break;
		case 'e':
			err = parse_number(optarg, UINT_MAX, &o->exits);
			break;
		case 's':
			err = parse_number(optarg, INT_MAX, &seconds);
			o->seconds = seconds;
			break;
		case 'h':
			print_help();
			return 1;
		default:
			fputs("Try 'guest_demo --help'.\n", stderr);
			return 3;
		}
		if (err) {
			fprintf(stderr, "guest_demo: not possible: %s\n", optarg);
			return 3;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "guest_demo: what is '%s'? Try 'guest_demo --help'.\n",
			argv[optind]);
		return 3;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {
		.name = "demo",
		.vcpus = 1,
		.pages_4k = 4096,
		.pages_2m = 8,
		.dirty_rounds = 3,
		.halts = 200,
		.halt_us = 300 * slow_times(),	/* a shorter timer ends before HLT */
		.exits = 1000,
		.rounds = 1,
		.seconds = -1,
	};
	struct guest *g;
	sigset_t signals;
	int err;

	err = parse(argc, argv, &options);
	if (err)
		return err - 1;
	setvbuf(stdout, NULL, _IOLBF, 0);

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	g = start(&options);
	if (!g)
		return 1;
	err = work(g, &options, &signals);
	guest_free(g);
	say(&options, "ended");
	return err ? 1 : 0;
}
