"""Every alert: it fires, it does not fire, it survives a gap, replicas count once."""

import pathlib
import re
import subprocess

import pytest

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


# --- KernelAuthConnectionNeedsAuth ---------------------------------------------

NEEDS = "KernelAuthConnectionNeedsAuth"


def needs_auth(error="none", reason="has_credential", **more):
    named = labels("critical", **more)
    who = f"profile {named['profile_name']}" if "profile_name" in named else f"connection {named['connection_id']}"
    for_profile = f" for profile {named['profile_name']}" if "profile_name" in named else ""
    return named, {
        "summary": f"{named['domain']} is logged out{for_profile}",
        "description": f"Agents that use {who} on {named['domain']} are logged out: connection "
                       f"{named['connection_id']} is NEEDS_AUTH. Unattended re-login: {reason}. "
                       f"Last failure: {error}.",
        **links(NEEDS, named["connection_id"])}


@both_states
def _(states):
    # From minute 10 on; the rule asks for five minutes.
    (story("logged out", 40, states=states).exporter()
     .connection((0, "AUTHENTICATED"), (10, "NEEDS_AUTH"), (25, "AUTHENTICATED"))
     .connection(id="c2", domain="mail.example.org", profile=None)
     .silent(NEEDS, 5, 10, 14.5)
     .expect(15, NEEDS, needs_auth())
     .expect(25, NEEDS, needs_auth())
     .expect(34.5, NEEDS, needs_auth())  # kept for ten minutes after the recovery
     .silent(NEEDS, 35))

    (story("logged out for less than it takes", 20, states=states).exporter()
     .connection((0, "AUTHENTICATED"), (5, "NEEDS_AUTH"), (9.5, "AUTHENTICATED"))
     .silent(NEEDS, 9, 10, 11, 15, 20))

    (story("the first scrape says logged out", 10, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), error="credentials_invalid", reason="no_viable_plans",
                 account="prod", project="proj_a")
     .silent(NEEDS, 4.5)
     .expect(5, NEEDS, needs_auth("credentials_invalid", "no_viable_plans", account="prod",
                                  project="proj_a")))

    (story("a missed scrape does not start the wait anew", 12, states=states).exporter()
     .connection((0, "NEEDS_AUTH")).gap(2, 3)
     .expect(5, NEEDS, needs_auth()))

    (story("missed scrapes do not resolve", 20, states=states).exporter()
     .connection((0, "NEEDS_AUTH")).gap(8, 15)
     .expect(14.5, NEEDS, needs_auth(reason="reason not known"))
     .expect(20, NEEDS, needs_auth()))

    (story("a held snapshot does not fire", 12, states=states)
     .exporter((0, 1), (2, 0), snapshot=[(0, lambda m: m * 60), (2, 90)])
     .connection((0, "NEEDS_AUTH"))
     .silent(NEEDS, 4.5, 5, 6, 7, 12))

    (story("a held snapshot does not resolve, nor does the silence after it", 30, states=states)
     .exporter((0, 1), (10, 0), (22, 1),
               snapshot=[(0, lambda m: m * 60), (10, 570), (15, None), (22, lambda m: m * 60)])
     .connection((0, "NEEDS_AUTH"), (15, None), (22, "NEEDS_AUTH"), reason="has_credential")
     .expect(14, NEEDS, needs_auth())
     .expect(21, NEEDS, needs_auth())
     .expect(28, NEEDS, needs_auth()))

    (story("an unreadable row elsewhere blinds nobody", 12, states=states)
     .exporter((0, 0))
     .show("kernel_auth_api_errors_total", (0, lambda m: m * 2), reason="malformed_row")
     .connection((0, "NEEDS_AUTH"))
     .expect(6, NEEDS, needs_auth()))

    two = story("two replicas are one connection", 12, states=states)
    two.exporter(instance="one:10077").exporter(instance="two:10077")
    two.connection((0, "NEEDS_AUTH"), instance="one:10077")
    two.connection((0, "NEEDS_AUTH"), instance="two:10077")
    two.expect(6, NEEDS, needs_auth())

    held = story("a replica that holds old data does not outvote one that sees", 20, states=states)
    held.exporter(instance="one:10077")
    held.exporter((0, 1), (1, 0), instance="two:10077", snapshot=[(0, 0)])
    held.connection((0, "NEEDS_AUTH"), (1, "AUTHENTICATED"), instance="one:10077")
    held.connection((0, "NEEDS_AUTH"), instance="two:10077")
    held.silent(NEEDS, 5, 10, 20)

    gone = story("one replica of two goes away", 12, states=states)
    gone.exporter(instance="one:10077").exporter(instance="two:10077")
    gone.connection((0, "NEEDS_AUTH"), instance="one:10077")
    gone.connection((0, "NEEDS_AUTH"), instance="two:10077")
    gone.gap(3, 12, "two:10077")
    gone.expect(5, NEEDS, needs_auth())

    (story("probed alone, without /metrics", 8, states=states)
     .connection((0, "NEEDS_AUTH"), instance="c1").show("probe_success", (0, 1), instance="c1")
     .expect(6, NEEDS, needs_auth()))

    (story("a status this build does not know is not logged out", 12, states=states).exporter()
     .connection((0, "UNKNOWN")).silent(NEEDS, 6, 12))

    (story("another account's bad hour changes nothing here", 12, states=states)
     .exporter(account="good").exporter((0, 0), account="bad", snapshot=[(0, 0)])
     .connection((0, "NEEDS_AUTH"), account="good")
     .expect(6, NEEDS, needs_auth(account="good")))


