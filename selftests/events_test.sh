#!/bin/sh
# Live views and trace-cmd on two guests with known, different work: each view shows exactly what
# its guest did, and nothing is left of the view at its end. The runner has loaded kvmwatch. Names
# of guests and views become variables with their pids.
# shellcheck disable=SC2016,SC2034,SC2154

instances=/sys/kernel/tracing/instances
# shellcheck source=claims.sh
. ./claims.sh
has trace-cmd || skip_all "trace-cmd is not installed"

exits_with() {
	status=$1
	shift
	"$@"
	[ $? = "$status" ]
}

count() {
	grep -c "$@" || :
}

# Rows of a view without its heading: all of them, those that an awk condition selects, or a sum.
rows() {
	sed 1d "/tmp/$1.csv" | wc -l
}

rows_with() {
	csv "($2) { n++ } END { print n + 0 }" "/tmp/$1.csv"
}

sum() {
	csv "($3) { n += $2 } END { print n + 0 }" "/tmp/$1.csv"
}

# Start a view under a name.
view() {
	name=$1
	shift
	rm -f "/tmp/$name.csv"
	kvmwatch "$@" --csv >"/tmp/$name.csv" 2>"/tmp/$name.err" &
	eval "$name=$!"
}

# A condition for csv(): the row is about one of the two guests.
of_both() {
	echo "(@vm == $(vm_id alice) || @vm == $(vm_id bob))"
}

has_begun() {
	grep -q time_ns "/tmp/$1.csv"
}

has_begun_or_ended() {
	eval "pid=\$$1"
	has_begun "$1" || ! kill -0 "$pid"
}

# Wait until views have recorded events. What a view that ended instead has said is shown.
attached() {
	for name; do
		eventually has_begun_or_ended "$name"
		has_begun "$name" || sed 's/^/# /' "/tmp/$name.err"
	done
}

# Number of rows that the condition selects.
views_now() {
	find $instances -maxdepth 1 -name 'kvmwatch-view-*' | wc -l
}

one_view() {
	[ "$(views_now)" = 1 ]
}

# End views, and wait for them.
finish() {
	for name; do
		eval "kill \$$name"
	done
	for name; do
		eval "wait \$$name; ${name}_code=\$?"
	done
}

start_guest() {
	name=$1
	shift
	start_demo "/tmp/$name.log" --name "$name" "$@"
	eval "$name=$!"
}

# Wait until a guest has done so many rounds of work, however long that takes. Otherwise the test
# would compare events that are not recorded yet. The runner limits the test's time.
has_done() {
	eval "pid=\$$1"
	until grep -q "round $2 done" "/tmp/$1.log"; do
		kill -0 "$pid" || return
		sleep 0.2
	done
}

# Save all numbers of both guests.
note() {
	kvmwatch stat --csv -p "$alice" >"/tmp/alice.$1"
	kvmwatch stat --csv -p "$bob" >"/tmp/bob.$1"
}

stat_at() {
	csv '@object == object && @stat == stat { print @value }' object="$3" stat="$4" "/tmp/$1.$2"
}

# By how much a number of a guest's object grew: grew alice vcpu0 halts
grew() {
	echo $(($(stat_at "$1" after "$2" "$3") - $(stat_at "$1" before "$2" "$3")))
}

vm_id() {
	csv 'NR == 2 { print @vm }' "/tmp/$1.before"
}

start_guest alice --vcpus 1 --exits 0 --pages-4k 300 --pages-2m 2 --dirty-rounds 2 --halts 30 --halt-us 10000
start_guest bob --vcpus 2 --exits 0 --pages-4k 500 --pages-2m 0 --dirty-rounds 3 --halts 50 --halt-us 10000
has_done alice 1
has_done bob 1

view halts_a wakeups -p "$alice"
view halts_b1 wakeups -p "$bob" -v 1
view halts wakeups
view polls haltpoll
view marks_a dirty -p "$alice"
view marks_b dirty -p "$bob" -S 0:1
view none dirty -p "$bob" -S 0
view taken collects -p "$bob"
attached halts_a halts_b1 halts polls marks_a marks_b none taken
claim "a running view has an instance" test "$(views_now)" = 8
note before
kill -USR1 "$alice" "$bob"
has_done alice 2
has_done bob 2
note after
finish halts_a halts_b1 halts polls marks_a marks_b none taken

