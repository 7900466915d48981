# shellcheck shell=sh
# What the host-side scripts here share. Sourced; $0 is one of them.

top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/selftests/vm
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kvmwatch
: "${KERNEL:=6.1}"

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
# other than that, if there is one.
kernel_config() {
	cat "$here/debug.config"
	[ ! -e "$here/$KERNEL.config" ] || [ "$KERNEL" = debug ] || cat "$here/$KERNEL.config"
}

# Of what it is made.
kernel_hash() {
	{
		dpkg-query -W -f '${Version}\n' "$(kernel_field 3)"
		kernel_config
	} | sha256sum | cut -c -8
}

# The build of KERNEL in the test VM: the newest whose headers are here, because what the
# module is built against must be what boots. Empty: none.
kver() {
	pattern=$(kernel_field 2) || exit 1
	case $(kernel_field 4) in
	installed)
		dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'linux-headers-*' 2>/dev/null |
			sed -nE "s/^installed linux-headers-($pattern)\$/\1/p" ;;
	built)
		find "$cache" -mindepth 1 -maxdepth 1 -name "*-$KERNEL-$(kernel_hash)" \
			-printf '%f\n' 2>/dev/null | grep -xE "$pattern" || : ;;
	*)
		find "$cache" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null |
			grep -xE "$pattern" || : ;;
	esac | sort -V | tail -n 1
}

# The same, for those who cannot go on without.
need_kver() {
	kver=$(kver)
	[ -n "$kver" ] || die "no headers of kernel $KERNEL here; 'make deps' installs them"
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
