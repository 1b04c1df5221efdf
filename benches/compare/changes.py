#!/usr/bin/env python3
"""What gzip costs where the fleet stands still, where one connection in a hundred
changes from scrape to scrape, and where all do.

    python3 benches/compare/changes.py [CONNECTIONS ...]     10000 unless told

A change is a health check that was made, and half of them log in or out. Where all
change, two hours pass, and whatever is due happens. Ratios, as in run.py.
"""

import json
import random
import statistics
import sys
import time
import urllib.request

from processes import SETTLE_SECONDS, Simulator, build, exporter, head, row

ROUNDS = 9
STATUSES = ("AUTHENTICATED", "NEEDS_AUTH")


def ask(url, body=None):
    data = None if body is None else body.encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data)) as answer:
        return json.loads(answer.read() or b"null")


def one_in_a_hundred(simulator, ids):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for id in random.sample(ids, len(ids) // 100):
        members = {"last_auth_check_at": now, "status": random.choice(STATUSES)}
        ask(f"{simulator.control}/connections/{id}", json.dumps(members))


CHANGES = {
    "nothing": lambda simulator, ids: None,
    "1 %": one_in_a_hundred,
    "everything": lambda simulator, ids: ask(f"{simulator.control}/advance", "2h"),
}


def measure(connections):
    figures = {}
    with Simulator(connections, speed=0) as simulator:
        ids = [row["id"] for row in ask(f"{simulator.control}/world")]
        ways = {"plain": exporter(simulator), "gzip": exporter(simulator, gzip=True)}
        try:
            for what, change in CHANGES.items():
                for turn in range(ROUNDS + 1):
                    for way, process in ways.items():
                        change(simulator, ids)
                        before = process.cpu_seconds()
                        size = process.round()
                        time.sleep(SETTLE_SECONDS)
                        if turn:  # The first one is another fleet's.
                            figures.setdefault((what, way), []).append((process.cpu_seconds() - before, size))
            peaks = {way: process.peak_mib() for way, process in ways.items()}
        finally:
            for process in ways.values():
                process.__exit__()
    for what in CHANGES:
        plain, gzip = (statistics.median(cpu for cpu, _ in figures[what, way]) for way in ways)
        size = figures[what, "gzip"][-1][1]
        row(f"{connections:,}", what, f"{plain * 1e3:.1f}", f"{gzip * 1e3:.1f}", f"{gzip / plain:.2f}",
            f"{size / 1e6:.2f}", f"{peaks['plain']:.1f}", f"{peaks['gzip']:.1f}")


def main():
    build()
    head("connections", "what changes", "plain, CPU ms", "gzip, CPU ms", "times plain", "MB with gzip",
         "peak MiB, plain", "peak MiB, gzip")
    for connections in sys.argv[1:] or ["10000"]:
        measure(int(connections))


main()
