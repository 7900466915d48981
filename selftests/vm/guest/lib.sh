# shellcheck shell=sh
# What the scripts in the VM share. Sourced.

# The VM goes away after the tests.
export MACHINE=vm
# shellcheck source=run.sh
. /vm/run.sh

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
