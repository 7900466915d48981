// SPDX-License-Identifier: LGPL-2.1-or-later
/* Name, UUID and units of a guest. See libkvmwatch.h. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "identity.h"
#include "libkvmwatch.h"

/* The public part, and the owner of its strings. */
struct guest {
	struct kvmwatch_guest pub;
	struct identity identity;
};

static struct guest *guest_of(struct kvmwatch_guest *pub)
{
	return (struct guest *)((char *)pub - offsetof(struct guest, pub));
}

/* Fill the public part of @guest from its identity. */
static void hand_out(struct guest *guest, struct kvmwatch_guest **pub)
{
	guest->pub.name = guest->identity.guest;
	guest->pub.uuid = guest->identity.uuid;
	guest->pub.unit = guest->identity.unit;
	guest->pub.user_unit = guest->identity.user_unit;
	*pub = &guest->pub;
}

int kvmwatch_guest_read(int pid, struct kvmwatch_guest **pub)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	int err;

	if (!guest)
		return -ENOMEM;
	err = identity_of(pid, &guest->identity);
	if (err)
		free(guest);
	else
		hand_out(guest, pub);
	return err;
}

int kvmwatch_guest_parse(const char *cmdline, size_t len, const char *exe,
			 struct kvmwatch_guest **pub)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		return -ENOMEM;
	identity_parse(cmdline, len, exe, &guest->identity);
	hand_out(guest, pub);
	return 0;
}

void kvmwatch_guest_free(struct kvmwatch_guest *pub)
{
	if (!pub)
		return;
	identity_free(&guest_of(pub)->identity);
	free(guest_of(pub));
}
