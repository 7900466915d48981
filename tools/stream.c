// SPDX-License-Identifier: GPL-2.0
/* The module's trace events as they happen. See stream.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <event-parse.h>
#include <kbuffer.h>
#include <tracefs.h>

#include "cmd.h"
#include "repeat.h"
#include "stream.h"

#define SYSTEM		"kvmwatch"
#define INSTANCES	"kvmwatch-view-"	/* and the owner's pid, and NONCE_DIGITS */
#define NONCE_DIGITS	16

/* Pages of one CPU that are read in a row, before the next one's turn. */
#define PAGES_PER_TURN	64

struct cpu {
	int number;
	int fd;			/* its trace_pipe_raw */
	__u64 last_ns;		/* of what was read last */
	__u64 lost;
};

struct event {
	int id;
	const struct tep_format_field *tid;
	const struct tep_format_field *fields[STREAM_MAX_FIELDS];
};

struct stream {
	struct tracefs_instance *instance;
	struct tep_handle *tep;
	int lock;		/* its directory, locked as long as we live */
	char *enable;		/* a file that is there as long as the module is */

	struct stream_spec spec;
	struct event events[STREAM_MAX_EVENTS];
	size_t nr_events;

	struct cpu *cpus;
	size_t nr_cpus;
	struct kbuffer *kbuf;
	char *page;
	size_t page_size;

	struct happening *kept;	/* read, but not given to anybody yet */
	size_t nr_kept, room;
	__u64 seq;
};

/* --- the instance ---------------------------------------------------------------- */

/* "" for the directory of all. */
static int lock_instance(const char *name, int how)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/instances/%s", tracefs_tracing_dir(), name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, how)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void remove_instance(const char *name)
{
	struct tracefs_instance *instance = tracefs_instance_alloc(NULL, name);

	if (!instance)
		return;
	tracefs_instance_destroy(instance);
	tracefs_instance_free(instance);
}

/*
 * A pid tells people whose instance it is, but another pid namespace has that pid, too. The nonce
 * makes sure that no other view has this name, and nobody else who names an instance by hand.
 */
static int name_instance(char *name, size_t size)
{
	__u64 nonce;

	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return complain("getrandom", "%s", strerror(errno));
	snprintf(name, size, INSTANCES "%d-%0*llx", getpid(), NONCE_DIGITS, nonce);
	return EXIT_DONE;
}

bool stream_made_instance(const char *name)
{
	const char *at = name + strlen(INSTANCES);
	size_t digits;

	if (strncmp(name, INSTANCES, strlen(INSTANCES)))
		return false;
	digits = strspn(at, "0123456789");
	if (!digits || at[digits] != '-')
		return false;
	at += digits + 1;
	return strspn(at, "0123456789abcdef") == NONCE_DIGITS && !at[NONCE_DIGITS];
}

static int remove_dead(const char *name, void *arg)
{
	int fd;

	(void)arg;
	if (!stream_made_instance(name))
		return 0;
	fd = lock_instance(name, LOCK_EX | LOCK_NB);
	if (fd < 0)
		return 0;
	remove_instance(name);
	close(fd);
	return 0;
}

bool stream_allowed(void)
{
	char *path = tracefs_tracing_dir() ? tracefs_get_tracing_file("instances") : NULL;
	bool allowed = path && !access(path, W_OK | X_OK);

	tracefs_put_tracing_file(path);
	return allowed;
}

static int complain_tracing(int err)
{
	const char *dir = tracefs_tracing_dir();

	if (!dir)
		return complain("/sys/kernel/tracing", "there is no tracefs; mount it there");
	if (err == EACCES || err == EPERM)
		return complain(dir, "no right to trace; run as root (in lockdown nobody may)");
	return complain(dir, "can't trace: %s", strerror(err));
}

int stream_check_allowed(void)
{
	return stream_allowed() ? EXIT_DONE : complain_tracing(EACCES);
}

