"""Whatever befalls messages, daemons, disks and the store: what was accepted ends, once, for good.

PRATAI_HISTORIES says how many histories are gone through. One that fails is printed as the call of
``replay`` that goes through it again, as short as it could be made.
"""

import os
import time

import pytest

from tests.simulation.broken import VARIANTS
from tests.simulation.coverage import Coverage
from tests.simulation.daemons import Parts
from tests.simulation.histories import error_of, replay, shortest, steps_of
from tests.simulation.steps import Step

HISTORIES = int(os.environ.get("PRATAI_HISTORIES", "200"))
WITHIN = 1000
"""Histories within which each broken variant has to be noticed."""


def test_everything_ends_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Also, all that may befall a daemon befell one: what never happened was not tried."""
    coverage, longest, began = Coverage(), 0, time.monotonic()
    for seed in range(HISTORIES):
        try:
            longest = max(longest, replay(seed, steps_of(seed), coverage=coverage))
        except AssertionError:
            pytest.fail(f"history {seed}: {shortest(seed, steps_of(seed))}")
    with capsys.disabled():
        print(f"\n{coverage.table()}")
        seconds = time.monotonic() - began
        print(f"{HISTORIES} histories in {seconds:.0f} s; at rest after {longest} s at most")
    if HISTORIES >= WITHIN:
        assert coverage.missing() == []


@pytest.mark.parametrize("parts", VARIANTS, ids=lambda parts: parts.__name__)
def test_what_is_broken_is_noticed(parts: type[Parts], capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(WITHIN):
        error = error_of(seed, steps_of(seed), parts)
        if error is not None:
            with capsys.disabled():
                print(f"\n{parts.__name__}: noticed in history {seed}: {str(error)[:100]}")
            return
    pytest.fail(f"not noticed within {WITHIN} histories")


def test_the_same_steps_do_the_same() -> None:
    first, second = Coverage(), Coverage()
    for coverage in (first, second):
        replay(3, steps_of(3), coverage=coverage)
    assert first.came == second.came
    assert first.ways == second.ways


def test_a_limit_is_reached_without_faults() -> None:
    """The control of the check that it is never exceeded."""
    steps = [Step("submit", 2, 1)] * 6 + [Step("deliver", 0, 3)] * 12
    coverage = Coverage()
    replay(0, [*steps, Step("pass", 2, 0), *steps], coverage=coverage)
    assert coverage.most_limited == 2
