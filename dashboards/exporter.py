"""Exporter and API: can what the other boards show be believed, and what does
watching cost?"""

from panels import (
    AMBER, BLUE, CODES, COLORED, ENDPOINTS, GREY, OF_ALERTS, ORANGE, PURPLE, REASONS, RED, SCOPE, SKY, TEXT, alerts, began, board,
    by_name, data_source, eq, laid_out, lines, mapped, metric, named_alert, numbers, query, row, rows_of, runbook, selector,
    states, table, thresholds, variable)

SCOPED = ('job=~"$job"', 'account=~"$account"')
VISIBLE = selector("scope:kernel_auth_visible:max", *SCOPED)
ACCOUNT = 'account=~"$account"'


def of(name, *matchers):
    """What an exporter shows of an account."""
    return metric(name, ACCOUNT, *matchers)


def rate(name, *matchers):
    return f"rate({metric(name, *matchers)}[$__rate_interval])"


def per(label, name, *matchers):
    """A legend does not name what never happens."""
    return f"sum by ({label}) ({rate(name, *matchers)}) > 0"


REFUSED = f"sum({rate('kernel_auth_api_requests_total', eq('code', '429'))}) / sum({rate('kernel_auth_api_requests_total')})"
AGE = f"time() - max by ({SCOPE}) (last_over_time({of('kernel_auth_snapshot_timestamp_seconds')}[1h]))"

BELIEVED = numbers(
    "Can the boards be believed?", "Is every project seen now, and how old is what is shown? BLIND where one project at least is not seen.",
    [("Kernel's API", f"min({VISIBLE}) or min({of('kernel_auth_up')})",
      dict(mappings=mapped((1, "visible", TEXT), (0, "BLIND", RED)))),
     ("oldest data", f"max({AGE})", dict(unit="s", decimals=0, thresholds=thresholds((None, TEXT), (300, AMBER), (600, RED)))),
     ("rules", f"(count({VISIBLE}) > bool 0) or 0 * count({metric('kernel_auth_exporter_build_info')})",
      dict(mappings=mapped((1, "loaded", TEXT), (0, "NOT LOADED", RED))))],
    empty="no exporter is there")

WELL = numbers(
    "Are the exporters well?", "Do all answer, does Kernel refuse requests, was the configuration taken, how long is the key good for?",
    [("down", f"count({metric('up')}) - sum({metric('up')})", dict(thresholds=thresholds((None, TEXT), (1, RED)))),
     ("429", REFUSED, dict(unit="percentunit", decimals=1, thresholds=thresholds((None, TEXT), (0.01, AMBER), (0.05, RED)))),
     ("config", f"min({metric('kernel_auth_exporter_config_last_reload_successful')})",
      dict(mappings=mapped((1, "loaded", TEXT), (0, "REFUSED", RED)))),
     ("key expires", f"min({of('kernel_auth_api_key_expires_timestamp_seconds')}) - time() "
                     f"or 0 * count({metric('kernel_auth_exporter_build_info')})",
      dict(unit="s", decimals=0, mappings=mapped((0, "not known", TEXT)),
           thresholds=thresholds((None, RED), (2 * 86400, AMBER), (14 * 86400, TEXT))))],
    size=20, empty="no exporter is there")

SCOPES = table(
    "What is seen of each account and project?", "Which of them is blind, why, since when, and who watches it?",
    [rows_of(f"max by ({SCOPE}) ({VISIBLE})"),
     rows_of(f"max by ({SCOPE}, reason) ({of('kernel_auth_failure_reason')} == 1)"),
     rows_of(AGE),
     rows_of(f"sum by ({SCOPE}) (max by ({SCOPE}, status) ({of('kernel_auth_connections')}))"),
     rows_of(f"count by ({SCOPE}) ({of('kernel_auth_up')})"),
     rows_of(f"max by ({SCOPE}, project_name) ({of('kernel_auth_project_info')})")],
    # The answer stands first: a phone shows two columns or three.
    [("Value #A", "Seen", 80), ("account", "Account", 120), ("project", "Project", 250),
     ("project_name", "Its name", 120), ("reason", "Why not", 180),
     ("Value #C", "Age of the data", 135), ("Value #D", "Connections", 110), ("Value #E", "Exporters", 95),
     ("cluster", "Cluster", 110), ("namespace", "Namespace", None)],
    overrides=[by_name("Seen", mappings=mapped((1, "yes", TEXT), (0, "BLIND", RED)), **COLORED),
               by_name("Age of the data", unit="s", decimals=0, thresholds=thresholds((None, TEXT), (300, AMBER), (600, RED)),
                       color={"mode": "thresholds"}, **COLORED)],
    sort="Seen", descending=False, empty="nothing is watched")

STRIP = states(
    "When was it visible?", "Since when is it so, and is it one exporter, one project, or all?",
    # The project where there is one, else the account.
    [query('label_replace(label_replace(' + f"max by (instance, account, project) ({of('kernel_auth_up')})"
           + ', "scope", "$1", "account", "(.+)"), "scope", "$1", "project", "(.+)")', "  {{instance}} {{scope}}")],
    [(1, "visible", BLUE), (0, "BLIND", RED)])

