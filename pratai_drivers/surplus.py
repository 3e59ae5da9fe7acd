"""Which images of functions are to go: those that were not used for longest. Pure."""

from collections import Counter
from collections.abc import Mapping, Set
from typing import NamedTuple

from pratai_drivers.engines.base import Held

_FRESH_SECONDS = 300
"""What was used a moment ago stays, however little room there is: it would be made again at once.
Other nodes of the machine learn of uses a sweep later."""


class Budget(NamedTuple):
    """How many bytes images may take (``None``: all), and for how many seconds one may be idle."""

    size: int | None
    idle: int
    fresh: int = _FRESH_SECONDS


def surplus(
    images: Mapping[str, Held], used: Mapping[str, int], kept: Set[str], now: int, budget: Budget
) -> list[str]:
    """Return the images that are to go, those first that others are made of nothing of. Pure.

    ``used`` says when an image was used last, ``now`` what time it is, in seconds since the epoch.
    What is ``kept`` stays, and so does all that it is made of.
    """
    parents = _parents(images)
    times = {name: max(held.since, used.get(name, 0)) for name, held in images.items()}
    for name, below in parents.items():
        for parent in below:
            times[parent] = max(times[parent], times[name])
    children = Counter(parent for below in parents.values() for parent in below)
    holders = Counter(layer for held in images.values() for layer, _size in held.layers)
    total = sum({layer: size for held in images.values() for layer, size in held.layers}.values())
    going = []
    for name in sorted(images, key=lambda name: (times[name], -len(images[name].layers), name)):
        idle = now - times[name]
        too_many = budget.size is not None and total > budget.size
        if idle < budget.fresh or not (too_many or idle > budget.idle):
            break
        if name in kept or children[name]:
            continue
        going.append(name)
        children.subtract(parents[name])
        for layer, size in images[name].layers:
            holders[layer] -= 1
            total -= 0 if holders[layer] else size
    return going


def _parents(images: Mapping[str, Held]) -> dict[str, list[str]]:
    """Return for each image those of the others that it is made of."""
    by_top: dict[str, list[str]] = {}
    for name, held in images.items():
        if held.layers:
            by_top.setdefault(held.layers[-1][0], []).append(name)
    return {
        name: [each for layer, _size in held.layers[:-1] for each in by_top.get(layer, ())]
        for name, held in images.items()
    }
