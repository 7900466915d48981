#!/bin/sh
# kvmwatch dirty --hot and --rate on a real guest, which marks known pages a known number of times.
# The runner has loaded kvmwatch.
# shellcheck source=claims.sh
. ./claims.sh

refs() {
	cat /sys/module/kvmwatch/refcnt
}

open_for_hot() {
	for fd in "/proc/$1/fd/"*; do
		readlink "$fd"
	done 2>/dev/null | grep -q kvmwatch-heat
}

# Watch while the guest does one more round, then end it with a signal: hot SIGNAL OPTION...
hot() {
	signal=$1
	shift
	rounds=$(grep -c ': round [0-9]* done' /tmp/demo.log)
	in_background /tmp/hot.txt kvmwatch dirty --hot -t "$long" -p "$guest" "$@"
	watcher=$!
	eventually open_for_hot $watcher || return
	kill -USR1 "$guest"
	eventually grep -q ": round $((rounds + 1)) done" /tmp/demo.log || return
	sleep 0.5
	kill "-$signal" $watcher
	wait $watcher
}

intervals() {
	grep -c ',vm,' /tmp/rate.txt
}

more_intervals() {
	[ "$(intervals)" -ge "$1" ]
}

# Wait until an interval is complete that began after now. The first one shown may have been
# measured before, so wait for the third: then the second is complete.
intervals_end() {
	eventually more_intervals $(($(intervals) + 3))
}

# Watch rates while a guest does one more round: rate PID LOG
rate() {
	rounds=$(grep -c ': round [0-9]* done' "$2")
	in_background /tmp/rate.txt kvmwatch dirty --rate -i 0.5 -n 100000 -p "$1" --csv
	watcher=$!
	eventually grep -q ',vm,' /tmp/rate.txt || return
	kill -USR1 "$1"
	eventually grep -q ": round $((rounds + 1)) done" "$2" || return
	intervals_end
	kill $watcher
	wait $watcher 2>/dev/null
	return 0
}

# The sum of a column over all intervals: of_rate OF SLOT COLUMN
of_rate() {
	csv "@of == of && @slot == slot { sum += @$3 } END { print sum + 0 }" of="$1" slot="$2" \
		/tmp/rate.txt
}

# In each round the guest marks 64 pages, which are in the first log, then 32 of them four times
# more.
count_rows() {
	csv '@count == n { rows++ } END { print rows + 0 }' n="$1" /tmp/hot.txt
}

start_demo /tmp/demo.log --name hot --pages-4k 64 --pages-2m 0 --dirty-rounds 5 --keep-log \
	--halts 1 --exits 1
guest=$!
start_demo /tmp/cold.log --name cold --pages-4k 64 --pages-2m 0 --dirty-rounds 0 --halts 1 --exits 1
cold=$!
claim "the guests run" eventually grep -q "round 1 done" /tmp/demo.log
claim "and the other one" eventually grep -q "round 1 done" /tmp/cold.log

claim "SIGINT ends it well" hot INT --csv -T 100
claim "32 pages were in all five logs" same 32 "$(count_rows 5)"
claim "32 pages were in one" same 32 "$(count_rows 1)"
claim "there are no others" same 65 "$(wc -l </tmp/hot.txt)"
claim "the hottest is first" same "5 262144 0" \
	"$(csv 'NR == 2 { print @count, @gfn, @rel_gfn }' /tmp/hot.txt)"
claim "the coldest is last" same "1 262207 63" \
	"$(csv '{ last = @count " " @gfn " " @rel_gfn } END { print last }' /tmp/hot.txt)"
claim "SIGTERM, too" hot TERM --top 3
claim "the title has all marks" grep -q ": 192 marks of 64 pages in .*collected 5 times" /tmp/hot.txt
claim "and says what a mark is" grep -q "a mark is no write" /tmp/hot.txt
claim "the table has so many pages as asked for" same 3 "$(grep -c ' 0x4000[012] ' /tmp/hot.txt)"
claim "JSON is an object a line" hot INT --json --slot 1 -T 1
claim "with exact numbers" grep -q '^{.*"gfn": *262144, *"rel_gfn": *0,.*"slot": *1, *"count": *5, *"time_ns": *[0-9]*}$' \
	/tmp/hot.txt
claim "windows are printed" hot INT --windows --csv
# The windows that hold the whole round show 64 pages, if no window ended within it.
claim "no window has more pages than there are, some have some" \
	csv '@slot == "" && @pages != "" { if (@pages > 64) bad++; if (@pages > 0) some++ }
	     END { exit bad || !some }' /tmp/hot.txt

claim "rates are shown" rate "$guest" /tmp/demo.log
claim "they are of all marks of the VM" same "192 192" "$(of_rate vm '' marks) $(of_rate vm '' marks_new)"
claim "which are of its one logged slot" same "192 192" "$(of_rate slot 1 marks) $(of_rate slot 1 marks_new)"
claim "and of its one vCPU" same 192 "$(of_rate vcpu '' marks)"
claim "a slot that is not logged has none" \
	csv '@of == "slot" && @slot == 0 { rows++; bad += @pages_per_second != "" }
	     END { exit bad || !rows }' /tmp/rate.txt
