#!/bin/bash
# make install of tool and library, into a directory of the test: everything is where programs look
# for it, a program builds with pkg-config's flags, and the man pages are well-formed.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# pkg-config puts the root directory in front of all paths.
config() {
	PKG_CONFIG_SYSROOT_DIR=$tmp/root PKG_CONFIG_PATH=$tmp/root/opt/k/lib/pkgconfig \
		pkg-config "$@" libkvmwatch
}

build() {
	local flags

	read -ra flags <<<"$(config --cflags --libs "${@:3}")"
	"$1" -x "$2" -Wall -Wextra -Werror -o "$tmp/prog" "$tmp/prog.c" -x none "${flags[@]}"
}

runs() {
	LD_LIBRARY_PATH=$tmp/root/opt/k/lib "$tmp/prog"
}

only_ours() {
	! nm -D --defined-only "$tmp/root/opt/k/lib/libkvmwatch.so" | awk '{ print $3 }' |
		grep -vE '^(kvmwatch_|KVMWATCH_)'
}

# Each function that a header declares.
in_man_page() {
	local name

	for name in $(grep -ohE '\bkvmwatch_[a-z_]+\(' lib/libkvmwatch*.h | tr -d '(' | sort -u); do
		grep -qw "$name" lib/libkvmwatch.3 || { echo "$name"; return 1; }
	done
}

options_in_man_page() {
	local command option

	for command in $(tools/kvmwatch --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		grep -q "^.B $command\$" tools/kvmwatch.8 || { echo "$command"; return 1; }
		for option in $(tools/kvmwatch "$command" --help | grep -oE '^  -.*--[a-z]+' |
				grep -oE '[a-z]+$'); do
			grep -q -e "-$option" tools/kvmwatch.8 || { echo "$option"; return 1; }
		done
	done
}

parameters_in_man_page() {
	! grep -rhoE --include='*.c' '\bmodule_param(_[a-z]+)?\([a-z_]+' module | sed 's/.*(//' |
		while read -r name; do
			grep -qx ".B $name" tools/kvmwatch.4 || echo "$name"
		done | grep .
}

pages() {
	man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null | grep . && return 1
	return 0
}

plugin_is_found() {
	TRACEEVENT_PLUGIN_DIR=$(dirname "$(find "$tmp/root$(pkg-config --variable=libdir libtraceevent)" \
		-name plugin_kvmwatch.so)") trace-cmd list -P | grep "^ *$tmp/root.*/plugin_kvmwatch.so"
}

# In a mount namespace with its own /etc and /usr/local, follow the steps of libkvmwatch(3), without
# other help for the dynamic linker.
# shellcheck disable=SC2016 # that shell is to expand it
as_on_a_machine() {
	unshare -m --propagation private bash -ec '
		etc=$(mktemp -d "$0/etc.XXXXXX")
		cp -a /etc/. "$etc"
		mount --bind "$etc" /etc
		mount -t tmpfs none /usr/local
		mkdir -p /usr/local/lib
		"$@"' "$tmp" "$@"
}

# PREFIX does not change the plugin's place.
here() {
	make -s "$@" PLUGINDIR=/usr/local/lib/plugins
}

link_it() {
	local flags

	read -ra flags <<<"$(pkg-config --cflags --libs libkvmwatch)"
	cc -o "$tmp/here" "$tmp/prog.c" "${flags[@]}"
}

install_and_run() {
	here install-user
	link_it
	ldd "$tmp/here" | grep 'libkvmwatch.so.1 => /usr/local/lib/'
	"$tmp/here"
}

uninstall_leaves_nothing() {
	here install-user
	ldconfig -p | grep libkvmwatch
	here uninstall-user
	[ -z "$(find /usr/local ! -type d)" ]
	[ ! -e /usr/local/share/kvmwatch ]
	ldconfig -p >"$tmp/cache"
	[ "$(grep -c libkvmwatch "$tmp/cache")" = 0 ]
}

elsewhere() {
	here install-user PREFIX=/usr/local/else | grep 'echo /usr/local/else/lib >/etc/ld.so.conf.d/'
	mkdir -p /etc/ld.so.conf.d
	echo /usr/local/else/lib >/etc/ld.so.conf.d/kvmwatch.conf
	here install-user PREFIX=/usr/local/else >"$tmp/again"
	[ "$(grep -c ld.so.conf "$tmp/again")" = 0 ]
	PKG_CONFIG_PATH=/usr/local/else/lib/pkgconfig
	export PKG_CONFIG_PATH
	link_it
	"$tmp/here"
}

# Uninstalling removes everything that installing installed, the module too, but no files of others.
module_goes() {
	local modules=$tmp/all/lib/modules/$kver all=(-s KDIR="$headers" CC="$(compiler_of "$headers")" DESTDIR="$tmp/all" PREFIX=/usr)

	make "${all[@]}" install
	ls "$modules"/*/kvmwatch.ko*
	touch "$modules/extra/other.ko" || return
	make "${all[@]}" uninstall
	[ "$(find "$tmp/all" ! -type d)" = "$modules/extra/other.ko" ]
}
export tmp
export -f here link_it install_and_run uninstall_leaves_nothing elsewhere

cat >"$tmp/prog.c" <<'END'
#include <libkvmwatch.h>
#include <libkvmwatch_predict.h>
#include <stdio.h>

int main(void)
{
	struct kvmwatch_prediction prediction = { };
	struct kvmwatch_predict_input input = { };
	struct kvmwatch_info info;

	if (kvmwatch_predict(&input, &prediction) != -22)
		return 1;
	return kvmwatch_device_open("/nonexistent", &info) != -2;
}
END

echo "1..21"
try "make install" make -s install-user PREFIX=/opt/k DESTDIR="$tmp/root"
try "the program is there" test -x "$tmp/root/opt/k/sbin/kvmwatch"
try "trace-cmd finds its plugin" plugin_is_found
try "a C program builds with the shared library" build gcc c
try "and runs" runs
try "a C++ program builds" build g++ c++
rm -f "$tmp"/root/opt/k/lib/*.so*
try "a C program builds with the static library" build gcc c --static
try "and runs" "$tmp/prog"
make -s -C lib install PREFIX=/opt/k DESTDIR="$tmp/root" OUT="$top/build/lib" >/dev/null
try "the shared library exports what the header has, only" only_ours
try "the library's man page has all functions" in_man_page
try "the tool's man page has all commands and options" options_in_man_page
try "it says which commands have an option, and pages --help has all causes" \
	selftests/vm/words options
try "documents show commands, options and make targets that exist" selftests/vm/words commands
try "the schema has the columns of each command, and one type for each name" \
	selftests/vm/words columns
try "the tool's man page is well formed" pages tools/kvmwatch.8
try "the library's man page is well formed" pages lib/libkvmwatch.3
try "the device's man page is well formed" pages tools/kvmwatch.4
try "it has all parameters of the module" parameters_in_man_page
try "after make install a program starts" as_on_a_machine install_and_run
try "after make uninstall nothing is left" as_on_a_machine uninstall_leaves_nothing
try "where the linker does not look, install says what to do" as_on_a_machine elsewhere
need_kver
headers=$(selftests/vm/kernel-headers)
try "make uninstall removes the module, and no other one" module_goes
