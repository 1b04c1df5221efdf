"""Connection detail: one connection, now and before. Reads what the exporter
shows, so it works without the rules."""

from panels import (
    AMBER, BLUE, GREY, ORANGE, OUTCOMES, PURPLE, RED, SKY, TEXT, WRAPPED, YELLOW, alerts, among, began, board, by_name, data_source, eq,
    laid_out, lines, mapped, metric, numbers, query, rows_of, states, table, thresholds, variable)
from remedies import lines_of_text

THIS = eq("connection_id", "$connection_id")
ID = "connection_id"


def of(family, *matchers):
    return metric(f"kernel_auth_connection_{family}", THIS, *matchers)


def one(family, *matchers, fold="max"):
    return f"{fold} by ({ID}) ({of(family, *matchers)})"


def hot(family, label, value):
    return f"max by ({ID}) ({of(family, eq(label, value))} == 1)"


def code(family, label, codes):
    """A one-hot family as a code; what stands first wins where replicas
    disagree. Works with both settings of --metrics.states."""
    return "(" + " or ".join(f"{hot(family, label, value)} * 0 + {number}" for value, number in codes) + ")"


LIVE = f"max by ({ID}) ({of('flow_live')} == 1)"

# Each text of this board has a number of its own, so that all may share a panel.
STATUS = [("NEEDS_AUTH", 2), ("UNKNOWN", 3), ("AUTHENTICATED", 1)]
FLOW = [("FAILED", 13), ("EXPIRED", 14), ("IN_PROGRESS", 11), ("CANCELED", 15), ("SUCCESS", 12), ("NONE", 10), ("UNKNOWN", 16)]
STEP = [("AWAITING_INPUT", 22), ("AWAITING_EXTERNAL_ACTION", 23), ("DISCOVERING", 21), ("SUBMITTING", 24), ("COMPLETED", 25),
        ("NONE", 20), ("UNKNOWN", 26)]
KIND = [("REAUTH", 32), ("LOGIN", 31), ("UNKNOWN", 33), ("NONE", 30)]
TEXTS = [
    (1, "AUTHENTICATED", BLUE), (2, "NEEDS_AUTH", RED), (3, "UNKNOWN", GREY),
    (10, "NONE", GREY), (11, "IN_PROGRESS", YELLOW), (12, "SUCCESS", BLUE), (13, "FAILED", RED), (14, "EXPIRED", ORANGE),
    (15, "CANCELED", GREY), (16, "UNKNOWN", GREY),
    (20, "NONE", GREY), (21, "DISCOVERING", SKY), (22, "AWAITING_INPUT", RED), (23, "AWAITING_EXTERNAL_ACTION", ORANGE),
    (24, "SUBMITTING", YELLOW), (25, "COMPLETED", BLUE), (26, "UNKNOWN", GREY),
    (30, "NONE", GREY), (31, "LOGIN", SKY), (32, "REAUTH", PURPLE), (33, "UNKNOWN", GREY),
    (40, "BLIND", RED), (41, "visible", BLUE), (50, "no", ORANGE), (51, "yes", BLUE),
    (60, "firing", RED), (70, "shows an error", ORANGE)]

SCOPES = "job, instance, cluster, namespace, account, project"
SEEN = f"max({metric('kernel_auth_up')} and on ({SCOPES}) {of('status')})"

WHICH = table(
    "Which connection is this?", "Whose login is it, and where does it belong? As last shown within the day.",
    [rows_of(f"max by (profile_name, domain, account, project, cluster, namespace, connection_id) (last_over_time({of('status')}[1d]))")],
    [("profile_name", "Profile", 160), ("domain", "Site", 200), ("connection_id", "Connection", 260), ("account", "Account", 130),
     ("project", "Project", 240), ("cluster", "Cluster", 110), ("namespace", "Namespace", None)],
    merge=False, empty="no exporter shows this connection")


UNKNOWN_NOW = "nothing is known of it now"
STATE = numbers(
    "Is it logged in?", "And if not, since when?",
    [("status", code("status", "status", STATUS),
      dict(mappings=mapped((1, "AUTHENTICATED", TEXT), (2, "NEEDS_AUTH", RED), (3, "UNKNOWN", GREY)))),
     ("logged out for",
      f"time() - max by ({ID}) (max_over_time(timestamp({of('status', eq('status', 'AUTHENTICATED'))} == 1)[1d:1m])) "
      f"and {hot('status', 'status', 'NEEDS_AUTH')} or {hot('status', 'status', 'NEEDS_AUTH')} * 0 + 86401 "
      f"or {hot('status', 'status', 'AUTHENTICATED')} * 0 - 1",
      dict(unit="s", decimals=0, mappings=mapped((-1, "–", TEXT), (86401, "over a day", TEXT))))],
    size=20, empty=UNKNOWN_NOW)

