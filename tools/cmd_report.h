/* SPDX-License-Identifier: GPL-2.0 */
/* Which lines of trace-cmd's kvmwatch report shows. */
#ifndef KVMWATCH_CMD_REPORT_H
#define KVMWATCH_CMD_REPORT_H

#include <stdbool.h>

#include "view.h"

/**
 * struct report_filter - whose events
 * @by_id:	those of the VM with id @vm
 * @by_pid:	or with pid @vm
 * @by_vcpu:	only those of @vcpu
 * @by_slot:	only those of @slot in @as_id
 */
struct report_filter {
	bool by_id, by_pid, by_vcpu, by_slot;
	__u64 vm, vcpu, as_id, slot;
};

/* What the trace instances of kvmwatch record are called; 8 hexadecimal digits follow. */
#define REPORT_INSTANCE	"kvmwatch-record-"

/* The line without the name of such an instance, which trace-cmd begins it with. */
const char *report_line_begin(const char *line);

bool report_line_is_of(const char *line, const struct report_filter *filter);

/* Or is it about the report itself? */
bool report_line_is_event(const char *line);

/* Or an event that may be one of ours, but does not say whose? */
bool report_line_is_unread(const char *line);

/**
 * struct report_account - what the kernel said of its buffer when a recording ended
 * @written:	events that were in it at any time, read or not
 * @overrun:	events for which it had no room
 */
struct report_account {
	unsigned long long written, overrun;
};

/* Add what a line of "trace-cmd report --stat" says, which has some for each CPU. */
void report_account_add(struct report_account *account, const char *line);

#endif /* KVMWATCH_CMD_REPORT_H */
