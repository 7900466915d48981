// SPDX-License-Identifier: GPL-2.0
/* The files of the page, from the directory page. See export_page.h. */
#include <string.h>

#include "export_page.h"

#ifndef KVMWATCH_PAGE_DIR
#define KVMWATCH_PAGE_DIR "tools/page/"
#endif

#define FILE_BYTES(symbol, name)							\
	__asm__(".pushsection .rodata\n"						\
		".global " #symbol "_begin, " #symbol "_end\n"				\
		#symbol "_begin: .incbin \"" KVMWATCH_PAGE_DIR name "\"\n"		\
		#symbol "_end:\n"							\
		".popsection")

FILE_BYTES(export_html, "page.html");
FILE_BYTES(export_css, "page.css");
FILE_BYTES(export_js, "page.js");
FILE_BYTES(export_icon, "page.svg");

static const struct export_file files[] = {
	{ "/", "text/html; charset=utf-8", export_html_begin, export_html_end },
	{ "/page.css", "text/css; charset=utf-8", export_css_begin, export_css_end },
	{ "/page.js", "text/javascript; charset=utf-8", export_js_begin, export_js_end },
	{ "/page.svg", "image/svg+xml", export_icon_begin, export_icon_end },
};

const struct export_file *export_page_find(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (!strcmp(files[i].path, path))
			return &files[i];
	}
	return NULL;
}