LOGIN = numbers(
    "Is a login under way?", "Where is it, and how long is there? What is over is not shown as if it ran.",
    [("login", f"{code('flow_step', 'flow_step', STEP)} and {LIVE} or {one('flow_live')} * 0",
      dict(mappings=mapped((0, "none", TEXT), (21, "DISCOVERING", TEXT), (22, "waits for input", RED), (23, "waits for a push", RED),
                           (24, "SUBMITTING", TEXT), (25, "COMPLETED", TEXT), (26, "UNKNOWN", GREY), (20, "yes", TEXT)))),
     ("time left", f"{one('flow_expires_in_seconds')} and {LIVE} or {one('flow_live')} * 0 - 1",
      dict(unit="s", decimals=0, mappings=mapped((-1, "–", TEXT)), thresholds=thresholds((None, RED), (300, AMBER))))],
    size=20, empty=UNKNOWN_NOW)

CHANCES = numbers(
    "Can it help itself?", "How did the last login end, may Kernel log it in again without a person, and is the API visible?",
    [("last login", code("flow_status", "flow_status", FLOW),
      dict(mappings=mapped((10, "never", TEXT), (11, "runs", TEXT), (12, "SUCCESS", TEXT), (13, "FAILED", TEXT), (14, "EXPIRED", TEXT),
                           (15, "CANCELED", TEXT), (16, "UNKNOWN", GREY)))),
     ("alone", f"min by ({ID}) ({of('can_reauth')})", dict(mappings=mapped((0, "no", TEXT), (1, "yes", TEXT)))),
     ("Kernel's API", SEEN, dict(mappings=mapped((1, "visible", TEXT), (0, "BLIND", RED))))],
    size=20, empty=UNKNOWN_NOW)

OUT = hot("status", "status", "NEEDS_AUTH")


def why(family, label, condition, *matchers):
    return (f'label_replace(max by ({ID}, {label}) ({of(family, *matchers)} == 1) and on ({ID}) {condition}, '
            f'"why", "$1", "{label}", "(.+)")')


# A login that waits, else the error of the last one, else why it cannot log in alone.
REASON = (f"{why('flow_step', 'flow_step', LIVE, among('flow_step', 'AWAITING_INPUT', 'AWAITING_EXTERNAL_ACTION'))} "
          f"or on ({ID}) {why('flow_error', 'error_code', OUT)} or on ({ID}) {why('can_reauth_reason', 'reason', OUT)}")


SAID = [("why", "Why"), ("meaning", "It means"), ("remedy", "Do"), ("command", "Command")]


def said():
    """One line for each part, as a table that is narrow enough for a phone."""
    parts = [f'label_replace(label_replace({REASON}, "line", "{number}", "", ""), "said", "{member} $1", "why", "(.+)")'
             for number, (member, _) in enumerate(SAID)]
    return " or ".join(parts)


REMEDY = table(
    "What is to be done?", "Why is it as it is, what does that mean, and which command helps? Only what applies now.",
    [rows_of(said())], [("line", "Part", 95), ("said", "Said", None)],
    overrides=[by_name("Part", mappings=mapped(*((number, name, TEXT) for number, (_, name) in enumerate(SAID)))),
               by_name("Said", mappings=lines_of_text(), **WRAPPED)],
    sort="Part", descending=False, header=False, merge=False, empty="nothing, as far as anything is known of it")

# Where no connection is chosen, alerts about none are not its own.
FIRED = alerts('job=~"$job"', f'{ID}!=""', THIS)

HISTORY = states(
    "What happened?", "How did it come about, and was somebody called? Status and kind of a login stay after its end; its step is shown while it "
    "runs, each alert while it fired, and an error that the site shows. A gap: nobody knew.",
    [query(code("status", "status", STATUS), "status"),
     query(code("flow_status", "flow_status", FLOW), "last login"),
     query(code("flow_type", "flow_type", KIND), "its kind"),
     query(f"{code('flow_step', 'flow_step', STEP)} and {LIVE}", "its step"),
     query(f"min by ({ID}) ({of('can_reauth')}) + 50", "can log in again"),
     query(f"{SEEN} + 40", "Kernel's API"),
     query(f'60 * max by (alert) (label_replace({FIRED}, "alert", "$1", "alertname", "KernelAuth(.+)"))', "{{alert}}"),
     query(f"70 * ({one('website_error')} == 1)", "the site")],
    TEXTS, names=True)

CHECK_AGE = lines(
    "Is it checked when it should be?", "A check is overdue after three of its intervals. In hours, minutes and seconds.",
    [query(one("last_auth_check_age_seconds", fold="min"), "age of the last check"),
     query(one("health_check_interval_seconds"), "interval"),
     query(f"3 * {one('health_check_interval_seconds')}", "overdue")], "dthms",
    colors=[("age", BLUE), ("interval", GREY), ("overdue", RED)])

