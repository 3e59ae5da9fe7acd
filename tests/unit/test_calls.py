"""Synchronous calls: answered first, recorded behind that, and what may come between."""

from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Answer, Done, FunctionChanged, Hello, Job
from pratai_common.records import Body, FunctionStatus, Status, Timing
from tests.unit.world import BODY, World

OUTPUT = Body(sha256="s", size=1, content=b"2")


def answered(world: World) -> list[tuple[str, str | None]]:
    return [(each.request_id, each.reason) for each in world.answers]


def test_a_call_is_answered_and_then_recorded(world: World) -> None:
    world.function()
    world.call()
    [job] = world.to_nodes
    assert world.store.get_requests(["c"]) == {}
    world.end(job, output=OUTPUT, log_chunks=2)
    [answer] = world.answers
    assert (answer.request_id, answer.reason, answer.output.content) == ("c", None, b"2")
    stored = world.stored("c")
    assert (stored.status, stored.attempt, stored.node, stored.log_chunks) == (
        Status.SUCCESS,
        1,
        "n",
        2,
    )
    assert world.store.get_input("c") == BODY
    result = world.store.get_result("c")
    assert result is not None
    assert result.content == b"2"
    assert [each.request_id for each in world.acknowledged] == ["c"]


def test_its_record_says_when_it_was_where(world: World) -> None:
    world.function()
    world.call(timing=Timing(accepted=world.now * 1000))
    [job] = world.to_nodes
    timing = job.timing
    assert (timing.accepted, timing.taken) == (world.now * 1000, None)
    told = replace(timing, accepted=1, taken=timing.dispatched, started=5, ended=7)
    world.end(job, output=OUTPUT, timing=told)
    stored = world.stored("c").timing
    assert stored is not None
    # A node may say what it likes of itself, and nothing of when it was accepted.
    assert stored == replace(told, accepted=world.now * 1000, settled=stored.settled)
    assert stored.settled is not None
    assert stored.settled >= timing.dispatched


def test_what_an_earlier_release_accepted_has_no_timing(world: World) -> None:
    world.function()
    world.call()
    [job] = world.to_nodes
    assert job.timing.accepted == world.now * 1000
    world.end(job, output=OUTPUT, timing=job.timing)
    assert world.stored("c").timing is None


def test_its_record_says_which_version_ran(world: World) -> None:
    world.function()
    world.call()
    world.end(world.to_nodes[0])
    assert world.stored("c").version == 1
    late = world.call("late", wait_ms=10)
    world.now += 20
    world.detach(late)
    world.end(world.to_nodes[1])
    assert (world.status("late"), world.stored("late").version) == ((Status.SUCCESS, None), 1)


def test_the_same_result_again_changes_nothing(world: World) -> None:
    world.function()
    world.call()
    result = world.result(world.to_nodes[0], output=OUTPUT)
    world.collector.receive([result, result])
    first = world.stored("c")
    world.now += 1000
    world.collector.receive([result])
    assert world.stored("c") == first
    assert len(set(map(repr, world.answers))) == 1
    assert len(world.acknowledged) == 3


def test_the_answer_does_not_wait_for_a_store_that_is_away(world: World) -> None:
    world.function()
    world.call()
    result = world.result(world.to_nodes[0])
    world.store.away = True
    with pytest.raises(StoreUnavailableError):
        world.collector.receive([result])
    assert answered(world) == [("c", None)]
    assert world.acknowledged == []
    world.store.away = False
    world.collector.receive([result])
    assert world.status("c") == (Status.SUCCESS, None)
    assert len(world.acknowledged) == 1


def test_calls_that_end_together_are_recorded_in_one_write(world: World) -> None:
    world.function()
    for number in range(4):
        world.call(f"c{number}")
    writes: list[int] = []
    create = world.store.create_requests
    world.store.create_requests = lambda new: writes.append(len(new)) or create(new)  # type: ignore[method-assign,assignment]
    world.collector.receive([world.result(job) for job in world.to_nodes])
    assert writes == [4]
    assert {world.stored(f"c{number}").status for number in range(4)} == {Status.SUCCESS}


