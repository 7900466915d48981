// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch rank on a host with 100 VMs: what is done, in which order, and for how many at a time.
 * The device is played, and so is what a forecast takes; that rank's numbers are right is for
 * selftests/predict_test.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "cmd.h"
#include "forecast.h"
#include "libkvmwatch.h"

#define VMS	100
#define TOP	7
#define ENDED	50	/* id of a VM that ends while it is looked at */

/* The cheapest is in the middle: (41 * id) % 101 are 1 to 100, in no order. */
static __u64 pages_of(__u64 id)
{
	return 41 * id % (VMS + 1);
}

/* --- in place of the C library's, and of forecast.c ------------------------------- */

static pthread_mutex_t lock;
static pthread_cond_t more;
static struct {
	unsigned int counted[VMS + 1], sampled[VMS + 1];	/* by id: how often */
	unsigned int nr_sampled, at_once, most_at_once;
	unsigned int together;	/* the first samples that wait for each other */
	unsigned int signal_at;	/* the sample that a signal comes with; 0: none */
} seen;

static int list_vms(struct kvmwatch_list *list)
{
	struct kvmwatch_vm vm = { .memory = 1 << 30, .pid = 1 << 30, .comm = "played" };
	__u32 i;

	for (i = 0; i < VMS && i < list->nr; i++) {
		vm.id = i + 1;
		snprintf(vm.name, sizeof(vm.name), "vm-%u", i + 1);
		memcpy((char *)(unsigned long)list->items + i * list->item_size, &vm, sizeof(vm));
	}
	list->nr = VMS;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == KVMWATCH_INFO) {
		((struct kvmwatch_info *)arg)->abi = KVMWATCH_ABI;
		return 0;
	}
	if (request == KVMWATCH_LIST && ((struct kvmwatch_list *)arg)->kind == KVMWATCH_KIND_VM)
		return list_vms(arg);
	errno = ENOTTY;
	return -1;
}

int open(const char *path, int flags, ...)
{
	if (!strcmp(path, KVMWATCH_DEVICE))
		path = "/dev/null";
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0644);
}

/* Progress is for terminals. */
int isatty(int fd)
{
	return fd == STDERR_FILENO;
}

/*
 * The first ones wait for each other, and then for one too many, which would come at once. A test
 * that waits in vain fails after a minute, and does not hang.
 */
static void begin_sample(__u64 id)
{
	struct timespec until;
	bool first;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&lock);
	seen.sampled[id]++;
	first = ++seen.nr_sampled <= seen.together;
	if (++seen.at_once > seen.most_at_once)
		seen.most_at_once = seen.at_once;
	if (seen.nr_sampled == seen.signal_at)
		raise(SIGTERM);
	pthread_cond_broadcast(&more);
	while (seen.nr_sampled < seen.together &&
	       !pthread_cond_timedwait(&more, &lock, &until))
		;
	pthread_mutex_unlock(&lock);
	if (first)
		usleep(200000);
}

static void end_sample(void)
{
	pthread_mutex_lock(&lock);
	seen.at_once--;
	pthread_mutex_unlock(&lock);
}

/* A sample finds half of what is mapped. */
int forecast_make(int dev, const struct vm *vm, const struct forecast_options *options,
		  forecast_progress_fn *progress, void *arg, struct forecast *forecast)
{
	const __u64 id = vm->info.id, bytes = pages_of(id) << 20;

	(void)dev;
	(void)progress;
	(void)arg;
	*forecast = (struct forecast) { .vm = vm, .memory = vm->info.memory };
	forecast->data = (struct maybe) { true, options->sample ? bytes / 2 : bytes };
	forecast->mapped = (struct maybe) { true, bytes };
	if (!options->sample) {
		seen.counted[id]++;
		return 0;
	}
	begin_sample(id);
	forecast->sampled = true;
	forecast->has_out = true;
	forecast->out.verdict = KVMWATCH_CONVERGES;
	forecast->out.total = pages_of(id);
	forecast->out.bytes = bytes / 2;
	end_sample();
	return id == ENDED ? -ESRCH : 0;
}

void forecast_free(struct forecast *forecast)
{
	(void)forecast;
}

/* --- rank ---------------------------------------------------------------------------- */

static char said[65536], shown[65536];

static int file_in_place_of(int fd, int *kept)
{
	int file = memfd_create("output", MFD_CLOEXEC);

	*kept = dup(fd);
	dup2(file, fd);
	return file;
}

