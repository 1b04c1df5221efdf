"""The dashboards, held to Grafana's dashboard-linter and to more than that."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

from assets_promql import Selector, parse, substituted
from monitoring import PROMTOOL

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted((ROOT / "dashboards").glob("*.json"))
BOARDS = {path.stem: json.loads(path.read_text()) for path in FILES}
COLORS = {"#0072B2", "#E69F00", "#D55E00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#999999", "text"}
UNITS = {"none", "short", "percentunit", "s", "bytes", "reqps", "ops"}
WITH_QUERIES = {"stat", "gauge", "table", "timeseries", "state-timeline", "bargauge", "barchart"}

boards = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def variable(board, name):
    return next((found for found in board["templating"]["list"] if found["name"] == name), None)


def walk(value, path=""):
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from walk(inner, f"{path}/{key}")


# --- dashboard-linter: one function for each of its rules --------------------------

def template_datasource_rule(board):
    found = [one for one in board["templating"]["list"] if one["type"] == "datasource"]
    if not found:
        yield "no data source variable"
    for one in found:
        if one["name"] != "datasource" or one["label"] != "Data source" or one["query"] != "prometheus":
            yield f"data source variable is {one['name']!r}, labelled {one['label']!r}"


def template_job_and_instance_rules(board):
    for name in ("job", "instance"):
        one = variable(board, name)
        if one is None:
            yield f"no variable {name}"
            continue
        for key, right in dict(type="query", label=name.title(), multi=True, allValue=".+").items():
            if one.get(key) != right:
                yield f"variable {name}: {key} is {one.get(key)!r}"
        if one["datasource"]["uid"] not in ("$datasource", "${datasource}"):
            yield f"variable {name}: data source {one['datasource']}"


def template_label_promql_rule(board):
    for one in board["templating"]["list"]:
        if one["type"] == "query" and not re.fullmatch(
                r"(label_names|label_values|metrics|query_result)\(.+\)", one["query"]):
            yield f"variable {one['name']}: {one['query']}"


def template_on_time_change_reload_rule(board):
    for one in board["templating"]["list"]:
        if one["type"] == "query" and one["refresh"] != 2:
            yield f"variable {one['name']}: refresh {one['refresh']}"


def panel_datasource_rule(board):
    for panel in panels(board):
        if panel["type"] != "text" and panel["datasource"]["uid"] not in ("$datasource", "${datasource}"):
            yield f"{panel['title']}: {panel['datasource']}"


def panel_title_description_rule(board):
    for panel in panels(board):
        if not panel.get("title") or not panel.get("description"):
            yield f"panel {panel['id']} has no title or no description"


def panel_units_rule(board):
    for panel in panels(board):
        if panel["type"] in WITH_QUERIES:
            units = [panel["fieldConfig"]["defaults"].get("unit")]
            units += [one["value"] for override in panel["fieldConfig"]["overrides"]
                      for one in override["properties"] if one["id"] == "unit"]
            if not set(units) <= UNITS:
                yield f"{panel['title']}: {units}"


def panel_no_targets_rule(board):
    for panel in panels(board):
        if panel["type"] in WITH_QUERIES and not panel.get("targets"):
            yield f"{panel['title']} has no target"


def targets(board):
    for panel in panels(board):
        for target in panel.get("targets", ()):
            yield panel, target, parse(target["expr"])[0]


def target_job_and_instance_rules(board):
    for panel, target, selectors in targets(board):
        for selector in selectors:
            for name in ("job", "instance"):
                if (name, "=~", f'"${name}"') not in selector.matchers:
                    yield f"{panel['title']} {target['refId']}: {selector} lacks {name}"


def target_rate_interval_rule(board):
    for panel, target, selectors in targets(board):
        for selector in selectors:
            if selector.range and {"rate", "irate"} & set(selector.calls[-1:]) \
                    and selector.range != "$__rate_interval":
                yield f"{panel['title']} {target['refId']}: {selector}[{selector.range}]"


def target_counter_agg_rule(board):
    for panel, target, selectors in targets(board):
        for selector in selectors:
            counted = selector.name.endswith(("_total", "_bucket", "_count", "_sum"))
            if counted and selector.calls[-1:] not in (["rate"], ["irate"], ["increase"]) \
                    and "unless on () count(" + selector.name not in target["expr"]:
                yield f"{panel['title']} {target['refId']}: {selector} is not rated"


def uneditable_rule(board):
    if board.get("editable") is not False:
        yield "is editable"


LINTER = [template_datasource_rule, template_job_and_instance_rules, template_label_promql_rule,
          template_on_time_change_reload_rule, panel_datasource_rule, panel_title_description_rule,
          panel_units_rule, panel_no_targets_rule, target_job_and_instance_rules, target_rate_interval_rule,
          target_counter_agg_rule, uneditable_rule]


@boards
@pytest.mark.parametrize("rule", LINTER, ids=lambda rule: rule.__name__)
def test_linter(board, rule):
    assert list(rule(board)) == []


def test_linter_finds_what_is_broken():
    """Each rule can say no: what it must find is broken into a copy."""
    def broken(*path, value=None):
        copy = json.loads(json.dumps(BOARDS["kernel-auth-exporter"]))
        at = copy
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        return copy

    stat = next(index for index, panel in enumerate(BOARDS["kernel-auth-exporter"]["panels"])
                if panel["type"] == "stat")
    expr = ("panels", stat, "targets", 0, "expr")
    for rule, board in [
        (template_datasource_rule, broken("templating", "list", 0, "label", value="Prometheus")),
        (template_job_and_instance_rules, broken("templating", "list", 1, "allValue", value=".*")),
        (template_label_promql_rule, broken("templating", "list", 1, "query", value="job")),
        (template_on_time_change_reload_rule, broken("templating", "list", 1, "refresh", value=1)),
        (panel_datasource_rule, broken("panels", stat, "datasource", value={"uid": "abc"})),
        (panel_title_description_rule, broken("panels", stat, "description", value="")),
        (panel_units_rule, broken("panels", stat, "fieldConfig", "defaults", "unit", value="parsec")),
        (panel_no_targets_rule, broken("panels", stat, "targets", value=[])),
        (target_job_and_instance_rules, broken(*expr, value='up{job=~"$job"}')),
        (target_job_and_instance_rules, broken(*expr, value='sum by (job) (up{job=~"$job",instance="$instance"})')),
        (target_rate_interval_rule, broken(*expr, value="sum(rate(a_total[5m]))")),
        (target_counter_agg_rule, broken(*expr, value="sum(a_total)")),
        (uneditable_rule, broken("editable", value=True)),
    ]:
        assert list(rule(board)), rule.__name__


# --- beyond the linter ---------------------------------------------------------------

def test_there_are_three_dashboards():
    assert set(BOARDS) == {"kernel-auth-fleet", "kernel-auth-connection", "kernel-auth-exporter"}
    assert all(board["uid"] == name for name, board in BOARDS.items())


def test_the_files_are_what_their_source_makes(tmp_path):
    subprocess.run([sys.executable, str(ROOT / "dashboards" / "generate.py"), str(tmp_path)], check=True, timeout=60)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in FILES}, "run: python3 dashboards/generate.py"


@boards
def test_imports_into_any_grafana(board):
    assert board["schemaVersion"] == 37
    assert not {"__inputs", "__requires", "__elements", "id"} & set(board)
    for path, value in walk(board):
        if path.endswith("/datasource") and isinstance(value, dict):
            assert value == {"type": "prometheus", "uid": "${datasource}"}, path
    assert "-- Grafana --" not in json.dumps(board)


@boards
def test_ids_are_unique_and_nothing_overlaps(board):
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["id"]) == panel["id"], panel["title"]
    # No holes either.
    height = max(y for _, y in taken) + 1
    assert len(taken) == 24 * height
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles)


@boards
def test_links_keep_time_and_variables(board):
    (links,) = board["links"]
    assert links["type"] == "dashboards" and links["keepTime"] and links["includeVars"]
    assert set(links["tags"]) <= set(board["tags"])
    assert all(set(links["tags"]) <= set(other["tags"]) for other in BOARDS.values())
    for path, value in walk(board):
        if path.endswith("/url") and value:
            assert value.startswith("/d/kernel-auth-") and value.split("?")[0].removeprefix("/d/") in BOARDS
            assert "${__url_time_range}" in value and "${job:queryparam}" in value and "${datasource:queryparam}" in value


def test_the_worklist_leads_to_the_detail():
    worklist = next(panel for panel in panels(BOARDS["kernel-auth-fleet"]) if panel["type"] == "table")
    links = [value for path, value in walk(worklist) if path.endswith("/url")]
    assert links and all("/d/kernel-auth-connection?" in link and "var-connection_id=" in link for link in links)
    assert worklist["gridPos"]["w"] == 24
    # Only the numbers at a glance stand above it.
    above = [panel for panel in BOARDS["kernel-auth-fleet"]["panels"] if panel["gridPos"]["y"] < worklist["gridPos"]["y"]]
    assert {panel["type"] for panel in above} == {"stat"} and worklist["gridPos"]["y"] <= 4


@boards
def test_annotations_come_from_firing_alerts(board):
    (annotation,) = board["annotations"]["list"]
    assert annotation["enable"]
    (selector,) = parse(annotation["expr"])[0]
    assert selector.name == "ALERTS" and ("alertstate", "=", '"firing"') in selector.matchers
    assert ("job", "=~", '"$job"') in selector.matchers


def test_silence_is_never_a_number():
    for board in BOARDS.values():
        for panel in panels(board):
            if panel["type"] in WITH_QUERIES:
                assert panel["fieldConfig"]["defaults"]["noValue"] == "no data", panel["title"]
                assert panel["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls") in (None, False)
            for target in panel.get("targets", ()):
                # `or vector(0)` would paint a zero over blindness.
                assert "vector(" not in target["expr"] and "absent" not in target["expr"], panel["title"]
    for panel in panels(BOARDS["kernel-auth-fleet"]):
        if panel["type"] == "stat" and "count(" in panel["targets"][0]["expr"]:
            assert "0 * (min(" in panel["targets"][0]["expr"], panel["title"]


PER_CONNECTION = re.compile(r"kernel_auth_(connection_\w+|connections|up|org_\w+|api_key_\w+|snapshot_\w+)$")


@boards
def test_replicas_are_folded_before_anything_is_counted(board):
    for panel, target, selectors in targets(board):
        for selector in selectors:
            if PER_CONNECTION.match(selector.name):
                outer = [call for call in selector.calls if call in ("max", "min", "sum", "count", "avg", "topk")]
                # The innermost aggregation is max or min; `and on` conditions have none.
                assert not outer or outer[-1] in ("max", "min") or "unless on () count(" in target["expr"], \
                    (panel["title"], selector)


@boards
def test_colours_can_be_told_apart_and_never_stand_alone(board):
    for path, value in walk(board):
        if path.endswith(("/fixedColor", "/color")) and isinstance(value, str):
            assert value in COLORS, (path, value)
        if path.endswith("/mode") and "/color/" in path + "/" and "fieldConfig" in path and path.endswith("color/mode"):
            assert value in ("fixed", "thresholds"), path
        if isinstance(value, dict) and "index" in value and "color" in value:
            assert value.get("text"), path


@boards
def test_state_timelines_show_codes_with_a_text_each(board):
    for panel in panels(board):
        if panel["type"] == "state-timeline":
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["color"]["mode"] == "fixed" and defaults["mappings"]
            assert defaults["custom"]["spanNulls"] is False


@boards
def test_every_expression_is_promql(board, tmp_path):
    exprs = [target["expr"] for _, target, _ in targets(board)]
    exprs += [annotation["expr"] for annotation in board["annotations"]["list"]]
    rules = [{"record": f"x:y:z{index}", "expr": substituted(expr, connection_id="c1")}
             for index, expr in enumerate(exprs)]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    done = subprocess.run([PROMTOOL, "check", "rules", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# --- Grafana's own schema ---------------------------------------------------------------

def test_the_json_survives_grafanas_schema_library():
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    for name, board in BOARDS.items():
        back = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(json.loads(json.dumps(board)))))
        lost = [path for path, value in walk(board) if not present(back, path, value)]
        assert lost == [], name


def present(back, path, value):
    at = back
    for key in path.split("/")[1:] if path else ():
        key = int(key) if isinstance(at, list) else key
        try:
            at = at[key]
        except (KeyError, IndexError, TypeError):
            return False
    return isinstance(value, (dict, list)) or at == value


def test_the_expression_reader_reads():
    """What the tests above rest on."""
    selectors, labels = parse('sum by (le) (rate(a_total{x="1",y=~"$y"}[$__rate_interval])) / on (b) group_left count(c) unless d')
    assert [repr(one) for one in selectors] == ['a_total{x="1",y=~"$y"}', "c{}", "d{}"]
    assert selectors[0].calls == ["sum", "rate"] and selectors[0].range == "$__rate_interval"
    assert selectors[1].calls == ["count"] and selectors[2].calls == []
    assert labels == {"le", "x", "y", "b"}
    assert isinstance(selectors[0], Selector)
