#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Clients of kvmwatch export, for export_test.sh.

    export_clients.py good PORT             one that behaves: prints what it got
    export_clients.py bad PORT KIND         many that do not; then one that does has its answer
    export_clients.py raw PORT              sends standard input, prints the answer's status
    export_clients.py tls PORT CA [CERT KEY]
    export_clients.py openmetrics           standard input keeps to OpenMetrics
    export_clients.py same STAT             standard input has the numbers of stat --json
    export_clients.py fresh PORT            half a second later there are other numbers
    export_clients.py cost PORT PID         prints series, bytes, compressed bytes, ms of CPU
"""
import gzip
import http.client
import json
import random
import re
import socket
import ssl
import struct
import sys
import time
import urllib.parse

HOST = "127.0.0.1"
MANY = 150
ACCEPT = ("application/openmetrics-text;version=1.0.0,"
          "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5")


def fetch(port, path="/metrics", headers=(), context=None, method="GET"):
    if context:
        connection = http.client.HTTPSConnection(HOST, port, timeout=60, context=context)
    else:
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
    connection.request(method, path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.getheader("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return response, body.decode()


def works(port):
    """One that behaves has all of its answer. It may have to come again: a crowd is thinned out."""
    for _ in range(600):
        try:
            response, body = fetch(port, headers={"Accept": ACCEPT, "Accept-Encoding": "gzip"})
            if response.status == 200 and body.endswith("# EOF\n"):
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)
    sys.exit("no answer any more")


def connect(port):
    s = socket.create_connection((HOST, port), timeout=60)
    return s


def send(s, data):
    """What the server does not want to hear is no failure of this client."""
    try:
        s.sendall(data)
    except OSError:
        pass


def half_requests(port):
    clients = []
    for i in range(MANY):
        s = connect(port)
        send(s, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "[:i % 40])
        clients.append(s)
    return clients


def dribble(port):
    clients = half_requests(port)
    for _ in range(5):
        for s in clients:
            send(s, b"x")
    return clients


def unread(port):
    clients = []
    for i in range(MANY):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(60)
        s.connect((HOST, port))
        encoding = b"Accept-Encoding: gzip\r\n" if i % 2 else b""
        send(s, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n" + encoding + b"\r\n")
        clients.append(s)
    return clients


def aborted(port):
    for _ in range(MANY):
        s = connect(port)
        send(s, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    return []


def garbage(port):
    words = [b"GET ", b"POST ", b"/metrics", b" HTTP/1.1", b"\r\n", b"\n", b"Host: ", b"\0",
             b"Content-Length: ", b"-1", b"Transfer-Encoding: chunked", b"%00%ff../..", b": ",
             b"Accept: ", b"q=", b";", b",", b"99999999999999999999", b"\xff\xfe", b"A" * 5000]
    random.seed(20261129)
    clients = []
    for _ in range(2 * MANY):
        s = connect(port)
        send(s, b"".join(random.choice(words) for _ in range(random.randrange(1, 30))))
        clients.append(s)
    return clients


def odd(port):
    head = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    requests = [
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET " + b"/" * 1000000 + b" HTTP/1.1\r\n\r\n",
        b"GET /metrics?" + b"a=b&" * 100000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        head + b"X: " + b"y" * 1000000 + b"\r\n\r\n",
        head + b"X: y\r\n" * 100000 + b"\r\n",
        head + b"Accept: " + b"a/b;q=," * 2000 + b"\r\n\r\n",
        head + b"Content-Length: -1\r\n\r\n",
        head + b"Content-Length: 99999999999999999999999\r\n\r\n",
        head + b"Content-Length: 100000\r\n\r\n" + b"z" * 1000,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + b"ffffffff\r\n" + b"z" * 100000,
        head + b"\r\n" + head + b"\r\n" + head + b"\r\n",
        (head + b"\r\n") * 1000,
        head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + head + b"\r\n",
        head + b"X: " + b"y" * 16000 + b"\r\n\r\n",
        head + b"X: a\0b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    ]
    clients = []
    for request in requests:
        s = connect(port)
        send(s, request)
        clients.append(s)
    return clients


BAD = {"half": half_requests, "dribble": dribble, "unread": unread, "aborted": aborted,
       "garbage": garbage, "odd": odd}


def bad(port, kind):
    clients = BAD[kind](port)
    works(port)
    for s in clients:
        s.close()
    works(port)


def tls(port, ca, cert=None, key=None):
    context = ssl.create_default_context(cafile=ca)
    if cert:
        context.load_cert_chain(cert, key)
    response, _ = fetch(port, context=context)
    print(response.status)


def raw(port):
    s = connect(port)
    send(s, sys.stdin.buffer.read())
    print(s.recv(65536).split()[1].decode())


def openmetrics():
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    samples = sum(len(f.samples) for f in text_string_to_metric_families(sys.stdin.read()))
    print(samples)
    sys.exit(samples == 0)


SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def read_samples(text):
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        if not match:
            sys.exit("no sample: " + line)
        labels = {name: re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value)
                  for name, value in LABEL.findall(match[2] or "")}
        samples[(match[1], tuple(sorted(labels.items())))] = match[3]
    return samples


# A statistic of a VM, what it is called here, and what a unit of the one is in the other.
SAME = [
    ("mapped_bytes", "vm_mapped_bytes", {}, 1), ("mapped_4k", "vm_mapped_pages", {"level": "4k"}, 1),
    ("map_4k", "vm_page_maps_total", {"level": "4k"}, 1),
    ("dirty_marks_fault", "vm_dirty_marks_total", {"cause": "fault"}, 1),
    ("dirty_marks_new", "vm_new_dirty_pages_total", {}, 1), ("vcpus", "vm_vcpus", {}, 1),
    ("lost_events", "vm_lost_events_total", {}, 1),
]
SAME_VCPU = [
    ("loads", "vcpu_loads_total", {}), ("preemptions", "vcpu_preemptions_total", {}),
    ("halt_poll_grow", "vcpu_halt_poll_changes_total", {"change": "grow"}),
    ("wakeups_wait", "vcpu_halt_wakeups_total", {"how": "wait"}),
]


def find(samples, name, labels):
    return samples.get(("kvmwatch_" + name, tuple(sorted(labels.items()))))


def same(stat):
    samples = read_samples(sys.stdin.read())
    labels = {dict(labels)["id"]: dict(labels)["vm"] for name, labels in samples
              if name == "kvmwatch_vm_info"}
    compared = 0
    for line in open(stat, errors="replace"):
        vm = json.loads(line)
        label = {"vm": labels[str(vm["id"])]}
        pairs = [(vm["stats"].get(s), find(samples, n, {**label, **more}))
                 for s, n, more, _ in SAME]
        for vcpu in vm["vcpus"]:
            one = {**label, "vcpu": str(vcpu["vcpu_id"])}
            pairs += [(vcpu["stats"].get(s), find(samples, n, {**one, **more}))
                      for s, n, more in SAME_VCPU]
        for number, sample in pairs:
            if number is None and sample is None:
                continue
            if str(number) != sample:
                sys.exit("%s: %s is not %s" % (label, sample, number))
            compared += 1
    print(compared, "are the same")
    sys.exit(compared == 0)


READ_AT = re.compile(r'^kvmwatch_read_at_seconds\{object="vm"\} (\S+)$', re.M)


def fresh(port):
    first = READ_AT.search(fetch(port)[1])[1]
    time.sleep(0.5)
    sys.exit(READ_AT.search(fetch(port)[1])[1] == first)


def cpu_ms(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e6


def cost(port, pid):
    """The mean of six answers that were made for this, and not given out again."""
    headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip"}
    seen, costs = set(), []
    while len(costs) < 6:
        before = cpu_ms(pid)
        response, body = fetch(port, headers=headers)
        took = cpu_ms(pid) - before
        read_at = READ_AT.search(body)[1]
        if read_at not in seen:
            costs.append(took)
        seen.add(read_at)
        time.sleep(5 * took / 1000)
    print(sum(not line.startswith("#") for line in body.splitlines()), len(body.encode()),
          response.getheader("Content-Length"), round(sum(costs) / len(costs), 1))


def query(port, text):
    """What a Prometheus has for a query, as soon as it has something."""
    for _ in range(600):
        try:
            _, body = fetch(port, "/api/v1/query?" + urllib.parse.urlencode({"query": text}))
            result = json.loads(body)["data"]["result"]
            if result:
                print(result[0]["value"][1])
                return
        except (OSError, KeyError, ValueError):
            pass
        time.sleep(0.1)
    sys.exit("Prometheus has no " + text)


def main():
    command, args = sys.argv[1], sys.argv[2:]
    if command == "good":
        print(fetch(int(args[0]), *args[1:2])[1], end="")
    elif command == "status":
        print(fetch(int(args[0]), args[1], dict(a.split(": ") for a in args[3:]),
                    method=args[2])[0].status)
    elif command == "bad":
        bad(int(args[0]), args[1])
    elif command == "raw":
        raw(int(args[0]))
    elif command == "tls":
        tls(int(args[0]), *args[1:])
    elif command == "openmetrics":
        openmetrics()
    elif command == "same":
        same(args[0])
    elif command == "fresh":
        fresh(int(args[0]))
    elif command == "cost":
        cost(int(args[0]), int(args[1]))
    elif command == "query":
        query(int(args[0]), args[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