static int make_instance(struct stream *s)
{
	char name[64];

	if (name_instance(name, sizeof(name)))
		return EXIT_COULD_NOT;
	s->instance = tracefs_instance_create(name);
	if (!s->instance)
		return complain_tracing(errno);
	/* One that was there before is not ours to remove. */
	if (!tracefs_instance_is_new(s->instance)) {
		tracefs_instance_free(s->instance);
		s->instance = NULL;
		return complain_tracing(EEXIST);
	}
	s->lock = lock_instance(name, LOCK_EX | LOCK_NB);
	return s->lock < 0 ? complain_tracing(errno) : EXIT_DONE;
}

/*
 * The owner of an instance holds a lock on its directory, which the kernel lets go of when
 * it dies, however that happens. Pids tell less: they are used again, and are others in
 * containers. One at a time removes and makes: a new one is not locked yet.
 */
static int get_instance(struct stream *s)
{
	int all = lock_instance("", LOCK_EX), code;

	if (all < 0)
		return complain_tracing(errno);
	tracefs_instances_walk(remove_dead, NULL);
	code = make_instance(s);
	close(all);
	return code;
}

static int set_file(struct stream *s, const char *file, const char *value)
{
	errno = 0;
	if (tracefs_instance_file_write(s->instance, file, value) >= 0)
		return EXIT_DONE;
	return complain(file, "can't write '%s': %s", value, strerror(errno ? errno : EIO));
}

/* The last one is behind the NULL that ends the others. */
static const char *event_name(const struct stream *s, size_t i)
{
	return s->spec.events[i] ? s->spec.events[i] : s->spec.last;
}

static int set_up(struct stream *s)
{
	char number[16], file[96];
	const char *filter;
	int code;
	size_t i;

	code = set_file(s, "trace_clock", "mono");
	snprintf(number, sizeof(number), "%u", s->spec.buffer_kb);
	if (!code)
		code = set_file(s, "buffer_size_kb", number);
	for (i = 0; i < s->nr_events && !code; i++) {
		filter = s->spec.events[i] ? s->spec.filter : s->spec.last_filter;
		if (!filter)
			continue;
		snprintf(file, sizeof(file), "events/" SYSTEM "/%s/filter", event_name(s, i));
		code = set_file(s, file, filter);
	}
	return code;
}

static int start(struct stream *s)
{
	char file[96];
	int code = EXIT_DONE;
	size_t i;

	for (i = 0; i < s->nr_events && !code; i++) {
		snprintf(file, sizeof(file), "events/" SYSTEM "/%s/enable", event_name(s, i));
		code = set_file(s, file, "1");
	}
	s->enable = tracefs_instance_get_file(s->instance, file);
	return code;
}

static int open_cpu(struct stream *s, int number)
{
	char file[64];
	struct cpu *more;
	int fd;

	snprintf(file, sizeof(file), "per_cpu/cpu%d/trace_pipe_raw", number);
	fd = tracefs_instance_file_open(s->instance, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return complain_tracing(errno);
	more = realloc(s->cpus, (s->nr_cpus + 1) * sizeof(*more));
	if (!more) {
		close(fd);
		return complain_tracing(ENOMEM);
	}
	s->cpus = more;
	s->cpus[s->nr_cpus++] = (struct cpu){ .number = number, .fd = fd };
	return EXIT_DONE;
}

/* All that there can be, also those that come later. */
static int open_cpus(struct stream *s)
{
	char *path = tracefs_instance_get_file(s->instance, "per_cpu");
	DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;
	int code = EXIT_DONE, number;

	tracefs_put_tracing_file(path);
	if (!dir)
		return complain_tracing(errno);
	while (!code && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "cpu%d", &number) == 1)
			code = open_cpu(s, number);
	}
	closedir(dir);
	return code;
}

/* --- what events look like -------------------------------------------------------- */

