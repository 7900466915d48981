// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch top: VMs, and the vCPUs and slots of one, again and again on the whole screen. top opens
 * the device for each read and closes it afterwards, so that it does not keep the module from being
 * unloaded. If a read fails, for that or another reason, the screen shows why, and top goes on.
 */
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>

#include "cmd.h"
#include "options.h"
#include "repeat.h"
#include "select.h"
#include "top_batch.h"
#include "top_rows.h"

#define NSEC_PER_MSEC	1000000ULL
#define SHORTEST_NS	(100 * NSEC_PER_MSEC)
#define LONGEST_NS	(60000 * NSEC_PER_MSEC)

#define COLOR_BAR	1
#define COLOR_TROUBLE	2

#define KEY_ESCAPE	27

static const char help_line[] =
	"q quit  Enter vCPUs  s slots  Esc back  </> sort  r reverse  h hide  H all  +/- speed";

/**
 * struct page - a view as the user has made it
 * @sort:	column to sort by
 * @reverse:	the other way round
 * @hidden:	columns that are not shown, as bits
 * @selected:	which object the bar is on
 */
struct page {
	size_t sort;
	bool reverse;
	unsigned int hidden;
	struct kvmwatch_all_item selected;
};

struct top {
	struct options options;	/* first, as options_parse() knows only that */
	bool counted;		/* -n was given */
	bool batch, once;	/* -b, --once were given */

	struct selection selection;
	enum top_view view;
	struct page pages[TOP_SLOTS + 1];
	__u64 vm;		/* the VM whose vCPUs or slots are shown */
	char vm_name[KVMWATCH_NAME_SIZE];
	struct sample now, before;
	struct top_row *rows;
	size_t nr;
	size_t first;		/* the row at the top of the screen */
	int first_line;		/* the screen's first line with a row */
	char trouble[1024];	/* why there is nothing to show */
	char notice[256];	/* a message, until a key is pressed */
	bool color;
};

static atomic_bool told_to_end;

static void on_signal(int number)
{
	(void)number;
	told_to_end = true;
}

/* --- looking ------------------------------------------------------------------ */

static void forget(struct top *top)
{
	free(top->rows);
	top->rows = NULL;
	top->nr = 0;
	sample_free(&top->before);
	sample_free(&top->now);
}

static void show_view(struct top *top, enum top_view view)
{
	forget(top);
	top->view = view;
	top->first = 0;
}

static bool has_vm(const struct sample *sample, __u64 id)
{
	size_t i;

	for (i = 0; i < sample->nr_vms; i++) {
		if (sample->vms[i].info.id == id)
			return true;
	}
	return false;
}

static void sort(struct top *top)
{
	const struct page *page = &top->pages[top->view];

	top_sort(top->rows, top->nr, top->view, page->sort, page->reverse);
}

static int take(struct top *top, struct sample *sample)
{
	int dev = device_open(), code;

	if (dev < 0)
		return EXIT_COULD_NOT;
	code = sample_take(dev, &top->selection, top_kind(top->view),
			   KVMWATCH_OPEN_NO_HISTOGRAMS, sample);
	close(dev);
	return code;
}

/* Read all numbers. Messages of complain() in here go to top->trouble. */
static void look(struct top *top)
{
	struct sample fresh;

	complain_into(top->trouble, sizeof(top->trouble));
	top->trouble[0] = '\0';
	if (take(top, &fresh)) {
		show_view(top, TOP_VMS);
		complain_into(NULL, 0);
		return;
	}
	if (top->view != TOP_VMS && !has_vm(&fresh, top->vm)) {
		sample_free(&fresh);
		show_view(top, TOP_VMS);
		if (take(top, &fresh)) {
			complain_into(NULL, 0);
			return;
		}
		snprintf(top->notice, sizeof(top->notice), "VM %llu (%s) has ended", top->vm,
			 top->vm_name);
	}
	if (!fresh.nr_vms)
		vms_none(&top->selection, "top");
	complain_into(NULL, 0);
	sample_free(&top->before);
	top->before = top->now;
	top->now = fresh;
	free(top->rows);
	top->rows = top_rows(top->view, &top->now, &top->before, top->vm, &top->nr);
	if (!top->rows)
		snprintf(top->trouble, sizeof(top->trouble), "out of memory");
	else
		sort(top);
}

/* --- drawing ------------------------------------------------------------------ */

