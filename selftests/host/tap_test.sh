#!/bin/bash
# vm/tap's output for what VMs print: results, a table, and at the end each failure and its cause.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

tap=$top/selftests/vm/tap
# The input of tap, and its output.
told=$(mktemp) made=$(mktemp)
dir=$(mktemp -d)
trap 'rm -r "$told" "$made" "$dir"' EXIT
unset RESULTS_TO	# this test is a part of another run

hear() {
	cat >"$told"
	"$tap" <"$told" >"$made"
	status=$?
}

seen() {
	cat "$made"
}

# These lines are in the output, one after another.
says() {
	case $(cat "$made") in
	*"$1"*) return 0 ;;
	esac
	return 1
}

# What was written to a terminal: each line before the next one replaced it.
as_lines() {
	tr '\r' '\n' | sed 's/\x1b\[K//' | grep .
}

# The same, on a terminal with so many columns.
hear_on_terminal() {
	cat >"$told"
	script -qec "stty cols $1; TERM=xterm '$tap' <'$told'" /dev/null </dev/null | as_lines >"$made"
}

# End tap by a signal while it shows that a_test runs.
end_by_signal() {
	mkfifo "$dir/input"
	script -qefc "TERM=xterm '$tap' <'$dir/input' & echo \$! >'$dir/pid'; wait; echo the end" \
		/dev/null </dev/null >"$dir/screen" &
	exec 3>"$dir/input"
	echo "# == test a_test" >&3
	until grep -q 'a_test [0-9]' "$dir/screen"; do
		sleep 0.1
	done
	kill "$(cat "$dir/pid")"
	wait
	exec 3>&-
	as_lines <"$dir/screen" >"$made"
}

# Does a line match?
has_line() {
	grep -qxE "$1" "$made"
}

echo "1..20"
hear <<END
# == vm old
# == test a_test[old]
1..3
#  RUN           global.good ...
ok 1 global.good
#  RUN           global.bad ...
# a_test.c:7:bad:Expected 1 (1) == 2 (2)
not ok 2 global.bad
# == end 1
# == test b_test[old]
1..0 # SKIP there is no b
# == end 4
# == done 0
# == vm new
# == test b_test[new]
ok 1 before
# == end 0
# == test a_test[new]
1..2
ok 1 global.good
# == again the emulator aborted
# == test a_test[new]
1..2
ok 1 global.good
ok 2 global.better
# == end 0
# == done 0
END
[ "$status" = 1 ]
case_is $? "a failure is its exit status"
[ "$(tail -n 1 "$made")" = "5 passed, 2 failed, 1 skipped" ]
case_is $? "the last line is how many"
says "# a_test                 1/2/0        3/0/0"
case_is $? "a table has tests by VMs"
! says "the VM ended here" && ! says "no results"
case_is $? "a test in which the emulator crashed is run again, and those before it are not"
says "not ok 3 - a_test[old]: only 2 of 3 results"
case_is $? "a missing result is a failure"
says "# What failed:
#    RUN           global.bad ...
#   a_test.c:7:bad:Expected 1 (1) == 2 (2)
#   not ok 2 - a_test[old]: global.bad
#   not ok 3 - a_test[old]: only 2 of 3 results
#"
case_is $? "what failed comes once more at the end, with what was said, and no more than that"

hear <<END
# == vm old
# == test a_test[old]
ok 1 good
# kernel: BUG: it is
# == died the VM went down
END
says "#   kernel: BUG: it is
#   not ok 2 - a_test[old]: the VM ended here
#   not ok 3 - old: the VM went down"
case_is $? "what a VM died of is among it"

hear <<END
# == test a_test
not ok 1 - the shell's
# 'this' is not 'that'
ok 2 - good
# == end 1
not ok a_test: kernel: WARNING: so
# kernel: WARNING: so
# kernel: Call trace:
# == test b_test
ok 1 - good
# == end 0
END
says "# What failed:
#   not ok 1 - a_test: the shell's
#   'this' is not 'that'
#   not ok 3 - a_test: kernel: WARNING: so
#   kernel: WARNING: so
#   kernel: Call trace:
#"
case_is $? "what is said after a result belongs to it when it failed"