/* Only what is needed: an emulator takes seconds to read the formats of all events. */
static int learn_event(struct stream *s, const char *name)
{
	struct event *e = &s->events[s->nr_events++];
	struct tep_event *format;
	char *text;
	int size;
	size_t i;

	text = tracefs_event_file_read(NULL, SYSTEM, name, "format", &size);
	if (!text)
		return complain_tracing(errno ? errno : ENOENT);
	/* It may not understand how to print it, which is not needed. */
	tep_parse_event(s->tep, text, size, SYSTEM);
	format = tep_find_event_by_name(s->tep, SYSTEM, name);
	free(text);
	if (!format)
		return complain(name, "can't read the format of this trace event");
	e->id = format->id;
	e->tid = tep_find_common_field(format, "common_pid");
	for (i = 0; i < s->spec.nr_fields; i++) {
		if (s->spec.fields[i])
			e->fields[i] = tep_find_field(format, s->spec.fields[i]);
	}
	return e->tid ? EXIT_DONE : complain(name, "a trace event without common_pid");
}

static bool has_event(const char *name)
{
	char file[96];

	snprintf(file, sizeof(file), "events/" SYSTEM "/%s/format", name);
	return tracefs_file_exists(NULL, file);
}

static int learn(struct stream *s)
{
	const char *const *name;
	int code = EXIT_DONE;

	s->tep = tep_alloc();
	if (!s->tep)
		return complain_tracing(ENOMEM);
	for (name = s->spec.events; *name && !code; name++)
		code = learn_event(s, *name);
	if (!code && s->spec.last && has_event(s->spec.last))
		code = learn_event(s, s->spec.last);
	return code;
}

static __u64 field_value(const struct tep_format_field *field, const char *record)
{
	bool is_signed = field->flags & TEP_FIELD_IS_SIGNED;
	const void *at = record + field->offset;

	switch (field->size) {
	case 1:
		return is_signed ? (__u64)*(const __s8 *)at : *(const __u8 *)at;
	case 2:
		return is_signed ? (__u64)*(const __s16 *)at : *(const __u16 *)at;
	case 4:
		return is_signed ? (__u64)*(const __s32 *)at : *(const __u32 *)at;
	default:
		return *(const __u64 *)at;
	}
}

/* --- reading ---------------------------------------------------------------------- */

static struct happening *new_happening(struct stream *s)
{
	size_t room = s->room ? 2 * s->room : 1024;
	struct happening *more;

	if (s->nr_kept == s->room) {
		more = realloc(s->kept, room * sizeof(*more));
		if (!more)
			return NULL;
		s->kept = more;
		s->room = room;
	}
	memset(&s->kept[s->nr_kept], 0, sizeof(*s->kept));
	return &s->kept[s->nr_kept++];
}

/* Each record begins with the event's number. */
static int keep(struct stream *s, const char *record, __u64 ns)
{
	int id = *(const __u16 *)record;
	struct happening *h;
	const struct event *e;
	size_t i;

	for (e = s->events; e < s->events + s->nr_events && e->id != id; e++)
		;
	if (e == s->events + s->nr_events)
		return 0;
	h = new_happening(s);
	if (!h)
		return -ENOMEM;
	h->ns = ns;
	h->seq = s->seq++;
	h->event = e - s->events;
	h->tid = field_value(e->tid, record);
	for (i = 0; i < s->spec.nr_fields; i++) {
		if (!e->fields[i])
			continue;
		h->has |= 1U << i;
		h->values[i] = field_value(e->fields[i], record);
	}
	return 0;
}

/* The kernel counts what it had no room for, by the way in which it got lost. */
static void count_lost(struct stream *s, struct cpu *cpu)
{
	static const char *const ways[] = { "\noverrun: ", "\ncommit overrun: ",
					    "\ndropped events: " };
	char file[64], *stats, *at;
	__u64 lost = 0;
	size_t i;

	snprintf(file, sizeof(file), "per_cpu/cpu%d/stats", cpu->number);
	stats = tracefs_instance_file_read(s->instance, file, NULL);
	if (!stats)
		return;
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		at = strstr(stats, ways[i]);
		if (at)
			lost += strtoull(at + strlen(ways[i]), NULL, 10);
	}
	cpu->lost = lost;
	free(stats);
}

