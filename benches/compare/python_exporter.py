"""The exporter one would write in an afternoon: Kernel's SDK and prometheus_client.

KERNEL_API_KEY and KERNEL_BASE_URL are read by the SDK. Listens on the loopback
interface; the argument is the port, 0 for any free one.
"""

import signal
import sys
import time

from kernel import Kernel
from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import GaugeMetricFamily

PREFIX = "kernel_auth_connection_"
LABELS = ("connection_id", "domain", "profile_name")


class Connections:
    def __init__(self, client):
        self.client = client

    def describe(self):
        return []  # Registering must not call the API.

    def collect(self):
        families = {}

        def family(name, *labels):
            families[name] = GaugeMetricFamily(PREFIX + name, f"Connection {name}", labels=LABELS + labels)
            return families[name].add_metric

        status = family("status", "status")
        checked_at = family("last_auth_check_timestamp_seconds")
        check_age = family("last_auth_check_age_seconds")
        flow_status = family("flow_status", "flow_status")
        flow_step = family("flow_step", "flow_step")
        flow_type = family("flow_type", "flow_type")
        flow_expires_at = family("flow_expires_timestamp_seconds")
        flow_expires_in = family("flow_expires_in_seconds")
        can_reauth = family("can_reauth")
        can_reauth_reason = family("can_reauth_reason", "reason")
        interval = family("health_check_interval_seconds")
        health_checks = family("health_checks_enabled")
        auto_reauth = family("auto_reauth_enabled")

        now = time.time()
        for connection in self.client.auth.connections.list(limit=100):
            labels = (connection.id, connection.domain, connection.profile_name)
            status((*labels, connection.status), 1)
            if connection.last_auth_check_at is not None:
                at = connection.last_auth_check_at.timestamp()
                checked_at(labels, at)
                check_age(labels, now - at)
            flow_status((*labels, connection.flow_status or "NONE"), 1)
            flow_step((*labels, connection.flow_step or "NONE"), 1)
            flow_type((*labels, connection.flow_type or "NONE"), 1)
            if connection.flow_expires_at is not None:
                at = connection.flow_expires_at.timestamp()
                flow_expires_at(labels, at)
                flow_expires_in(labels, at - now)
            for add, value in (
                (can_reauth, connection.can_reauth),
                (interval, connection.health_check_interval),
                (health_checks, connection.health_checks),
                (auto_reauth, connection.auto_reauth),
            ):
                if value is not None:
                    add(labels, value)
            if connection.can_reauth_reason is not None:
                can_reauth_reason((*labels, connection.can_reauth_reason), 1)
        yield from families.values()


if __name__ == "__main__":
    REGISTRY.register(Connections(Kernel()))
    server, _ = start_http_server(int(sys.argv[1]), addr="127.0.0.1")
    print(f"address=http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    signal.pause()
