#!/bin/sh
# kvmwatch export over HTTP, read by another program: it shows what stat shows, leaves out a VM that
# has ended, and goes on while the module is reloaded. The runner has loaded kvmwatch.
# shellcheck disable=SC2317 # what others call by its name
# shellcheck source=claims.sh
. ./claims.sh
has kvmwatch-exporter || skip_all "kvmwatch-exporter was not built: it needs libmicrohttpd-dev"
has wget || skip_all "wget is not installed"
[ -e /proc/net/tcp ] || skip_all "this kernel has no TCP"
[ "$MACHINE" != vm ] || ip link set lo up

log=/tmp/export.log
body=/tmp/export.body

listens() {
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' $log)
	[ -n "$port" ]
}

scrape() {
	wget -q -O $body "http://127.0.0.1:$port/metrics"
}

# The number of the sample whose line begins so.
sample() {
	scrape && grep -v '^#' $body | grep -F "$1" | sed 's/.* //'
}

vm_stat() {
	kvmwatch stat --csv -p "$guest" | csv '@object == "vm" && @stat == stat { print @value }' stat="$1" -
}

# A number is the same in both outputs, unless it has changed between them.
agrees() {
	before=$(vm_stat "$1")
	sample=$(sample "$2")
	[ "$before" = "$(vm_stat "$1")" ] && same "$before" "$sample"
}

# The label by which readers know that all counters began again
load() {
	scrape && sed -n 's/^kvmwatch_module_info{.*load="\([0-9a-f]*\)".*/\1/p' $body
}

is_another_load() {
	after=$(load)
	[ -n "$first" ] && [ -n "$after" ] && [ "$first" != "$after" ]
}

is_up() {
	prints "$1" sample kvmwatch_up
}

gone() {
	scrape && ! grep -q 'vm="exported"' $body
}

# On a kernel that was judged, whatever hooks it does not need
misses_no_hook() {
	scrape && grep -q '^kvmwatch_hook_attached{.*,reason=".*} 0$' $body &&
		grep -q '^kvmwatch_hook_ok{hook="exit"} 1$' $body &&
		! grep '^kvmwatch_hook_ok{.*} 0$' $body
}

in_background $log kvmwatch export -l 127.0.0.1:0
server=$!
claim "it listens" eventually listens
claim "and is up" is_up 1
claim "no hook is missing" misses_no_hook

cp "$(command -v guest_demo)" /tmp/qemu-export
in_background /tmp/demo.log /tmp/qemu-export -name exported --pages-4k 300 --pages-2m 1 \
	--dirty-rounds 2 --halts 5 --seconds "$long"
guest=$!
claim "a guest does its work" eventually grep -q "round 1 done" /tmp/demo.log
claim "and has its names" eventually says \
	"^kvmwatch_vm_info{vm=\"exported\",id=\"[0-9]*\",name=\"$guest-[0-9]*\",guest=\"exported\",pid=\"$guest\"" \
	sh -c "wget -q -O - http://127.0.0.1:$port/metrics"
while IFS=: read -r stat family labels; do
	claim "$stat is what stat has" eventually agrees "$stat" \
		"kvmwatch_$family{vm=\"exported\"$labels}"
done <<'END'
mapped_4k:vm_mapped_pages:,level="4k"
mapped_bytes:vm_mapped_bytes:
map_4k:vm_page_maps_total:,level="4k"
dirty_marks_new:vm_new_dirty_pages_total:
audits:vm_audits_total:
END
kill "$guest"
wait "$guest" 2>/dev/null
claim "a VM that ended is gone" eventually gone
first=$(load)
claim "a server that waits does not keep the module" rmmod kvmwatch
claim "without the module it is down" is_up 0
claim "and says what to do" grep -q 'kvmwatch_down_info{reason=".*insmod' $body
insmod "$KVMWATCH_KO" "$MODARGS"
claim "with it, up again" is_up 1
claim "a reader can tell that it was loaded again" is_another_load
kill "$server"
claim "a signal ends it" wait "$server"
echo "1..$nr"
