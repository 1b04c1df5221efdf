"""A real Prometheus scrapes the exporter over the simulated API, and its query
API returns what the world holds, value by value."""

from __future__ import annotations

import collections
import datetime
import json
import pathlib
import subprocess

import pytest

from conftest import wait_for
from monitoring import PROMTOOL, Prometheus

# The states, as the API's reference lists them, and the two of our own.
STATES = {
    "status": ["AUTHENTICATED", "NEEDS_AUTH", "UNKNOWN"],
    "flow_status": ["IN_PROGRESS", "SUCCESS", "FAILED", "EXPIRED", "CANCELED", "NONE", "UNKNOWN"],
    "flow_step": [
        "DISCOVERING", "AWAITING_INPUT", "AWAITING_EXTERNAL_ACTION", "SUBMITTING", "COMPLETED",
        "NONE", "UNKNOWN",
    ],
    "flow_type": ["LOGIN", "REAUTH", "NONE", "UNKNOWN"],
}
FLAGS = {
    "can_reauth": "can_reauth",
    "health_checks": "health_checks_enabled",
    "auto_reauth": "auto_reauth_enabled",
    "save_credentials": "save_credentials",
    "record_session": "record_session",
}
# Families whose values move with the clock.
MOVING = {
    "kernel_auth_connection_last_auth_age_seconds",
    "kernel_auth_connection_last_auth_check_age_seconds",
    "kernel_auth_connection_flow_expires_in_seconds",
}
# The world's clock stands still while the exporter's goes on.
LATE = 60


@pytest.fixture
def prometheus(running, tmp_path):
    """Factory: a Prometheus that scrapes one URL every second, with what else
    the scrape configuration needs."""

    def prometheus(url: str, **scrape: object) -> Prometheus:
        scheme, target = url.split("://")
        job = {"job_name": "kernel", "static_configs": [{"targets": [target]}], "scheme": scheme, **scrape}
        return running(Prometheus(tmp_path, {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [job],
        }))

    return prometheus


KEYS = pathlib.Path(__file__).parents[2] / "crates/exporter-toolkit/tests/web-config"
ALICE = "$2y$04$GqxjnbW/gkVSEThWY6otKO1SjX2WpCuKdDosRETY8djNyI.H9itiS"
TLS = {
    "tls_server_config": {
        "cert_file": str(KEYS / "server.pem"),
        "key_file": str(KEYS / "server.key"),
    }
}
WITH_CLIENTS = {
    "tls_server_config": {
        **TLS["tls_server_config"],
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": str(KEYS / "ca.pem"),
    }
}
TRUST = {"ca_file": str(KEYS / "ca.pem")}
CLIENT = {**TRUST, "cert_file": str(KEYS / "client.pem"), "key_file": str(KEYS / "client.key")}
PASSWORD = {"basic_auth": {"username": "alice", "password": "alice123"}}


@pytest.mark.parametrize(
    ("web", "scrape", "up"),
    [
        ({**TLS, "basic_auth_users": {"alice": ALICE}}, {"tls_config": TRUST, **PASSWORD}, 1),
        ({**TLS, "basic_auth_users": {"alice": ALICE}}, {"tls_config": TRUST}, 0),
        (WITH_CLIENTS, {"tls_config": CLIENT}, 1),
        (WITH_CLIENTS, {"tls_config": TRUST}, 0),
    ],
    ids=["password", "no-password", "certificate", "no-certificate"],
)
def test_prometheus_scrapes_over_tls(simulator, start, prometheus, tmp_path, web, scrape, up):
    api = simulator(connections=5)
    config = tmp_path / "web.yml"
    config.write_text(json.dumps(web))  # JSON is YAML
    exporter = start(
        "--web.listen-address=127.0.0.1:0", f"--web.config.file={config}",
        f"--kernel.api-url={api.url}", env={"KERNEL_API_KEY": api.key},
    )
    server = prometheus(exporter.url, **scrape)
    found = wait_for(lambda: server.query("up"), 20, "a scrape")
    assert [value for _, value in found] == [up]
    if up:
        connections = wait_for(lambda: server.query("kernel_auth_connection_status == 1"), 20, "series")
        assert len(connections) == 5


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def credential(value: dict | None) -> str:
    if not value:
        return "none"
    if value.get("provider"):
        if value.get("path"):
            return "external_path"
        return "external_auto" if value.get("auto") else "external_inert"
    return "kernel"


