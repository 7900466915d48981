#!/bin/sh
# Watch QEMU with its firmware and a Linux guest of two vCPUs, from start to end. kvmwatch is loaded
# before, by the runner; in the middle it is unloaded and loaded again. With vm_short there is one
# guest.
# shellcheck disable=SC2317 # what claims call by its name
# shellcheck source=lib.sh
. ./lib.sh

# Print the sum of the guest's user and system time, and its stolen time, in ticks of 10 ms.
guest_ticks() {
	in_guest one "head -n 1 /proc/stat" | awk '{ print $2 + $4, $9 }'
}

at_least() {
	echo "$1 >= $2?"
	[ -n "$1" ] && [ -n "$2" ] && [ "$1" -ge "$2" ]
}

# The guest has touched all memory that it uses. In 5.10 several page tables may map one page: see
# docs/exact.md.
uses_what_is_mapped() {
	used=$(in_guest one used_memory) || return
	at_least "$(ours one mapped_bytes)" "$used" || return
	case ${vm_kernel-} in
	5.10*) ;;
	*) at_least $((192 << 20)) $(($(ours one mapped_bytes) - (1 << 20))) ;;
	esac
}

# An idle guest halts. Interrupts are printed, too, as each ends at most one halt.
halts_when_idle() {
	qmp one stop
	halts=$(ours one halts)
	qmp one cont
	interrupts=$(in_guest one "interrupts")
	in_guest one "sleep 4" || return
	interrupts=$(($(in_guest one "interrupts") - interrupts))
	halts=$(($(ours one halts) - halts))
	echo "$halts halts, $interrupts interrupts"
	[ "$halts" -gt 0 ]
}

# A busy guest works while its vCPUs are on pCPUs: on_cpu_ns has most of the time that it worked.
is_busy() {
	on=$(ours one on_cpu_ns)
	ticks=$(guest_ticks) || return
	in_guest one "busy 4" || return
	now=$(guest_ticks) || return
	on=$((($(ours one on_cpu_ns) - on) / 10000000))
	worked=$((${now% *} - ${ticks% *}))
	echo "on pCPUs for $on ticks, the guest worked for $worked and missed $((${now#* } - ${ticks#* }))"
	at_least "$worked" 1 && at_least $((on + 20)) $((worked * 8 / 10))
}

bytes_are_exits() {
	before_bytes=$(io_to_vmm one)
	in_guest one "bytes 1000" >/dev/null || return
	seen=$(($(io_to_vmm one) - before_bytes))
	echo "$seen exits for 1000 bytes on a serial line"
	at_least "$seen" 1000
}

# Print QEMU's query-stats of its vCPUs' exits, which it has from KVM. Their order varies.
query_stats() {
	qmp one stop >/dev/null
	qmp one query-stats '{"target":"vcpu","providers":[{"provider":"kvm","names":["exits","halt_exits"]}]}' \
		>"$vmm/one/query" || return
	theirs=$(jq -c '[.[].stats[] | select(.name == "exits") | .value] | sort' "$vmm/one/query")
	mine=$(stat one | jq -c '[.vcpus[].stats.exits] | sort')
	echo "# halts $(ours one halts), wakeups $(ours one wakeups_poll)+$(ours one wakeups_wait)," \
		"KVM's halt_exits $(jq -c '[.[].stats[] | select(.name == "halt_exits") | .value] | add' "$vmm/one/query")" >>"$vmm/notes"
	qmp one cont >/dev/null
	same "$mine" "$theirs"
}

make_guest
forget_kernel
life begin
need "QEMU with SeaBIOS starts a Linux guest" starts one
life boot
claim "the kernel says nothing" quiet_kernel
claim "list has its name" same one "$(kvmwatch list --json -p "$(pid_of one)" | jq -r .guest)"
claim "and two vCPUs" same 2 "$(kvmwatch list --json -p "$(pid_of one)" | jq .vcpus)"
claim "pages and exits are KVM's own, to the last one" agrees_with_kvm one
claim "the guest uses no memory that is not mapped" uses_what_is_mapped
life compared
claim "it halts when it has nothing to do" halts_when_idle
life idle
claim "it works when it is busy" is_busy
life busy
claim "it writes to 60 MiB" in_guest one "dirty 60"
claim "each byte on its serial line is an exit to QEMU" bytes_are_exits
claim "and what it uses is mapped" uses_what_is_mapped
claim "pages and exits still are KVM's" agrees_with_kvm one
case ${vm_kernel-} in
5.10*) skip "KVM has no stats fds here" "query-stats" ;;
*) claim "QEMU's query-stats has the exits of each vCPU" query_stats ;;
esac
claim "an audit agrees" audits_agree one
claim "the kernel says nothing of all that" quiet_kernel
life worked

claim "kvmwatch goes, and comes in the middle" comes_back one "dirty 20"
claim "it finds the name" same one "$(kvmwatch list --json -p "$(pid_of one)" | jq -r .guest)"
claim "the guest writes to 60 MiB again" in_guest one "dirty 60"
claim "pages are KVM's, and exits since then" agrees_with_kvm one
claim "each byte is an exit" bytes_are_exits
claim "an audit agrees, again" audits_agree one
life middle

[ -z "${vm_short-}" ] || {
	kill -9 "$(pid_of one)"
	claim "it is killed, and gone" eventually gone one
	claim "nobody is left" eventually nobody_listed
	claim "the kernel said nothing to the end" quiet_kernel
	life killed
	end_all
}
shown_name=two
need "another one starts" starts two
need "and one with the same name" starts three
claim "list has both" are_listed 2 two
claim "pages and exits of the first" agrees_with_kvm two
claim "and of the second" agrees_with_kvm three
life "two of one name"
kill -9 "$(pid_of two)"
claim "one is killed, and gone" eventually gone two
claim "list has one of them" eventually are_listed 1 two
life killed
begin one "poweroff -f"
claim "the first powers off" eventually gone one
qmp three quit >/dev/null
claim "the last one quits" eventually gone three
claim "nobody is left" eventually nobody_listed
claim "the kernel said nothing to the end" quiet_kernel
life ended
end_all
