// SPDX-License-Identifier: GPL-2.0
/* Live views: commands that show trace events as they happen. See view.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "hooks.h"
#include "interrupt.h"
#include "libkvmwatch.h"
#include "output.h"
#include "repeat.h"
#include "select.h"
#include "text.h"
#include "view.h"

#define ROUND_NS	50000000	/* between two looks */
#define VMS_NS		500000000	/* between two looks whether VMs have ended */
#define HOOKS_NS	2000000000ULL	/* between two looks whether hooks still work */
#define GONE_NS		10000000000ULL	/* so long the last event of an unlisted VM is awaited */
#define BUFFER_KB	1024
#define MAX_BUFFER_KB	1048576
#define MAX_THREADS	256		/* whose names are remembered */
#define INITIAL_PID_NS	0xeffffffcU	/* PROC_PID_INIT_INO */

/* --- whose it is --------------------------------------------------------------- */

static struct {
	int tid;
	bool fresh;		/* read in this round */
	char comm[16];
} threads[MAX_THREADS];

static struct kvmwatch_vm *vms;
static size_t nr_vms;
static bool vms_fresh;

/* What was known before stays known of threads and VMs that have ended since. */
static void forget_freshness(void)
{
	size_t i;

	for (i = 0; i < MAX_THREADS; i++)
		threads[i].fresh = false;
	vms_fresh = false;
}

/*
 * Events have pids of the initial pid namespace. In another one /proc has other processes of the
 * same numbers, or none. The initial namespace has a fixed number, of the kernel's interface.
 */
static bool proc_has_events_pids(void)
{
	struct stat ns;

	return !stat("/proc/self/ns/pid", &ns) && ns.st_ino == INITIAL_PID_NS;
}

static void read_comm(int tid, char *comm, size_t size)
{
	char path[32];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	file = proc_has_events_pids() ? fopen(path, "re") : NULL;
	if (!file)
		return;
	if (fgets(comm, size, file))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(file);
}

/* NULL: it had ended before we heard of it, or has another pid here. */
static const char *comm_of(int tid)
{
	size_t i = (unsigned int)tid % MAX_THREADS;

	if (threads[i].tid != tid) {
		threads[i].tid = tid;
		threads[i].fresh = false;
		threads[i].comm[0] = '\0';
	}
	if (!threads[i].fresh)
		read_comm(tid, threads[i].comm, sizeof(threads[i].comm));
	threads[i].fresh = true;
	return threads[i].comm[0] ? threads[i].comm : NULL;
}

static const char *find_vm_name(__u64 id)
{
	size_t i;

	for (i = 0; i < nr_vms; i++) {
		if (vms[i].id == id)
			return vms[i].name;
	}
	return NULL;
}

/* The device is open only as long as it takes: it would keep the module from going. */
static int get_vms(struct kvmwatch_vm **list, size_t *nr)
{
	struct kvmwatch_info info;
	int dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info), err;

	if (dev < 0)
		return dev;
	err = kvmwatch_list_vms(dev, list, nr);
	close(dev);
	return err;
}

static void list_vms(void)
{
	struct kvmwatch_vm *new;
	size_t nr;

	vms_fresh = true;
	if (get_vms(&new, &nr))
		return;
	free(vms);
	vms = new;
	nr_vms = nr;
}

static const char *vm_name(__u64 id)
{
	const char *name = find_vm_name(id);

	if (name || vms_fresh)
		return name;
	list_vms();
	return find_vm_name(id);
}

/* --- cells --------------------------------------------------------------------- */

static bool has(const struct view_row *row, size_t column)
{
	return row->h->has & 1U << column;
}

void view_number(const struct view_row *row, size_t column)
{
	if (has(row, column))
		output_u64(row->out, column, row->h->values[column], NULL);
}

void view_hex(const struct view_row *row, size_t column)
{
	__u64 value = row->h->values[column];
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", value);
	if (has(row, column))
		output_u64(row->out, column, value, text);
}

void view_ns(const struct view_row *row, size_t column)
{
	struct quantity q = quantity_ns(row->h->values[column]);
	char text[80];

	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	if (has(row, column))
		output_u64(row->out, column, row->h->values[column],
			   row->options->common.raw ? NULL : text);
}

void view_name(const struct view_row *row, size_t column, const char *const *names, size_t nr)
{
	__u64 value = row->h->values[column];
	char text[24];

	if (!has(row, column))
		return;
	snprintf(text, sizeof(text), "%llu", value);
	output_string(row->out, column, value < nr ? names[value] : text);
}

void view_level(const struct view_row *row, size_t column)
{
	static const char *const names[] = { "0", "4k", "2m", "1g" };

	view_name(row, column, names, 4);
}

