"""Histories: made from a seed, gone through, and, where one fails, made as short as it can be."""

import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.simulation.coverage import POINTS, SELDOM, Coverage
from tests.simulation.daemons import Parts
from tests.simulation.rest import check_rest, come_to_rest
from tests.simulation.steps import FAULTS, STEPS, WORK, Step, take
from tests.simulation.world import World

STEPS_OF_ONE = 110
_PACES = (0.4, 1.0, 2.5)
_MOST_SECONDS = 60
"""After so long a history that fails is short enough."""


class Failure(NamedTuple):
    """A history that ended with a broken invariant."""

    seed: int
    steps: Sequence[Step]
    error: AssertionError

    def __str__(self) -> str:
        steps = "\n".join(f"    Step({each.name!r}, {each.a}, {each.b})," for each in self.steps)
        return f"{self.error}\nreplay({self.seed}, [\n{steps}\n])"


def steps_of(seed: int) -> list[Step]:
    """Return the history of a seed. Some faults are left out of each, and one in eight has none:
    what always goes wrong hides what goes wrong alone.
    """
    chance = random.Random(f"history {seed}")
    faults = [name for name in FAULTS if seed % 8 and chance.random() < 0.6]
    names = [*WORK, *faults]
    weights = [STEPS[name].weight * chance.choice(_PACES) for name in names]
    steps = [
        Step(name, chance.randrange(256), chance.randrange(256))
        for name in chance.choices(names, weights, k=STEPS_OF_ONE)
    ]
    if seed % 8:  # each point at which daemons have to have died has its turn
        number = seed - seed // 8
        seldom = POINTS.index(SELDOM[number % len(SELDOM)])
        steps[0] = Step("crash_at", seldom, 0)
        places = range(10, STEPS_OF_ONE - 30, 10)
        for turn, place in enumerate(places):
            point = (len(places) * number + turn) % len(POINTS)
            steps[place] = Step("crash_at", point, chance.randrange(256))
    return steps


def replay(
    seed: int,
    steps: Sequence[Step],
    parts: type[Parts] = Parts,
    coverage: Coverage | None = None,
) -> int:
    """Go through a history to its end; returns the seconds until all was at rest.

    Raises AssertionError where something is so that never may be.
    """
    with silence():
        coverage = Coverage() if coverage is None else coverage
        world = World(seed, coverage, parts)
        for step in steps:
            take(world, step)
        seconds = come_to_rest(world)
        check_rest(world)
    coverage.accepted += len(world.ledger.accepted)
    return seconds


def error_of(
    seed: int, steps: Sequence[Step], parts: type[Parts] = Parts, coverage: Coverage | None = None
) -> AssertionError | None:
    """Go through a history; returns what ``replay`` raises, if it does."""
    try:
        replay(seed, steps, parts, coverage)
    except AssertionError as error:
        return error
    return None


def shortest(seed: int, steps: Sequence[Step], parts: type[Parts] = Parts) -> Failure:
    """Leave out of a history that fails what it fails without: halves first, then ever less."""
    error = error_of(seed, steps, parts)
    assert error is not None, "it does not fail"
    failure, size = Failure(seed, steps, error), len(steps)
    ends = time.monotonic() + _MOST_SECONDS
    while size:
        place = 0
        while place < len(failure.steps) and time.monotonic() < ends:
            fewer = [*failure.steps[:place], *failure.steps[place + size :]]
            error = error_of(seed, fewer, parts)
            if error is None:
                place += size
            else:
                failure = Failure(seed, fewer, error)
        size //= 2
    return failure


@contextmanager
def silence() -> Iterator[None]:
    """Keep what daemons log to themselves: it is much, and of thousands of daemons."""
    former = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(former)
