#!/usr/bin/env python3
"""What a fleet costs the Prometheus that keeps it: series, bytes a sample on disk, memory of the head.

    python3 benches/compare/tsdb.py [MINUTES]     12 unless told; PROMETHEUS names the program

One simulated fleet of 1,000 connections that lives three times as fast as a real
one, scraped every five seconds, which is as every fifteen; an exporter and a
Prometheus for each choice. At the end each Prometheus writes its head as a block.
Prints a table for 1,000, 10,000 and 100,000 connections: series and bytes grow in
a straight line with the fleet.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from processes import EXPORTER, Process, Simulator, head, row

PROMETHEUS = os.environ.get("PROMETHEUS", "prometheus")
CONNECTIONS, INTERVAL, SPEED = 1_000, 5, 3
MONTH = 30 * 24 * 3600 / (INTERVAL * SPEED)  # samples of a series
CHOICES = {
    "everything (the default)": [],
    "`--metrics.states=active`": ["--metrics.states=active"],
    "`active`, without `settings`": ["--metrics.states=active", "--no-collector.settings"],
    "`active`, `status` and `auth` alone": [
        "--metrics.states=active", "--no-collector.flow", "--no-collector.reauth", "--no-collector.settings"],
}


class Prometheus:
    def __init__(self, directory, target):
        self.directory = directory
        config = directory / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": f"{INTERVAL}s", "scrape_timeout": f"{INTERVAL}s"},
            "scrape_configs": [{"job_name": "kernel-auth-exporter", "static_configs": [
                {"targets": [target.removeprefix("http://")]}]}]}))
        self.log = open(directory / "log", "w+")
        self.child = subprocess.Popen(
            [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
             "--web.enable-admin-api", "--web.listen-address=127.0.0.1:0"],
            stdout=subprocess.DEVNULL, stderr=self.log)
        self.address = None
        while not self.address:
            for line in (directory / "log").read_text().splitlines():
                if "Listening on" in line:
                    self.address = "http://" + line.split("address=")[1].split()[0]
            time.sleep(0.1)

    def ask(self, path, method="GET"):
        with urllib.request.urlopen(urllib.request.Request(self.address + path, method=method)) as answer:
            return answer.read().decode()

    def memory(self):
        text = self.ask("/metrics")
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("go_memstats_heap_inuse_bytes"))

    def block(self):
        """Series, samples, bytes of chunks and of the index."""
        name = json.loads(self.ask("/api/v1/admin/tsdb/snapshot", "POST"))["data"]["name"]
        series = samples = chunks = index = 0
        for block in (self.directory / "data" / "snapshots" / name).iterdir():
            stats = json.loads((block / "meta.json").read_text())["stats"]
            series, samples = max(series, stats["numSeries"]), samples + stats["numSamples"]
            chunks += sum(part.stat().st_size for part in (block / "chunks").iterdir())
            index += (block / "index").stat().st_size
        return series, samples, chunks, index


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
                prometheus = Prometheus(place, exporter.address)
                running[choice] = exporter, prometheus, prometheus.memory()
            time.sleep(minutes * 60)
            figures = {}
            for choice, (_, prometheus, idle) in running.items():
                memory = prometheus.memory() - idle
                figures[choice] = (*prometheus.block(), memory)
        finally:
            for exporter, prometheus, _ in running.values():
                prometheus.child.kill()
                prometheus.child.wait()
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
