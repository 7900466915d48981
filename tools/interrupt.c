// SPDX-License-Identifier: GPL-2.0
/* Ending in good order when a signal asks for it. See interrupt.h. */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "interrupt.h"
#include "repeat.h"

#define NSEC_PER_SEC	1000000000ULL
#define CHUNK_NS	500000000ULL
#define UNBLOCK_US	500000

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

#define NR_SIGNALS	(sizeof(signals) / sizeof(*signals))

static int noted;
static bool catching, unblocking;

/* setitimer() is only a system call, so a handler may call it. One timer serves all signals. */
static void note(int signal)
{
	const struct itimerval often = { { 0, UNBLOCK_US }, { 0, UNBLOCK_US } };

	(void)signal;
	if (unblocking && !noted)
		setitimer(ITIMER_REAL, &often, NULL);
	__atomic_store_n(&noted, 1, __ATOMIC_RELAXED);
}

/* The signal itself is the purpose: a system call that it interrupts fails with EINTR. */
static void do_nothing(int signal)
{
	(void)signal;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

/*
 * Under nohup(1) the user wants hangups to be ignored. With --log, SIGHUP means to open the log
 * again.
 */
static bool is_taken_hangup(int signal)
{
	struct sigaction now;

	return signal == SIGHUP && !sigaction(signal, NULL, &now) &&
	       now.sa_handler != SIG_DFL && now.sa_handler != note;
}

void interrupt_catch(bool unblock)
{
	size_t i;

	noted = 0;
	catching = true;
	unblocking = unblock;
	if (unblock)
		handle(SIGALRM, do_nothing, 0);
	for (i = 0; i < NR_SIGNALS; i++) {
		if (!is_taken_hangup(signals[i]))
			handle(signals[i], note, unblock ? 0 : SA_RESETHAND);
	}
	handle(SIGPIPE, SIG_IGN, 0);
}

void interrupt_release(void)
{
	const struct itimerval never = { };
	size_t i;

	catching = false;
	setitimer(ITIMER_REAL, &never, NULL);
	for (i = 0; i < NR_SIGNALS; i++) {
		if (!is_taken_hangup(signals[i]))
			handle(signals[i], SIG_DFL, 0);
	}
	handle(SIGPIPE, SIG_DFL, 0);
	if (interrupted())
		raise(SIGTERM);
}

bool interrupted(void)
{
	return __atomic_load_n(&noted, __ATOMIC_RELAXED);
}

/*
 * Sleep in pieces: a signal between the check and the sleep does not interrupt the sleep. That is
 * rare, so the pieces are long: each one wakes a CPU.
 */
void interrupt_sleep_until(__u64 ns)
{
	struct timespec ts;
	__u64 now, until;

	for (now = now_ns(); now < ns && !interrupted(); now = now_ns()) {
		until = catching && ns - now > CHUNK_NS ? now + CHUNK_NS : ns;
		ts.tv_sec = until / NSEC_PER_SEC;
		ts.tv_nsec = until % NSEC_PER_SEC;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
}
