"""Stories for `promtool test rules`: what the exporter shows, minute by minute.

A story is told in scrapes, one every 30 seconds, in the exporter's own
families. promtool, which is Prometheus' rule engine, is the judge.
"""

import json
import subprocess

from monitoring import EVALUATED, PROMTOOL

JOB = "kernel-auth-exporter"
ABSENT = "KernelAuthExporterAbsent"
STEP = 0.5  # minutes from one scrape to the next
RUNBOOKS = "https://example.com/kernel-auth-exporter/docs/runbooks"
GRAFANA = "https://grafana.example.com/d"

STATUS = ["AUTHENTICATED", "NEEDS_AUTH", "UNKNOWN"]
FLOW_STATUS = ["NONE", "IN_PROGRESS", "SUCCESS", "FAILED", "EXPIRED", "CANCELED", "UNKNOWN"]
FLOW_STEP = ["NONE", "DISCOVERING", "AWAITING_INPUT", "AWAITING_EXTERNAL_ACTION", "SUBMITTING",
             "COMPLETED", "UNKNOWN"]
FLOW_TYPE = ["NONE", "LOGIN", "REAUTH", "UNKNOWN"]


class Story:
    """The scrapes of some minutes, and what is expected of the rules."""

    def __init__(self, name, minutes, states="all"):
        self.name = name
        self.scrapes = int(minutes / STEP) + 1
        self.states = states
        self.series = {}
        self.expected, self.texts = [], []

    # --- what the exporter shows -------------------------------------------

    def show(self, family, *changes, instance="one:10077", **labels):
        """`changes` are (minute, value); None is absent; a callable gets the minute."""
        labels = {"job": JOB, "instance": instance, **labels}
        key = family + "{" + ",".join(
            f"{name}={json.dumps(value)}" for name, value in sorted(labels.items())
            if value is not None) + "}"
        samples = self.series.setdefault(key, [None] * self.scrapes)
        for minute, value in changes:
            for scrape in range(int(minute / STEP), self.scrapes):
                samples[scrape] = value(scrape * STEP) if callable(value) else value
        return self

    def one_of(self, family, label, values, *changes, **labels):
        """A one-hot family, as --metrics.states wants it."""
        for value in values:
            rest = 0 if self.states == "all" else None
            hot = [(minute, 1 if state == value else (None if state is None else rest))
                   for minute, state in changes]
            self.show(family, *hot, **{label: value}, **labels)
        return self

    def exporter(self, *up, instance="one:10077", snapshot=None, why="timeout", unread=None, **scope):
        """An exporter that answers, and whether its last collection was whole.
        `unread`: how many connections it could not read, while it read the others."""
        self.show("up", (0, 1), instance=instance)
        self.show("kernel_auth_up", *(up or [(0, 1)]), instance=instance, **scope)
        self.show("kernel_auth_failure_reason", *[(minute, None if one else 1) for minute, one in up], instance=instance,
                  reason=why, **scope)
        self.show("kernel_auth_unread_connections", *[(minute, 0 if one else unread) for minute, one in up or [(0, 1)]],
                  instance=instance, **scope)
        self.show("kernel_auth_snapshot_timestamp_seconds",
                  *(snapshot or [(0, lambda minute: minute * 60)]), instance=instance, **scope)
        return self

    def connection(self, *status, id="c1", domain="shop.example.net", profile="buyer",
                   flow=((0, "NONE"),), step=((0, "NONE"),), kind=((0, "NONE"),), live=((0, 0),),
                   can_reauth=1, reason="has_credential", error=None, auto=1, checks=1,
                   check_age=60, interval=3600, expires_in=(), **labels):
        labels = {"connection_id": id, "domain": domain, "profile_name": profile, **labels}
        put = lambda family, *changes, **more: self.show(
            f"kernel_auth_connection_{family}", *changes, **labels, **more)
        self.one_of("kernel_auth_connection_status", "status", STATUS,
                    *(status or [(0, "AUTHENTICATED")]), **labels)
        self.one_of("kernel_auth_connection_flow_status", "flow_status", FLOW_STATUS, *flow, **labels)
        self.one_of("kernel_auth_connection_flow_step", "flow_step", FLOW_STEP, *step, **labels)
        self.one_of("kernel_auth_connection_flow_type", "flow_type", FLOW_TYPE, *kind, **labels)
        put("flow_live", *live)
        put("can_reauth", (0, can_reauth))
        put("can_reauth_reason", (0, 1), reason=reason)
        put("auto_reauth_enabled", (0, auto))
        put("health_checks_enabled", (0, checks))
        put("health_check_interval_seconds", (0, interval))
        put("last_auth_check_age_seconds", (0, check_age))
        if error:
            put("flow_error", (0, 1), error_code=error)
        if expires_in:
            put("flow_expires_in_seconds", *expires_in)
        return self

    def gap(self, start, end, containing=""):
        """Scrapes that fail: everything but `up` goes, with stale markers."""
        for key, samples in self.series.items():
            if containing in key:
                for scrape in range(int(start / STEP), int(end / STEP)):
                    samples[scrape] = 0 if key.startswith("up{") else None
        return self

    # --- what is expected --------------------------------------------------

    def expect(self, minute, alert, *alerts):
        """Exactly these firing alerts of this name, as labels."""
        self.expected.append((minute, alert, alerts))
        return self

    def says(self, minute, alert, *alerts):
        """The same with their texts; each is (labels, annotations)."""
        self.texts.append((minute, alert, alerts))
        return self

    def silent(self, alert, *minutes):
        for minute in minutes:
            self.expect(minute, alert)
        return self

    @property
    def is_alone(self):
        """Texts are asked for by the alert's name only, and absent means everywhere."""
        return bool(self.texts) or any(alert == ABSENT for _, alert, _ in self.expected)

    def as_test(self, cluster=None):
        kept_apart = {"cluster": cluster} if cluster else {}
        said = lambda alert: {"alertname": alert, "alertstate": "firing", **kept_apart}
        return {
            "name": f"{self.name} [{self.states}]",
            "interval": "30s",
            "input_series": [
                {"series": key.removesuffix("}") + "".join(f",{name}={json.dumps(value)}" for name, value in kept_apart.items()) + "}",
                 "values": values(samples)} for key, samples in self.series.items()],
            "promql_expr_test": [
                {"eval_time": f"{int(minute * 60)}s", "expr": "ALERTS" + json_labels(said(alert)),
                 "exp_samples": [{"labels": "ALERTS" + json_labels({**said(alert), **one}), "value": 1} for one in alerts]}
                for minute, alert, alerts in self.expected],
            "alert_rule_test": [
                {"eval_time": f"{int(minute * 60)}s", "alertname": alert,
                 "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}
                                for labels, annotations in alerts]}
                for minute, alert, alerts in self.texts],
        }


