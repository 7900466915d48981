#!/bin/sh
# Migrations from one QEMU to another on this host, forecast before: see migrate.py. What was found
# out goes to the last disk. The runner has kvmwatch loaded.
#	vm_cases	only these, with commas; all when it is empty; scan: what rank costs, see scan.py;
#			stop: whether a measurement that is stopped leaves a log, see stop.py;
#			modes: what calc-dirty-rate says in each mode, see modes.py
export PATH="$PATH:/usr/bin"
for module in virtio_pci virtio_blk; do
	modprobe $module 2>/dev/null
done
output=/dev/vda
[ ! -e /dev/vdb ] || output=/dev/vdb
[ "${vm_cases-}" != scan ] || exec python3 ./scan.py ./pattern
[ "${vm_cases-}" != stop ] || exec python3 ./stop.py ./pattern
[ "${vm_cases-}" != modes ] || exec python3 ./modes.py ./pattern
# shellcheck disable=SC2046 # words
exec python3 ./migrate.py cases ./pattern $output $(echo "${vm_cases-}" | tr , ' ')
