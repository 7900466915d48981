#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Ask a Prometheus each query of the dashboards: dashboards_test.py BIN MANY_VMS EXPORTER

BIN has prometheus. Three exporters are scraped: two of MANY_VMS, one with and one without numbers of
vCPUs, and EXPORTER, which has no module here. Prints what is wrong; exit status 1 if anything is.
"""
import glob
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VMS = (6, 5)		# of the two hosts; the name "many" is one of each
LONGEST = 600		# seconds to wait for something to be there, on a busy machine

# What has nothing to show where all is well
MAY_BE_EMPTY = re.compile(r"hook_ok\{.*== 0 and ")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(log, *command):
    with open(log, "w", encoding="utf-8") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, cwd=TOP)


def wait_for(look):
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        try:
            seen = look()
        except OSError:
            seen = None
        if seen:
            return seen
        time.sleep(0.3)
    raise SystemExit("it did not come: " + look.__doc__)


def port_of(log):
    def look():
        """an exporter's port"""
        with open(log, encoding="utf-8") as file:
            found = re.search(r"listening on .*:(\d+)$", file.read(), re.M)
        return found and int(found.group(1))
    return wait_for(look)


class Prometheus:
    def __init__(self, program, directory, targets):
        self.port = free_port()
        config = os.path.join(directory, "prometheus.yml")
        rules = os.path.join(TOP, "contrib/prometheus/kvmwatch.rules.yml")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                       "rule_files": [rules],
                       "scrape_configs": [{"job_name": "kvmwatch",
                                           "static_configs": [{"targets": targets}]}]}, file)
        self.process = start(os.path.join(directory, "prometheus.log"), program,
                             "--config.file=" + config,
                             "--storage.tsdb.path=" + os.path.join(directory, "data"),
                             f"--web.listen-address=127.0.0.1:{self.port}")

    def ask(self, expr):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + \
              urllib.parse.urlencode({"query": expr})
        try:
            with urllib.request.urlopen(url) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            if error.code not in (400, 422):  # it has only begun
                raise
            raise ValueError(json.load(error)["error"]) from error


def queries():
    for path in sorted(glob.glob(os.path.join(TOP, "contrib/grafana/*.json"))):
        with open(path, encoding="utf-8") as file:
            dashboard = json.load(file)
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield dashboard["uid"], panel["title"], target["expr"]


def filled(expr, instance):
    values = {"$__rate_interval": "1m", "$job": "kvmwatch", "$vm": "many",
              "$instance": instance}
    for name, value in values.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


def wrong_answers(prometheus, hosts):
    """Each query has an answer; those of one host on each that has VMs."""
    asked = 0
    for uid, title, expr in queries():
        for instance in [".*"] if "fleet" in uid else hosts[:2]:
            # What is of each vCPU is not there with --no-vcpus.
            if instance == hosts[1] and re.search(r"kvmwatch_vcpu_", expr):
                continue
            asked += 1
            try:
                result = prometheus.ask(filled(expr, instance))
            except ValueError as error:
                yield f"{uid}: {title}: {error}"
                continue
            if not result and not MAY_BE_EMPTY.search(expr):
                yield f"{uid}: {title} of {instance}: nothing: {expr}"
    print(f"{asked} queries")


def wrong_numbers(prometheus):
    one = 'kvmwatch_vm_vcpus{vm="many"}'
    for expr, expected in (("count(kvmwatch_vm_vcpus)", sum(VMS)), ("sum(kvmwatch_up)", 2),
                           ("count(kvmwatch_up == 0)", 1), ("count(kvmwatch_down_info)", 1),
                           (f"count({one})", 2),
                           ("sum(vm:kvmwatch_mapped:ratio * kvmwatch_vm_memory_bytes)"
                            " / sum(kvmwatch_vm_mapped_bytes)", 1)):
        result = prometheus.ask(expr)
        if not result or float(result[0]["value"][1]) != expected:
            yield f"{expr}: {result}, not {expected}"


def run(programs, directory, started):
    prometheus_program, many_vms, exporter = programs
    logs = [os.path.join(directory, name) for name in ("one", "two", "down")]
    started.append(start(logs[0], many_vms, str(VMS[0]), "export", "-l", "127.0.0.1:0"))
    started.append(start(logs[1], many_vms, str(VMS[1]), "export", "-V", "-l", "127.0.0.1:0"))
    started.append(start(logs[2], exporter, "-l", "127.0.0.1:0"))
    hosts = [f"127.0.0.1:{port_of(log)}" for log in logs]
    prometheus = Prometheus(prometheus_program, directory, hosts)
    started.append(prometheus.process)

    def rated():
        """a rate of each host that has VMs"""
        return len(prometheus.ask("count by (instance) (vm:kvmwatch_run_delay:ratio_rate5m)")) == 2

    wait_for(rated)
    wrong = [*wrong_numbers(prometheus), *wrong_answers(prometheus, hosts)]
    print("\n".join(wrong))
    return 1 if wrong else 0


def main():
    started = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            return run(sys.argv[1:4], directory, started)
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