claim "wakeups of a VM are all its halts" same "$(rows halts_a)" "$(grew alice vm halts)"
claim "and of no other VM" same "$(rows_with halts_a "@vm == $(vm_id alice) && @pid == $alice")" \
	"$(rows halts_a)"
claim "and it did some" test "$(rows halts_a)" -gt 0
claim "how many waited is what is counted" same "$(rows_with halts_a '@how == "wait"')" \
	"$(grew alice vm wakeups_wait)"
claim "how many were valid, too" same "$(rows_with halts_a '@valid == "true"')" \
	"$(grew alice vm wakeups_valid)"
# Each event's time is rounded down to a nanosecond, the vCPU's sum only once: sums_agree EVENTS'
# SUM NUMBER
sums_agree() {
	[ $(($2 - $1)) -ge -2 ] && [ $(($2 - $1)) -le $(($3 + 2)) ]
}
claim "they were halted as long together" sums_agree "$(sum halts_a @halted_ns 1)" \
	"$(grew alice vm halt_time_ns)" "$(rows halts_a)"
claim "wakeups of a vCPU are all its halts" same "$(rows halts_b1)" "$(grew bob vcpu1 halts)"
claim "and of no other vCPU" same "$(rows_with halts_b1 "@vm == $(vm_id bob) && @vcpu_id == 1")" \
	"$(rows halts_b1)"
for type in grow shrink; do
	claim "haltpoll has each $type of each VM" same "$(rows_with polls "@type == \"$type\" && $(of_both)")" \
		"$(($(grew alice vm halt_poll_$type) + $(grew bob vm halt_poll_$type)))"
done
claim "haltpoll has each change that KVM does not tell" \
	same "$(rows_with polls "(@type == \"reset\" || @type == \"clamp\") && $(of_both)")" \
	"$(($(grew alice vm halt_poll_silent) + $(grew bob vm halt_poll_silent)))"
claim "dirty has each mark of a VM" same "$(rows marks_a)" "$(grew alice vm dirty_marks)"
claim "which are those in KVM's dirty log" same "$(rows marks_a)" \
	"$(sed -n '/round 1 done/,$s/.*to [0-9]* pages, \([0-9]*\) in KVM.s dirty log/\1/p' /tmp/alice.log |
		awk '{ n += $1 } END { print n }')"
claim "each page twice, with its place in the slot" same 150 \
	"$(csv '@gfn == 262144 + @rel_gfn && @rel_gfn < 150 && @npages == 300 && @as_id == 0 && @slot == 1 { n[@gfn]++ }
		END { for (i in n) if (n[i] == 2) all++; print all + 0 }' /tmp/marks_a.csv)"
claim "dirty has each mark of a slot" same "$(rows marks_b)" "$(grew bob slot0-1 dirty_marks)"
claim "by the cause that is counted" same "$(rows_with marks_b '@cause == "fault"')" \
	"$(grew bob vm dirty_marks_fault)"
claim "of the VM that was asked for" same "$(rows_with marks_b "@vm == $(vm_id bob)")" 750
claim "and none of a slot that nobody logs" same "$(rows none)" 0
claim "collects has each request for the VM's logs" same "$(rows taken)" "$(grew bob vm dirty_collects)"
claim "which are those that the guest made" same \
	"$(rows_with taken '@how == "fetch" && @first == 0 && @npages == 500 && @as_id == 0 && @slot == 1')" 3
claim "wakeups of all VMs are the halts of all" same "$(rows_with halts "$(of_both)")" \
	"$(($(grew alice vm halts) + $(grew bob vm halts)))"
claim "in the order in which they happened, on whichever pCPU" \
	csv '@time_ns < last { exit 1 } { last = @time_ns }' /tmp/halts.csv
