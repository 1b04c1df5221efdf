"""The dashboards, held to Grafana's dashboard-linter and to more than that."""

import json
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from assets_boards import BOARDS, Chosen, every, panels
from assets_promql import Selector, parse
from monitoring import PROMTOOL

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted((ROOT / "dashboards").glob("*.json"))
COLORS = {"#0072B2", "#E69F00", "#D55E00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#999999", "#B37400", "text", "transparent"}
UNITS = {"none", "short", "percentunit", "s", "dthms", "bytes", "reqps", "ops"}
WITH_QUERIES = {"stat", "gauge", "table", "timeseries", "state-timeline", "bargauge", "barchart"}

boards = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())


def variable(board, name):
    return next((found for found in board["templating"]["list"] if found["name"] == name), None)


def walk(value, path=""):
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from walk(inner, f"{path}/{key}")


# --- dashboard-linter: one function for each of its rules, by its name -----------------
#
# What dashboards/.lint leaves out, in the linter's own format, is left out here, and must be needed.

def template_datasource_rule(board):
    found = [one for one in board["templating"]["list"] if one["type"] == "datasource"]
    if not found:
        yield "", "no data source variable"
    for one in found:
        if one["name"] != "datasource" or one["label"] != "Data source" or one["query"] != "prometheus":
            yield "", f"data source variable is {one['name']!r}, labelled {one['label']!r}"


def template_label(board, name):
    one = variable(board, name)
    if one is None:
        yield "", f"no variable {name}"
        return
    for key, right in dict(type="query", label=name.title(), multi=True, allValue=".+").items():
        if one.get(key) != right:
            yield "", f"variable {name}: {key} is {one.get(key)!r}"
    if one["datasource"]["uid"] not in ("$datasource", "${datasource}"):
        yield "", f"variable {name}: data source {one['datasource']}"


def template_job_rule(board):
    yield from template_label(board, "job")


def template_instance_rule(board):
    yield from template_label(board, "instance")


def template_label_promql_rule(board):
    for one in board["templating"]["list"]:
        if one["type"] == "query" and not re.fullmatch(
                r"(label_names|label_values|metrics|query_result)\(.+\)", one["query"]):
            yield "", f"variable {one['name']}: {one['query']}"


def template_on_time_change_reload_rule(board):
    for one in board["templating"]["list"]:
        if one["type"] == "query" and one["refresh"] != 2:
            yield "", f"variable {one['name']}: refresh {one['refresh']}"


def panel_datasource_rule(board):
    for panel in panels(board):
        if panel["type"] != "text" and panel["datasource"]["uid"] not in ("$datasource", "${datasource}"):
            yield panel["title"], panel["datasource"]


def panel_title_description_rule(board):
    for panel in panels(board):
        if not panel.get("title") or not panel.get("description"):
            yield panel.get("title"), "has no title or no description"


def panel_units_rule(board):
    for panel in panels(board):
        if panel["type"] in WITH_QUERIES:
            units = [panel["fieldConfig"]["defaults"].get("unit")]
            units += [one["value"] for override in panel["fieldConfig"]["overrides"]
                      for one in override["properties"] if one["id"] == "unit"]
            if not set(units) <= UNITS:
                yield panel["title"], units


def panel_no_targets_rule(board):
    for panel in panels(board):
        if panel["type"] in WITH_QUERIES and not panel.get("targets"):
            yield panel["title"], "has no target"


def targets(board):
    for panel in panels(board):
        for target in panel.get("targets", ()):
            yield panel, target, parse(target["expr"])[0]


def target_label(board, name):
    for panel, target, selectors in targets(board):
        for selector in selectors:
            if (name, "=~", f'"${name}"') not in selector.matchers:
                yield panel["title"], f"{target['refId']}: {selector} lacks {name}"


def target_job_rule(board):
    yield from target_label(board, "job")


def target_instance_rule(board):
    yield from target_label(board, "instance")


def target_rate_interval_rule(board):
    for panel, target, selectors in targets(board):
        for selector in selectors:
            if selector.range and {"rate", "irate"} & set(selector.calls[-1:]) \
                    and selector.range != "$__rate_interval":
                yield panel["title"], f"{target['refId']}: {selector}[{selector.range}]"


def target_counter_agg_rule(board):
    for panel, target, selectors in targets(board):
        for selector in selectors:
            counted = selector.name.endswith(("_total", "_bucket", "_count", "_sum"))
            if counted and selector.calls[-1:] not in (["rate"], ["irate"], ["increase"]):
                yield panel["title"], f"{target['refId']}: {selector} is not rated"


def uneditable_rule(board):
    if board.get("editable") is not False:
        yield "", "is editable"


