"""Fleet overview: who needs somebody, then how that came about. Reads what the
rules record, whose cost does not grow with the range of time."""

from panels import (
    AMBER, BAR, BLUE, COLORED, CONNECTION, GREY, OF_ALERTS, OUTCOMES, RED, SKY, TEXT, alerts, began, board, by_name, data_source,
    eq, laid_out, lines, mapped, named_alert, numbers, query, ranges, row, rows_of, runbook, selector, states, table,
    thresholds, variable)
from remedies import texts

LISTED = 50

SCOPED = ('job=~"$job"', 'cluster=~"$cluster"', 'namespace=~"$namespace"', 'account=~"$account"', 'project=~"$project"')
CHOSEN = SCOPED + ('domain=~"$domain"',)

VISIBLE = selector("scope:kernel_auth_visible:max", *SCOPED)
# Zero may only be said where everything is seen; else it is -1: blind.
ZERO = f"min({VISIBLE}) - 1"
RANK = selector("connection:kernel_auth_attention:rank", *CHOSEN)
SINCE = selector("connection:kernel_auth_needs_auth:since", *CHOSEN)
KNOWN = selector("connection:kernel_auth_needs_auth:max", *CHOSEN)
UNKNOWN = selector("connection:kernel_auth_status_unknown:max", *CHOSEN)
NEVER_IN = selector("connection:kernel_auth_never_logged_in:max", *CHOSEN)
NEVER = selector("domain:kernel_auth_never_logged_in:count", *CHOSEN)


def having(status):
    return selector("domain:kernel_auth_connection_status:count", *CHOSEN, eq("status", status))


def logged_in(by=""):
    """The share of those that ever were."""
    by = f" by ({by})" if by else ""
    return (f"sum{by} ({having('AUTHENTICATED')}) / "
            f"(sum{by} ({having('AUTHENTICATED')}) + sum{by} ({having('NEEDS_AUTH')}) - sum{by} ({NEVER}))")


BLIND = [(-1, "blind", GREY)]
ALARM = dict(mappings=mapped(*BLIND), thresholds=thresholds((None, TEXT), (1, RED)))
WARNING = dict(mappings=mapped(*BLIND), thresholds=thresholds((None, TEXT), (1, AMBER)))

PERSONS = numbers(
    "Is a person needed now?",
    "How many must somebody see to, and how many of them are logins that wait and whose time runs out? Blind: the API does not "
    "answer for one of the projects at least, and what is not seen is not counted.",
    [("Kernel's API",
      # Below zero where the exporter is there and the rules are not.
      f"min({VISIBLE}) or 0 * count(kernel_auth_exporter_build_info{{job=~\"$job\"}}) - 2",
      dict(mappings=mapped((1, "visible", TEXT), (0, "BLIND", RED), (-2, "no rules loaded", RED)))),
     ("need a person", f"count({RANK} >= 3) or {ZERO}", ALARM),
     ("waiting now", f"count({RANK} >= 4) or {ZERO}", ALARM)],
    empty="neither the exporter nor the rules are there")

FLEET = numbers(
    "How is the fleet?",
    "How many are logged out, and is the objective met? Whoever never logged in counts neither way. Not listed: how many more need "
    "somebody than the list below has room for.",
    [("logged out", f"sum({having('NEEDS_AUTH')}) - sum({NEVER}) or {ZERO}", WARNING),
     ("logged in", f"{logged_in()} or {ZERO}",
      dict(unit="percentunit", decimals=1, mappings=mapped(*BLIND),
           thresholds=thresholds((None, RED), (0.856, AMBER), (0.99, TEXT)))),
     ("not listed", f"clamp_min(count({RANK}) - {LISTED}, 0) or {ZERO}", WARNING)],
    empty="the rules are not loaded")