ABOUT = OF_ALERTS[:1] + (eq("connection_id", ""), eq("domain", ""), 'account=~"$account|"')

FIRING = table(
    "Which alerts about the watch fire?", "What was somebody called for? Those about connections are on the fleet's board.",
    [rows_of(named_alert(f"count by (alertname, severity, account, instance) ({alerts(*ABOUT)})")),
     rows_of(named_alert(f"time() - min by (alertname, severity, account, instance) ({alerts(*ABOUT, name='ALERTS_FOR_STATE')} "
                         f"and ignoring (alertstate) {alerts(*ABOUT)})"))],
    [("alert", "Alert", 200), ("severity", "Severity", 95), ("Value #B", "For", 70), ("account", "Account", 110),
     ("instance", "Exporter", None)],
    overrides=[runbook(), by_name("For", unit="s", decimals=0),
               by_name("Severity", mappings=mapped(("critical", "critical", RED), ("warning", "warning", AMBER)), **COLORED)],
    sort="Severity", descending=False, empty="none fires")

ERRORS = lines(
    "What goes wrong?", "Why do requests or collections fail? Nothing is drawn where nothing does.",
    [query(per("reason", "kernel_auth_api_errors_total"), "{{reason}}")], "ops", stacked=True, bars=1,
    colors=REASONS, empty="nothing, in this time")

ANSWERS = lines(
    "How does Kernel answer?", "Requests by code: are they answered, refused, or lost?",
    [query(per("code", "kernel_auth_api_requests_total"), "{{code}}")], "reqps", stacked=True, colors=CODES)

ASKED = lines(
    "What is asked for?", "Requests by endpoint: what costs most?",
    [query(per("endpoint", "kernel_auth_api_requests_total"), "{{endpoint}}")], "reqps", stacked=True, colors=ENDPOINTS)


def quantile(part):
    return f"histogram_quantile({part}, sum by (le) ({rate('kernel_auth_api_request_duration_seconds_bucket')}))"


TOOK = lines(
    "How long does Kernel take?", "Is it slow? Half of the requests, 95 and 99 of a hundred.",
    [query(f"{quantile(part)} >= 0", f"p{name}") for part, name in ((0.5, "50"), (0.95, "95"), (0.99, "99"))], "s",
    colors=[("p50", BLUE), ("p95", SKY), ("p99", ORANGE)])

LIMIT = lines(
    "How much of the limit is left?", "Does the exporter take too much? Requests a minute of the whole organisation, where Kernel publishes them.",
    [query(f"max by (account) ({of('kernel_auth_api_ratelimit_limit')})", "limit {{account}}"),
     query(f"min by (account) ({of('kernel_auth_api_ratelimit_remaining')})", "left {{account}}")],
    empty="Kernel publishes no limit")

WAITS = lines(
    "What are requests held back for?", "For Kernel, for the quota, or for a free place? Seconds waited in a second.",
    [query(per("reason", "kernel_auth_api_wait_seconds_total"), "{{reason}}")], "s", stacked=True, bars=1,
    colors=REASONS, empty="nothing, in this time")

RETRIES = lines(
    "What is sent again?", "Why, and how often?",
    [query(per("reason", "kernel_auth_api_retries_total"), "{{reason}}")], "ops", stacked=True, bars=1,
    colors=REASONS, empty="nothing, in this time")

SCRAPED = lines(
    "Where did the data of scrapes come from?", "Fresh from Kernel, shared, held from before, or nowhere?",
    [query(per("outcome", "kernel_auth_exporter_scrapes_total"), "{{outcome}}")], "ops", stacked=True,
    colors=[(".", GREY), ("fresh", BLUE), ("shared", SKY), ("budgeted", ORANGE), ("held", PURPLE), ("empty", RED)])

TIME = lines(
    "How long do scrapes take?", "Does one come near its timeout? As Prometheus saw it, and inside the exporter.",
    [query(metric("scrape_duration_seconds"), "{{instance}}"),
     query(metric("kernel_auth_exporter_last_scrape_duration_seconds"), "{{instance}} inside")], "s")

UNKNOWN = lines(
    "What does this build not know?", "Is it time for an update? Values by the member they were in, about as many as in the time of a bar.",
    [query(f"sum by (field) (increase({metric('kernel_auth_api_unknown_values_total')}[$__rate_interval])) > 0", "{{field}}")], soft_max=4,
    stacked=True, bars=1, color={"mode": "palette-classic"}, empty="nothing, in this time")

BEHIND = lines(
    "How many timelines are still to be read?", "Does the login history keep up? Needs the timeline collector.",
    [query(f"max by (instance) ({metric('kernel_auth_timeline_pending_connections')})", "{{instance}}")], soft_max=5,
    empty="the timeline collector is off")

CLOCK = lines(
    "How far is Kernel's clock ahead?", "Does a clock go wrong? 0 within five seconds.",
    [query(f"max by (account) ({of('kernel_auth_api_clock_offset_seconds')})", "{{account}}")], "s", below_zero=True,
    soft_min=-10, soft_max=10)


