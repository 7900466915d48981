#!/bin/bash
# The spec file for RPM packages: rpmspec and rpmlint accept it, its version and its dependencies
# are ours, and rpmbuild makes all packages from the last commit, with this machine's compiler and
# libraries.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
for program in rpmspec rpmbuild rpmlint; do
	command -v $program >/dev/null || {
		echo "1..0 # SKIP $program is not installed"
		exit 4
	}
done
spec=contrib/rpm/kvmwatch.spec
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
version=$(sed -n 's/^KVMWATCH_VERSION.*= *//p' Kbuild)
# Macros of distributions that package systemd and Python as RPMs.
macros=(--define "_topdir $tmp" --define "_unitdir /usr/lib/systemd/system"
	--define "_udevrulesdir /usr/lib/udev/rules.d" --define "_sysusersdir /usr/lib/sysusers.d"
	--define "_modulesloaddir /usr/lib/modules-load.d"
	--define "python3_sitelib /usr/lib/python3/site-packages")

# Do not compare packages that are built here with those of other distributions.
lints() {
	rpmlint -r contrib/rpm/rpmlintrc $spec >"$tmp/lint" 2>&1
	cat "$tmp/lint"
	grep -q ' 0 errors, 0 warnings' "$tmp/lint"
}

is_of_version() {
	rpmspec -P "${macros[@]}" $spec >"$tmp/expanded" || return
	[ "$(sed -n 's/^Version:[[:space:]]*//p' "$tmp/expanded")" = "$version" ] &&
		grep -q -- "- $version-1\$" $spec
}

# The packages that the tool's Makefile asks pkg-config for.
has_needs() {
	sed -n 's/^\(server_\)\?packages.*:= \(.*\)/\2/p' tools/Makefile | tr ' ' '\n' |
		while read -r name; do
			grep -q "^BuildRequires:.*pkgconfig($name)" $spec || echo "$name"
		done | grep . && return 1
	return 0
}

build() {
	mkdir -p "$tmp/SOURCES"
	git -c safe.directory="$top" archive --prefix="kvmwatch-$version/" \
		-o "$tmp/SOURCES/kvmwatch-$version.tar.gz" HEAD || return
	rpmbuild -bb --nodeps "${macros[@]}" $spec || return
	find "$tmp/RPMS" -name '*.rpm' >"$tmp/made"
	[ "$(wc -l <"$tmp/made")" = 6 ]
}

# Each file is in one of the packages. Debian and RPM have different directories for zsh and Python.
has_what_debian_has() {
	while read -r package; do
		rpm -qlp "$package"
	done <"$tmp/made" | sed 's|.*/||; s/\.gz$//' | sort -u >"$tmp/rpm"
	sed 's/ .*//' debian/*.install | sed 's|.*/||; s/\*.*//' | grep . | sort -u |
		while read -r name; do
			grep -qF "$name" "$tmp/rpm" || echo "$name"
		done | grep -v '^libkvmwatch\.a$' | grep . && return 1
	return 0
}

# Without scripts, as the root has no shell
installs() {
	mkdir -p "$tmp/tree"
	xargs rpm --root "$tmp/tree" --noscripts --nodeps -i <"$tmp/made" || return
	mapfile -t names < <(rpm --root "$tmp/tree" -qa)
	[ ${#names[@]} = 6 ] && rpm --root "$tmp/tree" --nodeps -V "${names[@]}" &&
		[ -x "$tmp/tree/usr/sbin/kvmwatch" ]
}

leaves_nothing() {
	rpm --root "$tmp/tree" --noscripts --nodeps -e "${names[@]}" || return
	! find "$tmp/tree" -name '*kvmwatch*' | grep .
}

echo "1..7"
try "rpmspec takes it, and it is of version $version" is_of_version
try "rpmlint takes it" lints
try "it asks for what the tool needs" has_needs
try "rpmbuild makes the packages" build
try "they have what Debian's have" has_what_debian_has
try "they go into an empty root, and are there as they were packed" installs
try "removed, they leave no file" leaves_nothing
