"""What each alert says, and the slow ones: they fire, they do not, they survive a
gap, replicas count once. What is told in which night: test_assets_nights.py."""

import pathlib
import re
import subprocess

import pytest
import yaml

from assets_stories import JOB, STATUS, Story, judge, labels, links
from monitoring import PROMTOOL

ROOT = pathlib.Path(__file__).parents[2]
RULES = ROOT / "alerts" / "kernel-auth-rules.yml"
STORIES = []


def story(name, minutes, **options):
    STORIES.append(Story(name, minutes, **options))
    return STORIES[-1]


def both_states(tell):
    """A story about one-hot families holds for both settings of --metrics.states."""
    for states in ("all", "active"):
        tell(states)


# --- logins ---------------------------------------------------------------------

REPEATED = "KernelAuthReauthFailingRepeatedly"


def repeated(*_, **more):
    return labels("warning", **more)


NAMED = dict(connection_id="c1", domain="shop.example.net", profile_name="buyer")


def count(story, *changes, outcome="FAILED", **more):
    return story.show("kernel_auth_connection_events_total", *changes, type="reauth",
                      outcome=outcome, **{**NAMED, **more})


@both_states
def _(states):
    seen = [(0, "SUCCESS")] + [(minute + half, state) for minute in (10, 20, 30)
                               for half, state in ((0, "IN_PROGRESS"), (1, "FAILED"))]
    (story("three failures seen without a timeline", 50, states=states).exporter()
     .connection(flow=seen, kind=[(0, "REAUTH")], error="bot_detected")
     .silent(REPEATED, 22, 31, 40.5).expect(41, REPEATED, repeated(3)))
    (story("logged out for good is told already", 50, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), flow=seen, kind=[(0, "REAUTH")]).silent(REPEATED, 41, 50))
    (story("failed logins of people are no re-logins", 50, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), flow=seen, kind=[(0, "LOGIN")]).silent(REPEATED, 41, 50))
    (story("a stale failure is one failure", 50, states=states).exporter()
     .connection(flow=[(0, "FAILED")], kind=[(0, "REAUTH")]).gap(10, 11).gap(20, 25).gap(30, 31)
     .silent(REPEATED, 30, 41, 50))
    counted = story("the timeline knows better than what was seen", 50, states=states).exporter()
    counted.connection((0, "NEEDS_AUTH"), flow=seen, kind=[(0, "REAUTH")])
    count(counted, (0, 0), (10, 2)).silent(REPEATED, 41, 50)


counted = story("three failures on the timeline", 80).exporter()
counted.connection(error="bot_detected")
count(counted, (0, 0), (10, 1), (30, 3))
count(counted, (0, 0), (30, 1), outcome="EXPIRED").silent(REPEATED, 20, 39)
counted.gap(42, 50).expect(41, REPEATED, repeated(4))
counted.expect(49, REPEATED, repeated(4, "not known")).expect(70, REPEATED, repeated(4))

replicas = story("two replicas count the same failures", 60)
for _instance in ("one:10077", "two:10077"):
    replicas.exporter(instance=_instance)
    replicas.connection(instance=_instance)
    count(replicas, (0, 0), (10, 2), instance=_instance)
replicas.silent(REPEATED, 25, 60)

younger = story("a younger replica counts less", 60)
for _instance, _failed in (("one:10077", 40), ("two:10077", 0)):
    younger.exporter(instance=_instance).connection(instance=_instance)
    count(younger, (0, _failed), instance=_instance)
younger.gap(20, 21, "one:10077").silent(REPEATED, 22, 35, 60)

restarted = story("a restart of the exporter is no failure", 60).exporter()
restarted.connection()
count(restarted, (0, 2), (20, None), (22, 0)).silent(REPEATED, 25, 40, 60)


FLAPPING = "KernelAuthConnectionFlapping"


def flapping(*_, **more):
    return labels("warning", **more)