claim "threads have their names" same "$(rows_with halts_a '@comm == ""')" 0
claim "SIGTERM ends a view well" same "$halts_a_code $marks_a_code" "0 0"
claim "with a summary" grep -q "dirty: 300 events in .*, 0 lost" /tmp/marks_a.err
claim "and no instance is left" test "$(views_now)" = 0

# Compare reads of all objects with reads of each: which objects there are, with which statistics.
objects_of() {
	csv '(@vm == alice || @vm == bob) && @vm != "vm" { print @vm, @name, @object, @stat }' \
		alice="$(vm_id alice)" bob="$(vm_id bob)" - | sort -s -k 1,1n
}
kvmwatch stat --csv | objects_of >/tmp/all
cat /tmp/alice.after /tmp/bob.after | objects_of >/tmp/each
claim "stat of all VMs is stat of each" same "$(cat /tmp/all)" "$(cat /tmp/each)"

# Cause more events than the buffer holds, while nobody reads.
view slow dirty -b 8 -p "$bob"
attached slow
note before
kill -STOP "$slow"
kill -USR1 "$bob"
has_done bob 3
kill -CONT "$slow"
note after
finish slow
lost=$(sed -n 's/.* \([0-9]*\) lost$/\1/p' /tmp/slow.err)
claim "what finds no room is lost, and counted" test "$lost" -gt 0
claim "what is shown and what is lost are all there were" same "$(($(rows slow) + lost))" \
	"$(grew bob vm dirty_marks)"

# A view that was killed leaves its instance to the next view, which removes it.
view killed wakeups
view alive wakeups
attached killed alive
kill -9 "$killed"
wait "$killed" 2>/dev/null
view next wakeups
attached next
instances_of() {
	find $instances -maxdepth 1 -name "kvmwatch-view-$1-*" | wc -l
}
claim "a view removes the instance of one that was killed" same "$(instances_of "$killed")" 0
claim "and of no other one" same "$(instances_of "$alive")" 1
finish alive next

# Instances that look like a view's, but were made by others, and that nobody has locked.
others="kvmwatch-1 kvmwatch-mine kvmwatch-view-1 kvmwatch-view-1-0123456789abcde"
for other in $others; do
	mkdir "$instances/$other"
done
view next wakeups
attached next
finish next
left=
for other in $others; do
	left=$left${left:+ }$(basename "$(find $instances -maxdepth 1 -name "$other")")
	rmdir "$instances/$other"
done
claim "a view leaves instances of others alone" same "$left" "$others"

# Two programs with the same pid, as in two containers, each with a view.
for name in one other; do
	rm -f "/tmp/$name.csv"
	unshare -p -f kvmwatch wakeups --csv >"/tmp/$name.csv" 2>"/tmp/$name.err" &
	eval "$name=$!"
done
attached one other
claim "views of the same pid do not meet" same "$(instances_of 1)" 2
for pid in $(pidof kvmwatch); do
	kill "$pid"
done
wait "$one" "$other"
claim "and leave nothing" same "$(views_now)" 0
claim "having lost nothing" same 2 "$(cat /tmp/one.err /tmp/other.err | grep -c ' 0 lost$')"

claim "a view ends after --time, and its text has headings" \
	sh -c 'kvmwatch pages -t 0.1 >/tmp/text && grep -q "^ *TIME  *VM .*CAUSE" /tmp/text'
claim "an option that is none is wrong usage" exits_with 2 kvmwatch wakeups -i

# A recording has the names of all kernel symbols in it. Each report reads these, for seconds in an
# emulator, but kvmwatch's events need none.
grep kvmwatch /proc/kallsyms >/tmp/names
mount --bind /tmp/names /proc/kallsyms
trap 'umount /proc/kallsyms' EXIT

