"""A scheduler that dies, or wakes too late, at any point; nodes that start again; a store away."""

from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Bye, Cancel, Done, Heartbeat, Hello, NodeState, Submitted
from pratai_common.records import Status
from tests.unit.world import BODY, World


def unrecorded(world: World) -> None:
    """Have a job sent by a scheduler that dies before it records that."""
    world.function()
    world.request()
    world.store.away = True
    with pytest.raises(StoreUnavailableError):
        world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]
    world.store.away = False
    world.restart()


@pytest.mark.parametrize("has", [{"running": (("r", 1, "f"),)}, {"spooled": (("r", 1),)}])
def test_what_a_node_has_is_given_to_no_other(world: World, has: dict[str, Any]) -> None:
    unrecorded(world)
    world.heartbeat(Hello, node="m", instance="j", slots=100)
    world.heartbeat(**has)
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]
    stored = world.stored()
    assert (stored.status, stored.node, stored.attempt) == (Status.RUNNING, "n", 1)
    world.collector.receive([world.result(world.to_nodes[0])])
    assert world.status() == (Status.SUCCESS, None)


def test_what_a_node_says_late_to_have_is_given_to_no_other(world: World) -> None:
    unrecorded(world)
    world.heartbeat(Hello, node="m", instance="j", slots=0)
    world.pass_time(2500)
    world.heartbeat(running=(("r", 1, "f"),))
    world.heartbeat(node="m", instance="j", slots=100)
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]
    assert world.stored().node == "n"


def test_what_no_node_has_is_given_once_more(world: World) -> None:
    """The control of the tests above: nothing was adopted because nobody has it."""
    unrecorded(world)
    world.heartbeat(Hello)
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n"), ("r", 1, "n")]


def test_a_node_is_believed_only_of_what_a_former_scheduler_can_have_given_it(
    world: World,
) -> None:
    """No first attempt of what came since, and no later one: that would be recorded."""
    world.function()
    world.now += 1
    lie: dict[str, Any] = {"node": "liar", "instance": "l", "slots": 0}
    world.heartbeat(**lie, running=(("r", 1, "f"),))
    world.request(retries=1)
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]
    holder = world.dispatcher._nodes.holder(("r", 1))
    assert holder is not None
    assert holder.state.node == "n"
    world.end(world.to_nodes[0], reason="exception")
    world.heartbeat(**lie, running=(("r", 2, "f"),))
    world.pass_seconds(5)
    assert world.jobs == [("r", 1, "n"), ("r", 2, "n")]


def test_what_a_node_runs_takes_its_memory_from_a_new_scheduler_too(world: World) -> None:
    world.function(memory=3000)
    world.request()
    world.pass_time(1000)
    world.restart()
    world.heartbeat(Hello, running=(("r", 1, "f"),))
    world.request("s")
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]
    world.end(world.to_nodes[0])
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n"), ("s", 1, "n")]


def test_a_new_scheduler_counts_what_runs_for_limits(world: World) -> None:
    world.function(limit=1)
    world.call()
    assert world.jobs == [("c", 1, "n")]
    world.restart()
    world.heartbeat(Hello, running=(("c", 1, "f"),))
    world.request("s")
    world.pass_time(1000)
    assert world.jobs == [("c", 1, "n")]
    world.end(world.to_nodes[0])
    assert world.jobs == [("c", 1, "n"), ("s", 1, "n")]


def test_a_run_that_ended_before_the_restart_is_within_no_limit(world: World) -> None:
    """Its container is still being removed, and its result is in the spool."""
    world.function(limit=1)
    world.heartbeat(running=(("old", 1, "f"),), spooled=(("old", 1),))
    world.request()
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]


def test_a_scheduler_that_lost_its_lease_starts_over(world: World) -> None:
    """The old one holds a request; the new one runs it; the old one takes over again."""
    world.function()
    world.heartbeat(slots=0)
    world.request()
    world.pass_time(1000)
    old = world.dispatcher
    world.restart()
    world.heartbeat(Hello)
    world.pass_time(1000)
    world.end(world.to_nodes[0])
    assert world.status() == (Status.SUCCESS, None)
    world.dispatcher = old
    world.now += 10_000
    world.heartbeat()
    world.pass_time(1000)
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]
    world.request("s")
    world.heartbeat()
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n"), ("s", 1, "n")]


def test_a_hint_that_a_standby_got_is_not_believed_later(world: World) -> None:
    """Its time comes only after the other one has run the request."""
    world.function()
    standby = world.new_dispatcher()
    world.now += 1
    hint = Submitted(request=world.request(), input=BODY)
    standby.receive([hint])
    world.pass_time(100)
    world.end(world.to_nodes[0])
    world.dispatcher = standby
    world.pass_time(6_000)
    world.heartbeat(Hello)
    standby.receive([hint])
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]


def test_a_hint_of_an_api_whose_clock_is_ahead_is_read_again(world: World) -> None:
    world.function()
    request = world.request(created_at=world.now + 3_600_000, next_run_at=world.now)
    world.pass_time(1000)
    world.end(world.to_nodes[0])
    world.restart()
    world.heartbeat(Hello)
    world.dispatcher.receive([Submitted(request=request, input=BODY)])
    assert world.jobs == [("r", 1, "n")]


