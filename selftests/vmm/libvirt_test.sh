#!/bin/sh
# Watch a domain of libvirt with a Linux guest. virsh starts it, suspends it, adds memory and a
# vCPU, saves, restores and destroys it. libvirt starts QEMU as on any host, and has QEMU's monitor
# for itself. The runner has loaded kvmwatch.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

uuid=5ab2ae10-6c52-4b1b-8d2e-aa4b0e3cfd10

# Start libvirt's daemons as systemd does. QEMU runs as root, as no other user has the rights here.
start_libvirt() {
	mkdir -p /run/libvirt /var/log/libvirt
	printf 'user = "root"\ngroup = "root"\ncgroup_controllers = []\n' >>/etc/libvirt/qemu.conf
	dbus-uuidgen --ensure 2>/dev/null
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
	virtlogd -d && libvirtd -d && eventually virsh -q version
}

domain() {
	cat <<-X
	<domain type='kvm'>
	  <name>lv</name>
	  <uuid>$uuid</uuid>
	  <maxMemory slots='2' unit='MiB'>1024</maxMemory>
	  <memory unit='MiB'>192</memory>
	  <vcpu current='2'>3</vcpu>
	  <os>
	    <type arch='x86_64' machine='pc'>hvm</type>
	    <kernel>$kernel</kernel>
	    <initrd>$initrd</initrd>
	    <cmdline>console=ttyS0 quiet tsc=reliable no_timer_check panic=-1 mitigations=off</cmdline>
	  </os>
	  <features><acpi/><apic/></features>
	  <cpu mode='host-passthrough'>
	    <numa><cell id='0' cpus='0-2' memory='192' unit='MiB'/></numa>
	  </cpu>
	  <clock offset='utc'><timer name='hpet' present='no'/></clock>
	  <on_reboot>destroy</on_reboot>
	  <devices>
	    <emulator>/usr/bin/qemu-system-x86_64</emulator>
	    <serial type='pipe'><source path='$vmm/lv/serial'/></serial>
	    <memballoon model='virtio'/>
	  </devices>
	</domain>
	X
}

dimm() {
	cat <<-X
	<memory model='dimm'>
	  <target><size unit='MiB'>128</size><node>0</node></target>
	</memory>
	X
}

guest_starts() {
	eventually is_done lv 0 && return
	virsh domstate lv --reason
	tail -n 12 "$vmm/lv/serial.log"
	virsh qemu-monitor-command lv --hmp "info registers -a" | grep -E 'CPU#|RIP|HLT='
	virsh qemu-monitor-command lv --hmp "info chardev"
	tail -n 3 /var/log/libvirt/qemu/lv.log
	return 1
}

# Note the domain's pid where lib.sh looks for it.
know_pid() {
	cat /run/libvirt/qemu/lv.pid >"$vmm/lv/pid"
}

# Make the guest's serial line. libvirt opens each file that QEMU shall have, to lock it, and closes
# it before QEMU starts. That would end a reader of the pipe, so this one keeps it open for writing,
# too. It is not our child, as end_all waits for these.
make_serial() {
	mkfifo "$1.in" "$1.out"
	(
		cat <>"$1.out" >"$1.log" &
		echo $! >"$1.reader"
	)
}

virsh_starts() {
	mkdir -p "$vmm/lv"
	make_serial "$vmm/lv/serial"
	domain >"$vmm/lv.xml"
	virsh define "$vmm/lv.xml" && virsh start lv && know_pid
}

listed_as() {
	kvmwatch list --json -p "$(pid_of lv)" | jq -r "$1"
}

has_vcpus() {
	[ "$(listed_as .vcpus)" = "$1" ]
}

has_memory() {
	[ "$(listed_as .memory)" = "$1" ]
}

# While the domain is suspended, virsh shows the same number of exits as kvmwatch.
suspended_agrees() {
	virsh suspend lv && compare lv
	status=$?
	virsh domstats --vcpu lv >"$vmm/domstats"
	virsh resume lv
	return "$status"
}

domstats_agree() {
	grep exits "$vmm/domstats"
	theirs=$(sed -n 's/^ *vcpu\.[0-9]*\.exits\.sum=//p' "$vmm/domstats" | awk '{ sum += $1 } END { print sum }')
	same "$theirs" "$(awk '$1 == "exits" { print $2 }' "$vmm/ours")"
}

make_guest
forget_kernel
life begin
need "libvirt starts" start_libvirt
life libvirt
need "virsh starts a domain" virsh_starts
need "its guest starts" guest_starts
life boot
claim "kvmwatch lists it by its name" same lv "$(listed_as .guest)"
claim "with two vCPUs" has_vcpus 2
claim "pages and exits are KVM's own" suspended_agrees
claim "and virsh domstats has the same exits" domstats_agree
claim "the kernel says nothing" quiet_kernel
life compared

size=$(listed_as .memory)
dimm >"$vmm/dimm.xml"
claim "virsh attaches memory" virsh attach-device lv "$vmm/dimm.xml" --live
claim "which kvmwatch sees" eventually has_memory $((size + 134217728))
claim "virsh adds a vCPU" virsh setvcpus lv 3 --live
claim "which kvmwatch sees, too" eventually has_vcpus 3
claim "the guest works" in_guest lv "sleep 2; busy 2"
claim "pages and exits are still KVM's own" suspended_agrees
life plugged

claim "virsh saves it" virsh save lv "$vmm/lv.save"
claim "its QEMU is gone" eventually gone lv
claim "nobody is listed" eventually nobody_listed
claim "virsh restores it" virsh restore "$vmm/lv.save"
know_pid
claim "its guest goes on" in_guest lv "dirty 20"
claim "kvmwatch lists it by its name again" same lv "$(listed_as .guest)"
claim "pages and exits are KVM's own after that" suspended_agrees
claim "an audit agrees" audits_agree lv
life "save and restore"
claim "virsh destroys it" virsh destroy lv
claim "it is gone" eventually gone lv
claim "nobody is listed then" eventually nobody_listed
claim "the kernel said nothing to the end" quiet_kernel
life destroyed
kill "$(cat /run/libvirtd.pid)" "$(cat /run/virtlogd.pid)" "$(cat "$vmm/lv/serial.reader")"
end_all