story("no profile name in the labels", 8).exporter().connection(
    (0, "NEEDS_AUTH"), profile=None).expect(6, NEEDS, needs_auth(profile=None))

# --- KernelAuthConnectionHumanLoginRequired ---------------------------------------

HUMAN = "KernelAuthConnectionHumanLoginRequired"


def human(can="no", reason="no_credential", **more):
    named = labels("critical", **more)
    return named, {
        "summary": f"{named['domain']} needs a person to log in for profile {named['profile_name']}",
        "description": f"Profile {named['profile_name']} on {named['domain']} is logged out and will not log in "
                       f"by itself: connection {named['connection_id']}, can re-login: {can}, reason: {reason}.",
        **links(HUMAN, named["connection_id"])}


@both_states
def _(states):
    (story("nobody but a person can log in", 30, states=states).exporter()
     .connection((0, "AUTHENTICATED"), (5, "NEEDS_AUTH"), (12, "AUTHENTICATED"), can_reauth=0,
                 reason="no_credential")
     .silent(HUMAN, 4.5, 7.5)
     .expect(8, HUMAN, human())
     .expect(21.5, HUMAN, human())
     .silent(HUMAN, 22))
    off = "yes, but health checks or automatic re-login are switched off"
    (story("re-login is possible and switched off", 8, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), auto=0)
     .connection((0, "NEEDS_AUTH"), id="c2", checks=0)
     .connection((0, "NEEDS_AUTH"), id="c3")
     .expect(5, HUMAN, human(off, "has_credential"), human(off, "has_credential", id="c2")))
    (story("authenticated connections need nobody", 8, states=states).exporter()
     .connection(can_reauth=0).silent(HUMAN, 4, 8))
    (story("missed scrapes do not resolve a human login", 14, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), can_reauth=0, reason="requires_sms_code").gap(6, 12)
     .expect(11, HUMAN, human("not known", "not known")))
    two = story("two replicas need one person", 8, states=states)
    for instance in ("one:10077", "two:10077"):
        two.exporter(instance=instance)
        two.connection((0, "NEEDS_AUTH"), can_reauth=0, instance=instance)
    two.expect(4, HUMAN, human(reason="has_credential"))
    (story("a held snapshot needs nobody new", 8, states=states)
     .exporter((0, 1), (1, 0), snapshot=[(0, 0)])
     .connection((0, "NEEDS_AUTH"), can_reauth=0).silent(HUMAN, 3, 4, 8))


# --- KernelAuthFlowAwaitingHuman --------------------------------------------------

AWAITING = "KernelAuthFlowAwaitingHuman"


def awaiting(step="AWAITING_INPUT", left="8m 0s", **more):
    named = labels("critical", **more)
    return named, {
        "summary": f"A login on {named['domain']} waits for a person for profile {named['profile_name']}",
        "description": f"The login of profile {named['profile_name']} on {named['domain']} waits for a person "
                       f"and runs out soon: connection {named['connection_id']}, step {step}, time left {left}.",
        **links(AWAITING, named["connection_id"])}