# trace-cmd, and the text of events in its report. On a busy machine trace-cmd may end before it has
# read all events that the kernel has recorded. In that case record again, as the first recording
# says nothing about kvmwatch. ("trace-cmd extract" does not help: it read 60 of 300 events.)
# An earlier trace-cmd may have left the kernel's buffer at 7 KB a CPU, and some kernels let it be.
echo 1408 >/sys/kernel/tracing/buffer_size_kb
not_read() {
	trace-cmd report --stat -i "$1" >/tmp/stat
	trace-cmd report -q -i "$1" | grep -c 'kvmwatch_' |
		awk 'NR == FNR { n -= $1; next } /^(entries|read events): / { n += $NF } END { print n }' \
			- /tmp/stat
}
for round in $(seq 3 14); do
	note before
	trace-cmd record -q -o /tmp/trace.dat -e kvmwatch:kvmwatch_dirty -f "vm == $(vm_id alice)" \
		-e kvmwatch:kvmwatch_halt -f "vm == $(vm_id bob) && vcpu == 1" sh -c "
		kill -USR1 $alice $bob
		until grep -q 'round $round done' /tmp/alice.log &&
			grep -q 'round $((round + 1)) done' /tmp/bob.log; do
			sleep 0.2
		done" >/dev/null 2>&1
	note after
	kvmwatch report /tmp/trace.dat >/dev/null 2>/tmp/lost.err
	lost=$(not_read /tmp/trace.dat)
	[ "$lost" != 0 ] || [ -s /tmp/lost.err ] || break
	# (Events for which the kernel's buffer had no room are lost, too. Only report shows that.)
	[ "$lost" = 0 ] ||
		claim "report says that trace-cmd has not read all" \
			grep -q "lost: $lost events" /tmp/lost.err
done
is_empty() {
	cat "$1"
	[ ! -s "$1" ]
}
claim "report says that nothing was lost, by saying nothing" is_empty /tmp/lost.err
trace-cmd report -q -i /tmp/trace.dat >/tmp/report 2>&1
claim "trace-cmd shows the marks of a VM by cause" same 300 \
	"$(count "kvmwatch_dirty: .* pid $alice vcpu 0 slot 0:1 .* cause fault" </tmp/report)"
claim "and the halts of a vCPU" same "$(grew bob vcpu1 halts)" \
	"$(count "kvmwatch_halt: .* pid $bob vcpu 1 ns [0-9]* [a-z]* valid" </tmp/report)"
claim "and nothing else, by the filters" same $((300 + $(grew bob vcpu1 halts))) \
	"$(count 'kvmwatch_' </tmp/report)"

# The plugin adds text in brackets to the events' own. (A CPU's number is in brackets too.)
pages_of_marks() {
	sed -n 's/.*rel_gfn \(0x[^ ]*\) .*addr \(0x[^ ]*\) .*\[page at \(0x[^ ]*\)]$/\1 \2 \3/p' \
		/tmp/report | while read -r rel addr page; do
		[ $((addr + rel * 4096)) = $((page)) ] && echo
	done | wc -l
}

claim "trace-cmd tells each mark's address in the VMM" same 300 "$(pages_of_marks)"
claim "and halts in readable time" same "$(grew bob vcpu1 halts)" \
	"$(awk '/_halt: / { for (i = 1; i < NF; i++) if ($i == "ns") ns = $(i + 1)
		    n = substr($(NF - 1), 2) * ($NF == "ns]" ? 1 : $NF == "us]" ? 1e3 : 1e6)
		    if (n > 0.99 * ns && n < 1.01 * ns) good++ } END { print good + 0 }' /tmp/report)"
trace-cmd report -q -N -i /tmp/trace.dat >/tmp/report.plain 2>&1
without_brackets() {
	sed 's/ \[[^]]*]$//' /tmp/report | cmp - /tmp/report.plain
}
claim "beside what the events say themselves" without_brackets

reported() {
	kvmwatch report "$@" /tmp/trace.dat >$said 2>&1
	count 'kvmwatch_' <$said
}

claim "report shows what was recorded" same "$(reported)" $((300 + $(grew bob vcpu1 halts)))
claim "of a VM by its pid" same "$(reported -p "pid:$alice")" 300
claim "or by its id, of a vCPU" same "$(reported -p "id:$(vm_id bob)" -v 1)" "$(grew bob vcpu1 halts)"
claim "of another vCPU there is nothing" same "$(reported -p "$bob" -v 0)" 0
claim "of a slot" same "$(reported -S 0:1)" 300
claim "of another slot there is nothing" same "$(reported -p "$alice" -S 2)" 0
claim "a name is not in the file, and it says so" \
	fails_with 2 "give its id or its pid" kvmwatch report -p alice /tmp/trace.dat

