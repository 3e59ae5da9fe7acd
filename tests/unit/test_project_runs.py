"""How many runs a project has at a time: what is more waits, or is refused, and others do not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Done, FunctionChanged, Hello
from pratai_scheduler.run_quotas import RunQuotas
from pratai_scheduler.window import Entry, Window
from tests.records import request
from tests.unit.world import World

FULL = "the project's quota of concurrent_requests is 2, of which 2 are used"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A scheduler that gives each project two runs at a time, and a node with room for more."""
    made = World(tmp_path)
    made.most_runs = 2
    made.restart()
    made.heartbeat(Hello, slots=20)
    for name, project in (("f", "p"), ("g", "p"), ("h", "q")):
        made.function(name, project_id=project)
    yield made
    made.store.close()


def ask(world: World, *names: str, **values: Any) -> None:
    for name in names:
        world.request(name, **values)
    world.pass_time(1000)


def started(world: World) -> list[str]:
    return [name for name, _, _ in world.jobs]


def test_a_project_has_its_quota_of_all_its_functions(world: World) -> None:
    ask(world, "a", "b", "c")
    ask(world, "d", function_id="g")
    assert started(world) == ["a", "b"]
    ask(world, "x", "y", "z", function_id="h", project_id="q")
    assert started(world) == ["a", "b", "x", "y"]
    world.end(world.to_nodes[0])
    assert len(started(world)) == 5
    world.end(world.to_nodes[1])
    assert {"c", "d"} < {*started(world)}
    assert "z" not in started(world)
    world.end(world.to_nodes[2])
    assert started(world)[-1] == "z"


def test_one_run_that_ends_is_room_for_one(world: World) -> None:
    ask(world, *(f"f{number}" for number in range(6)))
    ask(world, *(f"g{number}" for number in range(6)), function_id="g")
    assert len(started(world)) == 2
    for number in range(10):
        world.end(world.to_nodes[number])
        assert len(started(world)) == number + 3
    assert len({*started(world)}) == 12


def test_a_call_over_the_quota_is_refused_with_how_much_is_used(world: World) -> None:
    world.call("a")
    world.call("b", function_id="g")
    world.call("c")
    world.call("x", function_id="h", project_id="q")
    answers = [(each.request_id, each.reason, each.message) for each in world.answers]
    assert answers == [("c", "throttled", FULL)]
    assert started(world) == ["a", "b", "x"]
    world.end(world.to_nodes[0])
    world.call("d")
    assert started(world)[-1] == "d"


def test_builds_are_no_runs(world: World) -> None:
    ask(world, "build1", kind="build", version=1)
    ask(world, "a", "b", "c")
    assert started(world) == ["build1", "a", "b"]
    ask(world, "build2", kind="build", version=1, function_id="g")
    assert started(world) == ["build1", "a", "b", "build2"]


def test_what_a_former_scheduler_gave_counts(world: World) -> None:
    running = (("a", 1, "f"), ("b", 1, "g"))
    world.restart()
    world.heartbeat(slots=20, running=running)
    world.pass_seconds(5, slots=20, running=running)
    ask(world, "c")
    assert started(world) == []
    ask(world, "x", function_id="h", project_id="q")
    assert started(world) == ["x"]
    world.heartbeat(slots=20, running=running[:1])
    world.pass_seconds(8, slots=20, running=running[:1])
    assert started(world) == ["x", "c"]


def test_places_of_a_lost_node_are_given_again(world: World) -> None:
    ask(world, "a", "b", "c", "d")
    assert started(world) == ["a", "b"]
    for _ in range(12):
        world.pass_time(1000)
    world.heartbeat(Hello, slots=20, node="m", instance="j")
    for _ in range(6):
        world.heartbeat(slots=20, node="m", instance="j")
        world.pass_time(1000)
    assert len(started(world)) == 4


def test_without_a_quota_there_are_as_many_as_there_is_room_for(world: World) -> None:
    world.most_runs = -1
    world.restart()
    world.heartbeat(slots=20)
    world.pass_seconds(3, slots=20)
    ask(world, *(f"f{number}" for number in range(9)))
    assert len(started(world)) == 9


def test_a_call_that_the_scheduler_has_no_place_for_is_told_how_many_there_are(
    world: World,
) -> None:
    world.window_requests = 2
    world.restart()
    for name in ("x", "y", "z"):
        world.call(name)
    message = "a scheduler's room for requests that wait is 2, of which 2 are used"
    answers = [(each.request_id, each.reason, each.message) for each in world.answers]
    assert answers == [("z", "throttled", message)]


# A place is used


