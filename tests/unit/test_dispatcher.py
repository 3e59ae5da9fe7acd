"""The dispatcher and the collector: the usual way of requests, and of what befalls them."""

from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Build, Done, FunctionChanged, Hello, LogPiece, Stored, Submitted
from pratai_common.records import Body, FunctionStatus, Status
from tests.unit.world import World


def test_a_hint_is_dispatched_at_once_and_recorded(world: World) -> None:
    world.function()
    world.now += 1
    request = world.request()
    body = Body(sha256="s", size=1, content=b"1")
    world.dispatcher.receive([Submitted(request=request, input=body)])
    assert [(job.request_id, job.input) for job in world.to_nodes] == [("r", body)]
    assert world.stored().status is Status.RUNNING


def test_the_sweep_finds_what_no_hint_told(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    assert [(job.request_id, job.attempt, job.node) for job in world.to_nodes] == [("r", 1, "n")]
    stored = world.stored()
    assert (stored.status, stored.attempt, stored.version) == (Status.RUNNING, 1, 1)
    world.pass_time(1000)
    assert len(world.to_nodes) == 1


def test_an_old_hint_of_a_finished_request_runs_nothing(world: World) -> None:
    world.function()
    request = world.request()
    world.pass_time(1000)
    world.collector.receive([world.result(world.to_nodes[0])])
    assert world.stored().status is Status.SUCCESS
    world.restart()
    world.heartbeat(Hello)
    world.dispatcher.receive([Submitted(request=request)])
    world.pass_time(1000)
    assert len(world.to_nodes) == 1


def test_parked_requests_run_even_if_the_news_of_the_build_is_lost(world: World) -> None:
    world.function(status=FunctionStatus.BUILDING, version=None)
    world.request()
    world.pass_time(1000)
    assert world.to_nodes == []
    world.store.change_function(
        "f", lambda old: replace(old, status=FunctionStatus.ACTIVE, version=1)
    )
    world.heartbeat()
    world.pass_time(1500)
    assert [job.request_id for job in world.to_nodes] == ["r"]


def test_the_news_of_a_build_runs_parked_requests_at_once(world: World) -> None:
    world.function(status=FunctionStatus.BUILDING, version=None)
    world.request()
    world.pass_time(1000)
    world.store.change_function(
        "f", lambda old: replace(old, status=FunctionStatus.ACTIVE, version=1)
    )
    world.dispatcher.receive([FunctionChanged(function_id="f")])
    assert [job.request_id for job in world.to_nodes] == ["r"]


def test_nodes_that_can_hear_of_a_change_do(world: World) -> None:
    world.heartbeat(clock=1)
    world.heartbeat(node="former")
    world.to_nodes.clear()
    world.dispatcher.receive([FunctionChanged(function_id="f")])
    assert world.to_nodes == [FunctionChanged(function_id="f")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deleted_at": 5}, "function_deleted"),
        ({"status": FunctionStatus.ERROR, "version": None}, "image_build"),
    ],
)
def test_what_cannot_run_is_refused_until_it_is_settled(
    world: World, change: dict[str, Any], reason: str
) -> None:
    world.function(**change)
    world.request()
    world.pass_time(1000)
    world.pass_time(1000)
    assert [verdict.reason for verdict in world.to_collector] == [reason, reason]
    world.collector.receive(world.to_collector)
    assert world.stored().reason == reason
    world.pass_time(1000)
    assert len(world.to_collector) == 2


def test_what_waits_too_long_expires(world: World) -> None:
    world.function()
    world.heartbeat(slots=0)
    world.request(expires_at=world.now + 3_000)
    world.pass_time(2_000)
    assert world.to_collector == []
    world.pass_time(1_500)
    world.collector.receive(world.to_collector)
    assert (world.stored().status, world.stored().reason) == (Status.ERROR, "expired")