void view_slot(const struct view_row *row, size_t column)
{
	char text[48];

	snprintf(text, sizeof(text), "%llu:%llu", row->h->values[column - 1],
		 row->h->values[column]);
	if (has(row, column))
		output_u64(row->out, column, row->h->values[column], text);
}

/* Seconds, as in the kernel's log and in trace-cmd's reports. */
void view_time(const struct view_row *row, size_t column)
{
	char text[40];

	snprintf(text, sizeof(text), "%llu.%06llu", row->h->ns / 1000000000,
		 row->h->ns % 1000000000 / 1000);
	output_u64(row->out, column, row->h->ns, text);
}

void view_lost(const struct view_row *row, size_t column)
{
	if (row->lost)
		output_u64(row->out, column, row->lost, NULL);
}

void view_vm_name(const struct view_row *row, size_t column)
{
	const char *name = vm_name(row->h->values[column]);

	output_string(row->out, column, name);
}

void view_thread(const struct view_row *row, size_t column)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld/%d", (__s64)row->h->values[column], row->h->tid);
	output_u64(row->out, column, row->h->values[column], text);
}

void view_tid(const struct view_row *row, size_t column)
{
	output_u64(row->out, column, row->h->tid, NULL);
}

void view_comm(const struct view_row *row, size_t column)
{
	const char *comm = comm_of(row->h->tid);

	output_string_as(row->out, column, comm, comm ?: "-");
}

void view_vcpu(const struct view_row *row, size_t column)
{
	__s64 vcpu = row->h->values[column];

	if (vcpu < 0)
		output_text(row->out, column, "-");
	else
		output_u64(row->out, column, vcpu, NULL);
}

/* --- options ------------------------------------------------------------------- */

static const char *set_vcpu(struct options *options, const char *arg)
{
	struct view_options *o = (struct view_options *)options;

	if (!text_parse_vcpu(arg, &o->vcpu))
		return "give the number of a vCPU, as its VMM counts them";
	o->has_vcpu = true;
	return NULL;
}

static const char *set_slot(struct options *options, const char *arg)
{
	struct view_options *o = (struct view_options *)options;

	if (!text_parse_slot(arg, &o->as_id, &o->slot))
		return TEXT_SLOT_HELP;
	o->has_slot = true;
	return NULL;
}

static const char *set_time(struct options *options, const char *arg)
{
	if (!text_parse_seconds(arg, &((struct view_options *)options)->time_ns))
		return TEXT_SECONDS_HELP;
	return NULL;
}

static const char *set_buffer(struct options *options, const char *arg)
{
	__u64 *kb = &((struct view_options *)options)->buffer_kb;

	if (!text_parse_u64(arg, kb) || !*kb || *kb > MAX_BUFFER_KB)
		return "give KiB, 1 to 1048576";
	return NULL;
}

const struct opt opt_vcpu = {
	'v', "vcpu", "VCPU", "only what happens on vCPUs of this number", set_vcpu
};

const struct opt opt_slot = {
	'S', "slot", "SLOT", "only this slot: its number, or <address space>:<number>", set_slot
};

const struct opt opt_time = {
	't', "time", "SECONDS", "end after this time; without it, when interrupted", set_time
};

const struct opt opt_buffer = {
	'b', "buffer", "KIB", "room for events not shown yet, for each pCPU (1024)", set_buffer
};

const struct opt opt_vcpu_buffer = {
	'b', "buffer", "KIB", "room for trace events, for each pCPU (4096)", set_buffer
};

/* --- which events ---------------------------------------------------------------- */

/* "vm == 1 || vm == 3" */
char *view_filter_vms(const struct selection *selection)
{
	char *filter = NULL;
	size_t i, size;
	FILE *file = open_memstream(&filter, &size);

	if (!file)
		return NULL;
	for (i = 0; i < selection->nr; i++)
		fprintf(file, "%svm == %llu", i ? " || " : "", selection->ids[i]);
	return fclose(file) ? NULL : filter;
}

/* What the options ask for, of those VMs. */
static int filter_of(const struct view_options *options, const char *vms, char **filter)
{
	const char *and = "";
	size_t size;
	FILE *file;

	file = open_memstream(filter, &size);
	if (!file)
		return complain("filter", "no memory");
	if (vms) {
		fprintf(file, "(%s)", vms);
		and = " && ";
	}
	if (options->has_vcpu) {
		fprintf(file, "%svcpu == %u", and, options->vcpu);
		and = " && ";
	}
	if (options->has_slot)
		fprintf(file, "%sas_id == %u && slot == %u", and, options->as_id, options->slot);
	return fclose(file) ? complain("filter", "no memory") : EXIT_DONE;
}

