"""Fixtures for tests that drive the real binary.

`binary`      path of the program: `KERNEL_AUTH_EXPORTER_BIN`, else
              `target/debug/kernel-auth-exporter`. Skips nothing: a missing
              binary is an error that says how to build it.
`start`       factory: `start("simulate", "--connections", "5", env={...})`
              runs the program with a clean environment and returns a
              `Process`, which ends with the test.
`simulator`   factory: `simulator(connections=250, speed=60, fault=[...])` runs
              `simulate` on free ports and returns a `Simulator`: a `Process`
              with its control endpoint. Keywords become flags.
`running`     `running(server)` gives it back and stops it with the test; for
              those of `monitoring`.

    def test_something(simulator, start):
        api = simulator(connections=3)
        exporter = start("--web.listen-address", "127.0.0.1:0",
                         env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url})
        api.faults("status=503,times=2")
        text = exporter.get("/metrics")
        assert api.requests()["non_get"] == 0
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable, Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# They need what scripts/judges builds, and it runs them.
collect_ignore_glob = [] if "VICTORIA_METRICS" in os.environ else ["test_judges_*.py"]


# They wait for a server's clock, or compute for a minute.
LONGEST = ["test_assets_live", "test_assets_rules", "test_assets_nights", "test_status_page", "test_getting_started",
           "test_e2e_prometheus", "test_sharding"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that none is alone at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """What a test needs is installed, or built; one that is skipped has failed."""
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped: {report.longrepr}"
    return report


# Proxies of the environment are not for servers on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http(
    url: str,
    data: str | None = None,
    method: str | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = 15,
) -> tuple[int, dict[str, str], str]:
    """Status, headers (lower case) and text of an answer, whatever the status."""
    request = urllib.request.Request(
        url,
        data=None if data is None else data.encode(),
        method=method,
        headers=headers or {},
    )
    try:
        with _opener.open(request, timeout=timeout) as answer:
            body, status, received = answer.read(), answer.status, answer.headers
    except urllib.error.HTTPError as error:
        body, status, received = error.read(), error.code, error.headers
    names = {name.lower(): value for name, value in received.items()}
    return status, names, body.decode("utf-8", "replace")


def wait_for(condition: Callable[[], Any], timeout: float = 15, what: str = "condition") -> Any:
    """Polls until `condition()` is truthy and returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.02)


