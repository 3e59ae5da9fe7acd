"""Faults in random order for as long as told, with short leases. Needs root, and a Docker Engine
that answers. Fails if anything was lost or doubled, or has grown.

.venv/bin/python -m tests.faults.soak --minutes N [--seed S]
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator

from tests.faults.faults import FAULTS
from tests.faults.installation import SHORT, alone
from tests.faults.report import table


def shuffled(seed: int, ends: float) -> Iterator[str]:
    """Yield all faults in an order of the seed's, again and again in others, until it is time."""
    chance, names = random.Random(seed), list(FAULTS)
    while True:
        chance.shuffle(names)
        for name in names:
            if time.monotonic() >= ends:
                return
            yield name


def main() -> None:
    parser = argparse.ArgumentParser(description="faults in random order")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with alone(SHORT) as on:
        ends = time.monotonic() + 60 * asked.minutes
        if not table(on, shuffled(asked.seed, ends)):
            sys.exit(1)


if __name__ == "__main__":
    main()
