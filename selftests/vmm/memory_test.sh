#!/bin/sh
# Watch guests with each kind of memory: pages of 4 KiB, transparent huge pages, hugetlb pages of 2
# MiB and of 1 GiB, shared memory, a file on a disk, and pages that KSM merges. With each kind,
# kvmwatch is unloaded and loaded again. So it counts pages when they are mapped, and finds pages
# that are. The runner has loaded kvmwatch. vm_lives: run only these kinds, with commas.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

thp() {
	echo "$1" >/sys/kernel/mm/transparent_hugepage/enabled
}

# Give the guest memory from a backend of QEMU: backend TYPE,OPTION...
backend() {
	machine=,memory-backend=ram
	set -- -object "memory-backend-$1,id=ram,size=192M"
	options=$*
}

at_least() {
	echo "$(ours "$1" "$2") $2, at least $3?"
	[ "$(ours "$1" "$2")" -ge "$3" ]
}

none_mapped() {
	same 0 "$(ours "$1" "$2")"
}

# Test one kind of memory: kind NAME OPTION...
kind() {
	kind=$1
	need "$kind: a guest starts" starts "$@"
	claim "$kind: it writes to 60 MiB" in_guest "$kind" "dirty 60"
	claim "$kind: pages and exits are KVM's own" agrees_with_kvm "$kind"
}

again() {
	claim "$kind: kvmwatch goes, and comes in the middle" comes_back "$kind" "dirty 20"
	claim "$kind: the guest writes to 60 MiB again" in_guest "$kind" "dirty 60"
	claim "$kind: pages are KVM's, and exits since then" agrees_with_kvm "$kind"
	claim "$kind: an audit agrees" audits_agree "$kind"
}

ends() {
	claim "$kind: QEMU ends" qmp "$kind" quit
	claim "$kind: it is gone" eventually gone "$kind"
	claim "$kind: the kernel says nothing" quiet_kernel
	life "$kind"
}

pages_4k() {
	thp never
	kind 4k
	claim "$kind: no huge page is mapped" none_mapped 4k mapped_2m
	again
	ends
}

pages_thp() {
	thp always
	kind thp
	claim "$kind: huge pages are mapped" at_least thp mapped_2m 10
	again
	thp never
	ends
}

pages_hugetlb() {
	thp never
	mkdir -p /dev/hugepages
	mount -t hugetlbfs -o pagesize=2M none /dev/hugepages
	echo 100 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	backend file,mem-path=/dev/hugepages,share=off
	# shellcheck disable=SC2086
	kind hugetlb $options
	claim "$kind: huge pages are mapped" at_least hugetlb mapped_2m 10
	again
	ends
	machine=
	echo 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	umount /dev/hugepages
}

# The VM's host has one page of 1 GiB. A guest's lowest GiB is in several slots, so the page is
# a DIMM of its own above 4 GiB.
pages_1g() {
	mkdir -p /dev/hugepages
	mount -t hugetlbfs -o pagesize=1G none /dev/hugepages
	memory="256,slots=1,maxmem=4G"	# a part of it describes the DIMM
	kind 1g -object memory-backend-file,id=big,size=1G,mem-path=/dev/hugepages,share=off \
		-device pc-dimm,id=dimm,memdev=big
	claim "$kind: the guest puts it to use" in_guest 1g \
		"online_memory; mount -o remount,size=90% /tmp && dirty 250"
	claim "$kind: one page of 1 GiB is mapped" at_least 1g mapped_1g 1
	claim "$kind: pages and exits are KVM's own with it" agrees_with_kvm 1g
	again
	# To log the slot, KVM splits the page.
	claim "$kind: QEMU writes all of it down" qmp 1g migrate '{"uri":"exec:cat >/dev/null"}'
	claim "$kind: then it is mapped in smaller ones" eventually none_mapped 1g mapped_1g
	claim "$kind: QEMU is done" eventually has_status 1g completed
	claim "$kind: and agrees with KVM" compare 1g
	memory=192
	ends
	umount /dev/hugepages
}

pages_shared() {
	backend memfd,share=on
	# shellcheck disable=SC2086
	kind shared $options
	again
	ends
	machine=
}

# A file on a disk: before the kernel writes pages back, it write-protects them for the guest.
pages_file() {
	backend file,mem-path=/var/tmp/ram,share=on
	# shellcheck disable=SC2086
	kind file $options
	claim "$kind: the host writes the file" sync
	claim "$kind: pages and exits are KVM's own after that" agrees_with_kvm file
	claim "$kind: the guest writes to its pages again" in_guest file "dirty 60"
	claim "$kind: pages and exits are KVM's own after that, too" agrees_with_kvm file
	again
	ends
	machine=
	rm -f /var/tmp/ram
}

# The guest has the same MiB sixty times. KSM maps one page for all copies, until the guest writes.
merged() {
	[ "$(cat /sys/kernel/mm/ksm/pages_sharing)" -ge 1000 ]
}

pages_ksm() {
	thp never
	echo 5000 >/sys/kernel/mm/ksm/pages_to_scan
	echo 20 >/sys/kernel/mm/ksm/sleep_millisecs
	kind ksm
	echo 1 >/sys/kernel/mm/ksm/run
	claim "$kind: the host merges pages" eventually merged
	echo 0 >/sys/kernel/mm/ksm/run
	echo "# KSM: $(cat /sys/kernel/mm/ksm/pages_sharing) pages share" \
		"$(cat /sys/kernel/mm/ksm/pages_shared)" >>"$vmm/notes"
	claim "$kind: pages and exits are KVM's own after that" agrees_with_kvm ksm
	again
	echo 2 >/sys/kernel/mm/ksm/run
	claim "$kind: and when the host has parted them" agrees_with_kvm ksm
	ends
}

make_guest
forget_kernel
life begin
for each in $(echo "${vm_lives:-4k,thp,hugetlb,1g,shared,file,ksm}" | tr , ' '); do
	"pages_$each"
done
end_all
