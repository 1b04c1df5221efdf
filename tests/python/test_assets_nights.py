"""What is told in which night: with what must come also what must not."""

import datetime
import json
import math
import os
import pathlib
import re
import signal
import subprocess

import pytest

from assets_nights import PROBE, Night, judge
from monitoring import PROMTOOL

ROOT = pathlib.Path(__file__).parents[2]
RULES = ROOT / "alerts" / "kernel-auth-rules.yml"
NIGHTS = []
# What these nights bring is told there.
PAGE = ROOT / "docs" / "alerting.md"

NEEDS, HUMAN = "KernelAuthConnectionNeedsAuth", "KernelAuthConnectionHumanLoginRequired"
AWAITING, FAILED, MISSING = "KernelAuthFlowAwaitingHuman", "KernelAuthFlowFailed", "KernelAuthConnectionMissing"
DOMAIN, MANY = "KernelAuthDomainLoggedOut", "KernelAuthManyFlowsAwaiting"
UNREACHABLE, UNAUTHORIZED = "KernelAuthAPIUnreachable", "KernelAuthAPIUnauthorized"
DOWN, ABSENT, UNSEEN = "KernelAuthExporterDown", "KernelAuthExporterAbsent", "KernelAuthScopeUnseen"
UNKNOWN, EMPTY, RELOAD = "KernelAuthUnknownStatus", "KernelAuthFleetEmpty", "KernelAuthConfigReloadFailed"
PROBED, FLAPPING, REPEATED = "KernelAuthProbeFailed", "KernelAuthConnectionFlapping", "KernelAuthReauthFailingRepeatedly"
STALE, SLOW, BURN = "KernelAuthHealthCheckStale", "KernelAuthFleetLoggedOutBurnSlow", "KernelAuthFleetLoggedOutBurn"
SHOP = "shop.example.net"


class World:
    """A simulated API whose clock stands, and exporters over it."""

    def __init__(self, simulator, start, tmp_path, **flags):
        self.start, self.tmp_path = start, tmp_path
        # Without a published limit the exporter collects eight times a minute.
        self.api = simulator(**{"connections": 0, "speed": 0, "rate_limit": "100000/min", **flags})
        for name in ("set_connection", "create_connection", "delete_connection", "happen", "faults", "clear_faults", "advance"):
            setattr(self, name, getattr(self.api, name))
        self.clock = datetime.datetime.now(datetime.timezone.utc)

    def ago(self, **span):
        return (self.clock - datetime.timedelta(**span)).isoformat()

    def connection(self, id="ma_1", domain="shop.example.net", **members):
        return self.create_connection(**{
            "id": id, "domain": domain, "profile_name": f"buyer-{id}", "status": "AUTHENTICATED", "can_reauth": True,
            "can_reauth_reason": "has_credential", "health_checks": True, "auto_reauth": True,
            "health_check_interval": 3600, "last_auth_check_at": self.ago(minutes=10), **members})

    def exporter(self, *flags, key=None):
        process = self.start("--web.listen-address=127.0.0.1:0", "--kernel.timeout=2s", *flags,
                             env={"KERNEL_API_KEY": key or self.api.key, "KERNEL_BASE_URL": self.api.url})
        _ = process.url
        return process


@pytest.fixture
def world(simulator, start, tmp_path):
    return World(simulator, start, tmp_path)


@pytest.fixture
def judged(tmp_path):
    """Makes nights; at the end of the test each is judged."""
    made = []

    def night(situation, minutes):
        made.append(Night(situation, minutes))
        return made[-1]
    yield night
    assert made
    found = judge(made, RULES, tmp_path)
    assert not found, found
    NIGHTS.extend(made)
    if not os.environ.get("UPDATE_DOCS"):
        # Each by itself: the others may be told in another process.
        missing = {one.as_row() for one in made} - set(PAGE.read_text().splitlines())
        assert not missing, f"run this file alone with UPDATE_DOCS=1; {PAGE} lacks {missing}"


def metrics(exporter):
    return exporter.get("/metrics")


