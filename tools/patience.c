// SPDX-License-Identifier: GPL-2.0
/* Wait for calls that may hang. See patience.h. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "interrupt.h"
#include "patience.h"
#include "repeat.h"

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL
#define CHUNK_NS	(50 * NSEC_PER_MSEC)

/**
 * struct job - what a thread does
 * @lock:	protects the rest
 * @ended:	signalled when @done
 * @done:	the work is done
 * @over:	nobody waits any more: the thread frees all
 */
struct job {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool done;
	bool over;
	void (*work)(void *arg, const bool *over);
	void (*discard)(void *arg);
	void *arg;
};

static void job_free(struct job *job)
{
	pthread_cond_destroy(&job->ended);
	pthread_mutex_destroy(&job->lock);
	free(job);
}

static void *run(void *arg)
{
	struct job *job = arg;
	bool over;

	job->work(job->arg, &job->over);
	pthread_mutex_lock(&job->lock);
	job->done = true;
	over = job->over;
	pthread_cond_signal(&job->ended);
	pthread_mutex_unlock(&job->lock);
	if (over) {
		job->discard(job->arg);
		job_free(job);
	}
	return NULL;
}

static struct job *job_new(void)
{
	struct job *job = calloc(1, sizeof(*job));
	pthread_condattr_t attr;

	if (!job)
		return NULL;
	pthread_mutex_init(&job->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&job->ended, &attr);
	pthread_condattr_destroy(&attr);
	return job;
}

/* The main thread handles all signals. */
static int job_start(struct job *job, pthread_t *thread)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, run, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

/* Wait in short pieces, as signals do not end such a wait. */
static void wait_a_bit(struct job *job, __u64 until)
{
	struct timespec ts = { .tv_sec = until / NSEC_PER_SEC, .tv_nsec = until % NSEC_PER_SEC };

	pthread_cond_timedwait(&job->ended, &job->lock, &ts);
}

/* @told_before: a signal had come before the call, and does not end it. */
static int job_wait(struct job *job, __u64 until, bool told_before)
{
	int err = 0;
	__u64 now;

	pthread_mutex_lock(&job->lock);
	while (!job->done && !err) {
		now = now_ns();
		if (now >= until)
			err = -ETIMEDOUT;
		else if (interrupted() && !told_before)
			err = -EINTR;
		else
			wait_a_bit(job, now + CHUNK_NS < until ? now + CHUNK_NS : until);
	}
	if (job->done)
		err = 0;
	__atomic_store_n(&job->over, err != 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&job->lock);
	return err;
}

int patience_run(void (*work)(void *arg, const bool *over), void *arg, void (*discard)(void *arg),
		 unsigned int ms)
{
	const bool told_before = interrupted();
	struct job *job = job_new();
	pthread_t thread;
	int err;

	if (!job)
		return -ENOMEM;
	job->work = work;
	job->discard = discard;
	job->arg = arg;
	err = job_start(job, &thread);
	if (err) {
		job_free(job);
		return err;
	}
	err = job_wait(job, now_ns() + ms * NSEC_PER_MSEC, told_before);
	if (err) {
		pthread_detach(thread);
		return err;
	}
	pthread_join(thread, NULL);
	job_free(job);
	return 0;
}
