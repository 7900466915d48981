# shellcheck shell=bash
# What tests on this machine share: cases, each a result for vm/tap. Sourced.
. "$(dirname "$0")/../vm/lib.sh"

number=0

# What there is to see when a case failed: what try's command said. Tests with more have their own.
seen() {
	[ ! -e "${tmp-}/log" ] || cat "$tmp/log"
}

# A result: case_is STATUS WHAT
case_is() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		seen | sed 's/^/# /'
	fi
}

# A command is a case: try WHAT COMMAND...; $tmp is the test's directory
try() {
	local what=$1

	shift
	"$@" >"$tmp/log" 2>&1
	case_is $? "$what"
}
