"""Names: what dashboards, rules, runbooks and their pages say exists, and what
exists is somewhere to be seen. The catalogue is docs/metrics.md, which is made
from the exporter's own."""

import json
import pathlib
import re

import pytest
import yaml

from assets_boards import BOARDS, every
from assets_promql import parse

ROOT = pathlib.Path(__file__).parents[2]
RULES = [rule for group in yaml.safe_load((ROOT / "alerts" / "kernel-auth-rules.yml").read_text())["groups"]
         for rule in group["rules"]]
ALERTS = sorted({rule["alert"] for rule in RULES if "alert" in rule})
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
RUNBOOKS = {path.stem: path.read_text() for path in sorted((ROOT / "docs" / "runbooks").glob("*.md"))}
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("alerting", "dashboards")}

# Prometheus' own, and labels that it or the rules add.
OF_PROMETHEUS = {"up", "ALERTS", "ALERTS_FOR_STATE", "scrape_duration_seconds"}
OF_CONNECTIONS = {"connection_id", "domain", "profile_name"}
OF_RECORDED = {
    "connection:kernel_auth_attention:rank": {"why"},
    "domain:kernel_auth_connection_status:count": {"status"},
    "domain:kernel_auth_flows_ended:count5m": {"type", "outcome"},
    "domain:kernel_auth_flow_errors:count5m": {"error_code"},
}
COMMON = {"cluster", "namespace", "job", "instance", "account", "project", "alertname", "alertstate", "severity", "le"}


class Catalogue:
    """docs/metrics.md, read."""

    def __init__(self, text):
        self.labels, self.values, self.kinds = {}, {}, {}
        for section in re.split(r"^## ", text, flags=re.M)[1:]:
            each = re.search(r"^Labels of each: (.*)$", section, re.M)
            common = set(re.findall(r"`(\w+)`", each.group(1))) if each else set()
            for family, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\|", section, re.M):
                self.labels[family] = common | set(re.findall(r"`(\w+)`", labels))
                self.kinds[family] = kind
            for family, label, values in re.findall(r"^`(\w+)`, values of `(\w+)`: (.*)$", section, re.M):
                self.values[family, label] = set(re.findall(r"`([^`]+)`", values))

    def family(self, name):
        """The family of a sample's name."""
        if name in self.labels:
            return name
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        return base if self.kinds.get(base) == "histogram" else None


@pytest.fixture(scope="module")
def catalogue():
    found = Catalogue((ROOT / "docs" / "metrics.md").read_text())
    assert len(found.labels) > 40, "docs/metrics.md was not understood"
    return found


def expressions():
    for name in BOARDS:
        for query in every(name):
            yield str(query), query.expr
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
        for text in rule.get("annotations", {}).values():
            for template in re.findall(r'printf "((?:\\.|[^"\\])*)" \$labels[^|]*\| query', text):
                yield f"{rule['alert']}: annotation", template.replace('\\"', '"').replace("%q", '"x"')
    for name, text in RUNBOOKS.items():
        for expr in re.findall(r"```promql\n(.*?)```", text, re.S):
            yield f"runbook {name}", expr


def test_every_metric_and_label_exists(catalogue):
    wrong = []
    seen = 0
    for where, expr in expressions():
        selectors, labels = parse(expr)
        allowed = set(COMMON)
        for selector in selectors:
            seen += 1
            family = catalogue.family(selector.name)
            if family is None and selector.name not in OF_PROMETHEUS | RECORDED:
                wrong.append((where, selector.name))
                continue
            own = catalogue.labels[family] if family else OF_CONNECTIONS | OF_RECORDED.get(selector.name, set())
            allowed |= own
            for label, operator, value in selector.matchers:
                if label not in own | COMMON:
                    wrong.append((where, selector.name, label))
                known = catalogue.values.get((family, label))
                for one in value.strip('"').split("|") if known and "$" not in value else ():
                    if one not in known:
                        wrong.append((where, selector.name, label, one))
        # Made from others.
        allowed |= set(re.findall(r'"(\w+)", "[^"]*", "\w*", "[^"]*"\)', expr))
        wrong += [(where, label) for label in labels - allowed]
    assert seen > 300 and wrong == []


