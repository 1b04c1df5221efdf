"""The rules, dashboards and runbooks on real Prometheus and Alertmanager, which
watch the real exporter over the simulated API."""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import time

import pytest
import yaml

from assets_promql import substituted
from conftest import http, wait_for
from monitoring import AMTOOL, PROMTOOL, Alertmanager, Prometheus, Webhook

ROOT = pathlib.Path(__file__).parents[2]
JOB = "kernel-auth-exporter"

# What returns nothing here, each with the reason; test_assets_nights.py tells of it.
SILENT = {
    "rule KernelAuthScopeUnseen warning": "no target leaves",
    "rule KernelAuthExporterAbsent critical": "no target leaves",
    "rule KernelAuthFleetEmpty critical": "no fleet becomes nothing",
    "rule KernelAuthFleetEmpty warning": "no fleet becomes nothing",
    "rule scope:kernel_auth_connections_lost:max": "no fleet becomes nothing",
    "runbook KernelAuthFleetEmpty": "no fleet becomes nothing",
    "rule domain:kernel_auth_flow_errors:count5m": "asks for five minutes; in the boards' history",
    "rule domain:kernel_auth_flows_ended:count5m": "asks for five minutes; in the boards' history",
    "rule KernelAuthFleetLoggedOutBurn critical": "asks for an hour",
    "rule KernelAuthFleetLoggedOutBurnSlow warning": "asks for six hours",
    "rule KernelAuthDomainLoggedOut critical": "no domain is logged out as a whole",
    "rule domain:kernel_auth_logged_out:firing": "no domain is logged out as a whole",
    "runbook KernelAuthDomainLoggedOut": "no domain is logged out as a whole",
    "rule KernelAuthManyFlowsAwaiting critical": "no ten logins wait",
    "rule domain:kernel_auth_awaiting:firing": "no ten logins wait",
    "runbook KernelAuthManyFlowsAwaiting": "no ten logins wait",
    "rule KernelAuthProbeFailed warning": "nothing is probed",
    "rule connection:kernel_auth_probe_failed:max": "nothing is probed",
    "runbook KernelAuthProbeFailed": "nothing is probed",
    "rule KernelAuthFlowAwaitingHuman warning": "a person has five minutes",
    "rule KernelAuthConnectionHumanLoginRequired warning": "a first login has an hour",
    "rule KernelAuthFlowFailed warning": "something graver tells of it",
    "rule KernelAuthConnectionFlapping warning": "something graver tells of it",
    "rule KernelAuthExporterDown warning": "each sees what the other does not",
    "rule connection:kernel_auth_flow_failed:firing": "something graver tells of it",
}

# Thresholds that one minute of a simulated world can pass.
QUICK = [
    "--interval=1s", "--needs-auth-for=1s", "--human-login-for=1s", "--flow-awaiting-for=1s", "--exporter-down-for=1s",
    "--api-down-for=1s", "--warning-for=1s", "--keep-firing-for=5m", "--staleness-factor=1", "--reauth-failures=1",
    "--flapping-changes=2", "--snapshot-max-age=1s", "--rate-limited-share=0.0001", "--burn-share=0.001",
    "--burn-slow-share=0.0001", "--burn-min-connections=1", "--key-expiry-warning-days=14",
    "--connections-limit-share=0.0001",
]


@pytest.fixture
def assets(binary, tmp_path):
    """Writes the assets with options and returns their directory."""
    def write(*options):
        directory = tmp_path / "assets"
        subprocess.run([binary, "assets", str(directory), *options], check=True, capture_output=True, timeout=30)
        return directory
    return write


@pytest.fixture
def exporter(start):
    """Starts the exporter over a simulator."""
    def serve(api, *flags):
        process = start(
            "--web.listen-address=127.0.0.1:0", "--kernel.timeout=3s", *flags,
            env={"KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url})
        _ = process.url
        return process
    return serve


def prometheus_config(rules, *exporters, alertmanager=None):
    target = lambda process: process.url.removeprefix("http://")
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [target(one) for one in exporters]}]}],
    }
    if alertmanager:
        config["alerting"] = {"alertmanagers": [
            {"static_configs": [{"targets": [alertmanager.url.removeprefix("http://")]}]}]}
    return config