@both_states
def _(states):
    to_and_fro = [(0, "AUTHENTICATED"), (20, "NEEDS_AUTH"), (25, "AUTHENTICATED"),
                  (50, "NEEDS_AUTH"), (55, "AUTHENTICATED")]
    (story("logged in and out again and again", 90, states=states).exporter()
     .connection(*to_and_fro).silent(FLAPPING, 30, 60).expect(65, FLAPPING, flapping(4))
     .gap(70, 80).expect(79, FLAPPING, flapping(4))
     .expect(90, FLAPPING, flapping(4)))
    (story("logged out once and gaps in between", 60, states=states).exporter()
     .connection((0, "AUTHENTICATED"), (20, "NEEDS_AUTH"), (25, "AUTHENTICATED"))
     .gap(10, 12).gap(22, 23).gap(40, 45).silent(FLAPPING, 45, 60))
    (story("a connection that is gone flaps no longer", 105, states=states).exporter()
     .connection(*to_and_fro, (60, None)).silent(FLAPPING, 105))
    two = story("replicas that see a change one after the other", 50, states=states)
    two.exporter(instance="one:10077").exporter(instance="two:10077")
    for late, instance in ((0, "one:10077"), (0.5, "two:10077")):
        two.connection(*[(minute + (late if minute else 0), state) for minute, state in
                         [(0, "AUTHENTICATED"), (20, "NEEDS_AUTH"), (25, "AUTHENTICATED")]],
                       instance=instance)
    two.silent(FLAPPING, 40, 50)


STALE = "KernelAuthHealthCheckStale"


def stale(*_, **more):
    return labels("warning", **more)


old = lambda minute: 1200 + minute * 60  # at minute 0, with an interval of ten minutes
(story("no check for more than three intervals", 40).exporter()
 .connection(check_age=old, interval=600)
 .show("kernel_auth_connection_health_check_unavailable", (0, 1), reason="no_auth_check_url", **NAMED)
 .silent(STALE, 5, 20).expect(21, STALE, stale("4.1", "no_auth_check_url"))
 .gap(25, 33).expect(32, STALE, stale("4.5")).expect(40, STALE, stale("6.0", "no_auth_check_url")))
(story("checks are switched off", 40).exporter()
 .connection(check_age=old, interval=600, checks=0).silent(STALE, 15, 40))
(story("the API says nothing about checks", 40).exporter()
 .connection(check_age=old, interval=600, checks=None).expect(30, STALE, stale("5.0")))
(story("no interval is known", 40).exporter()
 .connection(check_age=old, interval=None).silent(STALE, 15, 40))
(story("logged out is another alert", 40).exporter()
 .connection((0, "NEEDS_AUTH"), check_age=old, interval=600).silent(STALE, 25, 40))
(story("an age that grows because the API is down", 60)
 .exporter((0, 1), (5, 0), snapshot=[(0, lambda m: m * 60), (5, 270)])
 .connection(check_age=lambda m: m * 60, interval=600).silent(STALE, 35, 45, 60))
_two = story("one replica of two is behind", 40).exporter(instance="one:10077").exporter(instance="two:10077")
_two.connection(check_age=60, interval=600, instance="one:10077")
_two.connection(check_age=old, interval=600, instance="two:10077").silent(STALE, 25, 40)
_two = story("both replicas see the same old check", 40).exporter(instance="one:10077").exporter(instance="two:10077")
for _instance in ("one:10077", "two:10077"):
    _two.connection(check_age=old, interval=600, instance=_instance)
_two.expect(30, STALE, stale("5.0"))

# --- the fleet -----------------------------------------------------------------------------

BURN, SLOW = "KernelAuthFleetLoggedOutBurn", "KernelAuthFleetLoggedOutBurnSlow"


def burn(*_, **__):
    return {"job": JOB, "severity": "critical"}


def slow(*_, **__):
    return {"job": JOB, "severity": "warning"}


def fleet(told, out, total, *status, **more):
    for number in range(total):
        told.one_of("kernel_auth_connection_status", "status", STATUS,
                    *(status if number < out else [(0, "AUTHENTICATED")]),
                    connection_id=f"c{number}", domain="shop.example.net", **more)
    return told


def burning(name, minutes, out=4, total=10, replicas=("one:10077",), **more):
    told = story(name, minutes, states="active")
    for instance in replicas:
        told.exporter(instance=instance)
        fleet(told, out, total, (0, "AUTHENTICATED"), (30, "NEEDS_AUTH"), instance=instance, **more)
    return told


# 40% from minute 30 on: the hour's average passes 14.4% when 36% of it are past.
burning("much of the fleet is logged out", 70).silent(BURN, 31, 46, 49).expect(
    55, BURN, burn()).expect(70, BURN, burn())
burning("two replicas are one fleet", 60, replicas=("one:10077", "two:10077")).expect(55, BURN, burn())
burning("two of four are no fleet", 70, out=2, total=4).silent(BURN, 55, 70).silent(SLOW, 70)
burning("a fleet of which one in ten is out is no emergency", 70, out=3, total=30).silent(BURN, 55, 70)
burning("a gap resolves no burn", 75).gap(60, 66).expect(
    65.5, BURN, burn(most="not known")).expect(75, BURN, burn())
