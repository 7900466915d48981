#!/bin/sh
# Migrations from one QEMU to another on this host, forecast before: see migrate.py. What was found
# out goes to the second disk. The runner has kvmwatch loaded.
#	vm_cases	only these, with commas; all when it is empty
# shellcheck disable=SC2046 # words
exec python3 ./migrate.py cases ./pattern /dev/vdb $(echo "${vm_cases-}" | tr , ' ')