@both_states
def _(states):
    waits = dict(flow=[(0, "NONE"), (2, "IN_PROGRESS"), (9, "EXPIRED")],
                 step=[(0, "NONE"), (2, "DISCOVERING"), (2.5, "AWAITING_INPUT")],
                 kind=[(0, "LOGIN")], live=[(0, 0), (2, 1), (9, 0)], expires_in=480)
    (story("a login waits for somebody", 16, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), **waits)
     .silent(AWAITING, 2, 3)
     .expect(3.5, AWAITING, awaiting())
     .expect(5.5, AWAITING, awaiting())  # within three minutes of its first wait
     .expect(9, AWAITING, awaiting())
     .silent(AWAITING, 12, 16))
    (story("a push on a phone counts, whatever the status", 6, states=states).exporter()
     .connection(flow=[(0, "IN_PROGRESS")], step=[(0, "AWAITING_EXTERNAL_ACTION")], live=[(0, 1)],
                 kind=[(0, "REAUTH")], expires_in=480)
     .expect(2, AWAITING, awaiting("AWAITING_EXTERNAL_ACTION")))
    (story("a flow past its expiry waits for nobody", 6, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), flow=[(0, "IN_PROGRESS")], step=[(0, "AWAITING_INPUT")],
                 live=[(0, 0)], kind=[(0, "LOGIN")])
     .silent(AWAITING, 2, 4, 6))
    (story("a flow that goes on by itself waits for nobody", 6, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), flow=[(0, "IN_PROGRESS")], live=[(0, 1)], kind=[(0, "REAUTH")],
                 step=[(0, "DISCOVERING"), (1, "SUBMITTING")])
     .silent(AWAITING, 2, 4, 6))
    (story("a missed scrape does not resolve a wait", 8, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), **{**waits, "flow": [(0, "IN_PROGRESS")],
                 "step": [(0, "AWAITING_INPUT")], "live": [(0, 1)]}).gap(3, 4)
     .expect(3.5, AWAITING, awaiting("not known", "not known"))
     .expect(6, AWAITING, awaiting()))
    (story("a held snapshot shows no new wait", 8, states=states)
     .exporter((0, 1), (0.5, 0), snapshot=[(0, 0)])
     .connection((0, "NEEDS_AUTH"), flow=[(0, "IN_PROGRESS")], step=[(0, "AWAITING_INPUT")],
                 live=[(0, 1)], kind=[(0, "LOGIN")])
     .silent(AWAITING, 1, 1.5, 3, 8))
    two = story("two replicas show one wait", 6, states=states)
    for instance in ("one:10077", "two:10077"):
        two.exporter(instance=instance)
        two.connection((0, "NEEDS_AUTH"), **waits, instance=instance)
    two.expect(5, AWAITING, awaiting())

# --- KernelAuthFlowFailed -----------------------------------------------------------

FAILED = "KernelAuthFlowFailed"


def failed(code="captcha_blocked", **more):
    named = labels("warning", **more)
    return named, {
        "summary": f"The last login on {named['domain']} failed for profile {named['profile_name']}",
        "description": f"Profile {named['profile_name']} on {named['domain']} is logged out and its last login "
                       f"failed: connection {named['connection_id']}, error code {code}.",
        **links(FAILED, named["connection_id"])}


@both_states
def _(states):
    broken = dict(flow=[(0, "IN_PROGRESS"), (2, "FAILED")], kind=[(0, "REAUTH")],
                  error="captcha_blocked")
    (story("a login failed and the connection is logged out", 20, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), **broken)
     .silent(FAILED, 2, 4.5).expect(5, FAILED, failed()).expect(20, FAILED, failed()))
    (story("a stale failure on an authenticated connection", 20, states=states).exporter()
     .connection((0, "AUTHENTICATED"), **broken).silent(FAILED, 5, 10, 20))
    (story("a failure that is overcome", 25, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), (8, "AUTHENTICATED"), **broken)
     .expect(8, FAILED, failed()).silent(FAILED, 21, 25))
    (story("missed scrapes do not resolve a failure", 14, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), **broken).gap(6, 12).expect(11, FAILED, failed("not known")))
    (story("a held snapshot shows no new failure", 10, states=states)
     .exporter((0, 1), (2.5, 0), snapshot=[(0, lambda m: m * 60), (2.5, 120)])
     .connection((0, "NEEDS_AUTH"), **broken).silent(FAILED, 4, 5, 6, 10))
    two = story("two replicas show one failure", 8, states=states)
    for instance in ("one:10077", "two:10077"):
        two.exporter(instance=instance)
        two.connection((0, "NEEDS_AUTH"), **broken, instance=instance)
    two.expect(6, FAILED, failed())

