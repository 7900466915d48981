#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Migrate guests from one QEMU to another, and record what was forecast and what happened.

    migrate.py CASES GUEST OUTPUT [NAME...]

CASES is the file "cases", GUEST the multiboot program; a line of JSON for each case is appended to
OUTPUT, which may be a disk. Cases that OUTPUT has already are left out. Runs as root in the test
VM, with kvmwatch loaded.
"""
import array
import fcntl
import glob
import hashlib
import json
import math
import os
import re
import socket
import struct
import subprocess
import sys
import time

PAGE = 4096
PART = 512
DEBUGFS = "/sys/kernel/debug/kvmwatch"
# struct kvmwatch_open, with kind KVMWATCH_KIND_VM, and KVMWATCH_OPEN_HEAT
OPEN = struct.Struct("=IIIiQHHIQ")
OPEN_HEAT = 1 << 30 | OPEN.size << 16 | 0xD5 << 8 | 5
WORK = "/tmp/predict"
POLL_S = 0.02
ASK_S = 0.2
MEASURE_S = "5"
LINK = "720M"  # what a unix socket takes in the emulator: bytes of the last send by its time
PATIENCE_S = 300
JUMP_NS = 10**9
LIVE_NS = 10**9
TRIES = 3
# How near the forecasts of short cases must be
TIME_SHARE = 0.1
BYTES_SHARE = 0.1
PAUSE_MS = 30


class Failed(Exception):
    pass


class Jumped(Failed):
    """The emulator lost an interrupt, and its clock ran ahead to the next: times mean nothing."""


def say(text):
    print(text, flush=True)


def until(what, true, limit=PATIENCE_S, every=0.02):
    end = time.monotonic() + limit
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed("not in time: " + what)
        time.sleep(every)


# --- the cases -----------------------------------------------------------------------


def read_cases(path):
    """NAME MIB BANDWIDTH_MIB DOWNTIME_MS OPTIONS PROGRAM..."""
    cases = []
    for line in open(path):
        line = line.split("#")[0].split()
        if not line:
            continue
        name, memory, bandwidth, downtime, options = line[:5]
        options = {} if options == "-" else dict(
            (o.split("=") + ["yes"])[:2] for o in options.split(","))
        cases.append({"name": name, "memory_mib": int(memory), "bandwidth_mib": float(bandwidth),
                      "downtime_ms": int(downtime), "options": options,
                      "program": " ".join(line[5:])})
    return cases


# --- QEMU ----------------------------------------------------------------------------


class Qemu:
    """A QEMU with its monitor. There is another monitor, for kvmwatch, before it."""

    def __init__(self, name, case, guest, *more):
        self.dir = os.path.join(WORK, name)
        os.makedirs(self.dir, exist_ok=True)
        for old in glob.glob(self.dir + "/*"):
            os.unlink(old)
        options = case["options"]
        command = ["qemu-system-x86_64", "-machine", "pc,hpet=off", "-cpu", "host", "-smp", "1",
                   "-accel", "kvm" + (",dirty-ring-size=4096" if "ring" in options else ""),
                   "-m", str(case["memory_mib"]), "-nodefaults", "-display", "none", "-no-reboot",
                   "-name", "guest=%s-%s,debug-threads=on" % (case["name"], name),
                   "-qmp", "unix:%s/theirs,server=on,wait=off" % self.dir,
                   "-qmp", "unix:%s/ours,server=on,wait=off" % self.dir,
                   "-serial", "file:%s/serial" % self.dir,
                   "-kernel", guest, "-append", case["program"]]
        if "small" in options:
            command += ["-global", "migration.x-clear-bitmap-shift=9"]
        self.errors = open(self.dir + "/errors", "w")
        self.process = subprocess.Popen(command + list(more), stdin=subprocess.DEVNULL,
                                        stdout=self.errors, stderr=self.errors)
        self.pid = self.process.pid
        self.socket = None
        try:
            until("monitor", self.connect)
        except Failed:
            self.end()
            raise

    def connect(self):
        if self.process.poll() is not None:
            raise Failed("QEMU ended: " + open(self.dir + "/errors").read())
        try:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(self.dir + "/ours")
        except OSError:
            return False
        self.lines = self.socket.makefile("r")
        self.lines.readline()
        self.ask("qmp_capabilities")
        return True

    def ask(self, command, **arguments):
        arguments = {k.replace("_", "-"): v for k, v in arguments.items()}
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            line = self.lines.readline()
            if not line:
                raise Failed("QEMU is gone: " + open(self.dir + "/errors").read())
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Failed(command + ": " + answer["error"]["desc"])

    def said(self):
        try:
            return open(self.dir + "/serial").read()
        except OSError:
            return ""

    def end(self):
        self.process.kill()
        self.process.wait()
        if self.socket:
            self.socket.close()


# --- kvmwatch's numbers --------------------------------------------------------------


class Watch:
    """A VM's files in debugfs"""

    def __init__(self, pid):
        self.pid = pid
        self.dir = until("VM in kvmwatch's debugfs",
                         lambda: glob.glob("%s/vm/%d-*" % (DEBUGFS, pid)))[0]

    def read(self, name):
        try:
            text = open("%s/%s" % (self.dir, name)).read().strip()
            return int(text)
        except (OSError, ValueError):
            return None

    def numbers_of(self, name):
        try:
            return [int(n) for n in open("%s/%s" % (self.dir, name)).read().split()]
        except (OSError, ValueError):
            return []

    def numbers(self):
        names = ("mapped_4k", "mapped_2m", "mapped_bytes", "dirty_marks", "dirty_marks_new",
                 "dirty_collects", "dirty_logged_bytes", "dirty_ring_pushes", "dirty_ring_full",
                 "huge_splits", "exits", "exit_time_ns", "lost_events")
        return {name: self.read(name) for name in names}

    def rows(self, table):
        """Of one of the tables, those of this VM"""
        lines = open(DEBUGFS + "/" + table).read().splitlines()
        head = lines[0].split()
        rows = [dict(zip(head, line.split())) for line in lines[1:]]
        return [row for row in rows if row["name"] == os.path.basename(self.dir)]

    def slots(self):
        """(userspace_addr, npages, base_gfn) of each"""
        return [(int(row["userspace_addr"], 16), int(row["npages"]), int(row["base_gfn"], 16))
                for row in self.rows("slots") if row["as_id"] == "0"]


