"""The end of a history: faults stop, and everything has to come to rest."""

from typing import Any

from tests.simulation.clients import ApiDaemon
from tests.simulation.daemons import SchedulerDaemon
from tests.simulation.ledger import require
from tests.simulation.nodes import NodeDaemon
from tests.simulation.world import NAMES, World

REST_SECONDS = 120
"""Of virtual time: what is accepted has ended so long after the last fault at the latest. That is
the lease of a node for each of four attempts, the longest pause of a spool, and some more.
"""

_WATCHED_SECONDS = 8
"""For so long nothing may happen any more then."""

_STEP_SECONDS = 1


def come_to_rest(world: World) -> int:
    """Let all faults end, and all work; returns how many seconds that took."""
    world.calm = world.ledger.closed = True
    world.network.cuts.clear()  # what is long on its way arrives all the same
    world.to_hold.clear()
    for disk in world.disks.values():
        disk.full = False
    for name in NAMES:
        daemon = world.daemons.get(name)
        if daemon is not None:
            daemon.process.stopped_until = 0
        world.start(name)
    for second in range(0, REST_SECONDS, _STEP_SECONDS):
        world.go_on()
        world.pass_time(1000 * _STEP_SECONDS)
        world.check()
        if not left(world):
            return second
    raise AssertionError(f"not at rest after {REST_SECONDS} seconds: {left(world)}")


def check_rest(world: World) -> None:
    """Check what holds when all is at rest."""
    for _ in range(0, _WATCHED_SECONDS, _STEP_SECONDS):
        world.pass_time(1000 * _STEP_SECONDS)
        world.go_on()
    require(not left(world), "something begins by itself", left(world))
    world.ledger.check_rest(world.store)
    for daemon in world.daemons.values():
        if isinstance(daemon, SchedulerDaemon) and daemon.leadership.active(world.now):
            require(daemon.holds_nothing(), "a scheduler holds what is over", daemon.process.name)


def left(world: World) -> list[Any]:
    """Return what is left to be done, or to be told of again."""
    rows = world.ledger.rows.values()
    found: list[Any] = [each for each in rows if not each.status.final or each.following]
    for daemon in world.daemons.values():
        if isinstance(daemon, NodeDaemon):
            found += [*daemon.spool.keys(), *daemon.hands.begun]
        elif isinstance(daemon, ApiDaemon):
            found += daemon.waiting
    return found