# --- KernelAuthReauthFailingRepeatedly ------------------------------------------------

REPEATED = "KernelAuthReauthFailingRepeatedly"


def repeated(times, code="bot_detected", **more):
    named = labels("warning", **more)
    return named, {
        "summary": f"Re-logins on {named['domain']} keep failing for profile {named['profile_name']}",
        "description": f"Profile {named['profile_name']} on {named['domain']} failed to log in again {times} times "
                       f"in six hours: connection {named['connection_id']}, last error code {code}.",
        **links(REPEATED, named["connection_id"])}


NAMED = dict(connection_id="c1", domain="shop.example.net", profile_name="buyer")


def count(story, *changes, outcome="FAILED", **more):
    return story.show("kernel_auth_connection_events_total", *changes, type="reauth",
                      outcome=outcome, **{**NAMED, **more})


@both_states
def _(states):
    seen = [(0, "SUCCESS")] + [(minute + half, state) for minute in (10, 20, 30)
                               for half, state in ((0, "IN_PROGRESS"), (1, "FAILED"))]
    (story("three failures seen without a timeline", 50, states=states).exporter()
     .connection((0, "NEEDS_AUTH"), flow=seen, kind=[(0, "REAUTH")], error="bot_detected")
     .silent(REPEATED, 22, 31, 40.5).expect(41, REPEATED, repeated(3)))
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

restarted = story("a restart of the exporter is no failure", 60).exporter()
restarted.connection()
count(restarted, (0, 2), (20, None), (22, 0)).silent(REPEATED, 25, 40, 60)

# --- KernelAuthConnectionFlapping -----------------------------------------------------

FLAPPING = "KernelAuthConnectionFlapping"


def flapping(times, **more):
    named = labels("warning", **more)
    return named, {
        "summary": f"{named['domain']} keeps losing its login for profile {named['profile_name']}",
        "description": f"Profile {named['profile_name']} on {named['domain']} changed {times} times between logged "
                       f"in and logged out in six hours: connection {named['connection_id']}, reason of its "
                       f"re-login has_credential.",
        **links(FLAPPING, named["connection_id"])}


