#!/bin/sh
# kvmwatch top on a terminal's screen, driven by tmux: what it shows, what keys do, and that it goes
# on when the VM that it shows, or the module, is gone. The runner has loaded kvmwatch.
# shellcheck disable=SC2317 # what others call by its name
export LC_ALL=C.UTF-8 TERM=linux
echo 'set -g default-terminal screen' >/tmp/tmux.conf

# shellcheck source=claims.sh
. ./claims.sh
has tmux || skip_all "tmux is not installed"
is_quiet || skip_all "it counts all VMs: end all other VMs first"

ok() {
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		echo "not ok $nr $2"
		screen | sed 's/^/# |/'
		finish
	fi
}

# Each step needs the one before it.
finish() {
	tmux kill-server 2>/dev/null
	for guest in $small $large $utf8 $colour; do
		kill "$guest" 2>/dev/null
	done
	[ -d /sys/module/kvmwatch ] || insmod "$KVMWATCH_KO" "$MODARGS"
	echo "1..$nr"
	exit
}

screen() {
	tmux capture-pane -p
}

keys() {
	tmux send-keys "$@"
}

on_screen() {
	screen | grep -q -e "$1"
}

# Does a matching line appear within some time?
sees() {
	eventually on_screen "$1"
}

shows() {
	sees "$1"
	ok $? "$2"
}

# A screen without the column MAPPED, but with another one.
has_no_mapped() {
	screen >/tmp/columns
	grep -q "OF MEMORY" /tmp/columns && ! grep -q " MAPPED" /tmp/columns
}

# Which of two names is in the higher row?
is_above() {
	screen | awk -v a="$1" -v b="$2" 'index($0, a) { x = NR } index($0, b) { y = NR }
		END { exit !(x && y && x < y) }'
}

# Of a huge page, a guest maps only a small one where the host gives no huge pages.
start_guest() {
	start_demo /tmp/"$1".log --name "$1" --pages-4k "$2" --pages-2m 0 --dirty-rounds 1
}

is_ready() {
	kvmwatch list --csv -p "$1" 2>/dev/null | grep -q , && grep -q "1 done" /tmp/"$2".log
}

ready() {
	eventually is_ready "$1" "$2"
}

# Start one after the other, so that "small" comes first where both are equal.
start_guest small 100
small=$!
ready "$small" small
start_guest large 2000
large=$!
ready "$large" large

tmux -f /tmp/tmux.conf new-session -d -x 80 -y 24 'kvmwatch top -i 0.5; echo "top ended $?"; sleep 1000'
shows "^kvmwatch top - 2 VMs, every 0.5 s, by CPU" "top shows how many VMs there are"
shows "^ *ID NAME  *CPU  *MAPPED  *OF MEMORY  *HALTED  *DIRTY" "it has the columns that fit 80 letters"
shows "^ *[0-9]* $small-[0-9]* .*%.*%" "it has a line for each VM"
shows "^ *[0-9]* $large-[0-9]* " "it has a line for the other VM"
[ "$(screen | awk 'length > 80' | wc -l)" = 0 ]
ok $? "no line is longer than the screen"
[ "$(screen | wc -l)" -le 24 ]
ok $? "no more lines than the screen has"
shows "$large-[0-9]* .*####.*100.0%" "a bar shows the mapped share"

# CPU, MAPPED
keys '>'
shows "by MAPPED" "> sorts by the next column"
eventually is_above "$large-" "$small-"
ok $? "the VM that has more mapped is above"
keys r
shows "by MAPPED (reversed)" "r sorts the other way round"
eventually is_above "$small-" "$large-"
ok $? "the VM that has less mapped is above"
keys h
eventually has_no_mapped
ok $? "h hides a column"
keys H
shows "  MAPPED  " "H shows it again"