def expected_of(row: dict, now: float) -> dict[tuple, float]:
    """The documented series of one object of the API, without those that move."""
    thing, found = row["object"], {}
    base = {
        "connection_id": thing["id"],
        "domain": thing["domain"],
        "profile_name": thing["profile_name"],
        "project": row["project"],
    }

    def put(family: str, value: float, **more: str) -> None:
        name = f"kernel_auth_connection_{family}"
        found[name, frozenset({**base, **more}.items())] = float(value)

    for member, states in STATES.items():
        for state in states:
            put(member, state == (thing.get(member) or "NONE"), **{member: state})
    checked = thing.get("last_auth_check_at")
    if thing.get("last_auth_at") or checked:
        put("last_auth_timestamp_seconds", seconds(thing.get("last_auth_at") or checked))
    if checked:
        put("last_auth_check_timestamp_seconds", seconds(checked))
    expires = thing.get("flow_expires_at")
    if expires:
        put("flow_expires_timestamp_seconds", seconds(expires))
    live = thing.get("flow_status") == "IN_PROGRESS" and (not expires or seconds(expires) > now)
    put("flow_live", live)
    if thing.get("flow_status") == "FAILED" and thing.get("error_code"):
        put("flow_error", 1, error_code=thing["error_code"])
    if live:
        first = lambda *names: next((thing[name] for name in names if thing.get(name) is not None), [])
        counts = {"field": len(first("fields", "discovered_fields"))}
        if thing.get("choices") is not None:
            counts["choice"] = len(thing["choices"])
        else:
            counts["mfa_option"] = len(first("mfa_options"))
            counts["sign_in_option"] = len(first("sign_in_options"))
            counts["sso_button"] = len(first("pending_sso_buttons"))
        for kind, count in counts.items():
            if count:
                put("flow_pending_inputs", count, kind=kind)
    for member, family in FLAGS.items():
        if thing.get(member) is not None:
            put(family, thing[member])
    if thing.get("can_reauth_reason"):
        put("can_reauth_reason", 1, reason=thing["can_reauth_reason"])
    if thing.get("health_check_interval") is not None:
        put("health_check_interval_seconds", thing["health_check_interval"])
    if thing.get("health_check_unavailable_reason"):
        put("health_check_unavailable", 1, reason=thing["health_check_unavailable_reason"])
    put("credential", 1, kind=credential(thing.get("credential")))
    if thing.get("website_error") or thing.get("flow_status"):
        put("website_error", bool(thing.get("website_error")))
    if thing.get("allowed_domains") is not None:
        put("allowed_domains", len(thing["allowed_domains"]))
    if thing.get("sso_provider"):
        known = ("google", "github", "microsoft")
        put("sso_provider", 1, provider=thing["sso_provider"] if thing["sso_provider"] in known else "other")
    return found


def test_prometheus_holds_what_the_world_holds(simulator, start, prometheus):
    api = simulator(connections=150, projects=2, speed=0, rate_limit="100000/min")
    exporter = start(
        "--web.listen-address=127.0.0.1:0", "--kernel.project=all",
        env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url},
    )
    server = prometheus(exporter.url)
    wait_for(lambda: len(server.query("kernel_auth_up == 1")) == 2, what="a scrape")
    world, now = api.world(), api.control("GET", "/clock")["now"]
    assert len(world) == 150 and len({row["project"] for row in world}) == 2

    # Every series of every connection, no more and no fewer.
    found, moving = {}, {}
    for labels, value in server.query('{__name__=~"kernel_auth_connection_.+"}'):
        name = labels.pop("__name__")
        series = moving if name in MOVING else found
        series[name, frozenset(labels.items())] = value
    expected = {}
    for row in world:
        expected |= expected_of(row, now)
    assert set(found) == set(expected)
    differing = {key for key, value in expected.items() if abs(found[key] - value) > 1e-6}
    assert not differing

    # What moves with the clock moves from where it was.
    for (name, labels), value in moving.items():
        point = name.replace("_age_", "_timestamp_").replace("_in_seconds", "_timestamp_seconds")
        age = value if "_age_" in name else -value
        assert -LATE < age - (now - found[point, labels]) < LATE, (name, labels)
    assert len(moving) == sum("timestamp" in name for name, _ in found)

    # The same as people ask it: how many are in each state.
    for member, states in STATES.items():
        held = collections.Counter(row["object"].get(member) or "NONE" for row in world)
        assert set(held) == set(states) - ({"UNKNOWN", "NONE"} - set(held)), "every state is visited"
        counted = server.query(f"sum by ({member}) (kernel_auth_connection_{member})")
        assert {labels[member]: value for labels, value in counted} == {s: held[s] for s in states}
    held = collections.Counter((row["project"], row["object"]["status"]) for row in world)
    counted = server.query("kernel_auth_connections > 0")
    assert {(labels["project"], labels["status"]): value for labels, value in counted} == held

    # The exporter's own counters agree with the other side.
    asked = sum(row["count"] for row in api.requests()["counts"])
    counted = server.query("sum(kernel_auth_api_requests_total)")[0][1]
    assert 0 < counted <= asked
    assert api.requests()["non_get"] == 0

    # And a change is there after the next scrape.
    victim = next(row for row in world if row["status"] == "AUTHENTICATED")["id"]
    api.set_connection(victim, status="NEEDS_AUTH")
    gone = f'kernel_auth_connection_status{{connection_id="{victim}",status="NEEDS_AUTH"}} == 1'
    wait_for(lambda: server.query(gone), what="the change")


def test_promtool_has_nothing_to_say_about_the_demo(start):
    demo = start("demo", "--web.listen-address=127.0.0.1:0")
    text = demo.get("/metrics")
    assert "kernel_auth_connection_status{" in text
    judge = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, text=True, capture_output=True
    )
    assert (judge.returncode, judge.stdout, judge.stderr) == (0, "", "")