claim "nor has a VM without" says " off .* off" kvmwatch dirty --rate -i 0.2 -n 1 -p "$cold"

# Slot 1 is 256 KiB of the guest's 368 KiB.
logged=memory,dirty_logging,dirty_logged_bytes,dirty_ring
rates=,dirty_pages,dirty_marks,dirty_window_ns,dirty_pages_per_second,dirty_marks_per_second,dirty_unknown
list_of() {
	kvmwatch list --csv --noheadings -p "$1" -o "$logged$2"
}
rate_of() {
	kvmwatch dirty --rate -i 0.2 -n 1 --csv -p "$1" | csv '@of == of { print @logged_bytes }' of="$2" -
}
claim "list says how much of a VM is logged" says " 256 KiB of 368 KiB .*B/s over .* s, in 256 KiB$" \
	kvmwatch list -p "$guest"
claim "and that it is a bitmap" same "376832,part,262144,false" "$(list_of "$guest")"
claim "a VM without logging has none of it logged" same "376832,off,0,false,,,,,,dirty logging is off" \
	"$(list_of "$cold" "$rates")"
claim "the rate of the VM says what it covers" same 262144 "$(rate_of "$guest" vm)"
claim "so does that of its vCPU" same 262144 "$(rate_of "$guest" vcpu)"
claim "and of its slots" same "0
262144" "$(rate_of "$guest" slot | sort -n | sed '/^$/d')"
claim "top says it too" says '"dirty_logged_bytes":262144,"dirty_marks_per_second":0,' \
	kvmwatch top --json -p "$guest" -i 0.2 -n 1

# A slot that is logged always, as those of QEMU's displays are, in a VM with dirty rings (not on 5.10).
start_demo /tmp/rings.log --name rings --pages-4k 64 --pages-2m 0 --dirty-rounds 5 --keep-log \
	--rings --halts 1 --exits 1
rings=$!
works_or_has_ended() {
	grep -q "round 1 done" /tmp/rings.log || ! kill -0 "$rings"
}
eventually works_or_has_ended
if grep -q "round 1 done" /tmp/rings.log; then
	claim "list says that a VM has rings" says " 256 KiB of 368 KiB (ring) .* marks/s over .* s, in 256 KiB$" \
		kvmwatch list -p "$rings"
	claim "in CSV too" same "376832,part,262144,true" "$(list_of "$rings")"
	claim "marks of rings are counted" rate "$rings" /tmp/rings.log
	claim "there are as many as the guest wrote" same 192 "$(of_rate vm '' marks)"
	claim "they have a rate of their own" csv '@of == "vm" { rows++; marks += @marks_per_second > 0
		new += @marks_new != "" || @pages_per_second != "" }
		END { exit new || !marks || !rows }' /tmp/rate.txt
fi
kill "$rings" 2>/dev/null
wait "$rings" 2>/dev/null

claim "what is not logged is unknown, not 0" says "unknown: dirty logging is off" \
	kvmwatch dirty --hot -t 0.1 -p "$cold"
claim "null in JSON" says '"count": *null' kvmwatch dirty --hot -t 0.1 -p "$cold" --json
claim "an unknown slot is an error" fails_with 1 "no slot 0:9" \
	kvmwatch dirty --hot -S 9 -t 0.1 -p "$cold"
claim "an address space that is none is wrong usage" fails_with 2 "address space" \
	kvmwatch dirty --hot -S x:1
# As on a machine without the program.
without_gnuplot() {
	env PATH=/nowhere "$(command -v kvmwatch)" "$@"
}
claim "without gnuplot it says what to install" fails_with 1 "apt install gnuplot-nox" \
	without_gnuplot dirty --hot -t 0.1 -p "$cold" --svg /tmp/map.svg
claim "and leaves no file" test ! -e /tmp/map.svg
echo mine >/tmp/mine.svg
mknod /tmp/null c 1 3
ln -s mine.svg /tmp/link.svg
claim "nor takes one away" fails_with 1 "apt install gnuplot-nox" \
	without_gnuplot dirty --hot -t 0.1 -p "$cold" --svg /tmp/mine.svg
claim "what a link leads to is left alone" fails_with 1 "no regular file" \
	without_gnuplot dirty --hot -t 0.1 -p "$cold" --svg /tmp/link.svg
claim "devices are, too" fails_with 1 "no regular file" \
	without_gnuplot dirty --hot -t 0.1 -p "$cold" --svg /tmp/null
all_are_there() {
	[ -c /tmp/null ] && [ "$(cat /tmp/link.svg)" = mine ] &&
		same "/tmp/link.svg /tmp/mine.svg" "$(echo /tmp/*.svg*)"
}
claim "all are what they were" all_are_there
claim "a picture is of one VM" fails_with 1 "one VM" kvmwatch dirty --hot -t 0.1 --svg /tmp/map.svg

in_background /tmp/hot.txt kvmwatch dirty --hot -t "$long" -p "$cold"
watcher=$!
claim "it counts" eventually open_for_hot $watcher
kill -9 $watcher
wait $watcher 2>/dev/null
claim "and leaves nothing when it is killed" same 0 "$(refs)"
kill "$guest" "$cold"
wait "$guest" "$cold" 2>/dev/null
echo "1..$nr"
