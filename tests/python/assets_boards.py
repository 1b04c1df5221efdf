"""The dashboards as Grafana asks for them: panels, variables and annotations
with their queries, every variable in its place."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import urllib.parse
import urllib.request
from typing import Any, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards").glob("*.json"))}
# Wider than any screen shows at once.
POINTS = 1000
SIX_HOURS = 6 * 3600
# So many of an annotation, however small its step is.
MOMENTS = 100

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Every panel but the headlines, those of closed rows too."""
    found = []
    for panel in board["panels"]:
        found += panel["panels"] if panel["type"] == "row" else [panel]
    return found


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([smhd])", text).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]


@dataclasses.dataclass
class Query:
    """One question to Prometheus."""

    board: str
    where: str
    expr: str
    step: int | None = None
    """None: one moment, the end of the range."""
    legend: str = ""

    def __str__(self) -> str:
        return f"{self.board}: {self.where}"


def of_panels(name: str) -> Iterator[Query]:
    for panel in panels(BOARDS[name]):
        for target in panel.get("targets", ()):
            points = panel.get("maxDataPoints", POINTS)
            step = None if target["instant"] else max(seconds(target["interval"]), SIX_HOURS // points)
            yield Query(name, f"{panel['title']} {target['refId']}", target["expr"], step, target["legendFormat"].strip())


def of_variables(name: str) -> Iterator[Query]:
    for one in BOARDS[name]["templating"]["list"]:
        if one["type"] == "query":
            called, inner = re.fullmatch(r"(\w+)\((.+)\)", one["query"], re.S).groups()
            if called == "label_values":
                selector, label = inner.rsplit(", ", 1)
                inner = f"count by ({label}) ({selector})"
            yield Query(name, f"variable {one['name']}", inner)


def of_annotations(name: str) -> Iterator[Query]:
    for one in BOARDS[name]["annotations"]["list"]:
        yield Query(name, f"annotation {one['name']}", one["expr"], max(seconds(one["step"]), SIX_HOURS // MOMENTS))


def every(name: str) -> list[Query]:
    return [*of_variables(name), *of_panels(name), *of_annotations(name)]


class Chosen:
    """What is chosen of each variable, in the place of its name. All is chosen where nothing is said."""

    def __init__(self, **values: str) -> None:
        self.values = {"job": ".+", "instance": ".+", "account": ".*", "project": ".*", "domain": ".*", "cluster": ".*",
                       "namespace": ".*", "find": "", "worst": "", "worst_site": "", "connection_id": "none", **values}

    def put(self, query: Query, over: int = SIX_HOURS) -> str:
        step = query.step or 60
        known = {**self.values, "__range": f"{over}s", "__interval": f"{step}s", "__rate_interval": f"{max(step + 60, 240)}s"}

        def value(match: re.Match[str]) -> str:
            # As Grafana writes `${name:regex}`.
            plain = known[match[1]]
            return re.sub(r"[\\^$.*+?()|\[\]{}/]", r"\\\g<0>", plain) if match[2] == ":regex" else plain

        return re.sub(r"\$\{?([a-z_]+)(:\w+)?\}?", value, query.expr)


@dataclasses.dataclass
class Answer:
    series: list[dict[str, Any]]
    samples: int
    """How many samples Prometheus read for it."""
    took: float
    size: int

    def values(self) -> list[float]:
        return [float(value) for one in self.series for _, value in one.get("values", [one.get("value")])]


def hidden(url: str, chosen: Chosen, end: int, over: int = SIX_HOURS) -> None:
    """Chooses what the fleet's board finds out when it is opened."""
    for query in of_variables("kernel-auth-fleet"):
        name = query.where.removeprefix("variable ")
        if name.startswith("worst"):
            label = "domain" if name == "worst_site" else "connection_id"
            found = ask(url, query, chosen, end, over).series
            chosen.values[name] = "|".join(re.escape(one["metric"][label]).replace("\\", "\\\\") for one in found)


def ask(url: str, query: Query, chosen: Chosen, end: int, over: int = SIX_HOURS) -> Answer:
    """As Grafana asks: a range is aligned to its step."""
    parameters: dict[str, Any] = {"query": chosen.put(query, over), "stats": "all"}
    if query.step is None:
        path = "query"
        parameters["time"] = end
    else:
        path = "query_range"
        parameters |= {"start": (end - over) // query.step * query.step, "end": end // query.step * query.step, "step": query.step}
    data = urllib.parse.urlencode(parameters).encode()
    try:
        with _opener.open(f"{url}/api/v1/{path}", data, timeout=120) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{query}: {error.read().decode()}\n{parameters['query']}") from error
    data = json.loads(text)["data"]
    stats = data.pop("stats")
    return Answer(data["result"], stats["samples"]["totalQueryableSamples"], stats["timings"]["evalTotalTime"],
                  len(json.dumps(data, separators=(",", ":"))))
