# shellcheck shell=sh
# Functions for scripts in the VM. Sourced.

# The VM is removed after the tests, so they may change everything.
export MACHINE=vm
# shellcheck source=run.sh
. /vm/run.sh

load_kvm() {
	[ -e /dev/kvm ] || modprobe kvm-amd 2>/dev/null || modprobe kvm-intel
}

# The kernel's watchdogs go by a clock that runs on while a busy machine leaves no time for this VM.
# With 20 VMs at work on two CPUs, a task may wait long: unloading once waited over two minutes for
# grace periods. So lengthen their limits. The runner stops tests that hang, some time after the
# kernel has logged where.
have_patience() {
	echo 60 >/proc/sys/kernel/watchdog_thresh
	echo 300 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
	echo $((900 * ${vm_slow:-1})) >/proc/sys/kernel/hung_task_timeout_secs
	workqueues=/sys/module/workqueue/parameters/watchdog_thresh
	[ ! -e $workqueues ] || echo 300 >$workqueues
}