class Heat:
    """Which pages are marked from now on"""

    def __init__(self, watch):
        vm = int(watch.rows("vms")[0]["id"])
        with open("/dev/kvmwatch", "rb", 0) as device:
            arg = OPEN.pack(OPEN.size, 1, 0, 0, vm, 0, 0, 0, 0)
            self.file = open(fcntl.ioctl(device.fileno(), OPEN_HEAT, bytearray(arg)), "rb", 0)

    def pages(self, at, size):
        found = b""
        while len(found) < size:
            some = os.pread(self.file.fileno(), size - len(found), at + len(found))
            if not some:
                raise Failed("heat ends early")
            found += some
        return found

    def read(self):
        """The frames of those that were"""
        head = os.pread(self.file.fileno(), 4096, 0)
        _, offset, size, _, _, nr, entry = struct.unpack_from("=7I", head)
        frames = set()
        for slot in range(nr):
            base, npages, as_id, _, _, _, _, _, at = struct.unpack(
                "=QQHHIQQQQ", os.pread(self.file.fileno(), 56, offset + slot * size))
            pages = self.pages(at, npages * entry)
            if not as_id:
                frames.update(base + i for i in range(npages)
                              if pages[i * entry:i * entry + 4] != b"\0\0\0\0")
        return frames


def survey(watch, marked=()):
    """What the pages of the guest's memory hold, all of them looked at through the VMM

    parts: [first frame, pages, of them with data, of them marked, marked and without data]
    """
    zeros = bytes(PAGE)
    count = {"pages": 0, "absent": 0, "zero": 0, "data": 0, "parts": []}
    with open("/proc/%d/pagemap" % watch.pid, "rb", 0) as maps, \
            open("/proc/%d/mem" % watch.pid, "rb", 0) as memory:
        for start, npages, gfn in watch.slots():
            maps.seek(start // PAGE * 8)
            entries = array.array("Q")
            entries.frombytes(maps.read(npages * 8))
            count["pages"] += npages
            for first in range(0, npages, PART):
                block = entries[first:first + PART]
                data_before = count["data"]
                dirty = {i for i in range(len(block)) if gfn + first + i in marked}
                if not any(e >> 62 for e in block):
                    count["absent"] += len(block)
                    count["parts"].append([gfn + first, len(block), 0, len(dirty), len(dirty)])
                    continue
                memory.seek(start + first * PAGE)
                data = memory.read(len(block) * PAGE)
                cleared = len(dirty)
                for i, entry in enumerate(block):
                    if not entry >> 62:
                        count["absent"] += 1
                    elif data[i * PAGE:(i + 1) * PAGE] == zeros:
                        count["zero"] += 1
                    else:
                        count["data"] += 1
                        cleared -= i in dirty
                count["parts"].append([gfn + first, len(block), count["data"] - data_before,
                                       len(dirty), cleared])
    return count


class Curve:
    """Marks over time: [t_ns, new, all, collections, logged slots], when one of them has changed"""

    def __init__(self, watch):
        self.watch = watch
        self.begin = time.monotonic_ns()
        self.points = []
        self.ages = []  # [t_ns, logged slots, dirty_age_hist] when logging begins or ends
        self.last = None
        self.polled = 0
        self.poll()

    def now(self):
        return time.monotonic_ns() - self.begin

    def poll(self):
        now = [self.watch.read(n) for n in ("dirty_marks_new", "dirty_marks", "dirty_collects",
                                            "dirty_logged_slots")]
        at = self.now()
        if at - self.polled > JUMP_NS and self.last:
            raise Jumped("the clock ran ahead by %.1f s" % ((at - self.polled) / 1e9))
        self.polled = at
        if not self.last or now[3] != self.last[3]:
            self.ages.append([at, now[3], self.watch.numbers_of("dirty_age_hist")])
        if now != self.last:
            self.points.append([at] + now)
        self.last = now


def forecast(watch, case, horizon, seconds):
    """What kvmwatch says before, and how the log was seen to fill while it measured"""
    command = ["kvmwatch", "predict", "-p", str(watch.pid), "--json", "--measure", seconds,
               "--sample", "--bandwidth", "%d" % (case["bandwidth_mib"] * 2**20),
               "--downtime", str(case["downtime_ms"]), "--horizon", "%d" % horizon,
               "--link", LINK]
    curve = Curve(watch)
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        time.sleep(POLL_S)
        curve.poll()
    said, complained = process.communicate()
    if process.returncode not in (0, 3, 4):
        raise Failed("kvmwatch predict: " + complained)
    return {"forecast": json.loads(said), "took_s": round(time.monotonic() - begin, 3),
            "points": curve.points, "ages": curve.ages}


class Live:
    """What kvmwatch says of a migration while it runs, a second after its begin"""

    def __init__(self, watch):
        self.command = ["kvmwatch", "predict", "-p", str(watch.pid), "--json", "--live",
                        "--link", LINK]
        self.process = None
        self.result = None

    def poll(self, now_ns):
        if not self.process and now_ns > LIVE_NS:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                            text=True)
        if self.process and not self.result and self.process.poll() is not None:
            said, complained = self.process.communicate()
            self.result = json.loads(said) if said else {"failed": complained}


