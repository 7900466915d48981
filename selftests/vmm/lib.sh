# shellcheck shell=sh
# What tests with real VMMs share: to start QEMU with a Linux guest, to talk with both, and to compare
# what kvmwatch says of it with what KVM says. Sourced.
# What belongs to a VM is in /tmp/vmm/NAME: pid; qmp.in, qmp.log: QEMU's monitor; serial.in,
# serial.log: the guest's serial line; err: what QEMU complains of.

# shellcheck source=../claims.sh
. ./claims.sh
vmm=/tmp/vmm
mkdir -p $vmm

# The files that a Linux guest boots from, and a disk with nothing on it
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

# A pair of pipes, as QEMU wants it: /tmp/vmm/NAME/WHAT.in, and what comes out in WHAT.log
make_pipe() {
	mkfifo "$1.in" "$1.out"
	cat "$1.out" >"$1.log" &
}

# Write a line to a pipe, without waiting for a QEMU that may have ended: send LINE PIPE
send() {
	echo "$1" | dd of="$2.in" oflag=nonblock conv=notrunc status=none
}

# QEMU has its pipes open, or has ended.
greeted_or_gone() {
	send '{"execute":"qmp_capabilities"}' "$dir/qmp" || ! kill -0 "$(cat "$dir/pid")"
}

# Start QEMU: qemu NAME OPTION...
# Without an HPET, as libvirt and others start it for Linux. More of it: machine (of the machine's
# options), preload (a library), within (a command that starts it).
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

# The same, with a Linux guest: linux NAME OPTION...
# Its kernel need not measure the TSC, which takes a while in an emulator.
linux() {
	name=$1
	shift
	qemu "$name" -accel "kvm${accel-}" -m "${memory:-192}" -kernel "$kernel" -initrd "$initrd" \
		-append "console=ttyS0 quiet tsc=reliable no_timer_check panic=-1 mitigations=off" "$@"
}

pid_of() {
	cat "$vmm/$1/pid"
}

# Have QEMU do something, and print its answer: qmp NAME COMMAND [ARGUMENTS], both in JSON
qmp() {
	dir=$vmm/$1
	id=$(($(cat "$dir/id" 2>/dev/null || echo 0) + 1))
	echo $id >"$dir/id"
	send "{\"execute\":\"$2\",\"arguments\":${3:-{\}},\"id\":$id}" "$dir/qmp"
	eventually grep -qE "\"id\": ?${id}[,}]" "$dir/qmp.log" || {
		echo "QEMU does not answer $2"
		return 1
	}
	grep -E "\"id\": ?${id}[,}]" "$dir/qmp.log" | jq -ce 'if .error then .error.desc | halt_error else .return end'
}

# How a migration is getting on, and whether it is so: has_status NAME STATUS
status_of() {
	qmp "$1" query-migrate | jq -r .status
}

has_status() {
	[ "$(status_of "$1")" = "$2" ]
}

# As QEMU's human monitor has it
hmp() {
	qmp "$1" human-monitor-command "{\"command-line\":\"$2\"}" | jq -r .
}

# How many commands the guest is done with, its start included
done_by() {
	grep -c '^END ' "$vmm/$1/serial.log"
}

is_done() {
	[ "$(done_by "$1")" -gt "$2" ]
}

# The guest has started, or there is no QEMU that it could start in.
started_or_gone() {
	is_done "$1" 0 || ! kill -0 "$(pid_of "$1")"
}

# Start QEMU with a Linux guest, and wait until that has started, all of it: starts NAME OPTION...
starts() {
	linux "$@"
	eventually started_or_gone "$1"
	is_done "$1" 0 && return
	tail -n 15 "$vmm/$1/serial.log" "$vmm/$1/err"
	hmp "$1" "info registers -a" | grep -E 'CPU#|HLT='
	return 1
}

# Have the guest do something without waiting for the end: begin NAME COMMAND
begin() {
	before=$(done_by "$1")
	send "$2" "$vmm/$1/serial"
}

# Have the guest do something, and print what it says: in_guest NAME COMMAND
in_guest() {
	begin "$1" "$2"
	eventually is_done "$1" "$before" || return
	tr -d '\r' <"$vmm/$1/serial.log" | awk -v n="$before" '
		/^END / { if (seen++ == n) exit $2; next } seen == n'
}

# kvmwatch's JSON of a VM: stat NAME
stat() {
	kvmwatch stat --json -p "$(pid_of "$1")"
}

# One of its numbers, that of all vCPUs together for those of vCPUs: ours NAME STATISTIC
ours() {
	stat "$1" | jq --arg s "$2" \
		'if .stats | has($s) then .stats[$s] else [.vcpus[].stats[$s] | if type == "array" then add else . end] | add end'
}

