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
