#!/bin/bash
# promtool accepts the rules and alerts for Prometheus (contrib/prometheus), and each metric in them
# is one that the exporter has.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
log=$(mktemp)
trap 'rm -f "$log"' EXIT

seen() {
	tail -n 40 "$log"
}

names_are_exported() {
	local name

	grep -oE '\bkvmwatch_[a-z_]+(\{|\[|\b)' contrib/prometheus/kvmwatch.rules.yml | tr -d '{[' |
		sed 's/^kvmwatch_//; s/_total$//' | sort -u | while read -r name; do
		grep -q "\`$name\`" docs/exporter.md ||
			grep -q "vm:kvmwatch_$name:" contrib/prometheus/kvmwatch.rules.yml || echo "$name"
	done | grep .
}

echo "1..3"
! names_are_exported >"$log"
case_is $? "they are about numbers that there are"
if ! dir=$(selftests/vm/prometheus 2>"$log"); then
	echo "ok 2 promtool takes the rules # SKIP prometheus cannot be had"
	echo "ok 3 their tests pass # SKIP prometheus cannot be had"
	exit
fi
"$dir/promtool" check rules contrib/prometheus/kvmwatch.rules.yml >"$log" 2>&1
case_is $? "promtool takes the rules"
(cd contrib/prometheus && "$dir/promtool" test rules kvmwatch.rules_test.yml) >"$log" 2>&1
case_is $? "their tests pass"
