"""Real Prometheus and Alertmanager on free ports, and a webhook that listens.

The programs are those of the PATH; `PROMETHEUS`, `PROMTOOL`, `ALERTMANAGER`
and `AMTOOL` name others.
"""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading
import urllib.parse
from typing import Any, Callable

from conftest import http as get
from conftest import wait_for

PROMETHEUS = os.environ.get("PROMETHEUS", "prometheus")
PROMTOOL = os.environ.get("PROMTOOL", "promtool")
ALERTMANAGER = os.environ.get("ALERTMANAGER", "prometheus-alertmanager")
AMTOOL = os.environ.get("AMTOOL", "amtool")

# Seconds from one evaluation of the rules to the next: the most that they are made
# for, and where today's Prometheus judges what they are shipped with.
EVALUATED = 30 if "PROMTOOL" in os.environ else 60

# Longer than anything takes to start, on a busy machine too.
PATIENCE = 60


class Server:
    """A daemon with its log in a file. Its port is chosen just before it
    starts; should another take it in between, one more is tried."""

    def __init__(self, directory: pathlib.Path, arguments: Callable[[str, pathlib.Path], list[str]]) -> None:
        for attempt in range(3):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{free.getsockname()[1]}"
            self.url = f"http://{address}"
            command = arguments(address, directory / f"data-{attempt}")
            self.log = directory / f"{pathlib.Path(command[0]).name}-{attempt}.log"
            with open(self.log, "wb") as out:
                self.process = subprocess.Popen(command, stdout=out, stderr=out)
            try:
                wait_for(lambda: self.process.poll() is not None or self._is_ready(), PATIENCE, command[0])
            except AssertionError:
                self.stop()
                raise
            if self.process.poll() is None:
                return
        raise AssertionError(f"{command[0]} does not start:\n{self.log.read_text()}")

    def _is_ready(self) -> bool:
        try:
            return get(self.url + "/-/ready")[0] == 200
        except OSError:
            return False

    def json(self, path: str, **parameters: Any) -> Any:
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        status, _, text = get(self.url + path + query, timeout=PATIENCE)
        assert status == 200, f"{path} {parameters}: {status} {text}"
        return json.loads(text)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Prometheus(Server):
    """With a configuration as text, or as what becomes JSON, which is YAML."""

    def __init__(self, directory: pathlib.Path, config: str | dict[str, Any], *flags: str) -> None:
        path = directory / "prometheus.yml"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        super().__init__(directory, lambda address, data: [
            PROMETHEUS, f"--config.file={path}", f"--storage.tsdb.path={data}",
            f"--web.listen-address={address}", "--log.level=warn", *flags])

    def now(self, expr: str) -> list[dict[str, Any]]:
        """The samples that `expr` finds now."""
        return self.json("/api/v1/query", query=expr)["data"]["result"]

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """Labels without those of the target, and the value, of each series now."""
        own = ("instance", "job")
        return [({name: text for name, text in row["metric"].items() if name not in own}, float(row["value"][1]))
                for row in self.now(expr)]

    def over(self, expr: str, start: float, end: float, step: int = 1) -> list[dict[str, Any]]:
        return self.json("/api/v1/query_range", query=expr, start=start, end=end, step=step)["data"]["result"]

    def targets(self) -> set[str]:
        """What it scrapes or probes."""
        active = self.json("/api/v1/targets", state="active")["data"]["activeTargets"]
        return {target["labels"]["instance"] for target in active}

    def wait(self, expr: str, timeout: float = 40) -> list[dict[str, Any]]:
        """Until `expr` returns something."""
        return wait_for(lambda: self.now(expr), timeout, expr)


class Alertmanager(Server):
    def __init__(self, directory: pathlib.Path, config: str) -> None:
        path = directory / "alertmanager.yml"
        path.write_text(config)
        super().__init__(directory, lambda address, data: [
            ALERTMANAGER, f"--config.file={path}", f"--storage.path={data}",
            f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=warn"])

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        found = self.json("/api/v2/alerts")
        return [alert for alert in found if labels.items() <= alert["labels"].items()]


class Webhook:
    """Keeps what is posted to it, by path."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Any]] = []
        posts = self.posts

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def firing(self, path: str, **labels: str) -> list[tuple[Any, Any]]:
        """The alerts told as firing, each with the notification it came in."""
        return [(post, alert) for where, post in self.posts if where == path for alert in post["alerts"]
                if alert["status"] == "firing" and labels.items() <= alert["labels"].items()]

    def resolved(self, path: str, **labels: str) -> list[Any]:
        """The alerts told as resolved."""
        return [alert for where, post in list(self.posts) if where == path for alert in post["alerts"]
                if alert["status"] == "resolved" and labels.items() <= alert["labels"].items()]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
