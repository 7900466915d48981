// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into QEMU with dirty rings: the thread that reaps them each second begins a minute
 * later. If it wakes while a vCPU has no ring yet, QEMU 7.2 aborts: "Assertion `dirty_gfns &&
 * ring_size' failed". Later versions look. In an emulator, a QEMU takes longer than a second until
 * its vCPUs are there. Nothing else needs the thread: a vCPU whose ring is full reaps, and so does
 * each sync.
 */
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* The C library's own, but for the first call */
unsigned int sleep(unsigned int seconds)
{
	static atomic_flag called = ATOMIC_FLAG_INIT;
	struct timespec left = { .tv_sec = atomic_flag_test_and_set(&called) ? seconds : 60 };

	return nanosleep(&left, &left) ? left.tv_sec : 0;
}