# Fifty rows of one query; the others take their times from the same numbers.
TOP = f"topk({LISTED}, {RANK} * 1)"
LINK = [{"title": "All about this connection", "targetBlank": False,
         "url": "/d/kernel-auth-connection?${datasource:queryparam}&${job:queryparam}"
                "&var-connection_id=${__data.fields.connection_id}&${__url_time_range}"}]


def with_remedy(expr):
    return rows_of(f'label_replace({expr}, "remedy", "$1", "why", "(.+)")')


WORKLIST = table(
    "Who needs somebody, most urgent first",
    f"Who needs somebody, until when, since when, why, and what is to be done? Logins that wait come first, the one whose time ends "
    f"first at the top; then what only a person can log in; then what Kernel may log in again by itself. The {LISTED} most "
    "urgent; how many more there are is told above, as not listed. While the API is not visible, who was logged out when last seen stays.",
    [with_remedy(TOP),
     with_remedy(f"round((5 - ({TOP} >= 4)) * 1e10 - time())"),
     with_remedy(f"round(time() - (1 - ({TOP} < 4) % 1) * 1e10) or "
                 f"0 * ({TOP} >= 4) + on ({CONNECTION}) group_left () (time() - ({SINCE} > 0))")],
    [("domain", "Site", 195), ("Value #A", "Needs", 92), ("Value #B", "Time left", 76), ("Value #C", "Logged out for", 120),
     ("profile_name", "Profile", 150), ("why", "Why", 230), ("remedy", "What to do", 430), ("account", "Account", 95),
     ("project", "Project", 220), ("connection_id", "Connection", 215), ("cluster", "Cluster", 80),
     ("namespace", "Namespace", 100)],
    overrides=[
        by_name("Site", links=LINK),
        by_name("Needs", mappings=ranges((4, 5, "person now", RED), (3, 4, "a login", AMBER), (2, 3, "may heal", TEXT),
                                         (1, 2, "first login", TEXT), (0, 1, "not seen", GREY)), **COLORED),
        by_name("Time left", unit="s", decimals=0, thresholds=thresholds((None, TEXT), (0, RED), (300, AMBER)), color={"mode": "thresholds"},
                **COLORED),
        by_name("Logged out for", unit="s", decimals=0),
        by_name("What to do", mappings=texts("remedy", short=True))],
    sort="Needs", empty="nobody, as far as the API is visible and the rules are loaded")

NAMED_ENVIRONMENT = ('label_replace(label_join({}, "row", " ", "cluster", "account"), "row", "everything", "row", "^ ?$")')


def environment(expr):
    """A name for what is told apart by cluster and account, where either is."""
    return query(NAMED_ENVIRONMENT.format(expr), "{{row}}")


VISIBILITY = states(
    "Was the API visible?", "Can the rest be believed, and when could it not? What happened in a blind hour shows when it is over.",
    [environment(f"min by (cluster, account) ({VISIBLE})")],
    [(1, "visible", BLUE), (0, "BLIND", RED)])

ABOUT = OF_ALERTS + ('account=~"$account|"', 'project=~"$project|"', 'domain=~"$domain|"')

FIRING = table(
    "Which alerts fire now?", "What was somebody called for, and how long ago did it begin?",
    [rows_of(named_alert(f"count by (alertname, severity) ({alerts(*ABOUT)})")),
     rows_of(named_alert(f"time() - min by (alertname, severity) ({alerts(*ABOUT, name='ALERTS_FOR_STATE')} "
                         f"and ignoring (alertstate) {alerts(*ABOUT)})"))],
    [("alert", "Alert", 255), ("severity", "Severity", 95), ("Value #A", "How many", 90), ("Value #B", "Longest for", None)],
    overrides=[
        runbook(),
        by_name("Longest for", unit="s", decimals=0),
        by_name("Severity", mappings=mapped(("critical", "critical", RED), ("warning", "warning", AMBER)), **COLORED)],
    sort="Severity", descending=False, empty="none fires")

