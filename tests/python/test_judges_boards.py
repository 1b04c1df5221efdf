"""The dashboards over eight hours of a fleet that scripts/history makes: does each query find what the story says, at what
cost, and does every filter narrow? Without Grafana."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from assets_boards import BOARDS, Chosen, Query, ask, every, hidden, of_panels, panels
from assets_promql import parse
from conftest import ROOT
from monitoring import Prometheus

# As many as make the alert of a whole site.
CONNECTIONS = 150
LARGE = 10_000
# What a query over a fleet of LARGE may read, and a browser be sent.
SAMPLES, BYTES = 1_000_000, 1_000_000
# Prometheus scrapes and evaluates twice as often as the story does.
DENSER = 2

# One worker makes the history and asks it, from the beginning on: the others need not wait for it.
pytestmark = pytest.mark.xdist_group("history")


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    """One for all workers; KERNEL_AUTH_HISTORY names one that is there."""
    if os.environ.get("KERNEL_AUTH_HISTORY"):
        return pathlib.Path(os.environ["KERNEL_AUTH_HISTORY"])
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    made = shared / "history"
    with open(shared / "history.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "story.json").exists():
            subprocess.run([sys.executable, str(ROOT / "scripts" / "history"), str(made), f"--connections={CONNECTIONS}"],
                           check=True, timeout=1800)
    return made


class Told:
    """The story, and a Prometheus that has it."""

    def __init__(self, story: dict, prometheus: Prometheus) -> None:
        self.__dict__ |= story
        self.url = prometheus.url
        self.site = self.site_logs_out
        self.moments = {
            "quiet": self.end, "bad": self.site[0] + 14 * 60, "blind": self.outage[0] + 18 * 60,
            "refused": self.rate_limited[1] - 60, "odd": self.unknown_values[1] - 60}

    def ask(self, query: Query, moment: str, **chosen: str):
        values = Chosen(**{"connection_id": self.waiting, **chosen})
        if "$worst" in query.expr:
            hidden(self.url, values, self.moments[moment])
        return ask(self.url, query, values, self.moments[moment])

    def panel(self, board: str, title: str, moment: str, ref: str = "A", **chosen: str):
        query = next(one for one in of_panels(board) if one.where == f"{title} {ref}")
        return self.ask(query, moment, **chosen).series

    def number(self, board: str, name: str, moment: str, **chosen: str) -> float:
        """What a panel of numbers says under this name."""
        query = next(one for one in of_panels(board) if one.legend == name)
        (one,) = self.ask(query, moment, **chosen).series
        return float(one["value"][1])


@pytest.fixture(scope="session")
def told(history, tmp_path_factory):
    directory = tmp_path_factory.mktemp("prometheus")
    for block in history.iterdir():
        if block.is_dir():
            shutil.copytree(block, directory / "data-0" / block.name)
    # The first attempt has the blocks; another would find nothing, and tests would say so.
    server = Prometheus(directory, {}, "--storage.tsdb.retention.time=90d", "--query.lookback-delta=5m")
    yield Told(json.loads((history / "story.json").read_text()), server)
    server.stop()


def queries(boards=BOARDS):
    return [pytest.param(query, id=str(query)) for name in boards for query in every(name)]


# Where there is something to be seen, other than in the bad hour.
ELSEWHERE = {
    "kernel-auth-fleet: How many are not logged in? C": "odd",
    "kernel-auth-exporter: What does this build not know? A": "odd",
    "kernel-auth-exporter: What is seen of each account and project? B": "blind",
    "kernel-auth-exporter: Which alerts about the watch fire? A": "blind",
    "kernel-auth-exporter: Which alerts about the watch fire? B": "blind",
    "kernel-auth-exporter: annotation Alerts": "blind",
    "kernel-auth-fleet: What changed within the hour, by site B": "quiet",
    "kernel-auth-fleet: What changed within the hour, by site C": "quiet",
    "kernel-auth-fleet: What changed within the hour, by site D": "quiet",
    "kernel-auth-connection: What is to be done? A": "quiet",
    "kernel-auth-connection: What happened? D": "quiet",
    "kernel-auth-connection: How is it set up at Kernel? H": "quiet",
}
# Of another connection than the one that waits.
OF_BROKEN = {"kernel-auth-connection: How did its logins end? A", "kernel-auth-connection: What happened? G",
             "kernel-auth-connection: What happened? H", "kernel-auth-connection: annotation Alerts"}
# What the story has none of.
NOTHING = {
    "kernel-auth-connection: How is it set up at Kernel? K": "the simulated API can check all of them",
    "kernel-auth-exporter: What is seen of each account and project? F": "only told where every project is to be shown",
    "kernel-auth-exporter: Which plan, and what does it allow? C": "only told where every project is to be shown",
}


def test_one_worker_has_the_history(request):
    """Else all of them wait until one has made it, and each loads it."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@history"), "xdist keeps no groups together with this pytest"


