# shellcheck shell=sh
# Functions for the scripts on the host's side. Sourced; $0 is one of them.

top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/selftests/vm
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kvmwatch
: "${KERNEL:=6.1}"
# The kernel whose selftests' headers and checkpatch are used.
tests_source=linux-source-6.1

say() {
	echo "kvmwatch: $*" >&2
}

die() {
	say "$*"
	exit 1
}

# Print one result for tap: step NAME COMMAND... The command's output is shown only if it fails.
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

# A column of KERNEL's line in the file kernels, or in the cache's: see "given" in the former.
kernel_field() {
	for kernels in "$here/kernels" "$cache/kernels"; do
		[ ! -e "$kernels" ] || entries "$kernels"
	done | awk -v k="$KERNEL" -v n="$1" '$1 == k { print $n; found = 1; exit }
		END { exit !found }' || die "KERNEL=$KERNEL is not in selftests/vm/kernels"
}

# The configuration of a kernel that is built here, without comments: debug.config, changed by
# KERNEL.config if there is one. Some begin with intel.config, which is small, and those like clang
# with clang.config.
kernel_config() {
	{
		cat "$here/debug.config"
		case $KERNEL in
		builtin | clang*) cat "$here/intel.config" ;;
		esac
		case $KERNEL in
		clang-*) cat "$here/clang.config" ;;
		esac
		[ ! -e "$here/$KERNEL.config" ] || [ "$KERNEL" = debug ] || cat "$here/$KERNEL.config"
	} | grep -E '^(# )?CONFIG_'
}

# Where the newest source package of this name is in the cache, see kernel-source; empty: none.
source_dir() {
	find "$cache" -mindepth 1 -maxdepth 1 -name "$1-*" 2>/dev/null | sort -V | tail -n 1
}

# Its version.
source_version() {
	basename "$(source_dir "$1")" | sed "s/^$1-//"
}

# The name of a kernel that is built here, by its source and configuration.
kernel_hash() {
	{
		source_version "$(kernel_field 3)"
		kernel_config
	} | sha256sum | cut -c -8
}

# The newest build of KERNEL in the cache; empty: none.
kver() {
	pattern=$(kernel_field 2) || exit 1
	[ "$(kernel_field 4)" != built ] || pattern=".*-$KERNEL-$(kernel_hash)"
	find "$cache" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null |
		grep -xE "$pattern" | sort -V | tail -n 1
}

# Set $kver to it, and $image to the directory of its image; end the script if there is none.
need_kver() {
	kver=$(kver)
	[ -n "$kver" ] || die "kernel $KERNEL is not in the cache; 'make deps KERNEL=$KERNEL' gets it"
	# shellcheck disable=SC2034
	image=$cache/$kver
}

# The compiler that the headers in $1 ask for, if it is installed.
compiler_of() {
	wanted=$(sed -nE 's/.*\b(gcc-[0-9]+).*/\1/p' "$1/.kernelvariables" | head -n 1)
	command -v "$wanted" || echo gcc
}

# Make a directory in the cache, complete or not at all: unpack DIR COMMAND... runs COMMAND in a new
# directory, and renames that to DIR if COMMAND succeeded. set -e has no effect in COMMAND, so its
# exit status must tell.
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
	mv -T "$tmp" "$dir" 2>/dev/null || rm -rf "$tmp"	# another process was faster
}