def process(title, question, unit, name, **more):
    return lines(title, question, [query(metric(name), "{{instance}}")], unit, **more)


CPU = lines("How much CPU does it use?", "Of one core.",
            [query(rate("process_cpu_seconds_total"), "{{instance}}")], "percentunit", soft_max=0.1)

VERSIONS = table(
    "What runs where?", "Which version, and since when?",
    [rows_of(f"max by (instance, version, revision, rustversion) ({metric('kernel_auth_exporter_build_info')})"),
     rows_of(f"time() - max by (instance) ({metric('process_start_time_seconds')})"),
     rows_of(f"time() - max by (instance) ({metric('kernel_auth_exporter_config_last_reload_success_timestamp_seconds')})"),
     rows_of(f"max by (instance) ({metric('process_open_fds')})"),
     rows_of(f"max by (instance) ({metric('process_max_fds')})"),
     rows_of(f"max by (instance) ({metric('process_threads')})"),
     rows_of(f"max by (instance) ({metric('process_virtual_memory_bytes')})"),
     rows_of(f"max by (instance) (increase({metric('kernel_auth_exporter_log_dropped_lines_total')}[$__range]))")],
    [("instance", "Exporter", 190), ("version", "Version", 90), ("Value #B", "Running for", 110), ("Value #C", "Configured for", 120),
     ("Value #D", "Open files", 95), ("Value #E", "May open", 90), ("Value #F", "Threads", 80), ("Value #G", "Virtual memory", 130),
     ("Value #H", "Log lines lost", 115),
     ("rustversion", "Rust", 80), ("revision", "Revision", None)],
    overrides=[by_name("Running for", unit="s", decimals=0), by_name("Configured for", unit="s", decimals=0),
               by_name("Virtual memory", unit="bytes", decimals=0),
               by_name("Log lines lost", decimals=0)], sort="Exporter", descending=False)


def used(title, question, name):
    return lines(title, question,
                 [query(f"max by (account) ({of(f'kernel_auth_org_{name}_used')})", "used {{account}}"),
                  query(f"max by (account) ({of(f'kernel_auth_org_{name}_limit')})", "allowed {{account}}")],
                 empty="the org collector is off")


PLAN = table(
    "Which plan, and what does it allow?", "How often may connections be checked, and is there one that no exporter shows?",
    [rows_of(f"max by (account, plan) ({of('kernel_auth_org_plan_info')})"),
     rows_of(f"max by (account) ({of('kernel_auth_org_min_health_check_interval_seconds')})"),
     rows_of(f"max by (account) ({of('kernel_auth_org_connections_unseen')})")],
    [("account", "Account", 110), ("plan", "Plan", 120), ("Value #B", "Shortest interval", 130), ("Value #C", "Not shown", None)],
    overrides=[by_name("Shortest interval", unit="s", decimals=0),
               by_name("Not shown", thresholds=thresholds((None, TEXT), (1, AMBER)), color={"mode": "thresholds"}, **COLORED)],
    empty="the org collector is off")


def make():
    variables = [
        variable("account", "Account", 'label_values(kernel_auth_up{job=~"$job",instance=~"$instance"}, account)'),
        variable("job", "Job", "query_result(count by (job) (kernel_auth_up or scope:kernel_auth_visible:max))", all_value=".+",
                 regex='/job="([^"]+)"/'),
        variable("instance", "Instance", 'label_values(kernel_auth_up{job=~"$job"}, instance)', all_value=".+"),
        data_source()]
    return board(
        "kernel-auth-exporter", "Kernel auth / Exporter",
        "Whether the exporter sees Kernel's API, what that costs, and how the exporter fares.",
        laid_out([
            (3, [(12, BELIEVED), (12, WELL)]),
            (6, [(24, SCOPES)]),
            (7, [(13, STRIP), (11, FIRING)]),
            (1, [(24, row("Kernel's API (all accounts)"))]),
            (8, [(8, ANSWERS), (8, ERRORS), (8, TOOK)]),
            (8, [(8, ASKED), (8, WAITS), (8, LIMIT)]),
            (1, [(24, row("The exporter itself (all accounts)"))]),
            (8, [(8, SCRAPED), (8, TIME), (8, UNKNOWN)]),
            (1, [(24, row("Process, and what is sent again (all accounts)", 8, [(8, CPU), (8, process("How much memory does it use?", "Resident.", "bytes", "process_resident_memory_bytes")), (8, RETRIES)]))]),
            (1, [(24, row("Versions (all accounts)", 6, [(24, VERSIONS)]))]),
                        (1, [(24, row("Organisation and login history (org and timeline collectors)", 8, [
                (6, used("Connections near the limit?", "When is the limit reached?", "connections")),
                (6, used("Sessions near the limit?", "Do logins have to wait for a browser?", "concurrent_sessions")),
                (12, PLAN)]))]),
            (1, [(24, row("Clocks and timelines", 8, [(12, CLOCK), (12, BEHIND)]))]),
        ]),
        variables,
        [began("Alerts", alerts(*ABOUT), "{{alertname}}", "{{account}} {{project}} {{instance}}")])
