#!/bin/sh
# The command line tool on a real guest: its numbers are KVM's, in each format, and what it cannot
# know it does not show. The runner has loaded kvmwatch.
# shellcheck source=claims.sh
. ./claims.sh

# A number in the JSON of stat: the first of that name, which is the VM's.
json_stat() {
	kvmwatch stat --json -p "$guest" | sed -n "s/.*\"stats\":{[^}]*\"$1\":\([0-9]*\).*/\1/p" |
		sed -n 1p
}

vm_stat() {
	kvmwatch stat --csv -p "$guest" | csv '@object == "vm" && @stat == stat { print @value }' stat="$1" -
}

# Mapped pages as KVM counts them. 5.10 does not count: there it is $2, the pages that the guest
# touched.
kvm_pages() {
	cat "/sys/kernel/debug/kvm/$guest-"*"/$1" 2>/dev/null || echo "$2"
}

# One complete line of JSON, with the documented members in their order.
json_shape() {
	kvmwatch stat --json -p "$guest" | tee /tmp/tool.json
	[ "$(wc -l </tmp/tool.json)" = 1 ] && grep -qE \
		'^\{ *"id": *[0-9]+, *"name": *"[0-9]+-[0-9]+", *"pid": *[0-9]+, *"guest":.*"stats": *\{.*"vcpus": *\[ *\{ *"id":.*"vcpu_id":.*"tid":.*"stats":.*"slots": *\[ *\{ *"as_id": *0, *"id": *0, *"stats":.*\}$' \
		/tmp/tool.json
}

claim "no VM is no error" kvmwatch list
claim "an unknown command is wrong usage" fails_with 2 "no such command" kvmwatch frobnicate
claim "an unknown VM is an error" fails_with 1 "VM" kvmwatch stat -p 999999
claim "hooks tells where it is attached" says kvm_arch_vcpu_load kvmwatch hooks

start_demo /tmp/demo.log --name tool --pages-4k 1000 --pages-2m 4 --dirty-rounds 2 --halts 20
guest=$!

claim "the guest did its work" eventually grep -q "round 1 done" /tmp/demo.log
claim "list finds it by its pid" says "$guest-" kvmwatch list -p "$guest"
claim "audit agrees" says agrees kvmwatch audit
claim "a dirty rate without logging is unknown, not 0" \
	says "unknown: dirty logging is off" kvmwatch list -p "$guest"
claim "stat's mapped_4k is KVM's pages_4k" same "$(vm_stat mapped_4k)" "$(kvm_pages pages_4k 1028)"
claim "stat's mapped_2m is KVM's pages_2m" same "$(vm_stat mapped_2m)" "$(kvm_pages pages_2m 4)"
claim "JSON says what CSV says" same "$(json_stat loads)" "$(vm_stat loads)"
claim "stat --json has the promised shape" json_shape
claim "a slot without logging has no dirty_pages in JSON" \
	sh -c "! kvmwatch stat --json -p $guest | grep dirty_pages"
claim "stat names exit reasons" says "exit_reasons.*\(npf\|EPT_VIOLATION\): [1-9]" \
	kvmwatch stat -p "$guest"
claim "help shows what --help of a command shows" \
	same "$(kvmwatch dirty --rate --help)" "$(kvmwatch help dirty --rate)"
claim "exits names the processor's reasons" says "^kvm  *\(npf\|EPT_VIOLATION\) " \
	kvmwatch exits -p "$guest"
claim "exits names KVM's reasons" says "^user  *IO  *[0-9]" kvmwatch exits -p "$guest"
claim "exits has one line for all, with their time" same 2 \
	"$(kvmwatch exits --csv -p "$guest" | csv '@kind == "kvm" && @reason == "all" && @number == "" &&
		@count > 0 && @count_per_second != "" && @share == "" && @exit_time_ns > 0' | wc -l)"
claim "exits has the time of each reason, most first" same 0 \
	"$(kvmwatch exits --csv -p "$guest" | csv '
		@kind == "kvm" && @reason != "all" { bad += @object == was && @window_time_ns > last
			was = @object; last = @window_time_ns }
		@kind == "kvm" { bad += @exit_time_ns !~ /^[1-9]/ }
		END { print bad + 0 }')"
claim "exits' reasons add up to what stat says" same "$(vm_stat user_exits)" \
	"$(kvmwatch exits --csv -p "$guest" |
		csv '@object == "vm" && @kind == "user" && @reason != "all" { n += @count } END { print n }')"
claim "exits repeats" same 2 \
	"$(kvmwatch exits -i 0.1 -n 2 --csv -p "$guest" | grep -c ',vm,user,all,')"
claim "exits --json is an object a line" says '^{.*"reason": *"IO".*"count": *[1-9].*}$' \
	kvmwatch exits --json -p "$guest"
