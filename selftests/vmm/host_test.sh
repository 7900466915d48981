#!/bin/sh
# Run "make -C selftests run_tests" as a user runs it on a host. The tree was built elsewhere and is
# in /host. run_tests must refuse while kvmwatch is loaded, leave foreign VMs alone, and leave
# nothing behind. vm_host_tests: the tests to run; unset: all by ftrace.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

# Clear the environment: this VM's allows tests to do anything.
run_tests() {
	env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin make -s -C /host/selftests \
		run_tests V=ftrace SHORT=yes "SLOW=${vm_slow:-1}" "$@" >/tmp/host.log 2>&1 </dev/null &
	tests=$!
	tail -s 1 -f --pid=$tests /tmp/host.log >/dev/console &
	wait $tests
	status=$?
	# run_tests checked the kernel's log after each test, and knows which complaints tests provoke.
	dmesg | tail -n 1 >/tmp/dmesg.seen
	grep -E '^(not ok|#.*(put back|is:|was:))|passed,' /tmp/host.log
	return $status
}

refuses_while_loaded() {
	: >/tmp/host.log
	run_tests T=abi
	[ $? = 2 ] && grep 'kvmwatch is loaded' /tmp/host.log && [ -d /sys/module/kvmwatch ]
}

foreign_vm() {
	find /sys/kernel/debug/kvm -maxdepth 1 -name "$(pid_of foreign)-*"
	qmp foreign query-status | jq -r .status
}

passes_beside_a_foreign_vm() {
	before=$(foreign_vm)
	run_tests T=abi,dirty,life,owner,unload,limits || return
	same "$before" "$(foreign_vm)" && grep '^ok .*# SKIP' /tmp/host.log
}

is_not_loaded() {
	[ ! -d /sys/module/kvmwatch ]
}

all_pass() {
	run_tests ${vm_host_tests:+"T=$vm_host_tests"}
}

# Mount cgroup2 where systemd mounts it.
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
claim "it refuses while kvmwatch is loaded" refuses_while_loaded
rmmod kvmwatch
# The foreign VM's firmware finds nothing to boot, and halts.
qemu foreign -accel kvm -m 64
claim "tests pass beside a VM that is not theirs, which stays as it was" passes_beside_a_foreign_vm
sed 's/^/# /' /tmp/host.log
claim "kvmwatch is not loaded after that" is_not_loaded
qmp foreign quit >/dev/null
claim "that VM ends" eventually gone foreign
claim "all tests pass" all_pass
sed 's/^/# /' /tmp/host.log
claim "kvmwatch is not loaded after that, either" is_not_loaded
