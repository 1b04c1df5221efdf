"""Prometheus of today in every way in which it can be told to scrape: the same
series, the same values, and not a word in its log."""

from __future__ import annotations

import itertools
import re

import pytest

from judges import expose, scraping
from monitoring import Prometheus

# In each the exporter has to find a format that it speaks.
PROTOCOLS = {
    "text004": ["PrometheusText0.0.4"],
    "text100": ["PrometheusText1.0.0"],
    "openmetrics": ["OpenMetricsText1.0.0"],
    "openmetrics001": ["OpenMetricsText0.0.1", "PrometheusText0.0.4"],
    "protobuf": ["PrometheusProto", "OpenMetricsText1.0.0"],
    "default": None,
}
NAMES = ["utf8", "legacy"]
# What a scrape may be given beside its protocol.
MORE = {
    "": {},
    "native": {"scrape_native_histograms": True, "convert_classic_histograms_to_nhcb": True,
               "always_scrape_classic_histograms": True},
    "uncompressed": {"enable_compression": False},
    "dots": {"metric_name_escaping_scheme": "dots"},
}
# Those that stand still while the world does.
STILL = '{__name__=~"kernel_auth_connection.*",__name__!~".*_(age|expires_in)_seconds"}'


def jobs(exporter):
    """A scrape configuration for each way."""
    target = exporter.url.removeprefix("http://")
    for (protocol, protocols), names in itertools.product(PROTOCOLS.items(), NAMES):
        for more, options in MORE.items():
            if more and (protocol, names) not in {("default", "utf8"), ("openmetrics", "utf8")}:
                continue
            yield {
                "job_name": "-".join(filter(None, (protocol, names, more))),
                "static_configs": [{"targets": [target]}],
                "metric_name_validation_scheme": names,
                **({"scrape_protocols": protocols} if protocols else {}),
                **options,
            }


@pytest.mark.parametrize("features", [
    [],
    ["created-timestamp-zero-ingestion", "type-and-unit-labels", "zstd-scrape", "openmetrics2"],
], ids=["plain", "features"])
def test_every_way_of_scraping_sees_the_same(simulator, start, running, tmp_path, features):
    api = simulator(connections=20, projects=2, speed=0, rate_limit="100000/min")
    process = expose(start, api, "--kernel.project=all", "--kernel.cache=1s")
    config = scraping(process, every="10s")
    config["scrape_configs"] = list(jobs(process))
    ways = [job["job_name"] for job in config["scrape_configs"]]
    assert len(ways) >= 16
    prometheus = running(Prometheus(tmp_path, config, *(["--enable-feature=" + ",".join(features)] if features else [])))

    def fleet(job):
        """Every series of one way, without the labels that tell the ways apart."""
        found = prometheus.now(STILL[:-1] + f',job="{job}"}}')
        drop = {"job", "instance", "__type__", "__unit__"}
        return {frozenset((k, v) for k, v in row["metric"].items() if k not in drop): row["value"][1] for row in found}

    for job in ways:
        prometheus.wait(f'kernel_auth_up{{job="{job}"}} == 1', 60)
    first = fleet(ways[0])
    assert len(first) > 20 * 30
    for job in ways[1:]:
        assert fleet(job) == first, job
    assert all(row["value"][1] == "1" for row in prometheus.now("up"))
    assert len(prometheus.now("up")) == len(ways)
    assert prometheus.log.read_text() == ""  # at its level "warn"


def test_type_and_unit_are_those_of_the_family(simulator, start, running, tmp_path):
    api = simulator(connections=10, speed=0, rate_limit="100000/min")
    process = expose(start, api)
    config = scraping(process)
    config["scrape_configs"][0]["scrape_protocols"] = ["OpenMetricsText1.0.0"]
    prometheus = running(Prometheus(tmp_path, config, "--enable-feature=type-and-unit-labels"))
    prometheus.wait("kernel_auth_up == 1")
    units = {}
    for row in prometheus.now('count by (__name__, __type__, __unit__) ({__name__=~"kernel_auth_.+|process_.+"})'):
        labels = row["metric"]
        assert labels.get("__type__"), labels
        units.setdefault(labels["__name__"], set()).add(labels.get("__unit__", ""))
    assert len(units) > 40
    for name, found in units.items():
        unit = re.search(r"_(seconds|bytes)(_total|_bucket|_sum|_count)?$", name)
        assert found == {unit.group(1) if unit else ""}, name
