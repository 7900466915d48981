#!/bin/sh
# Watch QEMUs in containers, from the host and from inside: in a pid namespace, in a scope of
# systemd, and in a cgroup with limits that is named as container managers name theirs. The runner
# has loaded kvmwatch.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

cgroups=/sys/fs/cgroup

# unshare started QEMU as its child; note the child's pid: know_child NAME
know_child() {
	child=$(pgrep -P "$(pid_of "$1")")
	[ -n "$child" ] && echo "$child" >"$vmm/$1/pid"
}

listed_as() {
	kvmwatch list --json -p "$(pid_of "$1")" | jq -r "$2"
}

# Run a command in the pid namespace of a VM, with a /proc of that namespace: inside NAME COMMAND...
inside() {
	pid=$(pid_of "$1")
	shift
	nsenter -t "$pid" -p unshare -m sh -c 'mount -t proc proc /proc && exec "$@"' sh "$@"
}

seen_from_inside() {
	inside pidns kvmwatch list --json | tee "$vmm/inside"
	jq -se 'length == 1 and .[0].pid == 1 and .[0].guest == "pidns"' "$vmm/inside"
}

# From inside, kvmwatch lists a VM of outside, too, but cannot tell which process has it.
hidden_inside() {
	inside pidns kvmwatch list --json | tee "$vmm/inside"
	jq -se '[.[] | select(.pid != 1)] | length == 1 and .[0].pid == null and .[0].guest == null' \
		"$vmm/inside"
}

same_stats_inside() {
	qmp pidns stop || return
	inside pidns kvmwatch stat --json -p 1 | jq -c '[.stats.mapped_bytes, .vcpus[].stats.exits]' >"$vmm/inside"
	stat pidns | jq -c '[.stats.mapped_bytes, .vcpus[].stats.exits]' >"$vmm/outside"
	qmp pidns cont
	same "$(cat "$vmm/outside")" "$(cat "$vmm/inside")"
}

# Start systemd as the first process of a pid namespace, as in a container.
start_systemd() {
	mountpoint -q "$cgroups" || mount -t cgroup2 cgroup2 "$cgroups"
	mountpoint -q /run || mount -t tmpfs tmpfs /run
	mkdir -p /run/systemd/system
	printf '[Unit]\nDescription=nothing else\n' >/run/systemd/system/nothing.target
	unshare --pid --fork --mount --mount-proc env container=unshare \
		/lib/systemd/systemd --system --unit=nothing.target >"$vmm/systemd" 2>&1 &
	systemd=$!
	eventually in_systemd systemctl list-units
}

in_systemd() {
	nsenter -t "$(pgrep -P "$systemd")" -p -m "$@"
}

# The cgroup limits CPU time and memory. The guest waits, and KVM still counts what kvmwatch counts.
limited_cgroup() {
	mountpoint -q "$cgroups" || mount -t cgroup2 cgroup2 "$cgroups"
	echo "+cpu +memory" >"$cgroups/cgroup.subtree_control"
	mkdir -p "$cgroups/$1" && echo "20000 100000" >"$cgroups/$1/cpu.max"
}

waits_for_a_cpu() {
	delay=$(ours "$1" run_delay_ns)
	in_guest "$1" "busy 4" || return
	delay=$((($(ours "$1" run_delay_ns) - delay) / 1000000))
	echo "waited $delay ms for a CPU"
	[ "$delay" -gt 1000 ]
}

make_guest
forget_kernel
life begin
within="unshare --pid --fork --kill-child"
linux pidns
claim "QEMU is in a pid namespace" eventually know_child pidns
need "its guest starts" eventually is_done pidns 0
life boot
claim "list has its name" same pidns "$(listed_as pidns .guest)"
claim "and its pid on the host" same "$(pid_of pidns)" "$(listed_as pidns .pid)"
claim "pages and exits are KVM's own" agrees_with_kvm pidns
claim "inside, its pid is 1" eventually seen_from_inside
claim "its numbers are the same inside" same_stats_inside
within=
need "a guest on the host starts" starts outside
claim "inside it is listed without pid and name" hidden_inside
claim "kvmwatch goes, and comes again" comes_back pidns "dirty 20"
claim "list has the name of the one in the namespace" same pidns "$(listed_as pidns .guest)"
claim "and inside it has pid 1" sh -c "$(command -v nsenter) -t $(pid_of pidns) -p kvmwatch list --json | jq -se 'any(.pid == 1)'"
claim "pages are KVM's, exits since then" agrees_with_kvm pidns
claim "an audit agrees" audits_agree pidns
kill -9 "$(pid_of pidns)"
claim "the namespace's first process is killed, and the VM is gone" eventually gone pidns
claim "it ends" qmp outside quit
claim "the kernel says nothing" quiet_kernel
life "pid namespace"

claim "a container manager makes a cgroup" limited_cgroup crio-1234.scope
within="$PWD/in_cgroup $cgroups/crio-1234.scope"
need "a guest in it starts" starts cgroup
within=
life "boot with a fifth of a CPU"
claim "list has the scope" same crio-1234.scope "$(listed_as cgroup .unit)"
claim "it waits for its part of a CPU when it is busy" waits_for_a_cpu cgroup
claim "pages and exits are KVM's own" agrees_with_kvm cgroup
claim "its processes are frozen" sh -c "echo 1 >$cgroups/crio-1234.scope/cgroup.freeze"
claim "an audit agrees while they are" audits_agree cgroup
claim "frozen, it agrees with KVM" compare cgroup
claim "they go on" sh -c "echo 0 >$cgroups/crio-1234.scope/cgroup.freeze"
claim "the guest answers" in_guest cgroup "dirty 20"
claim "QEMU ends" qmp cgroup quit
claim "it is gone" eventually gone cgroup
claim "the kernel says nothing of it" quiet_kernel
life "cgroup"

claim "a systemd starts" start_systemd
within="nsenter -t $(pgrep -P "$systemd") -p -m systemd-run --scope --unit=vm-web1 --quiet"
linux scope
claim "it starts QEMU in a scope" eventually know_child scope
need "whose guest starts" eventually is_done scope 0
within=
claim "list has the scope's name" same vm-web1.scope "$(listed_as scope .unit)"
claim "and the guest's" same scope "$(listed_as scope .guest)"
claim "pages and exits are KVM's own" agrees_with_kvm scope
claim "systemd stops the scope" in_systemd systemctl stop vm-web1.scope
claim "and it is gone" eventually gone scope
claim "nobody is listed" eventually nobody_listed
claim "the kernel said nothing to the end" quiet_kernel
life "a scope of systemd"
kill -9 "$(pgrep -P "$systemd")"
end_all