HOUR_AGO_SEEN = f"on ({CONNECTION.replace(', connection_id, domain, profile_name', '')}) {VISIBLE}"


OUT_NOW = f"({SINCE} > 0) > time() - 3600"
BACK = f"({SINCE} offset 1h > 0) and {KNOWN} == 0"
NEW = f"{KNOWN} unless {KNOWN} offset 1h unless {UNKNOWN} offset 1h and {HOUR_AGO_SEEN} offset 1h == 1"
GONE = f"{KNOWN} offset 1h unless {KNOWN} unless {UNKNOWN} and {HOUR_AGO_SEEN} == 1"


def changed(expr):
    return rows_of(f"topk(12, count by (domain) ({expr}))")


CHANGED = table(
    "What changed within the hour, by site", "Which site logs everybody out, and who came or went?",
    [changed(OUT_NOW), changed(BACK), changed(NEW), changed(GONE),
     # Where it is the only answer of a panel, Grafana calls a value by another name.
     rows_of(f"count by (domain) ({KNOWN} or {KNOWN} offset 1h) and on (domain) ({OUT_NOW} or {BACK} or {NEW} or {GONE})")],
    [("domain", "Site", 195), ("Value #A", "Logged out", 95), ("Value #B", "Back in", 80), ("Value #C", "New", 60),
     ("Value #D", "Gone", 65), ("Value #E", "Of", None)],
    overrides=[by_name("Logged out", thresholds=thresholds((None, TEXT), (0, AMBER)), color={"mode": "thresholds"}, **COLORED)],
    sort="Logged out", empty="nothing, as far as the API was visible")

NOT_LOGGED_IN = lines(
    "How many are not logged in?", "Does it get better or worse? Whoever never logged in waits for a person's first login. A gap: nobody knows.",
    [query(f"sum({having('NEEDS_AUTH')}) - sum({NEVER})", "logged out"), query(f"sum({NEVER}) > 0", "never logged in"),
     query(f"sum({having('UNKNOWN')})", "unknown to this build")],
    stacked=True, soft_max=5,
    colors=[("logged out", RED), ("never logged in", SKY), ("unknown", GREY)])

SHARE = lines(
    "Share logged in (objective 99 %)",
    "Is the objective met? The burn alerts call when a hundredth part is logged out for a long time: 6 % over six hours, 14.4 % "
    "over one.",
    [environment(logged_in("cluster, account"))], "percentunit", objective=0.99, soft_min=0.9, max=1, below_zero=True)

BY_SITE = lines(
    "Logged out, by site", "Is it one site, or all of them? The eight sites with the most in this time, since the board was opened.",
    [query("sum by (domain) ("
           + selector("domain:kernel_auth_connection_status:count", *CHOSEN, eq("status", "NEEDS_AUTH"), 'domain=~"$worst_site"')
           + ")", "{{domain}}")],
    soft_max=5, empty="none in this time")

SITES = table(
    "Sites, by how much of them is logged out", "Where is most of it, and how large is that site?",
    [rows_of(f"topk(12, sum by (domain) ({having('NEEDS_AUTH')}) > 0)"),
     rows_of(f"sum by (domain) ({having('NEEDS_AUTH')} or {having('AUTHENTICATED')}) and on (domain) "
             f"topk(12, sum by (domain) ({having('NEEDS_AUTH')}) > 0)"),
     rows_of(f"sum by (domain) ({having('NEEDS_AUTH')}) / sum by (domain) ({having('NEEDS_AUTH')} or {having('AUTHENTICATED')}) "
             f"and on (domain) topk(12, sum by (domain) ({having('NEEDS_AUTH')}) > 0)")],
    [("domain", "Site", 195), ("Value #A", "Logged out", 95), ("Value #B", "Of", 60), ("Value #C", "Share", None)],
    overrides=[by_name("Share", unit="percentunit", decimals=0, min=0, max=1, thresholds=thresholds((None, SKY), (0.5, RED)),
                       color={"mode": "thresholds"}, **BAR)],
    sort="Logged out", empty="none, as far as the API is visible")