static void take_back(int fd, int file, int kept, char *text, size_t size)
{
	ssize_t n = pread(file, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	dup2(kept, fd);
	close(kept);
	close(file);
}

#define MAX_WORDS	16

static int rank(const char *const *words, size_t nr)
{
	int out, err, out_kept, err_kept, code;
	char *argv[MAX_WORDS + 1] = { };

	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&more, NULL);
	memcpy(argv, words, nr * sizeof(*argv));
	memset(seen.counted, 0, offsetof(typeof(seen), together));
	fflush(NULL);
	out = file_in_place_of(STDOUT_FILENO, &out_kept);
	err = file_in_place_of(STDERR_FILENO, &err_kept);
	code = cmd_rank.run(&cmd_rank, nr, argv);
	fflush(NULL);
	take_back(STDOUT_FILENO, out, out_kept, said, sizeof(said));
	take_back(STDERR_FILENO, err, err_kept, shown, sizeof(shown));
	pthread_cond_destroy(&more);
	pthread_mutex_destroy(&lock);
	return code;
}

#define RANK(...) ({								\
	const char *const words[] = { "rank", __VA_ARGS__, "--csv" };		\
	rank(words, ARRAY_SIZE(words));						\
})

/* The ids of what was printed; returns how many */
static unsigned int ids_of(unsigned int ids[VMS + 1])
{
	char *line = strchr(said, '\n');
	unsigned int nr = 0;

	for (; line && line[1] && nr <= VMS; line = strchr(line + 1, '\n'))
		ids[nr++] = strtoul(line + 1, NULL, 10);
	return nr;
}

TEST(all_are_ranked_by_counters_alone)
{
	unsigned int ids[VMS + 1], i;

	ASSERT_EQ(EXIT_DONE, RANK("--bandwidth", "64M"));
	ASSERT_EQ(VMS, ids_of(ids));
	for (i = 0; i < VMS; i++) {
		EXPECT_EQ(i + 1, pages_of(ids[i]));
		EXPECT_EQ(1, seen.counted[ids[i]]);
	}
	EXPECT_EQ(0, seen.nr_sampled);
}

TEST(top_has_only_the_cheapest_sampled_and_jobs_bounds_how_many_at_a_time)
{
	unsigned int ids[VMS + 1], i;

	seen.together = 3;
	ASSERT_EQ(EXIT_DONE, RANK("--sample", "--top", "7",
				  "--jobs", "3"));
	EXPECT_EQ(TOP, seen.nr_sampled);
	EXPECT_EQ(3, seen.most_at_once);
	for (i = 1; i <= VMS; i++)
		EXPECT_EQ(pages_of(i) <= TOP, seen.sampled[i]);
	ASSERT_EQ(VMS, ids_of(ids));
	for (i = 0; i < VMS; i++)
		EXPECT_EQ(i + 1, pages_of(ids[i]));
	EXPECT_NE(NULL, strstr(shown, "\r\033[K0 of 7 VMs..."));
	EXPECT_NE(NULL, strstr(shown, "\r\033[K4 of 7 VMs..."));
	EXPECT_NE(NULL, strstr(shown, "\r\033[K7 of 7 VMs...\r\033[K"));
}

TEST(without_jobs_one_is_sampled_at_a_time_and_who_ends_is_left_out)
{
	unsigned int ids[VMS + 1], i, nr;

	seen.together = 1;
	ASSERT_EQ(EXIT_DONE, RANK("--sample"));
	EXPECT_EQ(VMS, seen.nr_sampled);
	EXPECT_EQ(1, seen.most_at_once);
	nr = ids_of(ids);
	EXPECT_EQ(VMS - 1, nr);
	for (i = 0; i < nr; i++)
		EXPECT_NE(ENDED, ids[i]);
}

TEST(signal_ends_it_after_those_that_are_looked_at)
{
	seen.together = 4;
	seen.signal_at = 5;
	EXPECT_EQ(EXIT_COULD_NOT, RANK("--sample", "--jobs", "4"));
	EXPECT_LE(5U, seen.nr_sampled);
	EXPECT_GE(8U, seen.nr_sampled);
	EXPECT_EQ(0, seen.at_once);
	EXPECT_NE(NULL, strstr(shown, "interrupted"));
	EXPECT_EQ('\0', *said);
}

TEST_HARNESS_MAIN
