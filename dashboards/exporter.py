"""Exporter and API health: can what the other boards show be believed?"""

from panels import (
    BLUE, CODES, GREY, ORANGE, PURPLE, REASONS, RED, SCOPE, SKY, board, by_name, eq, fixed, laid_out, lines, metric, query,
    row, stat, state,
    table, thresholds, timeline)

DURATIONS = "kernel_auth_api_request_duration_seconds_bucket"


def rate(name, *matchers):
    return f"rate({metric(name, *matchers)}[$__rate_interval])"


def per(label, name, *matchers):
    return f"sum by ({label}) ({rate(name, *matchers)})"


def percentiles():
    return [query(f"histogram_quantile({part}, sum by (le) ({rate(DURATIONS)}))", f"p{name}")
            for part, name in ((0.5, "50"), (0.95, "95"), (0.99, "99"))]


def process(title, description, targets, unit, **more):
    return lines(title, description, [query(metric(name), "{{instance}}" + legend) for name, legend in targets], unit, **more)


def make():
    up = f"max by ({SCOPE}) ({metric('kernel_auth_up')})"
    age = f"time() - max by ({SCOPE}) ({metric('kernel_auth_snapshot_timestamp_seconds')})"
    days = f"min by (job, account) ({metric('kernel_auth_api_key_expires_timestamp_seconds')}) - time()"
    refused = f"sum({rate('kernel_auth_api_requests_total', eq('code', '429'))}) / sum({rate('kernel_auth_api_requests_total')})"
    rows = [
        (4, [(4, state("API", "VISIBLE: the last collection of every project came whole. BLIND: at least one did not.",
                       f"min({up})", {"BLIND": (0, RED), "VISIBLE": (1, BLUE)})),
             (4, state("Exporters", "Whether Prometheus reaches every exporter.", f"min({metric('up')})",
                       {"DOWN": (0, RED), "UP": (1, BLUE)})),
             (4, stat("Data age", "Age of the oldest data shown.", f"max({age})", "s",
                      thresholds=thresholds((None, BLUE), (300, ORANGE), (600, RED)))),
             (4, stat("Refused with 429", "Share of the requests that Kernel refuses.", refused, "percentunit",
                      thresholds=thresholds((None, BLUE), (0.01, ORANGE), (0.05, RED)), decimals=1)),
             (4, state("Configuration", "Whether the last reload succeeded.",
                       f"min({metric('kernel_auth_exporter_config_last_reload_successful')})",
                       {"FAILED": (0, RED), "LOADED": (1, BLUE)})),
             (4, stat("Key expires in", "Needs the org collector; no data where the key never expires.", f"min({days})", "s",
                      thresholds=thresholds((None, RED), (2 * 86400, ORANGE), (14 * 86400, BLUE))))]),
        (6, [(24, timeline(
            "Visible", "One row for each project and replica: whether its last collection came whole.",
            [query(f"max by ({SCOPE}, instance) ({metric('kernel_auth_up')})", "{{instance}} {{account}} {{project}}")],
            {"BLIND": (0, RED), "VISIBLE": (1, BLUE)}))]),
        (1, [(24, row("Kernel's API"))]),
        (8, [(12, lines("Requests by endpoint and code", "Requests to the API.",
                        [query(per("endpoint, code", "kernel_auth_api_requests_total") + " > 0", "{{endpoint}} {{code}}")],
                        "reqps", stacked=True, colors=CODES)),
             (12, lines("Errors by reason", "Why requests or collections failed.",
                        [query(per("reason", "kernel_auth_api_errors_total"), "{{reason}}")], "ops", stacked=True, colors=REASONS))]),
        (8, [(12, lines("Request duration", "How long the API takes to answer.", percentiles(), "s")),
             (12, lines("Requests by time", "Answers a second, and the mean of what they took.",
                        [query(per("endpoint", "kernel_auth_api_request_duration_seconds_count") + " > 0", "{{endpoint}} a second"),
                         query(f"{per('endpoint', 'kernel_auth_api_request_duration_seconds_sum')} / "
                               f"({per('endpoint', 'kernel_auth_api_request_duration_seconds_count')} > 0)",
                               "{{endpoint}} mean seconds")]))]),
        (8, [(8, lines("Retries by reason", "Requests that were sent again.",
                       [query(per("reason", "kernel_auth_api_retries_total"), "{{reason}}")], "ops", stacked=True, colors=REASONS)),
             (8, lines("Waits by reason", "Seconds waited in a second: for Kernel, for the quota, for a free place.",
                       [query(per("reason", "kernel_auth_api_wait_seconds_total"), "{{reason}}")], "s", stacked=True, colors=REASONS)),
             (8, lines("429 share", "Share of the requests that Kernel refuses.", [query(refused, "429")], "percentunit",
                       max=1, colors=[("429", RED)]))]),
        (8, [(8, lines("Quota", "Requests a minute of the whole organisation, where Kernel publishes them.",
                       [query(f"max by (job, account) ({metric('kernel_auth_api_ratelimit_limit')})", "limit {{account}}"),
                        query(f"min by (job, account) ({metric('kernel_auth_api_ratelimit_remaining')})",
                              "remaining {{account}}")])),
             (8, lines("Data age by project", "Age of the newest data of each project.", [query(age, "{{account}} {{project}}")], "s")),
             (8, lines("Clock offset", "How far Kernel's clock is ahead of the exporter's.",
                       [query(f"max by (job, account) ({metric('kernel_auth_api_clock_offset_seconds')})", "{{account}}")], "s",
                       below_zero=True))]),
        (8, [(8, lines("Unknown values", "Values of the API that this build does not know, by member: time for an update.",
                       [query(per("field", "kernel_auth_api_unknown_values_total"), "{{field}}")], "ops", stacked=True)),
             (8, lines("Timelines waiting", "Connections whose timeline is still to be asked for.",
                       [query(f"max by (job, instance) ({metric('kernel_auth_timeline_pending_connections')})", "{{instance}}")])),
             (8, stat("Forgotten connections", "What the organisation holds and no exporter shows: a project that is not "
                      "configured. Needs the org collector and every connection of every project.",
                      f"max({metric('kernel_auth_org_connections_unseen')})", thresholds=thresholds((None, BLUE), (1, ORANGE))))]),
        (1, [(24, row("Organisation"))]),
        (8, [(8, lines("Connections of the organisation", "Used and allowed. No line for what is unlimited.",
                       [query(f"max by (job, account) ({metric('kernel_auth_org_connections_used')})", "used {{account}}"),
                        query(f"max by (job, account) ({metric('kernel_auth_org_connections_limit')})", "allowed {{account}}")])),
             (8, lines("Concurrent sessions", "Used and allowed. No line for what is unlimited.",
                       [query(f"max by (job, account) ({metric('kernel_auth_org_concurrent_sessions_used')})",
                              "used {{account}}"),
                        query(f"max by (job, account) ({metric('kernel_auth_org_concurrent_sessions_limit')})",
                              "allowed {{account}}")])),
             (8, table("Plan", "The plan, and the shortest health check interval that it allows.",
                       [query(f"max by (job, account, plan) ({metric('kernel_auth_org_plan_info')})", instant=True, table=True),
                        query(f"max by (job, account) ({metric('kernel_auth_org_health_check_interval_min_seconds')})",
                              instant=True, table=True)],
                       transformations=[
                           {"id": "merge", "options": {}},
                           {"id": "organize", "options": {
                               "excludeByName": {"Time": True, "Value #A": True}, "indexByName": {},
                               "renameByName": {"plan": "Plan", "account": "Account", "job": "Job",
                                                "Value #B": "Shortest interval"}}}],
                       overrides=[by_name("Shortest interval", unit="s")]))]),
        (1, [(24, row("The exporter itself"))]),
        (8, [(8, lines("Scrapes by outcome", "Where the data of a scrape came from.",
                       [query(per("outcome", "kernel_auth_exporter_scrapes_total"), "{{outcome}}")], "ops", stacked=True,
                       colors=[(".", GREY), ("fresh", BLUE), ("shared", SKY), ("budgeted", ORANGE), ("held", PURPLE),
                               ("empty", RED)])),
             (8, process("Scrape duration", "How long the last scrape took, inside the exporter and as Prometheus saw it.",
                         [("kernel_auth_exporter_last_scrape_duration_seconds", ""),
                          ("scrape_duration_seconds", " (Prometheus)")], "s")),
             (8, lines("CPU", "Seconds of CPU a second.", [query(rate("process_cpu_seconds_total"), "{{instance}}")], "s"))]),
        (8, [(8, process("Memory", "Resident and virtual memory.",
                         [("process_resident_memory_bytes", " resident"), ("process_virtual_memory_bytes", " virtual")],
                         "bytes")),
             (8, process("File descriptors", "Open, and how many may be.",
                         [("process_open_fds", " open"), ("process_max_fds", " allowed")], "short")),
             (8, process("Threads", "Threads of the process.", [("process_threads", "")], "short"))]),
        (6, [(12, table("Versions", "What runs where.",
                        [query(f"max by (job, instance, version, revision, rustversion) "
                               f"({metric('kernel_auth_exporter_build_info')})", instant=True, table=True)],
                        transformations=[{"id": "organize", "options": {
                            "excludeByName": {"Time": True, "Value": True}, "indexByName": {},
                            "renameByName": {"job": "Job", "instance": "Instance", "version": "Version",
                                             "revision": "Revision", "rustversion": "Rust"}}}])),
             (6, stat("Running for", "Since the youngest process started.",
                      f"time() - max({metric('process_start_time_seconds')})", "s", color=fixed(SKY))),
             (6, stat("Configuration loaded", "Since the configuration was last loaded.",
                      f"time() - min({metric('kernel_auth_exporter_config_last_reload_success_timestamp_seconds')})", "s",
                      color=fixed(SKY)))]),
    ]
    return board(
        "kernel-auth-exporter", "Kernel auth / Exporter and API health",
        "Whether the exporter sees Kernel's API, what that costs, and how the exporter fares.", laid_out(rows))
