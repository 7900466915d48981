#!/bin/bash
# Forecasts of real QEMUs' migrations that "make bench-predict" recorded stay as near as
# docs/predict.md says. selftests/predict/recorded.json has the measurements before each migration,
# and its outcome; report.py makes it from build/predict-KERNEL.json.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

tmp=$(mktemp -d)
trap 'rm -r "$tmp"' EXIT

cd "${top:?}" || exit
make --no-print-directory -s -C selftests ../build/selftests/predict/replay >"$tmp/log" 2>&1 || {
	case_is 1 "what forecasts them is built"
	exit
}
build/selftests/predict/replay <selftests/predict/recorded.json >"$tmp/forecasts"
selftests/predict/report.py check selftests/predict/recorded.json "$tmp/forecasts" |
	sed 's/^|/# |/; s/^$/#/'
