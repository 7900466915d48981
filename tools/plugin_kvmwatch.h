/* SPDX-License-Identifier: GPL-2.0 */
/* What libtraceevent looks for in a plugin; it has no prototypes of that. */
#ifndef KVMWATCH_PLUGIN_H
#define KVMWATCH_PLUGIN_H

#include <event-parse.h>

#define EXPORTED	__attribute__((visibility("default")))

int EXPORTED TEP_PLUGIN_LOADER(struct tep_handle *tep);
void EXPORTED TEP_PLUGIN_UNLOADER(struct tep_handle *tep);

#endif /* KVMWATCH_PLUGIN_H */
