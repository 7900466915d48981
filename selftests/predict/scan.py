#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What it costs to learn how much of a large VM has data: kvmwatch rank, and reading all of it.

    scan.py GUEST

GUEST is the multiboot program. A guest of 16 GiB has written to some of its memory. Runs as root
in the test VM, with kvmwatch loaded; where an instruction takes a nanosecond, CPU time is a count
of instructions. Output for tap, with a table in its comments.
"""
import array
import itertools
import json
import os
import re
import resource
import subprocess
import sys
import time

from migrate import PAGE, Qemu, Watch, say, until

MIB = 16384
DATA = 20000
BLOCK = 512


def cpu_ms(who):
    usage = resource.getrusage(who)
    return (usage.ru_utime + usage.ru_stime) * 1000


def timed(function, who):
    """What it returns, ms that it took, ms of CPU time"""
    begin, used = time.monotonic(), cpu_ms(who)
    value = function()
    return value, (time.monotonic() - begin) * 1000, cpu_ms(who) - used


def rank(*options):
    said = subprocess.run(["kvmwatch", "rank", "--json", *options], check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout
    return json.loads(said.splitlines()[0])["data_bytes"] // PAGE


def with_data(memory, at, pages, room):
    """How many of so many pages have data"""
    data = room if len(room) == pages * PAGE else bytearray(pages * PAGE)
    zeros = bytes(len(data))
    os.preadv(memory.fileno(), [data], at)
    if data == zeros:
        return 0
    return sum(data[i:i + PAGE] != zeros[:PAGE] for i in range(0, len(data), PAGE))


def scan_all(watch):
    room = bytearray(BLOCK * PAGE)
    with open("/proc/%d/mem" % watch.pid, "rb", 0) as memory:
        return sum(with_data(memory, start + first * PAGE, min(BLOCK, npages - first), room)
                   for start, npages, _ in watch.slots() for first in range(0, npages, BLOCK))


def page_map(watch):
    """For each slot its address, and for each of its pages whether it is in the VMM's tables"""
    with open("/proc/%d/pagemap" % watch.pid, "rb", 0) as maps:
        for start, npages, _ in watch.slots():
            entries = array.array("Q")
            for first in range(0, npages, 1 << 16):
                entries.frombytes(os.pread(maps.fileno(), min(1 << 16, npages - first) * 8,
                                           (start // PAGE + first) * 8))
            yield start, [e >> 62 != 0 for e in entries]


def scan_present(watch):
    """Only pages that are there: to read others has the kernel map zeros for them."""
    found = 0
    with open("/proc/%d/mem" % watch.pid, "rb", 0) as memory:
        for start, present in page_map(watch):
            first = 0
            for there, pages in itertools.groupby(present):
                nr = len(list(pages))
                if there:
                    found += with_data(memory, start + first * PAGE, nr, b"")
                first += nr
    return found


def absent(watch):
    return sum(present.count(False) for _, present in page_map(watch))


def main(guest):
    with open("/proc/sys/vm/overcommit_memory", "w") as overcommit:
        overcommit.write("1")
    case = {"name": "scan", "memory_mib": MIB, "options": {}, "program": "data=%d" % DATA}
    qemu = Qemu("source", case, guest)
    until("guest is ready", lambda: re.search("ready|error.*", qemu.said()))
    watch = Watch(qemu.pid)
    own, children = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    rows = [
        ("a file in debugfs", timed(lambda: watch.read("mapped_bytes") // PAGE, own)),
        ("`kvmwatch rank`", timed(rank, children)),
        ("`kvmwatch rank --sample`", timed(lambda: rank("--sample"), children)),
        ("reading what the VMM has of it", timed(lambda: scan_present(watch), own)),
    ]
    before = absent(watch)
    rows.append(("reading all of it", timed(lambda: scan_all(watch), own)))
    after = absent(watch)
    qemu.end()
    true = rows[-1][1][0]
    say("# | how | pages with data | time | of the CPU |")
    say("# |---|---|---|---|")
    for what, (pages, took, used) in rows:
        say("# | %s | %d | %.1f ms | %.1f ms |" % (what, pages, took, used))
    say("# never touched: %d pages before all was read, %d after" % (before, after))
    mapped, ranked, sampled = (row[1][0] for row in rows[:3])
    claims = [
        ("the guest's pages are found by reading all", DATA <= true <= DATA + 1000),
        ("no page with data is not mapped", true <= mapped <= true + 2000),
        ("rank says what is mapped", ranked == mapped),
        ("a sample of a large VM that is empty is near", abs(sampled - true) < 0.01 * MIB * 256),
        ("rank takes a hundredth of the CPU that reading takes", rows[1][1][2] < rows[4][1][2] / 100),
    ]
    say("1..%d" % len(claims))
    for number, (what, holds) in enumerate(claims, 1):
        say("%sok %d %s" % ("" if holds else "not ", number, what))


main(*sys.argv[1:])
