# shellcheck shell=sh
# Functions for tests of the command line tool: claims, each a result for the runner. Sourced. The
# output of the last claim's command is in $said.

nr=0
said=/tmp/said
# How many times slower this kernel is.
times=${vm_slow:-1}
# Seconds after which a guest ends by itself. No test needs a guest for longer, even on a busy
# machine.
# shellcheck disable=SC2034
long=$((3600 * times))

# Print a result: ok STATUS WHAT
ok() {
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		echo "not ok $nr $2"
		[ ! -e $said ] || head -n 20 $said | sed 's/^/# /'
	fi
	rm -f $said
}

# May tests reload KVM? Are all VMs theirs? See machine.h.
is_ours() {
	[ "$MACHINE" = vm ] || [ "$MACHINE" = ours ]
}

is_quiet() {
	is_ours || [ "$MACHINE" = quiet ]
}

# Skip the whole test: skip_all WHY
skip_all() {
	echo "1..0 # SKIP $*"
	exit 4
}

# Skip a claim: skip WHY WHAT
skip() {
	nr=$((nr + 1))
	echo "ok $nr $2 # SKIP $1"
}

# Is this program installed?
has() {
	command -v "$1" >/dev/null
}

# Does a command succeed within ten minutes? What takes seconds takes minutes on a busy machine.
# (vm_tries: fewer tries, for a person who writes a test.)
eventually() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt $((${vm_tries:-3000} * times)) ] || return 1
		sleep 0.2
	done
}

# Start a command, whose pid is in $!, with its output in FILE. FILE never has the output of an
# earlier command, in which a test that waits for a word might find it: in_background FILE
# COMMAND...
in_background() {
	: >"$1"
	(
		said_in=$1
		shift
		exec "$@" >>"$said_in" 2>&1
	) &
}

# Start a guest that works until it is ended: start_demo LOG OPTION...
start_demo() {
	said_in=$1
	shift
	in_background "$said_in" guest_demo --seconds "$long" "$@"
}

# Make a claim, and run the command that shows it.
claim() {
	what=$1
	shift
	"$@" >$said 2>&1
	ok $? "$what"
}

# Claim the command's exit status, and a text in its output.
fails_with() {
	status=$1 text=$2
	shift 2
	"$@" >$said 2>&1
	[ $? = "$status" ] && grep -q "$text" $said
}

says() {
	text=$1
	shift
	"$@" >$said 2>&1 && grep -q -e "$text" $said
}

# awk over CSV, line 1 of which has the names of columns: @NAME is a field of a row.
# csv PROGRAM [VARIABLE=VALUE...] [FILE or -]
csv() {
	program=$(echo "$1" | sed 's/@\([a-z_][a-z0-9_]*\)/$at("\1")/g')
	shift
	awk -F, 'function at(name) { if (name in place) return place[name]
			print "no column " name; exit 2 }
		NR == 1 { for (i = 1; i <= NF; i++) place[$i] = i; next }
		'"$program" "$@"
}

# Claim that the output of a command is a text.
prints() {
	same "$1" "$(shift && "$@")"
}

same() {
	[ -n "$1" ] && [ "$1" = "$2" ] && return
	echo "'$1' is not '$2'"
	return 1
}