_held = story("a held snapshot starts no burn", 80, states="active")
_held.exporter((0, 1), (31, 0), snapshot=[(0, lambda m: m * 60), (31, 1830)])
fleet(_held, 9, 10, (0, "AUTHENTICATED"), (30, "NEEDS_AUTH")).silent(BURN, 33, 36, 60, 80)
_gone = story("silence lets no average grow into a burn", 100, states="active").exporter((0, 1), (40, 0), snapshot=[(0, lambda m: m * 60), (40, None)])
fleet(_gone, 4, 10, (0, "AUTHENTICATED"), (30, "NEEDS_AUTH"), (40, None)).silent(BURN, 40, 60, 90, 100)

_outage = story("an outage lets no burn fire twice", 170, states="active").exporter(
    (0, 1), (90, 0), (120, 1), snapshot=[(0, lambda m: m * 60), (90, 5400), (95, None), (120, lambda m: m * 60)])
fleet(_outage, 4, 10, (0, "AUTHENTICATED"), (30, "NEEDS_AUTH"), (95, None), (120, "NEEDS_AUTH"))
for _number in range(4, 10):
    _outage.one_of("kernel_auth_connection_status", "status", STATUS, (0, "AUTHENTICATED"), (95, None), (120, "AUTHENTICATED"),
                   connection_id=f"c{_number}", domain="shop.example.net")
for _minute in (60, 100, 119, 121, 149, 151, 170):
    _outage.expect(_minute, BURN, burn())

_slow = story("some of the fleet stays logged out", 420, states="active").exporter()
fleet(_slow, 3, 30, (0, "AUTHENTICATED"), (60, "NEEDS_AUTH"), (400, "AUTHENTICATED"))
_slow.silent(BURN, 200, 400).silent(SLOW, 70, 150).expect(230, SLOW, slow()).gap(240, 246)
_slow.expect(245, SLOW, slow(most="not known")).expect(390, SLOW, slow())
burning("two replicas are one slow fleet", 200, out=3, total=30,
        replicas=("one:10077", "two:10077")).expect(190, SLOW, slow())
_slow = story("logged out for half an hour is not slow", 420, states="active").exporter()
fleet(_slow, 3, 30, (0, "AUTHENTICATED"), (300, "NEEDS_AUTH"), (340, "AUTHENTICATED")).silent(SLOW, 335, 345, 420)

# --- a domain, and exporters ------------------------------------------------------------------

DOMAIN, DOWN = "KernelAuthDomainLoggedOut", "KernelAuthExporterDown"
_one_by_one = story("a site logs out what health checks see one by one", 60, states="active").exporter()
for _number in range(60):
    _one_by_one.one_of("kernel_auth_connection_status", "status", STATUS, (0, "AUTHENTICATED"), (_number or 60, "NEEDS_AUTH"),
                       connection_id=f"c{_number}", domain="shop.example.net")
_one_by_one.silent(DOMAIN, 14).expect(17, DOMAIN, {"job": JOB, "domain": "shop.example.net", "severity": "critical"})
_one_by_one.expect(59, "KernelAuthConnectionNeedsAuth", *[
    labels("critical", id=f"c{number}", profile=None) for number in range(1, 10)])

_down = lambda instance: {"job": JOB, "instance": instance, "severity": "warning"}
(story("one replica is blind", 40).exporter((0, 1), (5, 0), snapshot=[(0, 0)], why="unauthorized")
 .exporter(instance="two:10077").silent(DOWN, 14).expect(16, DOWN, _down("one:10077")).expect(40, DOWN, _down("one:10077")))
(story("both replicas are blind", 40).exporter((0, 1), (5, 0), snapshot=[(0, 0)])
 .exporter((0, 1), (5, 0), snapshot=[(0, 0)], instance="two:10077").silent(DOWN, 16, 40))
_again = story("an exporter is started again and again", 60).exporter()
for _minute in range(5, 40, 5):
    _again.gap(_minute, _minute + 3)
_again.silent(DOWN, 10).expect(25, DOWN, _down("one:10077")).silent(DOWN, 60)
(story("an exporter is started twice", 60).exporter().gap(5, 6).gap(20, 21).silent(DOWN, 22, 40))

# --- the API -----------------------------------------------------------------------------------

LIMITED = "KernelAuthAPIRateLimited"


def limited(_):
    return {"job": JOB, "severity": "warning"}


