#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Compare forecasts with what migrations took.

    report.py inputs RESULTS polled|aged [KEY=N...] >INPUTS
    report.py table RESULTS [FORECASTS]
    report.py cases RESULTS [FORECASTS]
    report.py pairs RESULTS
    report.py live RESULTS
    report.py check INPUTS FORECASTS

RESULTS are lines that migrate.py has written. inputs makes of them what replay reads. FORECASTS is
what replay has written; without it the forecasts are those that kvmwatch made before each
migration. table tells how good they are, cases lists them, pairs has those that were migrated with
dirty rings and with a log side by side, live those that were forecast while they ran. check has
forecasts of inputs, which also say what happened, held against what docs/predict.md promises;
output for tap. Curves are of what polls saw (polled), or of dirty_age_hist (aged), which is what
kvmwatch takes. KEY=N goes into each input: link=629145600 device=0.015 zero_page=1.5e-6.
"""
import hashlib
import json
import math
import sys

NS = 10**9
PARTS = 64
# What is kept of what happened
OUTCOME = ("status", "total_ms", "downtime_ms", "bytes", "syncs")


def lines_of(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines]


def results_of(path):
    return [r for r in lines_of(path) if "outcome" in r]


# --- what was measured, as the library takes it ------------------------------------------


def stretches(points):
    """The parts of a recording in which the VM was logged, each with the point before it"""
    parts, part = [], None
    for before, now in zip(points, points[1:]):
        if now[4] and part is None:
            part = [before]
        if part is not None:
            part.append(now)
            if not now[4]:
                parts.append(part)
                part = None
    return parts


def collections(part):
    """When polls saw that the log had been collected"""
    return [now[0] for before, now in zip(part, part[1:]) if now[3] != before[3]]


def curve_of(part, begin, end, column, base):
    """Points of what was marked from one time to another"""
    curve, last = [], 0
    for point in part:
        if not begin < point[0] <= end:
            continue
        if point[column] - base > last and point[0] < end:
            curve.append([point[0] - begin, point[column] - base])
        last = max(last, point[column] - base)
    return curve + [[end - begin, last]]


def bitmap_cycles(part):
    """One, since the log was cleared, which was somewhere between two polls"""
    times, logged = collections(part), part[1][0]
    length = round((part[-1][0] - logged) / NS) * NS
    begin = max([t for t in times if t < logged + 300 * 10**6], default=logged)
    # The other end is late as well: by chance, polls see one of them earlier.
    begin = min(begin, times[-1] - length)
    return [curve_of(part, begin, begin + length, 1, part[0][1])]


def ring_cycles(part):
    """Each stretch between two reaps. Rings do not say which marks are new."""
    times = collections(part)
    marks = {point[0]: point[2] for point in part}
    return [curve_of(part, begin, end, 2, marks[begin]) for begin, end in zip(times, times[1:])
            if end - begin > NS // 5]


def polled_cycles(result):
    split = ring_cycles if "ring" in result["case"]["options"] else bitmap_cycles
    return [cycle for part in stretches(result["measured"]["points"]) for cycle in split(part)]


def aged_cycles(result):
    """Of dirty_age_hist, as kvmwatch predict takes them: buckets are 1, 2, 4, ... ms"""
    cycles, begin = [], None
    for was, now in zip(result["measured"]["ages"], result["measured"]["ages"][1:]):
        if now[1] and not was[1]:
            before, begin = was[2], now[0]  # slots are logged one by one
        elif was[1] and not now[1] and begin is not None:
            length = round((now[0] - begin) / NS) * NS
            parts = [length]
            if "ring" in result["case"]["options"]:
                parts = reaps(result, begin, begin + length)
            cycles.append(aged_cycle(before, now[2], parts))
    return cycles


def reaps(result, begin, end):
    """The lengths between resets of the rings, which end each second, or when one is full"""
    points = result["measured"]["points"]
    times = [now[0] for was, now in zip(points, points[1:])
             if now[3] != was[3] and begin < now[0] < end] + [end]
    parts = []
    for time in times:
        if time - begin >= NS // 20:
            parts.append(time - begin)
            begin = time
    return parts


def cycles_at(parts, begin, end):
    return sum(min(max((part - begin) / (end - begin), 0), 1) for part in parts)


def aged_cycle(before, after, parts):
    curve, pages, begin, longest = [], 0, 0, max(parts)
    for i, (was, now) in enumerate(zip(before, after)):
        end = 2**i * 10**6
        if end >= longest:
            break
        pages += (now - was) / cycles_at(parts, begin, end)
        begin = end
        curve.append([end, round(pages)])
    pages += (sum(after[i:]) - sum(before[i:])) / cycles_at(parts, begin, longest)
    return curve + [[longest, round(pages)]]


def cycles_of(result, how):
    return {"polled": polled_cycles, "aged": aged_cycles}[how](result)


def coarse(parts):
    """As many as kvmwatch looks at, or a few less: [pages, data, dirty]"""
    count = math.ceil(len(parts) / PARTS)
    return [[sum(column) for column in zip(*parts[at:at + count])]
            for at in range(0, len(parts), count)]


def input_of(result, how):
    case, memory = result["case"], result["after"]["memory"]
    before = result["before"]["memory"]
    between = result["took_s"]["migrates"] - result["took_s"]["looked"]
    grown = memory["data"] - before["data"]
    values = {
        "ram_pages": memory["pages"], "data_pages": memory["data"],
        "zero_pages": memory["pages"] - memory["data"],
        "growth": round(grown / between, 1) if abs(grown) > 64 else 0,
        "bandwidth": case["bandwidth_mib"] * 2**20, "downtime": case["downtime_ms"] / 1000,
        "horizon": result["horizon_s"],
        "ring": "ring" in case["options"], "auto_converge": "auto" in case["options"],
        "cycles": cycles_of(result, how),
    }
    if "small" in case["options"]:
        values["chunk"] = 4096 << 9
    if memory.get("parts"):
        parts = sorted(memory["parts"])
        values["parts"] = coarse([(part[1:4] + [0])[:3] for part in parts])
        dirty = sum(part[3] for part in parts if len(part) > 3)
        if dirty:
            values["dirty_zero"] = round(sum(part[4] for part in parts) / dirty, 4)
    return values


# --- how good forecasts are --------------------------------------------------------------


def is_held_out(name):
    """Half of the cases, for ever the same: nobody tunes on these."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