@pytest.mark.parametrize("reason", ["exception", "timeout", "oom", "cancelled"])
def test_a_call_that_failed_is_recorded_and_no_dead_letter(world: World, reason: str) -> None:
    world.function()
    world.call()
    world.end(world.to_nodes[0], reason=reason, message="m")
    assert answered(world) == [("c", reason)]
    stored = world.stored("c")
    assert (stored.reason, stored.dead, len(stored.attempts)) == (reason, False, 1)
    assert world.store.get_result("c") is None


def test_a_call_whose_node_could_not_run_it_is_in_no_record(world: World) -> None:
    world.function()
    world.call()
    world.end(world.to_nodes[0], reason="node_lost", message="the engine failed")
    assert answered(world) == [("c", "node_lost")]
    assert world.store.get_requests(["c"]) == {}
    assert len(world.acknowledged) == 1


def test_the_callers_of_a_lost_node_are_told(world: World) -> None:
    world.function()
    world.call()
    for _ in range(11):
        world.pass_time(1000)
    assert answered(world) == [("c", "node_lost")]
    assert world.store.get_requests(["c"]) == {}


def test_the_caller_of_a_job_that_never_arrived_is_told(world: World) -> None:
    world.function()
    world.call()
    world.pass_seconds(8)
    assert answered(world) == [("c", "node_lost")]


def test_nobody_is_told_wrongly_when_done_was_lost(world: World) -> None:
    """The node has the result in its spool for long; its end was never heard of."""
    world.function()
    world.call()
    world.pass_seconds(20, spooled=(("c", 1),))
    assert answered(world) == []
    world.collector.receive([world.result(world.to_nodes[0])])
    assert answered(world) == [("c", None)]


# A wait that ends early


def test_a_call_recorded_while_it_runs_is_settled(world: World) -> None:
    world.function()
    call = world.call(wait_ms=100)
    world.now += 200
    world.detach(call)
    assert world.status("c") == (Status.RUNNING, None)
    world.pass_seconds(20, running=(("c", 1, "f"),))
    assert world.deliver() == []
    world.end(world.to_nodes[0], output=OUTPUT)
    assert world.status("c") == (Status.SUCCESS, None)
    assert world.jobs == [("c", 1, "n")]


def test_a_call_recorded_after_its_result_stays_as_it_is(world: World) -> None:
    world.function()
    call = world.call(wait_ms=100)
    world.now += 200
    world.end(world.to_nodes[0], output=OUTPUT)
    ended = world.stored("c")
    world.detach(call)
    assert world.stored("c") == ended
    assert ended.status is Status.SUCCESS


def test_a_failure_after_the_wait_is_a_dead_letter(world: World) -> None:
    world.function()
    call = world.call(wait_ms=100)
    world.now += 200
    world.detach(call)
    world.end(world.to_nodes[0], reason="exception", message="m")
    assert (world.status("c"), world.stored("c").dead) == ((Status.ERROR, "exception"), True)


def test_a_call_that_still_waited_for_a_node_is_queued(world: World) -> None:
    world.function()
    world.heartbeat(slots=0)
    call = world.call(wait_ms=100)
    world.now += 200
    world.heartbeat()
    assert world.jobs == []
    world.detach(call)
    world.pass_time(1000)
    world.pass_time(1000)
    assert world.jobs == [("c", 1, "n")]
    assert world.to_nodes[0].ticket is None
    world.end(world.to_nodes[0])
    assert world.status("c") == (Status.SUCCESS, None)


def test_it_is_queued_though_the_store_was_away_first(world: World) -> None:
    """What is held is let go only behind the record."""
    world.function()
    world.heartbeat(slots=0)
    call = world.call(wait_ms=100)
    world.now += 200
    world.detach(call)
    world.store.away = True
    with pytest.raises(StoreUnavailableError):
        world.pass_time(1000)
    world.store.away = False
    world.pass_seconds(6, slots=0)
    assert world.deliver() == []
    world.heartbeat()
    world.pass_time(1000)
    assert world.jobs == [("c", 1, "n")]