def test_logged_out(world, judged):
    world.connection()
    exporter = world.exporter()
    well = metrics(exporter)
    world.set_connection("ma_1", status="NEEDS_AUTH")
    out = metrics(exporter)

    night = judged("A connection is logged out, and somebody logs in half an hour later", 60)
    night.target().shows(0, well).shows(10, out).shows(40, well)
    night.told(NEEDS, "critical", 15, 50, connection_id="ma_1", domain=SHOP)

    night = judged("A connection is logged out and heals itself within 90 seconds", 30)
    night.target().shows(0, well).shows(10, out).shows(11.5, well)

    night = judged("A firing connection is deleted at Kernel", 30)
    world.delete_connection("ma_1")
    metrics(exporter)
    night.target().shows(0, well).shows(5, out).shows(20, metrics(exporter))
    night.told(NEEDS, "critical", 10, 20, connection_id="ma_1", domain=SHOP)
    night.told(EMPTY, "warning", 25)


def test_outages(world, judged):
    world.connection()
    exporter, gone = world.exporter(), world.exporter("--kernel.hold=0s")
    well = metrics(exporter)
    metrics(gone)
    world.faults("status=503")
    held_well = metrics(exporter)
    world.clear_faults()
    world.set_connection("ma_1", status="NEEDS_AUTH")
    out = metrics(exporter)
    world.faults("status=503")
    held_out, blind = metrics(exporter), metrics(gone)
    assert "kernel_auth_connection_status" in held_out and "kernel_auth_connection_status" not in blind

    night = judged("The API is down for three minutes", 30)
    night.target().shows(0, well).shows(10, held_well).shows(13, well)

    night = judged("The API is down for twenty minutes", 50)
    night.target().shows(0, well).shows(10, held_well).shows(15, blind).shows(30, well)
    night.told(UNREACHABLE, "critical", 15, 30)

    night = judged("The API is down for half an hour while a connection is logged out, and it is logged in afterwards", 80)
    night.target().shows(0, well).shows(5, out).shows(20, held_out).shows(25, blind).shows(50, well)
    night.told(NEEDS, "critical", 10, 60, connection_id="ma_1", domain=SHOP).told(UNREACHABLE, "critical", 25, 50)

    night = judged("A connection is logged out two minutes before the API goes down for half an hour", 60)
    night.target().shows(0, well).shows(18, out).shows(20, held_out).shows(25, blind).shows(50, out)
    night.told(NEEDS, "critical", 50, connection_id="ma_1", domain=SHOP).told(UNREACHABLE, "critical", 25, 50)

    night = judged("The exporter restarts within a minute", 30)
    night.target().shows(0, well).shows(2, out).fails(10).shows(11, out)
    night.told(NEEDS, "critical", 7, connection_id="ma_1", domain=SHOP)

    night = judged("The exporter is down for twenty minutes while a connection is logged out", 60)
    night.target().shows(0, well).shows(2, out).fails(10).shows(30, well)
    night.told(NEEDS, "critical", 7, 40, connection_id="ma_1", domain=SHOP).told(DOWN, "critical", 15, 30)

    night = judged("The API is down, then the exporter as well", 60)
    night.target().shows(0, well).shows(2, out).shows(10, held_out).fails(20).shows(40, blind).shows(45, out)
    night.told(NEEDS, "critical", 7, connection_id="ma_1", domain=SHOP)
    night.told(UNREACHABLE, "critical", 15, 45).told(DOWN, "critical", 25, 40)

    night = judged("The exporter is no target any more", 40)
    night.target().shows(0, well).shows(2, out).leaves(10)
    night.told(NEEDS, "critical", 7, connection_id="ma_1", domain=SHOP).told(ABSENT, "critical", 15)

    night = judged("One replica of two dies", 40)
    night.target().shows(0, well).shows(2, out)
    night.target(instance="two:10077").shows(0, well).shows(2, out).fails(10)
    night.told(NEEDS, "critical", 7, connection_id="ma_1", domain=SHOP).told(DOWN, "warning", 15, instance="two:10077")

    night = judged("One replica of two holds old data", 40)
    night.target().shows(0, well).shows(2, out).shows(20, well)
    night.target(instance="two:10077").shows(0, well).shows(2, out).shows(10, held_out)
    night.told(NEEDS, "critical", 7, 30, connection_id="ma_1", domain=SHOP).told(DOWN, "warning", 20, instance="two:10077")


