#!/usr/bin/env python3
"""Writes the dashboards: python3 dashboards/generate.py [DIR]

DIR is this directory where none is named. The JSON beside this file is what
these sources make; a test holds it to that.
"""

import json
import pathlib
import sys

import connection
import exporter
import fleet


def render():
    """File name to text, for each dashboard."""
    boards = [module.make() for module in (fleet, connection, exporter)]
    return {f"{board['uid']}.json": json.dumps(board, indent=2, ensure_ascii=False) + "\n" for board in boards}


if __name__ == "__main__":
    directory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, text in render().items():
        (directory / name).write_text(text, encoding="utf-8")