def requests(told, refused, **more):
    """20 answers a minute of which `refused` are 429, from minute 15 on."""
    told.show("kernel_auth_api_requests_total", (0, lambda m: m * 20), (15, lambda m: 300 + (m - 15) * (20 - refused)),
              endpoint="connections", code="200", **more)
    return told.show("kernel_auth_api_requests_total", (0, 0), (15, lambda m: (m - 15) * refused),
                     endpoint="connections", code="429", **more)


requests(story("a quarter is refused", 60).exporter(), 5).silent(LIMITED, 15, 26).expect(
    40, LIMITED, limited("25%")).gap(42, 44).expect(43, LIMITED, limited("25%")).expect(60, LIMITED, limited("25%"))
requests(story("a few are refused", 60).exporter(), 0.5).silent(LIMITED, 30, 60)
_two = story("two replicas are refused", 60).exporter(instance="one:10077").exporter(instance="two:10077")
requests(requests(_two, 5, instance="one:10077"), 5, instance="two:10077").expect(40, LIMITED, limited("25%"))

_two = story("one of two exporters is refused", 60).exporter(instance="one:10077").exporter(instance="two:10077")
requests(requests(_two, 0, instance="one:10077"), 1, instance="two:10077").silent(LIMITED, 40)
_two = story("the small one of two exporters is refused", 60).exporter(instance="one:10077").exporter(instance="two:10077")
_two.show("kernel_auth_api_requests_total", (0, lambda m: m * 2000), instance="one:10077", endpoint="connections", code="200")
requests(_two, 5, instance="two:10077").expect(40, LIMITED, limited("25%"))

SNAPSHOT = "KernelAuthSnapshotStale"


def old_data(_):
    return {"job": JOB, "severity": "warning"}


(story("nothing is collected any more", 40).exporter(snapshot=[(0, lambda m: m * 60), (10, 600)])
 .silent(SNAPSHOT, 15, 30).expect(31, SNAPSHOT, old_data("21m 0s")).gap(33, 34)
 .expect(33.5, SNAPSHOT, old_data("22m 30s")).expect(40, SNAPSHOT, old_data("30m 0s")))
(story("data are a little old", 40).exporter(snapshot=[(0, lambda m: m * 60 - 500)]).silent(SNAPSHOT, 15, 40))
(story("held data are another alert", 60).exporter((0, 1), (5, 0), snapshot=[(0, lambda m: m * 60), (5, 300)])
 .silent(SNAPSHOT, 30, 60))
(story("one replica is behind", 60).exporter(instance="one:10077")
 .exporter(snapshot=[(0, 0)], instance="two:10077").silent(SNAPSHOT, 30, 60))
(story("both replicas are behind", 30).exporter(snapshot=[(0, 0)], instance="one:10077")
 .exporter(snapshot=[(0, 0)], instance="two:10077").expect(25, SNAPSHOT, old_data("25m 0s")))

INCOMPLETE = "KernelAuthDataIncomplete"
incomplete = {"job": JOB, "severity": "warning"}
_rows = story("a row cannot be read", 40).exporter((0, 0), why="malformed_row", unread=1)
_rows.silent(INCOMPLETE, 9).expect(15, INCOMPLETE, incomplete)
_rows.gap(20, 25).expect(24, INCOMPLETE, incomplete)
(story("the API is down, not incomplete", 40).exporter((0, 0), snapshot=[(0, 0)]).silent(INCOMPLETE, 15, 40))
_rows = story("both replicas cannot read a row", 40)
for _instance in ("one:10077", "two:10077"):
    _rows.exporter((0, 0), instance=_instance, why="malformed_row", unread=1)
_rows.expect(20, INCOMPLETE, incomplete)

# One of several configured ids always fails, and another one is logged out meanwhile.
(story("one id fails, another logs out", 40).exporter((0, 0), why="server_error", unread=1)
 .connection((0, "AUTHENTICATED"), (10, "NEEDS_AUTH")).silent("KernelAuthConnectionNeedsAuth", 14)
 .expect(20, "KernelAuthConnectionNeedsAuth", labels("critical"))
 .expect(20, INCOMPLETE, incomplete).silent("KernelAuthAPIUnreachable", 15, 40))

# Held, and then gone for as long as it cannot be read: it is still logged out.
(story("the one that fails was logged out", 60).exporter((0, 1), (20, 0), why="server_error", unread=1)
 .connection((0, "NEEDS_AUTH"), (25, None)).connection(id="c2")
 .expect(24, "KernelAuthConnectionNeedsAuth", labels("critical"))
 .expect(30, "KernelAuthConnectionNeedsAuth", labels("critical"))
 .expect(50, "KernelAuthConnectionNeedsAuth", labels("critical")))