LINTER = [template_datasource_rule, template_job_rule, template_instance_rule, template_label_promql_rule,
          template_on_time_change_reload_rule, panel_datasource_rule, panel_title_description_rule,
          panel_units_rule, panel_no_targets_rule, target_job_rule, target_instance_rule, target_rate_interval_rule,
          target_counter_agg_rule, uneditable_rule]
LEFT_OUT = yaml.safe_load((ROOT / "dashboards" / ".lint").read_text())["exclusions"]


def is_left_out(rule, board, panel):
    """Whether .lint says so: without entries, everywhere."""
    one = LEFT_OUT.get(rule.__name__.replace("_", "-"))
    return one is not None and (not one.get("entries") or any(
        entry["dashboard"] == board["title"] and entry.get("panel", panel) == panel for entry in one["entries"]))


@boards
@pytest.mark.parametrize("rule", LINTER, ids=lambda rule: rule.__name__)
def test_linter(board, rule):
    assert [(panel, found) for panel, found in rule(board) if not is_left_out(rule, board, panel)] == []


def test_what_the_linter_leaves_out_is_needed_and_reasoned():
    rules = {rule.__name__.replace("_", "-"): rule for rule in LINTER}
    assert set(LEFT_OUT) <= set(rules)
    for name, one in LEFT_OUT.items():
        assert len(one["reason"]) > 40, name
        for entry in one.get("entries") or [{"dashboard": board["title"]} for board in BOARDS.values()]:
            board = next(board for board in BOARDS.values() if board["title"] == entry["dashboard"])
            found = [panel for panel, _ in rules[name](board)]
            assert found if "panel" not in entry else entry["panel"] in found, (name, entry)


def test_linter_finds_what_is_broken():
    """Each rule can say no: what it must find is broken into a copy."""
    whole = BOARDS["kernel-auth-exporter"]

    def broken(*path, value=None):
        copy = json.loads(json.dumps(whole))
        at = copy
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        return copy

    index = next(index for index, panel in enumerate(whole["panels"]) if panel["type"] == "timeseries")
    place = lambda name: next(at for at, one in enumerate(whole["templating"]["list"]) if one["name"] == name)
    expr = ("panels", index, "targets", 0, "expr")
    for rule, board in [
        (template_datasource_rule, broken("templating", "list", place("datasource"), "label", value="Prometheus")),
        (template_job_rule, broken("templating", "list", place("job"), "allValue", value=".*")),
        (template_instance_rule, broken("templating", "list", place("instance"), "label", value="Exporter")),
        (template_label_promql_rule, broken("templating", "list", place("job"), "query", value="job")),
        (template_on_time_change_reload_rule, broken("templating", "list", place("job"), "refresh", value=1)),
        (panel_datasource_rule, broken("panels", index, "datasource", value={"uid": "abc"})),
        (panel_title_description_rule, broken("panels", index, "description", value="")),
        (panel_units_rule, broken("panels", index, "fieldConfig", "defaults", "unit", value="parsec")),
        (panel_no_targets_rule, broken("panels", index, "targets", value=[])),
        (target_instance_rule, broken(*expr, value='up{job=~"$job"}')),
        (target_job_rule, broken(*expr, value='sum by (job) (up{job="$job",instance="$instance"})')),
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
    # The default data source, not the first by its name.
    assert variable(board, "datasource")["current"]["value"] == "default"


def place(panel):
    at = panel["gridPos"]
    assert at["x"] + at["w"] <= 24
    return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}


@boards
def test_ids_are_unique_and_nothing_overlaps(board):
    every_panel = [one for panel in board["panels"] for one in [panel, *panel.get("panels", ())]]
    ids = [panel["id"] for panel in every_panel]
    assert len(set(ids)) == len(ids)
    squares = [square for panel in board["panels"] for square in place(panel)]
    # Nothing twice, no holes.
    assert len(set(squares)) == len(squares) == 24 * (max(y for _, y in squares) + 1)
    for panel in board["panels"]:
        inner = [square for one in panel.get("panels", ()) for square in place(one)]
        assert len(set(inner)) == len(inner) and len(inner) % 24 == 0 and all(y > panel["gridPos"]["y"] for _, y in inner)
        assert panel.get("collapsed", False) == bool(inner)
    titles = [panel["title"] for panel in every_panel]
    assert len(set(titles)) == len(titles)


@boards
def test_what_is_asked_for_is_a_variable_of_the_board(board):
    """Grafana leaves the name of any other as it is, and finds nothing."""
    known = {one["name"] for one in board["templating"]["list"]}
    for query in every(board["uid"]):
        for name in re.findall(r"\$\{?(\w+)", query.expr):
            # One of a replacement, one of Grafana's own.
            assert name in known or name.isdigit() or name.startswith("__"), str(query)


