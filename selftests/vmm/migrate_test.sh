#!/bin/sh
# Migrate a Linux guest that writes to its memory, from one QEMU to another on this host. Migrations
# finish, are cancelled, or fail; they use a dirty bitmap or dirty rings, several channels
# (multifd), or fetch pages afterwards (postcopy); a display's memory is always logged. The runner
# has loaded kvmwatch. vm_lives: run only these of bitmap, ring, multifd, postcopy, with commas.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

# Print how many of a VM's slots have dirty logging, as kvmwatch tells.
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

# Enable $capability, if it is set, on one side of a migration: capable NAME
capable() {
	[ -z "$capability" ] || qmp "$1" migrate-set-capabilities \
		"{\"capabilities\":[{\"capability\":\"$capability\",\"state\":true}]}"
}
capability=
bandwidth=100000000
# So slow that it is at work for minutes: 4 MB a second, and two seconds of downtime, completed as soon
# as a comparison had stopped the guest.
slow="200000 1"

# Start a QEMU that waits for a migration: incoming NAME OPTION...
incoming() {
	to=$1
	shift
	linux "$to" -incoming defer "$@"
	capable "$to" && qmp "$to" migrate-incoming "{\"uri\":\"unix:$vmm/$to.migration\"}" &&
		eventually test -S "$vmm/$to.migration"
}

# Start a migration: migrate FROM TO BYTES_A_SECOND [MS_OF_DOWNTIME]
migrate() {
	capable "$1" && qmp "$1" migrate-set-parameters \
		"{\"max-bandwidth\":$3,\"downtime-limit\":${4:-2000}}" &&
		qmp "$1" migrate "{\"uri\":\"unix:$vmm/$2.migration\"}"
}

# It is over, in one way or another, and in that one: ends_as NAME STATUS
is_over() {
	case $(status_of "$1") in
	completed|cancelled|failed) ;;
	*) false ;;
	esac
}

ends_as() {
	eventually is_over "$1"
	has_status "$1" "$2" && return
	qmp "$1" query-migrate
	return 1
}

# Each page that was sent again was marked dirty after it was sent. FROM is stopped.
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

# Was some memory sent as the capability says: over channels of its own, or after the guest?
went_by() {
	qmp "$kind" query-migrate | jq -e ".ram[\"$1\"] > 0"
}

# Start a guest that keeps writing to this much of its memory.
keep_writing() {
	in_guest "$1" "(while :; do dirty 20; done) & writer=\$!"
}

stop_writing() {
	in_guest "$1" "kill \$writer"
}

# A display's memory is always logged, in more than one slot where it is also at 0xa0000.
some_logged() {
	echo "$always slots are logged"
	[ "$always" -gt 0 ]
}

none_logged() {
	same 0 "$always"
}

# Run all migrations with one kind of log: lives WHAT some_logged|none_logged OPTION...
lives() {
	kind=$1 when_idle=$2
	shift 2
	shown_name=$kind
	need "$kind: a guest starts" starts "$kind" "$@"
	life "$kind: boot"
	always=$(logged_slots "$kind")
	claim "$kind: when nobody migrates, only a display is logged" "$when_idle"
	claim "$kind: it writes to its memory" keep_writing "$kind"
	claim "$kind: pages and exits are KVM's own" agrees_with_kvm "$kind"

	claim "$kind: another QEMU waits" incoming "$kind-cancelled" "$@"
	# shellcheck disable=SC2086
	claim "$kind: a slow migration begins" migrate "$kind" "$kind-cancelled" $slow
	claim "$kind: and is at work" eventually has_status "$kind" active
	claim "$kind: memory is logged" eventually logs_more_slots "$kind" "$always"
	sleep 5
	claim "$kind: pages and exits are KVM's own meanwhile" agrees_with_kvm "$kind"
	claim "$kind: it is cancelled" qmp "$kind" migrate_cancel
	claim "$kind: and ends" ends_as "$kind" cancelled
	claim "$kind: logging ends" eventually logs_slots "$kind" "$always"
	claim "$kind: the other one is gone" eventually gone "$kind-cancelled"
	claim "$kind: pages and exits are KVM's own after it" agrees_with_kvm "$kind"
	claim "$kind: an audit agrees" audits_agree "$kind"
	claim "$kind: the kernel says nothing" quiet_kernel
	life "$kind: cancelled"

	claim "$kind: a third QEMU waits" incoming "$kind-failed" "$@"
	# shellcheck disable=SC2086
	claim "$kind: a slow migration to that one begins" migrate "$kind" "$kind-failed" $slow
	claim "$kind: memory is logged again" eventually logs_more_slots "$kind" "$always"
	kill -9 "$(pid_of "$kind-failed")"
	claim "$kind: it fails, as that one is killed" ends_as "$kind" failed
	claim "$kind: logging ends then" eventually logs_slots "$kind" "$always"
	claim "$kind: pages and exits are KVM's own after that" agrees_with_kvm "$kind"
	claim "$kind: the kernel says nothing of it" quiet_kernel
	life "$kind: failed"

	finishes "$@"
}

