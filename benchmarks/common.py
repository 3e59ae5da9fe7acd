"""What all figures share: contestants that take turns, and what came out, with its raw values."""

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
Values = Mapping[str, float]
Contestant = Callable[[], Values]
"""Does its work once, checks it, and returns what was measured by name."""


class Ratio(NamedTuple):
    """A value of ours over a baseline's; over the sum where it does what several do."""

    ours: str
    baselines: tuple[str, ...]


def ratio(ours: str, *baselines: str) -> Ratio:
    """Return the ratio of ours to these."""
    return Ratio(ours, baselines)


@dataclass(frozen=True)
class Figure:
    """Values by contestant, one a round; ``name`` is also that of its picture's file. ``every`` has
    what was measured one by one, where that is told too.
    """

    name: str
    title: str
    unit: str
    samples: Mapping[str, Sequence[float]]
    ratios: Sequence[Ratio] = ()
    remarks: Sequence[str] = ()
    every: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """Return the median of a contestant."""
        return statistics.median(self.samples[name])

    def text(self) -> str:
        """Return the figure as a table, its ratios, and every value of it."""
        rounds = max(len(values) for values in self.samples.values())
        width = max(len(name) for name in self.samples)
        lines = [
            f"{self.name}: {self.title}, {rounds} rounds",
            f"{self.unit:{width}}  {'least':>9} {'median':>9} {'most':>9}",
        ]
        for name, values in self.samples.items():
            shown = (min(values), statistics.median(values), max(values))
            lines.append(f"{name:{width}}  " + " ".join(f"{number(value):>9}" for value in shown))
        for ours, baselines in self.ratios:
            over = self.median(ours) / sum(map(self.median, baselines))
            lines.append(f"ratio: {ours} / ({' + '.join(baselines)}) = {over:.2f}")
        lines += self.remarks
        for name, values in self.samples.items():
            lines.append(f"raw: {name}: {' '.join(map(number, values))}")
        return "\n".join(lines)


def number(value: float) -> str:
    """Return a value with three digits or more."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def interleaved(contestants: Sequence[Contestant], rounds: int) -> dict[str, list[float]]:
    """Let contestants take turns, each round another one first; a round before is not counted."""
    samples: dict[str, list[float]] = {}
    for each in contestants:
        samples.update({name: [] for name in each()})
    for turn in range(rounds):
        first = turn % len(contestants)
        for each in (*contestants[first:], *contestants[:first]):
            for name, value in each().items():
                samples[name].append(value)
    return samples


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long work took."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def commit() -> str:
    """Return what is measured."""
    changed = " with uncommitted changes" if said("git", "status", "--porcelain") else ""
    return said("git", "rev-parse", "--short", "HEAD") + changed


def said(*command: str) -> str:
    """Return what a command of this checkout printed."""
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def newest_image() -> str:
    """Return the image of the function that was made last."""
    shown = ("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "pratai/function")
    return said(*shown).splitlines()[0]