@pytest.mark.parametrize("query", queries())
def test_every_query_finds_something_where_the_story_has_it(told, query):
    chosen = {"connection_id": told.broken} if str(query) in OF_BROKEN else {}
    found = told.ask(query, ELSEWHERE.get(str(query), "bad"), **chosen).series
    assert bool(found) != (str(query) in NOTHING)


def sentinels(board, title):
    """Values of a panel of numbers that are texts."""
    (panel,) = [one for one in panels(BOARDS[board]) if one["title"] == title]
    return {float(value) for override in panel["fieldConfig"]["overrides"] for one in override["properties"]
            if one["id"] == "mappings" for mapping in one["value"] if mapping["type"] == "value"
            for value in mapping["options"] if re.fullmatch(r"-?\d+", value)}


@pytest.mark.parametrize("moment", ["quiet", "bad", "blind", "refused", "odd"])
@pytest.mark.parametrize("board", BOARDS)
def test_nothing_is_negative_or_not_a_number(told, board, moment):
    for query in of_panels(board):
        spoken = sentinels(board, query.where[:-2])
        wrong = [value for value in told.ask(query, moment).values() if not (value >= 0 or value in spoken)]
        assert wrong == [], str(query)


@pytest.mark.parametrize("board", BOARDS)
def test_every_series_has_a_name(told, board):
    for query in of_panels(board):
        labels = re.findall(r"\{\{(\w+)\}\}", query.legend)
        if labels:
            for moment in ("bad", "blind", "quiet"):
                for one in told.ask(query, moment).series:
                    assert any(one["metric"].get(label) for label in labels), (str(query), one["metric"])
        elif query.step is not None:
            assert query.legend != "__auto", str(query)


@pytest.mark.parametrize("board", BOARDS)
def test_no_column_of_a_table_is_lost(told, board):
    """Where one query of many answers alone, Grafana calls its value "Value" instead of "Value #A"."""
    for panel in panels(BOARDS[board]):
        if panel["type"] == "table" and "Value #" in json.dumps(panel["transformations"]):
            for moment in told.moments:
                answers = [query for query in of_panels(board) if query.where[:-2] == panel["title"] and told.ask(query, moment).series]
                assert len(answers) != 1, (panel["title"], moment)


@pytest.mark.parametrize("query", queries())
def test_what_a_query_costs_at_ten_thousand(told, query):
    """Samples are exact, and those of recordings of connections grow with the fleet. benches/boards measures."""
    of_connections = any(one.name.startswith("connection:") or one.name.startswith("kernel_auth_connection")
                         and ("connection_id", "=", '"$connection_id"') not in one.matchers for one in parse(query.expr)[0])
    # Twenty, however large the fleet is.
    of_connections = of_connections and "$worst" not in query.expr
    times = LARGE / told.connections if of_connections else 1
    answer = told.ask(query, "bad")
    assert answer.samples * times * (DENSER if query.step or "[" in query.expr else 1) < SAMPLES
    # What is bounded stays so.
    bounded = "topk(" in query.expr or "$worst" in query.expr or query.expr.lstrip("(").startswith(("count", "sum", "min", "max", "clamp"))
    assert answer.size * (1 if bounded else times) < BYTES


# --- every filter narrows -------------------------------------------------------------------

# Panels say that they are about more, except where there is nothing to narrow.
MANY = {f"Which alerts fire now? {ref}": "an alert about a site or all of them names no account" for ref in "AB"}
EXEMPT = {
    ("kernel-auth-fleet", "domain"): {
        "Is a person needed now? A": "the API has no sites", "Was the API visible? A": "the API has no sites"},
    ("kernel-auth-fleet", "project"): MANY, ("kernel-auth-fleet", "account"): MANY, ("kernel-auth-fleet", "cluster"): {},
    ("kernel-auth-fleet", "namespace"): {}, ("kernel-auth-fleet", "job"): {},
    ("kernel-auth-exporter", "account"): {"Are the exporters well? C": "about exporters"},
    ("kernel-auth-exporter", "job"): {},
    ("kernel-auth-exporter", "instance"): {
        "Can the boards be believed? A": "recorded over exporters", "Can the boards be believed? C": "about the rules",
        "What is seen of each account and project? A": "recorded over exporters"},
    ("kernel-auth-connection", "connection_id"): {}, ("kernel-auth-connection", "job"): {},
    ("kernel-auth-connection", "instance"): {"What happened? G": "alerts are about connections"},
}


