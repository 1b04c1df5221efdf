"""Fleet overview: what to act on, then how it came about."""

from panels import (
    BLUE, FLOW_STEP, KEY, NAMED, ORANGE, OUTCOMES, RED, SCOPE, SKY, STATUS, TYPES, among, bar_gauge, board, by_name, eq, folded, laid_out,
    lines, mappings, metric, query, row, stat, state, table, thresholds, timeline, variable)

HERE = ('account=~"$account"', 'project=~"$project"')
THIS = HERE + ('domain=~"$domain"',)

UP = f"max by ({SCOPE}) ({metric('kernel_auth_up', *HERE)})"
# Zero may only be said where everything is seen; else there is no data.
ZERO = f"0 * (min({UP}) == 1)"


def of(family, *matchers):
    return metric(f"kernel_auth_connection_{family}", *THIS, *matchers)


def one(family, *matchers, by=KEY):
    return f"max by ({by}) ({of(family, *matchers)} == 1)"


LOGGED_OUT = one("status", eq("status", "NEEDS_AUTH"))
WAITING = (f"max by ({KEY}) ({of('flow_step', among('flow_step', 'AWAITING_INPUT', 'AWAITING_EXTERNAL_ACTION'))} == 1 "
           f"and on ({KEY}, instance) {of('flow_live')} == 1)")
NO_WAY_BACK = "(" + " or ".join(
    f"min by ({KEY}) ({of(family)}) == 0"
    for family in ("can_reauth", "auto_reauth_enabled", "health_checks_enabled")) + ")"
NEEDS_PERSON = f"(({LOGGED_OUT}) and on ({KEY}) {NO_WAY_BACK} or {WAITING})"
ATTENTION = f"({LOGGED_OUT} or {WAITING})"
ALL = f"max by ({KEY}) ({of('status')})"


def number(expr):
    return f"count({expr}) or {ZERO}"


def attention(expr):
    return query(f"{expr} and on ({KEY}) {ATTENTION}", instant=True, table=True)


ALARM = thresholds((None, BLUE), (1, RED))

TIMELINE_EVENTS = metric("kernel_auth_connection_events_total", *THIS)

LINK = [{"title": "Connection detail", "targetBlank": False,
         "url": "/d/kernel-auth-connection?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
                "&var-connection_id=${__value.raw}&${__url_time_range}"}]

WORKLIST = table(
    "Worklist: connections that need attention",
    "Logged out, or with a login that waits for somebody. Click an id for its detail. An empty table while the "
    "API is visible means that there is nothing to do.",
    [attention(f"max by ({NAMED}, status) ({of('status')} == 1)"),
     attention(f"max by ({NAMED}) ({of('can_reauth')})"),
     attention(f"max by ({NAMED}, reason) ({of('can_reauth_reason')} == 1)"),
     attention(folded("kernel_auth_connection_flow_step", "flow_step", FLOW_STEP, NAMED, *THIS)),
     attention(f"max by ({NAMED}) ({of('flow_expires_in_seconds')} > 0)"),
     attention(f"min by ({NAMED}) ({of('last_auth_age_seconds')})")],
    transformations=[
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {
            "excludeByName": {"Time": True, "Value #A": True, "Value #C": True, "job": True},
            "indexByName": {name: index for index, name in enumerate(
                ["domain", "profile_name", "status", "Value #B", "reason", "Value #D", "Value #E", "Value #F",
                 "account", "project", "connection_id"])},
            "renameByName": {"domain": "Domain", "profile_name": "Profile", "status": "Status",
                             "Value #B": "Can re-login", "reason": "Why", "Value #D": "Flow step",
                             "Value #E": "Time left", "Value #F": "Last auth age", "account": "Account",
                             "project": "Project"}}}],
    overrides=[
        by_name("connection_id", links=LINK, displayName="Connection"),
        by_name("Status", mappings=[{"type": "value", "options": {
            name: {"index": index, "text": name, "color": color}
            for index, (name, (_, color)) in enumerate(STATUS.items())}}], custom__cellOptions={"type": "color-text"}),
        by_name("Can re-login", mappings=mappings({"no": (0, RED), "yes": (1, BLUE)}),
                custom__cellOptions={"type": "color-text"}),
        by_name("Flow step", mappings=mappings(FLOW_STEP), custom__cellOptions={"type": "color-text"}),
        by_name("Time left", unit="s"),
        by_name("Last auth age", unit="s")],
    sort="Time left")