def quantile(values, share):
    values = sorted(values)
    if not values:
        return None
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def in_seconds(forecast):
    """What kvmwatch predict prints, by the names of struct kvmwatch_prediction"""
    if "total" in forecast:
        return forecast
    names = {"total": "total_ms", "total_low": "total_ms_low", "total_high": "total_ms_high",
             "pause": "downtime_ms"}
    return dict(forecast, **{
        ours: forecast[theirs] / 1000 if forecast.get(theirs) is not None else None
        for ours, theirs in names.items()})


def pair(name, edge, outcome, forecast):
    """One row: what is compared"""
    done = outcome["status"] == "completed"
    row = {"name": name, "edge": edge, "done": done, "verdict": forecast["verdict"], "share": forecast["share"],
           "forecast": forecast, "outcome": outcome}
    if done and forecast.get("total"):
        row["time"] = forecast["total"] * 1000 / outcome["total_ms"] - 1
        row["bytes"] = forecast["bytes"] / outcome["bytes"] - 1
        row["pause"] = forecast["pause"] * 1000 - outcome["downtime_ms"]
        row["rounds"] = forecast["rounds"] - outcome["syncs"]
        if forecast.get("total_high"):
            row["inside"] = (forecast["total_low"] * 1000 <= outcome["total_ms"] <=
                             forecast["total_high"] * 1000)
    return row


def shown(value, scale=1, digits=1):
    return "-" if value is None else "%.*f" % (digits, value * scale)


def off(rows, key, share):
    """By how much: of all rows, a share is off by less"""
    return quantile([abs(r[key]) for r in rows if key in r], share)


