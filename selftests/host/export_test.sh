#!/bin/bash
# kvmwatch export: Prometheus's own tools check its output, clients that behave and others ask over
# HTTP, and it writes into a file. The device is played (unit/many_vms), and its guests have hostile
# names.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
vms=build/selftests/unit/many_vms
groups=ages,costs,exits,histograms,last-cpu,off-cpu,peaks,rings,slots,wakeups
tmp=$(mktemp -d)
pids=()
# A signal asks the server to end. It ends by itself then.
trap 'kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$tmp"' EXIT

seen() {
	tail -n 5 "$tmp/log"
}

# Run it with Debian's python, which has Debian's modules.
client() {
	/usr/bin/python3 selftests/host/export_clients.py "$@"
}

# A result of a command: try WHAT COMMAND...
# Sets $port and $server: serve LOG NUMBER OPTION...
serve() {
	local log=$1 number=$2 i

	shift 2
	: >"$log"
	"$vms" "$number" export "$@" 2>"$log" &
	server=$!
	pids+=("$server")
	for ((i = 0; i < 600; i++)); do
		port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$log")
		[ -z "$port" ] || return 0
		sleep 0.1
	done
	cat "$log"
	return 1
}

promtool_accepts() {
	"$vms" "$@" >"$tmp/out" 2>/dev/null
	[ -s "$tmp/out" ] || return
	"$promtool" check metrics <"$tmp/out" >"$tmp/said" 2>&1 && [ ! -s "$tmp/said" ] && return
	cat "$tmp/said"
	return 1
}

keeps_to_openmetrics() {
	"$vms" 9 export --once -O -w $groups 2>/dev/null | client openmetrics
}

has_what_stat_has() {
	"$vms" 20 stat --json >"$tmp/stat" 2>/dev/null
	"$vms" 20 export --once 2>/dev/null | client same "$tmp/stat"
}

# No guest's name has made a line of its own.
names_make_no_lines() {
	"$vms" 20 export --once 2>/dev/null >"$tmp/out"
	[ "$(grep -c '^kvmwatch_up ' "$tmp/out")" = 1 ] && [ "$(grep -c '^kvmwatch_vm_vcpus{' "$tmp/out")" = 20 ] &&
		[ "$(grep '^kvmwatch_vm_vcpus{' "$tmp/out" | sort -u | wc -l)" = 20 ] &&
		! grep -q '[[:cntrl:]]' "$tmp/out"
}

# 1,000 VMs of 4 vCPUs. docs/exporter.md has these numbers.
is_bounded() {
	local series bytes compressed rest

	client cost "$port" "$server" >"$tmp/cost" || return
	cat "$tmp/cost"
	read -r series bytes compressed rest <"$tmp/cost"
	[ "$series" -lt 190000 ] && [ "$bytes" -lt 18000000 ] && [ "$compressed" -lt 1000000 ]
}

# A busy host lets the server wait. That makes no answer older.
is_fresh() {
	export SLOW_MS=300
	serve "$tmp/server" 8 -l 127.0.0.1:0
	unset SLOW_MS
	client fresh "$port"
}

families() {
	"$vms" 2 export --once "$@" 2>/dev/null |
		sed -n 's/^# TYPE kvmwatch_\([a-z_]*\) .*/\1/p' | sed 's/_total$//' | sort -u
}

# Each family of the output is in the document: by its name, one of VMs and vCPUs as ..._NAME, and a
# VM's sum of what vCPUs have (--no-vcpus) under the vCPUs' name.
is_documented() {
	local name

	families -w $groups >"$tmp/all"
	while read -r name; do
		grep -q "\`$name\`" docs/exporter.md ||
			grep -q "\`\.\.\._${name#v*_}\`" docs/exporter.md || echo "$name"
	done <"$tmp/all" | grep . && return 1
	families -V | comm -13 "$tmp/all" - | while read -r name; do
		grep -q "\`vcpu_${name#vm_}\`" docs/exporter.md || echo "$name"
	done | grep . && return 1
	[ -s "$tmp/all" ]
}

refuses() {
	[ "$(client status "$port" "$@")" = "$expected" ]
}