# --- a migration ---------------------------------------------------------------------


def migrate(source, watch, target, case, horizon):
    source.ask("migrate-set-parameters", max_bandwidth=int(case["bandwidth_mib"] * 2**20),
               downtime_limit=case["downtime_ms"])
    if "auto" in case["options"]:
        source.ask("migrate-set-capabilities",
                   capabilities=[{"capability": "auto-converge", "state": True}])
    curve = Curve(watch)
    source.ask("migrate", uri="unix:%s/migration" % target.dir)
    live = Live(watch) if "live" in case["options"] else None
    asked = []
    ram = {}
    ask = 0
    while True:
        time.sleep(POLL_S)
        curve.poll()
        if live:
            live.poll(curve.now())
        if curve.now() < ask:
            continue
        ask = curve.now() + ASK_S * 10**9
        info = source.ask("query-migrate")
        ram = info.get("ram", ram)  # not there any more when it was cancelled
        asked.append([curve.now(), ram.get("dirty-sync-count"), ram.get("transferred"),
                      ram.get("remaining"), ram.get("normal"), ram.get("duplicate"),
                      ram.get("dirty-pages-rate")])
        status = info["status"]
        if status in ("completed", "failed", "cancelled"):
            break
        if curve.now() > horizon * 10**9 and status == "active":
            source.ask("migrate_cancel")
    if status == "completed":
        info = until("total time", lambda: (lambda i: i.get("total-time") and i)(
            source.ask("query-migrate")))
    ram = info.get("ram", ram)
    outcome = {"status": status, "total_ms": info.get("total-time"),
               "downtime_ms": info.get("downtime"), "setup_ms": info.get("setup-time"),
               "bytes": ram.get("transferred"), "syncs": ram.get("dirty-sync-count"),
               "normal": ram.get("normal"), "duplicate": ram.get("duplicate"),
               "mbps": ram.get("mbps"), "throttle": info.get("cpu-throttle-percentage")}
    result = {"outcome": outcome, "marks": curve.points, "asked": asked, "end_ns": curve.now()}
    if live:
        result["live"] = live.result
    return result


