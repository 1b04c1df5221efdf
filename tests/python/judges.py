"""What scripts/judges builds beside Prometheus and Alertmanager, and what its
tests share. The programs are named by the environment."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any, Callable

from conftest import Process, Simulator
from monitoring import Prometheus, Server

JOB = "kernel-auth-exporter"


def expose(start: Callable[..., Process], api: Simulator, *flags: str) -> Process:
    """The exporter over a simulated API, listening."""
    process = start("--web.listen-address=127.0.0.1:0", *flags,
                    env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url})
    _ = process.url
    return process


def scraping(process: Process, rules: pathlib.Path | None = None, every: str = "1s", **scrape: Any) -> dict[str, Any]:
    """A configuration that scrapes one exporter."""
    target = process.url.removeprefix("http://")
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every,
                   **({"evaluation_interval": every} if rules else {})},
        **({"rule_files": [str(rules)]} if rules else {}),
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [target]}], **scrape}],
    }


class VictoriaMetrics(Prometheus):
    """The single-node database, which scrapes by Prometheus' configuration and
    answers Prometheus' queries."""

    def __init__(self, directory: pathlib.Path, config: dict[str, Any]) -> None:
        path = directory / "victoria.yml"
        path.write_text(json.dumps(config))
        # Queries see the latest samples, not those of 30 seconds ago.
        Server.__init__(self, directory, lambda address, data: [
            os.environ["VICTORIA_METRICS"], f"-promscrape.config={path}", f"-storageDataPath={data}",
            f"-httpListenAddr={address}", "-search.latencyOffset=0s", "-loggerLevel=WARN"])


class VMAlert(Server):
    """Evaluates rules over a database, and records into it."""

    def __init__(self, directory: pathlib.Path, rules: pathlib.Path, database: VictoriaMetrics) -> None:
        super().__init__(directory, lambda address, _: [
            os.environ["VMALERT"], f"-rule={rules}", f"-httpListenAddr={address}", f"-datasource.url={database.url}",
            f"-remoteRead.url={database.url}", f"-remoteWrite.url={database.url}", "-remoteWrite.flushInterval=100ms",
            "-rule.evalDelay=0s", "-disableAlertgroupLabel", "-notifier.blackhole", "-loggerLevel=WARN"])
