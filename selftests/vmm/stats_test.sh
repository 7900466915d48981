#!/bin/sh
# Let an unchanged QEMU read kvmwatch's stats fds: stats_fd.so hands it one when it asks KVM for
# one. query-stats must have kvmwatch's numbers, and query-stats-schemas their descriptions. The
# runner has loaded kvmwatch.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

# Print QEMU's statistics of its VM, or of its vCPUs: an object a line, {name: value}
theirs() {
	qmp stats query-stats "{\"target\":\"$1\"}" |
		jq -c '.[].stats | map({(.name): .value}) | add'
}

# Print the same as kvmwatch has it.
mine() {
	case $1 in
	vm)	stat stats | jq -c .stats ;;
	vcpu)	stat stats | jq -c '.vcpus[].stats' ;;
	esac
}

# Each of QEMU's numbers must lie between those of kvmwatch before and after: off_cpu_ns grows while
# the VM is stopped. QEMU must have all of kvmwatch's statistics. It may list vCPUs in another
# order. It puts a histogram's last bucket first, also with KVM's own.
same_numbers() {
	qmp stats stop || return
	mine "$1" | sort >"$vmm/before"
	theirs "$1" | sort >"$vmm/theirs"
	mine "$1" | sort >"$vmm/after"
	qmp stats cont || return
	jq -ne --slurpfile before "$vmm/before" --slurpfile theirs "$vmm/theirs" \
		--slurpfile after "$vmm/after" '
		def within(a; x; b):
			if (x | type) == "array" then
				(x | reverse) as $x | ($x | length) == (a | length) and
				all(range($x | length); . as $i | within(a[$i]; $x[$i]; b[$i]))
			elif (x | type) == "boolean" then true
			else a <= x and x <= b end;
		def same_vm(a; x; b):
			(x | keys) == (a | keys) and
			([x | keys[] | select(. as $k | within(a[$k]; x[$k]; b[$k]) | not)] |
				if length > 0 then debug else . end | length == 0);
		def key: .exits;
		($before | sort_by(key)) as $a | ($theirs | sort_by(key)) as $x |
		($after | sort_by(key)) as $b |
		($x | length) as $n | $n > 0 and $n == ($a | length) and
		all(range($n); . as $i | same_vm($a[$i]; $x[$i]; $b[$i]))'
}

# QEMU must know the unit and type of each of our statistics, as KVM's format has them.
schemas() {
	qmp stats query-stats-schemas >"$vmm/schemas" || return
	jq -e 'def of(t; n): .[] | select(.target == t) | .stats[] | select(.name == n);
		of("vm"; "mapped_bytes").unit == "bytes" and
		of("vm"; "mapped_bytes").type == "instant" and
		of("vm"; "mapped_bytes_peak").type == "peak" and
		of("vcpu"; "exits").type == "cumulative" and
		of("vcpu"; "exit_reasons").type == "linear-histogram" and
		of("vcpu"; "halt_hist").type == "log2-histogram" and
		of("vcpu"; "on_cpu_ns").unit == "seconds" and
		of("vcpu"; "on_cpu_ns").exponent == -9' "$vmm/schemas"
}

one_by_name() {
	qmp stats query-stats '{"target":"vm","providers":[{"provider":"kvm","names":["mapped_bytes"]}]}' |
		jq -e '.[0].stats | length == 1 and .[0].value > 1048576'
}

case ${vm_kernel-} in
5.10*) skip_all "KVM has no stats fds here, so QEMU asks for none" ;;
esac
make_guest
forget_kernel
life begin
preload=$PWD/stats_fd.so
need "QEMU whose stats fds are kvmwatch's starts a guest" starts stats
life boot
claim "the guest works" in_guest stats "dirty 40; busy 1"
claim "query-stats of the VM has kvmwatch's numbers, each" same_numbers vm
claim "and those of the vCPUs" same_numbers vcpu
claim "query-stats-schemas says what they are" schemas
claim "QEMU finds one by its name" one_by_name
claim "pages and exits are KVM's own" agrees_with_kvm stats
claim "an audit agrees" audits_agree stats
claim "QEMU ends" qmp stats quit
claim "it is gone" eventually gone stats
claim "the kernel said nothing to the end" quiet_kernel
life "query-stats"
end_all
