#!/bin/bash
# Completion in bash: commands, options and names. Where kvmwatch would need the module, it is
# played: it records its arguments, and answers as it once did (unit/golden).
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
. tools/kvmwatch.bash-completion
log=$(mktemp)
trap 'rm -f "$log"' EXIT

seen() {
	cat "$log"
	echo "completed: ${COMPREPLY[*]}"
}

kvmwatch() {
	echo "kvmwatch $*" >>"$log"
	if [ "$1" = list ] && [ "$2" != --help ]; then
		cat selftests/unit/golden/list.csv
	else
		tools/kvmwatch "$@"
	fi
}

# What is offered for a line whose last word, which may be empty, is being typed.
complete_line() {
	: >"$log"
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_kvmwatch
}

completes_to() {
	[ "${COMPREPLY[*]}" = "$1" ]
}

has() {
	[[ " ${COMPREPLY[*]} " == *" $1 "* ]]
}

echo "1..10"
complete_line kvmwatch hal
completes_to haltpoll
case_is $? "a command is completed"
complete_line kvmwatch stat -p ""
completes_to 4242-5
case_is $? "a VM is completed to its name"
# Without this option, list would measure the rates of logged VMs for a second.
grep -qx 'kvmwatch list --csv -i 0.001 -n 1' "$log"
case_is $? "without waiting for a rate"
complete_line kvmwatch stat ""
completes_to 4242-5
case_is $? "so is one without an option before it"
complete_line kvmwatch dirty --
has --hot && has --slot && ! has --windows
case_is $? "options are completed"
complete_line kvmwatch dirty --hot --
has --windows && ! has --rate
case_is $? "those of dirty --hot"
complete_line kvmwatch dirty -R --
has --interval && ! has --slot
case_is $? "and of dirty -R"
complete_line kvmwatch list -o id,gue
completes_to id,guest
case_is $? "columns are completed, behind those that are there"
complete_line kvmwatch dirty --hot --sort rel
completes_to rel_gfn
case_is $? "and for sorting"
complete_line kvmwatch export --no
completes_to --no-vcpus
case_is $? "an option of two words"