LONGEST = states(
    "Who was logged out longest in this time?",
    "Is it always the same ones, and did they come back? The twenty that were out most of the time when the board was opened, without "
    "those that never logged in. A gap: nobody knew.",
    [query(selector("connection:kernel_auth_needs_auth:max", *CHOSEN, 'connection_id=~"$worst"'), "  {{domain}} · {{profile_name}}")],
    [(0, "logged in", BLUE), (1, "logged out", RED)], empty="nobody")

ENDED = selector("domain:kernel_auth_flows_ended:count5m", *CHOSEN)
WORKED = selector("domain:kernel_auth_flows_ended:count5m", *CHOSEN, eq("outcome", "SUCCESS"))
SPOILT = selector("domain:kernel_auth_flows_ended:count5m", *CHOSEN, 'outcome=~"FAILED|EXPIRED"')
ERRORS = selector("domain:kernel_auth_flow_errors:count5m", *CHOSEN)

HOURS = lines(
    "How did logins end, hour by hour?", "Do logins work? A bar is the hour before it, or a few where the hours are too "
    "many. Logins and re-logins, from their history where the timeline collector is on, else the ends that were seen.",
    [query(f"sum by (outcome) (sum_over_time({ENDED}[$__interval])) > 0", "{{outcome}}", step="1h")],
    stacked=True, bars=0.95, soft_max=4, colors=OUTCOMES, empty="none ended")


def in_range(name, by):
    return f"sum by ({by}) (sum_over_time({name}[$__range]))"


BY_TYPE = table(
    "How many logins succeeded in this time?", "Do re-logins work, and do people's logins?",
    [rows_of(f"{in_range(ENDED, 'type')} > 0"),
     rows_of(f"({in_range(WORKED, 'type')} or 0 * {in_range(ENDED, 'type')}) / ({in_range(ENDED, 'type')} > 0)")],
    [("type", "Kind", 100), ("Value #A", "Ended", 80), ("Value #B", "Succeeded", None)],
    overrides=[by_name("Ended", decimals=0),
               by_name("Succeeded", unit="percentunit", decimals=0, min=0, max=1, thresholds=thresholds((None, SKY)), **BAR)],
    sort="Kind", descending=False, empty="none ended")


def failures(title, question, name, label, column, width, empty):
    total = f"scalar(sum(sum_over_time({name}[$__range])))"
    more = [("meaning", "What it means", None)] if label == "error_code" else []
    counted = f"topk(8, {in_range(name, label)} > 0)"
    say = (lambda expr: f'label_replace({expr}, "meaning", "$1", "error_code", "(.+)")') if more else (lambda expr: expr)
    return table(
        title, question, [rows_of(say(counted)), rows_of(say(f"{counted} / {total}"))],
        [(label, column, width), ("Value #A", "Failed", 85), ("Value #B", "Share", 95 if more else None)] + more,
        overrides=[by_name("Failed", decimals=0),
                   by_name("Share", unit="percentunit", decimals=0, min=0, max=1, thresholds=thresholds((None, SKY)), **BAR)]
        + ([by_name("What it means", mappings=texts("meaning"))] if more else []),
        sort="Failed", empty=empty)


BY_CODE = failures(
    "Why did logins fail in this time?", "Which one thing would help most? As seen, one failure of a connection in five minutes at most.",
    ERRORS, "error_code", "Error", 160, "none was seen to fail")
BY_SITE_FAILED = failures(
    "Where did logins fail in this time?", "Which site is it? Failed and expired, by site.",
    SPOILT, "domain", "Site", 195, "none failed")

