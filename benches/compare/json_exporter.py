#!/usr/bin/env python3
"""Compares this exporter with json_exporter: the tables of docs/comparison.md.

    python3 benches/compare/json_exporter.py PATH/TO/json_exporter

over one simulated API, in turns. json_exporter, and the configuration it gets,
json_exporter.yml, see one page of a hundred connections, since it knows no pages.
"""

import argparse
import re
import statistics
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from processes import SETTLE_SECONDS, Process, Simulator, build, build_venv, exporter, head, python_exporter, row

CONFIG = Path(__file__).with_name("json_exporter.yml")
SERIES = re.compile(r"^kernel_auth_connection_", re.M)


class JsonExporter(Process):
    """Its log goes to a file: at its usual level it writes rows into it."""

    def __init__(self, binary, simulator, log):
        self.target = f"{simulator.address}/auth/connections?limit=100"
        self.log = log
        port = free_port()
        command = [binary, f"--config.file={CONFIG}", f"--web.listen-address=127.0.0.1:{port}"]
        super().__init__(["sh", "-c", 'exec "$@" 2>"$0"', log, *command], wait=False)
        self.address = f"http://127.0.0.1:{port}"
        until(lambda: answer(f"{self.address}/")[0] == 200)

    def scrape(self, module="default"):
        return answer(f"{self.address}/probe?module={module}&target={urllib.request.quote(self.target, safe='')}")


class Ours:
    """Its log is read and thrown away: a full pipe would stop it."""

    def __init__(self, process):
        self.process = process
        threading.Thread(target=process.child.stderr.read, daemon=True).start()

    def scrape(self):
        return answer(f"{self.process.address}/metrics")

    def cpu_seconds(self):
        return self.process.cpu_seconds()


def free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until(condition):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit("timed out")


def answer(url):
    """Status and text. A scraper has given up after ten seconds."""
    try:
        with urllib.request.urlopen(url, timeout=10) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except TimeoutError:
        return "no answer in 10 s", ""


def control(simulator, method, path, body=""):
    request = urllib.request.Request(simulator.control + path, data=body.encode() if method == "POST" else None, method=method)
    urllib.request.urlopen(request).close()


def cost(contestants, rounds):
    """CPU per connection of a page of a hundred, in turns."""
    head("contestant", "CPU µs per connection", "times the exporter's", "series per connection")
    used = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, one in contestants.items():
            before = one.cpu_seconds()
            one.scrape()
            time.sleep(SETTLE_SECONDS)
            if number:
                used[name].append(one.cpu_seconds() - before)
    medians = {name: statistics.median(values) * 1e4 for name, values in used.items()}
    for name, one in contestants.items():
        series = len(SERIES.findall(one.scrape()[1])) / 100
        row(name, f"{medians[name]:,.1f}", f"{medians[name] / medians['exporter']:.1f}", f"{series:.1f}")


def seen(text):
    """How many connections have a series."""
    return len(set(re.findall(r'connection_id="([^"]+)"', text)))


def behaviour(contestants, simulator, log):
    """The same faults for each."""
    head("what happens", *contestants)

    def tell(what):
        cells = []
        for one in contestants.values():
            status, text = one.scrape()
            up = re.search(r"^kernel_auth_up (\d)", text, re.M)
            cells.append(f"{status}, {seen(text)} connections" + (f", `kernel_auth_up {up[1]}`" if up else ""))
        row(what, *cells)

    tell("250 connections, three pages")
    for what, fault in (
        ("the page is no JSON", "garbage"),
        ("the page is HTML", "html"),
        ("half of the page", "truncate"),
        ("503", "status=503"),
        ("one row has no status", "malformed-row=no-status"),
        ("one row is null", "malformed-row=null"),
    ):
        control(simulator, "POST", "/faults", f"{fault},endpoint=connections")
        tell(what)
        control(simulator, "DELETE", "/faults")
    json = contestants["json_exporter"]
    row("an enum filter, once a row has null", "", "", f"{json.scrape('filter')[0]}, {seen(json.scrape('filter')[1])} connections")
    found = log.read_text(errors="replace").encode().decode("unicode_escape", errors="replace")
    print(f"\njson_exporter's log: {log.stat().st_size / 1e6:.1f} MB, {decoded(found).count('do-not-export')} texts that must not leave the API")


def decoded(log):
    """Data are logged as lists of bytes: `[123 34 …]`."""
    lists = re.findall(r"\[((?:\d{1,3} ?)+)\]", log)
    return log + "".join(bytes(int(one) for one in each.split()).decode("utf-8", "replace") for each in lists)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--no-build", action="store_true")
    arguments = parser.parse_args()
    if not arguments.no_build:
        build()
        build_venv()
    for connections, measure in ((100, "cost"), (250, "behaviour")):
        with Simulator(connections, speed=0) as simulator, tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "log"
            with exporter(simulator, "--kernel.hold=0s") as ours, python_exporter(simulator) as python, \
                    JsonExporter(arguments.binary, simulator, log) as json:
                contestants = {"exporter": Ours(ours), "Python": Ours(python), "json_exporter": json}
                print()
                if measure == "cost":
                    cost(contestants, arguments.rounds)
                else:
                    behaviour(contestants, simulator, log)


if __name__ == "__main__":
    main()
