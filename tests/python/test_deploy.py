"""Each file of deploy/, held against the program and against those who read it.

The Helm chart has a file of its own, test_judges_chart.py.
"""

from __future__ import annotations

import json
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib

import kubernetes_validate
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
NAME = "prometheus-kernel-auth-exporter"
SERVICE = DEPLOY / f"systemd/{NAME}.service"
CARGO = tomllib.loads((ROOT / "Cargo.toml").read_text())
VERSION = CARGO["workspace"]["package"]["version"]
PORT = 10077
KEY = "sk_deploy_Vq81kXw"


def load(path: str):
    return yaml.safe_load((DEPLOY / path).read_text())


def run(*arguments, **keywords) -> str:
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, **keywords)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# --- what is the same everywhere ------------------------------------------------


def test_what_comes_from_elsewhere_is_as_it_is_there():
    run(sys.executable, ROOT / "scripts/deploy-files", "--check")


def compose(*names: str) -> dict:
    """The services, later files over earlier ones."""
    services: dict = {}
    for name in names:
        for service, settings in load(f"compose/{name}")["services"].items():
            services.setdefault(service, {}).update(settings)
    return services


def environment() -> dict[str, str]:
    """What /etc/default sets, as systemd reads it."""
    lines = (DEPLOY / f"systemd/{NAME}.default").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    return {name: "".join(shlex.split(value)) for name, value in pairs}


def container() -> dict:
    here, = load("kubernetes/base/deployment.yaml")["spec"]["template"]["spec"]["containers"]
    return here


def settings_of(flags: list[str]) -> dict[str, str]:
    return dict(flag.removeprefix("--").split("=", 1) for flag in flags)


def test_every_way_watches_every_project_with_a_key_of_a_file():
    units = environment()
    assert units == {"KERNEL_API_KEY_FILE": "/etc/kernel-auth-exporter/api-key", "KERNEL_PROJECT": "all", "OPTIONS": ""}
    chart = load("helm/kernel-auth-exporter/values.yaml")
    assert chart["project"] == "all"
    for flags in (container()["args"], compose("compose.yaml", "key.yaml")["exporter"]["command"]):
        settings = settings_of(flags)
        assert settings.keys() == {"kernel.api-key-file", "kernel.project"}
        assert settings["kernel.project"] == "all"
        assert settings["kernel.api-key-file"].startswith("/run/secrets/")


def test_compose_can_put_the_key_where_it_belongs():
    exporter = compose("compose.yaml", "key.yaml")["exporter"]
    assert exporter["secrets"] == ["kernel-api-key"]
    # Compose copies it into the container, which must not be read-only then.
    assert "environment" in load("compose/key.yaml")["secrets"]["kernel-api-key"]
    assert exporter["read_only"] is False