def bytes_first(memory):
    return memory["data"] * (PAGE + 8) + (memory["pages"] - memory["data"]) * 9


def one(case, guest):
    result = {"case": case}
    source = target = None
    begin = time.monotonic()
    took = result["took_s"] = {}

    def idle():
        fields = [int(n) for n in open("/proc/stat").readline().split()[1:]]
        return fields[3], sum(fields)

    def stamp(what):
        took[what] = round(time.monotonic() - begin, 3)

    idle_before, all_before = idle()

    try:
        target = Qemu("target", case, guest, "-incoming", "unix:%s/target/migration" % WORK)
        stamp("target")
        source = Qemu("source", case, guest)
        stamp("source")
        until("guest is ready", lambda: re.search("ready|error.*", source.said()))
        if "error" in source.said():
            raise Failed(source.said())
        stamp("ready")
        watch = Watch(source.pid)
        time.sleep(float(case["options"].get("settle", 1)))
        result["before"] = dict(watch.numbers(), memory=survey(watch))
        stamp("looked")
        first = bytes_first(result["before"]["memory"]) / (case["bandwidth_mib"] * 2**20)
        horizon = int(case["options"].get("horizon", math.ceil(max(30, 10 * first))))
        result["horizon_s"] = horizon
        heat = Heat(watch)
        result["measured"] = forecast(watch, case, horizon,
                                      case["options"].get("measure", MEASURE_S))
        result["forecast"] = result["measured"].pop("forecast")
        stamp("measured")
        result["after"] = dict(watch.numbers(), memory=survey(watch, heat.read()))
        heat.file.close()
        stamp("migrates")
        result.update(migrate(source, watch, target, case, horizon))
        result["end"] = dict(watch.numbers(), memory=survey(watch))
    except Failed as failure:
        result["failed"] = str(failure)
        result["again"] = isinstance(failure, Jumped)
    finally:
        for qemu in (source, target):
            if qemu:
                qemu.end()
        stamp("end")
        idle_after, all_after = idle()
        took["idle"] = round((idle_after - idle_before) / max(1, all_after - all_before), 3)
    return result


# --- what is written -----------------------------------------------------------------


