/* SPDX-License-Identifier: GPL-2.0 */
/* Which lines of trace-cmd's kvmwatch report shows. */
#ifndef KVMWATCH_CMD_REPORT_H
#define KVMWATCH_CMD_REPORT_H

#include <stdbool.h>

#include "view.h"

/**
 * struct report_filter - selects events
 * @by_id:	events of the VM with id @vm
 * @by_pid:	or of the VM with pid @vm
 * @by_vcpu:	only events of @vcpu
 * @by_slot:	only events of @slot in @as_id
 */
struct report_filter {
	bool by_id, by_pid, by_vcpu, by_slot;
	__u64 vm, vcpu, as_id, slot;
};

/* The trace instances of kvmwatch record have this name, followed by 8 hexadecimal digits. */
#define REPORT_INSTANCE	"kvmwatch-record-"

/* The line without the name of such an instance, which trace-cmd begins it with. */
const char *report_line_begin(const char *line);

bool report_line_is_of(const char *line, const struct report_filter *filter);

/* Or is it about the report itself? */
bool report_line_is_event(const char *line);

/* Or an event that may be one of ours, but does not say whose? */
bool report_line_is_unread(const char *line);

/**
 * struct report_account - statistics of the kernel's buffer at the end of a recording
 * @written:	events that were in the buffer at any time, read or not
 * @overrun:	events for which the buffer had no room
 */
struct report_account {
	unsigned long long written, overrun;
};

/* Add a line of "trace-cmd report --stat", which prints several for each CPU. */
void report_account_add(struct report_account *account, const char *line);

#endif /* KVMWATCH_CMD_REPORT_H */