class Process:
    """The program, running. Its stderr is kept line by line.

    `url` is the address of the first `listening` line; `urls` are all of them.
    """

    def __init__(self, arguments: list[str], env: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._new_line = threading.Condition()
        self.process = subprocess.Popen(
            arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._out: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stderr, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stdout, self._out), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._new_line:
                lines.append(line.rstrip("\n"))
                self._new_line.notify_all()
        with self._new_line:
            self._new_line.notify_all()

    @property
    def stderr(self) -> str:
        """What it has written to stderr so far."""
        return "\n".join(self.lines)

    @property
    def stdout(self) -> str:
        """What it has written to stdout so far."""
        return "\n".join(self._out)

    def find(self, pattern: str, timeout: float = 15) -> re.Match[str]:
        """Waits for a line of stderr that matches, and returns the match."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._new_line:
            while True:
                for line in self.lines[seen:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                seen = len(self.lines)
                left = deadline - time.monotonic()
                ended = self.process.poll() is not None and not self._readers[0].is_alive()
                if left <= 0 or ended:
                    state = f"exit code {self.process.poll()}" if ended else "running"
                    raise AssertionError(f"no line matches {pattern!r} ({state}):\n{self.stderr}")
                self._new_line.wait(min(left, 0.1))

    @property
    def url(self) -> str:
        """The first address it listens on, once it does."""
        return self.find(r'\baddress"?[=:]"?(https?://[^\s",}]+)').group(1)

    @property
    def urls(self) -> list[str]:
        """Every address it listens on so far, the first awaited."""
        _ = self.url
        return re.findall(r'\baddress"?[=:]"?(https?://[^\s",}]+)', self.stderr)

    def get(self, path: str, **keywords: Any) -> str:
        """The text of a GET that must answer 200."""
        status, _, text = http(self.url + path, **keywords)
        assert status == 200, f"{path}: {status}: {text}"
        return text

    def stop(self, timeout: float = 10) -> int:
        """SIGTERM, and the exit code; a process that stays is killed."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        for reader in self._readers:
            reader.join(5)
        return code


class Simulator(Process):
    """`simulate`, with its control endpoint. docs/simulator.md lists the commands."""

    key = "sk_demo"

    @property
    def control_url(self) -> str:
        """Where the control endpoint listens."""
        return self.find(r'\bcontrol"?[=:]"?(http://[^\s",}]+)').group(1)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A command; dictionaries and lists are sent as JSON, text as it is."""
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        if method == "POST" and data is None:
            data = ""
        status, _, text = http(self.control_url + path, data=data, method=method)
        assert status == 200, f"{method} {path}: {status}: {text}"
        return json.loads(text)

    def world(self) -> list[dict[str, Any]]:
        """Every connection as it is now; `object` is what the API serves."""
        return self.control("GET", "/world")

    def ledger(self) -> dict[str, Any]:
        """What has ended since the start: `counts`, `errors`, `durations`."""
        return self.control("GET", "/ledger")

    def requests(self, entries: bool = False) -> dict[str, Any]:
        """What was asked: `total`, `non_get`, `in_flight_high`, `counts`."""
        return self.control("GET", "/requests" + ("?entries" if entries else ""))

    def reset_requests(self) -> None:
        """Forgets what was asked."""
        self.control("DELETE", "/requests")

    def faults(self, *specs: str) -> None:
        """Switches faults on, beside those that are."""
        self.control("POST", "/faults", "\n".join(specs))

    def clear_faults(self) -> None:
        """Switches every fault off."""
        self.control("DELETE", "/faults")

    def advance(self, duration: str) -> None:
        """Moves the world's clock, such as `1h30m`."""
        self.control("POST", "/advance", duration)

    def set_connection(self, id: str, **members: Any) -> dict[str, Any]:
        """Sets members of a connection's object."""
        return self.control("POST", "/connections/" + urllib.parse.quote(id, safe=""), members)

    def create_connection(self, **members: Any) -> dict[str, Any]:
        """Creates a connection; `id`, `project`, `domain`, `profile_name` and any member."""
        return self.control("POST", "/connections", members)

    def delete_connection(self, id: str) -> None:
        """Deletes a connection."""
        self.control("DELETE", "/connections/" + urllib.parse.quote(id, safe=""))

    def happen(self, id: str, event: str, **members: Any) -> dict[str, Any]:
        """Makes `health_check`, `flow_starts`, `flow_reaches` or `flow_ends` happen."""
        path = f"/connections/{urllib.parse.quote(id, safe='')}/happen"
        return self.control("POST", path, {"event": event, **members})


@pytest.fixture(scope="session")
def binary() -> str:
    """Path of the program under test."""
    path = pathlib.Path(
        os.environ.get("KERNEL_AUTH_EXPORTER_BIN", ROOT / "target/debug/kernel-auth-exporter")
    )
    if not path.exists():
        pytest.exit(f"{path} is missing; `cargo build` first or set KERNEL_AUTH_EXPORTER_BIN", 2)
    return str(path)


def _environment(extra: dict[str, str] | None) -> dict[str, str]:
    """The environment without what would configure the program by accident."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("KERNEL_") and not name.lower().endswith("_proxy")
    }
    return {**clean, **(extra or {})}


@pytest.fixture
def start(binary: str) -> Iterator[Callable[..., Process]]:
    """Factory of processes; they end with the test."""
    running: list[Process] = []

    def start(
        *arguments: str, env: dict[str, str] | None = None, kind: type[Process] = Process
    ) -> Process:
        process = kind([binary, *arguments], _environment(env))
        running.append(process)
        return process

    yield start
    for process in reversed(running):
        process.stop()


@pytest.fixture
def simulator(start: Callable[..., Process]) -> Callable[..., Simulator]:
    """Factory of simulators: `simulator(connections=250, rate_limit="100/min")`."""

    def simulator(**flags: Any) -> Simulator:
        arguments = ["simulate", "--listen-address", "127.0.0.1:0", "--control-address", "127.0.0.1:0"]
        for name, value in flags.items():
            for item in value if isinstance(value, (list, tuple)) else [value]:
                arguments += ["--" + name.replace("_", "-"), str(item)]
        process = start(*arguments, kind=Simulator)
        process.key = str(flags.get("api_key", Simulator.key))
        _ = process.url
        return process

    return simulator


@pytest.fixture
def running() -> Iterator[Callable[[Any], Any]]:
    """Keeps servers that end with the test."""
    servers: list[Any] = []

    def keep(server: Any) -> Any:
        servers.append(server)
        return server

    yield keep
    for server in reversed(servers):
        server.stop()
