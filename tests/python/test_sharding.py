"""Two of Debian's Prometheus servers share a fleet over /sd and /probe, with the
configuration that is in `examples/`."""

from __future__ import annotations

import json
import pathlib
import socket
import subprocess
import urllib.parse

import pytest

from conftest import ROOT, http, wait_for

EXAMPLE = (ROOT / "examples" / "prometheus-sharded.yml").read_text()
PATIENCE = 60


def configuration(exporter_url: str, shard: int) -> str:
    """The example, for this server and this exporter, and faster."""
    text = EXAMPLE
    for was, becomes, times in [
        ("localhost:10077", exporter_url.removeprefix("http://"), 2),
        ('"0" # SHARD', f'"{shard}"', 2),
        ("scrape_interval: 60s", "scrape_interval: 1s", 1),
        ("scrape_timeout: 15s", "scrape_timeout: 1s", 1),
        ("refresh_interval: 60s", "refresh_interval: 1s", 1),
    ]:
        assert text.count(was) == times, was
        text = text.replace(was, becomes)
    return text


class Prometheus:
    """The real one, on a port that was free just before."""

    def __init__(self, directory: pathlib.Path, text: str) -> None:
        directory.mkdir()
        config = directory / "prometheus.yml"
        config.write_text(text)
        for attempt in range(5):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{free.getsockname()[1]}"
            self.url = f"http://{address}"
            log = directory / f"log-{attempt}"
            with open(log, "wb") as out:
                self.process = subprocess.Popen(
                    ["prometheus", f"--config.file={config}", f"--web.listen-address={address}",
                     f"--storage.tsdb.path={directory}/data-{attempt}"],
                    stdout=out, stderr=out,
                )
            wait_for(lambda: self.process.poll() is not None or self.is_ready(), PATIENCE, "start")
            if self.process.poll() is None:
                return
            # Somebody took the port in between.
        raise AssertionError(log.read_text())

    def is_ready(self) -> bool:
        try:
            return http(self.url + "/-/ready")[0] == 200
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, str]]:
        """The labels of each series that this finds now."""
        query = urllib.parse.urlencode({"query": expression})
        status, _, text = http(f"{self.url}/api/v1/query?{query}")
        assert status == 200, f"{expression}: {text}"
        return [row["metric"] for row in json.loads(text)["data"]["result"]]

    def targets(self) -> set[str]:
        """The connections that it probes."""
        status, _, text = http(f"{self.url}/api/v1/targets?state=active")
        assert status == 200, text
        active = json.loads(text)["data"]["activeTargets"]
        return {target["labels"]["instance"] for target in active}


@pytest.fixture
def servers(tmp_path):
    """Factory: two Prometheus servers that share one exporter's fleet."""
    running = []

    def servers(exporter_url: str) -> list[Prometheus]:
        for shard in range(2):
            text = configuration(exporter_url, shard)
            running.append(Prometheus(tmp_path / str(shard), text))
        return running

    yield servers
    for server in running:
        server.process.terminate()
    for server in running:
        server.process.wait(PATIENCE)


@pytest.fixture
def expose(start):
    def expose(api, address: str = "127.0.0.1:0"):
        return start(
            f"--web.listen-address={address}",
            "--kernel.project=all",
            "--kernel.hold=0s",
            env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url},
        )

    return expose


def test_each_connection_is_in_exactly_one_server(simulator, expose, servers):
    api = simulator(connections=60, projects=2, speed=0)
    exporter = expose(api)
    archived = {p["id"] for p in api.control("GET", "/projects") if p["archived"]}
    fleet = {row["id"]: row for row in api.world() if row["project"] not in archived}
    first, second = servers(exporter.url)

    def probed(server):
        return {row["instance"] for row in server.query("probe_success == 1")}

    wait_for(lambda: probed(first) | probed(second) == set(fleet), PATIENCE, "every connection")
    assert probed(first) & probed(second) == set()
    assert probed(first) and probed(second)

    # What the series say of a connection is what the target is.
    seen = {}
    for server in (first, second):
        for row in server.query("kernel_auth_connection_status == 1"):
            assert row["connection_id"] == row["instance"]
            assert row["connection_id"] not in seen
            seen[row["connection_id"]] = row
    assert set(seen) == set(fleet)
    for id, row in seen.items():
        assert row["project"] == fleet[id]["project"]
        assert row["domain"] == fleet[id]["domain"]
        assert row["profile_name"] == fleet[id]["profile_name"]
        assert row["status"] == fleet[id]["status"]

    # A connection that comes is found by one of them, one that goes is dropped.
    gone = sorted(fleet)[0]
    api.delete_connection(gone)
    api.create_connection(id="ma_newcomer", project=fleet[gone]["project"])
    wanted = (set(fleet) - {gone}) | {"ma_newcomer"}
    exporter.stop()
    exporter = expose(api, exporter.url.removeprefix("http://"))
    _ = exporter.url

    def both():
        return [first.targets(), second.targets()]

    wait_for(lambda: set.union(*both()) == wanted, PATIENCE, "the newcomer")
    assert set.intersection(*both()) == set()

    # An exporter that knows nothing does not make them forget.
    api.faults("status=401")
    address = exporter.url.removeprefix("http://")
    exporter.stop()
    exporter = expose(api, address)
    _ = exporter.url

    def refused(server):
        _, _, text = http(server.url + "/metrics")
        lines = [line for line in text.splitlines() if "sd_http_failures_total" in line]
        return max((float(line.rsplit(" ", 1)[1]) for line in lines if line[0] != "#"), default=0)

    before = [refused(first), refused(second)]
    wait_for(
        lambda: refused(first) > before[0] + 1 and refused(second) > before[1] + 1,
        PATIENCE,
        "answers of /sd that are refused",
    )
    assert set.union(*both()) == wanted
    assert set.intersection(*both()) == set()