# The greatest memory use of the server, in KiB.
took_at_most() {
	local kb

	kb=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$server/status")
	echo "$kb KiB"
	[ "$kb" -lt "$1" ]
}

ends_by_signal() {
	kill "$server"
	wait "$server"
}

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj "/CN=$1" -addext subjectAltName=IP:127.0.0.1 -keyout "$tmp/$1.key" \
		-out "$tmp/$1.pem" 2>"$tmp/log"
}

# A certificate NAME that CA has signed: signed NAME CA DAYS PURPOSE
signed() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
		-keyout "$tmp/$1.key" -out "$tmp/$1.csr" 2>"$tmp/log" &&
		openssl x509 -req -in "$tmp/$1.csr" -CA "$tmp/$2.pem" -CAkey "$tmp/$2.key" \
			-CAcreateserial -days "$3" -out "$tmp/$1.pem" \
			-extfile <(echo "extendedKeyUsage=$4") 2>"$tmp/log"
}

# shows CERTIFICATE STATUS
shows() {
	[ "$(client tls "$port" "$tmp/server.pem" "$tmp/$1.pem" "$tmp/$1.key")" = "$2" ]
}

# What the same authority has signed for a server, or for a time that is over, is no client's.
only_valid_clients() {
	signed good client 2 clientAuth && signed server2 client 2 serverAuth &&
		signed expired client -1 clientAuth &&
		shows good 200 && shows server2 403 && shows expired 403
}

# With a certificate that the server accepts, with none, and with another one.
only_known_clients() {
	[ "$(client tls "$port" "$tmp/server.pem" "$tmp/client.pem" "$tmp/client.key")" = 200 ] &&
		[ "$(client tls "$port" "$tmp/server.pem")" = 403 ] &&
		[ "$(client tls "$port" "$tmp/server.pem" "$tmp/other.pem" "$tmp/other.key")" = 403 ]
}

# A reader of the file, at any time, finds it complete.
file_is_whole() {
	local file=$tmp/dir/kvmwatch.prom writer i

	mkdir "$tmp/dir"
	"$vms" 50 export --textfile "$file" -i 0.01 2>/dev/null &
	writer=$!
	for ((i = 0; i < 600; i++)); do
		[ ! -e "$file" ] || break
		sleep 0.1
	done
	for ((i = 0; i < 20; i++)); do
		tail -n 1 "$file" | grep -q '^kvmwatch_scrape_duration_seconds ' || break
	done
	kill "$writer"
	wait "$writer"
	[ $i = 20 ] && [ "$(ls "$tmp/dir")" = kvmwatch.prom ] && [ "$(stat -c %a "$file")" = 644 ]
}

unix_socket() {
	local path=$tmp/socket

	"$vms" 2 export -l "unix:$path" 2>"$tmp/unix" &
	server=$!
	pids+=("$server")
	for ((i = 0; i < 600; i++)); do
		! grep -q listening "$tmp/unix" || break
		sleep 0.1
	done
	[ "$(stat -c %a "$path")" = 660 ] || return
	/usr/bin/python3 - "$path" <<'END' | grep -q '^kvmwatch_up 1' || return
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
while True:
    data = s.recv(65536)
    if not data:
        break
    sys.stdout.write(data.decode())
END
	kill "$server"
	wait "$server"
	[ ! -e "$path" ]
}

refuses_second_host() {
	printf '%s\r\n' "GET /metrics HTTP/1.1" "Host: 127.0.0.1" "Host: rebound.example" "" |
		client raw "$port" | grep -qx 403
}

