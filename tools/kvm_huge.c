// SPDX-License-Identifier: GPL-2.0
/* What KVM's parameters and debugfs tell about huge pages. See kvm_huge.h. */
#include <stdio.h>
#include <string.h>

#include "kvm_huge.h"
#include "text.h"

#define PARAMETERS	"/sys/module/"
#define DEBUGFS		"/sys/kernel/debug/kvm/"

/* The first word of a file; false: there is none. */
static bool read_word(const char *path, char word[32])
{
	FILE *file = fopen(path, "re");
	bool got;

	if (!file)
		return false;
	got = fscanf(file, "%31s", word) == 1;
	fclose(file);
	return got;
}

static bool is_on(const char *parameter)
{
	char word[32];

	return read_word(parameter, word) && (*word == 'Y' || *word == '1');
}

bool kvm_has_tdp_mmu(void)
{
	return is_on(PARAMETERS "kvm/parameters/tdp_mmu") &&
	       (is_on(PARAMETERS "kvm_amd/parameters/npt") ||
		is_on(PARAMETERS "kvm_intel/parameters/ept"));
}

struct maybe kvm_nx_is_on(void)
{
	static const char path[] = PARAMETERS "kvm/parameters/nx_huge_pages";
	char word[32];

	return (struct maybe){ .known = read_word(path, word), .number = is_on(path) };
}

/* Up to 5.13 KVM called it otherwise. */
struct maybe kvm_nx_tables(const char *name)
{
	static const char *const files[] = { "nx_lpage_splits", "nx_largepages_splitted" };
	struct maybe tables = { };
	char path[128], word[32];
	size_t i;

	if (!*name || strchr(name, '/'))
		return tables;
	for (i = 0; i < sizeof(files) / sizeof(*files) && !tables.known; i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/%s", name, files[i]);
		tables.known = read_word(path, word) && text_parse_u64(word, &tables.number);
	}
	return tables;
}