def expressions(directory, **variables):
    """Every expression of the rules and the runbooks, by where it stands. Those of the boards are asked over a
    whole history, in test_judges_boards.py."""
    fill = lambda expr: substituted(expr, __rate_interval="10s", __range="2m", **variables).replace("[6h:1m]", "[6h:1s]")
    for group in yaml.safe_load((directory / "alerts" / "kernel-auth-rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            name = f"{rule['alert']} {rule['labels']['severity']}" if "alert" in rule else rule["record"]
            yield f"rule {name}", rule["expr"].strip()
    for path in sorted((directory / "docs" / "runbooks").glob("*.md")):
        for expr in re.findall(r"```promql\n(.*?)```", path.read_text(), re.S):
            yield f"runbook {path.stem}", fill(expr.strip())


def test_every_expression_returns_data(simulator, exporter, assets, running, tmp_path):
    # With sixty connections or more, every value of every member is there.
    api = simulator(connections=80, speed=0, rate_limit="100000/min")
    api.control("POST", "/organization/key-expiry", "1d")
    api.control("POST", "/organization/limits", {"max_auth_connections": 100, "max_concurrent_sessions": 10})
    watched = api.create_connection(id="ma_watched", domain="watched.example.com", profile_name="watched",
                                    status="AUTHENTICATED")["id"]
    api.create_connection(id="ma_out", domain="watched.example.com", profile_name="out", status="AUTHENTICATED")
    config = tmp_path / "config.yml"
    config.write_text("accounts:\n  - {name: simulated, api_key_env: KERNEL_API_KEY, projects: all}\n")
    whole = exporter(api, "--collector.timeline", "--collector.org", "--config.file", str(config))
    single = exporter(api, "--kernel.connection", watched, "--kernel.connection", "ma_missing")
    directory = assets(*QUICK)
    start = time.time()
    prometheus = running(Prometheus(tmp_path, prometheus_config(
        directory / "alerts" / "kernel-auth-rules.yml", whole, single)))
    here = f'connection_id="{watched}"'
    prometheus.wait(f'kernel_auth_connection_status{{{here},status="AUTHENTICATED"}} == 1')

    # What happens before its first look is not counted.
    prometheus.wait(f'kernel_auth_connection_events_total{{{here},type="reauth",outcome="FAILED"}} == 0')

    # The watched connection's bad day.
    for id in (watched, "ma_out"):
        api.happen(id, "health_check", outcome="AUTHENTICATED")
    for outcome, error in (("FAILED", {"error_code": "bot_detected"}), ("SUCCESS", {}),
                           ("FAILED", {"error_code": "credentials_invalid"})):
        api.happen(watched, "flow_starts", type="REAUTH")
        prometheus.wait(f'kernel_auth_connection_flow_live{{{here}}} == 1')
        # A login that waits for a person mutes what is told of the same connection for two
        # minutes, once it has waited for long enough; whether this one does is chance.
        if outcome == "SUCCESS":
            prometheus.wait(f'ALERTS{{alertname="KernelAuthReauthFailingRepeatedly",alertstate="firing",{here}}}')
            api.happen(watched, "flow_reaches", step="AWAITING_INPUT")
            prometheus.wait(f'connection:kernel_auth_flow_awaiting:max{{{here}}}')
        api.advance("20s")
        api.happen(watched, "flow_ends", outcome=outcome, **error)
        prometheus.wait(f'kernel_auth_connection_flow_status{{{here},flow_status="{outcome}"}} == 1')
    for id in (watched, "ma_out"):
        api.set_connection(id, status="NEEDS_AUTH", can_reauth=False, can_reauth_reason="no_credential",
                           health_check_interval=300, health_checks=True, auto_reauth=True,
                           health_check_unavailable_reason="no_auth_check_url")
    prometheus.wait('{__name__=~"connection:kernel_auth_(human_login|logged_out):firing",connection_id="ma_out"} == 1')
    prometheus.wait(f'min(connection:kernel_auth_needs_auth:max{{{here}}}) == 1')
    api.set_connection(watched, status="AUTHENTICATED")
    prometheus.wait(f'max(connection:kernel_auth_needs_auth:max{{{here}}}) == 0')
    api.set_connection(watched, status="NEEDS_AUTH")
    prometheus.wait(f'min(connection:kernel_auth_needs_auth:max{{{here}}}) == 1')
    api.create_connection(id="ma_stale", domain="watched.example.com", profile_name="stale", status="AUTHENTICATED",
                          health_checks=True, health_check_interval=300, last_auth_check_at="2026-01-01T00:00:00Z")
    prometheus.wait("connection:kernel_auth_check_age_intervals:min > 3")
    live = api.create_connection(id="ma_live", domain="watched.example.com", profile_name="live")["id"]
    api.happen(live, "flow_starts", type="LOGIN")
    api.happen(live, "flow_reaches", step="AWAITING_INPUT")
    prometheus.wait(f'kernel_auth_connection_flow_live{{connection_id="{live}"}} == 1')
    api.happen(watched, "flow_starts", type="REAUTH")
    api.happen(watched, "flow_reaches", step="AWAITING_INPUT")
    api.set_connection(watched, fields=[{"id": "a", "ref": "b", "type": "password", "reason": "missing"}])
    prometheus.wait(f'kernel_auth_connection_flow_pending_inputs{{{here}}} > 0')

    # Bad hours of the API, each for longer than a step of what is asked below.
    fires = lambda labels: f'count_over_time(ALERTS{{{labels},alertstate="firing"}}[5m]) > 2'
    for fault, seen in (
        ("malformed-row=no-id", fires('alertname="KernelAuthDataIncomplete"')),
        ("status=429,retry-after=1", 'kernel_auth_api_requests_total{code="429"} > 0'),
        ("unknown-values,row=0", "kernel_auth_api_unknown_values_total > 0"),
        ("status=500", fires('alertname="KernelAuthAPIUnreachable"')),
        ("status=401", fires('alertname="KernelAuthAPIUnauthorized"')),
    ):
        api.faults(fault)
        prometheus.wait(seen)
        api.clear_faults()
        prometheus.wait("min(kernel_auth_up) == 1")
    config.write_text("accounts: 1\n")
    whole.process.send_signal(signal.SIGHUP)
    prometheus.wait(fires('alertname="KernelAuthConfigReloadFailed"'))
    single.stop()
    prometheus.wait(fires('alertname="KernelAuthScopeUnseen",severity="critical"'))
    whole.stop()
    prometheus.wait(fires('alertname="KernelAuthExporterDown",severity="critical"'))
    end = time.time()

    everything = list(expressions(directory, connection_id=watched))
    assert len(everything) > 150, "the expressions were not found"
    empty = {(where, expr) for where, expr in everything if not prometheus.over(expr, start, end)}
    # What is left when it is over is nothing, as a rule.
    left = "\n".join(f"{where}: {expr}" for where, expr in sorted(empty) if where not in SILENT and not expr.startswith("ALERTS{"))
    assert not left, left
    assert set(SILENT) <= {where for where, _ in everything}, "something of the list is no more"


# --- Alertmanager --------------------------------------------------------------------------

def alertmanager_config(directory, webhook):
    """The shipped sample, to our webhook and with no waiting."""
    text = (directory / "examples" / "alertmanager.yml").read_text()
    text = text.replace("http://localhost:9099", f"http://127.0.0.1:{webhook.port}")
    return re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", text)


def without_inhibition(text):
    """As under a central Alertmanager that does not have the sample's rules."""
    config = yaml.safe_load(text)
    del config["inhibit_rules"]
    return json.dumps(config)  # JSON is YAML


@pytest.mark.parametrize("inhibition", [True, False], ids=["the sample", "without inhibition"])
def test_one_page_for_each_and_every_resolve(simulator, exporter, assets, running, tmp_path, inhibition):
    # Without a published limit the exporter collects eight times a minute.
    api = simulator(connections=0, speed=0, rate_limit="100000/min")
    for number in range(5):
        api.create_connection(id=f"ma_{number}", domain="shop.example.net", profile_name=f"buyer-{number}",
                              status="AUTHENTICATED", can_reauth=True, can_reauth_reason="has_credential",
                              health_checks=True, auto_reauth=True, last_auth_check_at="2026-01-01T00:00:00Z")
    process = exporter(api)
    directory = assets("--interval=1s", "--needs-auth-for=3s", "--human-login-for=1s", "--api-down-for=2s",
                       "--warning-for=10m", "--keep-firing-for=5s", "--burn-min-connections=5",
                       "--runbook-base-url=https://runbooks.example.org")
    webhook = running(Webhook())
    sample = alertmanager_config(directory, webhook)
    alertmanager = running(Alertmanager(tmp_path, sample if inhibition else without_inhibition(sample)))
    prometheus = running(Prometheus(tmp_path, prometheus_config(
        directory / "alerts" / "kernel-auth-rules.yml", process, alertmanager=alertmanager)))
    prometheus.wait('count(kernel_auth_connection_status{status="AUTHENTICATED"} == 1) == 5')
    assert prometheus.now('ALERTS{connection_id!=""} or ALERTS{alertstate="firing"}') == []

    # Logged out, and nothing but a person can log in.
    api.set_connection("ma_1", status="NEEDS_AUTH", can_reauth=False, can_reauth_reason="requires_sms_code")
    wait_for(lambda: webhook.firing("/pager"), 60, "a notification")
    (notification, alert), = webhook.firing("/pager")
    assert len(notification["alerts"]) == 1
    assert alert["labels"]["profile_name"] == "buyer-1" and alert["labels"]["domain"] == "shop.example.net"
    assert alert["labels"]["connection_id"] == "ma_1"
    assert alert["labels"]["alertname"] == "KernelAuthConnectionHumanLoginRequired"
    assert alert["annotations"]["runbook_url"] == \
        "https://runbooks.example.org/KernelAuthConnectionHumanLoginRequired.md"
    assert "requires_sms_code" in alert["annotations"]["description"]
    assert "kernel auth connections login ma_1" in alert["annotations"]["remedy"]

    # One that may log in by itself: told as what it is.
    api.set_connection("ma_2", status="NEEDS_AUTH")
    wait_for(lambda: webhook.firing("/pager", connection_id="ma_2"), 60, "the second notification")
    assert {alert["labels"]["alertname"] for _, alert in webhook.firing("/pager", connection_id="ma_2")} == \
        {"KernelAuthConnectionNeedsAuth"}

    # The API goes down: that is told, and nothing of connections.
    api.faults("hang-up")
    wait_for(lambda: webhook.firing("/pager", alertname="KernelAuthAPIUnreachable"), 60, "the API's notification")
    if inhibition:
        for id in ("ma_1", "ma_2"):
            wait_for(lambda: alertmanager.alerts(connection_id=id) and all(
                one["status"]["inhibitedBy"] for one in alertmanager.alerts(connection_id=id)), 60, f"{id} to be muted")
    assert not webhook.resolved("/pager")

    # It comes back with one logged in and another logged out meanwhile: both are news.
    api.set_connection("ma_1", status="AUTHENTICATED")
    api.set_connection("ma_3", status="NEEDS_AUTH")
    api.clear_faults()
    wait_for(lambda: webhook.firing("/pager", connection_id="ma_3"), 60, "news after the API is back")
    wait_for(lambda: webhook.resolved("/pager", connection_id="ma_1"), 60, "the resolve of ma_1")
    wait_for(lambda: webhook.resolved("/pager", alertname="KernelAuthAPIUnreachable"), 60, "the API's resolve")
    api.delete_connection("ma_2")
    wait_for(lambda: webhook.resolved("/pager", connection_id="ma_2"), 60, "the resolve of ma_2")

    assert not webhook.resolved("/pager", connection_id="ma_3")
    for id in ("ma_1", "ma_2", "ma_3"):
        assert len({alert["labels"]["alertname"] for _, alert in webhook.firing("/pager", connection_id=id)}) == 1
        assert len({alert["startsAt"] for _, alert in webhook.firing("/pager", connection_id=id)}) == 1
    assert not webhook.firing("/chat")


def test_a_payload_is_bounded(running, tmp_path):
    """A fleet that is logged out by the thousand, with names as long as Kernel allows."""
    webhook = running(Webhook())
    text = (ROOT / "examples" / "alertmanager.yml").read_text().replace("http://localhost:9099", f"http://127.0.0.1:{webhook.port}")
    alertmanager = running(Alertmanager(tmp_path, re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", text)))
    told = [{"labels": {"alertname": "KernelAuthConnectionNeedsAuth", "severity": "critical", "job": JOB,
                        "connection_id": f"ma_{number}", "profile_name": "b" * 255},
             "annotations": {"description": "d" * 600}} for number in range(2000)]
    status, _, said = http(alertmanager.url + "/api/v2/alerts", data=json.dumps(told), method="POST",
                           headers={"Content-Type": "application/json"})
    assert status == 200, said
    wait_for(lambda: webhook.posts, 60, "a notification")
    (_, payload), = webhook.posts[:1]
    assert len(payload["alerts"]) == 50 and payload["truncatedAlerts"] > 1000
    assert len(json.dumps(payload)) < 100_000


# --- restarts ------------------------------------------------------------------------------

@pytest.mark.parametrize("minutes", [1, 6])
def test_a_restart_of_prometheus_resolves_nothing(simulator, exporter, binary, running, tmp_path, minutes):
    """What one Prometheus has recorded is moved into the past; the next one finds it, as after a restart."""
    api = simulator(connections=0, speed=0, rate_limit="100000/min")
    api.create_connection(id="ma_1", domain="shop.example.net", profile_name="buyer", status="NEEDS_AUTH", can_reauth=True,
                          can_reauth_reason="has_credential", last_auth_check_at="2026-01-01T00:00:00Z")
    process = exporter(api)

    def start(name, *flags):
        directory = tmp_path / name
        subprocess.run([binary, "assets", str(directory), "--interval=1s", *flags], check=True, capture_output=True, timeout=60)
        return lambda: running(Prometheus(directory, prometheus_config(
            directory / "alerts" / "kernel-auth-rules.yml", process))), directory

    begin, _ = start("before", "--needs-auth-for=1s")
    before = begin()
    before.wait('ALERTS{alertname="KernelAuthConnectionNeedsAuth",alertstate="firing"}')
    kept = before.json("/api/v1/query", query=f'{{__name__=~".+",job="{JOB}"}}[5m]')["data"]["result"]
    before.stop()

    # With the waits as shipped: only what was recorded can make it fire.
    begin, directory = start("after")
    lines = []
    for series in kept:
        labels = dict(series["metric"])
        name = labels.pop("__name__")
        text = ",".join(f"{label}={json.dumps(value)}" for label, value in labels.items())
        for at, value in series["values"]:
            value = float(value) - 60 * minutes * (name.endswith((":since", ":until")) and float(value) > 0)
            lines.append(f"{name}{{{text}}} {value!r} {at - 60 * minutes:.3f}")
    (directory / "kept.om").write_text("\n".join(lines) + "\n# EOF\n")
    subprocess.run([PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", str(directory / "kept.om"), str(directory / "data-0")],
                   check=True, capture_output=True, timeout=60)
    started = time.time()
    after = begin()
    # Both, since each rule of an evaluation is stored by itself.
    for recording in ("needs_auth:max", "logged_out:firing"):
        after.wait(f"timestamp(connection:kernel_auth_{recording}) > {started}")

    def first(selector):
        found = after.json("/api/v1/query", query=f"{selector}[2m]")["data"]["result"]
        return min(float(at) for series in found for at, _ in series["values"] if at >= started)

    fires = 'ALERTS{alertname="KernelAuthConnectionNeedsAuth",alertstate="firing"}'
    wait_for(lambda: after.over(fires, started, time.time()), 60, "the alert")
    # Not after a wait: with the first answer. Prometheus writes ALERTS only from its third evaluation on.
    assert first("connection:kernel_auth_logged_out:firing") <= first("connection:kernel_auth_needs_auth:max")
    assert not after.over("connection:kernel_auth_logged_out:firing == 0", started, time.time())
    assert not after.over(f'ALERTS{{alertname!="KernelAuthConnectionNeedsAuth",alertstate="firing"}}', started, time.time())


# --- commands of the runbooks ----------------------------------------------------------------

def commands():
    for path in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        for block in re.findall(r"^ *```sh\n(.*?)```", path.read_text(), re.M | re.S):
            for line in block.splitlines():
                if line.strip() and not line.strip().startswith("kernel "):  # Kernel's own: test_assets_names.py
                    yield line.strip()


def test_every_command_of_the_runbooks_runs(simulator, exporter, binary, running, tmp_path):
    api = simulator(connections=3, speed=0, rate_limit="100000/min")
    process = exporter(api)
    alertmanager = running(Alertmanager(tmp_path, (ROOT / "examples" / "alertmanager.yml").read_text()))
    (tmp_path / "config.yml").write_text("api: {timeout: 10s}\n")
    programs = {"amtool": [AMTOOL, f"--alertmanager.url={alertmanager.url}"], "kernel-auth-exporter": [binary], "curl": ["curl"]}
    environment = {**os.environ, "KERNEL_API_KEY": api.key, "KERNEL_BASE_URL": api.url}
    values = {"$connection_id": api.world()[0]["object"]["id"], "$domain": "shop.example.net",
              "http://localhost:10077": process.url}
    seen = set()
    for command in sorted(set(commands())):
        words = shlex.split(command)
        seen.add(words[0])
        for name, value in values.items():
            words = [word.replace(name, value) for word in words]
        done = subprocess.run([*programs[words[0]], *words[1:]], cwd=tmp_path, env=environment, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert seen == set(programs)


@pytest.mark.parametrize("labels, receiver", [
    ("alertname=KernelAuthConnectionNeedsAuth severity=critical connection_id=c1", "pager"),
    ("alertname=KernelAuthConnectionHumanLoginRequired severity=critical connection_id=c1", "pager"),
    ("alertname=KernelAuthFlowAwaitingHuman severity=critical connection_id=c1", "pager"),
    ("alertname=KernelAuthFlowFailed severity=warning connection_id=c1", "chat"),
    ("alertname=KernelAuthExporterDown severity=warning", "chat"),
    ("alertname=KernelAuthExporterDown severity=critical", "pager"),
    ("alertname=KernelAuthAPIKeyExpiring severity=critical", "pager"),
    ("alertname=SomethingElse severity=critical", "chat"),
])
def test_routes(labels, receiver):
    done = subprocess.run(
        [AMTOOL, "config", "routes", "test", f"--config.file={ROOT / 'examples' / 'alertmanager.yml'}",
         f"--verify.receivers={receiver}", *labels.split()], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_samples_are_accepted():
    for command in ([AMTOOL, "check-config", "examples/alertmanager.yml"],
                    [PROMTOOL, "check", "config", "examples/prometheus-alerting.yml"],
                    [PROMTOOL, "check", "config", "examples/prometheus-sharded.yml"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr


def inhibits(rule, source, target):
    """As Alertmanager decides: a label that both lack is equal."""
    def fits(matchers, labels):
        for matcher in matchers:
            name, operator, value = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher).groups()
            have = labels.get(name, "")
            fit = bool(re.fullmatch(value, have)) if "~" in operator else have == value
            if fit == operator.startswith("!"):
                return False
        return True
    return fits(rule["source_matchers"], source) and fits(rule["target_matchers"], target) \
        and all(source.get(name, "") == target.get(name, "") for name in rule["equal"])


def test_inhibition_reaches_what_it_should_and_no_more():
    rules = yaml.safe_load((ROOT / "examples" / "alertmanager.yml").read_text())["inhibit_rules"]
    muted = lambda source, target: any(inhibits(rule, source, target) for rule in rules)
    alert = lambda name, severity="critical", **labels: {
        "alertname": f"KernelAuth{name}", "severity": severity, "job": JOB, **labels}
    c1, c2 = {"connection_id": "c1"}, {"connection_id": "c2"}
    a, b = {"account": "a", "project": "p"}, {"account": "b", "project": "p"}

    assert muted(alert("APIUnreachable"), alert("ConnectionNeedsAuth", **c1))
    assert muted(alert("APIUnreachable", **a), alert("ConnectionNeedsAuth", **c1, **a))
    assert not muted(alert("APIUnreachable", **a), alert("ConnectionNeedsAuth", **c1, **b))
    assert not muted(alert("APIUnreachable", account="a", project="q"), alert("ConnectionNeedsAuth", **c1, **a))
    assert not muted(alert("APIUnreachable"), alert("FleetLoggedOutBurn"))
    assert not muted({**alert("APIUnreachable"), "job": "other"}, alert("ConnectionNeedsAuth", **c1))
    assert muted(alert("APIUnauthorized"), alert("APIUnreachable"))
    assert not muted(alert("APIUnreachable"), alert("APIUnauthorized"))

    assert muted(alert("ExporterDown"), alert("ConnectionNeedsAuth", **c1, **a))
    assert not muted(alert("ExporterDown", namespace="a"), alert("ConnectionNeedsAuth", **c1, namespace="b"))
    assert not muted(alert("ExporterDown", "warning", instance="i"), alert("ConnectionNeedsAuth", **c1))
    assert not muted(alert("ExporterDown"), alert("ExporterAbsent"))

    assert muted(alert("ConnectionHumanLoginRequired", **c1), alert("ConnectionNeedsAuth", **c1))
    assert not muted(alert("ConnectionHumanLoginRequired", **c1), alert("ConnectionNeedsAuth", **c2))
    assert not muted(alert("ConnectionNeedsAuth", **c1), alert("ConnectionHumanLoginRequired", **c1))
    assert muted(alert("FlowAwaitingHuman", **c1), alert("ConnectionHumanLoginRequired", **c1))
    assert muted(alert("ConnectionNeedsAuth", **c1), alert("FlowFailed", "warning", **c1))
    # Without a connection on either side, nothing is equal by accident.
    assert not muted(alert("ConnectionNeedsAuth"), alert("FlowFailed", "warning"))

    # What ends by a deadline, and what is not ended by its source, is never muted.
    for name in ("FlowAwaitingHuman", "ManyFlowsAwaiting"):
        assert not muted(alert("APIUnreachable"), alert(name, **c1)) and not muted(alert("ExporterDown"), alert(name, **c1))
    assert not muted(alert("DomainLoggedOut"), alert("ConnectionHumanLoginRequired", **c1))

    assert muted(alert("FleetLoggedOutBurn", account="a"), alert("FleetLoggedOutBurnSlow", "warning", account="a"))
    assert not muted(alert("FleetLoggedOutBurn", account="a"), alert("FleetLoggedOutBurnSlow", "warning", account="b"))
    assert muted(alert("APIKeyExpiring"), alert("APIKeyExpiring", "warning"))
    assert not muted(alert("APIKeyExpiring", "warning"), alert("APIKeyExpiring"))

    # Nothing mutes itself, and every name in the sample is an alert.
    names = re.findall(r"- alert: (\w+)", (ROOT / "alerts" / "kernel-auth-rules.yml").read_text())
    for name in names:
        of_connection = re.match("KernelAuth(Connection[A-Z]|Flow|Reauth|HealthCheck)", name)
        one = {"alertname": name, "severity": "critical", "job": JOB, **(c1 if of_connection else {})}
        assert not muted(one, one), name
    sample = (ROOT / "examples" / "alertmanager.yml").read_text()
    for name, pattern in set(re.findall(r"(KernelAuth\w+)(\.\*)?", sample)):
        assert any(one.startswith(name) for one in names) if pattern else name in names, name
