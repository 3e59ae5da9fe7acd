"""The figures of faults: each once, or those that are named, with the leases of an ordinary
installation. Needs root, and a Docker Engine that answers.

.venv/bin/python -m tests.faults.report [--rounds N] [--pause SECONDS] [FAULT...]
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable

from tests.faults.faults import FAULTS
from tests.faults.footprint import footprint, grown
from tests.faults.installation import CALM_SECONDS, ORDINARY, Installation, alone
from tests.faults.rounds import Round, endure

_LINE = "{:<18}{:>9}{:>8}{:>6}{:>9}{:>8}{:>9}{:>14}"
HEAD = _LINE.format(
    "fault", "accepted", "stored", "lost", "doubled", "re-run", "refused", "recovery, s"
)


def line(found: Round) -> str:
    """Return a round as a line of the table; below it where the slowest event's time went, in
    seconds since the fault's cause was over, and what was wrong.
    """
    *counts, recovery, slowest, wrong = found
    below = [f"  slowest: {slowest}"] if slowest else []
    return "\n".join([_LINE.format(*counts, f"{recovery:.1f}"), *below, *wrong])


def total(rounds: Iterable[Round]) -> Round:
    """Return the sum of rounds, with the longest recovery of all."""
    found = list(rounds)
    sums = [sum(each[place] for each in found) for place in range(1, 7)]
    longest = max((each.recovery for each in found), default=0.0)
    return Round("all", *sums, longest, "", ())


def table(on: Installation, faults: Iterable[str]) -> bool:
    """Print a round of each fault as it ends, and the sum; says whether all is as it should be."""
    endured: list[Round] = []
    before = footprint(on)
    print(HEAD, flush=True)
    for each in faults:
        endured.append(endure(on, each))
        print(line(endured[-1]), flush=True)
    print(line(total(endured)))
    more = grown(before, footprint(on))
    print("\n".join(more) or "containers, images, memory and descriptors are as before")
    return not more and all(each.flawless for each in endured)


def commit() -> str:
    """Return the commit of this checkout."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.check_output(command, text=True).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description="the figures of faults")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(FAULTS))
    parser.add_argument("--rounds", type=int, default=1, help="how often each happens")
    parser.add_argument(
        "--pause", type=float, default=CALM_SECONDS, help="seconds between two events of a sender"
    )
    asked = parser.parse_args()
    if unknown := set(asked.faults) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    names = (asked.faults or list(FAULTS)) * asked.rounds
    print(
        f"commit {commit()}, a node's lease is {ORDINARY['node_lease_seconds']} s, "
        f"{asked.pause:g} s between two events of each of four senders"
    )
    with alone(ORDINARY, asked.pause) as on:
        if not table(on, names):
            sys.exit(1)


if __name__ == "__main__":
    main()
