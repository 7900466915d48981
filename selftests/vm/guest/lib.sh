# shellcheck shell=sh
# What the scripts in the VM share. Sourced.

# For tests that load kvmwatch again: with what it was loaded.
export MODARGS

load() {
	MODARGS="$*"
	insmod /kvmwatch.ko "$@"
}

unload() {
	[ ! -d /sys/module/kvmwatch ] || rmmod kvmwatch
}

load_kvm() {
	[ -e /dev/kvm ] || modprobe kvm-amd 2>/dev/null || modprobe kvm-intel
}

# The kernel's own patience is by a clock that goes on while a busy machine has no time for this
# one, and 20 VMs at work on two CPUs leave little to who waits for them: unloading once took over two
# minutes, of grace periods. Tests that hang are stopped, some time after the kernel told where.
have_patience() {
	echo 60 >/proc/sys/kernel/watchdog_thresh
	echo 300 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
	echo $((900 * ${vm_slow:-1})) >/proc/sys/kernel/hung_task_timeout_secs
	workqueues=/sys/module/workqueue/parameters/watchdog_thresh
	[ ! -e $workqueues ] || echo 300 >$workqueues
}

# The kernel's complaints. Reading is also forgetting: each is told once, and all that it said is
# in /tmp/dmesg. Every module that is not Debian's fails its "module verification", that says
# nothing about kvmwatch. Of data races the kernel has many; ours are those of which one side is
# in our code.
splats() {
	dmesg -c >/tmp/dmesg
	awk '!/module verification failed/ && (!/KCSAN:/ || /\[(kvmwatch|planted)\]/)' /tmp/dmesg |
		grep -E \
			-e 'WARNING:|BUG:|Oops|KASAN|KCSAN|UBSAN|INFO: (task|rcu|trying|possible|inconsistent)' \
			-e 'general protection|refcount_t:|detected stall|blocked for more than' \
			-e 'debugfs: .*already (present|exists)' \
			-e 'lock held when|possible recursive locking|suspicious RCU|kvmwatch:.*fail'
}
