#!/bin/bash
# With ten times as many VMs, a command does about ten times as much work, and reads each command
# line once. valgrind counts the blocks of instructions, so the speed and load of the machine do not
# matter.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
few=300
# Sorting does a little more than ten times as much; searching all VMs for each VM would do a
# hundred times as much.
limit=15
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

seen() {
	tail -n 5 "$tmp/log"
}

# The blocks of instructions of a command with so many VMs: count VMS COMMAND OPTION... doctor's
# exit statuses 3 and 4 (something stands out, or is unknown) are no failures.
count() {
	valgrind --tool=none --stats=yes build/selftests/unit/many_vms "$@" \
		>"$tmp/out" 2>"$tmp/log" || [ $? -ge 3 ] || return
	sed -n 's/.*scheduler: \([0-9,]*\) event checks.*/\1/p' "$tmp/log" | tr -d ,
}

command -v valgrind >/dev/null || {
	echo "1..0 # SKIP valgrind is not installed"
	exit 4
}
make -s -C selftests unit >/dev/null || exit
echo "1..11"
while read -r options; do
	# shellcheck disable=SC2086 # words
	{
		some=$(count $few $options)
		many=$(count $((10 * few)) $options)
	}
	[ -n "$some" ] && [ -n "$many" ] && [ "$many" -lt $((limit * some)) ]
	case_is $? "$options takes $limit times as much at most with ten times as many VMs"
	echo "# $few VMs: $some blocks, $((10 * few)) VMs: $many"
done <<'END'
list
list -p guest:many
list -i 1 -n 3
vcpu -C
dirty --rate
exits
doctor
stat --json
top --json
export --once -m 9999
END
count 50 list -i 1 -n 3 >/dev/null
grep -q "read 50 command lines" "$tmp/log"
case_is $? "three looks read each command line once"
