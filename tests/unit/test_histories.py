"""Whatever befalls messages, daemons and the store: what was accepted ends, once and for good.

PRATAI_HISTORIES says how many histories are gone through; a seed is one, again and again.
"""

import os
import tempfile
from pathlib import Path

import pytest

from tests.unit.simulation import Faults, Simulation

HISTORIES = int(os.environ.get("PRATAI_HISTORIES", "16"))
STEPS = 200


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_everything_ends(seed: int) -> None:
    faults = Faults(*(bool(seed >> bit & 1) for bit in range(len(Faults._fields))))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        world = Simulation(Path(folder), seed, faults)
        try:
            for _ in range(STEPS):
                world.step()
            world.check_finals()
            world.come_to_rest()
            check(world)
        finally:
            world.store.close()


def check(world: Simulation) -> None:
    """Check what holds when all is at rest."""
    world.check_finals()
    records = world.records()
    assert len(records) > 5
    for record in records:
        assert record.status.final, record
        numbers = [attempt.number for attempt in record.attempts]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) <= 1 + record.retries + 3
    assert world.waiting == {}
    check_nothing_leaks(world)
    if not world.faults.scheduler_dies:
        assert {key: nodes for key, nodes in world.runs.items() if len(nodes) > 1} == {}
    if not any(world.faults) and not world.thought_lost:
        assert world.most_running["f2"] <= 2


def check_nothing_leaks(world: Simulation) -> None:
    """Check that neither scheduler nor nodes hold anything any more."""
    dispatcher = world.dispatcher
    assert len(dispatcher._window) == 0
    assert dispatcher._nodes._holders == {}
    assert dispatcher._nodes._runs == {}
    assert dispatcher._calls._out == {}
    assert dispatcher._placement._dispatched == []
    assert [node.spool for node in world.nodes.values()] == [{}, {}, {}]


def test_a_limit_is_reached_and_never_passed() -> None:
    """The control of the check above: as many as the limit allows did run at a time."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        world = Simulation(Path(folder), 0, Faults())
        try:
            world.pace = [3, 0.3, 3, 0.3]
            for _ in range(3 * STEPS):
                world.step()
            assert not world.thought_lost
            assert world.most_running["f2"] == 2
            assert world.most_running["f1"] > 2
        finally:
            world.store.close()
