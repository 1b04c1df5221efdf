"""Starting, scraping and measuring the processes that are compared."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EXPORTER = TARGET / "release" / "kernel-auth-exporter"
FLOOR = TARGET / "release" / "examples" / "floor"
VENV = TARGET / "compare-venv"
KEY = "sk_demo"
PROMETHEUS = os.environ.get("PROMETHEUS", "prometheus")

# What a process still does after its answer, such as letting go of the snapshot
# before, belongs to the scrape.
SETTLE_SECONDS = 0.05


def build():
    """Builds the release binary and the floor, and a virtual environment."""
    cargo = ["cargo", "build", "--quiet", "--release"]
    subprocess.run([*cargo, "--bin", "kernel-auth-exporter"], cwd=ROOT, check=True)
    subprocess.run([*cargo, "--example", "floor", "--features", "testing"], cwd=ROOT, check=True)


def build_venv():
    requirements = Path(__file__).with_name("requirements.txt")
    if not (VENV / "bin" / "python").exists():
        subprocess.run(["python3", "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", "-r", str(requirements)], check=True)


class Process:
    """A child that names its address in a line on standard error."""

    def __init__(self, command, base_url="http://127.0.0.1:9", wait=True):
        env = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "KERNEL_API_KEY": KEY,
            "KERNEL_BASE_URL": base_url,
        }
        self.child = subprocess.Popen(
            [str(part) for part in command],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.clock = (~self.child.pid << 3) | 2  # CLOCK_CPUTIME_ID of the process, as clock_getcpuclockid(3) makes it
        self.lines = []
        self.address = self.named("address") if wait else None

    def named(self, field):
        """The value of `field`, from the first line on standard error that has it."""
        pattern = re.compile(rf"\b{field}=\"?(http://[^\s\"]+)")
        for line in self.lines:
            if found := pattern.search(line):
                return found[1]
        for line in self.child.stderr:
            self.lines.append(line)
            if found := pattern.search(line):
                return found[1]
        raise SystemExit(f"{self.child.args[0]} ended: {''.join(self.lines)}")

    def cpu_seconds(self):
        """User and system time of all threads, also of those that have ended."""
        return time.clock_gettime(self.clock)

    def status(self, field):
        """A line of /proc/PID/status, in MiB."""
        text = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M)[1]) / 1024

    def peak_mib(self):
        return self.status("VmHWM")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            pipe.close()


class Simulator(Process):
    def __init__(self, connections, latency="0s", speed=1):
        command = [EXPORTER, "simulate", "--listen-address=127.0.0.1:0", "--control-address=127.0.0.1:0"]
        command += [f"--connections={connections}", f"--latency={latency}", f"--speed={speed}"]
        # Without a published limit the exporter bounds its collections by itself.
        command += ["--rate-limit=100000000/min"]
        super().__init__(command)
        self.control = self.named("control")

    def forget_requests(self):
        urllib.request.urlopen(urllib.request.Request(f"{self.control}/requests", method="DELETE")).close()

    def requests(self):
        with urllib.request.urlopen(f"{self.control}/requests") as answer:
            return int(re.search(rb'"total":\s*(\d+)', answer.read())[1])


class Scraped(Process):
    """An exporter."""

    def __init__(self, command, simulator, gzip=False):
        self.gzip = gzip
        super().__init__(command, simulator.address)

    def round(self):
        encoding = "gzip" if self.gzip else "identity"
        return scrape(self.address, encoding)


def exporter(simulator, *flags, gzip=False):
    # A long timeout: the measurement wants whole answers, also on a busy machine.
    command = [EXPORTER, "--web.listen-address=127.0.0.1:0", "--kernel.timeout=10m", *flags]
    return Scraped(command, simulator, gzip)


def python_exporter(simulator):
    command = [VENV / "bin" / "python", Path(__file__).with_name("python_exporter.py"), "0"]
    return Scraped(command, simulator)


class Floor(Process):
    """The program that throws its pages away."""

    def __init__(self, simulator, in_flight=8):
        super().__init__([FLOOR, in_flight], simulator.address, wait=False)

    def round(self):
        print(file=self.child.stdin, flush=True)
        answer = self.child.stdout.readline().split()
        if not answer:
            raise SystemExit(f"the floor ended: {self.child.stderr.read()}")
        return int(answer[1])


class Prometheus:
    """A Prometheus that scrapes one exporter and keeps all in `directory`."""

    def __init__(self, directory, target, interval, rules=()):
        self.directory = directory
        config = directory / "prometheus.yml"
        every = {"scrape_interval": f"{interval}s", "scrape_timeout": f"{interval}s", "evaluation_interval": f"{interval}s"}
        config.write_text(json.dumps({
            "global": every, "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "kernel-auth-exporter", "static_configs": [
                {"targets": [target.removeprefix("http://")]}]}]}))
        self.log = open(directory / "log", "w+")
        self.child = subprocess.Popen(
            [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
             "--web.enable-admin-api", f"--web.listen-address=127.0.0.1:0"],
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

    def rules(self):
        """Each group, once it has been evaluated."""
        return json.loads(self.ask("/api/v1/rules"))["data"]["groups"]

    def stop(self):
        self.child.kill()
        self.child.wait()


def scrape(address, encoding="identity", timeout="600"):
    """Reads `/metrics` as fast as it comes; the number of bytes, chunk headers included."""
    host, port = address.removeprefix("http://").rsplit(":", 1)
    request = (
        "GET /metrics HTTP/1.1\r\nHost: exporter\r\nConnection: close\r\n"
        "Accept: text/plain;version=0.0.4\r\n"
        f"Accept-Encoding: {encoding}\r\nX-Prometheus-Scrape-Timeout-Seconds: {timeout}\r\n\r\n"
    )
    buffer = bytearray(1 << 20)
    total = 0
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request.encode())
        while received := connection.recv_into(buffer):
            if total == 0 and not buffer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
                raise SystemExit(f"not a 200: {bytes(buffer[:200])}")
            total += received
    return total


def text_of(address):
    """`/metrics` as text."""
    request = urllib.request.Request(
        f"{address}/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "600"}
    )
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells):
    row(*cells)
    row("---", *(["---:"] * (len(cells) - 1)))