@pytest.mark.parametrize("board,name", EXEMPT, ids=lambda one: one)
def test_every_variable_narrows_every_panel(told, board, name):
    """Chosen so that nothing fits, each panel shows nothing, or zeros."""
    headline, under = "", {}
    for one in BOARDS[board]["panels"]:
        headline = one["title"] if one["type"] == "row" else headline
        under |= {inner["title"]: headline for inner in one.get("panels", [one])}
    exempt = EXEMPT[board, name]
    lied = []
    for query in of_panels(board):
        title = query.where[:-2]
        # Below the headline of the API, the exporter's board is about exporters.
        told_so = "(all accounts)" in title or (board == "kernel-auth-exporter" and name == "account" and under[title])
        # Of one that alerts have fired for.
        values = told.ask(query, "bad", **{"connection_id": told.broken, name: "nobody"}).values()
        narrowed = all(value <= 0 or value != value for value in values)
        if not narrowed and not told_so and query.where not in exempt:
            lied.append(str(query))
        if query.where in exempt:
            assert not narrowed, f"{query} narrows: it need not be exempt"
    assert lied == []


@pytest.mark.parametrize("name,value", [("account", "staging"), ("cluster", "us"), ("domain", "portal.acme.example")])
def test_a_filter_shows_its_part(told, name, value):
    whole = told.number("kernel-auth-fleet", "logged out", "bad")
    part = told.number("kernel-auth-fleet", "logged out", "bad", **{name: value})
    assert 0 < part < whole
    for one in told.panel("kernel-auth-fleet", "Who needs somebody, most urgent first", "bad", **{name: value}):
        assert one["metric"][name] == value


# --- what the story says --------------------------------------------------------------------

LIST = "Who needs somebody, most urgent first"


def worklist(told, moment):
    """Rows in their order, with rank, time left and time out."""
    columns = [{row["metric"]["connection_id"]: float(row["value"][1]) for row in told.panel("kernel-auth-fleet", LIST, moment, ref)}
               for ref in "ABC"]
    labels = {row["metric"]["connection_id"]: row["metric"] for row in told.panel("kernel-auth-fleet", LIST, moment)}
    return [(id, labels[id], rank, columns[1].get(id), columns[2].get(id))
            for id, rank in sorted(columns[0].items(), key=lambda one: -one[1])]


def test_who_needs_a_person_comes_first_and_says_why(told):
    rows = worklist(told, "quiet")
    assert rows[0][0] == told.waiting and rows[0][1]["why"] == "AWAITING_INPUT"
    # Three minutes ago it was logged out, two ago its login began to wait for ten.
    assert 400 < rows[0][3] <= 600 and 60 <= rows[0][4] <= 240
    places = {row[0]: index for index, row in enumerate(rows)}
    by_id = {row[0]: row for row in rows}
    assert by_id[told.broken][1]["why"] == "credentials_invalid" and by_id[told.by_hand][1]["why"] == "requires_sms_code"
    assert places[told.waiting] < places[told.by_hand] < places[told.broken] < places[told.never]
    assert [int(by_id[id][2]) for id in (told.waiting, told.by_hand, told.broken, told.never)] == [4, 3, 2, 1]
    # It broke 250 minutes after the beginning of eight hours.
    assert abs(by_id[told.broken][4] - 230 * 60) < 180
    assert told.healthy not in by_id


def test_numbers_agree_with_the_list(told):
    for moment in ("quiet", "bad"):
        ranks = [row[2] for row in worklist(told, moment)]
        number = lambda name: told.number("kernel-auth-fleet", name, moment)
        assert number("need a person") == sum(rank >= 3 for rank in ranks)
        assert number("waiting now") == sum(rank >= 4 for rank in ranks)
        assert number("not listed") == 0 and len(ranks) <= 50
    assert told.number("kernel-auth-fleet", "need a person", "bad") > 4