/* Also finds out, before anything else, whether the module is there. */
int view_choose(const struct view_options *options, struct view_choice *choice)
{
	struct selection selection = { .arg = options->common.vm };
	int code, dev = device_open();

	memset(choice, 0, sizeof(*choice));
	if (dev < 0)
		return EXIT_COULD_NOT;
	code = vms_get(dev, &selection, &choice->vms, &choice->nr);
	close(dev);
	if (!code && selection.arg) {
		choice->vms_filter = view_filter_vms(&selection);
		if (!choice->vms_filter)
			code = complain("filter", "no memory");
	}
	if (!code)
		code = filter_of(options, choice->vms_filter, &choice->filter);
	selection_free(&selection);
	return code;
}

void view_choice_free(struct view_choice *choice)
{
	vms_put(choice->vms, choice->nr);
	free(choice->vms_filter);
	free(choice->filter);
}

/* --- whether events come --------------------------------------------------------- */

static int get_hooks(struct hooks *hooks)
{
	struct kvmwatch_info info;
	int dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info), err;

	if (dev < 0)
		return dev;
	err = hooks_get(dev, hooks);
	close(dev);
	return err;
}

/* Does the statistic that stands for the view's events lack a hook? */
static bool lacks_hook(const struct hooks *hooks, const struct view *view, char *what, size_t size)
{
	const struct kvmwatch_stat *stat;
	size_t i;

	for (i = 0; i < hooks->nr_stats; i++) {
		stat = &hooks->stats[i];
		if (stat->kind == view->kind && !strcmp(stat->name, view->stat))
			return hooks_missing(hooks, stat, what, size);
	}
	return false;
}

/* --- the view ------------------------------------------------------------------ */

/**
 * struct end - how far the end of a chosen VM is known
 * @freed:	its last event has been read
 * @unlisted_ns: since when it is not listed any more; 0: it is
 */
struct end {
	bool freed;
	__u64 unlisted_ns;
};

struct viewing {
	const struct view *view;
	const struct view_options *options;
	struct view_choice choice;
	struct end *ends;	/* of each VM of the choice */
	size_t vm_column;	/* where events say whose they are */
	struct stream *stream;
	struct output out;
	__u64 next_vms_ns;	/* when to look for them again */
	__u64 next_hooks_ns;	/* when to look for hooks again */
	bool blind;		/* events have been missed */
	__u64 shown;
	__u64 lost_told;	/* of what was lost */
};

static void note_free(struct viewing *v, __u64 id)
{
	size_t i;

	for (i = 0; i < v->choice.nr; i++)
		v->ends[i].freed |= v->choice.vms[i].info.id == id;
}

static void show_row(const struct happening *h, void *arg)
{
	struct viewing *v = arg;
	struct view_row row = { &v->out, v->options, h, stream_lost(v->stream) - v->lost_told };
	size_t i;

	if (!v->view->events[h->event]) {
		note_free(v, h->values[v->vm_column]);
		return;
	}
	if (v->out.err)
		return;
	v->lost_told += row.lost;
	if (row.lost)
		complain("lost", "%llu events", row.lost);
	for (i = 0; i < v->view->nr_columns; i++)
		v->view->columns[i].show(&row, i);
	output_row(&v->out);
	v->shown++;
}

