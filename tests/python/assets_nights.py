"""Nights: what the exporter shows in each phase of one, laid out over minutes, and what fires when.

A phase is a real scrape of the real exporter. It is repeated every 30 seconds
until the next phase: ages grow, the snapshot moves or stands, what is gone gets
a stale marker. promtool, which is Prometheus' rule engine, is the judge, and no
clock runs.
"""

import json
import re
import subprocess

from prometheus_client.parser import text_string_to_metric_families

from assets_stories import ABSENT, json_labels, together, values
from monitoring import EVALUATED, PROMTOOL

EXPORTER, PROBE = "kernel-auth-exporter", "kernel-auth-probe"
STEP = 30  # seconds from one scrape to the next
TOLD = ("alertname", "severity", "cluster", "namespace", "instance", "account", "project", "domain", "connection_id")


class Target:
    """What Prometheus scrapes, and what it got from when on."""

    def __init__(self, job, instance, labels):
        self.labels = {"job": job, "instance": instance, **labels}
        self.phases = []

    def shows(self, minute, text):
        """From this minute on it answers with `text`."""
        self.phases.append((minute * 60, Phase(text)))
        return self

    def fails(self, minute):
        """From this minute on it does not answer."""
        self.phases.append((minute * 60, Phase(None)))
        return self

    def leaves(self, minute):
        """From this minute on it is no target any more."""
        self.phases.append((minute * 60, None))
        return self

    def at(self, second):
        """The series of the scrape at this second."""
        began, phase = max(((began, phase) for began, phase in self.phases if began <= second),
                           key=lambda one: one[0], default=(0, None))
        if phase is None:
            return {}
        found = {("up", tuple(sorted(self.labels.items()))): int(phase.answers)}
        for name, labels, value in phase.samples(began, second):
            # As with honor_labels: what the exporter says wins.
            found[name, tuple(sorted({**self.labels, **labels}.items()))] = value
        return found


class Phase:
    def __init__(self, text):
        self.answers = text is not None
        self.scrape = [(sample.name, sample.labels, sample.value)
                       for family in text_string_to_metric_families(text or "") for sample in family.samples
                       if sample.name.startswith(("kernel_auth_", "probe_")) and not sample.name.endswith("_bucket")]
        get = {(name, labels.get("connection_id")): value for name, labels, value in self.scrape}
        # The API's clock at that scrape, as far as it can be told.
        self.now = max((value + get["kernel_auth_connection_last_auth_check_age_seconds", id]
                        for (name, id), value in get.items()
                        if name == "kernel_auth_connection_last_auth_check_timestamp_seconds"
                        and ("kernel_auth_connection_last_auth_check_age_seconds", id) in get), default=None)
        self.blind = {scope(labels) for name, labels, value in self.scrape if name == "kernel_auth_up" and value == 0}

    def samples(self, began, second):
        passed = second - began
        ended = {labels["connection_id"] for name, labels, value in self.scrape
                 if name == "kernel_auth_connection_flow_expires_in_seconds" and value <= passed}
        for name, labels, value in self.scrape:
            if name == "kernel_auth_snapshot_timestamp_seconds":
                value = began if scope(labels) in self.blind else second
            elif name.endswith("_timestamp_seconds") and self.now:
                value += began - self.now
            elif name.endswith("_age_seconds"):
                value += passed
            elif name.endswith("_expires_in_seconds"):
                value -= passed
            elif name == "kernel_auth_connection_flow_live" and labels["connection_id"] in ended:
                value = 0
            yield name, labels, value


def scope(labels):
    return labels.get("account", ""), labels.get("project", "")


