#!/bin/bash
# Debian's dkms adds, builds, installs and removes kvmwatch, all in directories of the test: this
# machine's /lib/modules, /usr/src and /var/lib/dkms stay as they are.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

need_kver
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/tree" "$tmp/src" "$tmp/modules/$kver" "$tmp/kvmwatch"

# Do not sign: dkms would leave a key in /var/lib/dkms.
export sign_file=/nonexistent

# Headers of another Debian ask for a compiler that is not installed.
headers=$("$here/kernel-headers")
MAKEFLAGS="CC=$(compiler_of "$headers")"
export MAKEFLAGS

run_dkms() {
	dkms "$@" --dkmstree "$tmp/tree" --sourcetree "$tmp/src" --installtree "$tmp/modules" \
		-k "$kver" --kernelsourcedir "$headers" </dev/null >"$tmp/log" 2>&1
}

seen() {
	cat "$tmp/log" "$tmp"/tree/kvmwatch/*/build/make.log 2>/dev/null
}

echo "1..6"
cd "$top" || exit
cp -r Kbuild Makefile dkms.conf module include "$tmp/kvmwatch"
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

run_dkms add "$tmp/kvmwatch"
case_is $? "dkms add"
run_dkms build kvmwatch/"$version"
case_is $? "dkms build"
run_dkms install --no-depmod kvmwatch/"$version"
case_is $? "dkms install"
ko=$(find "$tmp/modules" -name 'kvmwatch.ko*')
[ -n "$ko" ]
case_is $? "the module is installed below updates/dkms"
[ "$(modinfo -F version "$ko")" = "$version" ]
case_is $? "dkms.conf and the module agree on the version"
run_dkms remove kvmwatch/"$version" --no-depmod && [ -z "$(find "$tmp/modules" -name 'kvmwatch.ko*')" ]
case_is $? "dkms remove"
