"""Cancelling at every point of a request's way; the message is a hint, the record the wish."""

from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Cancel, FunctionChanged, Hello
from pratai_common.records import FunctionStatus, Status
from tests.unit.world import World

CANCELLED = (Status.CANCELLED, "cancelled")
TOLD = pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])


def cancel(world: World, told: bool, request_id: str = "r") -> None:
    """Wish a request's end; without being told the scheduler reads of it within a second."""
    world.wish_cancelled(request_id)
    if told:
        world.dispatcher.receive([Cancel(request_id=request_id)])
    else:
        world.pass_time(1000)


def cancels(world: World) -> list[Any]:
    return [each for each in world.to_nodes if isinstance(each, Cancel)]


@TOLD
@pytest.mark.parametrize(
    "parked",
    [{"status": FunctionStatus.BUILDING, "version": None}, {"enabled": False}, {"limit": 1}, {}],
    ids=["unbuilt", "disabled", "at its limit", "no room"],
)
def test_what_waits_here_is_cancelled(world: World, told: bool, parked: dict[str, Any]) -> None:
    world.function(**parked)
    if "limit" in parked:
        world.call()
    world.heartbeat(slots=0)
    world.request()
    world.pass_time(1000)
    cancel(world, told)
    assert "cancelled" in world.deliver()
    assert world.status() == CANCELLED
    assert world.stored().attempts == ()
    world.store.change_function(
        "f",
        lambda old: replace(old, status=FunctionStatus.ACTIVE, version=1, enabled=True, limit=None),
    )
    world.dispatcher.receive([FunctionChanged(function_id="f")])
    world.heartbeat()
    world.pass_time(1000)
    assert "r" not in [job[0] for job in world.jobs]


@TOLD
def test_what_no_hint_told_of_is_cancelled(world: World, told: bool) -> None:
    world.function()
    world.request()
    cancel(world, told)
    assert "cancelled" in world.deliver()
    assert world.status() == CANCELLED
    assert world.jobs == []


@TOLD
def test_what_runs_is_cancelled_on_its_node(world: World, told: bool) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    cancel(world, told)
    assert cancels(world)[0] == Cancel(request_id="r", epoch=1)
    assert world.to_collector == []
    world.end(world.to_nodes[0], reason="cancelled", message="it was cancelled")
    assert world.status() == CANCELLED
    assert len(world.stored().attempts) == 1


@TOLD
def test_a_call_whose_wait_has_ended_is_cancelled_on_its_node(world: World, told: bool) -> None:
    world.function()
    call = world.call("r", wait_ms=100)
    world.now += 200
    world.detach(call)
    cancel(world, told)
    assert cancels(world)[0] == Cancel(request_id="r", epoch=1)
    world.end(world.to_nodes[0], reason="cancelled", message="it was cancelled")
    assert world.status() == CANCELLED


@TOLD
def test_a_call_whose_wait_has_ended_is_cancelled_before_it_runs(world: World, told: bool) -> None:
    world.function()
    world.heartbeat(slots=0)
    call = world.call("r", wait_ms=100)
    world.now += 200
    world.detach(call)
    cancel(world, told)
    world.deliver()
    assert world.status() == CANCELLED
    world.heartbeat()
    world.pass_time(1000)
    assert world.jobs == []


@TOLD
def test_what_waits_to_be_repeated_is_cancelled_and_keeps_its_history(
    world: World, told: bool
) -> None:
    world.function()
    world.request(retries=5)
    world.pass_time(1000)
    world.end(world.to_nodes[0], reason="exception", message="m", log_chunks=3)
    before = world.stored()
    assert before.status is Status.SCHEDULED
    world.now += 500
    cancel(world, told)
    world.pass_time(60_000)
    assert "cancelled" in world.deliver()
    after = world.stored()
    assert world.status() == CANCELLED
    assert after.attempts == before.attempts
    assert (after.attempts[0].node, after.attempts[0].reason) == ("n", "exception")
    assert (after.started_at, after.queue_ms) == (before.started_at, before.queue_ms)
    assert len(world.jobs) == 1


def test_a_lost_node_is_not_waited_for_again(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    cancel(world, told=True)
    for _ in range(11):
        world.pass_time(1000)
    world.deliver()
    assert world.status() == CANCELLED
    assert world.stored().message == "it was cancelled, and its node was lost"
    world.heartbeat(Hello)
    world.pass_time(1000)
    assert len(world.jobs) == 1


def test_a_success_before_the_node_hears_of_it_stands(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    cancel(world, told=True)
    world.end(world.to_nodes[0])
    assert world.status() == (Status.SUCCESS, None)
    cancel(world, told=True)
    assert world.deliver() == []


def test_a_lost_verdict_is_given_again(world: World) -> None:
    world.function(enabled=False)
    world.request()
    world.pass_time(1000)
    cancel(world, told=True)
    world.to_collector.clear()
    world.pass_time(1000)
    assert "cancelled" in world.deliver()
    assert world.status() == CANCELLED


def test_a_wish_survives_the_scheduler(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    world.wish_cancelled()
    world.restart()
    world.heartbeat(Hello, running=(("r", 1, "f"),))
    world.pass_time(1000)
    assert cancels(world)[0] == Cancel(request_id="r", epoch=2)


def test_a_stop_ends_the_calls_of_the_function_alone(world: World) -> None:
    world.function()
    world.function("g")
    world.call("mine")
    world.call("other", function_id="g")
    world.dispatcher.receive([Cancel(function_id="f")])
    assert cancels(world) == [Cancel(request_id="mine", epoch=1)]


def test_a_store_that_is_away_delays_a_wish(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    world.wish_cancelled()
    world.store.silent = True
    with pytest.raises(StoreUnavailableError):
        world.dispatcher.receive([Cancel(request_id="r")])
    assert cancels(world) == []
    world.store.silent = False
    world.heartbeat()
    world.pass_time(1000)
    assert cancels(world)[0] == Cancel(request_id="r", epoch=1)


def test_who_is_not_active_cancels_nothing(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    world.wish_cancelled()
    world.now += 6_000
    world.dispatcher.receive([Cancel(request_id="r"), Cancel(function_id="f")])
    assert cancels(world) == []
