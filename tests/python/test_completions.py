"""What shells complete with the scripts that `generate` writes, in these shells."""

from __future__ import annotations

import subprocess

import pytest

NAME = "kernel-auth-exporter"

# As a shell sets them when Tab is pressed behind the last word.
BASH = """
source "$1"; shift
function=$(complete -p "$1"); function=${function#*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = """
source $argv[1]
complete --do-complete=$argv[2]
"""


@pytest.fixture(scope="module")
def scripts(binary, tmp_path_factory):
    directory = tmp_path_factory.mktemp("completions")
    subprocess.run([binary, "generate", directory], check=True)
    return directory


@pytest.mark.parametrize(("words", "completed"), [
    ("--log.l", "--log.level"),
    ("--no-collector.fl", "--no-collector.flow"),
    ("onc", "once"),
    ("once --fo", "--format"),
    ("--config.file x once --fo", "--format"),
    ("check-config --sy", "--syntax-only"),
    ("assets --dashboard-b", "--dashboard-base-url"),
])
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_it_completes(scripts, shell, words, completed):
    if shell == "bash":
        command = ["bash", "--norc", "-c", BASH, "bash", scripts / f"{NAME}.bash", NAME, *words.split()]
    else:
        command = ["fish", "--no-config", "-c", FISH, scripts / f"{NAME}.fish", f"{NAME} {words}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split("\t")[0] for line in said.stdout.splitlines()] == [completed], said.stderr


def test_a_man_page_says_how_to_switch_off_and_what_is_read(scripts):
    page = (scripts / f"{NAME}.1").read_text()
    for text in (r"\-\-[no\-]collector.status", "EXIT STATUS", "KERNEL_API_KEY", "HTTPS_PROXY", "SSL_CERT_FILE"):
        assert text in page, text
