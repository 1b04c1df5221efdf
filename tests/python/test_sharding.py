"""Two Prometheus servers share a fleet over /sd and /probe, with the
configuration that is in `examples/`."""

from __future__ import annotations

import pytest

from conftest import ROOT, http, wait_for
from monitoring import Prometheus

EXAMPLE = (ROOT / "examples" / "prometheus-sharded.yml").read_text()
PATIENCE = 60


def configuration(exporter_url: str, shard: int) -> str:
    """The example, for this server and this exporter, and faster."""
    text = EXAMPLE
    for was, becomes, times in [
        ("localhost:10077", exporter_url.removeprefix("http://"), 3),
        ('"0" # SHARD', f'"{shard}"', 2),
        ("scrape_interval: 60s", "scrape_interval: 1s", 1),
        ("scrape_timeout: 15s", "scrape_timeout: 1s", 1),
        ("refresh_interval: 60s", "refresh_interval: 1s", 1),
    ]:
        assert text.count(was) == times, was
        text = text.replace(was, becomes)
    return text


@pytest.fixture
def servers(running, tmp_path):
    """Factory: two Prometheus servers that share one exporter's fleet."""

    def servers(exporter_url: str) -> list[Prometheus]:
        directories = [tmp_path / str(shard) for shard in range(2)]
        for directory in directories:
            directory.mkdir()
        return [running(Prometheus(directory, configuration(exporter_url, shard)))
                for shard, directory in enumerate(directories)]

    return servers


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
        return {row["metric"]["instance"] for row in server.now("probe_success == 1")}

    wait_for(lambda: probed(first) | probed(second) == set(fleet), PATIENCE, "every connection")
    assert probed(first) & probed(second) == set()
    assert probed(first) and probed(second)

    # What the series say of a connection is what the target is.
    seen = {}
    for server in (first, second):
        for row in (found["metric"] for found in server.now("kernel_auth_connection_status == 1")):
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
        # Each scrapes the exporter itself as well.
        own = {exporter.url.removeprefix("http://")}
        return [first.targets() - own, second.targets() - own]

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