def test_a_call_that_was_lost_after_the_wait_is_repeated(world: World) -> None:
    world.function()
    call = world.call(wait_ms=100)
    world.now += 200
    world.detach(call)
    world.restart()
    world.heartbeat(Hello)
    world.pass_seconds(6)
    assert set(world.deliver()) == {"node_lost"}
    world.pass_seconds(1)
    assert world.jobs == [("c", 1, "n"), ("c", 2, "n")]
    world.end(world.to_nodes[1])
    stored = world.stored("c")
    assert [(each.number, each.reason) for each in stored.attempts] == [(1, "node_lost"), (2, None)]


def test_a_failed_engine_after_the_wait_is_repeated(world: World) -> None:
    world.function()
    call = world.call(wait_ms=100)
    world.now += 200
    world.detach(call)
    world.end(world.to_nodes[0], reason="node_lost", message="the engine failed")
    assert world.status("c") == (Status.QUEUED, None)
    world.pass_seconds(1)
    assert world.jobs == [("c", 1, "n"), ("c", 2, "n")]
    assert world.store.get_input("c") == BODY


def test_a_call_that_nobody_recorded_is_let_go(world: World) -> None:
    """Its API process died: nothing was promised, and nothing runs."""
    world.function()
    world.heartbeat(slots=0)
    world.call(wait_ms=100)
    for _ in range(8):
        world.heartbeat(slots=0)
        world.pass_time(1000)
    world.heartbeat()
    world.pass_time(1000)
    assert world.jobs == []
    assert world.store.get_requests(["c"]) == {}


def test_who_waits_no_longer_holds_up_no_one_behind(world: World) -> None:
    world.function()
    world.heartbeat(slots=0)
    world.call("short", wait_ms=100)
    world.call("long")
    world.now += 200
    world.heartbeat(slots=1)
    assert world.jobs == [("long", 1, "n")]


# Waiting for a function, and its limit


def test_a_call_waits_for_the_first_build(world: World) -> None:
    world.function(status=FunctionStatus.BUILDING, version=None)
    world.call()
    world.pass_time(1000)
    assert world.jobs == []
    world.store.change_function(
        "f", lambda old: replace(old, status=FunctionStatus.ACTIVE, version=1)
    )
    world.dispatcher.receive([FunctionChanged(function_id="f")])
    assert world.jobs == [("c", 1, "n")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deleted_at": 5}, "function_deleted"),
        ({"status": FunctionStatus.ERROR, "version": None}, "image_build"),
    ],
)
def test_the_caller_is_told_what_cannot_run(
    world: World, change: dict[str, Any], reason: str
) -> None:
    world.function(**change)
    world.call()
    assert answered(world) == [("c", reason)]
    assert world.to_collector == []


def test_over_its_limit_a_call_is_refused_and_a_request_waits(world: World) -> None:
    world.function(limit=1)
    world.call("first")
    world.call("second")
    world.request("third")
    world.pass_time(1000)
    assert world.jobs == [("first", 1, "n")]
    assert answered(world) == [("second", "throttled")]
    world.end(world.to_nodes[0])
    assert world.jobs == [("first", 1, "n"), ("third", 1, "n")]


def test_over_its_limit_a_call_is_refused_on_a_full_node_too(world: World) -> None:
    world.function(limit=1)
    world.heartbeat(slots=1)
    world.call("first")
    world.request("waits")
    world.pass_time(1000)
    world.call("second")
    assert answered(world) == [("second", "throttled")]


def test_builds_are_within_no_limit(world: World) -> None:
    world.function(limit=1)
    world.request("b", kind="build", version=1)
    world.pass_time(1000)
    world.call()
    assert [job[0] for job in world.jobs] == ["b", "c"]


