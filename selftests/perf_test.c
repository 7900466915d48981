// SPDX-License-Identifier: GPL-2.0
/*
 * perf kvm stat, on the same run: for each exit reason it counts as many exits as kvmwatch, and,
 * where the VM's clock counts instructions, as much time.
 *
 * perf records two events of KVM's an exit and pairs them afterwards. The last exit of the run has
 * no entry behind it, so perf leaves it out. perf reads the clock when it has put the event
 * together, which at an exit takes longer than at an entry, and kvmwatch when the event comes: so
 * perf's time is shorter, by a seventh for the shortest exits.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "machine.h"
#include "oracle.h"
#include "watch.h"

#define DATA		"/tmp/perf-kvm.data"
#define STARTED		"/tmp/perf-kvm.started"
#define STOP		"/tmp/perf-kvm.stop"
#define MAX_REASONS	2048
#define CPUIDS		2000
#define OUTS		300
#define TIMED		"cpuid"

struct exits {
	__u64 counts[MAX_REASONS], times[MAX_REASONS];
	int nr;
};

static char names[MAX_REASONS][KVMWATCH_NAME_SIZE];

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

static void forget(void)
{
	unlink(DATA);
	unlink(STARTED);
	unlink(STOP);
}

/* perf runs the shell when it records, and ends when that ends. */
static pid_t start_perf(void)
{
	pid_t pid;
	int null;

	forget();
	pid = fork();
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execlp("perf", "perf", "kvm", "stat", "record", "-m", "4096", "-o", DATA, "-a",
		       "--", "sh", "-c",
		       "> " STARTED "; while [ ! -e " STOP " ]; do sleep 0.1; done", NULL);
		_exit(127);
	}
	return WATCH_EVENTUALLY(exists(STARTED)) ? pid : -1;
}

static int stop_perf(pid_t pid)
{
	int status;

	close(open(STOP, O_WRONLY | O_CREAT, 0600));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return WEXITSTATUS(status);
}

static int read_names(void)
{
	struct kvmwatch_bucket *buckets;
	int i, nr = watch_list(KVMWATCH_KIND_BUCKET, 0, (void **)&buckets, sizeof(*buckets));

	for (i = 0; i < nr; i++) {
		if (buckets[i].buckets == KVMWATCH_BUCKETS_EXIT && buckets[i].number < MAX_REASONS)
			strcpy(names[buckets[i].number], buckets[i].name);
	}
	if (nr >= 0)
		free(buckets);
	return nr;
}

static int read_exits(struct guest *g, struct exits *exits)
{
	int fd = watch_vcpu(g, 0), nr;

	memset(exits, 0, sizeof(*exits));
	if (fd < 0)
		return fd;
	exits->nr = oracle_hist(fd, "exit_reasons", exits->counts, MAX_REASONS);
	nr = oracle_hist(fd, "exit_reason_times", exits->times, MAX_REASONS);
	close(fd);
	return exits->nr < 0 ? exits->nr : nr < 0 ? nr : 0;
}

/* What perf says of a reason */
struct said {
	unsigned long long count;
	double ns;
};

static char report[65536];

static int read_report(void)
{
	FILE *from = popen("perf kvm -i " DATA " stat report 2>&1", "r");
	const char *line, *end;
	size_t len;

	if (!from)
		return -errno;
	len = fread(report, 1, sizeof(report) - 1, from);
	report[len] = '\0';
	for (line = report; *line; line = end + (*end == '\n')) {
		end = strchrnul(line, '\n');
		printf("# %.*s\n", (int)(end - line), line);
	}
	return pclose(from) ? -EIO : 0;
}

/* "  cpuid   2000  80.00%  70.01%   31.15us  120.44us   33.02us ( +-   0.20% )" */
static bool perf_says(const char *reason, struct said *said)
{
	const char *line, *next;
	char name[64];
	double average;

	for (line = report; line && *line; line = next ? next + 1 : NULL) {
		next = strchr(line, '\n');
		if (sscanf(line, " %63s %llu %*f%% %*f%% %*fus %*fus %lfus", name, &said->count,
			   &average) == 3 && !strcasecmp(name, reason)) {
			said->ns = average * 1000 * said->count;
			return true;
		}
	}
	said->count = 0;
	said->ns = 0;
	return false;
}

FIXTURE(perf)
{
	struct guest *g;
	pid_t pid;
};

FIXTURE_SETUP(perf)
{
	NEEDS_VM(FROM_SETUP, "perf records all of the machine");
	if (!exists("/bin/perf"))
		SKIP(return, "no perf here");
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	self->pid = -1;
}

FIXTURE_TEARDOWN(perf)
{
	if (self->pid > 0)
		kill(self->pid, SIGINT);
	guest_free(self->g);
	forget();
}

TEST_F_TIMEOUT(perf, counts_the_same_exits_and_their_time, 300)
{
	struct exits before, after;
	__u64 ours, open = 0;
	struct said said;
	double part;
	int i;

	ASSERT_LE(0, read_names());
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(1)));
	self->pid = start_perf();
	ASSERT_LT(0, self->pid);
	ASSERT_EQ(0, read_exits(self->g, &before));
	ASSERT_GE(MAX_REASONS, before.nr);
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(CPUIDS)));
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(OUTS)));
	ASSERT_EQ(0, guest_run(self->g, 0, work_halt(20, GUEST_WAKE_LAPIC, 1000000)));
	ASSERT_EQ(0, read_exits(self->g, &after));
	ASSERT_EQ(0, stop_perf(self->pid));
	self->pid = -1;
	ASSERT_EQ(0, read_report());
	if (strstr(report, "Total Samples:0,"))
		SKIP(return, "this perf understands no exits of this kernel");

	for (i = 0; i < after.nr; i++) {
		ours = after.counts[i] - before.counts[i];
		perf_says(names[i], &said);
		if (ours || said.count)
			printf("# %s: %llu in %llu ns, by perf %llu in %.0f ns\n", names[i], ours,
			       after.times[i] - before.times[i], said.count, said.ns);
		open += ours - said.count == 1;
		EXPECT_TRUE(ours - said.count <= 1);
		if (strcmp(names[i], TIMED))
			continue;
		EXPECT_LE(CPUIDS, said.count);
		/* Where the emulator's CPUs take turns, a turn may end between the two looks. */
		if (!getenv("vm_clock"))
			continue;
		part = said.ns / (after.times[i] - before.times[i]);
		EXPECT_LE(0.75, part);
		EXPECT_GE(1.05, part);
	}
	/* The exit by which the work ended. */
	EXPECT_EQ(1, open);
}

TEST_HARNESS_MAIN
