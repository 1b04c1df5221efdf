"""What to do about a code that Kernel gives: alerts/remedies.json as a table."""

import json
import pathlib

REMEDIES = json.loads((pathlib.Path(__file__).parents[1] / "alerts" / "remedies.json").read_text())
TITLES = {"error_code": "Error code", "can_reauth_reason": "Why it can re-login, or cannot"}


def as_markdown(kind):
    lines = [f"| {TITLES[kind]} | What it means | What to do | Kernel's command |", "|---|---|---|---|"]
    lines += [f"| `{code}` | {one['meaning']} | {one['remedy']} | `{one['command']}` |"
              for code, one in REMEDIES[kind].items()]
    return "\n".join(lines)


def all_as_markdown():
    return "\n\n".join(as_markdown(kind) for kind in REMEDIES)