record_a_life() {
	trace-cmd record -q -o /tmp/life.dat -e kvmwatch:kvmwatch_slot -e kvmwatch:kvmwatch_map \
		-e kvmwatch:kvmwatch_unmap -e kvmwatch:kvmwatch_vcpu_load \
		-e kvmwatch:kvmwatch_vcpu_put guest_demo --exits 0 --pages-4k 8 --pages-2m 1 \
		--dirty-rounds 1 --halts 1 --seconds 0
	[ "$(not_read /tmp/life.dat)" = 0 ]
}
eventually record_a_life
huge='level 2m leaves 1 cause fault \[2.00 MiB, to gfn 0x801ff]$'
[ -d /sys/kernel/mm/transparent_hugepage ] ||	# the kernel has no such pages
	huge='level 4k leaves 1 cause fault \[4.00 KiB, to gfn 0x80000]$'
trace-cmd report -q -i /tmp/life.dat >/tmp/report 2>&1
for line in 'slot 0:1 create base_gfn 0x40000 npages 8 .* flags none \[32.0 KiB, to gfn 0x40007]$' \
	'slot 0:1 flags base_gfn 0x40000 .* flags log \[32.0 KiB, to gfn 0x40007]$' \
	"slot 0:2 gfn 0x80000 $huge" \
	'slot 0:1 gfn 0x40003 level 4k cause end \[4.00 KiB, to gfn 0x40003]$' \
	'pcpu [0-9]* off_ns [0-9]*.* \[[0-9.]* [mun]*s]$' \
	'pcpu [0-9]* on_ns [0-9]*.* \[[0-9.]* [mun]*s]$'; do
	claim "trace-cmd names and reckons: $line" grep -q "$line" /tmp/report
done

# A thread whose name would clear the screen, and a file with events that cannot be read.
evil=$(printf '/tmp/a\033[2Jb')
cp "$(command -v guest_demo)" "$evil"
record_evil() {
	trace-cmd record -q --compression none -o /tmp/evil.dat -e kvmwatch:kvmwatch_slot "$evil" --exits 0 \
		--pages-4k 8 --pages-2m 1 --dirty-rounds 1 --halts 1 --seconds 0
	[ "$(not_read /tmp/evil.dat)" = 0 ] && trace-cmd report -i /tmp/evil.dat | grep -q "$(printf 'a\033')"
}
claim "trace-cmd shows a thread's name as it is" eventually record_evil
kvmwatch report /tmp/evil.dat >/tmp/report 2>&1
claim "report does not" same "$(grep -c 'a?\[2Jb-' /tmp/report) $(grep -c "$(printf '\033')" /tmp/report)" \
	"$(count kvmwatch_slot </tmp/report) 0"
LC_ALL=C sed 's/REC->vm, REC->pid/REC?>vm, REC->pid/' /tmp/evil.dat >/tmp/broken.dat
trace-cmd report -i /tmp/broken.dat >/tmp/broken 2>/dev/null
if claim "libtraceevent complains of a format that it does not understand" \
	grep -q 'FAILED TO PARSE' /tmp/broken; then
	id=$(sed -n 's/.* vm=\([0-9]*\) .*/\1/p' /tmp/broken | sed -n 1p)
	kvmwatch report -p "id:$id" /tmp/broken.dat >/tmp/report 2>$said
	claim "report reads its fields" same "$(count kvmwatch_slot </tmp/report)" \
		"$(count kvmwatch_slot </tmp/broken)"
	kvmwatch report -p "id:$((id + 1))" /tmp/broken.dat >/tmp/report 2>$said
	claim "and knows that they are not another VM's" same "$? $(count . </tmp/report)" "0 0"
fi

