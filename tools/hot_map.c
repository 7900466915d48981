// SPDX-License-Identifier: GPL-2.0
/* A picture of per-page heat, drawn by gnuplot. See hot.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "hot.h"
#include "new_file.h"

#define PAGES_PER_MIB	256.0

/* --- cells --------------------------------------------------------------- */

/* The index of the first page of each slot among all pages. */
struct places {
	struct hot_map *map;
	__u64 *first;
	__u64 *cells;	/* marks since the beginning, by row */
};

/* Pages of all slots that are shown below this one. */
static __u64 pages_below(const struct kvmwatch_heat *heat, size_t slot)
{
	__u64 pages = 0;
	size_t i;

	for (i = 0; i < heat->nr; i++) {
		if (!heat->slots[i]->as_id && i != slot &&
		    (heat->slots[i]->base_gfn < heat->slots[slot]->base_gfn ||
		     (heat->slots[i]->base_gfn == heat->slots[slot]->base_gfn && i < slot)))
			pages += heat->slots[i]->npages;
	}
	return pages;
}

static int add_marks(void *arg, const struct hot_page *page)
{
	struct places *places = arg;
	__u64 at = places->first[page->slot];

	if (at != ~0ULL)
		places->cells[(at + page->rel_gfn) * places->map->rows / places->map->pages] +=
			page->count;
	return 0;
}

/* Use the addresses of slots at the first read, so that nothing moves in the picture. */
static int fill(struct hot_map *map, const struct hot *hot, __u64 *cells)
{
	struct places places = { .map = map, .cells = cells };
	size_t i;
	int err;

	places.first = calloc(hot->first->nr + 1, sizeof(*places.first));
	if (!places.first)
		return -ENOMEM;
	for (i = 0; i < hot->first->nr; i++)
		places.first[i] = hot->first->slots[i]->as_id ? ~0ULL :
				  pages_below(hot->first, i);
	err = hot_each_page(hot, add_marks, &places);
	free(places.first);
	return err;
}

static int map_alloc(struct hot_map *map, const struct hot *hot)
{
	size_t i;

	map->pages = 0;
	for (i = 0; i < hot->first->nr; i++)
		map->pages += hot->first->slots[i]->as_id ? 0 : hot->first->slots[i]->npages;
	if (!map->pages)
		return -ENODATA;
	map->rows = map->pages < HOT_MAP_ROWS ? map->pages : HOT_MAP_ROWS;
	/* One more column, for the sums of all marks so far. */
	map->cells = calloc((HOT_MAP_COLUMNS + 1) * map->rows, sizeof(*map->cells));
	return map->cells ? 0 : -ENOMEM;
}

int hot_map_add(struct hot_map *map, const struct hot *hot, double seconds)
{
	__u64 *column, *sums;
	size_t row;
	int err = 0;

	if (!map->cells)
		err = map_alloc(map, hot);
	if (err)
		return err;
	if (map->columns == HOT_MAP_COLUMNS)
		return -ENOSPC;
	column = &map->cells[map->columns * map->rows];
	sums = &map->cells[HOT_MAP_COLUMNS * map->rows];
	err = fill(map, hot, column);
	if (err)
		return err;
	for (row = 0; row < map->rows; row++) {
		column[row] -= sums[row];
		sums[row] += column[row];
	}
	map->columns++;
	map->seconds = seconds;
	return 0;
}

void hot_map_free(struct hot_map *map)
{
	free(map->cells);
	memset(map, 0, sizeof(*map));
}

/* --- gnuplot ------------------------------------------------------------- */

struct hot_plot {
	struct new_file file;
	pid_t pid;
	FILE *script;
};

/*
 * Run gnuplot in a process group of its own: a Ctrl-C that ends the counting must not end gnuplot,
 * which draws the result.
 */