class Night:
    def __init__(self, situation, minutes):
        self.situation, self.minutes = situation, minutes
        self.targets, self.expected, self.comes = [], [], []

    def target(self, job=EXPORTER, instance="one:10077", **labels):
        self.targets.append(Target(job, instance, labels))
        return self.targets[-1]

    def told(self, alert, severity, begins, ends=None, **labels):
        """This alert fires from one minute to the other, or to the end of the night."""
        self.expected.append((alert, severity, begins, ends, labels))
        return self

    @property
    def is_alone(self):
        """A target that leaves is missed where there is no other."""
        gone = any(phase is None for target in self.targets for _, phase in target.phases)
        return gone or any(alert == ABSENT for alert, *_ in self.expected)

    def series(self, rules, cluster=None):
        """What the rules read of it: they name each family whole."""
        scrapes = [self.scrape(second) for second in range(0, self.minutes * 60 + 1, STEP)]
        read = set(re.findall(r"\w+", rules))
        keys = sorted({key for scrape in scrapes for key in scrape if key[0] in read})
        more = {"cluster": cluster} if cluster else {}
        return [{"series": name + json_labels({**dict(labels), **more}),
                 "values": values([scrape.get((name, labels)) for scrape in scrapes])} for name, labels in keys]

    def scrape(self, second):
        return {key: value for target in self.targets for key, value in target.at(second).items()}

    def firing(self, second):
        """What is expected to fire, as labels."""
        return [{"alertname": alert, "severity": severity, **labels}
                for alert, severity, begins, ends, labels in self.expected
                if begins * 60 <= second and (ends is None or second < ends * 60)]

    def as_test(self, rules, cluster=None):
        more = {"cluster": cluster} if cluster else {}
        expr = f'sum by ({", ".join(TOLD)}) (ALERTS{json_labels({"alertstate": "firing", **more})})'
        # Ranges lost their left end in Prometheus 3: an end may come a step earlier,
        # and so may what begins after a range.
        edges = {int(ends * 60) - EVALUATED for *_, ends, _ in self.expected if ends}
        edges |= {int(begins * 60) - EVALUATED for alert, _, begins, *_ in self.expected if alert == "KernelAuthExporterDown"}
        return {
            "name": self.situation, "interval": f"{STEP}s", "input_series": self.series(rules, cluster),
            "promql_expr_test": [
                {"expr": expr, "eval_time": f"{second}s", "exp_samples": [
                    {"labels": json_labels({**one, **more}), "value": 1} for one in self.firing(second)]}
                for second in range(0, self.minutes * 60 + 1, EVALUATED) if second not in edges]}

    def as_row(self):
        """Of a table: what comes how long after the first thing that happens."""
        origin = min(began for target in self.targets for began, _ in target.phases[1:] or target.phases) / 60
        row = [f"{alert} ({severity}{', ' + ', '.join(labels.values()) if labels else ''}) "
               f"after {begins - origin:g} min" + (f", over at {ends - origin:g}" if ends is not None else "")
               for alert, severity, begins, ends, labels in sorted(self.expected, key=lambda one: one[2])]
        return f"| {self.situation} | {'; '.join(row) or 'nothing'} |"


def judge(nights, rules, directory):
    """Nothing where promtool agrees, else what fired instead, and when."""
    text = rules.read_text()
    tests = [night.as_test(text) for night in nights if night.is_alone]
    if joined := [night.as_test(text, night.situation) for night in nights if not night.is_alone]:
        tests.append(together(joined))
    path = directory / "nights.json"  # JSON is YAML
    path.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": f"{EVALUATED}s", "tests": tests}))
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, timeout=170)
    return "" if done.returncode == 0 else explained(done.stdout + done.stderr)


def explained(said):
    """The differences, folded into spans."""
    spans = {}
    for second, expected, got in re.findall(r"time: (\w+),\s+exp: ?(.*?)\n\s+got: ?(.*?)(?=\n\s*expr|\Z)", said, re.S):
        second = sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in re.findall(r"(\d+)([hms])", second))
        pick = lambda text: set(re.findall(r"\{[^{}]*alertname[^{}]*\}", text))
        for mark, which in (("missing", pick(expected) - pick(got)), ("too many", pick(got) - pick(expected))):
            for one in which:
                spans.setdefault((mark, one), []).append(second / 60)
    return "\n".join(f"  {mark} {one} at {minutes[0]:g} to {minutes[-1]:g}"
                     for (mark, one), minutes in sorted(spans.items())) or said
