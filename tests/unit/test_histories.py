"""Whatever befalls messages, daemons and the store: what was accepted ends, once and for good.

PRATAI_HISTORIES says how many histories are gone through; a seed is one, again and again.
"""

import os
import tempfile
from pathlib import Path

import pytest

from pratai_common.records import Request, Status
from pratai_common.submit import Cause, request_id
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
    assert records
    for record in records:
        assert record.status.final, record
        numbers = [attempt.number for attempt in record.attempts]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) <= 1 + record.retries + 3
    assert world.waiting == {}
    check_what_followed(records)
    check_nothing_leaks(world)
    if not world.faults.scheduler_dies:
        assert {key: nodes for key, nodes in world.runs.items() if len(nodes) > 1} == {}
    if not any(world.faults) and not world.thought_lost:
        assert world.most_running["f2"] <= 2


def check_what_followed(records: list[Request]) -> None:
    """Check that each end was followed by what subscribes to it, once, and by nothing else."""
    children: dict[str | None, list[str]] = {}
    for record in records:
        children.setdefault(record.parent_id, []).append(record.request_id)
    for record in records:
        assert sorted(children.pop(record.request_id, [])) == sorted(followers(record)), record
    assert children.keys() <= {None}


def followers(record: Request) -> list[str]:
    """Return the ids of the requests that the end of one has to cause."""
    causes = []
    response, success = Cause("response", record.request_id), record.status is Status.SUCCESS
    if record.function_id == "f1" and success:
        causes.append(("f2", response))
    if record.function_id == "f1" and record.status is Status.ERROR:
        causes.append(("f3", response))
    if record.function_id == "f2" and record.status is not Status.CANCELLED:
        causes.append(("f3", response))
    if record.function_id == "f1" and record.dead:
        causes.append(("f3", Cause("dead_letter", f"e/{record.request_id}")))
    return [request_id("p", function_id, cause) for function_id, cause in causes]


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