def summary(rows):
    sizes = lambda key, share: off(rows, key, share)
    inside = [r["inside"] for r in rows if "inside" in r]
    wrong = [r for r in rows if r["verdict"] == ("does not" if r["done"] else "converges")]
    plain = [r for r in rows if not r["edge"]]
    unsure = [r for r in plain if r["verdict"] == "uncertain"]
    return [
        ("migrations", "%d" % len(rows)),
        ("of them converged", "%d" % sum(r["done"] for r in rows)),
        ("total time, p50 / p90", "%s / %s %%" % tuple(
            shown(sizes("time", s), 100) for s in (.5, .9))),
        ("bytes, p50 / p90", "%s / %s %%" % tuple(
            shown(sizes("bytes", s), 100) for s in (.5, .9))),
        ("pause, p50 / p90", "%s / %s ms" % tuple(
            shown(sizes("pause", s), 1, 0) for s in (.5, .9))),
        ("rounds, p50 / p90", "%s / %s" % tuple(
            shown(sizes("rounds", s), 1, 0) for s in (.5, .9))),
        ("inside the 90 % interval", "%d of %d" % (sum(inside), len(inside))),
        ("wrong verdicts", "%d%s" % (len(wrong), "".join(" " + r["name"] for r in wrong))),
        ("uncertain, not on the edge", "%d of %d" % (len(unsure), len(plain))),
    ]


def table(rows):
    parts = [("tuned", [r for r in rows if not is_held_out(r["name"])]),
             ("held out", [r for r in rows if is_held_out(r["name"])]), ("all", rows)]
    print("| | %s |" % " | ".join(name for name, _ in parts))
    print("|---" * (len(parts) + 1) + "|")
    for lines in zip(*(summary(part) for _, part in parts)):
        print("| %s | %s |" % (lines[0][0], " | ".join(text for _, text in lines)))
    print()
    print("| verdict | converged | did not |")
    print("|---|---|---|")
    for verdict in ("converges", "uncertain", "does not", "unknown"):
        print("| %s | %d | %d |" % (verdict, *(
            sum(r["verdict"] == verdict and r["done"] == done for r in rows)
            for done in (True, False))))


def cases(rows):
    print("%-14s %-4s %-10s %5s | %7s %7s %6s [%5s %5s] | %5s | %5s %5s | %3s %3s" % (
        "case", "half", "verdict", "share", "was ms", "said", "error", "low", "high", "bytes",
        "pause", "said", "rds", "sd"))
    for r in sorted(rows, key=lambda r: -abs(r.get("time", 9 if not r["done"] else 10))):
        f, o = r["forecast"], r["outcome"]
        print("%-14s %-4s %-10s %5s | %7s %7s %6s [%5s %5s] | %5s | %5s %5s | %3s %3s" % (
            r["name"], "held" if is_held_out(r["name"]) else "tune", f["verdict"],
            shown(f["share"], 100, 0), o["total_ms"] if r["done"] else "never",
            shown(f["total"], 1000, 0), shown(r.get("time"), 100),
            shown(f["total_low"], 1000, 0), shown(f["total_high"], 1000, 0),
            shown(r.get("bytes"), 100), o["downtime_ms"] if r["done"] else "-",
            shown(f["pause"], 1000, 0), o["syncs"], shown(f["rounds"], 1, 0)))


def grown(result, name):
    """How much a number grew while the VM migrated"""
    was, now = result["after"].get(name), result["end"].get(name)
    return None if was is None or now is None else now - was


def pairs(results):
    by_name = {r["case"]["name"]: r for r in results}
    print("| guest | with | time | bytes | pause | exits | marks | rings full |")
    print("|---" * 8 + "|")
    for name, ring in sorted(by_name.items()):
        log = by_name.get(name.replace("ring-", "log-", 1))
        if not name.startswith("ring-") or not log:
            continue
        for kind, r in (("ring", ring), ("log", log)):
            o = r["outcome"]
            done = o["status"] == "completed"
            print("| %s | %s | %s | %s MiB | %s | %s | %s | %s |" % (
                r["case"]["program"], kind, "%d ms" % o["total_ms"] if done else "does not end",
                shown(o["bytes"], 2**-20, 0), "%d ms" % o["downtime_ms"] if done else "-",
                shown(grown(r, "exits"), 1, 0),
                shown(grown(r, "dirty_marks"), 1, 0), shown(grown(r, "dirty_ring_full"), 1, 0)))