static int read_page(struct stream *s, struct cpu *cpu)
{
	unsigned long long ns;
	void *record;
	ssize_t n;
	int err = 0;

	n = read(cpu->fd, s->page, s->page_size);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return 0;
	kbuffer_load_subbuffer(s->kbuf, s->page);
	if (kbuffer_missed_events(s->kbuf))
		count_lost(s, cpu);
	for (record = kbuffer_read_event(s->kbuf, &ns); record && !err;
	     record = kbuffer_next_event(s->kbuf, &ns)) {
		cpu->last_ns = ns;
		err = keep(s, record, ns);
	}
	return err ? err : 1;
}

/*
 * Each CPU in turn. *@until becomes the moment up to which all is read: a CPU that has still
 * more has it from its last one on. Returns 1 if there is such a CPU.
 */
static int read_cpus(struct stream *s, __u64 *until)
{
	int i, got, more = 0;
	struct cpu *cpu;

	for (cpu = s->cpus; cpu < s->cpus + s->nr_cpus; cpu++) {
		for (i = 0, got = 1; got > 0 && i < PAGES_PER_TURN; i++)
			got = read_page(s, cpu);
		if (got < 0)
			return got;
		if (got && cpu->last_ns < *until)
			*until = cpu->last_ns;
		more |= got;
	}
	return more;
}

static int compare(const void *a, const void *b)
{
	const struct happening *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

/* Give away what is older than @until, in order. */
static void give(struct stream *s, __u64 until, stream_fn fn, void *arg)
{
	size_t i;

	qsort(s->kept, s->nr_kept, sizeof(*s->kept), compare);
	for (i = 0; i < s->nr_kept && s->kept[i].ns < until; i++)
		fn(&s->kept[i], arg);
	s->nr_kept -= i;
	memmove(s->kept, s->kept + i, s->nr_kept * sizeof(*s->kept));
}

int stream_read(struct stream *s, stream_fn fn, void *arg)
{
	__u64 until = now_ns();
	int more;

	more = read_cpus(s, &until);
	if (more < 0)
		return more;
	give(s, until, fn, arg);
	if (!more && access(s->enable, F_OK))
		return -ENODEV;
	return more;
}

int stream_finish(struct stream *s, stream_fn fn, void *arg)
{
	__u64 until;
	size_t cpu;
	int more;

	tracefs_trace_off(s->instance);
	usleep(1000);	/* what hits have begun to write */
	do {
		until = now_ns();
		more = read_cpus(s, &until);
		give(s, until, fn, arg);
	} while (more > 0);
	for (cpu = 0; cpu < s->nr_cpus; cpu++)
		count_lost(s, &s->cpus[cpu]);
	give(s, ~0ULL, fn, arg);
	return more;
}

__u64 stream_lost(const struct stream *s)
{
	__u64 lost = 0;
	size_t cpu;

	for (cpu = 0; cpu < s->nr_cpus; cpu++)
		lost += s->cpus[cpu].lost;
	return lost;
}

/* --- life -------------------------------------------------------------------------- */

void stream_close(struct stream *s)
{
	size_t cpu;

	for (cpu = 0; cpu < s->nr_cpus; cpu++)
		close(s->cpus[cpu].fd);
	if (s->instance) {
		tracefs_instance_destroy(s->instance);
		tracefs_instance_free(s->instance);
	}
	if (s->lock >= 0)
		close(s->lock);
	tracefs_put_tracing_file(s->enable);
	tep_free(s->tep);
	kbuffer_free(s->kbuf);
	free(s->cpus);
	free(s->page);
	free(s->kept);
	free(s);
}

int stream_open(const struct stream_spec *spec, struct stream **stream)
{
	struct stream *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return complain("stream", "no memory");
	s->spec = *spec;
	s->lock = -1;
	s->page_size = sysconf(_SC_PAGESIZE);
	s->page = malloc(s->page_size);
	s->kbuf = kbuffer_alloc(KBUFFER_LSIZE_8, KBUFFER_ENDIAN_LITTLE);
	if (!tracefs_tracing_dir() || !s->page || !s->kbuf)
		code = complain_tracing(ENOMEM);
	else
		code = learn(s);
	if (!code)
		code = get_instance(s);
	if (!code)
		code = set_up(s);
	if (!code)
		code = open_cpus(s);
	if (!code)
		code = start(s);
	if (code)
		stream_close(s);
	else
		*stream = s;
	return code;
}