static bool same_object(const struct kvmwatch_all_item *a, const struct kvmwatch_all_item *b)
{
	return a->vm == b->vm && a->id == b->id && a->number == b->number;
}

/* The row of the bar; the first row if the bar's object is gone. */
static size_t selected_row(struct top *top)
{
	struct page *page = &top->pages[top->view];
	size_t i;

	for (i = 0; i < top->nr; i++) {
		if (same_object(&top->rows[i].item, &page->selected))
			return i;
	}
	if (top->nr)
		page->selected = top->rows[0].item;
	return 0;
}

static void draw_bar(const struct top *top, const struct top_cell *cell, int width)
{
	int room = width - 7, filled = cell->share * room + 0.5, i;

	if (top->color)
		attron(COLOR_PAIR(COLOR_BAR));
	for (i = 0; i < room; i++)
		addch(cell->known && i < filled ? '#' : ' ');
	if (top->color)
		attroff(COLOR_PAIR(COLOR_BAR));
	printw("%7.7s", cell->text);
}

/*
 * Convert to wide characters. A byte that is no character here, such as all of UTF-8 with LC_ALL=C,
 * and a character without width become "\\xc3", as in the tables of other commands. Text that is
 * too long is cut.
 */
static void to_wide(const char *text, wchar_t *wide, size_t size)
{
	const char *end = text + strlen(text);
	mbstate_t state = { };
	size_t n, len, i = 0;
	wchar_t letter;

	for (; text < end; text += len) {
		len = mbrtowc(&letter, text, end - text, &state);
		if (len && len <= MB_LEN_MAX && wcwidth(letter) >= 0) {
			if (i + 1 >= size)
				break;
			wide[i++] = letter;
			continue;
		}
		if (i + 5 >= size)
			break;
		memset(&state, 0, sizeof(state));
		len = 1;
		n = swprintf(&wide[i], size - i, L"\\x%02x", (unsigned char)*text);
		i += n;
	}
	wide[i] = L'\0';
}

/* Draw text in @width columns, and cut what is longer. */
static void draw_text(const char *text, int width, bool left)
{
	wchar_t wide[4 * TOP_CELL];
	int used = 0, n;

	to_wide(text, wide, sizeof(wide) / sizeof(*wide));
	for (n = 0; wide[n] && used + wcwidth(wide[n]) <= width; n++)
		used += wcwidth(wide[n]);
	if (!left)
		printw("%*s", width - used, "");
	addnwstr(wide, n);
	if (left)
		printw("%*s", width - used, "");
}

/*
 * How many characters of the text fit on a line of @width columns, up to a blank if there is one.
 */
static int line_length(const wchar_t *text, int width)
{
	int n, used = 0, blank = 0;

	for (n = 0; text[n]; n++) {
		used += wcwidth(text[n]);
		if (used > width)
			return blank ? blank : n ? n : 1;
		if (text[n] == L' ')
			blank = n;
	}
	return n;
}

/*
 * Draw a message from a line on, in as many lines as it needs, as its end says what to do. Returns
 * the next line.
 */
static int draw_message(const char *text, int line)
{
	wchar_t wide[1024], *rest = wide;
	int n;

	to_wide(text, wide, sizeof(wide) / sizeof(*wide));
	for (; *rest && line < LINES - 1; line++) {
		n = line_length(rest, COLS);
		mvaddnwstr(line, 0, rest, n);
		rest += n;
		while (*rest == L' ')
			rest++;
	}
	return line;
}

static void draw_cell(const struct top *top, const struct top_column *column,
		      const struct top_cell *cell)
{
	if (column->bar)
		draw_bar(top, cell, column->column.width);
	else
		draw_text(cell->text, column->column.width, !column->column.right);
}

/* The columns that are not hidden and fit, as bits, and whether these are all. */
static unsigned int visible(const struct top *top, bool *all)
{
	const struct page *page = &top->pages[top->view];
	const struct top_column *columns;
	unsigned int bits = 0;
	int used = 0;
	size_t i, nr;

	*all = true;
	columns = top_columns(top->view, &nr);
	for (i = 0; i < nr; i++) {
		if (page->hidden & 1U << i)
			continue;
		used += columns[i].column.width + 1;
		if (used > COLS)
			*all = false;
		else
			bits |= 1U << i;
	}
	return bits;
}

