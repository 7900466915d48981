#!/bin/bash
# Fuzz libkvmwatch with libFuzzer and sanitizers, beginning with data of real kernels (fuzz/corpus).
# This is a short run of at most half a minute; FUZZ_RUNS=1000000 makes a long one.
. "$(dirname "$0")/../vm/lib.sh"

cd "$top" || exit
out=build/fuzz
runs=${FUZZ_RUNS:-20000}
seconds=30
[ -z "${FUZZ_RUNS-}" ] || seconds=0	# without a time limit
mkdir -p "$out/new"
echo "1..2"
if ! clang -O1 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined -Ilib -Iinclude/uapi -o "$out/library_fuzz" \
	selftests/fuzz/library_fuzz.c lib/*.c >"$out/log" 2>&1; then
	echo "not ok 1 the fuzzer builds"
	sed 's/^/# /' "$out/log"
	exit
fi
echo "ok 1 the fuzzer builds"
if "$out/library_fuzz" -seed=20261121 -runs="$runs" -max_len=32768 -timeout=60 \
	-max_total_time=$seconds -rss_limit_mb=2048 -artifact_prefix="$out/" \
	"$out/new" selftests/fuzz/corpus >"$out/log" 2>&1; then
	echo "ok 2 whatever a file descriptor says, it is read or refused"
	tail -n 1 "$out/log" | sed 's/^/# /'
else
	echo "not ok 2 whatever a file descriptor says, it is read or refused"
	tail -n 60 "$out/log" | sed 's/^/# /'
fi
