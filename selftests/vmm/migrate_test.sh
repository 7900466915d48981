#!/bin/sh
# Migrations from one QEMU to another on this host, of a Linux guest that writes to its memory: finished,
# cancelled, failed; with a dirty bitmap and with dirty rings; with a display, whose memory is
# always logged. The runner has kvmwatch loaded.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

status_of() {
	qmp "$1" query-migrate | jq -r .status
}

has_status() {
	[ "$(status_of "$1")" = "$2" ]
}

# How many of its slots are logged, by what kvmwatch says
logged_slots() {
	awk -v vm="$(kvmwatch list --json -p "$(pid_of "$1")" | jq .id)" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "logging") n = i; next }
		$1 == vm && $n == "on" { rows++ } END { print rows + 0 }' /sys/kernel/debug/kvmwatch/slots
}

logs_slots() {
	[ "$(logged_slots "$1")" = "$2" ]
}

logs_more_slots() {
	[ "$(logged_slots "$1")" -gt "$2" ]
}

# A QEMU that waits for what comes: incoming NAME OPTION...
incoming() {
	to=$1
	shift
	linux "$to" -incoming "unix:$vmm/$to.migration" "$@"
	eventually test -S "$vmm/$to.migration"
}

# Begin to migrate: migrate FROM TO BYTES_A_SECOND
migrate() {
	qmp "$1" migrate-set-parameters "{\"max-bandwidth\":$3,\"downtime-limit\":2000}" &&
		qmp "$1" migrate "{\"uri\":\"unix:$vmm/$2.migration\"}"
}

completes() {
	eventually has_status "$1" completed && return
	qmp "$1" query-migrate
	return 1
}

# Each page that goes over again was marked dirty since it went: FROM is stopped.
pages_sent_were_marked() {
	qmp "$1" query-migrate >"$vmm/migration" || return
	sent=$(jq '.ram.normal + .ram.duplicate' "$vmm/migration")
	again=$((sent - $(jq '.ram.total / 4096 | floor' "$vmm/migration")))
	syncs=$(jq '.ram["dirty-sync-count"]' "$vmm/migration")
	echo "sent $sent pages, $again again, $syncs syncs; $(ours "$1" dirty_marks) marks, $(ours "$1" dirty_collects) collections"
	echo "# migration: $(jq -c '[."total-time", .downtime]' "$vmm/migration") ms in all and of downtime;" \
		"sent $sent pages, $again again; $(ours "$1" dirty_marks) marks" >>"$vmm/notes"
	[ "$again" -le "$(ours "$1" dirty_marks)" ] && [ "$(ours "$1" dirty_collects)" -ge "$syncs" ] &&
		[ "$(ours "$1" dirty_marks)" -gt 0 ]
}

# A guest that goes on writing to so much of its memory
keep_writing() {
	in_guest "$1" "(while :; do dirty 20; done) &"
}

stop_writing() {
	in_guest "$1" "kill %1; killall cat 2>/dev/null; true"
}

# All lives of one kind of log: lives WHAT ALWAYS_LOGGED OPTION...
lives() {
	what=$1 always=$2
	shift 2
	shown_name=$what
	need "$what: a guest starts" starts "$what" "$@"
	life "$what: boot"
	claim "$what: so many slots are logged when nobody migrates: $always" logs_slots "$what" "$always"
	claim "$what: it writes to its memory" keep_writing "$what"
	claim "$what: pages and exits are KVM's own" agrees_with_kvm "$what"

	claim "$what: another QEMU waits" incoming "$what-cancelled" "$@"
	claim "$what: a slow migration begins" migrate "$what" "$what-cancelled" 4000000
	claim "$what: and is at work" eventually has_status "$what" active
	claim "$what: memory is logged" eventually logs_more_slots "$what" "$always"
	sleep 5
	claim "$what: pages and exits are KVM's own meanwhile" agrees_with_kvm "$what"
	claim "$what: it is cancelled" qmp "$what" migrate_cancel
	claim "$what: and ends" eventually has_status "$what" cancelled
	claim "$what: logging ends" eventually logs_slots "$what" "$always"
	claim "$what: the other one is gone" eventually gone "$what-cancelled"
	claim "$what: pages and exits are KVM's own after it" agrees_with_kvm "$what"
	claim "$what: an audit agrees" audits_agree "$what"
	claim "$what: the kernel says nothing" quiet_kernel
	life "$what: cancelled"

	claim "$what: a third QEMU waits" incoming "$what-failed" "$@"
	claim "$what: a slow migration to that one begins" migrate "$what" "$what-failed" 4000000
	claim "$what: memory is logged again" eventually logs_more_slots "$what" "$always"
	kill -9 "$(pid_of "$what-failed")"
	claim "$what: it fails, as that one is killed" eventually has_status "$what" failed
	claim "$what: logging ends then" eventually logs_slots "$what" "$always"
	claim "$what: pages and exits are KVM's own after that" agrees_with_kvm "$what"
	claim "$what: the kernel says nothing of it" quiet_kernel
	life "$what: failed"

	claim "$what: a fourth QEMU waits" incoming "$what-finished" "$@"
	claim "$what: a migration begins" migrate "$what" "$what-finished" 100000000
	claim "$what: it completes" completes "$what"
	claim "$what: pages that went twice were marked" pages_sent_were_marked "$what"
	claim "$what: what is left agrees with KVM" compare "$what"
	claim "$what: the guest goes on there" stop_writing "$what-finished"
	claim "$what: and agrees with KVM" agrees_with_kvm "$what-finished"
	claim "$what: logging is off there" eventually logs_slots "$what-finished" "$always"
	claim "$what: the first QEMU ends" qmp "$what" quit
	claim "$what: and is gone" eventually gone "$what"
	claim "$what: an audit of the other agrees" audits_agree "$what-finished"
	claim "$what: which ends" qmp "$what-finished" quit
	claim "$what: and is gone, too" eventually gone "$what-finished"
	claim "$what: the kernel said nothing to the end" quiet_kernel
	life "$what: finished"
}

make_guest
forget_kernel
life begin
lives bitmap 1 -device VGA
accel=,dirty-ring-size=1024 lives ring 0
end_all