static void draw_headings(const struct top *top, unsigned int bits, bool all)
{
	const struct page *page = &top->pages[top->view];
	const struct top_column *columns;
	size_t i, nr;

	columns = top_columns(top->view, &nr);
	move(top->first_line - 1, 0);
	attron(A_BOLD);
	for (i = 0; i < nr; i++) {
		if (!(bits & 1U << i))
			continue;
		if (i == page->sort)
			attron(A_UNDERLINE);
		draw_text(columns[i].column.heading, columns[i].column.width,
			  !columns[i].column.right);
		attroff(A_UNDERLINE);
		addch(' ');
	}
	attroff(A_BOLD);
	if (!all)
		mvaddch(top->first_line - 1, COLS - 1, '>');
}

static void draw_rows(struct top *top, unsigned int bits)
{
	size_t selected = selected_row(top);
	size_t lines = LINES > top->first_line + 1 ? LINES - top->first_line - 1 : 0;
	const struct top_column *columns;
	size_t i, j, nr;

	if (selected < top->first)
		top->first = selected;
	if (lines && selected >= top->first + lines)
		top->first = selected - lines + 1;
	columns = top_columns(top->view, &nr);
	for (i = top->first; i < top->nr && i < top->first + lines; i++) {
		move(top->first_line + (i - top->first), 0);
		if (i == selected)
			attron(A_REVERSE);
		for (j = 0; j < nr; j++) {
			if (!(bits & 1U << j))
				continue;
			draw_cell(top, &columns[j], &top->rows[i].cells[j]);
			addch(' ');
		}
		attroff(A_REVERSE);
	}
}

static void draw_title(struct top *top)
{
	const struct top_column *columns;
	char what[128], title[256];
	int line;
	size_t nr;

	columns = top_columns(top->view, &nr);
	if (top->view == TOP_VMS)
		snprintf(what, sizeof(what), "%zu VM%s", top->nr, top->nr == 1 ? "" : "s");
	else
		snprintf(what, sizeof(what), "VM %llu (%s): %zu %s%s", top->vm, top->vm_name,
			 top->nr, top->view == TOP_VCPUS ? "vCPU" : "slot",
			 top->nr == 1 ? "" : "s");
	snprintf(title, sizeof(title), "kvmwatch top - %s, every %.3g s, by %s%s", what,
		 top->options.interval_ns / 1e9, columns[top->pages[top->view].sort].column.heading,
		 top->pages[top->view].reverse ? " (reversed)" : "");
	mvaddnstr(0, 0, title, COLS);
	attron(A_BOLD | (top->color ? COLOR_PAIR(COLOR_TROUBLE) : 0));
	line = draw_message(top->trouble[0] ? top->trouble : top->notice, 1);
	top->first_line = line > 2 ? line + 1 : 3;
	attroff(A_BOLD | (top->color ? COLOR_PAIR(COLOR_TROUBLE) : 0));
}

static void draw(struct top *top)
{
	unsigned int bits;
	bool all;

	erase();
	bits = visible(top, &all);
	draw_title(top);
	draw_headings(top, bits, all);
	if (top->rows)
		draw_rows(top, bits);
	if (LINES > top->first_line)
		mvaddnstr(LINES - 1, 0, help_line, COLS - 1);
	refresh();
}

/* --- keys --------------------------------------------------------------------- */

static void move_bar(struct top *top, long by)
{
	long row = selected_row(top) + by;

	if (!top->nr)
		return;
	if (row < 0)
		row = 0;
	if (row >= (long)top->nr)
		row = top->nr - 1;
	top->pages[top->view].selected = top->rows[row].item;
}

/* Sort by the next column on that side that is not hidden. */
static void move_sort(struct top *top, int by)
{
	struct page *page = &top->pages[top->view];
	size_t i = page->sort, nr;

	top_columns(top->view, &nr);
	do {
		i = (i + nr + by) % nr;
	} while (page->hidden & 1U << i && i != page->sort);
	page->sort = i;
	if (top->rows)
		sort(top);
}

static void hide_column(struct top *top)
{
	struct page *page = &top->pages[top->view];
	size_t column = page->sort;

	move_sort(top, 1);
	if (page->sort != column)
		page->hidden |= 1U << column;
}