# Exits to the VMM because of an IO instruction (KVM_EXIT_IO)
io_to_vmm() {
	stat "$1" | jq '[.vcpus[].stats.user_exit_reasons[2]] | add'
}

# How many VMs kvmwatch lists by a name: are_listed NUMBER NAME
are_listed() {
	kvmwatch list --json | jq -se --argjson n "$1" --arg name "$2" \
		'[.[] | select(.guest == $name)] | length == $n' >/dev/null
}

nobody_listed() {
	[ -z "$(kvmwatch list --json)" ]
}

# KVM's number of a VM: kvm NAME FILE
kvm() {
	cat "/sys/kernel/debug/kvm/$(pid_of "$1")"-*/"$2"
}

gone() {
	! kill -0 "$(pid_of "$1")" 2>/dev/null && [ -z "$(find /sys/kernel/debug/kvm -name "$(pid_of "$1")-*")" ]
}

# What the kernel's log has since it was last asked, but for what KVM says of the emulated CPU, and for
# an interrupt that took long because the machine is busy. Kept for the runner, which looks for worse.
quiet_kernel() {
	dmesg >/tmp/vmm.dmesg
	sed "1,${told:-0}d" /tmp/vmm.dmesg | grep -vE "$expected"
	told=$(wc -l </tmp/vmm.dmesg)
	! sed "1,${quiet_from:-0}d" /tmp/vmm.dmesg | grep -qvE "$expected"
}
expected='kvm \[[0-9]+\]: |hrtimer: interrupt took|kvmwatch: |kvm_amd: |SVM: |module verification failed'

forget_kernel() {
	quiet_from=$(dmesg | wc -l)
	told=$quiet_from
}

audits_agree() {
	kvmwatch audit --json -p "$(pid_of "$1")" | tee /tmp/vmm.audit
	jq -se 'length > 0 and all(.result == "agrees" and .failures == 0)' /tmp/vmm.audit >/dev/null
}

# What KVM counts of a VM, a line each: WHAT NUMBER. 5.10 has no number of pages.
kvm_counts() {
	for pair in mapped_4k:pages_4k mapped_2m:pages_2m mapped_1g:pages_1g exits:exits \
		hlt:halt_exits io:io_exits; do
		echo "${pair%:*} $(kvm "$1" "${pair#*:}" 2>/dev/null)"
	done
}

# What kvmwatch counts of the same. 120 and 123 are AMD's codes for HLT and for IO instructions.
our_counts() {
	stat "$1" | jq -r 'def of(f): [.vcpus[].stats | f] | add;
		"mapped_4k \(.stats.mapped_4k)", "mapped_2m \(.stats.mapped_2m)",
		"mapped_1g \(.stats.mapped_1g)", "exits \(of(.exits))",
		"hlt \(of(.exit_reasons[120]))", "io \(of(.exit_reasons[123]))"'
}

# All that KVM and kvmwatch both count, a line each: WHAT OURS KVM'S. The VM must be stopped.
# What KVM had counted when kvmwatch came is in /tmp/vmm/NAME/base.
compare() {
	our_counts "$1" >$vmm/ours || return
	kvm_counts "$1" >$vmm/kvm
	touch "$vmm/$1/base"
	awk -v base="$vmm/$1/base" '
		FILENAME == base { if ($1 !~ /mapped/) before[$1] = $2; next }
		!seen[$1]++ { ours[$1] = $2; next }
		$2 != "" { print $1, ours[$1], $2 - before[$1]; rows++; bad += ours[$1] != $2 - before[$1] }
		END { exit bad || rows < 3 }' "$vmm/$1/base" $vmm/ours $vmm/kvm
}

# kvmwatch goes, the guest does something meanwhile, and kvmwatch comes again: comes_back NAME COMMAND
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

# Stop a VM, compare, and let it go on.
agrees_with_kvm() {
	qmp "$1" stop || return
	compare "$1"
	status=$?
	qmp "$1" cont && return "$status"
}

# Tell of a life, for the table of results (see vm/tap), and how long it took. The first
# call only begins.
life() {
	now=$(cut -d . -f 1 /proc/uptime)
	[ -z "${since-}" ] || echo "# life: $*: $((now - since)) s"
	since=$now
}

# A claim without which the rest is idle
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

# Ends the test, and all QEMUs that are still there.
end_all() {
	[ ! -e $vmm/notes ] || cat $vmm/notes
	for file in "$vmm"/*/pid; do
		[ ! -e "$file" ] || kill -9 "$(cat "$file")" 2>/dev/null
	done
	wait
	echo "1..$nr"
	exit
}
