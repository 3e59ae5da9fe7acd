"""``python -m benchmarks [NAME ...]``: measures, prints, and writes ``.run/bench``.

There, ``figures.txt`` holds what was printed, and each figure has a picture. Of what was measured
one by one there are all values, and curves.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import (
    acceptance,
    building,
    cold,
    common,
    consuming,
    curve,
    decisions,
    disk,
    dispatching,
    first_events,
    hot,
    listing,
    memory,
    overload,
    picture,
    pipelines,
    placement,
    rate,
    request_time,
    spares,
    start_up,
    sustained,
    timers,
)

_FIGURES: dict[str, Callable[[int], Iterator[common.Figure]]] = {
    "request-time": request_time.figures,
    "hot": hot.figures,
    "rate": rate.figures,
    "acceptance-sqlite": partial(acceptance.figures, "sqlite"),
    "acceptance-elasticsearch": partial(acceptance.figures, "elasticsearch"),
    "listing-sqlite": partial(listing.figures, "sqlite"),
    "listing-elasticsearch": partial(listing.figures, "elasticsearch"),
    "disk-sqlite": partial(disk.figures, "sqlite"),
    "disk-elasticsearch": partial(disk.figures, "elasticsearch"),
    "pipeline-sqlite": partial(pipelines.figures, "sqlite"),
    "pipeline-elasticsearch": partial(pipelines.figures, "elasticsearch"),
    "decisions": decisions.figures,
    "placement": placement.figures,
    "dispatching": dispatching.figures,
    "timers": timers.figures,
    "consuming": consuming.figures,
    "memory": memory.figures,
    "building": building.figures,
    "cold": cold.figures,
    "spares": spares.figures,
    "first-events": first_events.figures,
    "sustained": sustained.figures,
    "overload": overload.figures,
    "curve": curve.figures,
    "start-up": start_up.figures,
}
_LEAST_ROUNDS = 5
_FOLDER = common.ROOT / ".run" / "bench"


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure.")
    parser.add_argument(
        "name", nargs="*", metavar="NAME", help=f"which: {', '.join(_FIGURES)}; default: all"
    )
    parser.add_argument("--rounds", type=int, default=_LEAST_ROUNDS, help="at least 5")
    arguments = parser.parse_args()
    unknown = set(arguments.name) - _FIGURES.keys()
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(_FIGURES)}")
    if arguments.rounds < _LEAST_ROUNDS:
        parser.error(f"at least {_LEAST_ROUNDS} rounds")
    measure(arguments.name or list(_FIGURES), arguments.rounds)


def measure(names: list[str], rounds: int) -> None:
    """Measure these, one after another."""
    commit = common.commit()
    began = time.monotonic()
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "figures.txt").open("w") as file:

        def tell(text: str) -> None:
            print(text, flush=True)
            print(text, file=file, flush=True)

        tell(f"commit {commit}")
        for name in names:
            for figure in _FIGURES[name](rounds):
                tell(f"\n{figure.text()}")
                (_FOLDER / f"{figure.name}.svg").write_text(picture.svg(figure, commit))
                if figure.every:
                    curves = picture.curves(figure, commit)
                    (_FOLDER / f"{figure.name}-curves.svg").write_text(curves)
                    (_FOLDER / f"{figure.name}.json").write_text(json.dumps(figure.every))
        tell(f"\nall of it took {time.monotonic() - began:.0f} s; pictures: .run/bench")


if __name__ == "__main__":
    main()