class Output:
    """A file, or a disk of zeros, that lines are appended to"""

    def __init__(self, path):
        self.file = open(path, "r+b", 0)
        text = b""
        while True:
            some = self.file.read(1 << 20)
            text += some.split(b"\0")[0]
            if len(some) < 1 << 20 or b"\0" in some:
                break
        self.at = len(text)
        done = [json.loads(line) for line in text.splitlines()]
        self.done = {r["case"]["name"] for r in done if "outcome" in r}

    def add(self, result):
        line = json.dumps(result, separators=(",", ":")).encode() + b"\n"
        self.file.seek(self.at)
        self.file.write(line)
        os.fsync(self.file)
        self.at += len(line)


def order(case):
    """Mixed, so that those done first are of all kinds"""
    return hashlib.sha256(case["name"].encode()).hexdigest()


def chosen(cases, names):
    """Those of the names, in that order, or those that are short for "short", or all"""
    mixed = sorted(cases, key=order)
    if not names:
        return mixed
    found = [case for name in names for case in mixed
             if case["name"] == name or name == "short" and "short" in case["options"]]
    return [case for i, case in enumerate(found) if case not in found[:i]]


def told(result):
    """In words"""
    outcome = result["outcome"]
    words = outcome["status"]
    if words == "completed":
        words += " after %(total_ms)d ms, of them %(downtime_ms)d of pause, %(syncs)d looks" % outcome
    if "forecast" in result:
        words += "; forecast: " + json.dumps(result["forecast"])
    return words


def apart(forecast, outcome):
    """What of a forecast is further from the migration than docs/predict.md says"""
    off = []
    for what, said, was, share, most in (
            ("time, ms", forecast["total_ms"], outcome["total_ms"], TIME_SHARE, 0),
            ("bytes", forecast["bytes"], outcome["bytes"], BYTES_SHARE, 0),
            ("pause, ms", forecast["downtime_ms"], outcome["downtime_ms"], 0, PAUSE_MS)):
        if abs(said - was) > max(share * was, most):
            off.append("%s: %d, not %d" % (what, was, said))
    if not forecast["total_ms_low"] <= outcome["total_ms"] <= forecast["total_ms_high"]:
        off.append("time is not within %(total_ms_low)d to %(total_ms_high)d ms" % forecast)
    return off


def mapped_by_reading(result):
    """QEMU reads all pages that it sends. Did KVM map any of them, of a guest that does nothing?"""
    before, after = result["after"], result["end"]
    if ":" in result["case"]["program"]:
        return None
    if after["mapped_bytes"] != before["mapped_bytes"]:
        return "mapped: %(mapped_bytes)d bytes" % before + ", then %(mapped_bytes)d" % after
    if after["memory"]["absent"] > before["memory"]["absent"] / 2:
        return "QEMU has not read what the guest had never touched"
    return None


def complaint(result):
    """What is wrong with a result; where the case is short, forecasts must be near, too"""
    if "failed" in result:
        return result["failed"]
    verdict, done = result["forecast"]["verdict"], result["outcome"]["status"] == "completed"
    if verdict == ("does not" if done else "converges"):
        return "the forecast is wrong: " + verdict
    if done and mapped_by_reading(result):
        return mapped_by_reading(result)
    if "short" not in result["case"]["options"]:
        return None
    if verdict != ("converges" if done else "does not"):
        return "the forecast does not know: " + verdict
    return done and "; ".join(apart(result["forecast"], result["outcome"]))


def main(cases, guest, output, *names):
    os.makedirs(WORK, exist_ok=True)
    output = Output(output)
    cases = [c for c in chosen(read_cases(cases), names) if c["name"] not in output.done]
    say("1..%d" % len(cases))
    for nr, case in enumerate(cases, 1):
        for _ in range(TRIES):
            result = one(case, guest)
            if not result.get("again"):
                break
            say("# %s once more: %s" % (case["name"], result["failed"]))
        output.add(result)
        wrong = complaint(result)
        say("# " + json.dumps(result["took_s"]))
        say("# " + (wrong or told(result)).replace("\n", " "))
        say("%sok %d %s" % ("not " if wrong else "", nr, case["name"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
