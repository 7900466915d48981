#!/bin/bash
# kvmwatch top ends when its terminal is gone, with a SIGHUP or without. There is no module here,
# which top shows, and goes on.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
log=$(mktemp)
trap 'rm -f "$log"' EXIT

seen() {
	cat "$log"
}

# Start it on a terminal, remove that, and wait for its end. The kernel sends SIGHUP only if this is
# its controlling terminal.
ends() {
	/usr/bin/python3 - "$1" >"$log" 2>&1 <<'END'
import fcntl, os, subprocess, sys, termios

def control():
    if sys.argv[1] == "hup":
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

master, slave = os.openpty()
top = subprocess.Popen(["tools/kvmwatch", "top", "-i", "0.2"], stdin=slave, stdout=slave,
                       stderr=slave, start_new_session=True, preexec_fn=control,
                       env={**os.environ, "TERM": "linux"})
os.close(slave)
screen = b""
while b"quit" not in screen:
    screen += os.read(master, 4096)
os.close(master)
try:
    top.wait(100)
except subprocess.TimeoutExpired:
    with open(f"/proc/{top.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    print("it goes on; it has taken", (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), "s of CPU")
    top.kill()
    sys.exit(1)
END
}

echo "1..2"
ends nohup
case_is $? "top ends when its terminal goes without a SIGHUP"
ends hup
case_is $? "and with one"
