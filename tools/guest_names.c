// SPDX-License-Identifier: GPL-2.0
/* Names of many VMs, kept from one call to the next. See guest_names.h. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "guest_names.h"
#include "identity.h"
#include "select.h"

/* Time limits for reading one command line: the usual one, and after a process did not answer */
#define PATIENCE_MS		1000
#define LESS_PATIENCE_MS	100
/* Limit of threads that hang in processes. With so many, no more command lines are read. */
#define MAX_STUCK		8

/*
 * A process whose command line is to be read. The reader's lock protects @found and @done until it
 * is done.
 */
struct want {
	int pid;
	bool done;
	struct identity found;
	size_t entry;		/* entries that the present call is making */
};

/**
 * struct reader - a thread that reads command lines, and what it is to read
 * @lock:	protects what follows
 * @users:	the thread, and the one who waits for it: the last one frees it
 * @next:	which of @wants the thread reads now
 * @nr:		how many it is to read
 * @event:	an eventfd: the thread writes to it when it has read one
 * @wants:	them
 */
struct reader {
	pthread_mutex_t lock;
	int users;
	size_t next, nr;
	int event;
	struct want *wants;
};

/* A VM whose name this is. After insmod ids begin again, so pid and name count too. */
struct entry {
	__u64 id;
	int pid;
	char name[KVMWATCH_NAME_SIZE];
	bool known;		/* the command line was read: @identity has all that it says */
	struct identity identity;
	struct reader *stuck;	/* the thread that is still reading it */
};

struct guest_names {
	struct entry *entries;	/* sorted by id */
	size_t nr;
	unsigned int nr_stuck;
};

/* --- readers --------------------------------------------------------------- */

static void reader_put(struct reader *reader)
{
	bool last;
	size_t i;

	pthread_mutex_lock(&reader->lock);
	last = !--reader->users;
	pthread_mutex_unlock(&reader->lock);
	if (!last)
		return;
	for (i = 0; i < reader->nr; i++)
		identity_free(&reader->wants[i].found);
	pthread_mutex_destroy(&reader->lock);
	close(reader->event);
	free(reader->wants);
	free(reader);
}

static void *read_all(void *arg)
{
	struct reader *reader = arg;
	struct identity found;
	struct want *want;

	pthread_mutex_lock(&reader->lock);
	while (reader->next < reader->nr) {
		want = &reader->wants[reader->next];
		pthread_mutex_unlock(&reader->lock);
		identity_of(want->pid, &found);
		pthread_mutex_lock(&reader->lock);
		want->found = found;
		want->done = true;
		reader->next++;
		eventfd_write(reader->event, 1);
	}
	pthread_mutex_unlock(&reader->lock);
	reader_put(reader);
	return NULL;
}

/* Takes over @wants, also on failure. */
static struct reader *reader_new(struct want *wants, size_t nr)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader) {
		free(wants);
		return NULL;
	}
	pthread_mutex_init(&reader->lock, NULL);
	reader->users = 1;
	reader->wants = wants;
	reader->nr = nr;
	reader->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reader->event >= 0)
		return reader;
	reader_put(reader);
	return NULL;
}

/* The main thread handles all signals. */
static int reader_start(struct reader *reader)
{
	sigset_t all, old;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	reader->users = 2;
	err = pthread_create(&thread, NULL, read_all, reader);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		reader->users = 1;
	else
		pthread_detach(thread);
	return -err;
}

/* Wait until all is read, or until nothing was read for some time. */
static void reader_wait(struct reader *reader, int patience_ms)
{
	struct pollfd pollfd = { .fd = reader->event, .events = POLLIN };
	eventfd_t events;
	bool all;

	do {
		pthread_mutex_lock(&reader->lock);
		all = reader->next == reader->nr;
		pthread_mutex_unlock(&reader->lock);
		if (all || !poll(&pollfd, 1, patience_ms))
			return;
		eventfd_read(reader->event, &events);
	} while (true);
}

/* Make the thread end after the present read. Returns how many it has read. */
static size_t reader_stop(struct reader *reader)
{
	size_t done;

	pthread_mutex_lock(&reader->lock);
	done = reader->next;
	if (done < reader->nr)
		reader->nr = done + 1;
	pthread_mutex_unlock(&reader->lock);
	return done;
}

/* --- entries --------------------------------------------------------------- */

static void take(struct entry *entry, struct want *want)
{
	entry->known = true;
	entry->identity = want->found;
	memset(&want->found, 0, sizeof(want->found));
}

/* A process that did not answer in time may have answered since. */
static void look_at_stuck(struct guest_names *names, struct entry *entry)
{
	struct reader *reader = entry->stuck;
	bool done;

	pthread_mutex_lock(&reader->lock);
	done = reader->wants[reader->nr - 1].done;
	if (done)
		take(entry, &reader->wants[reader->nr - 1]);
	pthread_mutex_unlock(&reader->lock);
	if (!done)
		return;
	entry->stuck = NULL;
	names->nr_stuck--;
	reader_put(reader);
}