def test_old_hints_are_read_together_and_keep_their_input(world: World) -> None:
    world.function()
    world.heartbeat(slots=100)
    hints = [Submitted(request=world.request(f"r{n}"), input=BODY) for n in range(20)]
    world.now += 2_000
    before = world.store.reads
    world.dispatcher.receive(hints)
    assert len(world.jobs) == 20
    # The requests together, their function, its versions.
    assert world.store.reads - before == 3


def test_a_batch_survives_a_store_that_is_away(world: World) -> None:
    """A hint that must be read fails; calls, signs of life and ends of runs are taken in."""
    world.function()
    world.heartbeat(slots=1)
    world.call("first")
    old = world.request("old")
    world.now += 100
    state = {"ip": "1", "pid": 1, "version": "v", "joined_at": 0, "slots": 4, "memory": 4096}
    new = NodeState(node="m", instance="j", address="b", runtimes={}, **state)  # type: ignore[arg-type]
    call = Submitted(request=world._request("second", reply_to="api"), input=BODY, recorded=False)
    world.store.silent = True
    with pytest.raises(StoreUnavailableError):
        world.dispatcher.receive(
            [
                Cancel(request_id="old"),
                Submitted(request=old, input=BODY),
                Heartbeat(state=new),
                Done(node="n", instance="i", request_id="first", attempt=1),
                call,
            ]
        )
    assert [job[0] for job in world.jobs] == ["first", "second"]
    world.store.silent = False
    world.dispatcher.receive([])
    assert {each.daemon_id for each in world.store.list_daemons()} == {"n", "m"}


def test_a_dispatch_that_could_not_be_recorded_takes_no_room(world: World) -> None:
    """A repeated attempt is recorded before it is sent; while that fails, others may run."""
    world.function()
    world.heartbeat(slots=1)
    world.request()
    world.pass_time(1000)
    world.end(world.to_nodes[0], reason="node_lost", message="m")
    world.store.away = True
    with pytest.raises(StoreUnavailableError):
        world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]
    with pytest.raises(StoreUnavailableError):
        world.call()
    world.dispatcher.receive([])
    world.store.away = False
    assert world.jobs == [("r", 1, "n"), ("c", 1, "n")]
    world.end(world.to_nodes[1])
    world.pass_time(1000)
    assert world.jobs[2:] == [("r", 2, "n")]


def test_a_late_success_keeps_the_next_attempt_from_running(world: World) -> None:
    """The node was taken for lost; its result comes while the repetition waits for room."""
    world.function()
    world.request()
    world.pass_time(1000)
    first = world.to_nodes[0]
    world.pass_seconds(7, slots=0)
    world.deliver()
    world.pass_seconds(1, slots=0)
    assert world.stored().status is Status.QUEUED
    world.collector.receive([world.result(first)])
    assert world.status() == (Status.SUCCESS, None)
    world.pass_seconds(2)
    assert world.jobs == [("r", 1, "n")]
    world.request("s")
    world.pass_seconds(1)
    assert world.jobs == [("r", 1, "n"), ("s", 1, "n")]


def test_words_of_a_former_start_of_a_node_do_not_count(world: World) -> None:
    world.function()
    world.heartbeat(Hello, instance="later", joined_at=100, address="new")
    world.call()
    world.heartbeat(instance="i", joined_at=0, address="old")
    world.dispatcher.receive([Bye(node="n", instance="i")])
    [daemon] = world.store.list_daemons()
    assert (daemon.address, daemon.joined_at) == ("new", 100)
    world.pass_seconds(8, instance="later", joined_at=100, running=(("c", 1, "f"),))
    assert world.answers == []
    world.dispatcher.receive([Bye(node="n", instance="later")])
    assert world.store.list_daemons() == []


def test_a_node_that_keeps_too_many_results_gets_no_more(world: World) -> None:
    world.function()
    world.request()
    world.heartbeat(spooled=tuple((f"old{n}", 1) for n in range(5000)))
    world.pass_time(1000)
    assert world.jobs == []
    world.heartbeat(spooled=())
    assert world.jobs == [("r", 1, "n")]


def test_a_version_that_a_list_does_not_show_yet_is_waited_for(world: World) -> None:
    world.function(version=2)
    world.request()
    world.pass_time(1000)
    assert world.jobs == []
    world.store.create_version(replace(world.store.list_versions("f")[0], number=2))
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]


def test_what_was_swept_runs_in_the_order_in_which_it_is_due(world: World) -> None:
    world.function()
    world.heartbeat(slots=0)
    for number, name in enumerate("hgfedcba"):
        world.request(name, next_run_at=world.now + number)
    world.pass_time(1000)
    world.heartbeat(slots=8)
    assert [job[0] for job in world.jobs] == list("hgfedcba")


def test_a_record_of_an_adopted_attempt_keeps_what_is_newer(world: World) -> None:
    unrecorded(world)
    world.collector.receive([world.result(world.to_nodes[0], reason="exception", message="m")])
    world.heartbeat(Hello, spooled=(("r", 1),))
    world.pass_time(1000)
    assert world.status() == (Status.ERROR, "exception")
    [attempt] = world.stored().attempts
    assert (attempt.number, attempt.reason, attempt.epoch) == (1, "exception", 1)