(story("the one that failed is logged in again", 45).exporter((0, 1), (20, 0), (30, 1), why="server_error", unread=1)
 .connection((0, "NEEDS_AUTH"), (25, None), (30, "AUTHENTICATED")).connection(id="c2")
 .expect(29, "KernelAuthConnectionNeedsAuth", labels("critical")).silent("KernelAuthConnectionNeedsAuth", 41))


def probed(told, id, *answered, status):
    """The probe of a connection, and when it is answered."""
    probe = {"job": "kernel-auth-probe", "instance": id}
    told.show("up", (0, 1), **probe).show("probe_success", *answered, **probe)
    told.show("kernel_auth_connection_found", *[(at, yes or None) for at, yes in answered], connection_id=id, **probe)
    return told.one_of("kernel_auth_connection_status", "status", STATUS, *[(at, status if yes else None) for at, yes in answered],
                       **{**NAMED, "connection_id": id}, **probe)


# What is known of connections comes from their probes.
for _name, _answered in (("one probe fails once", [(0, 1), (30, 0), (30.5, 1)]),
                         ("a probe fails now and then", [at for k in range(15) for at in ((4 * k, 1), (4 * k + 3.5, 0))])):
    _told = probed(story(_name, 60).exporter(), "c1", *_answered, status="NEEDS_AUTH")
    probed(_told, "c2", (0, 1), status="AUTHENTICATED")
    for _minute in (10, 20, 30, 31, 33, 45, 59):
        _told.expect(_minute, "KernelAuthConnectionNeedsAuth", labels("critical"))

KEY = "KernelAuthAPIKeyExpiring"
DAY = 86400


def expiring(severity, _):
    return {"job": JOB, "severity": severity}


def key(name, minutes, days, replicas=("one:10077",)):
    told = story(name, minutes)
    for instance in replicas:
        told.exporter(instance=instance).show(
            "kernel_auth_api_key_expires_timestamp_seconds", (0, int(days * DAY)), instance=instance)
    return told


key("the key has ten days", 30, 10).silent(KEY, 9).expect(
    12, KEY, expiring("warning", "9d 23h 48m 0s")).gap(15, 20).expect(18, KEY, expiring("warning", "9d 23h 45m 30s"))
key("the key has a day", 30, 1).expect(
    12, KEY, expiring("critical", "23h 48m 0s"), expiring("warning", "23h 48m 0s"))
key("the key has a month", 30, 30).silent(KEY, 12, 30)
key("two replicas have one key", 30, 10, ("one:10077", "two:10077")).expect(
    12, KEY, expiring("warning", "9d 23h 48m 0s"))

LIMIT = "KernelAuthConnectionsNearLimit"


def near(_, account=None):
    return {"job": JOB, "severity": "warning", **({"account": account} if account else {})}


def org(told, used, limit, **more):
    told.exporter(**{name: value for name, value in more.items() if name == "instance"})
    told.show("kernel_auth_org_connections_used", (0, used), **more)
    return told.show("kernel_auth_org_connections_limit", (0, limit), **more)


org(story("nearly all connections are used", 30), 95, 100, account="prod").silent(LIMIT, 9).expect(
    12, LIMIT, near("95%", "prod")).gap(15, 20).expect(18, LIMIT, near("95%", "prod"))
org(story("half of the connections are used", 30), 50, 100).silent(LIMIT, 12, 30)
org(story("no limit", 30), 50, None).silent(LIMIT, 12, 30)
_two = org(story("two replicas ask for the same limit", 30), 9, 10, instance="one:10077")
org(_two, 9, 10, instance="two:10077").expect(12, LIMIT, near("90%"))

_two = org(story("two organisations without names", 30), 97, 100, instance="one:10077")
org(_two, 10, 1000, instance="two:10077").expect(12, LIMIT, near("97%"))
_two = org(story("one of two organisations has no limit", 30), 500, None, instance="one:10077")
org(_two, 5, 10, instance="two:10077").silent(LIMIT, 12, 30)

EMPTY = "KernelAuthFleetEmpty"
empty = {"job": JOB, "severity": "critical"}


def counted_fleet(told, *changes):
    """So many connections, all of them logged in."""
    for status in STATUS:
        told.show("kernel_auth_connections", *[(minute, None if many is None else many * (status == "AUTHENTICATED"))
                                               for minute, many in changes], status=status)
    return told


