#!/bin/sh
# Print the argument for kbuild that makes it use clang, if clang built the kernel of these headers:
# llvm.sh HEADERS. That is the clang of the kernel's version if it is installed under such a name
# (clang-19); another may not know the kernel's options. dkms.conf has the same for dkms.
conf=$1/include/config/auto.conf
grep -qs '^CONFIG_CC_IS_CLANG=y' "$conf" || exit 0
version=$(sed -nE 's/^CONFIG_CLANG_VERSION=([0-9]+)[0-9]{4}$/\1/p' "$conf")
if command -v "clang-$version" >/dev/null; then
	echo "LLVM=-$version"
else
	echo LLVM=1
fi