def outcomes():
    counted = (f"sum by (outcome) (max by ({KEY}, type, outcome) "
               f"(increase({metric('kernel_auth_connection_events_total', *THIS, among('type', 'login', 'reauth'))}"
               f"[$__rate_interval])))")
    seen = (f'sum by (outcome) (label_replace(max by ({KEY}, flow_status) (ceil(changes('
            f"{of('flow_status', among('flow_status', 'SUCCESS', 'FAILED', 'EXPIRED', 'CANCELED'))}[$__rate_interval]) / 2)), "
            f'"outcome", "$1", "flow_status", "(.*)")) unless on () count({TIMELINE_EVENTS})')
    return lines(
        "Flow outcomes",
        "Logins and re-logins that ended, by outcome. From the timeline collector's counters; without it, changes "
        "of the flow status that were seen, which misses flows between two scrapes.",
        [query(counted, "{{outcome}}"), query(seen, "{{outcome}} (seen)")], stacked=True, bars=True,
        colors=OUTCOMES)


def failures():
    counted = (f"sum by (error_code) (max by (job, type, error_code) "
               f"(increase({metric('kernel_auth_flow_errors_total')}[$__range]))) > 0")
    now = (f"count by (error_code) ({one('flow_error', by=KEY + ', error_code')}) "
           f"unless on () count({metric('kernel_auth_flow_errors_total')})")
    return bar_gauge(
        "Failures by code",
        "Failed logins in the time range by error code, from the timeline collector. Without it: connections whose "
        "most recent flow failed, now.",
        [query(counted, "{{error_code}}", instant=True), query(now, "{{error_code}} (now)", instant=True)], color=RED)


def success_rate():
    events = lambda *matchers: (f"sum by (type) (max by (job, type, outcome) (rate("
                                f"{metric('kernel_auth_flow_duration_seconds_count', *matchers)}[$__rate_interval])))")
    return lines(
        "Login success rate by type",
        "Share of the ended logins and re-logins that succeeded. Needs the timeline collector; no flow ended, no data.",
        [query(f"{events(eq('outcome', 'SUCCESS'))} / {events()}", "{{type}}")], "percentunit", max=1,
        colors=TYPES)


def durations():
    return lines(
        "Login duration by type",
        "How long logins took from their start to their end. Needs the timeline collector.",
        [query(f"histogram_quantile({part}, sum by (le, type) (rate("
               f"{metric('kernel_auth_flow_duration_seconds_bucket')}[$__rate_interval])))", "p" + name + " {{type}}")
         for part, name in ((0.5, "50"), (0.95, "95"), (0.99, "99"))], "s",
        colors=[("login", BLUE), ("p95 login|p99 login", SKY), ("reauth", ORANGE), ("p95 reauth|p99 reauth", RED)])


