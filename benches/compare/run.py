#!/usr/bin/env python3
"""Compares this exporter with a Python one and with the floor under both.

    python3 benches/compare/run.py

Builds what it needs, runs the contestants in turns over one simulated API, and
prints Markdown. Needs Linux, a Rust toolchain, and PyPI for the Python one.
Options narrow it: --connections 100,1000 --rounds 10 --part scrape.
"""

import argparse
import os
import socket
import statistics
import sys
import time

from processes import (
    EXPORTER,
    SETTLE_SECONDS,
    Floor,
    Process,
    Simulator,
    build,
    build_venv,
    exporter,
    head,
    python_exporter,
    row,
    text_of,
)

PYTHON_UP_TO = 10_000
PEAK_AFTER = 10  # scrapes


class Contestant:
    def __init__(self, name, process):
        self.name = name
        self.process = process
        self.wall, self.cpu, self.requests = [], [], []
        self.peak = None

    def turn(self, simulator, counts):
        simulator.forget_requests()
        cpu, wall = self.process.cpu_seconds(), time.perf_counter()
        self.process.round()
        wall = time.perf_counter() - wall
        time.sleep(SETTLE_SECONDS)
        if counts:
            self.wall.append(wall)
            self.cpu.append(self.process.cpu_seconds() - cpu)
            self.requests.append(simulator.requests())
        if len(self.wall) == PEAK_AFTER - 2:  # The check and the first turn were scrapes too.
            self.peak = self.process.peak_mib()


def in_turns(simulator, contestants, rounds):
    for number in range(rounds + 1):
        # Nobody is always the one after the hungriest.
        shift = number % len(contestants)
        for contestant in contestants[shift:] + contestants[:shift]:
            contestant.turn(simulator, counts=number > 0)


def check(process, connections):
    """Series per connection. A contestant that shows less than the fleet has won nothing."""
    samples = [line for line in text_of(process.address).splitlines() if line.startswith("kernel_auth_connection_")]
    shown = {line.split('"')[1] for line in samples if line.startswith("kernel_auth_connection_status{")}
    if len(shown) != connections:
        raise SystemExit(f"{process.child.args[0]} shows {len(shown)} of {connections} connections")
    return len(samples) / connections


def scrapes(sizes, rounds):
    print("\n### A scrape\n")
    head(
        "connections",
        "contestant",
        "wall ms",
        "CPU ms",
        "CPU µs per connection",
        "over the floor",
        "CPU, times the exporter's",
        f"peak MiB after {PEAK_AFTER}",
        "requests",
        "series per connection",
    )
    for connections in sizes:
        with Simulator(connections) as simulator:
            contestants = [
                Contestant("exporter", exporter(simulator)),
                Contestant("exporter, `--metrics.states=active`", exporter(simulator, "--metrics.states=active")),
                Contestant("exporter, gzip", exporter(simulator, gzip=True)),
            ]
            if connections <= PYTHON_UP_TO:
                contestants.append(Contestant("Python", python_exporter(simulator)))
            floor = Contestant("floor", Floor(simulator))
            series = {one.name: check(one.process, connections) for one in contestants}
            in_turns(simulator, contestants + [floor], rounds)
            median = {one.name: statistics.median(one.cpu) for one in contestants + [floor]}
            for one in contestants + [floor]:
                cpu = median[one.name]
                per = cpu / connections * 1e6
                over = (cpu - median["floor"]) / connections * 1e6
                row(
                    f"{connections:,}",
                    one.name,
                    f"{statistics.median(one.wall) * 1e3:.1f}",
                    f"{cpu * 1e3:.1f}",
                    f"{per:.2f}",
                    f"{over:.2f}" if one is not floor else "",
                    f"{cpu / median['exporter']:.2f}",
                    f"{one.peak:.1f}" if one.peak else "",
                    f"{statistics.median(one.requests):.0f}",
                    f"{series[one.name]:.1f}" if one is not floor else "",
                )
                one.process.__exit__()


def latency(connections, rounds):
    print("\n### 50 ms per answer\n")
    head("connections", "contestant", "wall ms", "times the floor", "requests")
    with Simulator(connections, latency="50ms") as simulator:
        floor = Contestant("floor", Floor(simulator))
        contestants = [Contestant("exporter", exporter(simulator)), floor]
        in_turns(simulator, contestants, rounds)
        for one in contestants:
            wall = statistics.median(one.wall)
            ratio = statistics.median(a / b for a, b in zip(one.wall, floor.wall))
            row(f"{connections:,}", one.name, f"{wall * 1e3:.0f}", f"{ratio:.3f}", f"{statistics.median(one.requests):.0f}")
            one.process.__exit__()


def start_to_ready():
    command = [EXPORTER, "--web.listen-address=127.0.0.1:0"]
    started = time.perf_counter()
    with Process(command) as process:
        host, port = process.address.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /-/ready HTTP/1.1\r\nHost: exporter\r\n\r\n")
            answer = connection.recv(4096)
        took = time.perf_counter() - started
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not ready: {answer}")
        time.sleep(0.2)
        return took, process.status("VmRSS")


def at_rest(rounds):
    print("\n### At rest\n")
    seen = [start_to_ready() for _ in range(rounds)]
    head("what", "median", "worst")
    for index, (name, unit) in enumerate((("start to first `/-/ready`", 1e3), ("resident, before any scrape", 1))):
        values = [one[index] * unit for one in seen]
        shown = "ms" if index == 0 else "MiB"
        row(name, f"{statistics.median(values):.1f} {shown}", f"{max(values):.1f} {shown}")
    size = EXPORTER.stat().st_size / 1024 / 1024
    row("release binary, stripped", f"{size:.2f} MiB", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", default="100,1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=11, help="counted turns of each contestant")
    parser.add_argument("--part", action="append", choices=("scrape", "latency", "rest"))
    parser.add_argument("--no-build", action="store_true")
    arguments = parser.parse_args()
    parts = arguments.part or ("scrape", "latency", "rest")
    if not arguments.no_build:
        build()
        build_venv()
    print(f"{os.cpu_count()} cores; medians of {arguments.rounds} turns, one contestant after the other")
    if "scrape" in parts:
        scrapes([int(size) for size in arguments.connections.split(",")], arguments.rounds)
    if "latency" in parts:
        latency(10_000, arguments.rounds)
    if "rest" in parts:
        at_rest(max(arguments.rounds, 20))


if __name__ == "__main__":
    sys.exit(main())