CHECKS = numbers(
    "Can the states be believed?",
    "Overdue: no health check for three of its intervals. Missing: an id of the configuration that Kernel does not know.",
    [("checks overdue", f"count({selector('connection:kernel_auth_check_age_intervals:min', *CHOSEN)} > 3) or {ZERO}", WARNING),
     ("configured, but missing", f"count({selector('connection:kernel_auth_missing:max', *SCOPED)} == 1) or {ZERO}", ALARM),
     ("status unknown to this build", f"count({UNKNOWN} == 1) or {ZERO}", WARNING)],
    empty="the rules are not loaded")


def took(part):
    return (f"histogram_quantile({part}, sum by (le, type) (increase("
            f"{selector('kernel_auth_flow_duration_seconds_bucket', *SCOPED[:3], eq('outcome', 'SUCCESS'))}[$__range]))) >= 0")


DURATIONS = table(
    "How long did logins take that succeeded? (all accounts)",
    "How long must somebody wait? Needs the timeline collector. Not narrowed by account, project and site.",
    [rows_of(took(0.5)), rows_of(took(0.95))],
    [("type", "Kind", 100), ("Value #A", "Half of them, up to", 150), ("Value #B", "Most of them (95 %), up to", None)],
    overrides=[by_name("Half of them, up to", unit="s", decimals=0), by_name("Most of them (95 %), up to", unit="s", decimals=0)],
    sort="Kind", descending=False, empty="none succeeded, or the timeline collector is off")


def make():
    scopes = lambda name, *chosen: f"label_values({selector('scope:kernel_auth_visible:max', *SCOPED[:chosen[0]])}, {name})"
    variables = [
        variable("account", "Account", scopes("account", 3)),
        variable("project", "Project", scopes("project", 4)),
        variable("domain", "Site", f"query_result(count by (domain) ({selector('domain:kernel_auth_connection_status:count', *SCOPED)}))",
                 regex='/domain="([^"]+)"/'),
        variable("cluster", "Cluster", scopes("cluster", 1)),
        variable("namespace", "Namespace", scopes("namespace", 2)),
        variable("job", "Job", "label_values(scope:kernel_auth_visible:max, job)", all_value=".+"),
        # Whom two panels are about, which would cost too much to find at each refresh.
        variable("worst", "Longest logged out",
                 f"query_result(topk(20, count_over_time({SINCE}[$__range:5m]) unless last_over_time({NEVER_IN}[1h])))",
                 regex='/connection_id="([^"]+)"/', hide=2, skipUrlSync=True, all_value=None),
        variable("worst_site", "Sites most logged out",
                 f"query_result(topk(8, max by (domain) (max_over_time({having('NEEDS_AUTH')}[$__range:5m])) > 0))",
                 regex='/domain="([^"]+)"/', hide=2, skipUrlSync=True, all_value=None),
        data_source()]
    about_many = alerts(*ABOUT, eq("connection_id", ""))
    return board(
        "kernel-auth-fleet", "Kernel auth / Fleet", "Which managed auth connections need somebody, and how the fleet fares.",
        laid_out([
            (3, [(12, PERSONS), (12, FLEET)]),
            (13, [(24, WORKLIST)]),
            (1, [(24, row("How it came about"))]),
            (5, [(24, VISIBILITY)]),
            (8, [(12, FIRING), (12, CHANGED)]),
            (8, [(12, NOT_LOGGED_IN), (12, SHARE)]),
            (9, [(12, BY_SITE), (12, SITES)]),
            (14, [(24, LONGEST)]),
            (1, [(24, row("Logins"))]),
            (8, [(14, HOURS), (10, BY_TYPE)]),
            (8, [(15, BY_CODE), (9, BY_SITE_FAILED)]),
            (1, [(24, row("Health checks, and how long logins take", 6, [(12, CHECKS), (12, DURATIONS)]))]),
        ]),
        variables,
        [began("Alerts", about_many, "{{alertname}}", "{{cluster}} {{account}} {{project}} {{domain}}")])
