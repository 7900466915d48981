#!/bin/bash
# Completion in bash, zsh and fish: commands, options and what these take. Where kvmwatch would need
# the module, it is played: it records its arguments, and answers as it once did (unit/golden).
# shellcheck source=cases.sh disable=SC2016 # fish expands what is in quotes
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
log=$tmp/asked
mkdir "$tmp/bin" "$tmp/functions"
cat >"$tmp/bin/kvmwatch" <<END
#!/bin/sh
echo "kvmwatch \$*" >>"$log"
if [ "\$1" = list ] && [ "\$2" != --help ]; then
	cat "$top/selftests/unit/golden/list.csv"
else
	exec "$top/tools/kvmwatch" "\$@"
fi
END
chmod +x "$tmp/bin/kvmwatch"
ln -s "$top/tools/kvmwatch.zsh-completion" "$tmp/functions/_kvmwatch"
PATH=$tmp/bin:$PATH
. tools/kvmwatch.bash-completion

# A line, what its last word becomes, which stays if nothing is offered, and what that shows.
cases() {
	cat <<'END'
kvmwatch hal|haltpoll|a command is completed
kvmwatch help hal|haltpoll|so is one to be explained
kvmwatch stat -p |4242-5|a VM is completed to its name
kvmwatch stat |4242-5|so is one without an option before it
kvmwatch dirty --ho|--hot|options are completed
kvmwatch dirty --win|--win|but not those of dirty --hot
kvmwatch dirty --hot --wi|--windows|which has them
kvmwatch dirty -R --int|--interval|as dirty -R has its own
kvmwatch predict -H 5 --ban|--bandwidth|-H is a mode of dirty alone
kvmwatch list -o id,gue|id,guest|columns are completed, behind those that are there
kvmwatch dirty --hot --sort rel|rel_gfn|and for sorting
kvmwatch export --no|--no-vcpus|an option of two words
kvmwatch export --with ag|ag|a list that has no columns is not completed to columns
kvmwatch list -i --c|--c|a value that has to be typed is no option
kvmwatch list --log dkms.c|dkms.conf|a file is completed
kvmwatch report dkms.c|dkms.conf|so is one without an option before it
END
}

# Print the last word of each line of the input as it is after completion, in bash.
in_bash() {
	local line

	while read -r line; do
		# What is behind the last space is being typed, and may be nothing.
		mapfile -t -d ' ' COMP_WORDS < <(printf '%s' "${line%"|"}")
		[[ $line != *" |" ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		COMPREPLY=()
		_kvmwatch
		[ ${#COMPREPLY[@]} != 0 ] || COMPREPLY=("${COMP_WORDS[-1]}")
		echo "${COMPREPLY[*]}"
	done
}

in_zsh() {
	timeout 300 zsh -f selftests/host/completion.zsh "$tmp"
}

# fish also offers words that only resemble what was typed.
in_fish() {
	HOME=$tmp timeout 300 fish --no-config -c '
		source tools/kvmwatch.fish-completion
		while read -l line
			set line (string replace -r "\|\$" "" -- $line)
			set typed (string replace -r ".* " "" -- $line)
			set words (complete -C $line | string replace -r "\t.*" "")
			set words (string match -- "$typed*" $words); or set words $typed
			echo $words
		end'
}

# What a case prints when it has failed
seen() {
	cat "$tmp/err"
	echo "completed: $got"
}

# All lines in one shell
all_in() {
	local shell=$1 line expected what got

	if ! command -v "$shell" >/dev/null; then
		while IFS='|' read -r line expected what; do
			echo "ok $((++number)) $shell: $what # SKIP $shell is not installed"
		done < <(cases)
		return
	fi
	cases | sed 's/|.*/|/' | "in_$shell" >"$tmp/completed" 2>"$tmp/err"
	exec 3<"$tmp/completed"
	while IFS='|' read -r line expected what; do
		IFS= read -r got <&3
		[ "$got" = "$expected" ]
		case_is $? "$shell: $what"
	done < <(cases)
}

make -s -C tools >/dev/null || exit
echo "1..$((3 * $(cases | wc -l) + 1))"
for shell in bash zsh fish; do
	all_in "$shell"
done
# Without this option, list would measure the rates of logged VMs for a second.
grep '^kvmwatch list' "$log" | grep -v -e --help >"$tmp/err"
[ -s "$tmp/err" ] && ! grep -vx 'kvmwatch list --csv -i 0.001 -n 1' "$tmp/err"
case_is $? "no shell waits for a rate"
