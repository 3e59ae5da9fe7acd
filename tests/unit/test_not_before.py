"""Requests that are to run later: not before their time, and cancelled like any other."""

from typing import Any

import pytest

from pratai_api.routes import functions
from pratai_common.clock import now_ms
from pratai_common.messages import Cancel, FunctionChanged, Submitted
from pratai_common.records import Request, Status
from pratai_common.store.base import NewRequest
from pratai_common.submit import Cause, Submitter, Trigger
from tests.records import function, request
from tests.unit.api_world import ApiWorld
from tests.unit.world import World

LATER = 30_000


def submit(world: World, **values: Any) -> Request:
    """Submit a request that runs in half a minute at the earliest."""
    submitter = Submitter(world.store, world.archives, world.hints.append, lambda: world.now)
    trigger = Trigger(
        function=world.function(**values),
        user_id="u",
        cause=Cause("http", "once"),
        payload=b"1",
        not_before=world.now + LATER,
    )
    return submitter.run(trigger).request


def test_it_runs_at_its_time_and_not_before(world: World) -> None:
    made = submit(world)
    assert (made.status, made.next_run_at) == (Status.SCHEDULED, world.now + LATER)
    assert world.hints == []
    world.pass_seconds(29)
    assert world.jobs == []
    world.pass_seconds(1)
    assert world.jobs == [(made.request_id, 1, "n")]


def test_no_hint_makes_it_run_sooner(world: World) -> None:
    """Such as one that was sent before it was to be repeated, and that comes late."""
    made = submit(world)
    world.pass_seconds(5)
    world.dispatcher.receive([Submitted(request=made)])
    world.pass_seconds(24)
    assert world.jobs == []
    world.pass_seconds(1)
    assert world.jobs == [(made.request_id, 1, "n")]


def test_its_age_counts_from_its_time(world: World) -> None:
    made = submit(world, max_age=5)
    assert made.expires_at == world.now + LATER + 5000
    world.pass_seconds(29, slots=0)
    assert world.deliver() == []
    world.pass_seconds(7, slots=0)
    assert set(world.deliver()) == {"expired"}
    assert world.status(made.request_id) == (Status.ERROR, "expired")


def test_it_is_cancelled_at_once(world: World) -> None:
    made = submit(world)
    world.wish_cancelled(made.request_id)
    world.dispatcher.receive([Cancel(request_id=made.request_id)])
    assert world.deliver() == ["cancelled"]
    assert world.status(made.request_id) == (Status.CANCELLED, "cancelled")
    world.pass_seconds(31)
    assert world.jobs == []


def test_a_deleted_function_runs_nothing_later(world: World) -> None:
    made = submit(world, deleted_at=5)
    world.pass_seconds(30)
    assert world.deliver() == ["function_deleted"]
    assert world.status(made.request_id) == (Status.CANCELLED, "function_deleted")
    assert world.jobs == []


def test_deleting_a_function_cancels_what_is_put_off(
    api_world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of no other function, however many pages there are; a deletion that failed is repeated."""
    monkeypatch.setattr(functions, "_CANCELLED_IN_A_WRITE", 2)
    store, later = api_world.store, now_ms() + 3_600_000
    mine = [f"r{number}" for number in range(5)]
    new = [
        request(
            request_id=name,
            project_id="default",
            function_id="f2" if name == "other" else "f1",
            status=Status.SCHEDULED,
            next_run_at=later,
        )
        for name in (*mine, "other")
    ]
    store.create_requests([NewRequest(each, None) for each in new])
    for number in (1, 2):
        store.create_function(function(number, project_id="default"))
    with api_world.away("change_requests"):
        assert api_world.api.delete("/v1/functions/f1").status_code == 503
    assert store.due_requests(now_ms(), 10) == []
    assert api_world.api.delete("/v1/functions/f1").status_code == 204
    due = store.due_requests(now_ms(), 10)
    assert sorted(each.request_id for each in due) == mine
    assert None not in [each.cancel_requested_at for each in due]
    assert FunctionChanged(function_id="f1") in api_world.sent


def test_a_wish_to_cancel_makes_it_due(api_world: ApiWorld) -> None:
    """So that the sweep finds it, where the scheduler was not told."""
    later = now_ms() + 3_600_000
    api_world.store.create_requests(
        [
            NewRequest(
                request(project_id="default", status=Status.SCHEDULED, next_run_at=later), None
            )
        ]
    )
    assert api_world.store.due_requests(now_ms(), 10) == []
    answer = api_world.api.delete("/v1/requests/r001")
    assert answer.status_code == 202
    assert [each.request_id for each in api_world.store.due_requests(now_ms(), 10)] == ["r001"]
