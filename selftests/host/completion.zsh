# SPDX-License-Identifier: GPL-2.0
# For completion_test.sh: type each line of the input and a TAB into an interactive zsh, and print
# the last word that is there then. $1 is a directory, with functions/_kvmwatch.
zmodload zsh/zpty
dir=$1

type_in() {
	zpty -w $2 shell "$1"
}

# What the shell echoes must be read, or it stops.
answer() {
	local out i

	for ((i = 0; i < 600; i++)); do
		zpty -r -t shell out
		[[ ! -s $dir/line ]] || break
		sleep 0.05
	done
	cat $dir/line 2>/dev/null || echo "zsh does not answer"
	rm -f $dir/line
}

# Behind a word that is complete zsh puts a space or a comma.
zpty shell env TERM=dumb HOME=$dir zsh -f -i
type_in "unsetopt prompt_sp beep; fpath=($dir/functions \$fpath); autoload -U compinit; compinit -D -u"
type_in "print_line() {
	print -r -- \${\${BUFFER%[, ]}##* } >$dir/new; mv $dir/new $dir/line; BUFFER=; zle accept-line; }"
type_in "zle -N print_line; bindkey '^Xp' print_line"
while IFS= read -r line; do
	type_in "${line%\|}"$'\t' -n
	type_in $'\Cxp' -n
	answer
done
zpty -d shell
