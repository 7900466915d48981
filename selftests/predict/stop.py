#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What is left of kvmwatch predict --measure when it is stopped, or the VM ends.

    stop.py GUEST

GUEST is the multiboot program. QEMU logs a guest for kvmwatch, which a signal then ends, or the
guest's end. Whatever ends it, nothing goes on logging. Runs as root in the test VM, with kvmwatch
loaded. Output for tap.

The longest cycle is the last one. A kvmwatch that waits for its end has all that a forecast needs,
and may make it.
"""
import re
import signal
import subprocess
import sys
import time

from migrate import Failed, Qemu, Watch, say, until

CYCLE_S = 10


def start(watch):
    """kvmwatch predict --measure, in its longest cycle"""
    command = ["kvmwatch", "predict", "-p", str(watch.pid), "--measure", str(CYCLE_S)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    logged_since = None
    end = time.monotonic() + 120
    while not logged_since or time.monotonic() < logged_since + 2:
        if process.poll() is not None or time.monotonic() > end:
            raise Failed("no long cycle: " + process.communicate()[0])
        if not watch.read("dirty_logged_slots"):
            logged_since = None
        elif not logged_since:
            logged_since = time.monotonic()
        time.sleep(0.05)
    return process


def stops(watch, number, *status):
    """A signal is sent: after kvmwatch has ended, and a cycle's time, nothing is logged."""
    process = start(watch)
    process.send_signal(number)
    said = process.communicate(timeout=300)[0]
    at_once = watch.read("dirty_logged_slots")
    try:
        until("log is off", lambda: watch.read("dirty_logged_slots") == 0, CYCLE_S + 5)
    except Failed:
        return False, "still logged"
    # A process that was killed waits for nothing.
    said = "status %d: %s" % (process.returncode, said)
    return process.returncode in status and (number == signal.SIGKILL or at_once == 0), said


def vm_ends(qemu, watch):
    process = start(watch)
    qemu.end()
    said = process.communicate(timeout=300)[0]
    return process.returncode == 1 and "VM" in said, said


def main(guest):
    case = {"name": "stop", "memory_mib": 128, "options": {},
            "program": "data=4000 uniform:pages=4000,rate=500"}
    qemu = Qemu("source", case, guest)
    until("guest is ready", lambda: re.search("ready|error.*", qemu.said()))
    watch = Watch(qemu.pid)
    tries = [
        ("SIGINT: QEMU's log is off when kvmwatch has ended",
         lambda: stops(watch, signal.SIGINT, 0, 1)),
        ("SIGTERM: likewise", lambda: stops(watch, signal.SIGTERM, 0, 1)),
        ("SIGKILL: QEMU itself ends its log",
         lambda: stops(watch, signal.SIGKILL, -signal.SIGKILL)),
        ("a VM's end ends its measurement", lambda: vm_ends(qemu, watch)),
    ]
    say("1..%d" % len(tries))
    for number, (what, true) in enumerate(tries, 1):
        holds, said = true()
        if not holds:
            say("# " + said.replace("\n", "\n# "))
        say("%sok %d %s" % ("" if holds else "not ", number, what))


main(*sys.argv[1:])
