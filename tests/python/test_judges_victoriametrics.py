"""VictoriaMetrics scrapes what Prometheus scrapes and holds the same; vmalert
evaluates the shipped rules and alerts to the same."""

from __future__ import annotations

import datetime
import os
import re
import subprocess

import pytest
import yaml

from conftest import ROOT, wait_for
from judges import JOB, VictoriaMetrics, VMAlert, expose, scraping
from monitoring import Prometheus

RULES = ROOT / "alerts" / "kernel-auth-rules.yml"

# What moves between two scrapes: for these, the series and not their values.
MOVING = r"(_age_seconds|_expires_in_seconds|_snapshot_(timestamp|duration)_seconds|_timeline_pending_connections)$|^kernel_auth_(api|exporter)_|^process_"

# Thresholds that a minute of a simulated world can pass. vmalert sees what a rule
# recorded one evaluation late: a second would be too short. And as shipped, who is told that a person
# has to log in is told some evaluations before anybody would be told that the connection is logged out;
# when both are due at once, vmalert may not see the one in the other.
QUICK = ["--interval=4s", "--needs-auth-for=16s", "--human-login-for=4s", "--flow-awaiting-for=4s", "--api-down-for=4s",
         "--warning-for=4s", "--keep-firing-for=4s"]


def series(database, expr: str) -> dict[frozenset, float]:
    """Every series that `expr` finds, with its value."""
    return {frozenset(row["metric"].items()): float(row["value"][1]) for row in database.now(expr)}


def name(labels: frozenset) -> str:
    return dict(labels)["__name__"]


@pytest.fixture
def scraped(simulator, start, running, tmp_path):
    """Prometheus and VictoriaMetrics over the same exporter of a fleet that
    shows everything."""
    api = simulator(connections=30, projects=2, speed=0, rate_limit="100000/min")
    process = expose(start, api, "--kernel.project=all", "--collector.timeline", "--collector.org")
    (tmp_path / "vm").mkdir()
    (tmp_path / "prometheus").mkdir()
    return api, running(Prometheus(tmp_path / "prometheus", scraping(process, every="5s"))), \
        running(VictoriaMetrics(tmp_path / "vm", scraping(process, every="5s")))


def test_victoriametrics_holds_what_prometheus_holds(scraped):
    api, prometheus, victoria = scraped
    everything = f'{{__name__=~"kernel_auth_.+|process_.+",job="{JOB}"}}'
    for database in (prometheus, victoria):
        wait_for(lambda: len(database.now("kernel_auth_up == 1")) == 2, 60, "a scrape")

    def differing():
        """What one has and the other has not, or has with another value."""
        theirs, ours = series(prometheus, everything), series(victoria, everything)
        assert len(theirs) > 30 * 36
        return {key: (theirs.get(key), ours.get(key)) for key in theirs.keys() | ours.keys()
                if theirs.get(key) != ours.get(key)
                and not (key in theirs and key in ours and re.search(MOVING, name(key)))}

    # A family can begin between their two scrapes.
    try:
        wait_for(lambda: differing() == {}, 60, "the same series and values")
    except AssertionError:
        assert differing() == {}

    # An age is that of its own scrape, whoever scraped.
    for database in (prometheus, victoria):
        age = series(database, "min by (connection_id) (kernel_auth_connection_last_auth_check_age_seconds"
                               " + kernel_auth_connection_last_auth_check_timestamp_seconds)")
        now = api.control("GET", "/clock")["now"]
        assert age and all(abs(value - now) < 60 for value in age.values())

    # Both know what a family is. Prometheus reads OpenMetrics, where counters
    # are described without `_total`.
    def described(database):
        return {family.removesuffix("_total"): {(one["type"], one["help"]) for one in found}
                for family, found in database.json("/api/v1/metadata")["data"].items()
                if family.startswith("kernel_auth_")}

    assert len(described(prometheus)) > 40 and described(prometheus) == described(victoria)


