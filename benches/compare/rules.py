#!/usr/bin/env python3
"""What the shipped rules cost Prometheus at each evaluation, over a simulated fleet.

    python3 benches/compare/rules.py [CONNECTIONS] [MINUTES]     10,000 and 10 unless told; PROMETHEUS names the program

Scraped and evaluated every fifteen seconds. Prints for each group of rules the
median and the longest of its evaluations in the second half of that time, its
five dearest rules at their longest, and the series that its recordings have.
"""

import json
import pathlib
import statistics
import sys
import tempfile
import time
import urllib.parse

from processes import EXPORTER, ROOT, Process, Prometheus, Simulator, head, row

INTERVAL = 15


def main():
    connections = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    seen, dearest = {}, {}
    with tempfile.TemporaryDirectory() as directory, Simulator(connections) as simulator:
        exporter = Process([EXPORTER, "--web.listen-address=127.0.0.1:0"], simulator.address)
        prometheus = Prometheus(pathlib.Path(directory), exporter.address, INTERVAL, [ROOT / "alerts/kernel-auth-rules.yml"])
        try:
            end = time.monotonic() + minutes * 60
            while time.monotonic() < end:
                time.sleep(INTERVAL)
                if time.monotonic() < end - minutes * 30:
                    continue
                for group in prometheus.rules():
                    seen.setdefault(group["name"], []).append(group["evaluationTime"])
                    for rule in group["rules"]:
                        most = dearest.setdefault(group["name"], {})
                        most[rule["name"]] = max(most.get(rule["name"], 0), rule["evaluationTime"])
            query = urllib.parse.quote('count by (__name__) ({__name__=~".+:.+"})')
            recorded = {one["metric"]["__name__"]: int(one["value"][1])
                        for one in json.loads(prometheus.ask(f"/api/v1/query?query={query}"))["data"]["result"]}
            names = {group["name"]: {rule["name"] for rule in group["rules"] if rule["type"] == "recording"}
                     for group in prometheus.rules()}
        finally:
            prometheus.stop()
            exporter.__exit__()
    head("group", "evaluation, ms", "longest, ms", "dearest rules, ms", "series recorded")
    for group, times in seen.items():
        most = sorted(((took, name) for name, took in dearest[group].items()), reverse=True)[:5]
        row(f"`{group}`", f"{statistics.median(times) * 1e3:,.0f}", f"{max(times) * 1e3:,.0f}", ", ".join(f"`{name}` {took * 1e3:,.0f}" for took, name in most),
            f"{sum(recorded.get(name, 0) for name in names[group]):,}")
    total = sum(statistics.median(times) for times in seen.values())
    row("all", f"{total * 1e3:,.0f}", "", "", f"{sum(recorded.values()):,}")


main()