def test_a_place_that_the_first_in_turn_does_not_use_is_anothers_at_once(world: World) -> None:
    """Its function was disabled, or deleted, while it waited for the quota."""
    for name in ("f2", "f3"):
        world.function(name)
    ask(world, "a", "b", "c")
    ask(world, "d", function_id="f2")
    ask(world, "e", function_id="f3")
    ask(world, "z", function_id="g")
    assert started(world) == ["a", "b"]
    now = world.now
    for name, change in (("f", {"enabled": False}), ("f2", {"deleted_at": now})):
        world.store.change_function(name, lambda old, values=change: replace(old, **values))
        world.dispatcher.receive([FunctionChanged(function_id=name)])
    world.end(world.to_nodes[0])
    assert started(world) == ["a", "b", "e"]
    assert world.now == now
    assert [each.reason for each in world.to_collector] == ["function_deleted"]
    world.end(world.to_nodes[1])
    assert started(world) == ["a", "b", "e", "z"]


def test_a_place_is_not_lost_to_what_went_while_it_was_parked(world: World) -> None:
    """What was cancelled, and came anew, waits in its turn and takes no other's wake-up."""
    ask(world, "a", "b", "c")
    ask(world, "d", function_id="g")
    assert started(world) == ["a", "b"]
    window = world.dispatcher._window
    assert window.forget(world.stored("c"))
    assert len(window) == 1
    world.end(world.to_nodes[0])
    assert started(world) == ["a", "b", "d"]


def held(*entries: Entry) -> Window:
    """Return a window whose entries, each of a function of its own, are parked for their quota."""
    window = Window(100)
    for each in entries:
        assert window.add(each)
    while (first := window.first()) is not None:
        window.park_for_quota(first)
    return window


def entry(number: int) -> Entry:
    return Entry(request(number, function_id=f"f{number}"), None)


def test_one_is_woken_for_each_run_that_ends_and_more_while_there_is_room() -> None:
    window = held(*map(entry, range(1, 5)))
    window.run_ended("another")
    assert not window.wake(lambda _: True)
    window.run_ended("p")
    assert window.first() == entry(1)
    assert not window.wake(lambda _: False)
    assert not window.wake(lambda _: True), "nothing has ended since there was no room"
    window.run_ended("p")
    assert window.wake(lambda project: project == "p")
    window.leave(entry(1).request, 1)
    window.leave(entry(2).request, 1)
    assert window.first() == entry(3)
    assert window.wake(lambda _: True)
    assert not window.wake(lambda _: True), "all are woken"


def test_a_lane_that_is_gone_is_not_parked_any_more() -> None:
    window = held(entry(1), entry(2))
    window.forget(entry(1).request)
    assert window.add(entry(1))
    assert window.first() == entry(1)
    window.run_ended("p")
    window.leave(entry(1).request, 1)
    assert window.first() == entry(2)


# Whose run it is


def test_what_a_node_runs_counts_as_soon_as_it_is_known_whose_it_is(world: World) -> None:
    """The store was away when the node said what it runs, by a former scheduler."""
    running = (("a", 1, "f"), ("b", 1, "g"))
    world.restart()
    world.store.silent = True
    with pytest.raises(StoreUnavailableError):
        world.heartbeat(slots=20, running=running)
    nodes = world.dispatcher._nodes
    assert (nodes.runs_of("f"), nodes.runs_of_project("p")) == (1, 0)
    node = nodes.get("n")
    assert node is not None
    before = node.free_memory
    world.store.silent = False
    world.heartbeat(slots=20, running=running)
    assert (nodes.runs_of("f"), nodes.runs_of_project("p")) == (1, 2)
    assert node.free_memory == before - 2 * 128
    world.pass_seconds(5, slots=20, running=running)
    ask(world, "c")
    assert started(world) == []
    world.dispatcher.receive([Done(node="n", instance="i", request_id="a", attempt=1)])
    assert (nodes.runs_of("f"), nodes.runs_of_project("p")) == (1, 2), "another one took its place"
    assert started(world) == ["c"]
    assert node.free_memory == before - 2 * 128


# What Keystone says


def test_what_the_api_says_of_a_project_counts(world: World) -> None:
    """The youngest request says it, also one that waits behind others."""
    ask(world, "a", "b", "c", "d")
    assert started(world) == ["a", "b"]
    ask(world, "e", most_runs=3)
    assert started(world) == ["a", "b", "c"]
    world.call("x", most_runs=1)
    message = "the project's quota of concurrent_requests is 1, of which 3 are used"
    assert [(each.reason, each.message) for each in world.answers] == [("throttled", message)]
    ask(world, "f", most_runs=-1)
    assert len(started(world)) == 6
    ask(world, "y1", "y2", "y3", function_id="h", project_id="q")
    assert started(world)[-1] == "y2"


def test_an_older_request_says_nothing_of_now() -> None:
    quotas = RunQuotas(5)
    assert quotas("p") == 5
    quotas.hear(request(1, created_at=20, most_runs=7))
    quotas.hear(request(2, created_at=10, most_runs=9))
    quotas.hear(request(3, created_at=30))
    assert (quotas("p"), quotas("q")) == (7, 5)