def test_vmalert_reads_the_shipped_rules():
    done = subprocess.run([os.environ["VMALERT"], "-dryRun", f"-rule={RULES}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_vmalert_alerts_as_prometheus_does(binary, simulator, start, running, tmp_path):
    api = simulator(connections=0, speed=0, rate_limit="100000/min")
    checked = datetime.datetime.now(datetime.timezone.utc).isoformat()
    first, second, third, _ = (api.create_connection(
        id=f"ma_{number}", domain=f"shop-{number}.example.net", profile_name="buyer", status="AUTHENTICATED",
        last_auth_check_at=checked)["id"] for number in range(4))
    process = expose(start, api)
    subprocess.run([binary, "assets", str(tmp_path / "assets"), *QUICK], check=True, capture_output=True, timeout=30)
    rules = tmp_path / "assets" / "alerts" / "kernel-auth-rules.yml"
    recorded = {rule["record"] for group in yaml.safe_load(rules.read_text())["groups"]
                for rule in group["rules"] if "record" in rule}
    for directory in ("vm", "prometheus", "vmalert"):
        (tmp_path / directory).mkdir()
    prometheus = running(Prometheus(tmp_path / "prometheus", scraping(process, rules=rules, every="2s")))
    victoria = running(VictoriaMetrics(tmp_path / "vm", scraping(process, every="2s")))
    vmalert = running(VMAlert(tmp_path / "vmalert", rules, victoria))

    def alerts(server):
        """Each alert by its labels: its state, and its texts but for what moves in them."""
        found = server.json("/api/v1/alerts")["data"]["alerts"]
        return {
            frozenset(alert["labels"].items()): (alert["state"], tuple(
                re.sub(r"[\d.]+(s|m|h|d)\b", "…", text) for _, text in sorted(alert["annotations"].items())))
            for alert in found
        }

    def firing(server):
        return {dict(labels)["alertname"] for labels, (state, _) in alerts(server).items() if state == "firing"}

    def agreed(*names):
        """Both have these alerts, firing, and all others alike."""
        theirs, ours = alerts(prometheus), alerts(vmalert)
        return set(names) <= firing(prometheus) and theirs == ours

    def together(*names):
        try:
            wait_for(lambda: agreed(*names), 120, "the same alerts")
        except AssertionError:
            assert alerts(vmalert) == alerts(prometheus)
            raise

    def recordings(database):
        return {key for key in series(database, f'{{__name__=~"{"|".join(recorded)}",job="{JOB}"}}')}

    # A quiet fleet, then one connection after the other in trouble.
    wait_for(lambda: series(prometheus, f'kernel_auth_connection_status{{status="AUTHENTICATED"}} == 1'), 30, "a scrape")
    api.set_connection(first, status="NEEDS_AUTH", can_reauth=True, can_reauth_reason="has_credential",
                       health_checks=True, auto_reauth=True)
    together("KernelAuthConnectionNeedsAuth")
    api.set_connection(second, status="NEEDS_AUTH", can_reauth=False, can_reauth_reason="requires_sms_code")
    api.happen(third, "flow_starts", type="REAUTH")
    api.happen(third, "flow_reaches", step="AWAITING_INPUT")
    together("KernelAuthConnectionNeedsAuth", "KernelAuthConnectionHumanLoginRequired", "KernelAuthFlowAwaitingHuman")

    # What was recorded is the same too.
    wait_for(lambda: recordings(prometheus) == recordings(victoria), 60, "the same recordings")
    assert len(recordings(prometheus)) > 12

    # Blind, and seeing again. Both tell that; what fired of connections goes on in
    # Prometheus, and ends in vmalert, which learns too late why they are not seen.
    api.faults("status=503")
    for server in (prometheus, vmalert):
        wait_for(lambda: "KernelAuthAPIUnreachable" in firing(server), 120, "the API's alert")
    api.clear_faults()
    api.happen(third, "flow_ends", outcome="SUCCESS")
    for id in (first, second):
        api.set_connection(id, status="AUTHENTICATED")
    wait_for(lambda: not alerts(prometheus) and not alerts(vmalert), 120, "silence in both")
