#!/bin/bash
# What vm/tap makes of what VMs say: results, a table, and at the end what failed, and why.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

tap=$top/selftests/vm/tap
# What it is told, and what it makes of that.
told=$(mktemp) made=$(mktemp)
trap 'rm "$told" "$made"' EXIT

hear() {
	cat >"$told"
	"$tap" <"$told" >"$made"
	status=$?
}

seen() {
	cat "$made"
}

# Lines of it, one after another
says() {
	case $(cat "$made") in
	*"$1"*) return 0 ;;
	esac
	return 1
}

echo "1..13"
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
