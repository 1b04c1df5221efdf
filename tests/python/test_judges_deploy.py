"""What is deployed is decoded strictly, by the Go types of Kubernetes and of the
Prometheus Operator, and actionlint reads the workflows."""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml

from conftest import ROOT
from test_judges_chart import MATRIX, render


def is_manifest(path) -> bool:
    """Whether each document of a file is one that Kubernetes takes."""
    try:
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one is not None]
    except yaml.YAMLError:
        return False  # a template
    return bool(documents) and all(
        isinstance(one, dict) and {"apiVersion", "kind", "metadata"} <= one.keys() for one in documents)


def kinds(text: str) -> list[str]:
    return [one["kind"] for one in yaml.safe_load_all(text) if one is not None]


def judge(text: str) -> tuple[int, list[str], str]:
    """Exit code, the kinds that were decoded, and what was said."""
    done = subprocess.run([os.environ["MANIFESTS"], "-"], input=text, capture_output=True, text=True, timeout=60)
    return done.returncode, [line.rpartition("Kind=")[2] for line in done.stdout.splitlines()], done.stderr


MANIFESTS = sorted(
    path for folder in ("deploy", "alerts") for path in (ROOT / folder).rglob("*.y*ml") if is_manifest(path)
)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_manifests_have_the_types_of_their_projects(path):
    text = path.read_text()
    code, decoded, said = judge(text)
    assert code == 0, said
    assert decoded == kinds(text)


def test_there_are_manifests():
    found = {path.name for path in MANIFESTS}
    assert {"deployment.yaml", "service.yaml", "kernel-auth-prometheusrule.yml"} <= found


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_the_chart_makes_what_has_the_types_of_their_projects(values):
    text = render(values)
    code, decoded, said = judge(text)
    assert code == 0, said
    assert decoded == kinds(text) and "Deployment" in decoded


SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}\n"
RULE = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: a}\nspec: {groups: []}\n"


@pytest.mark.parametrize(("text", "word"), [
    (SERVICE.replace("ports:", "prots:"), "prots"),
    (SERVICE.replace("port: 1", "port: one"), "port"),
    (SERVICE + "spec: {}\n", "spec"),
    (SERVICE.replace("Service", "Servant"), "Servant"),
    (RULE.replace("groups: []", "groups: [], group: []"), "group"),
    (SERVICE + "---\n" + RULE.replace("groups: []", "groups: [{name: a, intervall: 1m}]"), "document 2"),
], ids=["member", "type", "twice", "kind", "operator", "second document"])
def test_the_judge_refuses(text, word):
    for good in (SERVICE, RULE):
        assert judge(good)[0] == 0
    code, _, said = judge(text)
    assert code == 1 and word in said


def test_actionlint_has_nothing_to_say():
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))
    done = subprocess.run([os.environ["ACTIONLINT"], *workflows], capture_output=True, text=True, timeout=60)
    assert workflows and (done.returncode, done.stdout, done.stderr) == (0, "", "")
