#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What QEMU's calc-dirty-rate says in each of its modes, and what that costs the guest.

    modes.py GUEST

GUEST is the multiboot program, which writes to some of its pages at a known rate. Runs as root in
the test VM, with kvmwatch loaded. Output for tap, with a table in its comments.
"""
import math
import re
import sys
import time

from migrate import Qemu, Watch, say, until

# Pages that it writes to, each as likely as any other, and writes a second
GUESTS = ((9000, 1500), (1500, 9000))
SECONDS = (1, 5)
# After the end of a measurement: what was unmapped is touched again
AFTER_S = 2
MIB_PAGES = 256
GROW = "exits", "huge_splits", "dirty_ring_pushes"
MODES = ("page-sampling", "dirty-bitmap"), ("dirty-ring",)


def dirtied(pages, rate, seconds):
    """How many of so many pages are written to"""
    return pages * (1 - math.exp(-rate * seconds / pages))


def is_measured(qemu):
    return qemu.ask("query-dirty-rate")["status"] == "measured"


def watched(qemu, watch, seconds, mode):
    """With a mode, or without, for the same time: MiB/s, what grew, bytes mapped before and then"""
    before, begin = watch.numbers(), time.monotonic()
    said = mapped = None
    if mode:
        qemu.ask("calc-dirty-rate", calc_time=seconds, mode=mode)
        until("rate is measured", lambda: is_measured(qemu))
        mapped = watch.read("mapped_bytes")
        said = qemu.ask("query-dirty-rate")["dirty-rate"]
    time.sleep(max(0, begin + seconds + AFTER_S - time.monotonic()))
    after = watch.numbers()
    grown = {name: (after[name] or 0) - (before[name] or 0) for name in GROW}
    return said, grown, before["mapped_bytes"], mapped


def try_guest(pages, rate, modes, guest):
    """A row for each mode and time"""
    program = "data=9000 uniform:pages=%d,rate=%d" % (pages, rate)
    options = {"ring": "yes"} if "dirty-ring" in modes else {}
    qemu = Qemu("source", {"name": "modes", "memory_mib": 256, "options": options,
                           "program": program}, guest)
    until("guest is ready", lambda: re.search("ready|error.*", qemu.said()))
    watch = Watch(qemu.pid)
    rows = []
    for seconds in SECONDS:
        _, without, _, _ = watched(qemu, watch, seconds, None)
        for mode in modes:
            said, grown, was, mapped = watched(qemu, watch, seconds, mode)
            true = dirtied(pages, rate, seconds)
            # A page counts each time that the rings are reset, too.
            counted = grown["dirty_ring_pushes"] if mode == "dirty-ring" else true
            rows.append((pages, rate, mode, seconds, said * MIB_PAGES, true / seconds,
                         counted / seconds, grown["exits"] - without["exits"],
                         grown["huge_splits"], was / 2**20, mapped / 2**20))
    qemu.end()
    return rows


def main(guest):
    rows = [row for pages, rate in GUESTS for modes in MODES
            for row in try_guest(pages, rate, modes, guest)]
    say("# | guest | mode | s | pages/s said | true | counted | more exits | splits | mapped MiB |")
    say("# |---|---|---|---|---|---|---|---|---|")
    for row in rows:
        say("# | any of %d, %d/s | %s | %d | %d | %d | %d | %d | %d | %.1f to %.1f |" % row)
    claims = [
        ("%s, any of %d pages, %d s: the rate is what was counted" % (mode, pages, seconds),
         abs(said - counted) <= MIB_PAGES + 0.1 * counted)
        for pages, _, mode, seconds, said, _, counted, *_ in rows if mode != "page-sampling"]
    say("1..%d" % len(claims))
    for number, (what, holds) in enumerate(claims, 1):
        say("%sok %d %s" % ("" if holds else "not ", number, what))


main(*sys.argv[1:])