static int spawn(struct hot_plot *plot, int script)
{
	char *const argv[] = { "gnuplot", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int err;

	err = posix_spawn_file_actions_init(&actions);
	if (err)
		return -err;
	err = posix_spawnattr_init(&attr);
	if (err) {
		posix_spawn_file_actions_destroy(&actions);
		return -err;
	}
	err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP) ?:
	      posix_spawn_file_actions_adddup2(&actions, script, 0) ?:
	      posix_spawn_file_actions_adddup2(&actions, plot->file.fd, 1) ?:
	      posix_spawnp(&plot->pid, "gnuplot", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int complain_spawn(int err)
{
	if (err == -ENOENT)
		return complain("gnuplot",
				"it draws the picture, but is not installed; apt install gnuplot-nox");
	return complain("gnuplot", "can't run it: %s", strerror(-err));
}

static int start(struct hot_plot *plot)
{
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	err = spawn(plot, fds[0]);
	close(fds[0]);
	if (err) {
		close(fds[1]);
		return err;
	}
	plot->script = fdopen(fds[1], "w");
	if (plot->script)
		return 0;
	close(fds[1]);	/* without a script it ends */
	waitpid(plot->pid, NULL, 0);
	return -ENOMEM;
}

int hot_plot_begin(const char *path, struct hot_plot **plot)
{
	struct hot_plot *p = calloc(1, sizeof(*p));
	int code, err;

	if (!p)
		return complain(path, "no memory");
	code = new_file_begin(&p->file, path);
	if (code) {
		free(p);
		return code;
	}
	err = start(p);
	if (err) {
		new_file_drop(&p->file);
		free(p);
		return complain_spawn(err);
	}
	*plot = p;
	return EXIT_DONE;
}

static void write_map(FILE *f, const struct hot_map *map)
{
	size_t row, column;

	fputs("$map << END\n", f);
	for (row = 0; row < map->rows; row++) {
		for (column = 0; column < map->columns; column++)
			fprintf(f, "%llu ", map->cells[column * map->rows + row]);
		fputc('\n', f);
	}
	fputs("END\n", f);
}

/* Write a title without characters that mean something to gnuplot. */
static void write_title(FILE *f, const char *title)
{
	fputs("set title '", f);
	for (; *title; title++)
		fputc(*title == '\'' || *title < ' ' ? ' ' : *title, f);
	fputs("' noenhanced\n", f);
}

static void write_script(FILE *f, const struct hot_map *map, const char *title)
{
	double mib = map->pages / PAGES_PER_MIB;
	double width = map->seconds / map->columns, height = mib / map->rows;

	write_map(f, map);
	fputs("set terminal svg size 1000,600 background 'white'\n", f);
	write_title(f, title);
	fprintf(f, "set xrange [0:%g]\nset yrange [0:%g]\n", map->seconds, mib);
	fputs("set xlabel 'seconds'\n"
	      "set ylabel 'memory slots one upon the other, MiB'\n"
	      "set cblabel 'dirty marks'\n"
	      "set cbrange [0:*]\n"
	      "set palette defined (0 'white', 0.01 '#ffe0a0', 0.4 'orange', 1 'dark-red')\n", f);
	fprintf(f, "plot $map using (($1+0.5)*%g):(($2+0.5)*%g):3 matrix ", width, height);
	fputs("with image pixels notitle\n", f);
}

int hot_plot_end(struct hot_plot *plot, const struct hot_map *map, const char *title)
{
	sighandler_t old = signal(SIGPIPE, SIG_IGN);
	int status = 0, failed, code = EXIT_DONE;

	if (map && map->columns)
		write_script(plot->script, map, title);
	failed = ferror(plot->script);
	failed |= fclose(plot->script);
	signal(SIGPIPE, old);
	while (waitpid(plot->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (failed || status)
		code = complain(plot->file.path, "gnuplot did not draw it");
	if (code || !map || !map->columns)
		new_file_drop(&plot->file);
	else
		code = new_file_keep(&plot->file);
	free(plot);
	return code;
}