static void forget(struct guest_names *names, struct entry *entry)
{
	identity_free(&entry->identity);
	if (!entry->stuck)
		return;
	names->nr_stuck--;
	reader_put(entry->stuck);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct entry *find(struct entry *entries, size_t nr, __u64 id)
{
	const struct entry key = { .id = id };

	return nr ? bsearch(&key, entries, nr, sizeof(key), compare_entries) : NULL;
}

/* Make entries for the present VMs. What is known of them is taken from the old entries. */
static struct entry *renew(struct guest_names *names, const struct vm *vms, size_t nr)
{
	struct entry *entries = calloc(nr + 1, sizeof(*entries)), *old;
	size_t i;

	if (!entries)
		return NULL;
	for (i = 0; i < nr; i++) {
		entries[i].id = vms[i].info.id;
		entries[i].pid = vms[i].info.pid;
		memcpy(entries[i].name, vms[i].info.name, sizeof(entries[i].name));
		old = find(names->entries, names->nr, vms[i].info.id);
		if (!old || old->pid != entries[i].pid || strcmp(old->name, entries[i].name))
			continue;
		entries[i] = *old;
		memset(&old->identity, 0, sizeof(old->identity));
		old->stuck = NULL;
	}
	for (i = 0; i < names->nr; i++)
		forget(names, &names->entries[i]);
	free(names->entries);
	qsort(entries, nr, sizeof(*entries), compare_entries);
	names->entries = entries;
	names->nr = nr;
	return entries;
}

/* --- reading --------------------------------------------------------------- */

/*
 * The processes whose names are unknown and are not being read. A process in another pid namespace
 * has no number here.
 */
static struct want *wanted(struct guest_names *names, size_t *nr)
{
	struct want *wants = calloc(names->nr + 1, sizeof(*wants));
	struct entry *entry;
	size_t i;

	*nr = 0;
	for (i = 0; wants && i < names->nr; i++) {
		entry = &names->entries[i];
		if (entry->stuck)
			look_at_stuck(names, entry);
		if (entry->known || entry->stuck || entry->pid <= 0)
			continue;
		wants[*nr].entry = i;
		wants[(*nr)++].pid = entry->pid;
	}
	return wants;
}

/*
 * The reader hangs in process number @at. It keeps that one; the rest is returned for another
 * reader, *@nr of them.
 */
static struct want *leave(struct guest_names *names, struct reader *reader, size_t at, size_t *nr)
{
	size_t rest = *nr - at - 1;
	struct want *wants = calloc(rest + 1, sizeof(*wants));

	if (wants)
		memcpy(wants, &reader->wants[at + 1], rest * sizeof(*wants));
	*nr = rest;
	names->entries[reader->wants[at].entry].stuck = reader;
	names->nr_stuck++;
	return wants;
}

static int read_names(struct guest_names *names)
{
	struct reader *reader;
	struct want *wants;
	size_t nr, done, i;

	wants = wanted(names, &nr);
	while (wants && nr && names->nr_stuck < MAX_STUCK) {
		reader = reader_new(wants, nr);
		if (!reader)
			return -ENOMEM;
		if (reader_start(reader)) {
			reader_put(reader);
			return 0;	/* the next call tries again */
		}
		reader_wait(reader, names->nr_stuck ? LESS_PATIENCE_MS : PATIENCE_MS);
		done = reader_stop(reader);
		for (i = 0; i < done; i++)
			take(&names->entries[wants[i].entry], &wants[i]);
		if (done == nr) {
			reader_put(reader);
			return 0;
		}
		wants = leave(names, reader, done, &nr);
	}
	if (!wants)
		return -ENOMEM;
	free(wants);
	return 0;
}

/* Returns 0, or -ENOMEM with a part copied. */
static int copy_identity(const struct identity *identity, struct vm *vm)
{
	const char *const from[] = {
		identity->guest, identity->uuid, identity->unit, identity->user_unit
	};
	char **const to[] = { &vm->guest, &vm->uuid, &vm->unit, &vm->user_unit };
	int err = 0;
	size_t i;

	for (i = 0; i < sizeof(to) / sizeof(*to); i++) {
		*to[i] = from[i] ? strdup(from[i]) : NULL;
		if (from[i] && !*to[i])
			err = -ENOMEM;
	}
	return err;
}

int guest_names_fill(struct guest_names **names, struct vm *vms, size_t nr)
{
	struct entry *entry;
	size_t i;
	int err;

	if (!*names)
		*names = calloc(1, sizeof(**names));
	if (!*names || !renew(*names, vms, nr))
		return -ENOMEM;
	err = read_names(*names);
	if (err)
		return err;
	for (i = 0; i < nr; i++) {
		entry = find((*names)->entries, nr, vms[i].info.id);
		err = copy_identity(&entry->identity, &vms[i]);
		if (err)
			return err;
	}
	return 0;
}

void guest_names_free(struct guest_names *names)
{
	size_t i;

	if (!names)
		return;
	for (i = 0; i < names->nr; i++)
		forget(names, &names->entries[i]);
	free(names->entries);
	free(names);
}