def live(results):
    print("| case | after | left | foretold (90 %) | pages/s | QEMU's |")
    print("|---" * 6 + "|")
    for r in results:
        f, o = r.get("live"), r["outcome"]
        if not f or "failed" in f or not f.get("elapsed_ms"):
            continue
        done = o["status"] == "completed"
        said = f["verdict"]
        if f["total_ms"] is not None:
            said = "%d ms (%d to %d)" % (f["total_ms"], f["total_ms_low"], f["total_ms_high"])
        print("| %s | %d ms | %s | %s | %d | %s |" % (
            r["case"]["name"], f["elapsed_ms"],
            "%d ms" % (o["total_ms"] - f["elapsed_ms"]) if done else "does not end", said,
            f["pages_per_second"], shown(f["vmm_pages_per_second"], 1, 0)))


def check(inputs, forecasts):
    """What docs/predict.md says of all of them; output for tap"""
    rows = [pair(i["name"], i["edge"], i["outcome"], f) for i, f in zip(inputs, forecasts)]
    inside = [r["inside"] for r in rows if "inside" in r]
    wrong = [r["name"] for r in rows if r["verdict"] == ("does not" if r["done"] else "converges")]
    plain = [r for r in rows if not r["edge"]]
    unsure = [r["name"] for r in plain if r["verdict"] == "uncertain"]
    table(rows)
    claims = [
        ("each recording is forecast", [i["name"] for i in inputs] == [f["name"] for f in forecasts]
         and len(rows) >= 60),
        ("total time is off by 3 % at most in half of them", off(rows, "time", .5) <= .03),
        ("and by 10 % in nine of ten", off(rows, "time", .9) <= .1),
        ("bytes are off by 3 % at most in half of them", off(rows, "bytes", .5) <= .03),
        ("and by 10 % in nine of ten", off(rows, "bytes", .9) <= .1),
        ("the pause is off by 30 ms at most in nine of ten", off(rows, "pause", .9) <= 30),
        ("the interval holds in 88 % or more", sum(inside) >= .88 * len(inside)),
        ("and in 96 % at most", sum(inside) <= .96 * len(inside)),
        ("no verdict is wrong " + " ".join(wrong), not wrong),
        ("a tenth is uncertain at most " + " ".join(unsure), len(unsure) <= len(plain) / 10),
    ]
    print("1..%d" % len(claims))
    for number, (what, holds) in enumerate(claims, 1):
        print("%s %d %s" % ("ok" if holds else "not ok", number, what.strip()))


def main(what, path, *more):
    if what == "check":
        check(lines_of(path), lines_of(more[0]))
        return
    results = results_of(path)
    if what in ("pairs", "live"):
        {"pairs": pairs, "live": live}[what](results)
        return
    if what == "inputs":
        how, *settings = more
        settings = {key: float(value) for key, value in (m.split("=") for m in settings)}
        for result in results:
            print(json.dumps({"name": result["case"]["name"],
                              "edge": "edge" in result["case"]["options"],
                              "input": dict(input_of(result, how), **settings),
                              "outcome": {key: result["outcome"][key] for key in OUTCOME}},
                             separators=(",", ":")))
        return
    if more:
        forecasts = {f["name"]: f for f in lines_of(more[0])}
    else:
        forecasts = {r["case"]["name"]: r["forecast"] for r in results if "forecast" in r}
    rows = [pair(r["case"]["name"], "edge" in r["case"]["options"], r["outcome"],
                 in_seconds(forecasts[r["case"]["name"]]))
            for r in results if r["case"]["name"] in forecasts]
    {"table": table, "cases": cases}[what](rows)


main(*sys.argv[1:])