# Another user traces in the kernel's first buffer. All of this is recorded while a guest lives.
tracing=/sys/kernel/tracing
echo 1 >$tracing/events/sched/sched_process_exit/enable
/bin/true
others() {
	echo "$(cat $tracing/events/sched/sched_process_exit/enable) $(grep -c 'comm=true ' $tracing/trace)"
}
before=$(others)
kvmwatch record -O /tmp/own.dat >/tmp/own.err 2>&1 &
recorder=$!
is_recording() {
	grep -q 1 $instances/kvmwatch-record-*/events/kvmwatch/enable
}
claim "record has an instance" eventually is_recording
guest_demo --exits 0 --pages-4k 8 --pages-2m 1 --dirty-rounds 1 --halts 1 --seconds 0 >/dev/null 2>&1
kill -INT $recorder
wait $recorder
claim "leaves nothing of it" same "$? $(find $instances -maxdepth 1 -name 'kvmwatch-record-*' | wc -l)" "0 0"
claim "and leaves what others trace alone" same "$(others)" "$before"
echo 0 >$tracing/events/sched/sched_process_exit/enable
kvmwatch report /tmp/own.dat >/tmp/report 2>$said
claim "report has what was recorded there" same "$(count 'slot 0:1 create ' </tmp/report)" 1
claim "without the instance's name" same "$(count kvmwatch-record </tmp/report)" 0
id=$(sed -n 's/.* vm \([0-9]*\) pid .* slot 0:1 create .*/\1/p' /tmp/report)
claim "and tells its VM from others" same "$(kvmwatch report -p "id:$id" /tmp/own.dat | count 'slot 0:1 create ')" 1

kvmwatch record -p "$bob" -v 1 -t 0.1 -O /tmp/bob.dat >$said 2>&1
claim "record has trace-cmd do it" kvmwatch report /tmp/bob.dat
claim "by the clock of the views" grep -q '\[mono\]' /tmp/bob.dat
claim "of another VM there is nothing to record" exits_with 1 kvmwatch record -p nobody

# The end of a VM: its mapped pages are unmapped.
view gone pages -p "$alice"
# A view in a mount namespace without debugfs.
rm -f /tmp/bare.csv
unshare -m sh -c "umount /sys/kernel/debug && exec kvmwatch pages --csv -p $bob" \
	>/tmp/bare.csv 2>/tmp/bare.err &
bare=$!
attached gone bare
note before
kill "$alice" "$bob"
wait "$alice" "$bob"
ended() {
	! kill -0 "$1"
}
claim "a view of a VM that ends, ends" eventually ended "$gone"
wait "$gone"
claim "well" same "$?" 0
claim "and says why" grep -q "$alice: this VM has ended" /tmp/gone.err
claim "before its summary" grep -q "pages: [1-9][0-9]* events in .*, 0 lost" /tmp/gone.err
claim "pages has all that goes with the VM" same "$(rows_with gone '@change == "unmap" && @level == "4k"')" \
	"$(stat_at alice before vm mapped_4k)"
claim "huge ones, too" same "$(rows_with gone '@change == "unmap" && @level == "2m"')" \
	"$(stat_at alice before vm mapped_2m)"
claim "because of its end" same "$(rows_with gone '@change == "unmap" && @cause == "end"')" \
	"$(rows_with gone '@change == "unmap"')"
claim "of this VM" same "$(rows_with gone "@vm == $(vm_id alice)")" "$(rows gone)"

claim "without debugfs a view of a VM that ends, ends" eventually ended "$bare"
wait "$bare"
claim "well, too" same "$?" 0
claim "and has all that goes with the VM" same "$(rows_with bare '@change == "unmap" && @level == "4k"')" \
	"$(stat_at bob before vm mapped_4k)"
claim "in time" same "$(grep -c 'this VM has ended' /tmp/bare.err)" 1

# The creation of a VM, after a view of all VMs has begun.
view born pages
attached born
start_guest carol --exits 0 --pages-4k 200 --pages-2m 3 --halts 1 --spin
has_done carol 1
kvmwatch stat --csv -p "$carol" >/tmp/carol.before
finish born
for level in 4k 2m; do
	claim "pages has each map of $level" same "$(stat_at carol before vm map_$level)" \
		"$(sum born @leaves "@change == \"map\" && @level == \"$level\" && @pid == $carol")"
done
claim "by page faults" test "$(rows_with born '@change == "map" && @cause == "fault"')" -ge 203

