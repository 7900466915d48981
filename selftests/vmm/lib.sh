# shellcheck shell=sh
# Functions for tests with real VMMs, to be sourced. They start QEMU with a Linux guest, talk with
# both, and compare kvmwatch's numbers with KVM's.
# /tmp/vmm/NAME has the files of a VM: pid; qmp.in, qmp.log: QEMU's monitor; serial.in, serial.log:
# the guest's serial line; err: QEMU's errors.

# shellcheck source=../claims.sh
. ./claims.sh
vmm=/tmp/vmm
mkdir -p $vmm

# The files that a Linux guest boots from, and an empty disk
make_guest() {
	kernel=$(find /boot -name 'vmlinuz-*-cloud-amd64')
	initrd=$vmm/initrd
	version=${kernel#/boot/vmlinuz-}
	modules=$vmm/tree/lib/modules/$version
	(
		mkdir -p $vmm/tree/bin $vmm/tree/dev $vmm/tree/proc $vmm/tree/sys $vmm/tree/tmp \
			"$modules"
		cp /bin/busybox $vmm/tree/bin/
		install -m 755 guest $vmm/tree/init
		cp "/lib/modules/$version"/kernel/drivers/virtio/*.ko* "$modules"
		for file in "$modules"/*.xz; do
			[ ! -e "$file" ] || xz -d "$file"
		done
		depmod -b $vmm/tree "$version"
		cd $vmm/tree && find . | busybox cpio -o -H newc >$initrd
	) 2>/dev/null
}

# Make a pair of pipes for QEMU: /tmp/vmm/NAME/WHAT.in is its input, its output goes to WHAT.log.
# WHAT.reader is the pid of who reads that, until QEMU has ended.
make_pipe() {
	mkfifo "$1.in" "$1.out"
	cat "$1.out" >"$1.log" &
	echo $! >"$1.reader"
}

# Write a line to a pipe. Do not wait, as QEMU may have ended: send LINE PIPE
send() {
	echo "$1" | dd of="$2.in" oflag=nonblock conv=notrunc status=none
}

pid_of() {
	cat "$vmm/$1/pid"
}

# Does the process run? A process that ended is a zombie until its parent waits for it.
runs() {
	grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null
}

# Has QEMU opened its pipes, or ended?
greeted_or_gone() {
	send '{"execute":"qmp_capabilities"}' "$dir/qmp" || ! runs "$(pid_of "$name")"
}

# Start QEMU: qemu NAME OPTION...
# Without an HPET, as libvirt starts it for Linux. Variables: machine (further machine options),
# preload (a library), within (a command that starts QEMU).
qemu() {
	name=$1
	shift
	dir=$vmm/$name
	rm -rf "$dir"
	mkdir "$dir"
	make_pipe "$dir/qmp"
	make_pipe "$dir/serial"
	LD_PRELOAD=${preload-} ${within-} qemu-system-x86_64 -machine "pc,hpet=off${machine-}" \
		-name "guest=${shown_name:-$name},debug-threads=on" -cpu host -smp "$cpus" \
		-nodefaults -display none -no-reboot -chardev "pipe,id=qmp,path=$dir/qmp" -mon qmp,mode=control \
		-chardev "pipe,id=serial,path=$dir/serial" -serial chardev:serial "$@" \
		</dev/null >"$dir/err" 2>&1 &
	echo $! >"$dir/pid"
	eventually greeted_or_gone
}
cpus=2

# Start QEMU with a Linux guest: linux NAME OPTION...
# Tell its kernel the TSC's frequency, as measuring it takes long in an emulator.
linux() {
	name=$1
	shift
	qemu "$name" -accel "kvm${accel-}" -m "${memory:-192}" -kernel "$kernel" -initrd "$initrd" \
		-append "console=ttyS0 quiet tsc=reliable no_timer_check panic=-1 mitigations=off" "$@"
}

# What a QEMU that stands still said last, and where each of its threads is
where_it_is() {
	tail -n 5 "$vmm/$1/err" "$vmm/$1/qmp.log"
	for task in "/proc/$(pid_of "$1")/task"/*; do
		[ ! -e "$task" ] || echo "$(cat "$task/comm"): $(sed -n 's/^State:[[:space:]]*//p' "$task/status")," \
			"$(awk '{ print $14 + $15 }' "$task/stat") ticks;" \
			"$(sed 's/^.*\] //; s/+.*//' "$task/stack" | paste -sd ' ')"
	done
}

# QEMU has answered a command, or has ended: answered_or_gone NAME ID
answered() {
	grep -qE "\"id\": ?$2[,}]" "$vmm/$1/qmp.log"
}

answered_or_gone() {
	answered "$@" || ! runs "$(cat "$vmm/$1/qmp.reader")"
}

# Send a command to QEMU, and print its answer: qmp NAME COMMAND [ARGUMENTS], both in JSON
qmp() {
	dir=$vmm/$1
	id=$(($(cat "$dir/id" 2>/dev/null || echo 0) + 1))
	echo $id >"$dir/id"
	send "{\"execute\":\"$2\",\"arguments\":${3:-{\}},\"id\":$id}" "$dir/qmp"
	eventually answered_or_gone "$1" "$id"
	answered "$1" "$id" || {
		echo "QEMU does not answer $2"
		where_it_is "$1"
		return 1
	}
	grep -E "\"id\": ?${id}[,}]" "$dir/qmp.log" | jq -ce 'if .error then .error.desc | halt_error else .return end'
}

# Is this the status of the migration? has_status NAME STATUS
status_of() {
	qmp "$1" query-migrate | jq -r .status
}

has_status() {
	[ "$(status_of "$1")" = "$2" ]
}

# Send a command to QEMU's human monitor.
hmp() {
	qmp "$1" human-monitor-command "{\"command-line\":\"$2\"}" | jq -r .
}

# Print the number of commands that the guest has finished; its start counts as one.
done_by() {
	grep -c '^END ' "$vmm/$1/serial.log"
}

is_done() {
	[ "$(done_by "$1")" -gt "$2" ]
}

# Has the guest started, or QEMU ended?
started_or_gone() {
	is_done "$1" 0 || ! runs "$(pid_of "$1")"
}

# Start QEMU with a Linux guest, and wait until the guest has started: starts NAME OPTION...
starts() {
	linux "$@"
	eventually started_or_gone "$1"
	is_done "$1" 0 && return
	tail -n 15 "$vmm/$1/serial.log" "$vmm/$1/err"
	hmp "$1" "info registers -a" | grep -E 'CPU#|HLT='
	return 1
}

# Send a command to the guest, without waiting for its end: begin NAME COMMAND
begin() {
	before=$(done_by "$1")
	send "$2" "$vmm/$1/serial"
}

# Run a command in the guest, and print its output: in_guest NAME COMMAND
in_guest() {
	begin "$1" "$2"
	eventually is_done "$1" "$before" || return
	tr -d '\r' <"$vmm/$1/serial.log" | awk -v n="$before" '
		/^END / { if (seen++ == n) exit $2; next } seen == n'
}

# Print kvmwatch's JSON of a VM: stat NAME
stat() {
	kvmwatch stat --json -p "$(pid_of "$1")"
}

# Print a statistic of a VM, as kvmwatch has it; one of vCPUs is their sum: ours NAME STATISTIC
ours() {
	stat "$1" | jq --arg s "$2" \
		'if .stats | has($s) then .stats[$s] else [.vcpus[].stats[$s] | if type == "array" then add else . end] | add end'
}

# Print the number of exits to the VMM by IO instructions (KVM_EXIT_IO).
io_to_vmm() {
	stat "$1" | jq '[.vcpus[].stats.user_exit_reasons[2]] | add'
}

# Does kvmwatch list this number of VMs by a name? are_listed NUMBER NAME
are_listed() {
	kvmwatch list --json | jq -se --argjson n "$1" --arg name "$2" \
		'[.[] | select(.guest == $name)] | length == $n' >/dev/null
}

nobody_listed() {
	[ -z "$(kvmwatch list --json)" ]
}

# Print KVM's own count of a VM, from its debugfs file: kvm NAME FILE
kvm() {
	cat "/sys/kernel/debug/kvm/$(pid_of "$1")"-*/"$2"
}

gone() {
	! kill -0 "$(pid_of "$1")" 2>/dev/null && [ -z "$(find /sys/kernel/debug/kvm -name "$(pid_of "$1")-*")" ]
}

# Print new lines of the kernel's log. Leave out what KVM says of the emulated CPU, interrupts that
# took long as the machine is busy, and that somebody read /proc/cgroups, as libvirt does. Keep the
# lines for the runner, which looks for reports.
quiet_kernel() {
	dmesg >/tmp/vmm.dmesg
	sed "1,${told:-0}d" /tmp/vmm.dmesg | grep -vE "$expected"
	told=$(wc -l </tmp/vmm.dmesg)
	! sed "1,${quiet_from:-0}d" /tmp/vmm.dmesg | grep -qvE "$expected"
}
expected='kvm \[[0-9]+\]: |hrtimer: interrupt took|kvmwatch: |kvm_amd: |SVM: '
expected="$expected|module verification failed|/proc/cgroups lists only v1 controllers"

forget_kernel() {
	quiet_from=$(dmesg | wc -l)
	told=$quiet_from
}

audits_agree() {
	kvmwatch audit --json -p "$(pid_of "$1")" | tee /tmp/vmm.audit
	jq -se 'length > 0 and all(.result == "agrees" and .failures == 0)' /tmp/vmm.audit >/dev/null
}

# Print KVM's counts of a VM, a line each: WHAT NUMBER. Linux 5.10 has no count of pages, and another
# name for the last one.
kvm_counts() {
	for pair in mapped_4k:pages_4k mapped_2m:pages_2m mapped_1g:pages_1g exits:exits \
		hlt:halt_exits io:io_exits irq:irq_exits window:irq_window_exits window:irq_window; do
		! number=$(kvm "$1" "${pair#*:}" 2>/dev/null) || echo "${pair%:*} $number"
	done
}

# Print kvmwatch's counts of the same. AMD's exit codes: 96 is an interrupt of the host, 100 an
# interrupt window, 120 HLT, 123 an IO instruction.
our_counts() {
	stat "$1" | jq -r 'def of(f): [.vcpus[].stats | f] | add;
		"mapped_4k \(.stats.mapped_4k)", "mapped_2m \(.stats.mapped_2m)",
		"mapped_1g \(.stats.mapped_1g)", "exits \(of(.exits))",
		"hlt \(of(.exit_reasons[120]))", "io \(of(.exit_reasons[123]))",
		"irq \(of(.exit_reasons[96]))", "window \(of(.exit_reasons[100]))"'
}

# Print what both count, a line each: WHAT OURS KVM'S. The VM must be stopped.
# /tmp/vmm/NAME/base has KVM's counts from when kvmwatch was loaded. QEMU has KVM filter MSRs, so KVM
# 5.10 counts more exits than there were (see docs/vmms.md): its count is a bound.
compare() {
	our_counts "$1" >$vmm/ours || return
	kvm_counts "$1" >$vmm/kvm
	touch "$vmm/$1/base"
	case ${vm_kernel-} in
	5.10*) bound=exits ;;
	*) bound= ;;
	esac
	awk -v base="$vmm/$1/base" -v bound="$bound" '
		FILENAME == base { if ($1 !~ /mapped/) before[$1] = $2; next }
		!seen[$1]++ { ours[$1] = $2; next }
		{
			theirs = $2 - before[$1]
			print $1, ours[$1], theirs
			rows++
			bad += $1 == bound ? ours[$1] > theirs : ours[$1] != theirs
		}
		END { exit bad || rows < 5 }' "$vmm/$1/base" $vmm/ours $vmm/kvm
}

