#!/bin/bash
# What kvmwatch.ko says of itself.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

need_kver
ko=$top/build/$kver/kvmwatch.ko

seen() {
	modinfo "$ko" 2>&1
}

echo "1..4"
modinfo "$ko" >/dev/null 2>&1
case_is $? "modinfo reads it"
# kvm.ko, kvm-intel.ko and kvm-amd.ko must come and go while kvmwatch stays.
modinfo -F depends "$ko" | grep -q kvm
case_is $((!$?)) "it depends on no module of KVM"
modinfo -F vermagic "$ko" | grep -q "^$kver "
case_is $? "it is for the kernel of the VM"
nm -u "$ko" | grep -qE ' (__)?kvm_'
case_is $((!$?)) "it uses no symbol of KVM"
