#!/bin/sh
# A kernel with KVM built in: kvmwatch finds no kvm.ko to attach to, and every command, every table
# and the kernel's log say so. An empty list would claim that there is no VM, but here is one.
# shellcheck source=claims.sh
. ./claims.sh

if [ ! -d /sys/module/kvm ] || grep -q '^kvm ' /proc/modules; then
	echo "ok 1 commands say that KVM is built in # SKIP KVM is a module in this kernel"
	echo "1..1"
	exit
fi
why="KVM is built into this kernel"

logged() {
	dmesg | grep -q "kvmwatch: nothing is watched: $why"
}

start_demo /tmp/demo.log --name blind --pages-4k 100
guest=$!
claim "a guest runs" eventually grep -q blind: /tmp/demo.log

for command in list "list --json" "list -p $guest" "top --json -n 1" "top --csv -n 1" stat vcpu \
	"vcpu -C" exits audit "dirty --rate" "dirty --hot -t 1" "wakeups -t 1" "haltpoll -t 1" \
	"dirty -t 1" "pages -t 1" "record -t 1"; do
	# shellcheck disable=SC2086
	claim "$command says why it sees none, and fails" fails_with 1 "$why" kvmwatch $command
done
for table in vms vcpus slots halt_poll hooks; do
	claim "the table $table says why it is empty" \
		says "# nothing is watched: $why" cat "/sys/kernel/debug/kvmwatch/$table"
done
claim "hooks says why each is missing" says "$why" kvmwatch hooks
claim "the kernel's log says it" logged
kill "$guest"
wait "$guest" 2>/dev/null
echo "1..$nr"
