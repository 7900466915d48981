// SPDX-License-Identifier: GPL-2.0
/* Threads of vCPUs, and the work that they do. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest/parts.h"
#include "guest/vmcb.h"
#include "sys.h"

static void ignore_kick(int sig)
{
	(void)sig;
}

/* Handle an access outside of all slots, or a write to a read-only slot. */
static int handle_mmio(struct vcpu *v)
{
	const struct slot *slot = v->guest->slots;
	struct kvm_run *run = v->run;

	if (run->mmio.is_write) {
		for (; slot < v->guest->slots + NR_SLOTS; slot++)
			if (slot->used && (slot->flags & KVM_MEM_READONLY) &&
			    run->mmio.phys_addr - slot->gpa < slot->size)
				return 0;
	} else {
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
	}
	__atomic_store_n(&v->mail->stop, 1, __ATOMIC_RELEASE);
	return -EFAULT;
}

/* KVM_RUN was interrupted, by a kick or because the guest ends. */
static int handle_intr(struct vcpu *v)
{
	const struct timespec at_once = { 0 };
	bool quit;
	sigset_t kick;

	pthread_mutex_lock(&v->lock);
	if (v->has_thread) {
		sigemptyset(&kick);
		sigaddset(&kick, SIG_KICK);
		if (sigtimedwait(&kick, NULL, &at_once) > 0)
			v->kicks++;
		pthread_cond_broadcast(&v->cond);
	}
	quit = v->quit;
	pthread_mutex_unlock(&v->lock);
	return quit ? -ECANCELED : 0;
}

static int handle_ring_full(struct vcpu *v)
{
	int n;

	pthread_mutex_lock(&v->lock);
	harvest(v);
	pthread_mutex_unlock(&v->lock);
	n = guest_ring_reset(v->guest);
	return n < 0 ? n : 0;
}

int kvm_run(struct vcpu *v)
{
	__u32 reason;
	int err;

	__atomic_add_fetch(&v->runs, 1, __ATOMIC_RELAXED);
	err = kvm_ioctl(v->fd, KVM_RUN, NULL);
	reason = v->run->exit_reason;
	if ((!err || err == -EINTR) && reason < NR_EXITS)
		__atomic_add_fetch(&v->exits[reason], 1, __ATOMIC_RELAXED);
	return err;
}

/* Why the nested guest ended, if that was too early. */
static int nested_result(const struct vcpu *v)
{
	switch (v->mail->why) {
	case 0:
		return 0;
	case VMEXIT_PF:
	case VMEXIT_NPF:
		return -EFAULT;
	}
	return -EPROTO;
}

/* Run the vCPU until the guest reports its end, or cannot go on. */
static int run_guest(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	int err, result = 0;

	for (;;) {
		err = kvm_run(v);
		if (err == -EINTR) {
			err = handle_intr(v);
			if (err)
				break;
			continue;
		}
		if (err)
			break;
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			if (run->io.port == PORT_DONE)
				return result ? result : nested_result(v);
			break;
		case KVM_EXIT_HLT:
			break;
		case KVM_EXIT_MMIO:
			if (handle_mmio(v))
				result = -EFAULT;
			break;
		case KVM_EXIT_DIRTY_RING_FULL:
			err = handle_ring_full(v);
			break;
		default:
			err = -EIO;
		}
		if (err)
			break;
	}
	v->lost = true;
	return err;
}

