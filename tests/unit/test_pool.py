"""Containers of functions that wait for events, on real sockets."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from pratai_common.errors import EngineError
from pratai_drivers import settling
from pratai_drivers.conversation import EndedError
from pratai_drivers.demand import Order
from pratai_drivers.fit import Fit
from pratai_drivers.folders import runs_path
from pratai_drivers.interruption import Interruption
from pratai_drivers.shelf import Making
from pratai_drivers.warm import Warm
from tests.unit.node_world import FIT
from tests.unit.pool_world import OTHER, SHARED, PoolWorld, Watched, handled
from tests.waiting import until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PoolWorld]:
    made = PoolWorld(tmp_path)
    made.pool.start()
    yield made
    made.engine.goes_on.set()
    made.pool.stop()
    assert made.engine.living == []
    assert list(runs_path(made.conf).iterdir()) == []
    assert made.starter.starting == 0


def test_the_second_event_finds_a_spare(world: PoolWorld) -> None:
    ending, found = world.event()
    assert (ending.output, found) == (b"7", False)
    world.waiting(1)
    ending, found = world.event()
    assert (ending.output, found) == (b"7", True)
    world.waiting(1)


def test_a_spare_is_of_one_function_version_and_setting(world: PoolWorld) -> None:
    world.event()
    world.waiting(1)
    for unlike in (
        OTHER,
        FIT._replace(project_id="other"),
        FIT._replace(memory=65),
        FIT._replace(network="bridge"),
        FIT._replace(isolation="process"),
        FIT._replace(environment=(("A", "b"),)),
    ):
        assert world.pool.take(unlike, 30, None) is None
        world.pool.release(unlike, None, False)


def test_an_update_leaves_no_spare_of_the_former_version(world: PoolWorld) -> None:
    world.event(pinned=2)
    world.waiting(2)
    newer = FIT._replace(version=2)
    ending, found = world.event(newer)
    assert (ending.output, found) == (b"7", False)
    world.now += 1
    world.waiting(0)
    world.waiting(1, newer)


def test_nothing_waits_for_a_function_that_has_changed(world: PoolWorld) -> None:
    """Nor is anything made for it, until it is asked for again: also a former version may be."""
    world.event(pinned=2)
    world.event(OTHER)
    world.waiting(2)
    world.waiting(1, OTHER)
    world.pool.forget(FIT.function_id)
    world.waiting(0)
    world.now += 1
    world.waiting(1, OTHER)
    assert world.pool.ready() == ((OTHER.function_id, OTHER.version, 1),)
    world.event(FIT._replace(version=FIT.version - 1))
    world.waiting(1, FIT._replace(version=FIT.version - 1))


def test_a_spare_that_died_is_never_given_an_event(world: PoolWorld) -> None:
    world.event()
    world.waiting(1)
    dead = world.engine.living[0]
    hang_up(world, FIT)
    ending, found = world.event()
    assert (ending.output, found) == (b"7", False)
    until(lambda: dead not in world.engine.living, "it is removed")


def hang_up(world: PoolWorld, fit: Fit) -> None:
    """End the connection of what waits, as the end of its process does."""
    for spare in world.pool._shelf._waiting[fit]:
        connection = spare.warm.conversation._connection
        assert connection is not None
        connection.shutdown(2)


def test_a_spare_that_died_is_noticed_and_replaced(world: PoolWorld) -> None:
    world.event()
    world.waiting(1)
    dead = world.engine.living[0]
    hang_up(world, FIT)
    world.now += 1
    until(lambda: dead not in world.engine.living, "it is removed")
    rests(world)


def rests(world: PoolWorld) -> None:
    """Expect that nothing is made for a while, and then a spare."""
    # By then the pool would have made one: it makes the other function's.
    world.event(OTHER)
    world.waiting(1, OTHER)
    assert world.count(FIT) == 0
    world.now += 5
    world.waiting(1)


def test_a_spare_that_lost_a_process_for_want_of_memory_is_replaced(world: PoolWorld) -> None:
    world.event()
    world.waiting(1)
    starved = world.engine.living[0]
    starved.starved = True
    world.now += 1
    until(lambda: starved not in world.engine.living, "it is removed")
    rests(world)


def test_a_spare_that_works_while_it_waits_is_replaced(world: PoolWorld) -> None:
    world.event()
    world.waiting(1)
    works = next(iter(world.engine.living))
    works.used += 5.2
    world.now += 2
    until(lambda: world.pool._look_at > world.now, "it was looked at")
    assert works in world.engine.living
    works.used += 0.3
    world.now += 1
    until(lambda: works not in world.engine.living, "it is removed")
    rests(world)


@pytest.mark.parametrize(("isolation", "kept"), [("container", 0), ("process", 1)])
def test_what_is_for_one_event_never_comes_back(tmp_path: Path, isolation: str, kept: int) -> None:
    world = PoolWorld(tmp_path)
    fit = FIT._replace(isolation=isolation)
    assert world.pool.take(fit, 30, None) is None
    warm = world.starter.start(fit, "image")
    interruption = Interruption()
    warm.load(interruption, 30)
    interruption.close()
    world.pool.release(fit, warm, again=True)
    assert (len(world.engine.living), world.count(fit)) == (kept, kept)
    world.pool.stop()


def test_a_project_cannot_take_the_whole_pool(tmp_path: Path) -> None:
    world = PoolWorld(tmp_path)
    world.pool.start()
    world.event(pinned=8)
    world.waiting(8)
    modest = OTHER._replace(project_id="q")

    def shared(count: int) -> bool:
        world.now += 0.6
        return world.count(modest) == count and world.count(FIT) == 8 - count

    world.event(modest)
    until(lambda: shared(1), "the other project has one")
    world.event(modest, pinned=8)
    until(lambda: shared(4), "each has its share")
    world.claimed = 1024 - 4 * FIT.memory
    world.pool.give_way()
    assert (world.count(modest), world.count(FIT)) == (2, 2)
    world.pool.stop()
    assert world.engine.living == []


def test_spares_are_removed_also_while_all_imports_hang(world: PoolWorld) -> None:
    world.event()
    world.waiting(1)
    dead = world.engine.living[0]
    assert world.pool.take(OTHER, 30, 2) is None
    warm = world.starter.start(OTHER, "image")
    handled(warm)
    world.engine.goes_on.clear()
    world.pool.release(OTHER, warm, again=False)
    until(lambda: world.starter.starting == world.conf.pool.starts, "no thread is left")
    hang_up(world, FIT)
    world.now += 1
    until(lambda: dead not in world.engine.living, "it is removed")


def test_what_a_functions_code_says_is_in_no_log_of_the_node(
    world: PoolWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.event()
    making = Making(Order(FIT, "image", 30))
    world.pool._not_made(making, EndedError("exception", "the password is sesame"))
    assert "exception" in caplog.text
    assert "sesame" not in caplog.text
    world.pool._not_made(making, EngineError("no room on the disk"))
    assert "no room on the disk" in caplog.text
    making.interruption.close()


def test_what_may_have_several_events_comes_back(world: PoolWorld) -> None:
    assert [world.event(SHARED)[1] for _ in range(5)] == [False, True, True, True, True]
    assert len(world.engine.living) == 1


@pytest.mark.parametrize("again", [True, False])
def test_an_event_waits_for_what_has_just_answered(
    world: PoolWorld, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """One event for each: the next one goes its own way, and so does one of another function."""
    monkeypatch.setattr(settling, "PATIENCE_SECONDS", 60)
    warm = world.answering()
    with ThreadPoolExecutor(1) as other:
        taking = other.submit(world.pool.take, SHARED, 30, None)
        until(lambda: world.pool._settling._waiting[SHARED], "an event waits")
        assert world.pool.take(SHARED, 30, None) is None
        assert world.pool.take(OTHER, 30, None) is None
        world.pool.release(SHARED, warm, again)
        assert taking.result() is (warm if again else None)
    world.pool.release(OTHER, None, False)
    world.pool.release(SHARED, None, False)
    world.pool.release(SHARED, warm if again else None, False)


def test_an_event_does_not_wait_long_for_what_has_answered(world: PoolWorld) -> None:
    warm = world.answering()
    assert world.pool.take(SHARED, 30, None) is None
    world.pool.release(SHARED, None, False)
    world.pool.release(SHARED, warm, True)
    assert world.event(SHARED)[1]


def test_what_may_have_several_events_does_not_have_them_for_ever(tmp_path: Path) -> None:
    world = PoolWorld(tmp_path, events=2)
    assert [world.event(SHARED)[1] for _ in range(5)] == [False, True, False, True, False]
    world.pool.stop()
    assert world.engine.living == []


def test_a_container_in_trouble_does_not_come_back(world: PoolWorld) -> None:
    world.engine.goes_on.clear()
    warm = world.pool.take(SHARED, 30, None)
    assert warm is None
    world.engine.goes_on.set()
    warm = world.starter.start(SHARED, "image")
    handled(warm)
    world.pool.release(SHARED, warm, again=False)
    assert warm.container not in world.engine.living


def test_spares_give_way_and_come_again(world: PoolWorld) -> None:
    world.event(pinned=2)
    world.event(OTHER, pinned=None)
    world.waiting(2)
    world.waiting(1, OTHER)
    world.claimed = 1024 - 2 * FIT.memory
    world.pool.give_way()
    assert world.pool.ready() == (("f", 1, 2),), "the other is asked for as often, and not pinned"
    assert len(world.engine.living) == 2, "it is gone before the job goes on"
    world.claimed = 1024
    world.pool.give_way()
    assert (world.pool.ready(), world.engine.living) == ((), [])
    world.claimed = 0
    world.waiting(2)
    world.waiting(1, OTHER)


def test_what_is_being_made_gives_way(world: PoolWorld) -> None:
    world.engine.goes_on.clear()
    assert world.pool.take(FIT, 30, 2) is None
    world.engine.goes_on.set()
    warm = world.starter.start(FIT, "image")
    handled(warm)
    world.engine.goes_on.clear()
    world.pool.release(FIT, warm, again=False)
    until(lambda: world.starter.starting > 0, "some are being made")
    world.claimed = 1024
    world.pool.give_way()
    world.engine.goes_on.set()
    until(lambda: world.starter.starting == 0 and not world.engine.living, "none is kept")
    assert world.pool.ready() == ()


def test_spares_take_no_more_than_their_share(tmp_path: Path) -> None:
    world = PoolWorld(tmp_path, memory_percent=25)
    world.pool.start()
    world.event(pinned=8)
    world.waiting(1024 // 4 // FIT.memory)
    world.now += 1
    assert len(world.engine.living) == 4
    world.pool.stop()


def test_who_is_asked_for_now_takes_the_place_of_who_was_long_ago(tmp_path: Path) -> None:
    """Of one project, and of those that are used again too."""
    world = PoolWorld(tmp_path, memory_percent=25)
    world.pool.start()
    former = [FIT._replace(function_id=f"former-{number}") for number in range(3)]
    for each in former:
        world.event(each)
        world.waiting(1, each)
    pinned = FIT._replace(function_id="pinned")
    world.event(pinned, pinned=1)
    world.waiting(1, pinned)
    world.now += 100
    world.event(OTHER)
    world.now += 1
    world.waiting(1, OTHER)
    shared = SHARED._replace(function_id="shared")
    world.event(shared)
    world.waiting(1, shared)  # its own container, at once
    assert [world.event(shared)[1] for _ in range(3)] == [True] * 3
    world.waiting(1, pinned)
    world.pool.stop()


def test_none_wait_where_none_may(tmp_path: Path) -> None:
    world = PoolWorld(tmp_path, spares=0)
    world.pool.start()
    for fit in (FIT, SHARED):
        assert [world.event(fit, 3)[1] for _ in range(3)] == [False] * 3
    assert world.engine.living == []
    world.pool.stop()


def test_the_idle_wait_no_longer(world: PoolWorld) -> None:
    world.event()
    world.event(SHARED._replace(function_id="shared"))
    world.waiting(1)
    world.now += world.conf.pool.idle_seconds + 1
    until(lambda: not world.engine.living, "they are removed")


def test_an_engine_that_fails_is_left_alone_for_a_while(world: PoolWorld) -> None:
    world.engine.goes_on.clear()
    warm = world.pool.take(FIT, 30, None)
    world.engine.goes_on.set()
    warm = world.starter.start(FIT, "image")
    handled(warm)
    world.engine.fails = True
    world.pool.release(FIT, warm, again=False)
    until(lambda: world.pool._make_at > 0, "it has failed")
    world.engine.fails = False
    assert world.pool.ready() == ()
    world.event()
    assert world.pool.ready() == ()
    world.now += 6
    world.waiting(1)


def test_a_pool_that_drains_has_nothing_and_makes_nothing(world: PoolWorld) -> None:
    world.event(pinned=3)
    world.event(SHARED._replace(function_id="shared"))
    world.waiting(3)
    world.pool.drain()
    until(lambda: not world.engine.living, "they are removed")
    assert world.event()[1] is False
    assert world.engine.living == []


def test_many_at_once_take_what_waits_once_each(world: PoolWorld) -> None:
    world.event(pinned=8)
    world.waiting(8)
    taken: list[Warm | None] = []
    threads = [
        threading.Thread(target=lambda: taken.append(world.pool.take(FIT, 30, 8)))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [each for each in taken if each is not None]
    assert len(found) == len({id(each) for each in found}) == 8
    for each in taken:
        world.pool.release(FIT, each, again=False)


def test_an_event_is_not_blamed_for_what_befell_its_container_before(world: PoolWorld) -> None:
    world.event()
    world.waiting(1)
    starved = world.engine.living[0]
    starved.starved = True
    ending, found = world.event()
    assert (ending.reason, found) == (None, False)
    until(lambda: starved not in world.engine.living, "it is removed")


def test_what_was_starved_while_it_cleaned_up_does_not_come_back(world: PoolWorld) -> None:
    assert world.pool.take(SHARED, 30, None) is None
    warm = world.starter.start(SHARED, "image")
    assert handled(warm)[1]
    assert isinstance(warm.container, Watched)
    warm.container.starved = True
    world.pool.release(SHARED, warm, again=True)
    assert warm.container not in world.engine.living


def test_whatever_a_pool_fails_at_it_goes_on_after_a_while(
    world: PoolWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_spec: object) -> NoReturn:
        raise ValueError("a fault")

    world.engine.goes_on.clear()
    world.pool.take(FIT, 30, None)
    world.engine.goes_on.set()
    warm = world.starter.start(FIT, "image")
    handled(warm)
    with monkeypatch.context() as faulty:
        faulty.setattr(world.engine, "start", fail)
        world.pool.release(FIT, warm, again=False)
        until(lambda: world.pool._make_at > 0, "it has failed")
    assert world.pool.ready() == ()
    world.now += 6
    world.waiting(1)


def test_a_pool_that_fails_at_looking_for_work_goes_on_after_a_while(world: PoolWorld) -> None:
    world.claimed = None  # type: ignore[assignment]
    until(lambda: world.pool._make_at > 0, "it has failed")
    world.claimed = 0
    world.event()
    world.now += 6
    world.waiting(1)
