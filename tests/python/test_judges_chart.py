"""The Helm chart, rendered by helm over a matrix of values.

Helm comes from no package of Debian: scripts/judges builds it, and runs these.
What Kubernetes knows is held against Kubernetes' schemas, strictly; what the
Prometheus Operator knows has a judge of its own.
"""

from __future__ import annotations

import copy
import os
import pathlib
import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/kernel-auth-exporter"
HELM = os.environ["HELM"]
KEY = "sk_chart_Vq81kXw"

WEB = {"basic_auth_users": {"prometheus": "$2y$10$1NgHd.2vIgDJXG1PbsXThuA/x3PXa4zWcPcECtc2YjVADgsguy4L2"}}
TLS = {"tls_server_config": {"cert_file": "../tls/tls.crt", "key_file": "../tls/tls.key"}}
MONITOR = {
    "serviceMonitor": {
        "enabled": True,
        "namespace": "monitoring",
        "additionalLabels": {"release": "prometheus"},
        "tlsConfig": {"serverName": "exporter.example.com", "ca": {"secret": {"name": "tls", "key": "ca.crt"}}},
        "basicAuth": {"username": {"name": "scrape", "key": "user"}, "password": {"name": "scrape", "key": "password"}},
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "go_.*"}],
        "targetLabels": ["team"],
        "sampleLimit": 1000000,
    }
}
EVERYTHING = {
    "existingSecret": "kernel-api-key",
    "existingSecretKey": "token",
    "commonLabels": {"team": "auth"},
    "commonAnnotations": {"owner": "auth"},
    "config": {"api": {"max_connections": 10000000, "cache": "15s"}, "collectors": {"timeline": True, "org": True}},
    "webConfig": {**WEB, **TLS},
    "webTlsSecret": "exporter-tls",
    **MONITOR,
    "prometheusRule": {"enabled": True, "additionalLabels": {"release": "prometheus"}},
    "alertmanagerConfig": {"enabled": True, "receivers": [{"name": "pager"}, {"name": "chat"}]},
    "dashboards": {"enabled": True},
    "networkPolicy": {"enabled": True, "ingressFrom": [{"namespaceSelector": {}}]},
    "podDisruptionBudget": {"enabled": True},
    "imagePullSecrets": [{"name": "registry"}],
    "extraArgs": ["--kernel.concurrency=4"],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
    "extraEnvFrom": [{"configMapRef": {"name": "proxy"}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
    "extraContainers": [{"name": "beside", "image": "example.com/beside:1"}],
    "initContainers": [{"name": "before", "image": "example.com/before:1"}],
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}, "data": {"a": "{{ b }}"}}],
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
    "startupProbe": {"tcpSocket": {"port": "metrics"}},
    "podLabels": {"tier": "monitoring"},
    "podAnnotations": {"note": "pod"},
    "deploymentAnnotations": {"note": "deployment"},
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "dnsPolicy": "ClusterFirst",
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["proxy"]}],
    "serviceAccount": {"name": "exporter", "annotations": {"note": "account"}},
    "service": {"annotations": {"note": "service"}, "labels": {"team": "other"}, "ipFamilyPolicy": "PreferDualStack",
                "ipFamilies": ["IPv4", "IPv6"]},
}
ACCOUNTS = {
    "accounts": [
        {"name": "production", "existingSecret": "kernel-production"},
        {"name": "staging", "existingSecret": "kernel-staging", "existingSecretKey": "token",
         "projects": ["proj_1"], "domains": ["portal.example.com"]},
    ]
}
MATRIX = {
    "demo": {"demo": {"enabled": True}},
    "key": {"apiKey": KEY},
    "secret": {"existingSecret": "kernel-api-key"},
    "accounts": ACCOUNTS,
    "accounts without a project": {"accounts": [
        {"name": "production", "existingSecret": "k", "connections": ["ma_abc123xyz"]},
        {"name": "staging", "existingSecret": "k", "projects": None},
    ]},
    "environment": {"extraEnv": [{"name": "KERNEL_API_KEY", "valueFrom": {"secretKeyRef": {"name": "k", "key": "k"}}}]},
    "everything": EVERYTHING,
    "basic auth": {"existingSecret": "k", "webConfig": WEB, "serviceMonitor": {"enabled": True}},
    "TLS": {"existingSecret": "k", "webConfig": TLS, "webTlsSecret": "tls", "podMonitor": {"enabled": True}},
    "web config of a secret": {"existingSecret": "k", "existingWebConfigSecret": "web"},
    "client certificates": {
        "existingSecret": "k", "webTlsSecret": "tls",
        "webConfig": {"tls_server_config": {**TLS["tls_server_config"], "client_ca_file": "../tls/ca.crt",
                                            "client_auth_type": "RequireAndVerifyClientCert"}},
    },
    "OpenShift": {"existingSecret": "k", "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
    "own probes": {"existingSecret": "k", "livenessProbe": {"exec": {"command": ["true"]}}, "readinessProbe": {"grpc": {"port": 1}}},
    "projects": {"existingSecret": "k", "project": ["proj_1", "proj_2"]},
    "no project": {"existingSecret": "k", "project": None},
    "monitor": {"existingSecret": "k", **MONITOR},
    "rules": {"existingSecret": "k", "prometheusRule": {"enabled": True}},
    "names that look like numbers": {
        "accounts": [{"name": "123", "existingSecret": "456", "existingSecretKey": "1", "profiles": ["task_runner"]}],
        "webConfig": TLS, "webTlsSecret": "0x1f", "serviceAccount": {"name": "007"},
    },
    "labels given twice": {
        "existingSecret": "k",
        "commonLabels": {"team": "auth", "app.kubernetes.io/instance": "argo"},
        "service": {"labels": {"team": "other", "app.kubernetes.io/name": "other"}},
        "podLabels": {"team": "pods"},
        "podAnnotations": {"kubectl.kubernetes.io/default-container": "beside"},
        "serviceMonitor": {"enabled": True},
    },
    "digest": {"existingSecret": "k", "image": {"registry": "registry.example.com/team", "digest": "sha256:" + "a" * 64}},
}


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice."""


def _mapping(loader, node, deep=False):
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    assert len(keys) == len(set(keys)), f"a key twice among {keys}"
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG,
                       lambda loader, node: _mapping(loader, node, deep=True))


def helm(*arguments, values=None):
    return subprocess.run(
        [HELM, *arguments, *(["-f", "-"] if values is not None else [])],
        input=None if values is None else yaml.safe_dump(values), capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )


def render(values, *arguments, release="kernel", namespace="auth", chart=CHART) -> str:
    run = helm("template", release, str(chart), "--namespace", namespace, *arguments, values=values)
    assert run.returncode == 0, run.stderr
    return run.stdout


def objects(text) -> list[dict]:
    return [document for document in yaml.load_all(text, Strict) if document]


def of(kind, documents) -> dict:
    found, = [document for document in documents if document["kind"] == kind and "helm.sh/hook" not in
              (document["metadata"].get("annotations") or {})]
    return found


def container(documents) -> dict:
    return of("Deployment", documents)["spec"]["template"]["spec"]["containers"][0]


def refused(values, *arguments) -> str:
    run = helm("template", "kernel", str(CHART), *arguments, values=values)
    assert run.returncode != 0, run.stdout
    return run.stderr


@pytest.fixture
def check(binary, tmp_path):
    """`check-config`, which must be content."""

    def check(*flags: str, env: dict[str, str]) -> None:
        run = subprocess.run([binary, "check-config", *flags], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr

    return check


@pytest.fixture(params=MATRIX, ids=lambda name: name.replace(" ", "-"))
def case(request):
    return MATRIX[request.param]


def test_lint_is_strict_and_silent(case):
    run = helm("lint", "--strict", str(CHART), values=case)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "[WARNING]" not in run.stdout and "[ERROR]" not in run.stdout


def test_kubernetes_takes_every_object(case):
    for document in objects(render(case)):
        if "monitoring.coreos.com" in document["apiVersion"]:
            assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
            continue
        for version in ("1.30", "1.34"):
            kubernetes_validate.validate(document, version, strict=True)


def test_the_operator_takes_every_object(case):
    # The judge knows the kinds of v1; AlertmanagerConfig is not among them yet.
    parts = render(case).split("\n---\n")
    text = "\n---\n".join(part for part in parts if "kind: AlertmanagerConfig" not in part)
    run = subprocess.run([os.environ["MANIFESTS"], "-"], input=text, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_two_renders_are_the_same(case):
    assert render(case) == render(case)


def test_what_selects_finds_what_it_selects(case):
    documents = objects(render(case))
    pod = of("Deployment", documents)["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    deployment = of("Deployment", documents)["spec"]["selector"]["matchLabels"]
    # Nothing in it may change from one version of the chart to the next.
    assert deployment == {"app.kubernetes.io/name": "kernel-auth-exporter", "app.kubernetes.io/instance": "kernel"}
    service = of("Service", documents)
    assert deployment.items() <= labels
    assert service["spec"]["selector"] == deployment
    port, = service["spec"]["ports"]
    ports = [port["name"] for port in container(documents)["ports"]]
    assert port["targetPort"] in ports
    for document in documents:
        namespace = document["metadata"].get("namespace")
        if document["kind"] in ("ServiceMonitor", "PodMonitor"):
            spec = document["spec"]
            target = service["metadata"]["labels"] if document["kind"] == "ServiceMonitor" else dict(labels)
            assert spec["selector"]["matchLabels"].items() <= target.items()
            # The job's name is the value of that label, and the rules name it.
            assert target[spec["jobLabel"]] == "kernel-auth-exporter"
            endpoint, = spec.get("endpoints") or spec["podMetricsEndpoints"]
            assert endpoint["port"] == port["name"]
            names = spec.get("namespaceSelector", {}).get("matchNames")
            assert names == (None if namespace == "auth" else ["auth"])
        if document["kind"] == "PrometheusRule":
            jobs = set(re.findall(r'job="([^"]+)"', yaml.safe_dump(document["spec"])))
            assert jobs and jobs <= {"kernel-auth-exporter", "kernel-auth-probe"}
        if document["kind"] in ("NetworkPolicy", "PodDisruptionBudget"):
            selector = document["spec"].get("podSelector") or document["spec"]["selector"]
            assert selector["matchLabels"] == deployment


def test_no_key_is_outside_of_a_secret():
    documents = objects(render(MATRIX["key"]))
    for document in documents:
        assert document["kind"] == "Secret" or KEY not in str(document)
    assert of("Secret", documents)["data"]["api-key"]
    for text in ("kernel_api_key: ", "api_key: "):
        assert "ConfigMap" in refused({"config": {"accounts": [{"name": "a", text.strip(": "): KEY}]}})


def test_mounts_name_volumes_and_files_are_in_directories(case):
    documents = objects(render(case))
    spec = of("Deployment", documents)["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    mounts = container(documents).get("volumeMounts", [])
    assert {mount["name"] for mount in mounts} == volumes
    # A file that is mounted alone never changes again.
    assert not any("subPath" in mount for mount in mounts)
    assert spec["automountServiceAccountToken"] is False


def test_a_change_of_the_config_starts_a_new_pod():
    def pod(**values):
        documents = objects(render({"existingSecret": "k", **values}))
        return of("Deployment", documents)["spec"]["template"]

    first = pod(config={"api": {"cache": "15s"}})
    assert first == pod(config={"api": {"cache": "15s"}})
    assert first != pod(config={"api": {"cache": "30s"}})
    # Users and certificates are seen while it runs.
    assert pod(webConfig=WEB) == pod(webConfig={**WEB, "rate_limit": {"interval": "1s", "burst": 9}})


def test_the_program_takes_flags_and_config(case, check, tmp_path):
    documents = objects(render(case))
    arguments = list(container(documents)["args"])
    demo = arguments[0] == "demo"
    # What the pod finds at these places.
    (tmp_path / "keys").mkdir()
    for name in ("api-key", "production", "staging", "123"):
        (tmp_path / "keys" / name).write_text(KEY)
    for document in documents:
        if document["kind"] == "ConfigMap" and "config.yml" in document["data"]:
            text = document["data"]["config.yml"].replace("/run/secrets/kernel", str(tmp_path / "keys"))
            (tmp_path / "config.yml").write_text(text)
    flags = []
    for argument in arguments:
        if argument.startswith(("--web.config.file", "--connections", "--seed", "--speed")) or argument == "demo":
            continue
        argument = argument.replace("/run/secrets/kernel", str(tmp_path / "keys"))
        flags.append(argument.replace("/etc/kernel-auth-exporter/config", str(tmp_path)))
    flags_name_a_key = any(flag.startswith(("--kernel.api-key-file", "--config.file")) for flag in flags)
    env = {} if flags_name_a_key else {"KERNEL_API_KEY": KEY}
    assert demo or flags_name_a_key or case is MATRIX["environment"]
    check(*flags, env=env)


def test_probes_need_neither_password_nor_certificate(case):
    with_web = "webConfig" in case or "existingWebConfigSecret" in case
    here = container(objects(render(case)))
    for probe, path in (("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
        if probe in case:
            assert here[probe] == case[probe]
        elif with_web:
            assert here[probe] == {"tcpSocket": {"port": "metrics"}}
        else:
            assert here[probe] == {"httpGet": {"path": path, "port": "metrics"}}
    assert "$2y$" not in str(here)


def test_openshift_may_choose_the_user():
    pod = of("Deployment", objects(render(MATRIX["OpenShift"])))["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_the_image_is_that_of_the_release():
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert container(objects(render(MATRIX["demo"])))["image"] == f"kernel-auth-exporter:{version}"
    image = container(objects(render(MATRIX["digest"])))["image"]
    assert image == "registry.example.com/team/kernel-auth-exporter@sha256:" + "a" * 64


def spec_text(rendered) -> str:
    """The rules of a rendered PrometheusRule, as they are written."""
    document, = [part for part in rendered.split("\n---\n") if "kind: PrometheusRule" in part]
    return document[document.index("\nspec:\n"):].rstrip("\n")


def test_rules_are_the_repositorys_own():
    ours = (ROOT / "alerts/kernel-auth-prometheusrule.yml").read_text()
    assert spec_text(render(MATRIX["rules"])) == ours[ours.index("\nspec:\n"):].rstrip("\n")


THRESHOLDS = [
    ({"interval": "15s", "needsAuthFor": "20m", "humanLoginFor": "1h30m", "flowAwaitingFor": "2m"},
     ["--interval=15s", "--needs-auth-for=20m", "--human-login-for=1h30m", "--flow-awaiting-for=2m"]),
    ({"exporterDownFor": "90s", "apiDownFor": "1m", "warningFor": "1d", "keepFiringFor": "45s"},
     ["--exporter-down-for=90s", "--api-down-for=1m", "--warning-for=1d", "--keep-firing-for=45s"]),
    ({"stalenessFactor": 5, "reauthFailures": 9, "flappingChanges": 6, "snapshotMaxAge": "1500ms"},
     ["--staleness-factor=5", "--reauth-failures=9", "--flapping-changes=6", "--snapshot-max-age=1500ms"]),
    ({"rateLimitedShare": 0.25, "burnShare": 1, "burnSlowShare": 0.5, "burnMinConnections": 10},
     ["--rate-limited-share=0.25", "--burn-share=1", "--burn-slow-share=0.5", "--burn-min-connections=10"]),
    ({"keyExpiryWarningDays": 30, "keyExpiryCriticalDays": 0, "connectionsLimitShare": 0.75},
     ["--key-expiry-warning-days=30", "--key-expiry-critical-days=0", "--connections-limit-share=0.75"]),
]


SIGN_UPS = [({"neverLoggedIn": "off", "personLogin": "critical"}, ["--never-logged-in=off", "--person-login=critical"])]


@pytest.mark.parametrize("key, given, flags", [*(("thresholds", *one) for one in THRESHOLDS), *(("signUps", *one) for one in SIGN_UPS)],
                         ids=lambda value: None)
def test_values_mean_what_the_flags_of_assets_mean(key, given, flags, binary, tmp_path):
    base = {"runbookBaseUrl": "https://git.example.org/runbooks/", "dashboardBaseUrl": "https://grafana.example.org"}
    values = {"existingSecret": "k", "prometheusRule": {"enabled": True, key: given, **base}}
    flags = [*flags, f"--runbook-base-url={base['runbookBaseUrl']}", f"--dashboard-base-url={base['dashboardBaseUrl']}"]
    subprocess.run([binary, "assets", tmp_path, *flags], check=True, capture_output=True)
    theirs = (tmp_path / "alerts/kernel-auth-prometheusrule.yml").read_text()
    assert spec_text(render(values)) == theirs[theirs.index("\nspec:\n"):].rstrip("\n")


def test_rules_can_be_left_out_labelled_and_added():
    own = {"name": "own", "rules": [{"alert": "Own", "expr": "up == 0", "annotations": {"a": "{{ $labels.job }}"}}]}
    rule = {"enabled": True, "disabled": ["KernelAuthExporterAbsent"], "additionalRuleLabels": {"team": "auth"},
            "additionalGroups": [own]}
    groups = of("PrometheusRule", objects(render({"existingSecret": "k", "prometheusRule": rule})))["spec"]["groups"]
    assert groups[-1] == own
    ours = yaml.safe_load((ROOT / "alerts/kernel-auth-rules.yml").read_text())["groups"]
    expected = copy.deepcopy(ours)
    for group in expected:
        group["rules"] = [one for one in group["rules"] if one.get("alert") != "KernelAuthExporterAbsent"]
        for one in group["rules"]:
            if "alert" in one:
                one["labels"]["team"] = "auth"
    assert groups[:-1] == expected


def test_the_operator_routes_the_alert_that_nobody_watches():
    receivers = [{"name": "pager"}, {"name": "chat"}]
    values = {"existingSecret": "k", "prometheusRule": {"enabled": True}}
    for namespace in (None, "monitoring"):
        routed = {"enabled": True, "receivers": receivers, **({"namespace": namespace} if namespace else {})}
        documents = objects(render({**values, "alertmanagerConfig": routed}))
        groups = of("PrometheusRule", documents)["spec"]["groups"]
        absent, = [rule for group in groups for rule in group["rules"] if rule.get("alert") == "KernelAuthExporterAbsent"]
        # By default the Operator adds this to what an AlertmanagerConfig matches.
        assert absent["labels"]["namespace"] == of("AlertmanagerConfig", documents)["metadata"]["namespace"]


def test_helm_test_reaches_the_exporter_through_its_policy():
    values = {"existingSecret": "k", "networkPolicy": {"enabled": True, "ingressFrom": [{"namespaceSelector": {}}]}}
    documents = objects(render(values))
    pod, = [document for document in documents if document["kind"] == "Pod"]
    admitted, = of("NetworkPolicy", documents)["spec"]["ingress"]
    selectors = [peer["podSelector"]["matchLabels"] for peer in admitted["from"] if "podSelector" in peer]
    assert any(selector.items() <= pod["metadata"]["labels"].items() for selector in selectors)


def test_promtool_takes_the_rules(tmp_path):
    document = of("PrometheusRule", objects(render(MATRIX["everything"])))
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(document["spec"]))
    run = subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_dashboards_are_the_repositorys_own():
    documents = [one for one in objects(render({"existingSecret": "k", "dashboards": {"enabled": True}}))
                 if one["kind"] == "ConfigMap"]
    found = {}
    for document in documents:
        assert document["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert document["metadata"]["annotations"]["grafana_folder"] == "Kernel"
        # `kubectl apply` keeps a copy in an annotation, which is bounded.
        assert len(yaml.safe_dump(document)) < 262144
        found.update(document["data"])
    ours = {path.name: path.read_text() for path in (ROOT / "dashboards").glob("*.json")}
    assert len(documents) == len(ours) == len({one["metadata"]["name"] for one in documents})
    assert {name: text.rstrip("\n") for name, text in found.items()} == {
        name: text.rstrip("\n") for name, text in ours.items()}


def test_two_releases_stay_two():
    names = []
    for release, namespace in (("one", "a"), ("two", "b")):
        documents = objects(render({"demo": {"enabled": True}, "serviceMonitor": {"enabled": True}},
                                   release=release, namespace=namespace))
        monitor, service = of("ServiceMonitor", documents), of("Service", documents)
        assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"] == namespace
        assert monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == release
        names.append(service["metadata"]["name"])
    assert len(set(names)) == 2


def test_versions_of_managed_clusters_are_taken():
    for version in ("1.34.1-eks-1", "1.33.4-gke.1036000", "1.30.0"):
        render(MATRIX["demo"], "--kube-version", version)
    assert "kubeVersion" in refused(MATRIX["demo"], "--kube-version", "1.24.0")


def test_it_is_a_subchart(tmp_path):
    parent = tmp_path / "parent"
    shutil.copytree(CHART, parent / "charts/kernel-auth-exporter")
    (parent / "Chart.yaml").write_text(
        "apiVersion: v2\nname: parent\nversion: 0.0.1\ndependencies:\n"
        "  - {name: kernel-auth-exporter, version: '>=0', condition: kernel-auth-exporter.enabled}\n"
    )
    values = {"global": {"imageRegistry": "x"}, "kernel-auth-exporter": {"enabled": True, "demo": {"enabled": True}}}
    assert of("Deployment", objects(render(values, chart=parent)))
    values["kernel-auth-exporter"]["enabled"] = False
    assert objects(render(values, chart=parent)) == []
    values["kernel-auth-exporter"] = {"demmo": {"enabled": True}}
    run = helm("template", "x", str(parent), values=values)
    assert run.returncode != 0 and "demmo" in run.stderr


@pytest.mark.parametrize("values, words", [
    ({}, "needs an API key"),
    ({"apiKey": KEY, "existingSecret": "k"}, "apiKey and existingSecret are set together"),
    ({"demo": {"enabled": True}, **ACCOUNTS}, "accounts and demo.enabled are set together"),
    ({"existingSecret": "k", "config": {"accounts": []}}, "existingSecret and config.accounts are set together"),
    ({"existingSecret": "k", "serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "come twice"),
    ({"existingSecret": "k", "serviceMonitor": {"enabled": True, "interval": "10s"}}, "longer than serviceMonitor.interval"),
    ({"existingSecret": "k", "podMonitor": {"enabled": True, "scrapeTimeout": "2m"}}, "longer than podMonitor.interval"),
    ({"existingSecret": "k", "webConfig": WEB, "existingWebConfigSecret": "w"}, "keep one"),
    ({"existingSecret": "k", "alertmanagerConfig": {"enabled": True}}, 'no receiver "pager"'),
    ({"existingSecret": "k", "prometheusRule": {"enabled": True, "thresholds": {"interval": "2m"}}}, "at most 1m"),
    ({"existingSecret": "k", "prometheusRule": {"enabled": True, "signUps": {"personLogin": "page"}}}, "must be one of"),
    ({"existingSecret": "k", "prometheusRule": {"enabled": True, "disabled": ["KernelAuthTypo"]}}, "no alert KernelAuthTypo"),
    *(({"existingSecret": "k", "extraArgs": [flag]}, "what the chart says itself") for flag in
      ("--log.level=debug", "--web.listen-address=:9090", "--web.telemetry-path=/m")),
    ({"accounts": [ACCOUNTS["accounts"][0]] * 2}, "given twice"),
    ({"accounts": [{"name": "a b", "existingSecret": "k"}]}, "does not match pattern"),
    ({"existingSecret": "k", "replicas": 2}, "additional properties"),
    ({"existingSecret": "k", "serviceMonitor": {"enable": True}}, "additional properties"),
])
def test_what_cannot_work_is_refused_with_words(values, words):
    assert words in refused(values)