/* Returns whether new numbers must be read. */
static bool go_into(struct top *top, enum top_view view)
{
	const struct vm *vm = NULL;
	size_t i;

	if (top->view == TOP_VMS) {
		if (!top->nr)
			return false;
		top->vm = top->rows[selected_row(top)].item.vm;
		for (i = 0; i < top->now.nr_vms; i++)
			if (top->now.vms[i].info.id == top->vm)
				vm = &top->now.vms[i];
		if (vm)
			memcpy(top->vm_name, vm->info.name, sizeof(top->vm_name));
	}
	show_view(top, view);
	return true;
}

static void change_speed(struct top *top, bool faster)
{
	__u64 ns = top->options.interval_ns;

	ns = faster ? ns / 2 : ns * 2;
	if (ns >= SHORTEST_NS && ns <= LONGEST_NS)
		top->options.interval_ns = ns;
}

enum what_next { GO_ON, LOOK_NOW, QUIT };

static enum what_next on_key(struct top *top, int key)
{
	if (key != ERR && key != KEY_RESIZE)
		top->notice[0] = '\0';
	switch (key) {
	case 'q':
		return QUIT;
	case KEY_UP:
	case 'k':
		move_bar(top, -1);
		break;
	case KEY_DOWN:
	case 'j':
		move_bar(top, 1);
		break;
	case KEY_PPAGE:
		move_bar(top, -10);
		break;
	case KEY_NPAGE:
		move_bar(top, 10);
		break;
	case '<':
	case KEY_LEFT:
		move_sort(top, -1);
		break;
	case '>':
	case KEY_RIGHT:
		move_sort(top, 1);
		break;
	case 'r':
		top->pages[top->view].reverse = !top->pages[top->view].reverse;
		if (top->rows)
			sort(top);
		break;
	case 'h':
		hide_column(top);
		break;
	case 'H':
		top->pages[top->view].hidden = 0;
		break;
	case '+':
	case '-':
		change_speed(top, key == '+');
		break;
	case '\r':
	case '\n':
	case KEY_ENTER:
	case 'v':
		return go_into(top, TOP_VCPUS) ? LOOK_NOW : GO_ON;
	case 's':
		return go_into(top, TOP_SLOTS) ? LOOK_NOW : GO_ON;
	case KEY_ESCAPE:
	case KEY_BACKSPACE:
	case 'b':
		if (top->view == TOP_VMS)
			break;
		show_view(top, TOP_VMS);
		return LOOK_NOW;
	case ' ':
		return LOOK_NOW;
	}
	return GO_ON;
}

/* --- the screen --------------------------------------------------------------- */

/*
 * Reading from a terminal that is gone always fails at once. Only processes whose controlling
 * terminal it is get a SIGHUP.
 */
static bool terminal_is_gone(void)
{
	struct pollfd terminal = { .fd = STDIN_FILENO };

	return poll(&terminal, 1, 0) > 0 && terminal.revents & (POLLHUP | POLLERR | POLLNVAL);
}

static void watch(struct top *top)
{
	__u64 next = 0, rounds = 0, now;
	enum what_next what = LOOK_NOW;
	int key;

	while (!told_to_end) {
		now = now_ns();
		if (what == LOOK_NOW || now >= next) {
			if (top->options.count && rounds++ == top->options.count)
				return;
			look(top);
			next = now_ns() + top->options.interval_ns;
			now = now_ns();
		}
		draw(top);
		timeout(next > now ? (next - now) / NSEC_PER_MSEC + 1 : 0);
		key = getch();
		if (key == ERR && terminal_is_gone())
			return;
		what = on_key(top, key);
		if (what == QUIT)
			return;
	}
}

/* Follows https://no-color.org: NO_COLOR must be unset or empty. */
static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR");

	return !(no && *no) && has_colors();
}

static int complain_terminal(const char *what)
{
	const char *term = getenv("TERM");

	return complain("top", "the terminal '%s' %s; set TERM, or use --json or --csv",
			term ? term : "", what);
}

/* If the cursor cannot be placed, as with TERM=dumb, curses shows only the last line. */
static bool can_place_cursor(void)
{
	const char *place = tigetstr("cup");

	return place && place != (const char *)-1;
}