(counted_fleet(story("a key of another project after a long outage", 60).exporter((0, 1), (10, 0), (40, 1), why="unauthorized"),
               (0, 20), (15, None), (40, 0)).silent(EMPTY, 39, 44).expect(46, EMPTY, empty).expect(60, EMPTY, empty))
(counted_fleet(story("the same fleet after a long outage", 60).exporter((0, 1), (10, 0), (40, 1)),
               (0, 20), (15, None), (40, 20)).silent(EMPTY, 39, 46, 60))

# Of one exporter's account nobody tells when it was checked; another account says nothing of it.
_mixed = story("one account without the collector auth", 20)
_mixed.exporter(account="a").connection((0, "AUTHENTICATED"), (5, "NEEDS_AUTH"), account="a")
_mixed.exporter(instance="two:10077", account="b").connection(id="c2", instance="two:10077", account="b")
_mixed.show("kernel_auth_connection_last_auth_check_timestamp_seconds", (0, 60), instance="two:10077", account="b", connection_id="c2")
_mixed.expect(15, "KernelAuthConnectionNeedsAuth", labels("critical", account="a"))
_mixed = story("one replica without the collector auth", 20)
for _instance in ("one:10077", "two:10077"):
    _mixed.exporter(instance=_instance).connection((0, "AUTHENTICATED"), (5, "NEEDS_AUTH"), instance=_instance)
_mixed.show("kernel_auth_connection_last_auth_check_timestamp_seconds", (0, 60), instance="two:10077", connection_id="c1")
_mixed.expect(15, "KernelAuthConnectionNeedsAuth", labels("critical"))

# --- what they say -----------------------------------------------------------------------------------

def says(alert, severity, summary, description, link, remedy=None, **more):
    return {"job": JOB, "severity": severity, **more}, {
        "summary": summary, "description": description, **({"remedy": remedy} if remedy else {}), **link}


CONNECTION = dict(connection_id="c1", domain="shop.example.net", profile_name="buyer")
on_exporter = lambda alert, more="": links(alert, board="kernel-auth-exporter", more=more)
on_fleet = lambda alert, more="": links(alert, board="kernel-auth-fleet", more=more)
LOGIN = "kernel auth connections login c1"

_told = story("what is said of a connection", 20).exporter().connection((0, "NEEDS_AUTH"), error="captcha_blocked")
_told.says(10, "KernelAuthConnectionNeedsAuth", says(
    "", "critical", "shop.example.net is logged out for profile buyer",
    "Agents that use profile buyer on shop.example.net are logged out: connection c1 is NEEDS_AUTH. Unattended re-login: "
    "has_credential. Last failure: captcha_blocked.", links("KernelAuthConnectionNeedsAuth", "c1"),
    "Try stealth mode or another proxy, or log in by hand. kernel auth connections update c1 --proxy-id <proxy>", **CONNECTION))
_told = story("what is said of a connection that has no profile", 20).exporter().connection((0, "NEEDS_AUTH"), profile=None)
_told.says(10, "KernelAuthConnectionNeedsAuth", says(
    "", "critical", "shop.example.net is logged out",
    "Agents that use connection c1 on shop.example.net are logged out: connection c1 is NEEDS_AUTH. Unattended re-login: "
    "has_credential. Last failure: none.", links("KernelAuthConnectionNeedsAuth", "c1"),
    "Health checks and automatic re-login must be on; if it stays logged out, start a login. " + LOGIN,
    connection_id="c1", domain="shop.example.net"))
_told = story("what is said of one that needs a person", 20).exporter().connection(
    (0, "NEEDS_AUTH"), can_reauth=0, reason="no_credential")
_told.says(10, "KernelAuthConnectionHumanLoginRequired", says(
    "", "critical", "shop.example.net needs a person to log in for profile buyer",
    "Profile buyer on shop.example.net is logged out and will not log in by itself: connection c1, can re-login: no, "
    "reason: no_credential.", links("KernelAuthConnectionHumanLoginRequired", "c1"),
    "Log in by hand; attach a credential, and the next time needs nobody. " + LOGIN, **CONNECTION))
_told = story("what is said of one in a project", 20).exporter(project="proj_b").connection(
    (0, "NEEDS_AUTH"), can_reauth=0, reason="no_credential", project="proj_b")
