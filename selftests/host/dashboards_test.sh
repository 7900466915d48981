#!/bin/bash
# The dashboards for Grafana (contrib/grafana) are what make-dashboards makes. A Prometheus with our
# rules, which scrapes played hosts, answers each of their queries. They compile as constants of
# Grafana's types, if npm has those.
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

# Its enumerations may be written as what JSON has for them.
types() {
	cat <<'END'
import type { Dashboard, Panel, RowPanel } from "@grafana/schema";
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T :
	T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
export type PlainDashboard = Plain<Omit<Dashboard, "panels">> & {
	panels: (Plain<Panel> | Plain<RowPanel>)[];
};
END
}

constant() {
	echo 'import type { PlainDashboard } from "./types";'
	echo "export const dashboard: PlainDashboard = $(cat);"
}

compiles() {
	node "$npm/node_modules/typescript/bin/tsc" --noEmit --strict --skipLibCheck \
		--moduleResolution bundler --module esnext --types "" "$@"
}

# A wrong name and a wrong value do not compile.
are_of_grafanas_types() {
	local made name

	mkdir "$tmp/ts"
	ln -s "$npm/node_modules" "$tmp/ts/node_modules"
	types >"$tmp/ts/types.ts"
	for made in contrib/grafana/*.json; do
		name=$(basename "$made" .json)
		constant <"$made" >"$tmp/ts/$name.ts"
	done
	compiles "$tmp"/ts/*.ts || return
	jq '.panels[1].fieldConfg = {}' contrib/grafana/vm.json | constant >"$tmp/ts/name.ts"
	jq '(.. | .mode? | select(. == "absolute")) = "wrong"' contrib/grafana/vm.json | constant \
		>"$tmp/ts/value.ts"
	! compiles "$tmp/ts/name.ts" && ! compiles "$tmp/ts/value.ts"
}

make -s -C selftests unit >/dev/null || exit
make -s -C tools >/dev/null || exit
echo "1..5"
try "they are made by make-dashboards" are_made
try "each panel has a unit and a description" say_what_they_show
try "they are about numbers that there are" names_are_exported
if npm=$(selftests/vm/npm grafana-1 @grafana/schema@13.2.3 typescript@7.0.2 2>"$tmp/log"); then
	try "they are of Grafana's types" are_of_grafanas_types
else
	number=$((number + 1))
	echo "ok $number they are of Grafana's types # SKIP npm cannot be asked"
fi
if ! dir=$(selftests/vm/prometheus 2>"$tmp/log"); then
	echo "ok 5 Prometheus answers each query # SKIP prometheus cannot be had"
	exit
fi
try "Prometheus answers each query" python3 selftests/host/dashboards_test.py "$dir/prometheus" \
	build/selftests/unit/many_vms tools/kvmwatch-exporter