@both_states
def _(states):
    to_and_fro = [(0, "AUTHENTICATED"), (20, "NEEDS_AUTH"), (25, "AUTHENTICATED"),
                  (50, "NEEDS_AUTH"), (55, "AUTHENTICATED")]
    (story("logged in and out again and again", 90, states=states).exporter()
     .connection(*to_and_fro).silent(FLAPPING, 30, 60).expect(65, FLAPPING, flapping(4))
     .gap(70, 80).expect(79, FLAPPING, (flapping(4)[0], {**flapping(4)[1],
        "description": flapping(4)[1]["description"].replace("has_credential", "not known")}))
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

# --- KernelAuthHealthCheckStale ---------------------------------------------------------

STALE = "KernelAuthHealthCheckStale"


def stale(times, reason="no known reason", **more):
    named = labels("warning", **more)
    return named, {
        "summary": f"{named['domain']} is no longer checked for profile {named['profile_name']}",
        "description": f"The last health check of profile {named['profile_name']} on {named['domain']} is {times} "
                       f"intervals old, so its status proves nothing: connection {named['connection_id']}, "
                       f"checks unavailable because of {reason}.",
        **links(STALE, named["connection_id"])}


old = lambda minute: 1200 + minute * 60  # at minute 0, with an interval of ten minutes
(story("no check for more than three intervals", 40).exporter()
 .connection(check_age=old, interval=600)
 .show("kernel_auth_connection_health_check_unavailable", (0, 1), reason="no_auth_check_url", **NAMED)
 .silent(STALE, 5, 20).expect(20.5, STALE, stale("4.0", "no_auth_check_url"))
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

# --- KernelAuthConnectionMissing -----------------------------------------------------------

MISSING = "KernelAuthConnectionMissing"


def missing(seen="nothing within a day"):
    return {"job": JOB, "severity": "critical", "connection_id": "c1"}, {
        "summary": "Connection c1 does not exist at Kernel",
        "description": f"The configuration names connection c1 and Kernel answers 404 for it. Last seen as {seen}.",
        **links(MISSING, "c1")}


found = lambda told, *changes, **more: told.show(
    "kernel_auth_connection_found", *changes, connection_id="c1", **more)
_gone = story("a configured connection is deleted", 40).exporter()
_gone.connection((0, "AUTHENTICATED"), (10, None))
found(_gone, (0, 1), (10, 0)).silent(MISSING, 5, 14.5)
_gone.expect(15, MISSING, missing("profile buyer on shop.example.net")).gap(18, 25)
_gone.expect(24, MISSING, missing("profile buyer on shop.example.net"))
_gone = story("a missing connection whose profile has no name", 10).exporter()
_gone.connection((0, "AUTHENTICATED"), (1, None), profile=None)
found(_gone, (0, 1), (1, 0)).expect(8, MISSING, missing("shop.example.net"))
found(story("a connection that never was", 10).exporter(), (0, 0)).expect(6, MISSING, missing())
found(story("a held 404", 12).exporter((0, 1), (1, 0), snapshot=[(0, 0)]), (0, 0)).silent(MISSING, 6, 12)
_two = story("one replica finds it", 12).exporter(instance="one:10077").exporter(instance="two:10077")
found(found(_two, (0, 0), instance="one:10077"), (0, 1), instance="two:10077").silent(MISSING, 6, 12)
_two = story("no replica finds it", 12).exporter(instance="one:10077").exporter(instance="two:10077")
found(found(_two, (0, 0), instance="one:10077"), (0, 0), instance="two:10077").expect(6, MISSING, missing())

# --- the fleet -----------------------------------------------------------------------------

BURN, SLOW = "KernelAuthFleetLoggedOutBurn", "KernelAuthFleetLoggedOutBurnSlow"


def burn(share="40%", most="shop.example.net (4)"):
    return {"job": JOB, "severity": "critical"}, {
        "summary": f"{share} of the fleet is logged out",
        "description": f"{share} of all connections were logged out over the last five minutes, and as many over "
                       f"the last hour. Most of them: {most}.",
        **links(BURN, board="kernel-auth-fleet")}


def slow(share="10%", most="shop.example.net (3)"):
    return {"job": JOB, "severity": "warning"}, {
        "summary": f"{share} of the fleet stays logged out",
        "description": f"{share} of all connections were logged out over the last half hour, and as many over the "
                       f"last six hours. Most of them: {most}.",
        **links(SLOW, board="kernel-auth-fleet")}


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

_slow = story("some of the fleet stays logged out", 420, states="active").exporter()
fleet(_slow, 3, 30, (0, "AUTHENTICATED"), (60, "NEEDS_AUTH"), (400, "AUTHENTICATED"))
_slow.silent(BURN, 200, 400).silent(SLOW, 70, 150).expect(230, SLOW, slow()).gap(240, 246)
_slow.expect(245, SLOW, slow(most="not known")).expect(390, SLOW, slow())
burning("two replicas are one slow fleet", 200, out=3, total=30,
        replicas=("one:10077", "two:10077")).expect(190, SLOW, slow())
_slow = story("logged out for half an hour is not slow", 420, states="active").exporter()
fleet(_slow, 3, 30, (0, "AUTHENTICATED"), (300, "NEEDS_AUTH"), (340, "AUTHENTICATED")).silent(SLOW, 335, 345, 420)

# --- the exporter ----------------------------------------------------------------------------

DOWN, ABSENT = "KernelAuthExporterDown", "KernelAuthExporterAbsent"
on_exporter = lambda alert, more="": links(alert, board="kernel-auth-exporter", more=more)


def all_down(*targets):
    return {"job": JOB, "severity": "critical"}, {
        "summary": f"No kernel-auth-exporter of job {JOB} answers",
        "description": f"Prometheus reaches no exporter of job {JOB}, so no connection is watched. "
                       f"Targets that fail: {', '.join(targets)}.",
        **on_exporter(DOWN)}


def one_down(instance):
    return {"job": JOB, "severity": "warning", "instance": instance}, {
        "summary": f"The kernel-auth-exporter {instance} does not answer",
        "description": f"Prometheus does not reach {instance} of job {JOB}. Another replica still answers.",
        **on_exporter(DOWN, f"&var-instance={instance.replace(':', '%3A')}")}


(story("the exporter is down", 20).exporter().gap(5, 20).silent(DOWN, 5, 9.5)
 .expect(10, DOWN, all_down("one:10077")).silent(ABSENT, 12, 20))
story("the exporter misses some scrapes", 20).exporter().gap(5, 7).gap(9, 13).silent(DOWN, 10, 13, 20)
(story("one replica is down", 20).exporter(instance="one:10077").exporter(instance="two:10077")
 .gap(5, 20, "two:10077").expect(11, DOWN, one_down("two:10077")))
(story("both replicas are down", 20).exporter(instance="one:10077").exporter(instance="two:10077")
 .gap(5, 20).expect(11, DOWN, all_down("one:10077", "two:10077")))

absent = {"job": JOB, "severity": "critical"}, {
    "summary": f"Prometheus has no target of job {JOB}",
    "description": f"No target of job {JOB} is configured or discovered, so no connection is watched.",
    **on_exporter(ABSENT)}
(story("the target is gone", 20).show("up", (0, 1), (4, None)).silent(ABSENT, 4, 8.5)
 .expect(9, ABSENT, absent).silent(DOWN, 20))
story("the target is gone for a moment", 20).show("up", (0, 1), (4, None), (8, 1)).silent(ABSENT, 4, 8.5, 20)
(story("one of two targets is gone", 20).show("up", (0, 1)).show("up", (0, 1), (4, None), instance="two:10077")
 .silent(ABSENT, 10, 20))

# --- the API -----------------------------------------------------------------------------------

UNREACHABLE, UNAUTHORIZED = "KernelAuthAPIUnreachable", "KernelAuthAPIUnauthorized"


def where(account, project):
    return (f" for account {account}" if account else "") + (f", project {project}" if project else "")


def scope(severity, account, project):
    return {name: value for name, value in
            dict(job=JOB, severity=severity, account=account, project=project).items() if value}


def unreachable(reason="timeout", account=None, project=None):
    return scope("critical", account, project), {
        "summary": f"The exporter is blind: Kernel's API does not answer{where(account, project)}",
        "description": f"No collection of job {JOB} came whole from Kernel's API: what is shown is old, then "
                       f"nothing. Most frequent error: {reason}.",
        **on_exporter(UNREACHABLE)}


def unauthorized(reason="unauthorized", account=None, project=None):
    more = (f" of account {account}" if account else "") + (f" for project {project}" if project else "")
    return scope("critical", account, project), {
        "summary": f"Kernel's API refuses the key{more}",
        "description": f"The exporter of job {JOB} is blind because its API key is refused or cannot be read. "
                       f"Error: {reason}.",
        **on_exporter(UNAUTHORIZED)}


errors = lambda told, reason, start, **more: told.show(
    "kernel_auth_api_errors_total", (0, 0), (start, lambda m: (m - start) * 2 + 2), reason=reason, **more)

_down = story("the API is down", 30).exporter((0, 1), (5, 0), snapshot=[(0, lambda m: m * 60), (5, 270)])
errors(errors(_down, "timeout", 5), "server_error", 400).silent(UNREACHABLE, 5, 9.5).silent(UNAUTHORIZED, 30)
_down.expect(10, UNREACHABLE, unreachable()).gap(15, 17).expect(16, UNREACHABLE, unreachable())
_down.expect(20, UNREACHABLE, unreachable())
(story("the API stumbles", 20).exporter((0, 1), (5, 0), (8, 1), (9, 0), (12, 1))
 .silent(UNREACHABLE, 9.5, 12, 14, 20))
_some = story("one project of two", 12).exporter(account="prod", project="proj_a")
_some.exporter((0, 0), account="prod", project="proj_b", snapshot=[(0, 0)])
_some.expect(6, UNREACHABLE, unreachable("none counted", "prod", "proj_b"))
_two = story("one replica of two still sees", 20).exporter(instance="one:10077")
_two.exporter((0, 0), instance="two:10077", snapshot=[(0, 0)]).silent(UNREACHABLE, 6, 20)
_two = story("no replica sees", 20).exporter((0, 0), instance="one:10077", snapshot=[(0, 0)])
_two.exporter((0, 0), instance="two:10077", snapshot=[(0, 0)]).expect(6, UNREACHABLE, unreachable("none counted"))

_key = story("the key is refused", 20).exporter((0, 1), (2, 0), snapshot=[(0, 0)], account="prod")
errors(_key, "unauthorized", 2).silent(UNAUTHORIZED, 4.5)
_key.expect(5.5, UNAUTHORIZED, unauthorized(account="prod")).gap(8, 9)
_key.expect(8.5, UNAUTHORIZED, unauthorized(account="prod"))
_key = story("the key file is gone, two replicas", 20)
for _instance in ("one:10077", "two:10077"):
    _key.exporter((0, 0), snapshot=[(0, 0)], instance=_instance)
    errors(_key, "key_file", 1, instance=_instance)
_key.expect(6, UNAUTHORIZED, unauthorized("key_file"))
errors(story("403 of something optional blinds nobody", 20).exporter(), "forbidden", 1).silent(
    UNAUTHORIZED, 5, 20).silent(UNREACHABLE, 20)

LIMITED = "KernelAuthAPIRateLimited"


def limited(share):
    return {"job": JOB, "severity": "warning"}, {
        "summary": f"{share} of the requests to Kernel's API are refused with 429",
        "description": f"Kernel refuses {share} of the requests of job {JOB} over the last ten minutes. "
                       f"The limit belongs to the whole organisation: agents feel it too.",
        **on_exporter(LIMITED)}


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

SNAPSHOT = "KernelAuthSnapshotStale"


def old_data(age):
    return {"job": JOB, "severity": "warning"}, {
        "summary": f"The exporter shows data that are {age} old",
        "description": f"The API answers job {JOB}, but the last collection is {age} old: the quota, a long "
                       f"--kernel.cache, or clocks that differ.",
        **on_exporter(SNAPSHOT)}


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
incomplete = {"job": JOB, "severity": "warning"}, {
    "summary": "Some connections cannot be read",
    "description": f"Kernel's API answers job {JOB}, but rows of its answer cannot be read. Their connections are "
                   f"held, then missing; the others are fresh.",
    **on_exporter(INCOMPLETE)}
_rows = errors(story("a row cannot be read", 40).exporter((0, 0)), "malformed_row", 0)
_rows.silent(INCOMPLETE, 9).expect(15, INCOMPLETE, incomplete).silent(UNREACHABLE, 15, 40)
_rows.gap(20, 25).expect(24, INCOMPLETE, incomplete)
(story("the API is down, not incomplete", 40).exporter((0, 0), snapshot=[(0, 0)]).silent(INCOMPLETE, 15, 40))
_rows = story("both replicas cannot read a row", 40)
for _instance in ("one:10077", "two:10077"):
    errors(_rows.exporter((0, 0), instance=_instance), "malformed_row", 0, instance=_instance)
_rows.expect(20, INCOMPLETE, incomplete)

KEY = "KernelAuthAPIKeyExpiring"
DAY = 86400


def expiring(severity, left):
    more = {"warning": "Replace it while there is time.", "critical": "After that the exporter is blind."}
    return {"job": JOB, "severity": severity}, {
        "summary": f"The API key expires in {left}",
        "description": f"The API key that job {JOB} uses expires in {left}. {more[severity]}",
        **on_exporter(KEY)}


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


def near(share, account=None):
    of = f" of account {account}" if account else ""
    return scope("warning", account, None), {
        "summary": f"{share} of the allowed connections are used" + (f" in account {account}" if account else ""),
        "description": f"The organisation{of} uses {share} of the connections that its plan allows. "
                       f"At the limit no further connection can be created.",
        **on_exporter(LIMIT)}


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


def test_promtool_agrees_with_every_story(tmp_path):
    code, said = judge(STORIES, RULES, tmp_path)
    assert code == 0, said


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_stories_of_firing_silence_gaps_and_replicas(alert):
    fires = [told for told in STORIES if any(name == alert and alerts for _, name, alerts in told.expected)]
    silent = [told for told in STORIES if any(name == alert and not alerts for _, name, alerts in told.expected)
              and not told.name.startswith("a healthy fleet")]
    two = [told for told in fires + silent if any('instance="two:10077"' in key for key in told.series)]
    assert fires and silent and two, alert


def test_a_story_that_is_wrong_is_found_out(tmp_path):
    """The judge can say no: to a missing alert, to one too many, to another text."""
    for wrong in (
        lambda told: told.silent(NEEDS, 8),
        lambda told: told.expect(2, NEEDS, needs_auth()),
        lambda told: told.expect(8, NEEDS, needs_auth(error="another")),
    ):
        told = Story("wrong", 10).exporter().connection((0, "NEEDS_AUTH"))
        wrong(told)
        code, _ = judge([told], RULES, tmp_path)
        assert code != 0
