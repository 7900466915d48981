// SPDX-License-Identifier: GPL-2.0
/* What is known of a VM from outside of KVM. See identity.h. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "vmm_args.h"

#define UUID_LETTERS	36

/* --- UUID ------------------------------------------------------------------ */

static bool is_dash(size_t at)
{
	return at == 8 || at == 13 || at == 18 || at == 23;
}

/* In small letters; NULL if it is none. */
static char *make_uuid(const char *text)
{
	char *uuid;
	size_t i;

	if (strlen(text) != UUID_LETTERS)
		return NULL;
	for (i = 0; i < UUID_LETTERS; i++) {
		if (is_dash(i) ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return NULL;
	}
	uuid = strdup(text);
	for (i = 0; uuid && i < UUID_LETTERS; i++)
		uuid[i] = tolower((unsigned char)uuid[i]);
	return uuid;
}

/* "type=1,manufacturer=x,uuid=..." */
static char *smbios_uuid(const char *value)
{
	char *text = malloc(strlen(value) + 1), *uuid = NULL;
	struct qemu_item item;

	while (text && *value && !uuid) {
		value = qemu_item(value, NULL, text, &item);
		if (qemu_item_is(&item, "uuid"))
			uuid = make_uuid(item.value);
	}
	free(text);
	return uuid;
}

/* -uuid is what QEMU believes; -smbios only tells the guest. */
char *identity_uuid(const char *cmdline, size_t len)
{
	char *uuid = NULL, *smbios = NULL;
	struct vmm_option option;
	struct vmm_args args;

	if (vmm_args_begin(&args, cmdline, len))
		return NULL;
	while (args.vmm == VMM_QEMU && vmm_args_next(&args, &option)) {
		if (!option.value)
			continue;
		if (!uuid && vmm_option_is(&option, "uuid"))
			uuid = make_uuid(option.value);
		if (!smbios && vmm_option_is(&option, "smbios"))
			smbios = smbios_uuid(option.value);
	}
	vmm_args_end(&args);
	if (!uuid)
		return smbios;
	free(smbios);
	return uuid;
}

/* --- unit ------------------------------------------------------------------ */

static bool ends_with(const char *name, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len > end_len && !memcmp(name + len - end_len, end, end_len);
}

/* Of a path of @len bytes: *@name is the last part of it that is a unit. Returns its length. */
static size_t last_unit(const char *path, size_t len, const char **name)
{
	size_t found = 0, part;

	for (; len; path += part, len -= part) {
		if (*path == '/') {
			part = 1;
			continue;
		}
		for (part = 0; part < len && path[part] != '/'; part++)
			;
		if (!ends_with(path, part, ".scope") && !ends_with(path, part, ".service"))
			continue;
		*name = path;
		found = part;
	}
	return found;
}

/* A line is "ID:CONTROLLERS:PATH"; systemd's is the one of no controller, or named so. */
static const char *systemd_path(const char *line, size_t len)
{
	static const char *const starts[] = { "0::", "1:name=systemd:" };
	size_t i;

	for (i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		if (len > strlen(starts[i]) && !strncmp(line, starts[i], strlen(starts[i])))
			return line + strlen(starts[i]);
	}
	return NULL;
}

char *identity_unit(const char *cgroup)
{
	const char *path, *name;
	size_t len, found;

	for (; *cgroup; cgroup += len + (cgroup[len] == '\n')) {
		len = strcspn(cgroup, "\n");
		path = systemd_path(cgroup, len);
		found = path ? last_unit(path, cgroup + len - path, &name) : 0;
		if (found)
			return strndup(name, found);
	}
	return NULL;
}

/* --- copies ---------------------------------------------------------------- */

static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

int identity_copy(struct identity *to, const struct identity *from)
{
	memset(to, 0, sizeof(*to));
	if (copy(&to->guest, from->guest) && copy(&to->uuid, from->uuid) &&
	    copy(&to->unit, from->unit))
		return 0;
	identity_free(to);
	return -ENOMEM;
}

void identity_free(struct identity *identity)
{
	free(identity->guest);
	free(identity->uuid);
	free(identity->unit);
	memset(identity, 0, sizeof(*identity));
}
