"""Histories from a seed on: for so long, or so many.

.venv/bin/python -m tests.simulation.soak (--minutes N | --histories N) [--seed S]

Without a seed it begins with one that nobody has been at: the seconds since 1970, times a thousand.
Prints what was come to, and each history that failed; ends with 1 where one did.
"""

import argparse
import sys
import time

from tests.simulation.coverage import Coverage
from tests.simulation.histories import error_of, shortest, steps_of


def gone_through(first: int, histories: int | None, ends: float) -> tuple[Coverage, int, int]:
    """Go through ``histories``, or as many as fit until ``ends`` of the monotonic clock; returns
    what they came to, how many there were, and how many failed.
    """
    coverage, seed, failures = Coverage(), first, 0
    while time.monotonic() < ends if histories is None else seed < first + histories:
        if error_of(seed, steps_of(seed), coverage=coverage) is not None:
            failures += 1
            print(f"history {seed}: {shortest(seed, steps_of(seed))}", flush=True)
        seed += 1
    return coverage, seed - first, failures


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description="histories of the simulated platform")
    bound = parser.add_mutually_exclusive_group(required=True)
    bound.add_argument("--minutes", type=float, default=0.0)
    bound.add_argument("--histories", type=int)
    parser.add_argument("--seed", type=int, default=int(time.time() * 1000))
    asked = parser.parse_args()
    print(f"histories from seed {asked.seed}", flush=True)
    ends = time.monotonic() + 60 * asked.minutes
    coverage, histories, failures = gone_through(asked.seed, asked.histories, ends)
    print(f"{coverage.table()}\n{histories} histories, {failures} failed: {coverage.summary()}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
