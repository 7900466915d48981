/* SPDX-License-Identifier: GPL-2.0 */
/* The files of the page at /. They are part of the program. */
#ifndef KVMWATCH_EXPORT_PAGE_H
#define KVMWATCH_EXPORT_PAGE_H

#include <stddef.h>

/**
 * struct export_file - a file
 * @path:	where it is, as in a URL
 * @type:	its Content-Type
 * @begin:	what is in it
 * @end:	behind that
 */
struct export_file {
	const char *path;
	const char *type;
	const char *begin;
	const char *end;
};

/* export_page.c defines these. */
extern const char export_html_begin[], export_html_end[];
extern const char export_css_begin[], export_css_end[];
extern const char export_js_begin[], export_js_end[];
extern const char export_icon_begin[], export_icon_end[];

/* NULL: there is no such file. */
const struct export_file *export_page_find(const char *path);

static inline size_t export_file_size(const struct export_file *file)
{
	return file->end - file->begin;
}

#endif /* KVMWATCH_EXPORT_PAGE_H */