def test_waiting_logins_are_sorted_by_the_time_that_is_left(told):
    left = [row[3] for row in worklist(told, "bad") if row[2] >= 4]
    assert len(left) > 2 and left == sorted(left)


def test_blind_is_told_as_such(told):
    assert told.number("kernel-auth-fleet", "Kernel's API", "blind") == 0
    assert told.number("kernel-auth-exporter", "Kernel's API", "blind") == 0
    for name in ("waiting now", "logged out", "logged in"):
        assert told.number("kernel-auth-fleet", name, "blind") == -1, name
    assert told.number("kernel-auth-fleet", "Kernel's API", "quiet") == 1
    strip = told.panel("kernel-auth-fleet", "Was the API visible?", "blind")
    assert {one["metric"]["row"] for one in strip} == {"eu production", "us staging"}
    for one in strip:
        blind = [second for second, value in one["values"] if value == "0"]
        assert told.outage[0] <= blind[0] <= told.outage[0] + 120 and len(blind) > 15
    reasons = {row["metric"]["reason"] for row in told.panel(
        "kernel-auth-exporter", "What is seen of each account and project?", "blind", "B")}
    assert reasons == {"server_error"}
    # The held hour ends, and what was known stays in the list as what it is.
    assert all(row[2] < 1 for row in worklist(told, "blind"))


@pytest.mark.parametrize("title", ["What goes wrong?", "What is sent again?", "What does this build not know?"])
def test_nothing_is_drawn_where_nothing_goes_wrong(told, title):
    drawn = {second for one in told.panel("kernel-auth-exporter", title, "quiet") for second, _ in one["values"]}
    # A rate looks back over as much.
    wrong = [told.outage, told.rate_limited, told.unknown_values]
    assert drawn and all(any(began <= second <= ended + 300 for began, ended in wrong) for second in drawn)


def test_each_alert_about_many_is_a_line_where_it_began(told):
    """Whatever step Grafana takes: none begins between two moments unseen."""
    (query,) = [one for one in every("kernel-auth-fleet") if one.where == "annotation Alerts"]
    alerts = Query(query.board, query.where, query.expr.split("[")[0].removeprefix("last_over_time("), 60)
    first = {tuple(sorted(one["metric"].items())): one["values"][0][0] for one in ask(told.url, alerts, Chosen(), told.end).series}
    for step in (60, query.step, 900):
        drawn = {tuple(sorted(one["metric"].items())): [second for second, _ in one["values"]]
                 for one in ask(told.url, dataclasses.replace(query, step=step), Chosen(), told.end).series}
        assert {dict(labels)["alertname"] for labels in drawn} >= {
            "KernelAuthAPIRateLimited", "KernelAuthDomainLoggedOut", "KernelAuthUnknownStatus"}
        for labels, began in first.items():
            # What fired before is at the edge.
            if began > told.end - 6 * 3600 + step:
                (line,) = drawn[labels]
                assert began <= line < began + step, (step, labels)


def test_unreadable_values_are_no_blindness(told):
    assert told.number("kernel-auth-fleet", "Kernel's API", "odd") == 1
    assert told.number("kernel-auth-fleet", "status unknown to this build", "odd") > 0


def test_the_site_that_logs_everybody_out_is_found(told):
    rows = told.panel("kernel-auth-fleet", "Sites, by how much of them is logged out", "bad")
    assert max(rows, key=lambda row: float(row["value"][1]))["metric"]["domain"] == told.domain
    changed = told.panel("kernel-auth-fleet", "What changed within the hour, by site", "bad")
    assert max(changed, key=lambda row: float(row["value"][1]))["metric"]["domain"] == told.domain
    errors = told.panel("kernel-auth-fleet", "Why did logins fail in this time?", "bad")
    assert {"website_error", "bot_detected"} <= {row["metric"]["error_code"] for row in errors}
    (trend,) = [one for one in told.panel("kernel-auth-fleet", "Logged out, by site", "bad") if one["metric"]["domain"] == told.domain]
    assert float(trend["values"][-1][1]) >= 6 and told.site[0] - 60 <= next(second for second, value in trend["values"] if float(value) > 1)


@pytest.mark.parametrize("moment", ["quiet", "blind"])
def test_who_never_logged_in_is_not_who_was_logged_out_longest(told, moment):
    (worst,) = [one for one in every("kernel-auth-fleet") if one.where == "variable worst"]
    ids = {one["metric"]["connection_id"] for one in told.ask(worst, moment).series}
    assert ids and told.never not in ids