def test_scopes_that_nobody_reports(world, judged, tmp_path):
    world.connection()
    world.connection("ma_2")

    def of(account, id):
        file = tmp_path / f"{account}.yml"
        file.write_text(f"accounts:\n  - {{name: {account}, api_key_env: KERNEL_API_KEY, connections: [{id}]}}\n")
        return world.exporter(f"--config.file={file}")
    one, two, other = of("a", "ma_1"), of("b", "ma_2"), of("c", "ma_1")
    well, second, changed = metrics(one), metrics(two), metrics(other)
    world.set_connection("ma_2", status="NEEDS_AUTH")
    out = metrics(two)
    fires = dict(connection_id="ma_2", domain=SHOP, account="b")

    night = judged("Of two exporters that share the accounts, one dies", 60)
    night.target().shows(0, well)
    night.target(instance="two:10077").shows(0, second).shows(2, out).fails(20).shows(50, out)
    night.told(NEEDS, "critical", 7, **fires).told(UNSEEN, "critical", 25, 50, account="b")

    night = judged("Of two exporters that share the accounts, one is no target any more", 90)
    night.target().shows(0, well)
    night.target(instance="two:10077").shows(0, second).shows(2, out).leaves(20)
    night.told(NEEDS, "critical", 7, **fires).told(UNSEEN, "warning", 25, 80, account="b")

    night = judged("An exporter is told to watch another account", 40)
    night.target().shows(0, well)
    night.target(instance="two:10077").shows(0, second).shows(2, out).fails(20).shows(20.5, changed)
    night.told(NEEDS, "critical", 7, 20.5, **fires)


def test_two_environments_under_one_job(world, judged):
    world.connection()
    exporter = world.exporter()
    well = metrics(exporter)
    world.faults("hang-up")
    held = metrics(exporter)

    night = judged("Production's exporter is blind, staging's sees", 40)
    night.target(namespace="production").shows(0, well).shows(10, held)
    night.target(instance="two:10077", namespace="staging").shows(0, well)
    night.told(UNREACHABLE, "critical", 15, namespace="production")

    night = judged("Production's exporter dies, staging's lives", 40)
    night.target(namespace="production").shows(0, well).fails(10)
    night.target(instance="two:10077", namespace="staging").shows(0, well)
    night.told(DOWN, "critical", 15, namespace="production")


def test_a_status_that_nobody_knows(world, judged):
    world.connection()
    exporter = world.exporter()
    well = metrics(exporter)
    world.set_connection("ma_1", status="NEEDS_AUTH")
    out = metrics(exporter)
    world.set_connection("ma_1", status="SUSPENDED")
    unknown = metrics(exporter)

    night = judged("A connection gets a status that the exporter does not know", 40)
    night.target().shows(0, well).shows(10, unknown)
    night.told(UNKNOWN, "warning", 20)

    night = judged("A firing connection gets a status that the exporter does not know, and is logged in later", 60)
    night.target().shows(0, well).shows(5, out).shows(15, unknown).shows(40, well)
    night.told(NEEDS, "critical", 10, 50, connection_id="ma_1", domain=SHOP).told(UNKNOWN, "warning", 25, 40)


def test_fleets_that_become_nothing(world, judged, tmp_path):
    for number in range(12):
        world.connection(f"ma_{number}")
    file = tmp_path / "config.yml"
    file.write_text("collectors: {settings: true}\n")
    exporter = world.exporter(f"--config.file={file}")
    well = metrics(exporter)
    file.write_text("collectors: {sett1ngs: true}\n")
    exporter.process.send_signal(signal.SIGHUP)
    exporter.find("sett1ngs")
    refused = metrics(exporter)
    exporter = world.exporter()
    metrics(exporter)
    for number in range(12):
        world.delete_connection(f"ma_{number}")
    metrics(exporter)
    empty = metrics(exporter)
    assert "kernel_auth_connection_status" not in empty

    night = judged("A fleet of twelve becomes nothing", 40)
    night.target().shows(0, well).shows(10, empty).shows(30, well)
    night.told(EMPTY, "critical", 15, 30)

    night = judged("A reload of the configuration is refused", 60)
    night.target().shows(0, well).shows(10, refused).shows(40, well)
    night.told(RELOAD, "warning", 20, 40, instance="one:10077")