# The guest works once more between the two reads, and does nothing before and after.
since_saved() {
	kvmwatch exits --diff /tmp/exits.json --csv -p "$guest" |
		csv '@object == "vm" && @kind == "kvm" && (@reason == "all") == all { n += @window_count }
		     END { print n }' all="$1" -
}
kvmwatch exits --json -p "$guest" >/tmp/exits.json
exits_before=$(vm_stat exits)
kill -USR1 "$guest"
claim "the guest did its work again" eventually grep -q "round 2 done" /tmp/demo.log
exits_since=$(($(vm_stat exits) - exits_before))
claim "exits --diff has what came since the look that was saved" same $exits_since "$(since_saved 1)"
claim "and by reason it is the same" same $exits_since "$(since_saved 0)"
claim "what is no such look is refused" fails_with 1 "saves them" \
	kvmwatch exits --diff /tmp/demo.log -p "$guest"
top_mapped() {
	kvmwatch top "$@" -p "$guest" -i 0.1 -n 2
}
claim "top --json is an object a look" same 2 "$(top_mapped --json | grep -cE \
	"^\{\"time_ns\":[1-9][0-9]*,\"window_ns\":[1-9][0-9]*,\"vms\":\[\{\"id\":[^{]*\"pid\":$guest,[^{]*}]}$")"
claim "and knows what stat knows" same "$(vm_stat mapped_bytes)" \
	"$(top_mapped --csv -o id,mapped_bytes | sed -n '3s/.*,//p')"
# Reading the command line of one of the two VMMs blocks for ever, as of a stuck process. If a
# signal had to end list, its exit status would be 137.
cp "$(command -v guest_demo)" /tmp/qemu-demo
start_named() {
	in_background "/tmp/$1.log" /tmp/qemu-demo -name "$1" --pages-4k 1 --pages-2m 0 \
		--dirty-rounds 0 --halts 1 --seconds "$long"
}
start_named here
here=$!
start_named away
away=$!
claim "a guest runs whose command line can be read" eventually grep -q "round 1 done" /tmp/here.log
claim "and one whose cannot" eventually grep -q "round 1 done" /tmp/away.log
mkfifo /tmp/stuck
mount --bind /tmp/stuck "/proc/$away/cmdline"
list_names() {
	timeout -s KILL $((600 * times)) kvmwatch list --csv -o pid,guest | grep -E "^($here|$away)," | sort
}
# On a busy machine the other command line may also be read too late.
claim "list names the one and ends without the other" eventually prints \
	"$(printf '%s,here\n%s,\n' "$here" "$away" | sort)" list_names
umount "/proc/$away/cmdline"
claim "both are named when both can be read" eventually prints \
	"$(printf '%s,here\n%s,away\n' "$here" "$away" | sort)" list_names
kill "$here" "$away"
wait "$here" "$away" 2>/dev/null

kill "$guest"
wait "$guest" 2>/dev/null
claim "a VM that ended is an error" fails_with 1 "VM" kvmwatch stat -p "$guest"

# /dev/kvmwatch is for root only, unless the administrator changes that.
if [ "$MACHINE" = vm ]; then
	mkdir -p /etc
	echo nobody:x:65534:65534::/:/bin/sh >/etc/passwd
fi
tool=$(command -v kvmwatch)
claim "without the right to open the device it says what to do" fails_with 1 "run as root" \
	su -s /bin/sh nobody -c "$tool list"
chmod 666 /dev/kvmwatch
claim "and without CAP_PERFMON" fails_with 1 "CAP_PERFMON" \
	su -s /bin/sh nobody -c "$tool list"
claim "without the right to trace, record says so" fails_with 1 "no right to trace" \
	su -s /bin/sh nobody -c "$tool record -t 0.1 -O /tmp/none.dat"
chmod 600 /dev/kvmwatch

rmmod kvmwatch
claim "without the module it says what to do" fails_with 1 "insmod" kvmwatch list
insmod "$KVMWATCH_KO" "$MODARGS"
claim "hooks names what is not attached, and what to do" says "load_cost.*load_cost=1" \
	kvmwatch hooks
if ! is_ours; then
	skip "it unloads KVM: RUN_ALL=yes, where nobody else uses KVM" \
		"on a host without KVM it says so"
	echo "1..$nr"
	exit
fi
rmmod kvmwatch
vendor=$(sed -n 's/^\(kvm_[a-z]*\) .*/\1/p' /proc/modules | head -n 1)
rmmod "$vendor" kvm
insmod "$KVMWATCH_KO" "$MODARGS"
claim "on a host without KVM it says so" says "kvm.ko is not loaded" kvmwatch list
modprobe "$(echo "$vendor" | tr _ -)"
echo "1..$nr"