/* Is the work valid? */
static int check_work(const struct vcpu *v, const struct guest_work *w)
{
	__u64 count = w->period_ns * PIT_HZ / 1000000000;
	bool in_kernel = w->wake < GUEST_WAKE_EXIT;

	if (!w->rounds || (w->nested && !v->guest->nest))
		return -EINVAL;
	switch (w->op) {
	case GUEST_READ:
	case GUEST_WRITE:
	case GUEST_CALL:
		return w->pages ? 0 : -EINVAL;
	case GUEST_SPIN:
	case GUEST_OUT:
	case GUEST_CPUID:
	case GUEST_RDMSR:
		return 0;
	case GUEST_HALT:
		if (w->nested && w->wake != GUEST_WAKE_USER)
			return -EINVAL;
		if (w->wake > GUEST_WAKE_EXIT || v->guest->irqchip != in_kernel)
			return -EINVAL;
		if (w->wake == GUEST_WAKE_LAPIC && (!w->period_ns || w->period_ns >> 32))
			return -EINVAL;
		if (w->wake == GUEST_WAKE_PIT && (!count || count > 65536))
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

/* Take the vCPU for a command, and write the command to its mailbox. */
static int begin_work(struct vcpu *v, const struct guest_work *w)
{
	struct mailbox *mail = v->mail;
	bool halt = w->op == GUEST_HALT;
	int err;

	err = check_work(v, w);
	if (err)
		return err;
	if (v->lost)
		return -EIO;
	if (v->state != IDLE)
		return -EBUSY;
	if (halt && w->wake == GUEST_WAKE_PIT) {
		err = start_pit(v, w->period_ns);
		if (err)
			return err;
	}
	mail->op = w->op;
	mail->rounds = w->rounds;
	mail->gpa = w->gpa;
	mail->pages = w->pages;
	mail->stride = w->stride;
	mail->value = w->value;
	mail->vmcb = w->nested ? nest_gpa(v->guest, VMCB_PAGE + v->index) : 0;
	mail->why = 0;
	mail->timer = halt && w->wake == GUEST_WAKE_LAPIC ? w->period_ns : 0;
	__atomic_store_n(&mail->stop, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&mail->progress, 0, __ATOMIC_RELEASE);
	v->state = BUSY;
	pthread_cond_broadcast(&v->cond);
	return 0;
}

static void end_work(struct vcpu *v, enum state next, int result)
{
	stop_pit(v);
	pthread_mutex_lock(&v->lock);
	v->state = next;
	v->result = result;
	pthread_cond_broadcast(&v->cond);
	pthread_mutex_unlock(&v->lock);
}

/* Block the kick's signal outside of KVM_RUN, so that one kick ends exactly one KVM_RUN. */
static int set_kick_mask(struct vcpu *v)
{
	__u32 mask[] = { 8, 0, 0 };	/* struct kvm_signal_mask: bytes, bits */
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	sigdelset(&set, SIG_KICK);
	memcpy(mask + 1, &set, 8);
	return kvm_ioctl(v->fd, KVM_SET_SIGNAL_MASK, mask);
}

static void drop_kicks(void)
{
	const struct timespec at_once = { 0 };
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, SIG_KICK);
	while (sigtimedwait(&kick, NULL, &at_once) > 0)
		;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	int err;

	err = set_kick_mask(v);
	pthread_mutex_lock(&v->lock);
	v->tid = gettid();
	v->result = err;
	pthread_cond_broadcast(&v->cond);
	while (!err) {
		while (v->state != BUSY && !v->quit)
			pthread_cond_wait(&v->cond, &v->lock);
		if (v->quit) {
			v->result = -ECANCELED;
			v->state = v->state == BUSY ? DONE : v->state;
			break;
		}
		drop_kicks();
		pthread_mutex_unlock(&v->lock);
		end_work(v, DONE, run_guest(v));
		pthread_mutex_lock(&v->lock);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

int guest_thread(struct guest *g, unsigned int vcpu)
{
	const struct sigaction action = { .sa_handler = ignore_kick };
	struct vcpu *v = get_vcpu(g, vcpu);
	char name[16];
	int err;

	if (!v)
		return -ENOENT;
	if (v->has_thread)
		return 0;
	if (sigaction(SIG_KICK, &action, NULL))
		return -errno;

	pthread_mutex_lock(&v->lock);
	if (v->state != IDLE) {
		pthread_mutex_unlock(&v->lock);
		return -EBUSY;
	}
	err = pthread_create(&v->thread, NULL, vcpu_thread, v);
	v->has_thread = !err;
	while (!err && !v->tid)
		pthread_cond_wait(&v->cond, &v->lock);
	pthread_mutex_unlock(&v->lock);
	if (err)
		return -err;
	if (v->result) {
		pthread_join(v->thread, NULL);
		v->has_thread = false;
		v->tid = 0;
		return v->result;
	}
	snprintf(name, sizeof(name), "CPU %u/KVM", vcpu % GUEST_MAX_VCPUS);
	pthread_setname_np(v->thread, name);
	return 0;
}

int guest_start(struct guest *g, unsigned int vcpu, struct guest_work work)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	int err;

	err = guest_thread(g, vcpu);
	if (err)
		return err;
	pthread_mutex_lock(&v->lock);
	err = begin_work(v, &work);
	pthread_mutex_unlock(&v->lock);
	return err;
}

int guest_wait(struct guest *g, unsigned int vcpu, int timeout_ms)
{
	__u64 deadline = deadline_ns(timeout_ms);
	struct timespec until = {
		.tv_sec = deadline / 1000000000,
		.tv_nsec = deadline % 1000000000,
	};
	struct vcpu *v;
	int err = 0;

	if (vcpu >= g->nr_vcpus)
		return -ENOENT;
	v = &g->vcpus[vcpu];
	pthread_mutex_lock(&v->lock);
	while (!err && v->state == BUSY)
		err = pthread_cond_timedwait(&v->cond, &v->lock, &until);
	if (v->state == IDLE)
		err = ECHILD;
	if (v->state == DONE) {
		v->state = IDLE;
		err = -v->result;
	}
	pthread_mutex_unlock(&v->lock);
	return -err;
}

int guest_run(struct guest *g, unsigned int vcpu, struct guest_work work)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	int err;

	if (!v)
		return -ENOENT;
	if (v->has_thread) {
		err = guest_start(g, vcpu, work);
		return err ? err : guest_wait(g, vcpu, -1);
	}
	pthread_mutex_lock(&v->lock);
	err = begin_work(v, &work);
	pthread_mutex_unlock(&v->lock);
	if (err)
		return err;
	err = run_guest(v);
	end_work(v, IDLE, 0);
	return err;
}

int guest_stop(struct guest *g, unsigned int vcpu)
{
	struct vcpu *v = get_vcpu(g, vcpu);

	if (!v)
		return -ENOENT;
	__atomic_store_n(&v->mail->stop, 1, __ATOMIC_SEQ_CST);
	if (v->mail->op == GUEST_HALT && g->irqchip)
		return guest_wake(g, vcpu);
	return 0;
}

int guest_kick(struct guest *g, unsigned int vcpu)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	int err = -ESRCH;
	__u64 kicks;

	if (!v)
		return -ENOENT;
	pthread_mutex_lock(&v->lock);
	if (v->has_thread && v->state == BUSY) {
		kicks = v->kicks;
		pthread_kill(v->thread, SIG_KICK);
		while (v->kicks == kicks && v->state == BUSY)
			pthread_cond_wait(&v->cond, &v->lock);
		if (v->kicks != kicks)
			err = 0;
	}
	pthread_mutex_unlock(&v->lock);
	return err;
}