# As systemd starts it: handed_over [OPTION...]
handed_over() {
	/usr/bin/python3 - "$vms" "$@" 2>"$tmp/handed" <<'END'
import os, socket, sys
s = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(s.getsockname())
client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
pid = os.fork()
if not pid:
    os.dup2(s.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    os.execv(sys.argv[1], [sys.argv[1], "2", "export"] + sys.argv[2:])
s.close()
client.settimeout(60)
data = b""
while b"scrape_duration_seconds " not in data:
    more = client.recv(65536)
    if not more:
        sys.exit("it has ended: " + data.decode())
    data += more
os.kill(pid, 15)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
END
}

# A real Prometheus scrapes it, and has its numbers.
prometheus_reads() {
	local web i

	cat >"$tmp/prometheus.yml" <<-END
		global: { scrape_interval: 1s }
		scrape_configs:
		  - job_name: kvmwatch
		    static_configs: [ { targets: [ "127.0.0.1:$port" ] } ]
	END
	"$dir/prometheus" --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/tsdb" \
		--web.listen-address=127.0.0.1:0 2>"$tmp/prometheus" &
	pids+=($!)
	for ((i = 0; i < 600; i++)); do
		web=$(sed -n 's/.*Listening on.* address=127.0.0.1:\([0-9]*\).*/\1/p' "$tmp/prometheus")
		[ -z "$web" ] || break
		sleep 0.1
	done
	[ "$(client query "$web" 'count(kvmwatch_vm_mapped_bytes)')" = 8 ] &&
		[ "$(client query "$web" 'sum(kvmwatch_vm_memory_bytes)')" = 8589934592 ] &&
		[ "$(client query "$web" 'count(kvmwatch_vcpu_loads_total * on(job, instance, vm) group_left(pid) kvmwatch_vm_info)')" = 32 ]
}

make -s -C selftests unit >/dev/null || exit
echo "1..32"
if dir=$(selftests/vm/prometheus 2>"$tmp/log"); then
	promtool=$dir/promtool
	try "promtool finds nothing wrong" promtool_accepts 9 export --once
	try "nor with all that there is" promtool_accepts 9 export --once -w $groups
	try "nor without vCPUs" promtool_accepts 9 export --once --no-vcpus
else
	for what in "promtool finds nothing wrong" "nor with all that there is" "nor without vCPUs"; do
		number=$((number + 1))
		echo "ok $number $what # SKIP prometheus cannot be had"
	done
fi
try "another parser of OpenMetrics takes it" keeps_to_openmetrics
try "it has the numbers that stat has" has_what_stat_has
try "guest names make no lines, and are different" names_make_no_lines
try "all of it is in docs/exporter.md" is_documented
try "what the server waits for makes no answer older" is_fresh
try "a file is written as a whole" file_is_whole
try "a socket in the file system serves, and goes at the end" unix_socket
try "a socket that systemd hands over serves" handed_over
try "also beside another address" handed_over -l "unix:$tmp/beside"

serve "$tmp/server" 8 -l 127.0.0.1:0 --host kvm7.example
if [ -n "${promtool-}" ]; then
	try "a Prometheus reads it" prometheus_reads
else
	number=$((number + 1))
	echo "ok $number a Prometheus reads it # SKIP prometheus cannot be had"
fi
expected=200
try "a host by its name is served" refuses /metrics GET "Host: kvm7.example:80"
try "the page is there" refuses / GET
expected=403
try "another name is not served" refuses /metrics GET "Host: rebound.example"
try "nor behind one that is" refuses_second_host
expected=404
try "another path is not there" refuses /../etc/passwd GET
expected=405
try "other methods are refused" refuses /metrics POST
try "a signal ends it" ends_by_signal

serve "$tmp/server" 1000 -l 127.0.0.1:0
try "1,000 VMs take so many series and bytes" is_bounded
try "a client has all of 1,000 VMs" client bad "$port" aborted
for kind in half dribble unread garbage odd; do
	try "clients that are bad harm no other: $kind" client bad "$port" $kind
done
try "nor take much memory" took_at_most 500000
try "and it ends" ends_by_signal

if certificate server && certificate client && certificate other; then
	serve "$tmp/server" 2 -l 127.0.0.1:0 -C "$tmp/server.pem" -K "$tmp/server.key"
	try "TLS" client tls "$port" "$tmp/server.pem"
	serve "$tmp/server" 2 -l 127.0.0.1:0 -C "$tmp/server.pem" -K "$tmp/server.key" \
		-A "$tmp/client.pem"
	try "with --client-ca only to clients that are known" only_known_clients
	try "and whose certificate is for clients, and not expired" only_valid_clients
fi