def test_probes(world, judged):
    world.connection()
    world.connection("ma_2")
    exporter = world.exporter()
    all_ = lambda: {"/metrics": metrics(exporter), **{id: exporter.get(f"/probe?target={id}") for id in ("ma_1", "ma_2")}}
    well = all_()
    world.set_connection("ma_1", status="NEEDS_AUTH")
    out = all_()
    world.faults("status=503,id=ma_2")
    fails = all_()
    world.clear_faults()
    world.faults("status=503")
    down = all_()
    world.clear_faults()
    world.delete_connection("ma_1")
    metrics(exporter)
    deleted = all_()
    assert "probe_success 0" in fails["ma_2"] and "kernel_auth_connection_found" in deleted["ma_1"]

    def told(situation, minutes, *phases):
        night = judged(situation, minutes)
        exporter = night.target()
        for minute, shown in phases:
            exporter.shows(minute, shown["/metrics"])
        for id in ("ma_1", "ma_2"):
            target = night.target(PROBE, id)
            for minute, shown in phases:
                target.shows(minute, shown[id]) if shown.get(id) else target.leaves(minute)
        return night
    fires = dict(connection_id="ma_1", domain=SHOP)

    night = told("The API is down where connections are probed", 60,
                 (0, well), (2, out), (20, down), (40, out))
    night.told(NEEDS, "critical", 7, **fires).told(UNREACHABLE, "critical", 25, 40)

    night = told("A probed connection is deleted at Kernel", 40, (0, well), (2, out), (20, deleted),
                 (21, {**deleted, "ma_1": None}))
    night.told(NEEDS, "critical", 7, 20, **fires)

    night = told("The probe of one connection fails", 40, (0, well), (10, fails), (30, well))
    night.told(PROBED, "warning", 15, 30, instance="ma_2").told(NEEDS, "critical", 15, 40, **fires)


def test_connections_that_are_configured_and_missing(world, judged):
    world.connection()
    exporter = world.exporter("--kernel.connection=ma_1")
    well = metrics(exporter)
    world.delete_connection("ma_1")
    metrics(exporter)
    missing = metrics(exporter)

    night = judged("A configured connection does not exist, and is there again after ten minutes", 40)
    night.target().shows(0, well).shows(10, missing).shows(20, well)
    night.told(MISSING, "critical", 15, 20, connection_id="ma_1")

    night = judged("A configured connection does not exist, and is there again after four minutes", 40)
    night.target().shows(0, well).shows(10, missing).shows(14, well)


def test_the_cause_by_account(world, judged, tmp_path):
    world.connection()
    file = tmp_path / "config.yml"
    file.write_text("accounts:\n  - {name: a, api_key_env: KEY_A}\n  - {name: b, api_key_env: KERNEL_API_KEY}\n")
    world.api.control("POST", "/keys", {"key": "sk_a"})
    process = world.start("--web.listen-address=127.0.0.1:0", "--collector.org", f"--config.file={file}",
                          env={"KERNEL_API_KEY": world.api.key, "KEY_A": "sk_a", "KERNEL_BASE_URL": world.api.url})
    well = metrics(process)
    world.faults("status=401,key=sk_a", "status=500,key=" + world.api.key)
    both = metrics(process)
    world.clear_faults()
    world.faults("status=403,endpoint=org_limits", "status=500,endpoint=connections,key=" + world.api.key)
    one = metrics(process)

    night = judged("The key of one account is refused while the API fails for the other", 40)
    night.target().shows(0, well).shows(10, both).shows(30, well)
    night.told(UNAUTHORIZED, "critical", 13, 30, account="a").told(UNREACHABLE, "critical", 15, 30, account="b")

    night = judged("The API fails for one account, and refuses the limits of the organisation", 40)
    night.target().shows(0, well).shows(10, one)
    night.told(UNREACHABLE, "critical", 15, account="b")


def waiting(world, id, kind="REAUTH", step="AWAITING_INPUT"):
    world.happen(id, "flow_starts", type=kind)
    world.happen(id, "flow_reaches", step=step)