# A vCPU that is hardly ever put, or never.
eventually grep -q spins /tmp/carol.log
exact_is_known() {
	kvmwatch vcpu -p "$carol" -v 0 -i 0.5 -t 1 --csv | tee /tmp/exact.csv
	same 2 "$(csv '@on_min_ns > 0 && @on_min_ns <= @on_max_ns && @on_max_ns <= @window_ns && @exact == "true"' \
		/tmp/exact.csv | wc -l)"
}
claim "vcpu knows the stretches of a busy vCPU exactly" exact_is_known
claim "and none of a vCPU that is not there" same "$(kvmwatch vcpu -p "$carol" -v 1 --csv | wc -l)" 1
# Are there lines of CSV, all with exact=false, as they are made from counters alone?
none_exact() {
	csv '{ n++; other += @exact != "false" } END { exit !n || other }'
}
by_counters() {
	kvmwatch vcpu --counters -p "$carol" --csv | none_exact && same "$(views_now)" 0
}
claim "without tracing it says that it does not" by_counters
# A kernel that is locked down refuses tracing even to root.
refused() {
	mount -t tmpfs none /sys/kernel/tracing
	mkdir /sys/kernel/tracing/instances
	kvmwatch vcpu -p "$carol" --csv >/tmp/refused.csv 2>/tmp/refused.err
	went_on=$?
	kvmwatch vcpu -x -p "$carol" --csv 2>/dev/null
	insisted=$?
	umount /sys/kernel/tracing
	same "$went_on $insisted" "0 1" && grep -q 'MIN and MAX are bounds' /tmp/refused.err &&
		none_exact </tmp/refused.csv
}
claim "it goes on where the kernel refuses, but not when told to be exact" refused
# A signal, of either kind, ends the view at any interval.
ends_by() {
	signal=$1
	shift
	rm -f /tmp/busy.csv	# so that no lines of an earlier view are found
	kvmwatch vcpu -x "$@" --csv >/tmp/busy.csv 2>/tmp/busy.err &
	busy=$!
	eventually grep -q "^[0-9]" /tmp/busy.csv
	kill "-$signal" "$busy"
	wait "$busy"
	same "$? $(views_now)" "0 0"
}
for signal in INT TERM; do
	claim "vcpu -i 0.05 ends by SIG$signal and leaves nothing" ends_by $signal -i 0.05
done
# A reader of the view's output has stopped. The view must not wait for it.
mkfifo /tmp/stopped
# shellcheck disable=SC2217 # it is not to read
sleep "$long" </tmp/stopped &
reader=$!
kvmwatch vcpu -x -i 0.01 --json >/tmp/stopped 2>/tmp/busy.err &
busy=$!
waits_for_reader() {
	# The view is in write(2) to standard output, and still in the same call a second later. (On
	# 5.10, wchan does not show it.)
	at=$(grep "^1 0x1 " "/proc/$busy/syscall") && sleep 1 &&
		[ "$at" = "$(cat "/proc/$busy/syscall")" ]
}
eventually waits_for_reader
kill "$busy"
wait "$busy"
claim "a command whose output nobody reads ends by a signal" same "$? $(views_now)" "1 0"
claim "and says what is missing" grep -q "nobody read it any more" /tmp/busy.err
kill "$reader"
wait "$reader" 2>/dev/null
kvmwatch vcpu -x -i 100 --csv >/tmp/busy.csv 2>/tmp/busy.err &
busy=$!
eventually one_view
finish busy
claim "and ends well when it is interrupted" same "$busy_code $(views_now)" "0 0"
claim "with a summary" grep -q "vcpu: [0-9]* intervals in .* s, 0 events lost" /tmp/busy.err

view unloaded wakeups
attached unloaded
# The view opens the device for a moment, now and then.
claim "a view does not keep the module" eventually rmmod kvmwatch
wait "$unloaded"
claim "but ends with it" same "$?" 1
claim "and says so" grep -q "the module was unloaded" /tmp/unloaded.err
claim "and leaves nothing" test "$(views_now)" = 0
insmod "$KVMWATCH_KO" "$MODARGS"
kill "$carol"
echo "1..$nr"
