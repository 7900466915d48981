#!/bin/bash
# lib/python/kvmwatch.py: its structures and names are those of the header and the library, and it
# returns what a played device has.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

make -s -C lib OUT="$tmp" all >&2 || exit
ln -s libkvmwatch.so "$tmp/libkvmwatch.so.1"
cc -Wall -Wextra -Werror -shared -fPIC -Iinclude/uapi -o "$tmp/played.so" \
	selftests/host/played_device.c || exit

names=$(sed -n 's/^    def \(test_[a-z_]*\).*/\1/p' selftests/host/python_test.py)
echo "1..$(wc -w <<<"$names")"
for name in $names; do
	CORPUS=$top/selftests/fuzz/corpus PYTHONPATH=lib/python PYTHONDONTWRITEBYTECODE=1 \
		LD_LIBRARY_PATH=$tmp LD_PRELOAD=$tmp/played.so \
		python3 selftests/host/python_test.py "$top" "Module.$name" >"$tmp/log" 2>&1
	case_is $? "$name"
done
