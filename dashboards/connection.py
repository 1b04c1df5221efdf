"""Connection detail: one connection, now and before."""

from panels import (
    BLUE, FLOW_STATUS, FLOW_STEP, FLOW_TYPE, ORANGE, OUTCOMES, PURPLE, RED, SCOPE, STATUS, YES_NO, board, by_name, by_query,
    eq, fixed, folded, laid_out, lines, mappings, metric, query, row, stat, state, table, text, thresholds, timeline,
    variable)
from remedies import all_as_markdown

THIS = eq("connection_id", "$connection_id")


def of(family, *matchers):
    return metric(f"kernel_auth_connection_{family}", THIS, *matchers)


def code(family, states):
    return folded(f"kernel_auth_connection_{family}", family, states, "connection_id", THIS)


def now(fold, family, *matchers):
    return f"{fold} by (connection_id) ({of(family, *matchers)})"


def named(family, label):
    return f"max by ({label}) ({of(family)} == 1)"


SETTINGS = {
    "health_checks_enabled": "Health checks", "auto_reauth_enabled": "Automatic re-login",
    "save_credentials": "Saves credentials", "record_session": "Records logins"}


def settings():
    queries = [query(f"max by (connection_id) ({of(family)})", instant=True, table=True) for family in SETTINGS]
    queries += [
        query(named("credential", "connection_id, kind"), instant=True, table=True),
        query(named("health_check_unavailable", "connection_id, reason"), instant=True, table=True)]
    flags = {f"Value #{ref}": title for ref, title in zip("ABCD", SETTINGS.values())}
    return table(
        "Settings", "How the connection is configured at Kernel. A column that is missing is not told by the API.",
        queries,
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {
                "excludeByName": {"Time": True, "connection_id": True, "Value #E": True, "Value #F": True},
                "indexByName": {},
                "renameByName": {**flags, "kind": "Credential", "reason": "Checks prove nothing because"}}}],
        overrides=[by_name(title, mappings=mappings(YES_NO)) for title in flags.values()])


def make():
    step = dict(thresholds=thresholds((None, BLUE)))
    late = lambda title, description, expr, **more: stat(title, description, expr, "s", **step, **more)
    rows = [
        (1, [(24, row("Now"))]),
        (4, [(4, state("Status", "As Kernel last knew it: an inconclusive check leaves it unchanged.",
                       code("status", STATUS), STATUS)),
             (4, state("Can re-login", "Eligible for a re-login without a person. No promise that one is tried.",
                       now("max", "can_reauth"), YES_NO)),
             (6, stat("Why", "Why it can re-login, or cannot.", named("can_reauth_reason", "reason"), "none",
                      "{{reason}}", "name", color=fixed(PURPLE))),
             (6, stat("Error code", "Of the most recent flow, only while that failed. What to do is told below.",
                      named("flow_error", "error_code"), "none", "{{error_code}}", "name", color=fixed(RED))),
             (4, state("Visible", "Whether the API answers. BLIND: everything here is old, or gone.",
                       f"min(max by ({SCOPE}) ({metric('kernel_auth_up')} and on ({SCOPE}, instance) {of('status')}))",
                       {"BLIND": (0, RED), "VISIBLE": (1, BLUE)}))]),
        (4, [(4, state("Flow step", "Where the most recent flow is, or was when it ended.", code("flow_step", FLOW_STEP),
                       FLOW_STEP)),
             (4, stat("Time left", "Until the flow ends; below zero it has ended.", now("max", "flow_expires_in_seconds"),
                      "s", thresholds=thresholds((None, ORANGE), (0, RED), (180, ORANGE), (360, BLUE)))),
             (4, stat("Asked for", "Inputs that the live flow waits for.",
                      f"sum by (connection_id) (max by (connection_id, kind) ({of('flow_pending_inputs')}))",
                      thresholds=thresholds((None, BLUE), (1, ORANGE)))),
             (4, late("Last auth age", "Since the latest check that Kernel names, whatever its outcome.",
                      now("min", "last_auth_age_seconds"))),
             (4, late("Last success age", "Since a login or re-login last succeeded. Needs the timeline collector.",
                      now("min", "last_success_age_seconds"))),
             (4, late("Last confirmed age", "Since a health check last saw it logged in. Needs the timeline collector.",
                      f"time() - {now('max', 'last_confirmed_timestamp_seconds')}"))]),
        (1, [(24, row("History"))]),
        (4, [(24, timeline("Status over time", "A gap: nothing was known.", [query(code("status", STATUS), "status")], STATUS))]),
        (6, [(24, timeline(
            "Flow over time", "Status and kind of the most recent flow. They stay as they were when it ended.",
            [query(code("flow_status", FLOW_STATUS), "status"), query(code("flow_type", FLOW_TYPE), "kind")], FLOW_STATUS,
            overrides=[by_query("B", mappings=mappings(FLOW_TYPE))]))]),
        (4, [(24, timeline("Flow step over time", "Where the flow was; live flows only move on for ten minutes.",
                           [query(code("flow_step", FLOW_STEP), "step")], FLOW_STEP))]),
        (6, [(24, timeline("Live and able", "Whether a flow was live, and whether a re-login was possible.",
                           [query(now("max", "flow_live"), "flow live"), query(now("max", "can_reauth"), "can re-login")],
                           YES_NO))]),
        (8, [(12, lines(
                "Check age against its interval", "A check is stale after three intervals.",
                [query(now("min", "last_auth_check_age_seconds"), "age of the last check"),
                 query(now("max", "health_check_interval_seconds"), "interval"),
                 query("3 * " + now("max", "health_check_interval_seconds"), "three intervals")], "s")),
             (12, lines("Flapping", "Changes of the status within six hours, at each moment.",
                        [query(f"changes({code('status', STATUS)}[6h:1m])", "changes")], decimals=0))]),
        (8, [(12, lines(
                "What happened", "Events that ended, from the timeline collector.",
                [query(f"max by (type, outcome) (increase({of('events_total')}[$__rate_interval]))",
                       "{{type}} {{outcome}}")], stacked=True, bars=True, colors=OUTCOMES)),
             (12, lines(
                 "Since the last success", "Time since a login last succeeded. Needs the timeline collector.",
                 [query(f"time() - {now('max', 'last_success_timestamp_seconds')}", "since the last success"),
                  query(f"time() - {now('max', 'last_auth_check_timestamp_seconds')}", "since the last check")], "s"))]),
        (1, [(24, row("Help"))]),
        (3, [(24, settings())]),
        (26, [(24, text("What to do", "Remedies by error code and by reason.", all_as_markdown()))]),
    ]
    return board(
        "kernel-auth-connection", "Kernel auth / Connection detail",
        "One managed auth connection: now, its history, and what to do.", laid_out(rows),
        [variable("domain", "Domain", 'label_values(kernel_auth_connection_status{job=~"$job",instance=~"$instance"}, domain)',
                  all_value=".*"),
         variable("connection_id", "Connection", 'label_values(kernel_auth_connection_status{job=~"$job",'
                  'instance=~"$instance",domain=~"$domain"}, connection_id)', multi=False)],
        alerts=',connection_id="$connection_id"', time="now-24h")
