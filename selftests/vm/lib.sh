# shellcheck shell=sh
# What the host-side scripts here share. Sourced; $0 is one of them.

top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/selftests/vm
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kvmwatch
: "${KERNEL:=6.1}"
# The kernel whose selftests' headers and checkpatch are used
tests_source=linux-source-6.1

say() {
	echo "kvmwatch: $*" >&2
}

die() {
	say "$*"
	exit 1
}

# One result for tap: step NAME COMMAND... What the command says matters only when it fails.
step() {
	echo "# == step $1"
	shift
	step_log=$(mktemp)
	step_status=0
	"$@" >"$step_log" 2>&1 </dev/null || step_status=$?
	[ "$step_status" = 0 ] || tail -n 60 "$step_log" | sed 's/^/# /'
	rm "$step_log"
	echo "# == end $step_status"
}

# A list file without its comments.
entries() {
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"
}

# A column of KERNEL's line in the file kernels.
kernel_field() {
	entries "$here/kernels" | awk -v k="$KERNEL" -v n="$1" '$1 == k { print $n; found = 1 }
		END { exit !found }' || die "KERNEL=$KERNEL is not in selftests/vm/kernels"
}

# The configuration of a kernel that is built here: debug.config, and what KERNEL.config has
# other than that, if there is one. builtin starts from intel.config, the small one.
kernel_config() {
	cat "$here/debug.config"
	[ "$KERNEL" != builtin ] || cat "$here/intel.config"
	[ ! -e "$here/$KERNEL.config" ] || [ "$KERNEL" = debug ] || cat "$here/$KERNEL.config"
}

# Where the newest source package of that name is in the cache, see kernel-source. Empty: none.
source_dir() {
	find "$cache" -mindepth 1 -maxdepth 1 -name "$1-*" 2>/dev/null | sort -V | tail -n 1
}

# Its version
source_version() {
	basename "$(source_dir "$1")" | sed "s/^$1-//"
}

# A kernel that is built here, by what it is made of
kernel_hash() {
	{
		source_version "$(kernel_field 3)"
		kernel_config
	} | sha256sum | cut -c -8
}

# The newest build of KERNEL in the cache. Empty: none.
kver() {
	pattern=$(kernel_field 2) || exit 1
	[ "$(kernel_field 4)" != built ] || pattern=".*-$KERNEL-$(kernel_hash)"
	find "$cache" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null |
		grep -xE "$pattern" | sort -V | tail -n 1
}

# The same, and where its image is, for those who cannot go on without.
need_kver() {
	kver=$(kver)
	[ -n "$kver" ] || die "kernel $KERNEL is not in the cache; 'make deps KERNEL=$KERNEL' gets it"
	# shellcheck disable=SC2034
	image=$cache/$kver
}

# The compiler that the headers in $1 ask for, when it is here.
compiler_of() {
	wanted=$(sed -nE 's/.*\b(gcc-[0-9]+).*/\1/p' "$1/.kernelvariables" | head -n 1)
	command -v "$wanted" || echo gcc
}

# Make a directory in the cache, whole or not at all: unpack DIR COMMAND...
# runs COMMAND in a new directory and calls it DIR when that went well. set -e does
# not reach into COMMAND; its exit status must tell.
unpack() {
	dir=$1
	shift
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/unpack.XXXXXX")
	if ! (cd "$tmp" && "$@" >&2); then
		rm -rf "$tmp"
		die "cannot make $dir"
	fi
	chmod 755 "$tmp"
	mv -T "$tmp" "$dir" 2>/dev/null || rm -rf "$tmp"	# somebody was faster
}
