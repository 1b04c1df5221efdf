#!/usr/bin/env python3
"""What each choice of series costs: the table of docs/scaling.md.

    python3 benches/compare/choices.py [--connections 10000]
"""

import argparse
import urllib.request

from processes import Simulator, build, exporter, head, row

CHOICES = [
    ("everything (the default)", []),
    ("`--metrics.states=active`", ["--metrics.states=active"]),
    ("`--metrics.profile-name=hash`", ["--metrics.profile-name=hash"]),
    ("`--metrics.profile-name=drop`", ["--metrics.profile-name=drop"]),
    ("`--no-collector.status`", ["--no-collector.status"]),
    ("`--no-collector.auth`", ["--no-collector.auth"]),
    ("`--no-collector.flow`", ["--no-collector.flow"]),
    ("`--no-collector.reauth`", ["--no-collector.reauth"]),
    ("`--no-collector.settings`", ["--no-collector.settings"]),
    (
        "`active`, without `settings`",
        ["--metrics.states=active", "--no-collector.settings"],
    ),
    (
        "`active`, `status` and `auth` alone",
        [
            "--metrics.states=active",
            "--no-collector.flow",
            "--no-collector.reauth",
            "--no-collector.settings",
        ],
    ),
]


def fetch(address, encoding):
    headers = {"Accept-Encoding": encoding, "X-Prometheus-Scrape-Timeout-Seconds": "600"}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/metrics", headers=headers)) as answer:
        return answer.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--no-build", action="store_true")
    arguments = parser.parse_args()
    if not arguments.no_build:
        build()
    connections = arguments.connections
    head("choice", "series per connection", "bytes per connection", "the same with gzip", f"MB a scrape of {connections:,}", "with gzip")
    # A clock that stands, so that every choice is shown the same fleet.
    with Simulator(connections, speed=0) as simulator:
        for name, flags in CHOICES:
            with exporter(simulator, *flags) as process:
                text = fetch(process.address, "identity")
                packed = fetch(process.address, "gzip")
            if b"\nkernel_auth_up 1\n" not in text:
                raise SystemExit("the fleet is not whole")
            series = sum(
                line.startswith(b"kernel_auth_connection_") for line in text.splitlines()
            )
            row(
                name,
                f"{series / connections:.1f}",
                f"{len(text) / connections:,.0f}",
                f"{len(packed) / connections:,.0f}",
                f"{len(text) / 1e6:.1f}",
                f"{len(packed) / 1e6:.2f}",
            )


if __name__ == "__main__":
    main()