def test_logins_that_wait(world, judged):
    world.connection()
    exporter, gone = world.exporter(), world.exporter("--kernel.hold=0s")
    well = metrics(exporter)
    metrics(gone)
    world.set_connection("ma_1", status="NEEDS_AUTH")
    out = metrics(exporter)
    waiting(world, "ma_1")
    waits = metrics(exporter)
    left = float(re.search(r"flow_expires_in_seconds\{[^}]*\} (\S+)", waits).group(1)) / 60
    world.faults("status=503")
    blind = metrics(gone)
    world.clear_faults()
    world.happen("ma_1", "flow_ends", outcome="SUCCESS")
    world.set_connection("ma_1", status="AUTHENTICATED")
    again = metrics(exporter)
    this = dict(connection_id="ma_1", domain=SHOP)

    night = judged("A re-login waits for a person, who comes after four minutes", 30)
    night.target().shows(0, well).shows(10, waits).shows(14, well)
    night.told(AWAITING, "critical", 11, 16, **this)

    night = judged("A re-login waits for a person, and nobody comes", 40)
    night.target().shows(0, well).shows(5, out).shows(6, waits).shows(16, out)
    night.told(AWAITING, "critical", 7, 18, **this).told(NEEDS, "critical", 18, **this)

    night = judged("A login waits for a person, and the API goes down", 50)
    night.target().shows(0, well).shows(10, waits).shows(13, blind).shows(45, again)
    night.told(AWAITING, "critical", 11, math.ceil(2 * (10 + left)) / 2, **this).told(UNREACHABLE, "critical", 18, 45)


def test_logins_that_a_person_began(world, judged):
    world.connection()
    exporter = world.exporter()
    world.create_connection(id="ma_new", domain=SHOP, profile_name="new", status="NEEDS_AUTH", can_reauth=False,
                            can_reauth_reason="no_prior_successful_login", health_checks=True, auto_reauth=True)
    created = metrics(exporter)
    waiting(world, "ma_new", "LOGIN")
    signing_up = metrics(exporter)
    world.happen("ma_new", "flow_ends", outcome="SUCCESS")
    world.set_connection("ma_new", status="AUTHENTICATED", can_reauth=True, can_reauth_reason="has_credential")
    well = metrics(exporter)
    this = dict(connection_id="ma_new", domain=SHOP)

    night = judged("A connection is created, and a person logs in for the first time", 40)
    night.target().shows(0, created).shows(10, signing_up).shows(14, well)

    night = judged("A person begins a first login, and goes away", 40)
    night.target().shows(0, created).shows(10, signing_up).shows(20, created)
    night.told(AWAITING, "warning", 15, 22, **this)

    night = judged("A connection is created, and nobody ever logs in", 90)
    night.target().shows(1, created)
    night.told(HUMAN, "warning", 61, **this)

    world.set_connection("ma_1", status="NEEDS_AUTH")
    out = metrics(exporter)
    waiting(world, "ma_1", "LOGIN")
    mending = metrics(exporter)
    night = judged("A person logs in what was logged out, and goes away", 30)
    night.target().shows(0, well).shows(5, out).shows(6, mending).shows(16, out)
    night.told(AWAITING, "critical", 7, 18, connection_id="ma_1", domain=SHOP)
    night.told(NEEDS, "critical", 18, connection_id="ma_1", domain=SHOP)


def test_sign_ups_are_told_as_chosen(world, binary, tmp_path):
    exporter = world.exporter()
    world.create_connection(id="ma_new", domain=SHOP, profile_name="new", status="NEEDS_AUTH", can_reauth=False,
                            can_reauth_reason="no_prior_successful_login", health_checks=True, auto_reauth=True)
    created = metrics(exporter)
    waiting(world, "ma_new", "LOGIN")
    signing_up = metrics(exporter)
    this = dict(connection_id="ma_new", domain=SHOP)
    for never, person in [("off", "critical"), ("critical", "off")]:
        made = tmp_path / person
        subprocess.run([binary, "assets", made, f"--never-logged-in={never}", f"--person-login={person}"],
                       check=True, capture_output=True)
        night = Night("A person begins a first login, and goes away for ever", 100)
        night.target().shows(0, created).shows(10, signing_up).shows(20, created)
        if person != "off":
            night.told(AWAITING, person, 15, 22, **this)
        if never != "off":
            night.told(HUMAN, never, 60.5, **this)
        assert not judge([night], made / "alerts" / "kernel-auth-rules.yml", tmp_path)