def test_who_came_and_who_went(told):
    for ref, expected in (("C", told.new), ("D", told.gone)):
        rows = told.panel("kernel-auth-fleet", "What changed within the hour, by site", "quiet", ref)
        assert sum(float(row["value"][1]) for row in rows) == 1, (ref, expected)


def test_logins_that_ended_are_counted_once(told):
    """The simulated API has counted them as well."""
    query = next(one for one in of_panels("kernel-auth-fleet") if one.where == "How many logins succeeded in this time? A")
    for outcome, counted in told.ended.items():
        one = Query(query.board, query.where, query.expr.replace('domain=~"$domain"', f'domain=~"$domain",outcome="{outcome}"'))
        found = sum(ask(told.url, one, Chosen(), told.end, told.end - told.began).values())
        # What ended before the exporter first saw a connection, or while it was blind, is not counted.
        assert counted - max(3, counted * 0.05) <= found <= counted, outcome
    bars = told.panel("kernel-auth-fleet", "How did logins end, hour by hour?", "quiet")
    assert {"SUCCESS", "FAILED", "EXPIRED"} <= {one["metric"]["outcome"] for one in bars}
    assert all(float(value) == int(float(value)) for one in bars for _, value in one["values"])
    (login,) = [row for row in told.panel("kernel-auth-fleet", "How many logins succeeded in this time?", "quiet", "B")
                if row["metric"]["type"] == "login"]
    assert float(login["value"][1]) == 1


def test_a_connection_is_told_by_its_own_board(told):
    number = lambda name, id, moment="quiet": told.number("kernel-auth-connection", name, moment, connection_id=id)
    assert number("status", told.waiting) == 2 and number("login", told.waiting) == 22
    assert 400 < number("time left", told.waiting) <= 600
    assert number("status", told.healthy) == 1 and number("login", told.healthy) == 0
    # What is over is not shown as if it ran.
    assert number("time left", told.healthy) == -1 == number("time left", told.broken)
    assert number("last login", told.broken) == 13
    assert abs(number("logged out for", told.broken) - 230 * 60) < 180
    said = told.panel("kernel-auth-connection", "What is to be done?", "quiet", connection_id=told.broken)
    assert [one["metric"]["said"] for one in sorted(said, key=lambda one: one["metric"]["line"])] == [
        f"{part} credentials_invalid" for part in ("why", "meaning", "remedy", "command")]
    assert told.panel("kernel-auth-connection", "What is to be done?", "quiet", connection_id=told.healthy) == []
    fired = told.panel("kernel-auth-connection", "What happened?", "quiet", "G", connection_id=told.broken)
    assert "ConnectionNeedsAuth" in {one["metric"]["alert"] for one in fired}
    (which,) = told.panel("kernel-auth-connection", "Which connection is this?", "blind", connection_id=told.healthy)
    assert which["metric"]["account"] == "production" and which["metric"]["domain"] and which["metric"]["profile_name"]


def test_the_picker_names_connections_and_finds_them(told):
    picker = next(one for one in every("kernel-auth-connection") if one.where == "variable connection_id")
    everybody = told.ask(picker, "quiet").series
    assert len(everybody) > told.connections - 5
    found = told.ask(picker, "quiet", find="portal.acme.e").series
    assert 0 < len(found) < len(everybody) and all("portal.acme.example" in one["metric"]["shown"] for one in found)
    regex = next(one["regex"] for one in BOARDS["kernel-auth-connection"]["templating"]["list"] if one["name"] == "connection_id")
    pattern = re.compile(regex.strip("/").replace("(?<", "(?P<"))
    for one in found:
        text = "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(one["metric"].items())) + "} 1 2"
        match = pattern.search(text)
        assert match.group("value") == one["metric"]["connection_id"] and match.group("text") == one["metric"]["shown"]


def test_the_rules_that_are_missing_are_missed(told):
    """With another job's name the recordings are not there, and the exporter is."""
    query = next(one for one in of_panels("kernel-auth-fleet") if one.legend == "Kernel's API")
    missing = Query(query.board, query.where, query.expr.replace("scope:kernel_auth_visible:max", "scope:not_recorded:max"))
    (one,) = told.ask(missing, "quiet").series
    assert float(one["value"][1]) == -2