# Unload kvmwatch, run a command in the guest, and load kvmwatch again: comes_back NAME COMMAND
comes_back() {
	rmmod kvmwatch || return
	in_guest "$1" "$2" || return
	qmp "$1" stop || return
	kvm_counts "$1" >"$vmm/$1/base"
	# shellcheck disable=SC2086
	insmod /kvmwatch.ko $MODARGS || return
	eventually audits_agree "$1" || return
	qmp "$1" cont
}

# Stop a VM, compare the counts, and continue it.
agrees_with_kvm() {
	qmp "$1" stop || return
	compare "$1"
	status=$?
	qmp "$1" cont && return "$status"
}

# Print the name and the time of the part that just ended, for the table of results (see vm/tap).
# The first call only starts the clock.
life() {
	now=$(cut -d . -f 1 /proc/uptime)
	[ -z "${since-}" ] || echo "# life: $*: $((now - since)) s"
	since=$now
}

# A claim on which the rest of the test depends
need() {
	what=$1
	shift
	if "$@" >"$said" 2>&1; then
		ok 0 "$what"
	else
		ok 1 "$what"
		end_all
	fi
}

# End the test, and all QEMUs that still run.
end_all() {
	[ ! -e $vmm/notes ] || cat $vmm/notes
	for file in "$vmm"/*/pid; do
		[ ! -e "$file" ] || kill -9 "$(cat "$file")" 2>/dev/null
	done
	wait
	echo "1..$nr"
	exit
}
