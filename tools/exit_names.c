// SPDX-License-Identifier: GPL-2.0
/* Names of exit reasons, read from the module. See exit_names.h. */
#include <stddef.h>

#include "exit_names.h"
#include "libkvmwatch.h"

/* The names are the same for all VMs of this host. */
static struct kvmwatch_catalog *catalog;

void exit_names_read(int dev)
{
	if (!catalog && kvmwatch_catalog_read(dev, &catalog))
		catalog = NULL;
}

const char *exit_name(const struct kvmwatch_value *value, unsigned int bucket)
{
	return catalog ? kvmwatch_catalog_bucket(catalog, value->name, bucket) : NULL;
}
