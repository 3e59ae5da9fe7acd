"""Blank containers, and what becomes of them, on real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_common.errors import EngineError
from pratai_drivers.fit import Fit
from pratai_drivers.folders import runs_path
from tests.unit.node_world import FIT
from tests.unit.pool_world import OTHER, PoolWorld
from tests.waiting import until


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[PoolWorld]:
    made = PoolWorld(tmp_path, blanks=1, spares=0)
    made.engine.can_be_given.add("image")
    made.pool.start()
    yield made
    made.engine.goes_on.set()
    made.pool.stop()
    assert made.engine.living == []
    assert list(runs_path(made.conf).iterdir()) == []


def blanks(world: PoolWorld, count: int = 1) -> None:
    until(lambda: world.pool._shelf.blanks.count() == count, f"{count} blank ones wait")


def test_a_function_without_a_spare_gets_a_blank_container(blank: PoolWorld) -> None:
    blank.event()
    assert blank.engine.given == []
    blanks(blank)
    waits = blank.engine.living[0]
    ending, found = blank.event(OTHER._replace(memory=256, environment=(("A", "b"),)))
    assert (ending.output, found) == (b"7", False)
    assert blank.engine.given == [("image", 256, 1.0)]
    assert waits not in blank.engine.living
    blanks(blank)


@pytest.mark.parametrize(
    "unlike",
    [
        FIT._replace(network="bridge"),
        FIT._replace(runtime="other"),
        FIT._replace(environment=(("LD_PRELOAD", "x"),)),
        FIT._replace(environment=(("PYTHONPATH", "x"),)),
    ],
    ids=["network", "runtime", "what the loader reads", "what the interpreter reads"],
)
def test_a_blank_container_is_not_for_everybody(blank: PoolWorld, unlike: Fit) -> None:
    blank.event()
    blanks(blank)
    ending, _ = blank.event(unlike)
    assert ending.output == b"7"
    assert blank.engine.given == []


def test_a_function_whose_files_cannot_be_given_is_started_from_its_image(blank: PoolWorld) -> None:
    blank.event()
    blanks(blank)
    blank.engine.can_be_given.clear()
    waits = blank.engine.living[0]
    assert blank.event()[0].output == b"7"
    blanks(blank)
    assert blank.engine.living == [waits], "it waits for another"
    blank.engine.give_fails = EngineError("it cannot be given anything")
    assert blank.event()[0].output == b"7"
    until(lambda: waits not in blank.engine.living, "it is good for nothing")
    blanks(blank)


def test_a_fault_of_the_node_leaves_no_blank_container_behind(blank: PoolWorld) -> None:
    blank.event()
    blanks(blank)
    waits = blank.engine.living[0]
    blank.engine.give_fails = RuntimeError("nobody expected that")
    with pytest.raises(RuntimeError, match="nobody expected that"):
        blank.event()
    until(lambda: waits not in blank.engine.living, "it is good for nothing")
    blanks(blank)


def test_a_blank_container_that_died_gets_no_function(blank: PoolWorld) -> None:
    blank.event()
    blanks(blank)
    dead = blank.engine.living[0]
    for waiting in blank.pool._shelf.blanks._waiting.values():
        connection = waiting[0]._conversation._connection
        assert connection is not None
        connection.shutdown(2)
    assert blank.event()[0].output == b"7"
    assert blank.engine.given == []
    until(lambda: dead not in blank.engine.living, "it is removed")
    blanks(blank)


def test_blank_containers_give_way(blank: PoolWorld) -> None:
    blank.event()
    blanks(blank)
    blank.claimed = 1024
    blank.pool.give_way()
    assert blank.engine.living == []
    blank.claimed = 0
    blanks(blank)


def test_an_engine_without_blank_containers_is_not_asked_again(blank: PoolWorld) -> None:
    blank.engine.has_blanks = False
    blank.event()
    until(lambda: blank.pool._shelf.blanks._most == 0, "it is known")
    assert blank.event()[0].output == b"7"
