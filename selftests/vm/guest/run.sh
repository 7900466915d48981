# shellcheck shell=sh
# Run a test under a freshly loaded kvmwatch, in the test VM and on a real machine
# (../../run_tests). The output has frames for tap. A complaint in the kernel's log is a failure of
# the test that was running. Sourced.
#	MACHINE, OTHER_VMS, KVMWATCH_KO	see machine.h
#	vm_kernel	name of the kernel, for results
#	vm_short	tests that repeat something many times do it less often
#	vm_limit	seconds that one test may take
#	vm_slow		how many times as long all takes on this kernel
#	apart		a command that a test runs under
# /tmp belongs to the tests.

: "${KVMWATCH_KO:=/kvmwatch.ko}"
export KVMWATCH_KO MACHINE OTHER_VMS
# For tests that load kvmwatch again: the parameters with which it was loaded.
export MODARGS

# Seconds that one test may take, by a clock that runs on while a busy machine leaves us no time.
limit=3600
[ -z "${vm_short-}" ] || limit=1800
limit=$((${vm_limit:-$limit} * ${vm_slow:-1}))
# Only the test's processes have this in their environment.
mark=KVMWATCH_TEST=$$-$(date +%s)

uptime_s() {
	cut -d . -f 1 /proc/uptime
}

# kvmwatch is ours to unload after this has loaded it.
load() {
	MODARGS="$*"
	insmod "$KVMWATCH_KO" "$@" && loaded=yes
}

# shellcheck disable=SC2034 # for run_tests
unload() {
	[ ! -d /sys/module/kvmwatch ] || rmmod kvmwatch && loaded=
}

# --- the kernel's log --------------------------------------------------------------

# Ignore complaints up to now. The log itself stays as it is: /tmp/dmesg.seen has its last line,
# which has the time to the microsecond. (With printk.time=0, equal lines cannot be told apart.)
forget_splats() {
	dmesg | tail -n 1 | grep . >/tmp/dmesg.seen || echo nothing >/tmp/dmesg.seen
}

# Print each complaint of the kernel once. /tmp/dmesg gets all lines since the last call. Modules
# that the distribution did not sign fail their "module verification", which is no complaint. Only
# KCSAN reports that involve kvmwatch's code count.
splats() {
	dmesg >/tmp/dmesg.all
	awk 'NR == FNR { seen = $0; next } { said[++n] = $0 } $0 == seen { n = 0 }
		END { for (i = 1; i <= n; i++) print said[i] }' \
		/tmp/dmesg.seen /tmp/dmesg.all >/tmp/dmesg
	tail -n 1 /tmp/dmesg.all | grep . >/tmp/dmesg.seen || echo nothing >/tmp/dmesg.seen
	awk '!/module verification failed/ && (!/KCSAN:/ || /\[(kvmwatch|planted)\]/)' /tmp/dmesg |
		grep -E \
			-e 'WARNING:|BUG:|Oops|KASAN|KCSAN|UBSAN|INFO: (task|rcu|trying|possible|inconsistent)' \
			-e 'CFI failure' \
			-e 'general protection|refcount_t:|detected stall|blocked for more than' \
			-e 'debugfs: .*already (present|exists)' \
			-e 'lock held when|possible recursive locking|suspicious RCU|kvmwatch:.*fail'
}

report_splats() {
	first=$(splats | head -n 1)
	[ -n "$first" ] || return
	echo "not ok $1: kernel: $first"
	awk -v first="$first" '$0 == first { told = NR } told && NR < told + 100' /tmp/dmesg |
		sed 's/^/# kernel: /'
}

# --- a test ------------------------------------------------------------------------

# Kill the processes that tests have left running, and no others.
end_leftovers() {
	tries=0
	# (grep fails if a process ends meanwhile, even if it has found others.)
	while left=$(grep -ls "$mark" /proc/[0-9]*/environ || :) && [ -n "$left" ] &&
		[ $tries -lt 50 ]; do
		for environ in $left; do
			environ=${environ%/environ}
			kill -9 "${environ#/proc/}" 2>/dev/null
		done
		tries=$((tries + 1))
		sleep 0.1
	done
}

# Huge pages need contiguous memory, which earlier tests may have used.
tidy_memory() {
	case ${MACHINE-} in
	vm|ours)
		echo 3 >/proc/sys/vm/drop_caches
		echo 1 >/proc/sys/vm/compact_memory ;;
	esac
}

# Run a test in the background, so that the caller's shell handles signals at once: run TEST VIA
run() {
	name="$1[${vm_kernel-} $2]"
	start=$(uptime_s)
	tidy_memory
	if ! load "via=$2"; then
		echo "not ok $name: insmod kvmwatch.ko failed"
		report_splats "$name"
		return
	fi
	echo "# == test $name"
	case $1 in
	*.sh)	program="sh ./$1" ;;
	*)	program=./$1 ;;
	esac
	# shellcheck disable=SC2086
	env "$mark" ${apart-} timeout -k 5 "$limit" $program 9>&- &
	wait $!
	status=$?
	echo "# == end $status"
	echo "# $name took $(($(uptime_s) - start)) s"
	# Processes of a test that was stopped must not disturb the next test.
	[ "$status" -lt 124 ] || end_leftovers
	unload || echo "not ok $name: rmmod kvmwatch failed"
	report_splats "$name"
}
