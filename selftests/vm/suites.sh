# shellcheck shell=sh
# Packages of Debian's suites, fetched without changes to this machine's apt: nothing is installed,
# and its sources stay as they are. They only tell which mirror is near. Sourced after lib.sh.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror for a suite: the one that apt here uses for its own suite of the same kind.
mirror() {
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	case $1 in
	*-security) codename=$codename-security ;;
	esac
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v c="$codename" '$1 == c { print $2; exit }'
}

# Run apt as if the machine had only this suite: apt_in SUITE apt-get|apt-cache...
apt_in() {
	state=$cache/apt/$1
	command=$2
	shift 2
	"$command" -qq -o Dir::State="$state" -o Dir::State::status="$state/status" \
		-o Dir::Cache="$state" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::SourceList="$state/sources.list" -o APT::Sandbox::User=root \
		-o APT::Update::Error-Mode=any -o Acquire::Check-Valid-Until=false "$@"
}

# Update the suite's lists, once a day.
refresh() {
	state=$cache/apt/$1
	mkdir -p "$state/lists/partial" "$state/archives/partial"
	[ -z "$(find "$state/asked" -mmin -1440 2>/dev/null)" ] || return 0
	uri=${DEBIAN_MIRROR:-$(mirror "$1")}
	if [ -z "$uri" ]; then
		say "no Debian mirror for $1 in this machine's apt sources;" \
			"DEBIAN_MIRROR=address tells one"
		return 1
	fi
	echo "deb [signed-by=$keyring] $uri $1 main" >"$state/sources.list"
	: >>"$state/status"
	say "asking for the packages of $1"
	if ! apt_in "$1" apt-get update >&2; then
		say "cannot get the list of packages of $1. When this mirror has dropped the" \
			"suite, DEBIAN_MIRROR=address takes it from another (an archive, say)"
		return 1
	fi
	touch "$state/asked"
}

# Only one process at a time updates and downloads.
lock_suites() {
	mkdir -p "$cache/apt"
	exec 9>"$cache/apt/lock"
	flock 9
}
