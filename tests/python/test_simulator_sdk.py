"""The official SDK, unchanged, against the simulator: every read call, with the
SDK's own validation as the judge of the answers."""

from __future__ import annotations

import threading

import kernel
import pytest
from kernel import Kernel

from conftest import Simulator, wait_for


def sdk(api: Simulator, **options: object) -> Kernel:
    """A client that refuses answers that are not what the SDK's types say."""
    options.setdefault("api_key", api.key)
    options.setdefault("max_retries", 0)
    return Kernel(base_url=api.url, _strict_response_validation=True, **options)


def test_lists_every_connection_over_pages(simulator):
    api = simulator(connections=250, speed=0)
    client = sdk(api)
    listed = list(client.auth.connections.list(limit=100))
    truth = {row["id"]: row["object"] for row in api.world()}
    assert len(listed) == 250
    assert {connection.id for connection in listed} == set(truth)
    for connection in listed:
        expected = truth[connection.id]
        got = connection.to_dict(mode="json")
        assert set(got) >= set(expected), "every member has a name in the SDK"
        assert not connection.model_extra, "no member is unknown to the SDK"
        for member in ("status", "domain", "profile_name", "flow_status", "error_code"):
            assert got.get(member) == expected.get(member)
    assert api.requests()["non_get"] == 0
    assert [row["count"] for row in api.requests()["counts"]] == [3]

    # The default page size, and filters.
    assert len(list(client.auth.connections.list())) == 250
    domain = listed[0].domain
    assert {row.domain for row in client.auth.connections.list(domain=domain)} == {domain}


def test_retrieves_every_connection(simulator):
    api = simulator(connections=60, speed=0)
    client = sdk(api)
    for row in api.world():
        connection = client.auth.connections.retrieve(row["id"])
        assert connection.status == row["status"]
        assert not connection.model_extra
        if row["flow_expires_at"] is not None:
            assert connection.flow_expires_at.timestamp() == row["flow_expires_at"]


def test_reads_timelines(simulator):
    api = simulator(connections=20, speed=0)
    client = sdk(api)
    api.advance("12h")
    first = api.world()[0]["id"]
    assert len(list(client.auth.connections.timeline(first, limit=100))) > 100
    kinds = set()
    for row in api.world():
        events = list(client.auth.connections.timeline(row["id"], limit=100))
        assert not any(event.model_extra for event in events)
        assert events == sorted(events, key=lambda event: event.timestamp, reverse=True)
        kinds |= {event.type for event in events}
        reauths = client.auth.connections.timeline(row["id"], type="reauth")
        assert [e.id for e in reauths] == [e.id for e in events if e.type == "reauth"]
    assert kinds == {"login", "reauth", "health_check"}


def test_follows_a_flow(simulator):
    api = simulator(connections=1, speed=0)
    id = api.create_connection(domain="a.example")["id"]
    api.happen(id, "flow_starts", type="LOGIN")
    states, ended = [], threading.Event()

    def follow() -> None:
        for event in sdk(api).auth.connections.follow(id):
            states.append((event.event, event.flow_step, event.flow_status))
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    for event, members in [
        ("flow_reaches", {"step": "AWAITING_INPUT"}),
        ("flow_reaches", {"step": "SUBMITTING"}),
        ("flow_ends", {"outcome": "SUCCESS"}),
    ]:
        seen = len(states)
        wait_for(lambda: len(states) > seen or seen and states, what="an event")
        api.happen(id, event, **members)
    assert ended.wait(10), states
    assert states[-1] == ("managed_auth_state", "COMPLETED", "SUCCESS")
    assert states[0] == ("managed_auth_state", "DISCOVERING", "IN_PROGRESS")


def test_follows_a_flow_that_moves_by_itself(simulator):
    api = simulator(connections=60, speed=1200)
    live = next(row for row in api.world() if row["flow_status"] == "IN_PROGRESS")
    events = list(sdk(api, timeout=15).auth.connections.follow(live["id"]))
    assert {event.event for event in events} <= {"managed_auth_state", "sse_heartbeat"}
    assert events[-1].event == "managed_auth_state"
    assert events[-1].flow_status != "IN_PROGRESS", "the stream closes on the end"


def test_heartbeats_come_while_nothing_happens(simulator):
    api = simulator(connections=1, speed=600)
    id = api.create_connection(domain="a.example")["id"]
    api.happen(id, "flow_starts")
    with sdk(api).auth.connections.follow(id) as stream:
        kinds = [next(stream).event for _ in range(3)]
    assert kinds == ["managed_auth_state", "sse_heartbeat", "sse_heartbeat"]


def test_reads_projects_and_chooses_one(simulator):
    api = simulator(connections=30, projects=3, speed=0)
    client = sdk(api)
    projects = list(client.projects.list())
    assert sorted(project.status for project in projects) == ["active"] * 3 + ["archived"]
    assert client.projects.retrieve(projects[0].id) == projects[0]
    seen = [
        connection.id
        for project in projects
        if project.status == "active"
        for connection in sdk(api, project_id=project.id).auth.connections.list(limit=100)
    ]
    assert sorted(seen) == sorted(row["id"] for row in api.world())
    archived = next(project for project in projects if project.status == "archived")
    with pytest.raises(kernel.NotFoundError) as error:
        sdk(api, project_id=archived.id).auth.connections.list()
    assert error.value.body["code"] == "project_not_found"


def test_reads_the_organisation(simulator):
    api = simulator(connections=12, speed=0)
    client = sdk(api)
    limits = client.organization.limits.retrieve()
    assert limits.auth_connections_used == 12 and not limits.model_extra
    assert client.organization.entitlements.retrieve().features.managed_auth.enabled
    own = client.auth.context.retrieve().authentication.credential_id
    keys = list(client.api_keys.list())
    assert [key.id == own for key in keys] == [True, False, False]
    assert keys[0].expires_at is not None and keys[1].expires_at is None


def test_errors_have_their_types(simulator):
    api = simulator(connections=3, speed=0)
    with pytest.raises(kernel.AuthenticationError) as error:
        sdk(api, api_key="sk_wrong").auth.connections.list()
    assert error.value.status_code == 401 and error.value.body["code"] == "unauthorized"
    with pytest.raises(kernel.NotFoundError) as error:
        sdk(api).auth.connections.retrieve("ma_nobody")
    assert error.value.body["code"] == "not_found"
    api.faults("status=429,retry-after=1", "status=403,endpoint=org_limits")
    with pytest.raises(kernel.RateLimitError):
        sdk(api).auth.connections.list()
    api.clear_faults()
    api.faults("status=403,endpoint=org_limits", "unknown-values,endpoint=connection")
    with pytest.raises(kernel.PermissionDeniedError):
        sdk(api).organization.limits.retrieve()
    with pytest.raises(kernel.APIResponseValidationError):
        sdk(api).auth.connections.retrieve(api.world()[0]["id"])


def test_the_sdk_retries_what_it_should(simulator):
    api = simulator(connections=3, speed=0)
    api.faults("status=503,times=2,retry-after=0.01")
    assert len(list(sdk(api, max_retries=2).auth.connections.list())) == 3
    assert api.requests()["total"] == 3
