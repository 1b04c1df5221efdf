"""`once --format=json` against its schema, and the table as a terminal shows it."""

import json
import os
import subprocess
import unicodedata

import jsonschema
import pytest

from conftest import ROOT

SCHEMA = json.loads((ROOT / "docs/once.schema.json").read_text())


@pytest.fixture
def once(binary, simulator):
    """Runs `once` against a fleet of 200 connections of two projects."""
    api = simulator(connections=200, projects=2, speed=0)

    def run(*arguments, **env):
        return subprocess.run(
            [binary, "once", "--kernel.project=all", "--kernel.quota-share=1", *arguments],
            env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )

    run.api = api
    return run


def valid(text):
    out = json.loads(text)
    validator = jsonschema.Draft202012Validator
    validator.check_schema(SCHEMA)
    validator(SCHEMA).validate(out)
    return out


def test_the_json_is_what_the_schema_says(once):
    ended = once("--format=json", "--collector.timeline")
    assert ended.returncode == 0, ended.stderr
    out = valid(ended.stdout)
    world = {row["id"]: row["object"] for row in once.api.world()}
    assert out["whole"] and {row["id"] for row in out["connections"]} == set(world)
    for row in out["connections"]:
        truth = world[row["id"]]
        assert (row["status"], row["domain"]) == (truth["status"], truth["domain"])
        assert row.get("can_reauth") == truth.get("can_reauth")
        assert row.get("flow", {}).get("status", "NONE") == (truth.get("flow_status") or "NONE")
    assert len({row["attention"] for row in out["connections"]}) > 2
    assert any("history" in row for row in out["connections"])
    for secret in ("hosted_url", "live_view", "http", once.api.key):
        assert secret not in ended.stdout


@pytest.mark.parametrize("requests, unread", [(20, 160), (100, 0)])
def test_timelines_that_are_left_are_told(once, requests, unread):
    ended = once("--format=json", "--collector.timeline", f"--kernel.timeline-requests={requests}")
    assert ended.returncode == 0, ended.stderr
    assert len([row for row in valid(ended.stdout)["connections"] if "history" in row]) == 200 - unread
    told = [line for line in ended.stderr.splitlines() if "timelines are left unread" in line]
    assert [f"unread={unread}" in line for line in told] == [True] * bool(unread), ended.stderr


def test_a_failure_is_in_the_json(once):
    once.api.faults("status=403")
    ended = once("--format=json")
    assert ended.returncode == 1
    out = valid(ended.stdout)
    assert not out["whole"] and out["connections"] == []
    assert all(scope["failure"]["reason"] == "forbidden" for scope in out["scopes"])
    assert not any(scope["up"] for scope in out["scopes"])


def width(line):
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_the_table_fits(once, columns):
    ended = once("--format=table", COLUMNS=str(columns))
    assert ended.returncode == 0, ended.stderr
    table, _, summary = ended.stdout.partition("\n\n")
    lines = table.splitlines()
    assert len(lines) == 201
    assert max(map(width, lines)) <= columns
    assert ("--wide" in summary) == (columns < 200)
    pictures = os.environ.get("STATUS_PAGE_SHOTS")
    if pictures and columns in (80, 200):
        shown = lines[:14] + ["…", "", *summary.splitlines()]
        (ROOT / pictures / f"table-{columns}.txt").write_text("\n".join(shown) + "\n")


def test_wide_cuts_nothing(once):
    whole = once("--format=table").stdout
    assert once("--format=table", "--wide", COLUMNS="40").stdout.splitlines()[0] == whole.splitlines()[0]
    assert "…" not in whole and "--wide" not in whole
