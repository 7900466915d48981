#!/bin/bash
# The dashboards for Grafana (contrib/grafana) are what make-dashboards makes. A Prometheus with our
# rules, which scrapes played hosts, answers each of their queries.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

are_made() {
	mkdir "$tmp/made"
	PYTHONDONTWRITEBYTECODE=1 contrib/grafana/make-dashboards "$tmp/made" || return
	for made in "$tmp"/made/*.json; do
		diff -u "contrib/grafana/$(basename "$made")" "$made" || return
	done
}

# Each panel has a unit, and a description.
say_what_they_show() {
	jq -r '.uid as $uid | .panels[] | select(.type != "row") |
		select(.fieldConfig.defaults.unit == null or .description == null) |
		"\($uid): \(.title)"' contrib/grafana/*.json | tee "$tmp/silent"
	[ ! -s "$tmp/silent" ]
}

names_are_exported() {
	jq -r '.panels[].targets[]?.expr' contrib/grafana/*.json | grep -oE '\bkvmwatch_[a-z_]+' |
		sed -E 's/^kvmwatch_//; s/_(total|bucket)$//; s/^v$//' | grep . | sort -u |
		while read -r name; do
			grep -q "\`$name\`" docs/exporter.md ||
				grep -q "record: vm:kvmwatch_$name:" contrib/prometheus/kvmwatch.rules.yml ||
				echo "$name"
		done | grep . && return 1
	return 0
}

make -s -C selftests unit >/dev/null || exit
make -s -C tools >/dev/null || exit
echo "1..4"
try "they are made by make-dashboards" are_made
try "each panel has a unit and a description" say_what_they_show
try "they are about numbers that there are" names_are_exported
if ! dir=$(selftests/vm/prometheus 2>"$tmp/log"); then
	echo "ok 4 Prometheus answers each query # SKIP prometheus cannot be had"
	exit
fi
try "Prometheus answers each query" python3 selftests/host/dashboards_test.py "$dir/prometheus" \
	build/selftests/unit/many_vms tools/kvmwatch-exporter
