"""The official parsers read every format, over names that break parsers.

The texts come from the Rust test `renderings_for_other_parsers`: those that are
in `EXPOSITION_DIR`, if it is set.
"""

import gzip
import json
import os
import pathlib
import subprocess

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLEETS = ["story", "hostile"]
PARSERS = {
    "text004": parse_text,
    "text100": parse_text,
    "openmetrics": parse_open_metrics,
}
NAMES = ("connection_id", "domain", "profile_name")


@pytest.fixture(scope="module")
def renderings(tmp_path_factory):
    if "EXPOSITION_DIR" in os.environ:
        return pathlib.Path(os.environ["EXPOSITION_DIR"])
    directory = tmp_path_factory.mktemp("renderings")
    subprocess.run(
        ["cargo", "test", "--quiet", "--locked", "--lib", "renderings_for_other_parsers"],
        cwd=ROOT,
        env=os.environ | {"EXPOSITION_DIR": str(directory)},
        check=True,
    )
    return directory


def samples(families):
    """The samples by name and labels, without labels that are empty."""
    found = {}
    for family in families:
        for sample in family.samples:
            labels = frozenset((name, value) for name, value in sample.labels.items() if value)
            assert sample.timestamp is None
            assert (sample.name, labels) not in found
            found[sample.name, labels] = sample.value
    assert found
    return found


def read(renderings, fleet, form):
    text = (renderings / f"{fleet}.{form}").read_bytes()
    assert gzip.decompress((renderings / f"{fleet}.{form}.gz").read_bytes()) == text
    return samples(PARSERS[form](text.decode()))


@pytest.mark.parametrize("fleet", FLEETS)
def test_every_format_says_the_same(renderings, fleet):
    text004, text100, open_metrics = (read(renderings, fleet, form) for form in PARSERS)
    assert text004 == text100
    assert text004 == open_metrics


@pytest.mark.parametrize("form", PARSERS)
def test_names_are_read_back(renderings, form):
    expected = {tuple(names) for names in json.loads((renderings / "hostile.json").read_text())}
    seen = set()
    for name, labels in read(renderings, "hostile", form):
        if name == "kernel_auth_connection_flow_live":
            labels = dict(labels)
            seen.add(tuple(labels[label] for label in NAMES))
            assert labels["account"] == 'acc"ount\\\n'
            assert labels["project"] == "pro\nject"
    assert seen == expected