def test_every_way_has_the_same_port_user_and_version():
    chart = load("helm/kernel-auth-exporter/values.yaml")
    image = (DEPLOY / "Containerfile").read_text()
    assert f"EXPOSE {PORT}" in image and "USER 65534:65534" in image
    assert chart["service"]["port"] == container()["ports"][0]["containerPort"] == PORT
    assert load("kubernetes/base/service.yaml")["spec"]["ports"][0]["port"] == PORT
    assert f"ListenStream={PORT}" in (DEPLOY / f"systemd/{NAME}.socket").read_text()
    assert compose("compose.yaml")["exporter"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    pod = load("kubernetes/base/deployment.yaml")["spec"]["template"]["spec"]
    assert chart["podSecurityContext"] == pod["securityContext"]
    assert pod["securityContext"]["runAsUser"] == 65534
    assert chart["securityContext"] == container()["securityContext"]
    assert chart["resources"] == container()["resources"]
    assert chart["terminationGracePeriodSeconds"] == pod["terminationGracePeriodSeconds"]
    versions = {
        load("helm/kernel-auth-exporter/Chart.yaml")["version"],
        load("helm/kernel-auth-exporter/Chart.yaml")["appVersion"],
        load("kubernetes/base/kustomization.yaml")["images"][0]["newTag"],
        *(service["image"].split(":")[1] for service in compose("compose.yaml").values()
          if service["image"].startswith("kernel-auth-exporter:")),
        *(tag for page in ("README.md", "docs/installing.md", "deploy/Containerfile")
          for tag in re.findall(r"kernel-auth-exporter:([0-9.]+) ", (ROOT / page).read_text())),
    }
    assert versions == {VERSION}


def test_every_way_is_scraped_alike(binary, tmp_path):
    run(binary, "assets", tmp_path)
    sample = yaml.safe_load((tmp_path / "examples/prometheus-alerting.yml").read_text())
    stack = load("compose/prometheus/prometheus.yml")
    chart = load("helm/kernel-auth-exporter/values.yaml")
    endpoint, = load("kubernetes/operator/servicemonitor.yaml")["spec"]["endpoints"]
    wanted = sample["global"]["scrape_interval"], sample["global"]["scrape_timeout"]
    assert wanted == (stack["global"]["scrape_interval"], stack["global"]["scrape_timeout"])
    assert wanted == (endpoint["interval"], endpoint["scrapeTimeout"])
    for monitor in ("serviceMonitor", "podMonitor"):
        assert wanted == (chart[monitor]["interval"], chart[monitor]["scrapeTimeout"])
    assert [job["job_name"] for job in stack["scrape_configs"]] == ["kernel-auth-exporter"]


@pytest.mark.parametrize("way", ["unit", "kubernetes", "compose", "demo"])
def test_the_program_takes_the_flags(way, binary, tmp_path):
    key = tmp_path / "key"
    key.write_text(KEY)
    if way == "unit":
        env = {**environment(), "KERNEL_API_KEY_FILE": str(key)}
        run(binary, "check-config", *shlex.split(env.pop("OPTIONS")), env=env)
        return
    if way == "demo":
        assert compose("compose.yaml")["exporter"]["command"] == ["demo"]
        run(binary, "demo", "--help")
        return
    flags = container()["args"] if way == "kubernetes" else compose("compose.yaml", "key.yaml")["exporter"]["command"]
    flags = [re.sub(r"^(--kernel\.api-key-file)=.*", rf"\1={key}", flag) for flag in flags]
    run(binary, "check-config", *flags, env={})


# --- systemd --------------------------------------------------------------------


@pytest.fixture(scope="module")
def units(binary, tmp_path_factory):
    """The units with a program that is there, and without the man page."""
    directory = tmp_path_factory.mktemp("units")
    for kind in ("service", "socket"):
        text = (DEPLOY / f"systemd/{NAME}.{kind}").read_text()
        text = text.replace("/usr/bin/kernel-auth-exporter", str(binary)).replace("Documentation=man:kernel-auth-exporter(1)\n", "")
        (directory / f"{NAME}.{kind}").write_text(text)
    return directory


def test_systemd_has_nothing_to_say_to_the_units(units):
    assert run("systemd-analyze", "verify", "--man=no", units / f"{NAME}.service", units / f"{NAME}.socket") == ""


def test_the_service_is_hardened(units):
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", units / f"{NAME}.service")
    exposure = float(re.search(r"Overall exposure level for .*: ([0-9.]+)", said)[1])
    assert exposure < 1.5, said


def test_the_unit_needs_no_systemd_newer_than_247():
    keys = set(re.findall(r"^(\w+)=", SERVICE.read_text(), re.M))
    # With the version that brought them, of systemd's NEWS.
    newer = {"RefreshOnReload": 258, "MemoryKSM": 254, "OpenFile": 253, "ReloadSignal": 253, "ExitType": 250,
             "ImportCredential": 254, "RestrictFileSystems": 250, "NFTSet": 255, "PrivatePIDs": 257}
    assert not keys & newer.keys()
    text = SERVICE.read_text()
    assert "Type=notify\n" in text and "$OPTIONS\n" in text
    # Without one of these the key would be in two places.
    assert "KERNEL_API_KEY" not in re.sub(r"^#.*\n", "", text, flags=re.M)


def test_the_service_outlives_its_answers():
    seconds = int(re.search(r"^TimeoutStopSec=(\d+)s$", SERVICE.read_text(), re.M)[1])
    grace = load("kubernetes/base/deployment.yaml")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert seconds == grace == 30


# --- Kubernetes -----------------------------------------------------------------


def resources(kustomization: pathlib.Path) -> list[dict]:
    """What a kustomization names: a small reading of it, for where there is no kustomize."""
    found = []
    kustomization = kustomization.resolve()
    for name in yaml.safe_load((kustomization / "kustomization.yaml").read_text())["resources"]:
        path = (kustomization / name).resolve()
        if path.is_dir():
            found += resources(path)
        else:
            # Kustomize reads nothing outside of the directory.
            assert path.parent == kustomization
            found += list(yaml.safe_load_all(path.read_text()))
    return found


def test_manifests_agree():
    objects = resources(DEPLOY / "kubernetes/operator")
    assert [one["kind"] for one in objects] == ["Deployment", "Service", "ServiceMonitor", "PrometheusRule"]
    deployment, service, monitor, rule = objects
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        assert selector == labels
    assert monitor["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]
    endpoint, = monitor["spec"]["endpoints"]
    port, = service["spec"]["ports"]
    assert endpoint["port"] == port["name"]
    assert port["targetPort"] in [port["name"] for port in container()["ports"]]
    job = service["metadata"]["labels"][monitor["spec"]["jobLabel"]]
    assert set(re.findall(r'job="([^"]+)"', str(rule["spec"]))) <= {job, "kernel-auth-probe"}
    mount, = container()["volumeMounts"]
    assert container()["args"][0] == f"--kernel.api-key-file={mount['mountPath']}/api-key"
    assert "subPath" not in mount


def test_the_chart_links_to_what_it_carries():
    files = DEPLOY / "helm/kernel-auth-exporter/files"
    assert (files / "dashboards").resolve() == ROOT / "dashboards"
    assert (files / "rules.yml.tmpl").resolve() == ROOT / "src/assets/rules.yml.tmpl"


def test_the_base_needs_no_operator():
    assert {one["apiVersion"] for one in resources(DEPLOY / "kubernetes/base")} == {"apps/v1", "v1"}


@pytest.mark.parametrize("overlay", ["base", "operator"])
def test_kubernetes_takes_the_manifests(overlay):
    for one in resources(DEPLOY / "kubernetes" / overlay):
        if "monitoring.coreos.com" not in one["apiVersion"]:
            kubernetes_validate.validate(one, "1.34", strict=True)


# --- Compose --------------------------------------------------------------------


def test_the_stack_is_whole():
    stack = load("compose/compose.yaml")
    services = stack["services"]
    assert set(services) == {"exporter", "assets", "prometheus", "alertmanager", "grafana"}
    for service in services.values():
        # A tag that moves changes the stack behind one's back.
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), service["image"]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        for volume in service.get("volumes", []):
            source, target, *_ = volume.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                # A single file that is mounted stays the old one for ever.
                assert (DEPLOY / "compose" / source).is_dir()
            else:
                assert source in stack["volumes"]
        for needed in service.get("depends_on", []):
            assert needed in services


def test_prometheus_takes_its_part_of_the_stack(binary, tmp_path):
    command = compose("compose.yaml")["assets"]["command"]
    assert command[:2] == ["assets", "/monitoring"]
    run(binary, "assets", tmp_path, *command[2:])
    text = (DEPLOY / "compose/prometheus/prometheus.yml").read_text()
    assert "/monitoring/" in text
    (tmp_path / "prometheus.yml").write_text(text.replace("/monitoring", str(tmp_path)))
    said = run("promtool", "check", "config", tmp_path / "prometheus.yml")
    assert "1 rule files found" in said
    rules = (tmp_path / "alerts/kernel-auth-rules.yml").read_text()
    assert "http://localhost:3000/d/" in rules


def test_alertmanager_takes_its_part_of_the_stack():
    path = DEPLOY / "compose/alertmanager/alertmanager.yml"
    assert "SUCCESS" in run("amtool", "check-config", path)
    # Nobody is told, so nothing is tried in vain.
    assert all(set(receiver) == {"name"} for receiver in load("compose/alertmanager/alertmanager.yml")["receivers"])


def test_grafana_finds_source_and_dashboards(binary, tmp_path):
    grafana = compose("compose.yaml")["grafana"]
    source, = load("compose/grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    provider, = load("compose/grafana/provisioning/dashboards/kernel-auth.yaml")["providers"]
    assert source["url"] == "http://prometheus:9090" and source["type"] == "prometheus"
    assert provider["options"]["path"] == "/monitoring/dashboards"
    run(binary, "assets", tmp_path)
    home = pathlib.Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (tmp_path / home.relative_to("/monitoring")).is_file()
    for dashboard in (tmp_path / "dashboards").glob("*.json"):
        # An input would have to be answered by a person.
        assert "__inputs" not in json.loads(dashboard.read_text())


# --- the image ------------------------------------------------------------------


def test_the_image_is_one_file_for_any_user():
    text = (DEPLOY / "Containerfile").read_text()
    instructions = [line.split()[0] for line in text.splitlines() if line and not line.startswith(("#", " "))]
    last = len(instructions) - 1 - instructions[::-1].index("FROM")
    assert "FROM scratch" in text
    assert instructions[last:] == ["FROM", "ARG", "ARG", "ARG", "LABEL", "COPY", "COPY", "USER", "EXPOSE", "ENTRYPOINT"]
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in text
    # Neither is ever empty.
    assert text.count("${REVISION:-unknown}") == 2 and "${VERSION:-unknown}" in text


def test_the_context_holds_no_key_and_no_history():
    ours, theirs = ((ROOT / name).read_text() for name in (".dockerignore", ".containerignore"))
    assert ours == theirs
    assert {"/.git", "/target", "**/*.key", "**/*.pem", "**/.env"} <= set(ours.splitlines())
    # What is left out is not compiled in.
    for path in [*(ROOT / "src").rglob("*.rs"), *(ROOT / "crates").glob("*/src/**/*.rs")]:
        assert not re.search(r'include_(str|bytes)!\("[^"]*\.(key|pem)"', path.read_text()), path


# --- packages -------------------------------------------------------------------

PACKAGE = CARGO["package"]["metadata"]


def laid() -> list[list[tuple[str, str]]]:
    deb = [(source, "/" + target) for source, target, _ in PACKAGE["deb"]["assets"]]
    rpm = [(one["source"], one["dest"]) for one in PACKAGE["generate-rpm"]["assets"]]
    return [deb, rpm]


def test_packages_have_what_is_there():
    for files in laid():
        for source, _ in files:
            # What scripts/packages makes is not there yet.
            assert source.startswith("target/package/") or list(ROOT.glob(source)), source


def test_both_packages_have_the_same():
    deb, rpm = ({source for source, _ in files} for files in laid())
    assert deb == rpm
    assert PACKAGE["deb"]["name"] == PACKAGE["generate-rpm"]["name"] == NAME


def test_units_name_what_packages_lay_down():
    for files in laid():
        targets = {target for _, target in files}
        program = re.search(r"^ExecStart=(\S+)", SERVICE.read_text(), re.M)[1]
        defaults = re.search(r"^EnvironmentFile=-(\S+)", SERVICE.read_text(), re.M)[1]
        assert {program, defaults} <= targets
    assert PACKAGE["deb"]["conf-files"] == [defaults]
    assert [one["config"] for one in PACKAGE["generate-rpm"]["assets"] if one["dest"] == defaults] == ["noreplace"]


@pytest.mark.parametrize("script", sorted((DEPLOY / "packages").glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_scripts_of_packages_are_shell_and_know_an_upgrade(script):
    run("sh", "-n", script)
    text = script.read_text()
    if script.name in ("prerm", "postrm", "preun", "postun", "postinst"):
        # Removal scripts run in upgrades too.
        assert '"$1"' in text
    assert "userdel" not in text and "deluser" not in text


# --- workflows ------------------------------------------------------------------

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_pinned_and_may_do_little(path):
    text = path.read_text()
    uses = re.findall(r"uses: (.+)", text)
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"]["contents"] == ("write" if name == "publish" else "read"), name
        assert job["timeout-minutes"]
        if path.name != "release.yml":
            assert set(job["permissions"]) == {"contents"}


def test_workflows_call_what_is_there():
    for path in WORKFLOWS:
        for script in re.findall(r"(?<![\w/.-])(scripts/[\w-]+)", path.read_text()):
            assert (ROOT / script).is_file(), f"{path.name}: {script}"
