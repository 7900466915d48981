#!/bin/sh
# Let QEMU add to and take from a running Linux guest: memory as a DIMM and by virtio-mem, a vCPU,
# memory by the balloon and by free page reporting. Take snapshots in QEMU and in a file. The runner
# has loaded kvmwatch.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

listed_as() {
	kvmwatch list --json -p "$(pid_of "$1")" | jq "$2"
}

has_vcpus() {
	[ "$(listed_as "$1" .vcpus)" = "$2" ]
}

# Does kvmwatch list this size of memory? has_memory BYTES
has_memory() {
	[ "$(listed_as plug .memory)" = "$1" ]
}

adds_memory() {
	qmp plug object-add '{"qom-type":"memory-backend-ram","id":"more","size":134217728}' &&
		qmp plug device_add '{"driver":"pc-dimm","id":"dimm","memdev":"more"}'
}

# Has the guest at least so many bytes more than $had? It uses a part of new memory to describe it.
guest_has_more() {
	now=$(in_guest plug "online_memory; memory_size") || return
	echo "$now now, $had before"
	[ "$now" -ge $((had + $1)) ]
}

adds_vcpu() {
	qmp plug query-hotpluggable-cpus >"$vmm/cpus" || return
	new=$(jq -c '[.[] | select(has("qom-path") | not)][0] | .props + {driver: .type, id: "third"}' "$vmm/cpus")
	qmp plug device_add "$new"
}

# Ask for this much plugged memory of virtio-mem; has_plugged tells if the guest has plugged it.
virtio_mem() {
	qmp plug qom-set "{\"path\":\"/machine/peripheral/vmem\",\"property\":\"requested-size\",\"value\":$1}"
}

has_plugged() {
	same "$1" "$(qmp plug qom-get '{"path":"/machine/peripheral/vmem","property":"size"}')"
}

mapped_below() {
	[ "$(ours plug mapped_bytes)" -lt "$1" ]
}

mapped_above() {
	[ "$(ours plug mapped_bytes)" -gt "$1" ]
}

is_running() {
	qmp "$1" query-status | jq -e .running >/dev/null
}

saves() {
	hmp plug "savevm first"
	hmp plug "info snapshots" | grep first
}

# The monitor prints only errors.
goes_back() {
	said_by_qemu=$(hmp plug "loadvm first" | tr -d '\r\n') || return
	echo "$said_by_qemu"
	[ -z "$said_by_qemu" ]
}

same_answer() {
	same "$2" "$(in_guest "$1" "cat /tmp/answer")"
}

make_guest
forget_kernel
life begin
qemu-img create -q -f qcow2 "$vmm/disk" 1G
memory="192,slots=2,maxmem=1G" cpus="2,maxcpus=3"
need "QEMU with room for more starts a guest" starts plug -device virtio-balloon-pci,id=balloon,free-page-reporting=on \
	-object memory-backend-ram,id=pool,size=256M -device virtio-mem-pci,id=vmem,memdev=pool \
	-drive if=none,id=disk,file=$vmm/disk
claim "the guest loads its drivers" in_guest plug "load_virtio virtio_balloon"
claim "two vCPUs" has_vcpus plug 2
size=$(listed_as plug .memory)
had=$(in_guest plug memory_size)
life boot

claim "QEMU adds memory" adds_memory
claim "which kvmwatch sees at once" eventually has_memory $((size + 134217728))
claim "the guest puts it to use" eventually guest_has_more 120000000
claim "pages and exits are KVM's own" agrees_with_kvm plug
claim "it writes to more than it had" in_guest plug "mount -o remount,size=90% /tmp && dirty 150"
claim "which is mapped" mapped_above 209715200
claim "the kernel says nothing" quiet_kernel
life memory

claim "QEMU adds a vCPU" adds_vcpu
claim "which kvmwatch sees" eventually has_vcpus plug 3
claim "the guest puts it to use" in_guest plug "sleep 3; grep -q 0-2 /sys/devices/system/cpu/online || echo 1 >/sys/devices/system/cpu/cpu2/online; grep 0-2 /sys/devices/system/cpu/online"
claim "all three are busy" in_guest plug "busy 3"
claim "the third has left the guest some times" sh -c "kvmwatch stat --json -p $(pid_of plug) | jq -e '[.vcpus[].stats.exits] | length == 3 and all(. > 0)'"
claim "pages and exits are KVM's own with three" agrees_with_kvm plug
life vcpu

in_guest plug "echo online_movable >/sys/devices/system/memory/auto_online_blocks" >/dev/null
claim "the guest loads virtio-mem's driver" in_guest plug "load_virtio virtio_mem"
claim "QEMU offers memory by virtio-mem" virtio_mem 134217728
claim "the guest takes it" eventually has_plugged 134217728
claim "and writes to more than it had" in_guest plug "mount -o remount,size=90% /tmp && dirty 260"
claim "which is mapped" mapped_above 293601280
claim "pages and exits are KVM's own with it" agrees_with_kvm plug
claim "the guest frees what it has written" in_guest plug "rm /tmp/dirty; sync; echo 3 >/proc/sys/vm/drop_caches"
claim "QEMU wants the memory back" virtio_mem 0
claim "the guest gives it back" eventually has_plugged 0
claim "it is mapped no more" eventually mapped_below 293601280
claim "pages and exits are KVM's own without it" agrees_with_kvm plug
life virtio-mem

claim "the guest writes again" in_guest plug "dirty 150"
claim "and frees that" in_guest plug "rm /tmp/dirty"
claim "and reports it: it is mapped no more" eventually mapped_below 209715200
claim "pages and exits are KVM's own after that" agrees_with_kvm plug
life "free page reporting"
claim "QEMU asks for memory back" qmp plug balloon '{"value":134217728}'
claim "and gets it" eventually mapped_below 136314880
claim "pages and exits are KVM's own after that, too" agrees_with_kvm plug
claim "it gives it back" qmp plug balloon '{"value":335544320}'
claim "the guest can use it again" in_guest plug "sleep 2; dirty 100"
claim "an audit agrees" audits_agree plug
claim "the kernel says nothing of it" quiet_kernel
life balloon

claim "the guest writes an answer down" in_guest plug "echo 42 >/tmp/answer"
claim "QEMU takes a snapshot" saves
claim "the guest writes another down" in_guest plug "echo 43 >/tmp/answer"
claim "QEMU goes back to the snapshot" goes_back
claim "it runs" eventually is_running plug
claim "the answer is the first one" same_answer plug 42
claim "pages and exits are KVM's own again" agrees_with_kvm plug
claim "an audit agrees after that" audits_agree plug
life snapshot
claim "QEMU ends" qmp plug quit
claim "it is gone" eventually gone plug

memory=192 cpus=2
need "another guest starts" starts saved
claim "it writes an answer down, too" in_guest saved "dirty 40; echo 44 >/tmp/answer"
claim "QEMU writes it to a file" qmp saved migrate "{\"uri\":\"exec:cat >$vmm/state\"}"
claim "all of it" eventually has_status saved completed
claim "and ends" qmp saved quit
eventually gone saved
linux restored -incoming "exec:cat $vmm/state"
claim "another QEMU reads it" eventually is_running restored
claim "kvmwatch lists it" are_listed 1 restored
claim "the answer is there" same_answer restored 44
claim "pages and exits are KVM's own there" agrees_with_kvm restored
claim "an audit agrees there" audits_agree restored
claim "QEMU ends, too" qmp restored quit
claim "and is gone" eventually gone restored
claim "the kernel said nothing to the end" quiet_kernel
life "save and restore"
end_all
