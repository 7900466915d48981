#!/bin/sh
# kvmwatch predict and rank with a monitor that lies (see lying_monitor.c): numbers that no VMM can mean,
# nothing at all, or too much. It ends in time, and says JSON, or why not. Signals end
# a measurement, and so does the VM's end.
# shellcheck source=claims.sh
. "$(dirname "$0")/claims.sh"

monitor=/tmp/lying
migrate_with='{"status": "active", "total-time": T, "setup-time": 2, "ram": {"remaining": R, "total": R,
"transferred": R, "normal": N, "duplicate": N, "dirty-sync-count": S, "dirty-pages-rate": N,
"page-size": 4096, "mbps": N}, "cpu-throttle-percentage": N}'

# Start a monitor with these answers instead of the last one: lie [COMMAND ANSWER]...
lie() {
	[ -z "${liar-}" ] || { kill "$liar"; wait "$liar" 2>/dev/null; }
	rm -f $monitor
	in_background /tmp/liar lying_monitor $monitor query-migrate "$(numbers 1500 1000000 500 1)" "$@"
	liar=$!
	eventually test -S $monitor
}

# The answer of query-migrate with such numbers: numbers TOTAL_MS REMAINING NUMBER SYNCS
numbers() {
	echo "$migrate_with" | tr '\n' ' ' | sed "s/: T,/: $1,/; s/: R,/: $2,/g; s/: N\([,}]\)/: $3\1/g
		s/: S,/: $4,/"
}

# It ends by itself within a minute, not by the signal that comes then: ends OPTION...
ends() {
	timeout $((60 * times)) kvmwatch predict --json -p "$vm" --qmp $monitor "$@" \
		>/tmp/lies.json 2>/tmp/lies.err
	code=$?
	cat /tmp/lies.json /tmp/lies.err
	case $code in
	0 | 3 | 4)	tail -n 1 /tmp/lies.json | grep -q '^{.*}$' ;;
	1)		test -s /tmp/lies.err && ! grep -q interrupted /tmp/lies.err ;;
	*)		false ;;
	esac
}

# A member of the last line of JSON
of() {
	sed -n "s/.*\"$1\":\"*\([^,\"]*\).*/\1/p" /tmp/lies.json | tail -n 1
}

start_demo /tmp/demo.log --name liar --pages-4k 400 --pages-2m 0 --dirty-rounds 1 --keep-log
vm=$!
claim "a guest is logged" eventually grep -q "round 1 done" /tmp/demo.log

lie
claim "a monitor that tells the truth is believed" ends --live
claim "and the rest of a migration forecast" same "$(of verdict) $(of bandwidth)" \
	"converges 10000000"

for most in 0 -1 4294967296 9223372036854775807 18446744073709551615 1e300 '"7"' null; do
	lie query-migrate "$(numbers "$most" "$most" "$most" "$most")"
	claim "all numbers of a migration are $most" ends --live
	lie query-migrate "$(numbers 1500 1000000 "$most" 1)" query-migrate-parameters \
		"{\"max-bandwidth\": $most, \"downtime-limit\": $most}"
	claim "so are its pages, rates and limits" ends --live
	lie query-migrate "$(numbers 1500 "$most" 5 "$most")"
	claim "so is what is left, and which round it is" ends --live
done

lie query-migrate '{}'
claim "a measurement that an honest monitor makes ends" ends --measure 1
claim "and is believed" same "$code $(of verdict) $(of source)" "0 converges log"
claim "it gives numbers" test "$(of total_ms)" -gt 0
for most in -1 9223372036854775807; do
	lie query-dirty-rate "{\"status\": \"measured\", \"dirty-rate\": $most}" query-migrate '{}'
	claim "what was measured is $most" ends --measure 1
done