def make():
    rows = [
        (4, [(4, state("API", "VISIBLE: the last collection of every project came whole from Kernel. BLIND: at least "
                       "one did not, and what is shown may be old.", f"min({UP})",
                       {"BLIND": (0, RED), "VISIBLE": (1, BLUE)})),
             (5, stat("Needs a person", "Logged out with no way back in by itself, or a login that waits. Zero only "
                      "while everything is visible.", number(NEEDS_PERSON), thresholds=ALARM)),
             (5, stat("Waiting for input", "Logins that wait for a person now; each lives ten minutes at most.",
                      number(WAITING), thresholds=ALARM)),
             (5, stat("Logged out", "Connections that are NEEDS_AUTH: agents that use them fail.", number(LOGGED_OUT),
                      thresholds=ALARM)),
             (5, stat("Authenticated share", "Connections that are AUTHENTICATED, of all that are shown.",
                      f"(count({one('status', eq('status', 'AUTHENTICATED'))}) or {ZERO}) / count({ALL})", "percentunit",
                      thresholds=thresholds((None, RED), (0.9, ORANGE), (0.99, BLUE)), decimals=1))]),
        (10, [(24, WORKLIST)]),
        (1, [(24, row("How it came about"))]),
        (9, [(24, timeline(
            "Status over time",
            "The connections that were logged out within the time range, forty at most. A gap: nothing was known.",
            [query(folded("kernel_auth_connection_status", "status", STATUS, NAMED, *THIS)
                   + f" and on ({KEY}) topk(40, max by ({KEY}) (max_over_time("
                   + of("status", eq("status", "NEEDS_AUTH")) + "[$__range] @ end())) == 1)",
                   "{{domain}} {{profile_name}}")], STATUS))]),
        (8, [(12, lines(
                "Connections by status", "How many there are of each status. A gap: nothing was known.",
                [query(f"sum by (status) (max by ({SCOPE}, status) ({metric('kernel_auth_connections', *HERE)}))",
                       "{{status}}")], stacked=True,
                colors=[(name, color) for name, (_, color) in STATUS.items()])),
             (12, bar_gauge(
                 "Logged-out share by domain", "The twenty domains with the largest share of logged-out connections.",
                 [query(f"topk(20, count by (domain) ({one('status', eq('status', 'NEEDS_AUTH'), by=KEY + ', domain')}) "
                        f"/ count by (domain) (max by ({KEY}, domain) ({of('status')})))", "{{domain}}",
                        instant=True)], "percentunit", max=1))]),
        (8, [(12, outcomes()), (12, failures())]),
        (8, [(12, success_rate()), (12, durations())]),
        (5, [(6, stat("Checks overdue", "Connections whose last health check is older than three of its intervals, "
                      "where checks are on.",
                      number(f"(min by ({KEY}) ({of('last_auth_check_age_seconds')} unless on ({KEY}, instance) "
                             f"{of('health_checks_enabled')} == 0) > 3 * max by ({KEY}) "
                             f"({of('health_check_interval_seconds')}))"), thresholds=ALARM)),
             (6, stat("Checks that prove nothing", "Checks are on, but Kernel cannot check: no URL is known.",
                      number(one("health_check_unavailable")), thresholds=thresholds((None, BLUE), (1, ORANGE)))),
             (6, stat("Configured but missing", "Ids of the configuration for which Kernel answers 404. No data where "
                      "no id is configured.",
                      f"sum(max by ({SCOPE}, connection_id) ({metric('kernel_auth_connection_found', *HERE)}) == bool 0)",
                      thresholds=ALARM)),
             (6, stat("Data age", "Age of the oldest data shown.",
                      f"time() - min(max by ({SCOPE}) ({metric('kernel_auth_snapshot_timestamp_seconds', *HERE)}))",
                      "s", thresholds=thresholds((None, BLUE), (300, ORANGE), (600, RED))))]),
    ]
    label = lambda name: f'label_values(kernel_auth_up{{job=~"$job",instance=~"$instance"}}, {name})'
    return board(
        "kernel-auth-fleet", "Kernel auth / Fleet overview",
        "Which managed auth connections need somebody, and how the fleet fares.", laid_out(rows),
        [variable("account", "Account", label("account"), all_value=".*"),
         variable("project", "Project", label("project"), all_value=".*"),
         variable("domain", "Domain", 'label_values(kernel_auth_connection_status{job=~"$job",instance=~"$instance",'
                  'account=~"$account",project=~"$project"}, domain)', all_value=".*")])
