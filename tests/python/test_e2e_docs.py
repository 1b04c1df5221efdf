"""What the pages say is so: samples parse, commands and flags exist, links lead
somewhere, metrics have the names that are written."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess

import pytest
import yaml

from monitoring import PROMTOOL

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
)
pages = pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])


def blocks(page: pathlib.Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```", page.read_text(), re.S | re.M)
    return [text for language, text in found if language in languages]


@pytest.fixture
def check(binary, tmp_path):
    """`check-config` in an empty directory, with keys where `text` wants them."""

    def check(*arguments: str, text: str = "") -> None:
        env = {"KERNEL_API_KEY": "sk_docs"}
        env |= {name: "sk_docs" for name in re.findall(r"api_key_env: *(\w+)", text)}
        keys = tmp_path / "keys"
        keys.mkdir(exist_ok=True)
        for number, path in enumerate(sorted(set(re.findall(r"api_key_file: *([^\s},]+)", text)))):
            (keys / str(number)).write_text("sk_docs")
            text = re.sub(re.escape(path) + r"(?=[\s},]|$)", str(keys / str(number)), text)
        if text:
            (tmp_path / "config.yml").write_text(text)
            arguments += ("--config.file=config.yml",)
            del env["KERNEL_API_KEY"]
        run = subprocess.run(
            [binary, "check-config", *arguments],
            cwd=tmp_path, env=env, capture_output=True, text=True,
        )
        assert run.returncode == 0, run.stderr

    return check


def judge_yaml(text: str, check, tmp_path: pathlib.Path) -> str | None:
    """Which program judged a sample, by its members; `None` for none."""
    sample = yaml.safe_load(text)
    if not isinstance(sample, dict):
        return None
    if "scrape_configs" in sample:
        (tmp_path / "prometheus.yml").write_text(text)
        run = subprocess.run(
            [PROMTOOL, "check", "config", "--syntax-only", "prometheus.yml"],
            cwd=tmp_path, capture_output=True, text=True,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return "promtool"
    if {"accounts", "api", "collectors", "metrics"} & set(sample):
        check(text=text)
        return "exporter"
    return None


@pages
def test_yaml_is_what_it_is_for(page, check, tmp_path):
    judges = [judge_yaml(text, check, tmp_path) for text in blocks(page, "yaml", "yml")]
    if page.name == "README.md":
        assert judges == ["promtool", "exporter"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*.yml")), ids=lambda path: path.name
)
def test_examples_are_what_they_are_for(path, check, tmp_path):
    judge = judge_yaml(path.read_text(), check, tmp_path)
    if path.name.startswith("prometheus"):
        assert judge == "promtool"
    if path.name.startswith("kernel-auth-exporter"):
        assert judge == "exporter"


def test_every_command_of_the_readme_is_understood(check, tmp_path):
    (tmp_path / "kernel.key").write_text("sk_docs")
    lines = [line for text in blocks(ROOT / "README.md", "sh") for line in text.splitlines()]
    ours = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("kernel-auth-exporter")]
    assert len(ours) == 3
    for arguments in ours:
        # What only `once` takes is not for `check-config`, and there is no network here.
        check(*(word for word in arguments if word.startswith("--") and not word.startswith(("--format=", "--online"))))
    others = [line for line in lines if line and not line.startswith("kernel-auth-exporter")]
    assert others[0] == "cargo run --release -- demo" and others[-1] == "scripts/test"
    run = next(line for line in others if line.startswith("docker run "))
    image, *command = run.split()[-2:]
    assert f"docker build -f deploy/Containerfile -t {image} ." in others and command == ["demo"]
    assert os.access(ROOT / "scripts/test", os.X_OK) and os.access(ROOT / ".ci/run", os.X_OK)


def test_the_readme_counts_the_alerts():
    rules = (ROOT / "alerts/kernel-auth-rules.yml").read_text()
    count = len(set(re.findall(r"- alert: (\w+)", rules)))
    assert f"{count} alerts" in (ROOT / "README.md").read_text()


@pages
def test_flags_exist(page, binary):
    helps = [
        subprocess.run([binary, *command, "--help"], capture_output=True, text=True).stdout
        for command in ([], ["once"], ["demo"], ["simulate"], ["assets"], ["check-config"])
    ]
    # `--[no-]flag` in the help is two flags.
    known = set(re.findall(r"--(?:\[no-\])?[a-z][\w.-]*", " ".join(helps)))
    switches = [flag for flag in known if "[no-]" in flag]
    known |= {flag.replace("[no-]", word) for flag in switches for word in ("", "no-")}
    ours = r"--(?:no-)?(?:kernel|web|metrics|collector|log|config)\.[\w.-]*[\w]"
    for flag in re.findall(ours, page.read_text()):
        assert flag in known, flag


@pages
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        # Where GitHub shows the page, its own pages are beside the tree.
        target = re.sub(r"^\.\./\.\./actions/(workflows/\w+\.yml)(/badge\.svg)?$", r".github/\1", target)
        path, _, heading = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.M)
            slugs = [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings]
            assert heading in slugs, target


# Those on alerts speak of recorded series too: test_assets_names.py holds them.
ON_METRICS = [
    page for page in PAGES
    if page.parent.name != "runbooks" and page.name not in ("alerting.md", "dashboards.md")
]


@pytest.mark.parametrize("page", ON_METRICS, ids=lambda page: page.name)
def test_metrics_have_these_names(page):
    known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/metrics.md").read_text(), re.M))
    assert "kernel_auth_up" in known
    for name in re.findall(r"(?<![:\w])kernel_auth_\w+", page.read_text()):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        is_start = name.endswith("_") and any(family.startswith(name) for family in known)
        assert {name, base} & known or is_start, name