lie query-migrate-parameters '{"max-bandwidth": 10000000, "downtime-limit": 0}'
claim "a downtime limit of 0 ends" ends --live
claim "without a verdict" same "$code $(of verdict) $(of downtime_limit_ms)" "4 unknown 0"
claim "and says why" grep -q '"why":"QEMU.s downtime-limit is 0' /tmp/lies.json
claim "with --downtime 300 it ends, too" ends --live --downtime 300
claim "and forecasts the migration" same "$(of verdict) $(of downtime_limit_ms)" "converges 300"

for command in qmp_capabilities query-migrate; do
	for how in never close half events long; do
		lie $command @$how
		claim "$command: $how" ends --live
	done
done
for command in query-status query-migrate-parameters query-migrate-capabilities; do
	lie $command @half
	claim "$command: half" ends --live
done
for command in calc-dirty-rate query-dirty-rate; do
	for how in close long; do
		lie $command @$how query-migrate '{}'
		claim "$command: $how" ends --measure 1
	done
done

said_by=/tmp/lies.measuring

# Start a measurement, and wait until it says that it measures, or ends.
measure() {
	in_background $said_by kvmwatch predict -p "$vm" --qmp $monitor --measure 10
	measuring=$!
	eventually measures_or_has_ended
	grep -q "QEMU will log" $said_by
}

measures_or_has_ended() {
	grep -q "QEMU will log" $said_by || ! kill -0 "$measuring"
}

# Started, asked to end after a second, and waited for: ends_by SIGNAL
ends_by() {
	measure || return
	sleep 1
	kill "-$1" $measuring
	wait "$measuring"
	same $? 1
}

lie query-migrate '{}'
for signal in INT TERM; do
	claim "SIG$signal ends a measurement" ends_by $signal
	claim "and that is said" grep interrupted $said_by
done
claim "it measures" measure
kill "$vm"
wait "$vm" 2>/dev/null
wait "$measuring"
claim "the VM's end ends a measurement" same $? 1
claim "and that is said, too" grep -i "VM" $said_by
kill "$liar"

# Start a VM whose own monitor gives these answers: lie_as_vmm [COMMAND ANSWER]...
lie_as_vmm() {
	rm -f $monitor
	in_background /tmp/lies.vmm lying_monitor $monitor query-migrate '{}' "$@" -- guest_demo \
		qemu-liar -name liar -qmp unix:$monitor,server=on,wait=off --seconds "$long" \
		--pages-4k 400 --pages-2m 0 --dirty-rounds 1 --keep-log
	vm=$!
	eventually grep -q "round 1 done" /tmp/lies.vmm
}

# It lists the VM within two minutes: ranks OPTION...
ranks() {
	timeout $((120 * times)) kvmwatch rank --json -p "$vm" "$@" >/tmp/lies.json 2>/tmp/lies.err
	code=$?
	cat /tmp/lies.json /tmp/lies.err
	same $code 0 && grep -q '^{.*"guest":"liar".*}$' /tmp/lies.json
}

# The VM that lies is ranked, and ends: rank_liar WHAT OPTION... -- [COMMAND ANSWER]...
rank_liar() {
	what=$1
	shift
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	lie_as_vmm "$@"
	# shellcheck disable=SC2086
	claim "rank: $what" ranks $options
	kill "$vm"
	wait "$vm" 2>/dev/null
}

rank_liar "a monitor that tells the truth" --measure 1 --
claim "and is believed" same "$(of verdict) $(of source) $(of bandwidth)" \
	"converges log 10000000"
for most in 0 -1 18446744073709551615 1e300 '"7"' null; do
	rank_liar "each number is $most" --measure 1 -- query-migrate-parameters \
		"{\"max-bandwidth\": $most, \"downtime-limit\": $most}" \
		query-dirty-rate "{\"status\": \"measured\", \"dirty-rate\": $most}"
done
for how in never close half events long; do
	rank_liar "no command is answered but by $how" -- qmp_capabilities @$how
	rank_liar "query-status: $how" --measure 1 -- query-status @$how
	rank_liar "query-dirty-rate: $how" --measure 1 -- query-dirty-rate @$how
done
echo "1..$nr"