@boards
def test_links_keep_time_and_variables(board):
    (links,) = board["links"]
    assert links["type"] == "dashboards" and links["keepTime"] and links["includeVars"]
    assert set(links["tags"]) <= set(board["tags"])
    assert all(set(links["tags"]) <= set(other["tags"]) for other in BOARDS.values())
    for path, value in walk(board):
        if path.endswith("/url") and value and "/runbooks/" not in value:
            assert value.startswith("/d/kernel-auth-") and value.split("?")[0].removeprefix("/d/") in BOARDS
            assert "${__url_time_range}" in value and "${job:queryparam}" in value and "${datasource:queryparam}" in value


@pytest.mark.parametrize("uid", ["kernel-auth-fleet", "kernel-auth-exporter"])
def test_an_alert_that_fires_leads_to_its_runbook(uid):
    (firing,) = [one for one in panels(BOARDS[uid]) if "fire" in one["title"]]
    (links,) = [one["value"] for override in firing["fieldConfig"]["overrides"] if override["matcher"]["options"] == "Alert"
                for one in override["properties"] if one["id"] == "links"]
    base, name = links[0]["url"].rsplit("/", 1)
    groups = yaml.safe_load((ROOT / "alerts" / "kernel-auth-rules.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    rule = next(rule for rule in rules if rule.get("alert") == "KernelAuthExporterDown")
    assert rule["annotations"]["runbook_url"] == f"{base}/{name.replace('${__data.fields.Alert}', 'ExporterDown')}"
    # The names in the list are those of the alerts without what all begin with.
    assert 'label_replace(' in firing["targets"][0]["expr"] and '"KernelAuth(.+)"' in firing["targets"][0]["expr"]


def test_the_worklist_is_the_first_table_and_its_link_the_first_column():
    *glance, worklist = panels(BOARDS["kernel-auth-fleet"])[:3]
    assert {one["type"] for one in glance} == {"stat"} and worklist["type"] == "table"
    # Both on the first screen of 1366 by 768, of which Grafana takes 150.
    assert worklist["gridPos"]["w"] == 24 and (worklist["gridPos"]["y"] + worklist["gridPos"]["h"]) * 38 <= 768 - 150
    order = worklist["transformations"][-1]["options"]
    columns = [order["renameByName"][name] for name, _ in sorted(order["indexByName"].items(), key=lambda one: one[1])]
    assert columns[:7] == ["Site", "Needs", "Time left", "Logged out for", "Profile", "Why", "What to do"]
    (links,) = [(override["matcher"]["options"], one["value"]) for override in worklist["fieldConfig"]["overrides"]
                for one in override["properties"] if one["id"] == "links"]
    assert links[0] == "Site" and "/d/kernel-auth-connection?" in links[1][0]["url"] and "var-connection_id=" in links[1][0]["url"]


@boards
def test_annotations_are_lines_where_alerts_about_this_board_began(board):
    (annotation,) = board["annotations"]["list"]
    assert annotation["enable"]
    firing, before = parse(annotation["expr"])[0]
    # Grafana chooses the step: what begins between two moments is in the second's window.
    assert repr(firing) == repr(before) and firing.range == "$__interval" and firing.calls == ["last_over_time"]
    assert annotation["expr"].endswith(" offset $__interval") and " unless " in annotation["expr"]
    assert firing.name == "ALERTS" and ("alertstate", "=", '"firing"') in firing.matchers
    assert ("job", "=~", '"$job"') in firing.matchers
    # One line for each of a thousand connections buries every graph.
    of_one = dict((name, value) for name, _, value in firing.matchers)["connection_id"]
    assert of_one == ('"$connection_id"' if board["uid"] == "kernel-auth-connection" else '""')


def test_silence_is_never_a_number():
    for board in BOARDS.values():
        for panel in panels(board):
            assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]
            assert panel["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls") in (None, False)
            for target in panel.get("targets", ()):
                # `or vector(0)` would paint a zero over blindness.
                assert "vector(" not in target["expr"] and "absent" not in target["expr"], panel["title"]
    for panel in panels(BOARDS["kernel-auth-fleet"]):
        for target in panel["targets"] if panel["type"] == "stat" else ():
            # Zero only while everything is seen, else -1, which reads "blind".
            assert re.search(r" or min\(scope:kernel_auth_visible:max\{[^}]*\}\) - 1$", target["expr"]) or target["legendFormat"].strip() == "Kernel's API"


def test_the_fleet_reads_recordings():
    """What the exporter shows of each connection costs too much for a fleet of ten thousand."""
    for query in every("kernel-auth-fleet"):
        for selector in parse(query.expr)[0]:
            assert ":" in selector.name or not selector.name.startswith("kernel_auth_connection"), (str(query), selector)
    for query in every("kernel-auth-exporter"):
        assert not any(one.name.startswith("kernel_auth_connection_") for one in parse(query.expr)[0]), str(query)


@boards
def test_variables_are_asked_for_when_a_board_is_opened(board):
    for one in board["templating"]["list"]:
        assert one["type"] != "query" or one["refresh"] == 1


FOLDED = re.compile(r"kernel_auth_(connection_\w+|connections|up|org_\w+|api_key_\w+|snapshot_\w+)$")


@boards
def test_replicas_are_folded_before_anything_is_counted(board):
    for panel, target, selectors in targets(board):
        for selector in selectors:
            if FOLDED.match(selector.name) and not selector.name.endswith("_total"):
                outer = [call for call in selector.calls if call in ("max", "min", "sum", "count", "avg", "topk")]
                # The innermost aggregation is max or min; `and on` conditions have none.
                assert not outer or outer[-1] in ("max", "min") or "count by" in target["expr"], (panel["title"], selector)


@boards
def test_colours_can_be_told_apart_and_never_stand_alone(board):
    for path, value in walk(board):
        if path.endswith(("/fixedColor", "/color")) and isinstance(value, str):
            assert value in COLORS, (path, value)
        if path.endswith("color/mode"):
            assert value in ("fixed", "thresholds", "palette-classic"), path
        if isinstance(value, dict) and "index" in value and "color" in value:
            assert value.get("text"), path


@boards
def test_only_numbers_that_ask_for_something_have_a_colour(board):
    for panel in panels(board):
        if panel["type"] == "stat":
            assert panel["options"]["colorMode"] == "value", panel["title"]
            for override in panel["fieldConfig"]["overrides"]:
                steps = [one["value"]["steps"] for one in override["properties"] if one["id"] == "thresholds"]
                assert any(step["color"] == "text" for step in steps[0]) or steps[0][0]["color"] == "#D55E00", panel["title"]


@boards
def test_cells_are_coloured_before_and_since_grafana_9_5(board):
    seen = 0
    for path, value in walk(board):
        if path.endswith("/properties"):
            ids = {one["id"] for one in value}
            assert ("custom.displayMode" in ids) == ("custom.cellOptions" in ids), path
            seen += "custom.displayMode" in ids
    assert seen or board["uid"] == "kernel-auth-connection"


@boards
def test_state_timelines_show_codes_with_a_text_each(board):
    for panel in panels(board):
        if panel["type"] == "state-timeline":
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["color"]["mode"] == "fixed" and defaults["mappings"]
            assert defaults["custom"]["spanNulls"] is False


@boards
def test_nothing_is_drawn_beyond_what_was_measured(board):
    """Steps reach to the edge of the panel, on that side on which the first or the last value stands."""
    for panel in panels(board):
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["custom"]["lineInterpolation"] == "linear", panel["title"]


@boards
def test_rates_look_back_over_four_scrapes_a_minute_apart(board):
    """Also where the data source does not say how far scrapes are apart."""
    for panel, target, _ in targets(board):
        assert re.fullmatch(r"\d+[mh]", target["interval"]), panel["title"]


@boards
def test_every_expression_is_promql(board, tmp_path):
    rules = [{"record": f"x:y:z{index}", "expr": Chosen().put(query)} for index, query in enumerate(every(board["uid"]))]
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


# --- pictures -----------------------------------------------------------------------------

def test_pictures_of_boards_are_shown_and_small():
    pages = (ROOT / "README.md").read_text() + (ROOT / "docs" / "dashboards.md").read_text()
    shown = set(re.findall(r"images/(board-[\w-]+\.png)", pages))
    there = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").glob("board-*.png")}
    assert shown == set(there) and len(shown) == 7
    assert max(there.values()) < 200_000


def test_the_expression_reader_reads():
    """What the tests above rest on."""
    selectors, labels = parse('sum by (le) (rate(a_total{x="1",y=~"$y"}[$__rate_interval])) / on (b) group_left count(c) unless d')
    assert [repr(one) for one in selectors] == ['a_total{x="1",y=~"$y"}', "c{}", "d{}"]
    assert selectors[0].calls == ["sum", "rate"] and selectors[0].range == "$__rate_interval"
    assert selectors[1].calls == ["count"] and selectors[2].calls == []
    assert labels == {"le", "x", "y", "b"}
    assert isinstance(selectors[0], Selector)
