#!/usr/bin/env python3
"""What a fleet costs the Prometheus that keeps it: series, bytes a sample on disk, memory of the head.

    python3 benches/compare/tsdb.py [MINUTES]     12 unless told; PROMETHEUS names the program

One simulated fleet of 1,000 connections that lives three times as fast as a real
one, scraped every five seconds, which is as every fifteen; an exporter and a
Prometheus for each choice. At the end each Prometheus writes its head as a block.
Prints a table for 1,000, 10,000 and 100,000 connections: series and bytes grow in
a straight line with the fleet.
"""

import pathlib
import sys
import tempfile
import time

from processes import EXPORTER, Process, Prometheus, Simulator, head, row

CONNECTIONS, INTERVAL, SPEED = 1_000, 5, 3
MONTH = 30 * 24 * 3600 / (INTERVAL * SPEED)  # samples of a series
CHOICES = {
    "everything (the default)": [],
    "`--metrics.states=active`": ["--metrics.states=active"],
    "`active`, without `settings`": ["--metrics.states=active", "--no-collector.settings"],
    "`active`, `status` and `auth` alone": [
        "--metrics.states=active", "--no-collector.flow", "--no-collector.reauth", "--no-collector.settings"],
}


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as directory, Simulator(CONNECTIONS, speed=SPEED) as simulator:
        running = {}
        try:
            for at, (choice, flags) in enumerate(CHOICES.items()):
                place = pathlib.Path(directory) / str(at)
                place.mkdir()
                command = [EXPORTER, "--web.listen-address=127.0.0.1:0", *flags]
                exporter = Process(command, simulator.address)
                prometheus = Prometheus(place, exporter.address, INTERVAL)
                running[choice] = exporter, prometheus, prometheus.memory()
            time.sleep(minutes * 60)
            figures = {}
            for choice, (_, prometheus, idle) in running.items():
                memory = prometheus.memory() - idle
                figures[choice] = (*prometheus.block(), memory)
        finally:
            for exporter, prometheus, _ in running.values():
                prometheus.stop()
                exporter.__exit__()
    head("connections", "choice", "series", "bytes a sample", "head, MiB", "GB a month, every 15 s")
    for connections in (1_000, 10_000, 100_000):
        for choice, (series, samples, chunks, index, memory) in figures.items():
            times = connections / CONNECTIONS
            # A month has some 360 blocks of two hours, which compaction joins to ten of three days.
            month = series * MONTH * chunks / samples + 10 * index
            row(f"{connections:,}", choice, f"{series * times:,.0f}", f"{chunks / samples:.2f}",
                f"{memory * times / 2**20:,.0f}", f"{month * times / 1e9:,.1f}")


main()