_told.says(10, "KernelAuthConnectionHumanLoginRequired", says(
    "", "critical", "shop.example.net needs a person to log in for profile buyer",
    "Profile buyer on shop.example.net is logged out and will not log in by itself: connection c1, can re-login: no, "
    "reason: no_credential.", links("KernelAuthConnectionHumanLoginRequired", "c1"),
    f"Log in by hand; attach a credential, and the next time needs nobody. {LOGIN} with KERNEL_PROJECT=proj_b",
    project="proj_b", **CONNECTION))
_told = story("what is said of one that waits for its first login", 80).exporter().connection(
    (0, "NEEDS_AUTH"), can_reauth=0, reason="no_prior_successful_login")
_told.says(70, "KernelAuthConnectionHumanLoginRequired", says(
    "", "warning", "shop.example.net was never logged in for profile buyer",
    "Profile buyer on shop.example.net waits for its first login: connection c1, reason: no_prior_successful_login.",
    links("KernelAuthConnectionHumanLoginRequired", "c1"), "Do the first login by hand. " + LOGIN, **CONNECTION))
_told = story("what is said of a first login that failed", 20).exporter().connection(
    (0, "NEEDS_AUTH"), can_reauth=0, reason="no_prior_successful_login", flow=[(0, "FAILED")], error="website_error")
_told.says(10, "KernelAuthFlowFailed", says(
    "", "warning", "The last login on shop.example.net failed for profile buyer",
    "Profile buyer on shop.example.net is logged out and its last login failed: connection c1, error code website_error.",
    links("KernelAuthFlowFailed", "c1"), "Try again later. " + LOGIN, **CONNECTION))
for _kind, _severity, _summary, _description in (
        ("REAUTH", "critical", "A login on shop.example.net waits for a person for profile buyer",
         "The login of profile buyer on shop.example.net waits for a person and runs out soon: connection c1, step "
         "AWAITING_INPUT, time left"),
        ("LOGIN", "warning", "A login on shop.example.net waits for whoever began it for profile buyer",
         "Somebody began to log profile buyer in on shop.example.net and did not go on: connection c1, time left")):
    _told = story(f"what is said of a {_kind} that waits", 12).exporter().connection(
        flow=[(0, "IN_PROGRESS")], step=[(0, "AWAITING_INPUT")], kind=[(0, _kind)], live=[(0, 1), (8, 0)],
        expires_in=[(0, 480), (8, -15)])
    for _minute, _left in ((7, "8m 0s"), (9, "none, it is over")):
        _told.says(_minute, "KernelAuthFlowAwaitingHuman", says(
            "", _severity, _summary, f"{_description} {_left}.", links("KernelAuthFlowAwaitingHuman", "c1"),
            "Answer it on its login page; the command names that. kernel auth connections get c1", **CONNECTION))
_told = story("what is said of a connection that is missing", 20).exporter().connection((0, "AUTHENTICATED"), (1, None))
_told.show("kernel_auth_connection_found", (0, 1), (1, 0), connection_id="c1").says(10, "KernelAuthConnectionMissing", says(
    "", "critical", "Connection c1 does not exist at Kernel",
    "The configuration names connection c1 and Kernel answers 404 for it. Last seen as profile buyer on shop.example.net.",
    links("KernelAuthConnectionMissing", "c1"), connection_id="c1"))
_told = story("what is said of an exporter that is down", 20).exporter(account="a").gap(5, 20)
_told.says(15, "KernelAuthExporterDown", says(
    "", "critical", f"No kernel-auth-exporter of job {JOB} answers",
    f"Prometheus reaches no exporter of job {JOB}, so no connection is watched. Targets that fail: one:10077.",
    on_exporter("KernelAuthExporterDown")))
_told = story("what is said of an account that nobody sees", 20).exporter(account="a").exporter(
    account="b", instance="two:10077").gap(5, 20, "two:10077")
_told.says(15, "KernelAuthScopeUnseen", says(
    "", "critical", "Nobody sees the connections any more for account b",
    "The exporter that reported them for account b does not answer, and no other does so: two:10077.",
    on_exporter("KernelAuthScopeUnseen"), account="b"))
_told = story("what is said of the API", 20).exporter((0, 0), account="a", snapshot=[(0, 0)]).exporter(
    (0, 0), account="b", why="unauthorized", snapshot=[(0, 0)])
_told.says(15, "KernelAuthAPIUnreachable", says(
    "", "critical", "The exporter is blind: nothing whole comes from Kernel's API for account a",
    f"No collection of job {JOB} comes whole from Kernel's API for account a: what is shown is old, then nothing. "
    "Error: timeout.", on_exporter("KernelAuthAPIUnreachable"), account="a"))