# Migrate the guest to another QEMU, where it goes on; then end both: finishes OPTION...
finishes() {
	claim "$kind: a QEMU waits that gets it all" incoming "$kind-finished" "$@"
	claim "$kind: a migration begins" migrate "$kind" "$kind-finished" "$bandwidth"
	[ "$capability" != postcopy-ram ] || postcopy
	claim "$kind: it completes" ends_as "$kind" completed
	case $capability in
	multifd) claim "$kind: memory went over channels" went_by multifd-bytes ;;
	postcopy-ram) claim "$kind: memory went after the guest" went_by postcopy-bytes ;;
	esac
	claim "$kind: pages that went twice were marked" pages_sent_were_marked "$kind"
	claim "$kind: what is left agrees with KVM" compare "$kind"
	claim "$kind: the guest goes on there" stop_writing "$kind-finished"
	claim "$kind: and agrees with KVM" agrees_with_kvm "$kind-finished"
	claim "$kind: logging is off there" eventually logs_slots "$kind-finished" "$always"
	claim "$kind: the first QEMU ends" qmp "$kind" quit
	claim "$kind: and is gone" eventually gone "$kind"
	claim "$kind: an audit of the other agrees" audits_agree "$kind-finished"
	claim "$kind: which ends" qmp "$kind-finished" quit
	claim "$kind: and is gone, too" eventually gone "$kind-finished"
	claim "$kind: the kernel said nothing to the end" quiet_kernel
	life "$kind: finished"
}

# The guest goes on in the other QEMU before that has all memory.
postcopy() {
	claim "$kind: memory is logged" eventually logs_more_slots "$kind" 0
	claim "$kind: the guest shall go over now" qmp "$kind" migrate-start-postcopy
}

# Run one migration that finishes: moves WHAT CAPABILITY OPTION...
moves() {
	kind=$1 capability=$2 always=0
	shift 2
	shown_name=$kind
	need "$kind: a guest starts" starts "$kind" "$@"
	life "$kind: boot"
	claim "$kind: it writes to its memory" keep_writing "$kind"
	finishes "$@"
	capability=
}

# The kinds of migrations
bitmap() {
	lives bitmap some_logged -device VGA
}

ring() {
	case ${vm_kernel-} in
	5.10*)
		skip "KVM has none here" "dirty rings"
		return ;;
	esac
	accel=,dirty-ring-size=1024 preload=$PWD/late_reaper.so
	lives ring none_logged
	accel=
	preload=
}

multifd() {
	moves multifd multifd
}

# Switch to postcopy before the migration would finish; the rest is then sent at full speed.
postcopy_ram() {
	bandwidth=4000000
	moves postcopy postcopy-ram
	bandwidth=100000000
}

make_guest
forget_kernel
life begin
for each in $(echo "${vm_lives:-bitmap,ring,multifd,postcopy}" | sed 's/postcopy/&_ram/; s/,/ /g'); do
	$each
done
end_all