hear <<END
# == test a_test
ok 1 good
# == end 0
END
[ "$status" = 0 ] && ! says "What failed"
case_is $? "nothing is said of failures when there are none"

hear <<END
# == plan 2
@1 # == vm old
@1 # == test a_test[old]
@2 # == step build
@2 # cc: no such file
@1 #  RUN           global.good ...
@2 # == end 1
@1 ok 1 global.good
@1 # == end 0
@1 # == done 0
END
says "# cc: no such file
not ok 1 - build
ok 2 - a_test[old]: global.good" && ! says RUN && [ "$status" = 1 ]
case_is $? "jobs that speak at the same time are told apart, and what a good test said is not shown"

says "# What failed:
#   cc: no such file
#   not ok 1 - build
#"
case_is $? "a step that failed is shown with what it said"

hear </dev/null
[ "$status" = 1 ] && says "0 passed, 0 failed, 0 skipped"
case_is $? "that nothing ran is a failure"

for i in $(seq 200); do
	echo "# line $i"
	echo "not ok $i case $i"
done | hear
[ "$(sed -n '/^# What failed/,$p' "$made" | wc -l)" -lt 130 ] && says "# What failed, 8 of 200:"
case_is $? "of many failures it is the first ones"

jobs='# == plan 43
@1 # == test vcpu_test[6.1 ftrace]
@2 # == test mapped_test[6.1 ftrace]
@3 # == test top_test.sh
@1 ok 1 good'
hear_on_terminal 100 <<<"$jobs"
time='[0-9:]+ (s|min)'
has_line "\[0 of 43\] vcpu_test\[6.1 ftrace\] $time, mapped_test\[6.1 ftrace\] $time, top_test.sh $time"
case_is $? "on a terminal a line says how much is left, and what runs for how long"
hear_on_terminal 70 <<<"$jobs"
has_line "\[0 of 43\] vcpu\[6.1 ftrace\] $time, mapped\[6.1 ftrace\] $time, top $time"
case_is $? "in fewer words on a narrow one"
hear_on_terminal 50 <<<"$jobs"
has_line "\[0 of 43\] vcpu $time, mapped $time, top $time"
case_is $? "and fewer still"
hear_on_terminal 20 <<<"$jobs"
! grep '^\[' "$made" | grep -qE '.{20}' && [ "$(tail -n 1 "$made")" = "1 passed, 2 failed, 0 skipped" ]
case_is $? "never over its end, and nothing is left of it"
end_by_signal
! grep -qE 'a_test.*(the end|Terminated)' "$made" && has_line ".*the end"
case_is $? "nor when a signal ends it"

# What a run leaves in a file; the second one goes on in it.
RESULTS_TO=$dir/results RESULTS_OF="make matrix" hear <<END
# == vm old
# Linux 5.10.0
# == test a_test[old]
ok 1 good
not ok 2 bad
ok 3 # SKIP there is no b
# == end 1
# == done 0
END
RESULTS_TO=$dir/results RESULTS_OF="make unit" hear <<END
# == test b_test
ok 1 good
# == end 0
END
cat "$dir/results" >"$made"
says "
## make matrix

1 passed, 1 failed, 1 skipped in " && says "
| Linux 5.10.0 | old |
| --- | --- |
| a_test | 1/1/1 |

Failed:

* a_test[old]: bad

Skipped:

* there is no b
"
case_is $? "RESULTS_TO has a file of what ran, where, and how it ended"
says "
## make unit

1 passed, 0 failed, 0 skipped in " && [ "$(grep -c '^# Results of' "$made")" = 1 ]
case_is $? "the next run goes on in that file"
rm "$dir/results"
RESULTS_TO=$dir/results hear <<END
# == vm new
# == test c_test[new]
ok 1 good
# life: boot: 5 s
not ok 2 bad
ok 3 good
# life: at work: 17 s
ok 4 good
# == end 1
# == done 0
END
cat "$dir/results" >"$made"
says "
| life | new |
| --- | --- |
| c: boot | 5 s |
| c: at work | 1 failed, 17 s |
"
case_is $? "it has the lives that VMs were seen to go through, and how long they took"
