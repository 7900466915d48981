#!/bin/bash
# What kvmwatch.ko's own sections say.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

need_kver
ko=$top/build/$kver/kvmwatch.ko

seen() {
	modinfo "$ko" 2>&1
}

# "event handler" for each tracepoint that the module hooks.
tracepoint_rows() {
	tr -s '\\\n\t ' ' ' <"$top/module/hooks/hook_table.h" |
		sed -E 's/TP(_OR_MORE)?\(/\n&/g' |
		sed -nE 's/^TP(_OR_MORE)?\(([a-z_]+), "[^"]*", [A-Z0-9_]+, ([a-z_]+)\).*/\3 kvmw_tp_\2/p'
}

# "event count": the number of arguments of each event of kvm.ko, by what it has for BPF.
event_arguments() {
	local kvm tmp at event

	# shellcheck disable=SC2154 # need_kver set it
	kvm=$(find "$image/" -name 'kvm.ko*' | head -n 1)
	tmp=$(mktemp -d)
	case $kvm in
	*.xz) xz -dc "$kvm" ;;
	*) cat "$kvm" ;;
	esac >"$tmp/kvm.ko"
	objcopy -O binary --only-section=__bpf_raw_tp_map --set-section-flags \
		__bpf_raw_tp_map=alloc "$tmp/kvm.ko" "$tmp/map"
	readelf -rW "$tmp/kvm.ko" | awk '
		/^Relocation section/ { here = /\.rela__bpf_raw_tp_map/ }
		here && sub("__tracepoint_", "", $5) { print $1, $5 }' |
		while read -r at event; do
			echo "$event $(od -A n -t u4 -j $((0x$at + 16)) -N 4 "$tmp/map" | tr -d ' ')"
		done
	rm -r "$tmp"
}

# The number of a handler's parameters after the first, which is its own data.
handler_arguments() {
	pfunct --prototypes "$ko" 2>/dev/null | grep -m 1 -E "^(void|int) $1\(" | tr -cd , | wc -c
}

# The handler that hook_tp.c chooses for an event: handler EVENT COUNT HANDLER
handler_for() {
	[ "$1 $2" != "kvm_entry 2" ] && echo "$3" || echo "$3_more"
}

# Each handler has the type of its event: kernels with kCFI stop a call if they differ.
handlers_fit() {
	local event handler count fit=0

	event_arguments >"$1"
	while read -r event handler; do
		count=$(sed -n "s/^$event //p" "$1")
		handler=$(handler_for "$event" "$count" "$handler")
		[ -z "$count" ] || [ "$count" = "$(handler_arguments "$handler")" ] || {
			echo "# $event has $count arguments, $handler $(handler_arguments "$handler")"
			fit=1
		}
	done < <(tracepoint_rows)
	[ -s "$1" ] && [ -n "$(tracepoint_rows)" ] && return $fit
}

echo "1..5"
modinfo "$ko" >/dev/null 2>&1
case_is $? "modinfo reads it"
# kvm.ko, kvm-intel.ko and kvm-amd.ko can be unloaded and loaded while kvmwatch is loaded.
modinfo -F depends "$ko" | grep -q kvm
case_is $((!$?)) "it depends on no module of KVM"
modinfo -F vermagic "$ko" | grep -q "^$kver "
case_is $? "it is for the kernel of the VM"
nm -u "$ko" | grep -qE ' (__)?kvm_'
case_is $((!$?)) "it uses no symbol of KVM"
list=$(mktemp)
trap 'rm -f "$list"' EXIT
handlers_fit "$list"
case_is $? "handlers of tracepoints have the arguments of their events"
