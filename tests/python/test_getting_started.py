"""docs/getting-started.md: its transcript, run as it stands, but on free ports."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

from monitoring import PATIENCE, PROMETHEUS, PROMTOOL

ROOT = pathlib.Path(__file__).resolve().parents[2]


def transcript() -> tuple[list[str], list[str]]:
    """The commands, and the lines that they print; `...` is anything."""
    page = (ROOT / "docs/getting-started.md").read_text()
    block = re.search(r"^```console\n(.*?)^```", page, re.S | re.M).group(1)
    commands, printed = [], []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append(line[2:])
        elif commands[-1].endswith("\\"):
            commands[-1] = commands[-1][:-1] + line.strip()
        elif line.strip(" .") and not line.startswith("  ..."):
            printed.append(line)
    return commands, printed


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def path(binary, tmp_path):
    """A PATH with the programs under the names that they have in the docs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, program in [("kernel-auth-exporter", binary), ("prometheus", PROMETHEUS), ("promtool", PROMTOOL)]:
        (programs / name).symlink_to(shutil.which(str(program)))
    return f"{programs}:{os.environ['PATH']}"


def test_the_transcript_is_what_happens(path, tmp_path):
    commands, printed = transcript()
    assert len(commands) == 5
    ours, prometheus = free_ports(2)
    moved = {
        "kernel-auth-exporter demo": f"kernel-auth-exporter demo --web.listen-address=127.0.0.1:{ours}",
        "kernel-auth-exporter assets": f"kernel-auth-exporter assets --target=localhost:{ours}",
        "prometheus --config": f"prometheus --web.listen-address=127.0.0.1:{prometheus} --config",
        "localhost:9090": f"localhost:{prometheus}",
        "localhost:10077": f"localhost:{ours}",
    }

    def move(text: str) -> str:
        for old, new in moved.items():
            text = text.replace(old, new)
        return text

    script = "\n".join(["set -e", *map(move, commands), "wait", "echo the end"])
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path, env={"PATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )
    try:
        out, err = shell.communicate(timeout=3 * PATIENCE)
    finally:
        # What it started is of its group, and may still be there.
        try:
            os.killpg(shell.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    assert out.rstrip().endswith("the end"), out + err
    for line in map(move, printed):
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        assert re.search(f"^{pattern}$", out, re.M), f"{line}\n\n{out}\n{err}"