def test_increase_sees_the_first_login_of_a_new_connection(simulator, start, tmp_path):
    """A counter is shown at 0 before it counts: from nothing to 1 is no increase."""
    # Its clock goes: what ended before the exporter started does not count.
    world = World(simulator, start, tmp_path, speed=1)
    exporter = world.exporter("--collector.timeline")
    metrics(exporter)
    # Its times are whole seconds, and the exporter started within one.
    world.advance("2s")
    world.create_connection(id="ma_new", domain=SHOP, profile_name="new", status="NEEDS_AUTH")
    world.happen("ma_new", "flow_starts", type="LOGIN")
    world.happen("ma_new", "flow_ends", outcome="FAILED", error_code="bot_detected")
    night = Night("The first login of a new connection fails", 60)
    counted = re.compile(r'^kernel_auth_connection_events_total\{connection_id="ma_new".*type="login",outcome="FAILED".* 1$', re.M)
    target, minute, text = night.target(), 0, ""
    # As often as it takes; nothing else tells that a timeline was read.
    while not counted.search(text):
        assert minute < 40, text
        text = metrics(exporter)
        target.shows(minute, text)
        minute += 1
    expr = 'sum(increase(kernel_auth_connection_events_total{connection_id="ma_new",outcome="FAILED"}[1h])) > bool 0.5'
    test = {"interval": "30s", "input_series": night.series(expr), "promql_expr_test": [
        {"expr": expr, "eval_time": "60m", "exp_samples": [{"labels": "{}", "value": 1}]}]}
    path = tmp_path / "increase.json"
    path.write_text(json.dumps({"evaluation_interval": "30s", "tests": [test]}))
    subprocess.run([PROMTOOL, "test", "rules", str(path)], check=True)


def test_failures(world, judged):
    world.connection()
    exporter = world.exporter()
    well = metrics(exporter)
    world.set_connection("ma_1", status="NEEDS_AUTH")
    world.happen("ma_1", "flow_starts", type="REAUTH")
    running = metrics(exporter)
    world.happen("ma_1", "flow_ends", outcome="FAILED", error_code="captcha_blocked")
    failed = metrics(exporter)
    world.set_connection("ma_1", status="AUTHENTICATED")
    stale = metrics(exporter)
    this = dict(connection_id="ma_1", domain=SHOP)

    night = judged("A re-login fails", 40)
    night.target().shows(0, well).shows(10, running).shows(12, failed)
    night.told(NEEDS, "critical", 15, **this)

    night = judged("A re-login is tried for twelve minutes, and fails", 40)
    night.target().shows(0, well).shows(10, running).shows(22, failed)
    night.told(NEEDS, "critical", 22, **this)

    night = judged("A re-login is tried for twelve minutes, and succeeds", 40)
    night.target().shows(0, well).shows(10, running).shows(22, well)

    night = judged("Re-logins are tried without an end", 60)
    night.target().shows(0, well)
    for minute in range(10, 60, 10):
        night.targets[0].shows(minute, running)
    night.told(NEEDS, "critical", 30, **this)

    night = judged("An authenticated connection still carries a failure", 60)
    night.target().shows(0, stale)

    world.set_connection("ma_1", status="NEEDS_AUTH", can_reauth=False, can_reauth_reason="requires_sms_code")
    human = metrics(exporter)
    night = judged("A connection is logged out, and only a person can log in", 40)
    night.target().shows(0, well).shows(10, human).shows(30, well)
    night.told(HUMAN, "critical", 13, 40, **this)

    world.set_connection("ma_1", can_reauth_reason="no_prior_successful_login")
    first = metrics(exporter)
    night = judged("A first login fails", 40)
    night.target().shows(1, first)
    night.told(FAILED, "warning", 6, **this)

    world.set_connection("ma_1", can_reauth=True, can_reauth_reason="has_credential")
    world.happen("ma_1", "flow_starts", type="REAUTH")
    world.happen("ma_1", "flow_ends", outcome="EXPIRED")
    expired = metrics(exporter)
    world.set_connection("ma_1", status="AUTHENTICATED")
    night = judged("A re-login expires", 40)
    night.target().shows(0, well).shows(10, running).shows(20, expired)
    night.told(NEEDS, "critical", 20, **this)

    night = judged("An authenticated connection still carries a login that expired", 60)
    night.target().shows(0, metrics(exporter))