int guest_pin(struct guest *g, unsigned int vcpu, int cpu)
{
	cpu_set_t set;
	int err, i;

	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	err = guest_thread(g, vcpu);
	if (err)
		return err;
	CPU_ZERO(&set);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (cpu < 0 || i == cpu)
			CPU_SET(i, &set);
	return sched_setaffinity(guest_tid(g, vcpu), sizeof(set), &set) ? -errno : 0;
}

int guest_tid(const struct guest *g, unsigned int vcpu)
{
	const struct vcpu *v = get_vcpu(g, vcpu);

	return v ? v->tid : 0;
}

__u64 guest_progress(const struct guest *g, unsigned int vcpu)
{
	const struct vcpu *v = get_vcpu(g, vcpu);

	return v ? __atomic_load_n(&v->mail->progress, __ATOMIC_ACQUIRE) : 0;
}

int guest_wait_progress(struct guest *g, unsigned int vcpu, __u64 progress,
			int timeout_ms)
{
	__u64 deadline = deadline_ns(timeout_ms);

	while (guest_progress(g, vcpu) < progress) {
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}

/* Read one word from a file of a thread; empty if there is none. */
static void thread_says(const char *thread, const char *file, const char *format, char *word)
{
	char path[64];
	FILE *f;

	word[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%s/%s", thread, file);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, format, word) != 1)
		word[0] = '\0';
	fclose(f);
}

/* Does this kernel show where a thread sleeps? Look at init, which sleeps while tests run. */
static bool kernel_tells_where(void)
{
	char where[32];

	thread_says("1", "wchan", "%31s", where);
	return strcmp(where, "0");
}

/*
 * Does the thread sleep in a halt? A thread that was preempted on its way to sleep has the state of
 * a sleeper, but no wait channel. If the kernel shows no wait channels, use the state alone.
 */
static bool blocks_in_kvm(int tid)
{
	char thread[32], where[32], state[2];

	snprintf(thread, sizeof(thread), "self/task/%d", tid);
	if (kernel_tells_where()) {
		thread_says(thread, "wchan", "%31s", where);
		return !strncmp(where, "kvm_vcpu_block", 14) ||
		       !strncmp(where, "kvm_vcpu_halt", 13);
	}
	thread_says(thread, "stat", "%*d (%*[^)]) %1s", state);
	return state[0] == 'S';
}

/* Number of times that the thread has gone to sleep, or -errno. */
static long sleeps_of(int tid)
{
	long sleeps = -EIO;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (sleeps < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps);
	fclose(f);
	return sleeps;
}

/*
 * While the host fetches a page (an asynchronous page fault), a vCPU briefly sleeps in the same
 * place as in a halt. Only a halt lasts, so check several times.
 */
#define LASTS	30

int guest_wait_asleep(struct guest *g, unsigned int vcpu, __u64 halt,
		      int timeout_ms)
{
	__u64 deadline = deadline_ns(timeout_ms);
	int tid = guest_tid(g, vcpu), err, times = 0;
	long sleeps, before = -1;

	if (!tid)
		return -ECHILD;
	err = guest_wait_progress(g, vcpu, halt, timeout_ms);
	while (!err && times < LASTS) {
		nap();
		if (__atomic_load_n(&g->vcpus[vcpu].state, __ATOMIC_RELAXED) != BUSY)
			return -ESRCH;
		sleeps = sleeps_of(tid);
		if (sleeps < 0)
			return sleeps;
		times = blocks_in_kvm(tid) && sleeps == before ? times + 1 : 0;
		before = sleeps;
		err = now_ns() > deadline ? -ETIMEDOUT : 0;
	}
	return err;
}

/* A shorter limit may not be enough on a busy machine while other guests storm. */
#define HALT_MS		60000

int guest_halt_asleep(struct guest *g, unsigned int vcpu, __u64 halts)
{
	int err, ret;
	__u64 i;

	err = guest_start(g, vcpu, work_halt(halts, GUEST_WAKE_USER, 0));
	if (err)
		return err;
	for (i = 1; !err && i <= halts; i++) {
		err = guest_wait_asleep(g, vcpu, i, HALT_MS);
		if (!err)
			err = guest_wake(g, vcpu);
	}
	if (err)
		guest_stop(g, vcpu);
	ret = guest_wait(g, vcpu, HALT_MS);
	return err ? err : ret;
}

__u64 guest_runs(const struct guest *g, unsigned int vcpu)
{
	if (vcpu >= g->nr_vcpus)
		return 0;
	return __atomic_load_n(&g->vcpus[vcpu].runs, __ATOMIC_RELAXED);
}

__u64 guest_ioctls(const struct guest *g, unsigned int vcpu)
{
	if (vcpu >= g->nr_vcpus)
		return 0;
	return __atomic_load_n(&g->vcpus[vcpu].ioctls, __ATOMIC_RELAXED);
}

__u64 guest_exits(const struct guest *g, unsigned int vcpu, unsigned int reason)
{
	if (vcpu >= g->nr_vcpus || reason >= NR_EXITS)
		return 0;
	return __atomic_load_n(&g->vcpus[vcpu].exits[reason], __ATOMIC_RELAXED);
}
