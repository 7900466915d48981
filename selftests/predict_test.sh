#!/bin/sh
# kvmwatch predict and rank for idle guests: their output without a source of dirty rates, what a
# sample of the memory shows, and the order of guests. "make bench-predict" compares real
# migrations.
# shellcheck source=claims.sh
. "$(dirname "$0")/claims.sh"

# A number from the last line of JSON, by its key.
of() {
	sed -n "s/.*\"$1\":\"*\([^,\"]*\).*/\1/p" /tmp/predict.json | tail -n 1
}

# Run predict with JSON to /tmp/predict.json. Its exit status is to be STATUS: predict STATUS
# OPTION...
predict() {
	status=$1
	shift
	kvmwatch predict --json "$@" >/tmp/predict.json 2>/tmp/predict.err
	code=$?
	cat /tmp/predict.json /tmp/predict.err
	[ $code = "$status" ]
}

# Names and verdicts of the two guests, in the order of rank.
ranked() {
	kvmwatch rank --csv "$@" 2>/tmp/rank.err | csv '
		@pid == a || @pid == b { print (@pid == a ? "small" : "large") ":" @verdict }' \
		a="$small" b="$large" - | paste -sd ' '
}

claim "no VM is no error of rank" kvmwatch rank
start_demo /tmp/small.log --name small --pages-4k 400 --pages-2m 0 --dirty-rounds 0 --halts 1 --exits 1
small=$!
start_demo /tmp/large.log --name large --pages-4k 800 --pages-2m 0 --dirty-rounds 0 --halts 1 --exits 1
large=$!
claim "a guest is idle" eventually grep -q "round 1 done" /tmp/small.log
claim "and a larger one" eventually grep -q "round 1 done" /tmp/large.log

claim "which VM must be said" fails_with 1 "say which one" kvmwatch predict
claim "without a source the verdict is unknown" predict 4 -p "$small"
claim "and says so" same "$(of verdict)" unknown
claim "what is mapped is a bound" same "$(of data_bytes)" "$(of mapped_bytes)"
claim "QEMU's defaults are taken where nothing else is said" same "$(of bandwidth) $(of downtime_limit_ms)" \
	"134217728 300"
claim "a sample says that it converges" predict 0 -p "$small" --sample -b 100M -d 250
claim "with what was asked for" same "$(of bandwidth) $(of downtime_limit_ms)" "104857600 250"
claim "all of a small memory was looked at" same "$(($(of data_bytes) + $(of zero_bytes)))" \
	$((428 * 4096))
claim "it holds what the guest wrote" test "$(of data_bytes)" -ge $((400 * 4096))
claim "it changes no more" same "$(of dirtied_in_downtime) $(of source)" "0 contents"
claim "a VMM without a monitor is not measured" predict 4 -p "$small" --measure 1
claim "and it is said why" grep -q '"why":"it can.t be measured' /tmp/predict.json
claim "what it does to the VM is said before" grep -q "QEMU will log" /tmp/predict.err
claim "without a monitor nothing of a migration is known" predict 4 -p "$small" --live
claim "and that is said" grep -q '"why":"nobody tells what is left' /tmp/predict.json
claim "who looks on does not measure" fails_with 2 "give one of them" \
	kvmwatch predict -p "$small" --live --measure 1
claim "a table has the same words" fails_with 4 "nobody knows how fast" kvmwatch predict -p "$large" -b 1M -d 1
claim "rank has the smaller one first" same "$(ranked)" "small:unknown large:unknown"
claim "and samples both" same "$(ranked --sample --jobs 2)" "small:converges large:converges"
claim "or only the cheapest" same "$(ranked -p "$small" --sample --top 1)" "small:converges"
for wrong in "-b 0" "-b 1X" "-b -1" "-d 0" "-d 1.5" "-m 0" "-m 61" "-H 0" -q; do
	# shellcheck disable=SC2086
	claim "$wrong is wrong usage" fails_with 2 "" kvmwatch predict $wrong
done

in_background /tmp/sampling kvmwatch predict -p "$large" --sample
sampling=$!
sleep 1
kill -INT $sampling
wait $sampling
claim "SIGINT ends a sample" same $? 1
claim "and that is said" grep -q interrupted /tmp/sampling

kill "$small" "$large"
wait "$small" "$large" 2>/dev/null
claim "a VM that has ended is an error" fails_with 1 "VM" kvmwatch predict -p "$small"
echo "1..$nr"
