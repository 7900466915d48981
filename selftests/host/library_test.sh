#!/bin/bash
# A program, libkvmwatch.so and a module of different versions: the cells of the tables in
# docs/abi.md. The newer library is ours, built with a header whose structures have more members at
# their end. The old program is built with our header; its structures lie on its stack between
# guards. The new program is built with the longer header, and its module is of today. The device
# is played.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

newer_library() {
	local struct

	mkdir -p "$tmp/new/include"
	cp -r lib "$tmp/new/"
	cp -r include/uapi "$tmp/new/include/"
	cp Kbuild "$tmp/new/"
	for struct in info list vm vcpu slot hook stat bucket open open_all audit map all_header all_item \
		heat_header heat_slot heat_page; do
		sed -i "/^struct kvmwatch_$struct {/,/^};/s/^};/\t__u64 more[16];\n};/" \
			"$tmp/new/include/uapi/linux/kvmwatch.h"
	done
	[ "$(grep -c 'more\[16\]' "$tmp/new/include/uapi/linux/kvmwatch.h")" = 17 ] || return
	# Structures that the library allocates, with more members at their end.
	for struct in stats all heat; do
		sed -i "/^struct kvmwatch_$struct {/,/^};/s/^};/\t__u64 more[16];\n};/" \
			"$tmp/new/lib/libkvmwatch.h"
	done
	[ "$(grep -c 'more\[16\]' "$tmp/new/lib/libkvmwatch.h")" = 3 ] || return
	for struct in predict_input prediction textbook; do
		sed -i "/^struct kvmwatch_$struct {/,/^};/s/^};/\t__u64 more[16];\n};/" \
			"$tmp/new/lib/libkvmwatch_predict.h"
	done
	[ "$(grep -c 'more\[16\]' "$tmp/new/lib/libkvmwatch_predict.h")" = 3 ] || return
	make -s -C "$tmp/new/lib" OUT="$tmp/newer" CFLAGS="-O1 -g $1" all
	ln -sf libkvmwatch.so "$tmp/newer/libkvmwatch.so.1"
}

our_library() {
	make -s -C lib OUT="$tmp/ours" CFLAGS="-O1 -g" all
	ln -sf libkvmwatch.so "$tmp/ours/libkvmwatch.so.1"
}

program() {
	cc -O2 -Wall -Wextra -Werror -fstack-protector-all -Ilib -Iinclude/uapi -o "$tmp/prog" \
		selftests/host/old_program.c -L"$tmp/ours" -lkvmwatch
}

new_program() {
	cc -O2 -Wall -Wextra -Werror -I"$tmp/new/lib" -I"$tmp/new/include/uapi" -o "$tmp/new_prog" \
		selftests/host/new_program.c -L"$tmp/newer" -lkvmwatch
	cc -Wall -Wextra -Werror -shared -fPIC -Iinclude/uapi -o "$tmp/played.so" \
		selftests/host/played_device.c
}

threads() {
	cc -O1 -g -Wall -Wextra -Werror -fsanitize=thread -Ilib -Iinclude/uapi -o "$tmp/threads" \
		selftests/host/threads.c -L"$tmp/tsan" -lkvmwatch -pthread
}

with_tsan() {
	make -s -C lib OUT="$tmp/tsan" CFLAGS="-O1 -g -fsanitize=thread" all
	ln -sf libkvmwatch.so "$tmp/tsan/libkvmwatch.so.1"
}

# Debian 12's sanitizer does not know the newest kernels' layout of addresses.
run_threads() {
	LD_LIBRARY_PATH=$tmp/tsan TSAN_OPTIONS="halt_on_error=1 exitcode=66" \
		setarch -R "$tmp/threads" "$@"
}

echo "1..12"
try "the library builds" our_library
try "a newer one builds, whose structures are longer" newer_library ""
try "a program builds" program
try "it runs with the library that it was built with" env LD_LIBRARY_PATH="$tmp/ours" "$tmp/prog"
try "it runs with the newer one, and its stack stays whole" \
	env LD_LIBRARY_PATH="$tmp/newer" "$tmp/prog"
try "a newer program and a device of today build" new_program
try "the newer program runs, and what the device does not know is 0" \
	env LD_LIBRARY_PATH="$tmp/newer" LD_PRELOAD="$tmp/played.so" CORPUS=selftests/fuzz/corpus \
	"$tmp/new_prog"
try "the newer program runs with the library of today" \
	env LD_LIBRARY_PATH="$tmp/ours" LD_PRELOAD="$tmp/played.so" CORPUS=selftests/fuzz/corpus \
	"$tmp/new_prog" forecasts
try "the library builds for the thread sanitizer" with_tsan
try "a program with threads builds" threads
try "threads use it by the rules without a race" run_threads
# The sanitizer reports a program that breaks the rules.
try "and a race is seen where they do not" test "$(run_threads race >/dev/null 2>&1; echo $?)" = 66
