"""How long ``pratai function-list`` takes, from the start of its process to its end, beside a bare
cliff application that lists one row.

Ours asks a running API for its functions, of which there is one, and prints it. The processes take
turns; what each printed is checked.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks import bare_cliff
from benchmarks.common import Figure, Values, interleaved, milliseconds, ratio
from tests.packages import ECHO
from tests.stack import BIN, Stack

_OURS, _BARE = "pratai function-list", "a bare cliff application"
_PLAIN = "the same, without a look for its distribution"
_TARGET = 1.5
_STARTS = 5
"""A value is the mean of so many starts, one after another."""


def figures(rounds: int) -> Iterator[Figure]:
    """Measure with an API that has one function."""
    with tempfile.TemporaryDirectory() as folder:
        running = Stack(Path(folder), {"driver": {"engine": "null"}}).start()
        try:
            running.function(ECHO, name="bare")
            environment = {**os.environ, "OS_PRATAI_URL": running.url, "no_proxy": "*"}
            yield _figure(environment, rounds)
        finally:
            running.stop()


def _figure(environment: Mapping[str, str], rounds: int) -> Figure:
    script = [sys.executable, str(Path(bare_cliff.__file__))]
    commands = {
        _OURS: [str(BIN / "pratai"), "function-list"],
        _BARE: script,
        _PLAIN: [*script, "--plain"],
    }
    contestants = [
        partial(_started, name, command, environment) for name, command in commands.items()
    ]
    return Figure(
        "start-up",
        "the client's command beside a bare cliff application",
        "ms",
        interleaved(contestants, rounds),
        [ratio(_OURS, _BARE), ratio(_OURS, _PLAIN)],
        [
            f"the target is at most {_TARGET} times {_BARE}",
            f"each value is the mean of {_STARTS} starts; what each printed was checked",
        ],
    )


def _started(name: str, command: Sequence[str], environment: Mapping[str, str]) -> Values:
    taken = milliseconds(lambda: [_start(command, environment) for _ in range(_STARTS)])
    return {name: taken / _STARTS}


def _start(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert " bare " in done.stdout, done