static int run_screen(struct top *top)
{
	struct sigaction action = { .sa_handler = on_signal };
	SCREEN *screen;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	set_escdelay(50);
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return complain_terminal("is not known");
	if (!can_place_cursor()) {
		endwin();
		delscreen(screen);
		return complain_terminal("cannot place the cursor");
	}
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	top->color = wants_color();
	if (top->color) {
		start_color();
		use_default_colors();
		init_pair(COLOR_BAR, COLOR_GREEN, -1);
		init_pair(COLOR_TROUBLE, COLOR_RED, -1);
	}
	watch(top);
	endwin();
	delscreen(screen);
	return EXIT_DONE;
}

/* --- options ------------------------------------------------------------------- */

static const char *set_count(struct options *options, const char *arg)
{
	((struct top *)options)->counted = true;
	return opt_count.set(options, arg);
}

static const char *set_batch(struct options *options, const char *arg)
{
	(void)arg;
	((struct top *)options)->batch = true;
	return NULL;
}

static const char *set_once(struct options *options, const char *arg)
{
	(void)arg;
	((struct top *)options)->once = true;
	return NULL;
}

static const struct opt opt_looks = {
	'n', "count", "COUNT", "look this often; without it, until ended", set_count
};

static const struct opt opt_batch = {
	'b', "batch", NULL, "no screen: tables one after the other", set_batch
};

static const struct opt opt_once = {
	'1', "once", NULL, "no screen: one table, and end", set_once
};

/* The index of one of the VMs' columns; -1: there is no such column. */
static long find_column(const char *name, size_t len)
{
	return output_find(&top_tables[TOP_TABLE_VMS], name, len);
}

/* The screen shows the chosen columns in its own order. */
static void choose_columns(struct top *top)
{
	const char *name = top->options.choice.columns, *sort = top->options.choice.sort;
	struct page *page = &top->pages[TOP_VMS];
	unsigned int chosen = 0;
	long column = -1;
	size_t len;

	if (sort) {
		page->reverse = *sort == '-';
		sort += page->reverse;
		column = find_column(sort, strlen(sort));
	}
	page->sort = column >= 0 ? column : find_column("cpu_share", strlen("cpu_share"));
	for (; name && *name; name += len + (name[len] == ',')) {
		len = strcspn(name, ",");
		column = find_column(name, len);
		if (column >= 0)
			chosen |= 1U << column;
	}
	if (chosen)
		page->hidden = ~chosen & ((1U << top_tables[TOP_TABLE_VMS].nr) - 1);
}

/* Without a terminal: print once, or with -i until a signal comes, or as often as -n says. */
static int run_batch(struct top *top)
{
	const struct page *page = &top->pages[TOP_VMS];

	if (top->once && top->counted) {
		complain("top", "--once is --count 1; leave one of them out");
		return EXIT_USAGE;
	}
	if (top->once)
		top->options.count = 1;
	else if (top->batch && !top->counted)
		top->options.count = 0;
	return top_batch(&top->options, page->sort, page->reverse);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct top top = { };
	int code;

	code = options_parse(cmd, argc, argv, &top.options);
	if (code >= 0)
		return code;
	choose_columns(&top);
	if (top.batch || top.once || top.options.log || top.options.format != OUTPUT_TEXT)
		return run_batch(&top);
	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return complain("top", "needs a terminal; pipes have --batch, --json, --csv");
	/* Without -n, go on until a signal comes. */
	if (!top.counted)
		top.options.count = 0;
	top.selection.arg = top.options.vm;
	code = run_screen(&top);
	forget(&top);
	selection_free(&top.selection);
	return code;
}

static const struct opt *const options[] = {
	&opt_vm, &opt_interval, &opt_looks, &opt_batch, &opt_once, OPTS_TABLE, &opt_log, &opt_help,
	NULL
};

const struct cmd cmd_top = {
	.name		= "top",
	.summary	= "VMs live on the whole screen",
	.about		=
		"Show the VMs of this host, and the vCPUs and slots of one, again and again. CPU and\n"
		"DELAY are parts of one pCPU, HALTED of all vCPUs' time, rates are per second. Keys:\n"
		"up/down or k/j choose, Enter or v shows the vCPUs of a VM, s its slots, Esc or b goes\n"
		"back, < and > sort by another column, r reverses the order, h hides the column, H\n"
		"shows all again, + and - change the interval, space refreshes, q quits. With --batch,\n"
		"--once, --log, --json or --csv there is no screen: a table, an object or lines are\n"
		"printed each time.",
	.options	= options,
	.tables		= top_tables,
	.run		= run,
};