def test_every_metric_of_the_pages_exists(catalogue):
    for name, text in {**RUNBOOKS, **PAGES}.items():
        text = re.sub(r"\b(instance|scope|connection|domain|account):kernel_auth_\w+:\w+", "", text)
        for metric in re.findall(r"\bkernel_auth_\w+", text):
            assert catalogue.family(metric) or metric in RECORDED, (name, metric)


def test_every_family_is_charted_or_listed(catalogue):
    used = {catalogue.family(selector.name) for _, expr in expressions() for selector in parse(expr)[0]}
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGES["dashboards"].split("## Not charted")[1], re.M))
    families = {family for family in catalogue.labels if not family.startswith("probe_")}
    assert families - used - listed == set()
    assert listed - families == set(), "listed and not there"
    assert listed & used == set(), "listed and charted"


# --- rules ---------------------------------------------------------------------------

@pytest.mark.parametrize("rule", [rule for rule in RULES if "alert" in rule],
                         ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_is_complete(rule):
    assert rule["labels"]["severity"] in ("critical", "warning")
    # What waits in a recording outlives a restart of Prometheus; `for` does so from ten minutes on.
    assert rule.get("for") or "firing" in rule["expr"] or "time() -" in rule["expr"] or "_avg" in rule["expr"]
    assert "keep_firing_for" not in rule, "old Prometheus and vmalert refuse it, and a restart forgets it"
    annotations = rule["annotations"]
    assert set(annotations) - {"remedy"} == {"summary", "description", "runbook_url", "dashboard_url"}
    assert annotations["runbook_url"].endswith(f"/{rule['alert']}.md")
    assert re.search(r"/d/(kernel-auth-\w+)\?", annotations["dashboard_url"]).group(1) in BOARDS
    if rule["expr"].startswith("connection:") and rule["alert"] != "KernelAuthConnectionMissing":
        for name in ("domain", "profile_name", "connection_id"):
            assert f"$labels.{name}" in annotations["description"], name
        assert "| query" in annotations["description"], "the reason is asked for by a template"
    for text in annotations.values():
        assert "profile_name }}" not in text.replace("with $labels.profile_name }}", ""), "a profile's name is cut"


def test_every_rule_asks_for_the_job():
    for rule in RULES:
        for selector in parse(rule["expr"])[0]:
            jobs = [matcher for matcher in selector.matchers if matcher[0] == "job"]
            assert jobs in (
                [("job", "=", '"kernel-auth-exporter"')], [("job", "=", '"kernel-auth-probe"')],
                [("job", "=~", '"kernel-auth-exporter|kernel-auth-probe"')]), (rule, selector)


def test_every_grouping_keeps_cluster_and_namespace():
    """Two environments under one name are two."""
    groupings = 0
    for rule in RULES:
        for grouping in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
            groupings += 1
            names = grouping.replace(" ", "").split(",")
            assert {"cluster", "namespace"} <= set(names) or names == ["job"], (rule, grouping)
    assert groupings > 120
    for rule in yaml.safe_load((ROOT / "examples" / "alertmanager.yml").read_text())["inhibit_rules"]:
        assert {"cluster", "namespace"} <= set(rule["equal"]), rule


def test_the_operator_has_the_same_rules():
    made = yaml.safe_load((ROOT / "alerts" / "kernel-auth-prometheusrule.yml").read_text())
    assert made["apiVersion"] == "monitoring.coreos.com/v1" and made["kind"] == "PrometheusRule"
    assert made["spec"] == yaml.safe_load((ROOT / "alerts" / "kernel-auth-rules.yml").read_text())


# --- remedies ---------------------------------------------------------------------------

REMEDIES = json.loads((ROOT / "alerts" / "remedies.json").read_text())

# How https://www.kernel.sh/docs/reference/cli/managed-auth writes them. They are not run: the simulated API answers GET alone.
KERNEL_COMMANDS = [
    "kernel auth connections get <id>",
    "kernel auth connections login <id>",
    "kernel auth connections follow <id>",
    "kernel auth connections timeline <id>",
    "kernel auth connections timeline <id> --type reauth",
    "kernel auth connections submit <id> --field-value <field>=<value>",
    *[f"kernel auth connections update <id> --{flag}" for flag in (
        "auto-reauth", "auto-reauth=false", "health-checks", "health-check-interval <seconds>", "proxy-id <proxy>", "login-url <url>", "allowed-domain <domain>")],
    "kernel credentials update <name> --totp-secret <secret>",
    "kernel credentials update <name> --value <field>=<value>",
    "kernel credential-providers test <provider>",
]


def test_every_code_has_a_remedy(catalogue):
    assert list(REMEDIES) == ["error_code", "can_reauth_reason", "flow_step"]
    for family, label, kind in (("connection_flow_error", "error_code", "error_code"),
                                ("connection_can_reauth_reason", "reason", "can_reauth_reason")):
        assert set(REMEDIES[kind]) == catalogue.values[f"kernel_auth_{family}", label]
    assert set(REMEDIES["flow_step"]) < catalogue.values["kernel_auth_connection_flow_step", "flow_step"]
    for table in REMEDIES.values():
        for code, one in table.items():
            assert list(one) == ["meaning", "remedy", "command"], code
            assert one["command"] in KERNEL_COMMANDS, code
            for text in (one["meaning"], one["remedy"]):
                assert text.endswith(".") and len(text) < 120 and "|" not in text, code


def test_every_command_of_kernels_is_one():
    known = {re.sub(r"<\w+>", "ID", command) for command in KERNEL_COMMANDS}
    seen = 0
    for name, text in {**RUNBOOKS, **PAGES}.items():
        for command in re.findall(r"^ *(kernel [a-z].*)$", text, re.M) + re.findall(r"`(kernel [a-z][^`]*)`", text):
            seen += 1
            assert re.sub(r'"\$\w+"|<\w+>|NAME', "ID", command) in known, (name, command)
    assert seen > 60


# --- runbooks ------------------------------------------------------------------------

def test_one_runbook_for_each_alert():
    assert sorted(RUNBOOKS) == ALERTS
    table = re.findall(r"^\| \[(\w+)\]", PAGES["alerting"], re.M)
    assert sorted(table) == ALERTS, "docs/alerting.md lists every alert"


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_tells_what_it_should(name):
    text = RUNBOOKS[name]
    assert text.startswith(f"# {name}\n")
    sections = dict(re.findall(r"^## ([^\n]+)\n\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert list(sections)[:4] == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert all(len(body.strip()) > 40 for body in sections.values())
    assert "```promql" in sections["Diagnosis"]


def anchors(text):
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", text, re.M)}


def test_every_link_resolves():
    pages = {ROOT / "docs" / "runbooks" / f"{name}.md": text for name, text in RUNBOOKS.items()}
    pages |= {ROOT / "docs" / f"{name}.md": text for name, text in PAGES.items()}
    links = 0
    for path, text in pages.items():
        for link in re.findall(r"\]\(([^)]+)\)", text):
            links += 1
            target, _, anchor = link.partition("#")
            found = (path.parent / target).resolve() if target else path
            assert found.exists(), (path, link)
            assert not anchor or anchor in anchors(found.read_text()), (path, link)
    assert links > 60
    for rule in RULES:
        if "alert" in rule:
            page = rule["annotations"]["runbook_url"].rsplit("/", 1)[1]
            assert (ROOT / "docs" / "runbooks" / page).exists()


def test_flags_that_pages_name_exist():
    """Of `assets`; the exporter's own begin with a word and a dot."""
    source = (ROOT / "src" / "assets" / "options.rs").read_text()
    flags = {name.replace("_", "-") for name in re.findall(r"pub (\w+):", source)} | {"help", "check"}
    for name, text in {**RUNBOOKS, **PAGES}.items():
        text = re.sub(r"```sh\n.*?```|`kernel [^`]*`", "", text, flags=re.S)
        for flag in re.findall(r"`?--([a-z][a-z-]+)(?![\w.-])", text):
            assert flag in flags, (name, flag)