static void pause_for(__u64 ns)
{
	struct timespec ts = { .tv_nsec = ns };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static bool is_listed(__u64 id, const struct kvmwatch_vm *list, size_t nr)
{
	size_t i;

	for (i = 0; i < nr && list[i].id != id; i++)
		;
	return i < nr;
}

/*
 * Has it ended, and all that happens to it? It is not listed any more from when its last user is
 * gone, but what it had mapped is unmapped after that. The event of its being freed comes behind
 * all others. Where there is no such event, as it was lost, it is awaited for GONE_NS.
 */
static bool has_ended(struct end *end, bool listed, __u64 now)
{
	if (end->freed)
		return true;
	if (listed)
		end->unlisted_ns = 0;
	else if (!end->unlisted_ns)
		end->unlisted_ns = now;
	return end->unlisted_ns && now - end->unlisted_ns >= GONE_NS;
}

/* Have all VMs that were picked ended? Called now and then. */
static bool all_ended(struct viewing *v)
{
	const struct view_choice *choice = &v->choice;
	size_t i, nr, ended = 0;
	struct kvmwatch_vm *list;
	__u64 now = now_ns();

	if (!v->options->common.vm || now < v->next_vms_ns)
		return false;
	v->next_vms_ns = now + VMS_NS;
	if (get_vms(&list, &nr))
		return false;
	for (i = 0; i < choice->nr; i++)
		ended += has_ended(&v->ends[i], is_listed(choice->vms[i].info.id, list, nr), now);
	free(list);
	if (ended < choice->nr)
		return false;
	complain(v->options->common.vm, "%s",
		 i == 1 ? "this VM has ended" : "these VMs have ended");
	return true;
}

/*
 * Are the hooks attached that the events come from? The module finds out when it audits. While they
 * are off, nobody knows what happens, and when they work again VMs have other ids. Without kvm.ko
 * there is nothing to hook, and nothing happens. Called now and then.
 */
static bool sees(struct viewing *v, const char *name)
{
	__u64 now = now_ns();
	struct hooks hooks;
	char what[160];

	if (now < v->next_hooks_ns)
		return true;
	v->next_hooks_ns = now + HOOKS_NS;
	if (get_hooks(&hooks))
		return true;
	v->blind = lacks_hook(&hooks, v->view, what, sizeof(what)) && kvm_is_loaded();
	if (v->blind)
		complain(name, "%s: events are not seen; kvmwatch hooks says why", what);
	hooks_put(&hooks);
	return !v->blind;
}

/* Returns 0 when it is time to end, or -errno. */
static int watch(struct viewing *v, const char *name)
{
	__u64 begin = now_ns(), passed = 0, limit = v->options->time_ns;
	int more = 0, err;

	while (!interrupted() && (!limit || passed < limit) && sees(v, name) && !all_ended(v)) {
		if (!more)
			pause_for(limit && limit - passed < ROUND_NS ? limit - passed : ROUND_NS);
		forget_freshness();
		more = stream_read(v->stream, show_row, v);
		if (more < 0)
			return more;
		err = output_flush(&v->out);
		if (err)
			return err;
		passed = now_ns() - begin;
	}
	return 0;
}

/* The stream is closed first: what writes may have to wait for somebody who reads. */
static int end(struct viewing *v, const char *name, int err, __u64 ns)
{
	int finish = stream_finish(v->stream, show_row, v);
	__u64 lost = stream_lost(v->stream);
	int flush;

	stream_close(v->stream);
	flush = output_flush(&v->out);
	complain(name, "%llu events in %.1f s, %llu lost", v->shown, ns / 1e9, lost);
	if (err == -ENODEV)
		return complain(name, "the module was unloaded");
	if (flush)
		return complain_output(flush);
	err = err ? err : finish;
	if (err)
		return complain(name, "can't read events: %s", strerror(-err));
	return v->blind ? EXIT_COULD_NOT : EXIT_DONE;
}

static int run(struct viewing *v, const struct cmd *cmd, const char *filter)
{
	struct output_column columns[STREAM_MAX_FIELDS];
	const char *fields[STREAM_MAX_FIELDS];
	struct stream_spec spec = {
		.events = v->view->events, .fields = fields, .nr_fields = v->view->nr_columns,
		.filter = filter && *filter ? filter : NULL,
		.buffer_kb = v->options->buffer_kb ? v->options->buffer_kb : BUFFER_KB,
	};
	__u64 begin;
	int code, err;
	size_t i;

	for (i = 0; i < spec.nr_fields; i++) {
		columns[i] = v->view->columns[i].column;
		fields[i] = v->view->columns[i].field;
		if (fields[i] && !strcmp(fields[i], "vm"))
			v->vm_column = i;
	}
	if (v->options->common.vm) {
		spec.last = "kvmwatch_vm_free";
		spec.last_filter = v->choice.vms_filter;
	}
	interrupt_catch(true);
	begin = now_ns();
	code = stream_open(&spec, &v->stream);
	if (code)
		return code;
	code = options_output(&v->options->common, &v->out);
	if (code)
		return code;
	output_begin_endless(&v->out, columns, spec.nr_fields);
	err = output_flush(&v->out);
	if (!err)
		err = watch(v, cmd->name);
	return end(v, cmd->name, err, now_ns() - begin);
}

int view_run(const struct view *view, const struct cmd *cmd, const struct view_options *options)
{
	struct viewing v = { .view = view, .options = options };
	int code;

	code = view_choose(options, &v.choice);
	if (!code)
		v.ends = calloc(v.choice.nr + 1, sizeof(*v.ends));
	if (!code && !v.ends)
		code = complain(cmd->name, "no memory");
	if (!code && !sees(&v, cmd->name))
		code = EXIT_COULD_NOT;
	if (!code)
		code = run(&v, cmd, v.choice.filter);
	view_choice_free(&v.choice);
	free(v.ends);
	free(vms);
	vms = NULL;
	nr_vms = 0;
	return code;
}
