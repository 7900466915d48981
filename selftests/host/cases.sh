# shellcheck shell=bash
# Functions for tests on this machine: cases, each a result for vm/tap. Sourced.
. "$(dirname "$0")/../vm/lib.sh"

number=0

# What to print when a case has failed: the output of try's command. A test may define its own.
seen() {
	[ ! -e "${tmp-}/log" ] || cat "$tmp/log"
}

# Print a result: case_is STATUS WHAT
case_is() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		seen | sed 's/^/# /'
	fi
}

# Make a case of a command: try WHAT COMMAND...; $tmp is the test's directory.
try() {
	local what=$1

	shift
	"$@" >"$tmp/log" 2>&1
	case_is $? "$what"
}
