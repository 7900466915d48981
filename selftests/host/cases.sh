# shellcheck shell=bash
# What tests on this machine share: cases, each a result for vm/tap. Sourced.
. "$(dirname "$0")/../vm/lib.sh"

number=0

# What there is to see when a case failed; tests that have more to show have their own.
seen() {
	:
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
