#!/bin/bash
# The module is built with the kernel's compiler: make and dkms pass LLVM=-VERSION, or LLVM=1 if no
# clang has that name, if the kernel of the headers was built by clang, and otherwise do not.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Headers with what our Makefile reads, and a Makefile that prints its arguments.
headers() {
	mkdir -p "$tmp/$1/include/generated" "$tmp/$1/include/config"
	echo "#define UTS_RELEASE \"9.9.9-$1\"" >"$tmp/$1/include/generated/utsrelease.h"
	printf 'CONFIG_CC_IS_%s=y\nCONFIG_CLANG_VERSION=%s\n' "$2" "$3" \
		>"$tmp/$1/include/config/auto.conf"
	# shellcheck disable=SC2016 # for make
	printf '%%:\n\techo told $@ LLVM=$(LLVM)\n' >"$tmp/$1/Makefile"
}

# make -n also runs what is called by $(MAKE), with -n.
told_by_make() {
	make -n --no-print-directory -C "$top" KDIR="$tmp/$1" "$2" >"$tmp/log" 2>&1
	grep -qE "^echo told $3 LLVM=$4\$" "$tmp/log"
}

# dkms reads its file with these set, and evaluates the command.
told_by_dkms() {
	(
		# shellcheck disable=SC2034
		kernel_source_dir=$tmp/$1 dkms_tree=$tmp/dkms
		# shellcheck source=../../dkms.conf
		. "$top/dkms.conf"
		# shellcheck disable=SC2154
		eval "${MAKE[0]}"
	) >"$tmp/log" 2>&1
	grep -qE "^told modules LLVM=$2\$" "$tmp/log"
}

# A clang whose name has its version, which no distribution has.
mkdir "$tmp/bin"
printf '#!/bin/sh\n' >"$tmp/bin/clang-97"
chmod +x "$tmp/bin/clang-97"
PATH=$PATH:$tmp/bin

headers by-clang CLANG 970102
headers by-other CLANG 980102
headers by-gcc GCC 0
echo "1..8"
told_by_make by-clang module modules -97
case_is $? "make builds with that clang for a kernel that clang built"
told_by_make by-other module modules 1
case_is $? "make builds with the usual clang if that one is not there"
told_by_make by-gcc module modules ""
case_is $? "make builds with gcc for a kernel that gcc built"
told_by_make by-clang install modules_install -97
case_is $? "make install passes it, too"
told_by_dkms by-clang -97
case_is $? "dkms builds with that clang for a kernel that clang built"
told_by_dkms by-other 1
case_is $? "dkms builds with the usual clang if that one is not there"
told_by_dkms by-gcc ""
case_is $? "dkms builds with gcc for a kernel that gcc built"
[ ! -e "$top/build/9.9.9-by-clang" ]
case_is $? "asking what would be done makes nothing"