def json_labels(labels):
    return "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


def values(samples):
    out, before = [], None
    for sample in samples:
        if sample is None:
            out.append("stale" if before is not None else "_")
        else:
            out.append(repr(sample))
        before = sample
    return " ".join(out)


def together(tests):
    """Of many tests one, each in a cluster of its own: rules keep clusters apart, and cost as much as for one."""
    return {"name": "in their clusters", "interval": "30s", **{
        part: [one for test in tests for one in test[part]] for part in ("input_series", "promql_expr_test")}}


def judge(stories, rules, directory):
    """Runs promtool; returns its exit code and what it said. Hours are evaluated every
    two minutes."""
    running = []
    hours = [one for one in stories if one.scrapes > (100 if one.texts else 300)]
    for interval, those in ((f"{EVALUATED}s", [one for one in stories if one not in hours]), ("2m", hours)):
        if those:
            path = directory / f"stories-{interval}.json"  # JSON is YAML
            tests = [story.as_test() for story in those if story.is_alone]
            if joined := [story.as_test(f"{story.name} [{story.states}]") for story in those if not story.is_alone]:
                tests.append(together(joined))
            path.write_text(json.dumps({
                "rule_files": [str(rules)], "evaluation_interval": interval, "tests": tests}, indent=1))
            running.append(subprocess.Popen([PROMTOOL, "test", "rules", str(path)], stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, text=True))
    said = [one.communicate()[0] for one in running]
    return max(one.returncode for one in running), "".join(said)


def links(alert, connection_id=None, board="kernel-auth-connection", more=""):
    url = f"{GRAFANA}/{board}?"
    # Where connections are probed, their job is another one.
    url += f"var-connection_id={connection_id}" if connection_id else f"var-job={JOB}{more}"
    return {"runbook_url": f"{RUNBOOKS}/{alert}.md", "dashboard_url": url}


def labels(severity, id="c1", domain="shop.example.net", profile="buyer", **more):
    found = {"job": JOB, "severity": severity, "connection_id": id, "domain": domain,
             "profile_name": profile, **more}
    return {name: value for name, value in found.items() if value is not None}