_told.says(15, "KernelAuthAPIUnauthorized", says(
    "", "critical", "Kernel's API refuses the key of account b",
    f"The exporter of job {JOB} is blind because its API key is refused or cannot be read. Error: unauthorized.",
    on_exporter("KernelAuthAPIUnauthorized"), account="b"))
_told = fleet(story("what is said of a domain", 20).exporter(), 12, 15, (0, "NEEDS_AUTH"))
_told.says(10, "KernelAuthDomainLoggedOut", says(
    "", "critical", "shop.example.net is logged out: 12 connections",
    "12 connections on shop.example.net are logged out, more than half of them or many within an hour: the site "
    "or Kernel is the cause, not a single one. Most frequent error: none.",
    on_fleet("KernelAuthDomainLoggedOut", "&var-domain=shop.example.net"), domain="shop.example.net"))
_told = fleet(story("what is said of statuses that nobody knows", 20).exporter(), 2, 3, (0, "UNKNOWN"))
_told.says(15, "KernelAuthUnknownStatus", says(
    "", "warning", "2 connections have a status that the exporter does not know",
    "Kernel names a status that this build does not know, for 2 connections. They count as neither logged in nor logged "
    "out: c0, c1.", on_fleet("KernelAuthUnknownStatus")))
_told = burning("what is said of a fleet", 110)
_told.says(100, "KernelAuthFleetLoggedOutBurn", says(
    "", "critical", "40% of the fleet is logged out",
    "40% of all connections were logged out over the last five minutes, and as many over the last hour. Most of them: "
    "shop.example.net (4).", on_fleet("KernelAuthFleetLoggedOutBurn")))


# --- a healthy fleet -------------------------------------------------------------------------------

ALERTS = sorted(set(re.findall(r"- alert: (\w+)", RULES.read_text())))


@both_states
def _(states):
    calm = story("a healthy fleet", 60, states=states).exporter()
    calm.connection(flow=[(0, "FAILED")], kind=[(0, "REAUTH")]).connection(id="c2", checks=0, check_age=10**6)
    for alert in ALERTS:
        calm.silent(alert, 30, 60)


# --- the tests -------------------------------------------------------------------------------------

def test_promtool_finds_nothing_to_say_about_the_rules():
    done = subprocess.run([PROMTOOL, "check", "rules", "--lint=all", "--lint-fatal", str(RULES)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(re.findall('- (?:alert|record):', RULES.read_text()))} rules found" in done.stdout


@pytest.mark.parametrize("part", [0, 1])
def test_promtool_agrees_with_every_story(tmp_path, part):
    """In two halves, side by side: promtool uses one core."""
    code, said = judge(STORIES[part::2], RULES, tmp_path)
    assert code == 0, said


@pytest.mark.parametrize("answered", [True, False])
def test_a_probe_blinds_nothing_while_it_is_answered(tmp_path, answered):
    """Its target need not name the project that the API names."""
    probe = 'job="kernel-auth-probe",instance="a"'
    project = ',project="p"' if answered else ""
    series = {f"probe_success{{{probe}}}": int(answered), f"up{{{probe}}}": 1}
    if answered:
        series[f'kernel_auth_connection_found{{{probe},connection_id="a"{project}}}'] = 1
    expected = f'scope:kernel_auth_visible:max{{job="kernel-auth-exporter"{project}}}'
    test = tmp_path / "probe.yml"
    test.write_text(yaml.safe_dump({
        "rule_files": [str(RULES)], "evaluation_interval": "30s", "tests": [{
            "interval": "30s", "input_series": [{"series": name, "values": f"{value}x20"} for name, value in series.items()],
            "promql_expr_test": [{"expr": "scope:kernel_auth_visible:max", "eval_time": "5m",
                                  "exp_samples": [{"labels": expected, "value": int(answered)}]}]}]}))
    done = subprocess.run([PROMTOOL, "test", "rules", str(test)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_story_that_is_wrong_is_found_out(tmp_path):
    """The judge can say no: to a missing alert, to one too many, to another text."""
    needs = "KernelAuthConnectionNeedsAuth"
    for wrong in (
        lambda told: told.silent(needs, 8),
        lambda told: told.expect(2, needs, labels("critical")),
        lambda told: told.says(8, needs, (labels("critical"), {"summary": "another"})),
    ):
        told = Story("wrong", 10).exporter().connection((0, "NEEDS_AUTH"))
        wrong(told)
        code, _ = judge([told], RULES, tmp_path)
        assert code != 0