tmux resize-window -x 160 -y 12
shows "OF MEMORY.*GUEST.*DELAY.*TO VMM.*VCPUS.*PID" "a wider screen has more columns"
shows "$large-.* \[guest_demo\] .* $large " "among them program and pid"
tmux resize-window -x 40 -y 8
shows "^ *ID NAME  *CPU  *MAPPED  *>" "a small one has less, and says so"
tmux resize-window -x 80 -y 24
shows "OF MEMORY" "and back"

# The bar is on the first VM, "small".
keys Enter
shows "VM [0-9]* ($small-[0-9]*): 1 vCPU" "Enter shows the vCPUs of a VM"
shows "^ *0  *[1-9][0-9]*  *[01] .*%.*%.*%" "with their threads"
keys Escape
shows "2 VMs" "Escape goes back"
keys s
shows "VM [0-9]* ($small-[0-9]*): [2-9] slots" "s shows the slots of a VM"
shows "^ *0:1  *0x40000000 .*100.0%" "with their addresses and mapped share"
kill "$small"
wait "$small" 2>/dev/null
shows "VM [0-9]* ($small-[0-9]*) has ended" "top says that the VM has ended"
shows "1 VM, every" "and those left are shown"

rmmod kvmwatch
ok $? "nobody who watches keeps the module from going"
shows "the module is not loaded; load it" "top says that the module is gone"
tmux resize-window -x 40 -y 24
shows "^modprobe kvmwatch" "and all of what to do, on a narrow screen too"
shows "^kvmwatch top - 0 VMs" "below the title, which is one line"
tmux resize-window -x 80 -y 24
insmod "$KVMWATCH_KO" "$MODARGS"
shows "$large-[0-9]* .*####.*100.0%" "it goes on when the module is back"
kill "$large"
wait "$large" 2>/dev/null
shows "no VM runs here now" "top says that there is no VM"
keys q
shows "^top ended 0" "q ends it"
tmux kill-server

# A name in UTF-8, in a locale that lacks such letters, and in one that has them.
cp "$(command -v guest_demo)" /tmp/qemu-demo
in_background /tmp/utf8.log \
	/tmp/qemu-demo -name gäst --pages-4k 100 --dirty-rounds 1 --seconds "$long"
utf8=$!
ready "$utf8" utf8
tmux -f /tmp/tmux.conf new-session -d -x 160 -y 24 'LC_ALL=C kvmwatch top -i 0.5'
shows ' g\\xc3\\xa4st ' "LC_ALL=C shows a name's bytes that are no letters there"
tmux kill-server
tmux -f /tmp/tmux.conf new-session -d -x 160 -y 24 'kvmwatch top -i 0.5'
shows ' gäst ' "a UTF-8 locale shows its letters"
tmux kill-server
kill "$utf8"
wait "$utf8" 2>/dev/null

tmux -f /tmp/tmux.conf new-session -d -x 80 -y 24 'TERM=dumb kvmwatch top; echo "top ended $?"; sleep 1000'
shows "cannot place the cursor; set TERM" "top refuses a terminal without a cursor"
shows "^top ended 1" "and top ends"
tmux kill-server

# No colours if the user wants none, or if there is no terminal.
start_guest colour 100
colour=$!
ready "$colour" colour
look_at_colours() {
	tmux -f /tmp/tmux.conf new-session -d -x 80 -y 24 "$1 kvmwatch top -i 0.5"
	sees "$colour-[0-9]* .*####.*100.0%"	# a bar, in colour if there are colours
	tmux capture-pane -p -e | grep -c '\[32m'
	tmux kill-server
}
[ "$(look_at_colours '')" -gt 0 ]
ok $? "bars have a colour"
[ "$(look_at_colours NO_COLOR=1)" = 0 ]
ok $? "with NO_COLOR they have none"
kvmwatch top </dev/null 2>&1 | grep -q "needs a terminal"
ok $? "without a terminal it says what to use"
[ "$(kvmwatch stat -p "$colour" | grep -c "$(printf '\033')")" = 0 ]
ok $? "there is no colour in pipes"
finish
