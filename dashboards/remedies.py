"""What to do about a code that Kernel gives: alerts/remedies.json as mappings."""

import json
import pathlib

from panels import TEXT

REMEDIES = json.loads((pathlib.Path(__file__).parents[1] / "alerts" / "remedies.json").read_text())

CODES = {**REMEDIES["can_reauth_reason"], **REMEDIES["error_code"], **REMEDIES["flow_step"]}


def texts(member, short=False):
    """Mappings of a code to what `member` says of it. Short is its first part."""
    said = {code: one[member] for code, one in CODES.items()}
    if short:
        said = {code: text.split(";")[0].rstrip(".") for code, text in said.items()}
    return [{"type": "value", "options": {
        code: {"index": index, "text": text, "color": TEXT} for index, (code, text) in enumerate(said.items())}}]


def lines_of_text():
    """Mappings of a member's name and a code to what is said of it."""
    said = {f"why {code}": code for code in CODES}
    said |= {f"{member} {code}": one[member] for code, one in CODES.items() for member in ("meaning", "remedy", "command")}
    return [{"type": "value", "options": {
        key: {"index": index, "text": text, "color": TEXT} for index, (key, text) in enumerate(said.items())}}]