def test_whole_domains(world, judged):
    for number in range(25):
        world.connection(f"ma_{number}")
    exporter = world.exporter()
    well = metrics(exporter)
    for number in range(20):
        world.set_connection(f"ma_{number}", status="NEEDS_AUTH")
    world.set_connection("ma_0", can_reauth=False, can_reauth_reason="requires_sms_code")
    out = metrics(exporter)
    for number in range(20):
        waiting(world, f"ma_{number}", step="AWAITING_EXTERNAL_ACTION")
    waits = metrics(exporter)

    night = judged("Twenty of 25 connections of a domain are logged out at once, one of which only a person can log in", 50)
    night.target().shows(0, well).shows(10, out).shows(30, well)
    night.told(DOMAIN, "critical", 15, 40, domain=SHOP).told(HUMAN, "critical", 13, 40, domain=SHOP, connection_id="ma_0")

    night = judged("Twenty re-logins of a domain wait for a push", 40)
    night.target().shows(0, well).shows(10, waits).shows(14, well)
    night.told(MANY, "critical", 11, 16, domain=SHOP)


def test_two_hundred_at_once(world, judged):
    """Of four sites; of a fifth, too few to be told as a site."""
    sites = [(f"ma_{site}_{number}", f"shop{site}.example.net") for site in range(4) for number in range(49)]
    sites += [(f"ma_4_{number}", "shop4.example.net") for number in range(4)]
    for id, domain in sites:
        world.connection(id, domain)
    exporter = world.exporter()
    well = metrics(exporter)
    for id, _ in sites:
        world.set_connection(id, status="NEEDS_AUTH")
    night = judged("All 200 connections are logged out at once, 196 of them of four domains", 30)
    night.target().shows(0, well).shows(5, metrics(exporter)).shows(15, well)
    for site in range(4):
        night.told(DOMAIN, "critical", 10, 25, domain=f"shop{site}.example.net")
    for number in range(4):
        night.told(NEEDS, "critical", 10, 25, domain="shop4.example.net", connection_id=f"ma_4_{number}")


def test_too_many_requests(world, judged):
    world.connection()
    exporter = world.exporter()
    well = metrics(exporter)
    world.faults("status=429")
    held = metrics(exporter)
    night = judged("The API answers nothing but 429 for three minutes", 30)
    night.target().shows(0, well).shows(10, held).shows(13, well)
    night = judged("The API answers nothing but 429 for twenty minutes", 50)
    night.target().shows(0, well).shows(10, held).shows(30, well)
    night.told(UNREACHABLE, "critical", 15, 30)


@pytest.mark.parametrize("flag", ["--metrics.states=active", "--metrics.profile-name=drop"])
def test_settings_of_the_exposition(world, judged, flag):
    world.connection()
    exporter = world.exporter(flag)
    well = metrics(exporter)
    world.set_connection("ma_1", status="NEEDS_AUTH")
    out = metrics(exporter)
    world.faults("status=503")
    held = metrics(exporter)
    night = judged(f"A connection is logged out under `{flag}`, and the API goes down", 60)
    night.target().shows(0, well).shows(10, out).shows(20, held).shows(40, well)
    night.told(NEEDS, "critical", 15, 50, connection_id="ma_1", domain=SHOP).told(UNREACHABLE, "critical", 25, 40)


def test_the_page_has_these_nights():
    """UPDATE_DOCS=1 writes them."""
    before, rest = PAGE.read_text().split("<!-- nights -->\n", 1)
    table, after = rest.split("<!-- end of nights -->\n", 1)
    made = ["| situation | what comes |", "|---|---|", *(night.as_row() for night in NIGHTS)]
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(before + "<!-- nights -->\n" + "\n".join(made) + "\n<!-- end of nights -->\n" + after)
    # Where all were told here; one that is told no more stays otherwise.
    elif len(made) >= len(table.splitlines()):
        assert table.splitlines() == made, "run this file alone with UPDATE_DOCS=1"
