#!/bin/bash
# The exporter's page in a real browser, without a window: it shows all VMs, names stay text, and
# nothing violates the page's content security policy. Where npm has playwright-core, page_browser.js
# uses it by keyboard, in light and dark and on a phone. PICTURES=directory keeps screenshots.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
command -v chromium >/dev/null || {
	echo "1..0 # SKIP chromium is not installed"
	exit 4
}
vms=build/selftests/unit/many_vms
tmp=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; wait; rm -rf "$tmp"' EXIT

seen() {
	head -c 2000 "$tmp/dom"
	grep -i "console\|refused" "$tmp/err" | head
}

# browse OPTION...: for the time of three refreshes, with VM $vm shown
vm=
browse() {
	timeout 300 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$tmp/user" \
		--enable-logging=stderr --virtual-time-budget=8000 "$@" \
		"http://127.0.0.1:$port/$vm" 2>>"$tmp/err"
}

# Two refreshes with rates, and a line from one to the next.
is_drawn() {
	grep -q 'aria-label="CPU (solid) and delay (dashed), up to ' "$tmp/dom" &&
		[ "$(grep -oE '<polyline class="line[01]" points="[0-9., ]*' "$tmp/dom" |
			grep -cE '="[0-9.]+,[0-9.]+ [0-9.]+,[0-9.]+')" = 4 ]
}

make -s -C selftests unit >/dev/null || exit
: >"$tmp/server"
"$vms" 8 export -l 127.0.0.1:0 2>"$tmp/server" &
server=$!
for ((i = 0; i < 600; i++)); do
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$tmp/server")
	[ -z "$port" ] || break
	sleep 0.1
done
echo "1..10"
browse --dump-dom >"$tmp/dom"
[ "$(grep -o '<button[^>]*data-vm=' "$tmp/dom" | wc -l)" = 8 ]
case_is $? "each VM has a row"
! grep -q '<img' "$tmp/dom" && grep -q '&lt;img src=x onerror=alert(1)&gt;</button>' "$tmp/dom"
case_is $? "a name that looks like markup is text"
grep -q '1.00\? GiB' "$tmp/dom" || grep -q '1.0 GiB' "$tmp/dom"
case_is $? "numbers are there"
grep -q '<p id="banner" role="alert" hidden' "$tmp/dom"
case_is $? "no banner where all is well"
grep -q '<section id="detail" hidden' "$tmp/dom"
case_is $? "no VM is looked into where none is named"
vm='#many'
browse --dump-dom >"$tmp/dom"
grep -q '<section id="detail" aria' "$tmp/dom" && grep -q '<h2 id="detail-name">many</h2>' "$tmp/dom"
case_is $? "a VM that the address names is"
is_drawn
case_is $? "and its last looks are drawn"
vm='#%ff%3Cimg%20src=x%20onerror=alert(1)%3E'
browse --dump-dom >"$tmp/dom"
! grep -q '<img' "$tmp/dom" && [ "$(grep -o '<button[^>]*data-vm=' "$tmp/dom" | wc -l)" = 8 ]
case_is $? "one that is no text is none"
vm=
! grep -qiE 'Content Security Policy|Uncaught' "$tmp/err"
case_is $? "it loads what it may, and has no error"
if ! dir=$(selftests/vm/npm browser-1 playwright-core@1.65.1 axe-core@4.14 2>"$tmp/log"); then
	echo "ok 10 somebody can use it # SKIP playwright-core cannot be had"
	exit
fi
NODE_PATH=$dir/node_modules timeout 900 node selftests/host/page_browser.js \
	"http://127.0.0.1:$port/" "$server" "${PICTURES-}" >"$tmp/dom"
case_is $? "somebody can use it"
