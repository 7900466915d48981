#!/bin/bash
# module/kernel/facts.sh: what does not compile does not hold, with gcc and with clang.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit

# More facts that do not hold than clang has errors before it ends by itself.
{
	echo '#define FACT(name, ...)	static inline void name(void) { __VA_ARGS__ }'
	echo 'struct task { int pid; } *current;'
	echo 'FACT(CONTROL_TRUE, (void)current->pid;)'
	for ((i = 0; i < 30; i++)); do
		echo "FACT(MEMBER_$i, current->member_$i = 0;)"
	done
	echo '#define EXPORTED(name, function)'
	echo 'EXPORTED(EXPORTED_THERE, there)'
	echo 'EXPORTED(EXPORTED_NOT, not_there)'
	echo '/* Two lines */'
	echo 'FACT(HOLDS,'
	echo '	(void)(current->pid + current->pid);)'
	echo 'FACT(SECOND_LINE, (void)current->pid;'
	echo '	(void)current->no;)'
	echo 'FACT(FUNCTION, no_such_function();)'
	echo 'FACT(CONTROL_FALSE, current->no_such_member = 0;)'
} >facts.in
printf '0x0\tnot_there_either\tvmlinux\tEXPORT_SYMBOL\n0x0\tthere\tvmlinux\tEXPORT_SYMBOL_GPL\n' \
	>Module.symvers
symvers=Module.symvers

facts() {
	"$top/module/kernel/facts.sh" facts.in facts.h "$symvers" "$@" -fsyntax-only -x c facts.in >log 2>&1
}

held() {
	sed -n 's/^#define KVMW_HAS_\([A-Z_0-9]*\) 1$/\1/p' facts.h | paste -sd ' '
}

echo "1..6"
facts gcc && [ "$(held)" = "CONTROL_TRUE HOLDS EXPORTED_THERE" ]
case_is $? "gcc tells which facts hold"
facts clang -ferror-limit=0 && [ "$(held)" = "CONTROL_TRUE HOLDS EXPORTED_THERE" ]
case_is $? "clang does, if it may tell all errors"
symvers=none
facts gcc && [ "$(held)" = "CONTROL_TRUE HOLDS" ]
case_is $? "without a Module.symvers nothing counts as exported"
rm facts.h
! facts clang && [ ! -e facts.h ] && grep -q "cannot tell" log
case_is $? "if it may not, there are no facts rather than wrong ones"
! facts gcc -include no-such-header.h && [ ! -e facts.h ]
case_is $? "headers that do not compile make no facts"
grep '^FACT(' "$top/module/kernel/facts.in" | tail -n 1 | grep -q '^FACT(CONTROL_FALSE,'
case_is $? "the module's last fact is the one that must not hold"
