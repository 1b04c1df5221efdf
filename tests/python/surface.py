"""The programs of this repository, started for tests: loopback, free ports."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY = "sk_demo"
PATIENCE = 60


def binary():
    """The program under test: `KERNEL_AUTH_EXPORTER`, or a debug build."""
    named = os.environ.get("KERNEL_AUTH_EXPORTER")
    if named:
        return named
    subprocess.run(["cargo", "build", "--quiet"], cwd=ROOT, check=True)
    return str(ROOT / "target" / "debug" / "kernel-auth-exporter")


class Program:
    """A process whose log tells where it listens."""

    def __init__(self, arguments, env=None, ready=r"msg=\"?listening\"?.* address=(\S+)"):
        self.lines = []
        self.process = subprocess.Popen(
            arguments,
            env={"PATH": os.environ["PATH"]} | (env or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self.find(ready).group(1)

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def find(self, pattern):
        """The first line of the log that has this, waited for."""

        def look():
            for line in self.lines:
                if line is None:
                    raise AssertionError("it ended: " + "".join(self.lines[:-1]))
                found = re.search(pattern, line)
                if found:
                    return found
            return None

        with self.changed:
            found = self.changed.wait_for(look, PATIENCE)
        assert found, f"no {pattern} in: {self.lines}"
        return found

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def simulator(*flags):
    """The simulated API; `.control` is its other side."""
    arguments = [binary(), "simulate", "--listen-address=127.0.0.1:0"]
    arguments += ["--control-address=127.0.0.1:0", "--speed=0", *flags]
    program = Program(arguments)
    program.control = program.find(r"control=(\S+)").group(1)
    try:
        yield program
    finally:
        program.stop()


@contextlib.contextmanager
def exporter(api, *flags, listen="127.0.0.1:0"):
    arguments = [binary(), f"--web.listen-address={listen}"]
    arguments += [f"--kernel.api-url={api.url}", *flags]
    program = Program(arguments, {"KERNEL_API_KEY": KEY})
    try:
        yield program
    finally:
        program.stop()


def get(url):
    """Status and text."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def order(api, method, path, body=""):
    """Tells the simulated API something."""
    body = body if isinstance(body, str) else json.dumps(body)
    request = urllib.request.Request(api.control + path, body.encode(), method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def until(reached, what):
    """Waits until `reached()` gives something true, and returns it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = reached()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE}s: {what}")