def test_a_limit_that_is_raised_lets_more_run_at_once(world: World) -> None:
    world.function(limit=1)
    for number in range(4):
        world.request(f"r{number}")
    world.pass_time(1000)
    assert len(world.jobs) == 1
    world.store.change_function("f", lambda old: replace(old, limit=3))
    world.dispatcher.receive([FunctionChanged(function_id="f")])
    assert len(world.jobs) == 3
    world.store.change_function("f", lambda old: replace(old, limit=1))
    world.dispatcher.receive([FunctionChanged(function_id="f")])
    world.end(world.to_nodes[0])
    assert len(world.jobs) == 3
    world.end(world.to_nodes[1])
    world.end(world.to_nodes[2])
    assert len(world.jobs) == 4


def test_a_limit_leaks_nothing_when_ends_are_lost(world: World) -> None:
    """Neither Ended nor Done arrives; the node's heartbeat says as much."""
    world.function(limit=1)
    world.request("first")
    world.request("second")
    world.pass_time(1000)
    world.pass_seconds(4, running=(("first", 1, "f"),))
    assert [job[0] for job in world.jobs] == ["first"]
    world.heartbeat(running=(("first", 1, "f"),), spooled=(("first", 1),))
    world.pass_time(1000)
    assert [job[0] for job in world.jobs] == ["first", "second"]
    world.collector.receive([world.result(world.to_nodes[0])])
    world.pass_seconds(4, running=(("second", 1, "f"),))
    world.request("third")
    world.pass_seconds(1, running=(("second", 1, "f"),))
    assert [job[0] for job in world.jobs] == ["first", "second"]


def test_a_lost_node_is_within_no_limit(world: World) -> None:
    world.function(limit=1)
    world.request("first")
    world.request("second")
    world.pass_time(1000)
    assert [job[0] for job in world.jobs] == ["first"]
    for _ in range(11):
        world.pass_time(1000)
    world.heartbeat(Hello, instance="j")
    world.pass_time(1000)
    assert [job[0] for job in world.jobs] == ["first", "second"]


# Hostile nodes


def test_a_ticket_of_another_call_is_refused(world: World) -> None:
    world.function()
    world.call("mine")
    world.call("theirs")
    mine, theirs = world.to_nodes
    stolen = replace(world.result(mine), ticket=theirs.ticket)
    changed = replace(
        world.result(mine),
        ticket=replace(mine.ticket, record=mine.ticket.record.replace(b"mine", b"nime")),
    )
    world.collector.receive([stolen, changed])
    assert world.collector.refused == 2
    assert (world.answers, world.acknowledged) == ([], [])
    world.collector.receive([world.result(mine)])
    assert answered(world) == [("mine", None)]


def test_a_ticket_of_another_protocol_is_refused_and_the_others_are_settled(world: World) -> None:
    """As during an upgrade: a scheduler writes what this collector cannot read."""
    world.function()
    world.call("old")
    world.call("new")
    old, new = world.to_nodes
    record = bytes([99]) + new.ticket.record[1:]
    ticket = replace(new.ticket, record=record, mac=world.key._mac(record))
    world.collector.receive([replace(world.result(new), ticket=ticket), world.result(old)])
    assert world.collector.refused == 1
    assert answered(world) == [("old", None)]
    assert [each.request_id for each in world.acknowledged] == ["old"]


def test_an_answer_names_no_api_that_the_ticket_does_not(world: World) -> None:
    world.function()
    world.call(reply_to=None)
    [job] = world.to_nodes
    assert isinstance(job, Job)
    world.end(job)
    assert world.answers == []
    assert world.status("c") == (Status.SUCCESS, None)


def test_done_of_a_node_that_was_started_again_frees_nothing(world: World) -> None:
    world.function(limit=1)
    world.call("first")
    world.dispatcher.receive([Done(node="n", instance="other", request_id="first", attempt=1)])
    world.call("second")
    assert world.answers == [
        Answer(
            request_id="second",
            reason="throttled",
            message="the function's limit is 1, of which 1 are used",
        )
    ]
