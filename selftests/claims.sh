# shellcheck shell=sh
# What tests of the command line tool share: claims, each a result for the runner. Sourced.
# What the command of the last claim said is in $said.

nr=0
said=/tmp/said
# How many times as long all takes on this kernel
times=${vm_slow:-1}
# Seconds after which a guest ends that nobody has ended: no test needs one for longer, on a machine
# that is busy with other work either.
# shellcheck disable=SC2034
long=$((3600 * times))

# A result: ok STATUS WHAT
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

# What tests may do to the machine, see machine.h: may they reload KVM? Are all VMs theirs?
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

# Is a program there?
has() {
	command -v "$1" >/dev/null
}

# Does a command come true within ten minutes? What takes seconds takes minutes on a busy machine.
# (vm_tries: who writes a test does not wait for so long.)
eventually() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt $((${vm_tries:-3000} * times)) ] || return 1
		sleep 0.2
	done
}

# Start a command, whose pid is in $!. The file has what it says, and at no time what another command
# has said before, which a test that waits for a word would find: in_background FILE COMMAND...
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

# A claim, and the command that shows it.
claim() {
	what=$1
	shift
	"$@" >$said 2>&1
	ok $? "$what"
}

# The command's exit status, and a text in what it says.
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

# The output of a command is a text.
prints() {
	same "$1" "$(shift && "$@")"
}

same() {
	[ -n "$1" ] && [ "$1" = "$2" ] && return
	echo "'$1' is not '$2'"
	return 1
}