def test_a_job_that_never_arrived_is_repeated(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    for _ in range(7):
        world.heartbeat()
        world.pass_time(1000)
    assert {verdict.reason for verdict in world.to_collector} == {"node_lost"}
    world.collector.receive(world.to_collector)
    world.heartbeat()
    world.pass_time(1000)
    assert [job.attempt for job in world.to_nodes] == [1, 2]
    assert world.stored().attempt == 2


def test_a_node_whose_key_was_taken_away_is_given_nothing(world: World) -> None:
    """Though its lease has not ended; what it had runs elsewhere when that would have ended."""
    world.function()
    world.request("before")
    world.pass_time(1000)
    world.revoked.add("n")
    world.request("after")
    world.pass_time(1000)
    assert [job.request_id for job in world.to_nodes] == ["before"]
    assert world.dispatcher._nodes.get("n") is None
    world.heartbeat(node="m")
    assert world.jobs[1:] == [("after", 1, "m")]
    for _ in range(10):
        world.heartbeat(node="m", running=(("after", 1, "f"),))
        world.pass_time(1000)
    assert world.deliver()[0] == "node_lost"
    world.pass_time(1000)
    assert world.jobs[2:] == [("before", 2, "m")]


def test_a_new_scheduler_adopts_what_runs(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    world.restart()
    world.heartbeat(running=(("r", 1, "f"),))
    for _ in range(20):
        world.heartbeat(running=(("r", 1, "f"),))
        world.pass_time(1000)
    assert world.to_collector == []
    assert len(world.to_nodes) == 1
    world.collector.receive([world.result(world.to_nodes[0])])
    assert world.stored().status is Status.SUCCESS


def test_a_new_scheduler_waits_for_known_nodes(world: World) -> None:
    world.function()
    world.restart()
    world.request()
    world.pass_time(500)
    assert world.to_nodes == []
    world.heartbeat(Hello)
    world.pass_time(500)
    assert len(world.to_nodes) == 1


def test_a_silent_node_is_lost_when_its_lease_ends(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    for _ in range(9):
        world.pass_time(1000)
    assert world.to_collector == []
    for _ in range(3):
        world.pass_time(1000)
    assert {verdict.reason for verdict in world.to_collector} == {"node_lost"}


def test_what_a_silent_node_was_given_last_is_lost_with_it(world: World) -> None:
    """Not a lease after it was given: by then it is void, if it was not taken before."""
    world.function()
    world.pass_time(1000)
    world.heartbeat(clock=70_000)
    for _ in range(3):
        world.pass_time(1000)
    world.request()
    world.pass_time(100)
    assert world.jobs == [("r", 1, "n")]
    for _ in range(6):
        world.pass_time(1000)
    assert world.to_collector == []
    world.pass_time(1000)
    assert {verdict.reason for verdict in world.to_collector} == {"node_lost"}


def test_a_new_scheduler_gives_a_silent_node_its_lease(world: World) -> None:
    """Somebody else may have heard it meanwhile, and given it something."""
    world.function()
    world.request()
    world.pass_time(1000)
    world.pass_time(10_000)
    world.to_collector.clear()
    world.restart()
    for _ in range(9):
        world.pass_time(1000)
    assert world.to_collector == []
    world.pass_time(2000)
    assert {verdict.reason for verdict in world.to_collector} == {"node_lost"}


def test_what_was_lost_is_tried_again_before_the_next_sweep(world: World) -> None:
    world.dispatcher._sweep_ms = 1000
    world.function()
    world.request()
    for _ in range(11):
        world.pass_time(1000)
        world.heartbeat(node="m")
    assert set(world.deliver()) == {"node_lost"}
    world.pass_time(100)
    assert world.jobs == [("r", 1, "n"), ("r", 2, "m")]


def test_a_dispatch_is_recorded_when_the_store_is_back(world: World) -> None:
    world.function()
    world.request()
    world.store.away = True
    with pytest.raises(StoreUnavailableError):
        world.pass_time(1000)
    assert len(world.to_nodes) == 1
    assert world.stored().attempt == 0
    world.store.away = False
    world.pass_time(1000)
    assert len(world.to_nodes) == 1
    assert world.stored().attempt == 1


def test_capacity_comes_back_with_done(world: World) -> None:
    world.function()
    world.heartbeat(slots=1)
    world.request("r1")
    world.request("r2")
    world.pass_time(1000)
    assert [job.request_id for job in world.to_nodes] == ["r1"]
    world.dispatcher.receive([Done(node="n", instance="i", request_id="r1", attempt=1)])
    assert [job.request_id for job in world.to_nodes] == ["r1", "r2"]


def test_a_build_ends_in_its_function(world: World) -> None:
    world.function(status=FunctionStatus.BUILDING, version=None)
    world.request("b", kind="build", version=1)
    world.pass_time(1000)
    build = world.to_nodes[0]
    assert isinstance(build, Build)
    world.collector.receive([world.result(build, reason="image_build", message="no")])
    function = world.store.get_functions(["f"])["f"]
    assert (function.status, function.build_error) == (FunctionStatus.ERROR, "no")
    assert world.store.list_versions("f")[0].build_error == "no"
    world.collector.receive([world.result(build)])
    assert world.store.get_functions(["f"])["f"].status is FunctionStatus.ERROR


def test_a_result_is_acknowledged_each_time_and_stored_once(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    output = Body(sha256="s", size=1, content=b"1")
    for _ in range(2):
        world.collector.receive([world.result(world.to_nodes[0], output=output)])
    assert world.acknowledged == [Stored(request_id="r", attempt=1)] * 2
    result = world.store.get_result("r")
    assert result is not None
    assert result.content == b"1"


def test_a_message_without_its_token_is_refused(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    job = world.to_nodes[0]
    forged = replace(world.result(job), token=b"0" * 16)
    other = replace(world.result(job), attempt=2)
    claim = {name: getattr(forged, name) for name in ("request_id", "attempt", "node", "epoch")}
    log = LogPiece(**claim, project_id="p", token=b"", seq=0, content=b"x")
    world.collector.receive([forged, other, log])
    assert world.collector.refused == 3
    assert world.acknowledged == []
    assert world.stored().status is Status.RUNNING
    assert world.store.log_chunks("r") == []
