"""Real Prometheus and Alertmanager on free ports, and a webhook that listens."""

import http.server
import json
import pathlib
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

from conftest import http as get
from conftest import wait_for


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A Debian daemon with its log in a file. Its port is chosen just before it
    starts; should another take it in between, one more is tried."""

    def __init__(self, directory, ready, arguments):
        for attempt in range(3):
            self.port = free_port()
            self.url = f"http://127.0.0.1:{self.port}"
            self.log = pathlib.Path(directory) / f"{arguments(0)[0]}-{attempt}.log"
            with open(self.log, "w") as log:
                self.process = subprocess.Popen(arguments(self.port), stdout=log, stderr=log)
            if self._is_up(ready):
                return
        raise AssertionError(f"{arguments(0)[0]} does not start:\n{self.log.read_text()}")

    def _is_up(self, ready):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if get(self.url + ready)[0] == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.05)
        self.stop()
        return False

    def json(self, path, **parameters):
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        status, _, text = get(self.url + path + query, timeout=60)
        assert status == 200, f"{path} {parameters}: {status} {text}"
        return json.loads(text)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Prometheus(Server):
    def __init__(self, directory, config):
        path = pathlib.Path(directory) / "prometheus.json"
        path.write_text(json.dumps(config))  # JSON is YAML
        super().__init__(directory, "/-/ready", lambda port: [
            "prometheus", f"--config.file={path}", f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"])

    def now(self, expr):
        return self.json("/api/v1/query", query=expr)["data"]["result"]

    def over(self, expr, start, end, step=1):
        return self.json("/api/v1/query_range", query=expr, start=start, end=end, step=step)["data"]["result"]

    def wait(self, expr, timeout=40):
        """Until `expr` returns something."""
        return wait_for(lambda: self.now(expr), timeout, expr)


class Alertmanager(Server):
    def __init__(self, directory, config):
        path = pathlib.Path(directory) / "alertmanager.yml"
        path.write_text(config)
        super().__init__(directory, "/-/ready", lambda port: [
            "prometheus-alertmanager", f"--config.file={path}", f"--storage.path={directory}/alertmanager",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn"])

    def alerts(self, **labels):
        found = self.json("/api/v2/alerts")
        return [alert for alert in found if labels.items() <= alert["labels"].items()]


class Webhook:
    """Keeps what is posted to it, by path."""

    def __init__(self):
        self.posts = []
        posts = self.posts

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def firing(self, path, **labels):
        """The alerts told as firing, each with the notification it came in."""
        return [(post, alert) for where, post in self.posts if where == path for alert in post["alerts"]
                if alert["status"] == "firing" and labels.items() <= alert["labels"].items()]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