EVENTS = lines(
    "How did its logins end?", "Do they succeed? A bar is the half hour before it, or a few where these are too many. Needs the timeline collector.",
    [query("round(max by (outcome) (sum by (job, instance, outcome) (increase("
           f"{of('events_total', among('type', 'login', 'reauth'))}[$__interval])))) > 0", "{{outcome}}", step="30m")],
    stacked=True, bars=0.95, soft_max=4, colors=OUTCOMES, empty="none ended, or the timeline collector is off")

FLAGS = [("health_checks_enabled", "Health checks"), ("auto_reauth_enabled", "Logs in again"), ("save_credentials", "Saves secrets"),
         ("record_session", "Records logins")]


def labelled(family, label):
    return rows_of(f"max by ({ID}, {label}) ({of(family)} == 1)")


SETTINGS = table(
    "How is it set up at Kernel?", "May it heal itself, and would anybody notice if it broke? A column that is empty is not told by the API.",
    [rows_of(one(family)) for family, _ in FLAGS]
    + [rows_of(one("health_check_interval_seconds")), rows_of(one("last_success_age_seconds", fold="min")),
       rows_of(f"time() - {one('last_confirmed_timestamp_seconds')}"), rows_of(f"sum by ({ID}) (max by ({ID}, kind) ({of('flow_pending_inputs')}))"),
       labelled("credential", "kind"), labelled("can_reauth_reason", "reason"),
       rows_of(f'label_replace(max by ({ID}, reason) ({of("health_check_unavailable")} == 1), "unavailable", "$1", "reason", "(.+)") * 1')],
    [(f"Value #{ref}", title, 125) for ref, (_, title) in zip("ABCD", FLAGS)]
    + [("Value #E", "Checked every", 125), ("Value #F", "Last success", 115), ("Value #G", "Last confirmed", 130), ("Value #H", "Asked for", 90),
       ("kind", "Credential", 105), ("reason", "Logs in again, because", 200), ("unavailable", "Checks prove nothing", None)],
    overrides=[by_name(title, mappings=mapped((0, "no", TEXT), (1, "yes", TEXT))) for _, title in FLAGS]
    + [by_name(name, unit="s", decimals=0) for name in ("Checked every", "Last success", "Last confirmed")],
    empty="the settings are not collected")


def make():
    # What is typed may have a dot, which Grafana writes with a backslash: a double-quoted string would read that.
    shown = metric("kernel_auth_connection_status", "domain=~`.*${find:regex}.*`")
    called = metric("kernel_auth_connection_status", "profile_name=~`.*${find:regex}.*`")
    by = "connection_id, domain, profile_name"
    # Logged out first, bounded: a picker of ten thousand helps nobody. Two replicas are as many again.
    some = lambda chosen, matcher: f"topk(1000, {chosen[:-1]},status{matcher}\"NEEDS_AUTH\"}})"
    listed = lambda chosen: f"{some(chosen, '=')} + 1 or {some(chosen, '!=')}"
    picker = (f'query_result(label_join(topk(500, max by ({by}) ({listed(shown)} or {listed(called)})), '
              f'"shown", " · ", "profile_name", "domain"))')
    variables = [
        {"name": "find", "label": "Find", "type": "textbox", "query": "", "hide": 0, "skipUrlSync": False,
         "current": {"selected": False, "text": "", "value": ""}, "options": [{"selected": True, "text": "", "value": ""}]},
        variable("connection_id", "Connection", picker, multi=False, regex='/connection_id="(?<value>[^"]+)".*\\bshown="(?<text>[^"]+)"/'),
        variable("job", "Job", "query_result(count by (job) (kernel_auth_up or kernel_auth_connection_found))", all_value=".+", regex='/job="([^"]+)"/'),
        variable("instance", "Instance", 'label_values(kernel_auth_up{job=~"$job"}, instance)', all_value=".+", hide=2),
        data_source()]
    return board(
        "kernel-auth-connection", "Kernel auth / Connection",
        "One managed auth connection: now, its history, and what to do.",
        laid_out([
            (4, [(24, WHICH)]),
            (3, [(8, STATE), (8, LOGIN), (8, CHANCES)]),
            (6, [(24, REMEDY)]),
            (12, [(24, HISTORY)]),
            (8, [(12, CHECK_AGE), (12, EVENTS)]),
            (5, [(24, SETTINGS)]),
        ]),
        variables,
        [began("Alerts", FIRED, "{{alertname}}", "{{domain}} {{profile_name}}")], time="now-24h")
