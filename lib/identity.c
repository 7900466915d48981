// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Name and UUID of a guest.
 *
 * KVM knows neither, but the command line of the VMM has them. To support another VMM, add its
 * options to rules[].
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "uuid.h"
#include "vmm_args.h"

#define NIL_UUID	"00000000-0000-0000-0000-000000000000"

static void set(char **what, const char *value)
{
	free(*what);
	*what = strdup(value);
}

static void take_name(const char *value, struct identity *identity)
{
	set(&identity->guest, value);
}

static void take_uuid(const char *value, struct identity *identity)
{
	char uuid[UUID_TEXT_SIZE];

	if (uuid_from_text(value, uuid))
		set(&identity->uuid, uuid);
}

/*
 * "web1,debug-threads=on", or "guest=web1,debug-threads=on". A first item without a key is the
 * guest's name; such a name may contain a '=' after a ",,". QEMU merges several -name options, so
 * one without a name does not change the name.
 */
static void take_qemu_name(const char *value, struct identity *identity)
{
	char *text = malloc(strlen(value) + 1);
	struct qemu_item item;
	const char *at;

	for (at = value; text && *at;) {
		at = qemu_item(at, at == value ? "guest" : NULL, text, &item);
		if (qemu_item_is(&item, "guest"))
			set(&identity->guest, item.value);
	}
	free(text);
}

static bool is_number(const char *value, unsigned long number)
{
	char *end;

	return *value && strtoul(value, &end, 0) == number && !*end;
}

/* "type=1,product=OpenStack Nova,uuid=...". The last of -smbios and -uuid wins. */
static void take_qemu_smbios(const char *value, struct identity *identity)
{
	char *text = malloc(strlen(value) + 1), *uuid = NULL;
	bool of_system = false;
	struct qemu_item item;
	const char *at;

	for (at = value; text && *at;) {
		at = qemu_item(at, NULL, text, &item);
		if (qemu_item_is(&item, "type"))
			of_system = is_number(item.value, 1);
		else if (qemu_item_is(&item, "uuid"))
			set(&uuid, item.value);
	}
	if (of_system && uuid)
		take_uuid(uuid, identity);
	free(uuid);
	free(text);
}

/* The last item wins. A comma inside quotes or brackets does not end an item. */
static void take_platform(const char *value, struct identity *identity)
{
	char *text = malloc(strlen(value) + 1);

	while (text && *value) {
		value = cloud_hypervisor_item(value, text);
		if (!strncmp(text, "uuid=", 5))
			take_uuid(text + 5, identity);
		else if (!strncmp(text, "system_uuid=", 12))
			take_uuid(text + 12, identity);
	}
	free(text);
}

/* VirtualBox takes a name or a UUID here. It gets the name in --comment as well. */
static void take_startvm(const char *value, struct identity *identity)
{
	char uuid[UUID_TEXT_SIZE];

	if (uuid_from_text(value, uuid))
		set(&identity->uuid, uuid);
	else if (!identity->guest)
		set(&identity->guest, value);
}

static const struct rule {
	enum vmm vmm;
	const char *option;
	void (*take)(const char *value, struct identity *identity);
} rules[] = {
	{ VMM_QEMU,		"name",		take_qemu_name },
	{ VMM_QEMU,		"uuid",		take_uuid },
	{ VMM_QEMU,		"smbios",	take_qemu_smbios },
	{ VMM_QEMU,		"avd",		take_name },	/* Android's emulator */
	{ VMM_FIRECRACKER,	"id",		take_name },
	{ VMM_CLOUD_HYPERVISOR,	"platform",	take_platform },
	{ VMM_CROSVM,		"name",		take_name },
	{ VMM_LKVM,		"name",		take_name },
	{ VMM_STRATOVIRT,	"name",		take_name },
	{ VMM_STRATOVIRT,	"uuid",		take_uuid },
	{ VMM_STRATOVIRT,	"smbios",	take_qemu_smbios },
	{ VMM_VIRTUALBOX,	"comment",	take_name },
	{ VMM_VIRTUALBOX,	"startvm",	take_startvm },
	{ VMM_VIRTUALBOX,	"s",		take_startvm },
	{ }
};

static void take(enum vmm vmm, const struct vmm_option *option, struct identity *identity)
{
	const struct rule *rule;

	for (rule = rules; rule->take; rule++) {
		if (rule->vmm == vmm && vmm_option_is(option, rule->option))
			rule->take(option->value, identity);
	}
}

/* Treat a value that says nothing as unknown. */
static void drop(char **what, const char *nothing)
{
	if (!*what || strcmp(*what, nothing))
		return;
	free(*what);
	*what = NULL;
}

void identity_parse(const char *cmdline, size_t len, const char *exe, struct identity *identity)
{
	struct vmm_option option;
	struct vmm_args args;

	memset(identity, 0, sizeof(*identity));
	if (vmm_args_begin(&args, cmdline, len, exe))
		return;
	while (vmm_args_next(&args, &option)) {
		if (option.value)
			take(args.vmm, &option, identity);
	}
	vmm_args_end(&args);
	drop(&identity->guest, "");
	drop(&identity->uuid, NIL_UUID);
}

void identity_free(struct identity *identity)
{
	free(identity->guest);
	free(identity->uuid);
	free(identity->unit);
	free(identity->user_unit);
	memset(identity, 0, sizeof(*identity));
}
