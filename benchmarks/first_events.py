"""Events through the whole product, by what their function's container was before them.

A synchronous call, from a client whose connection stays open to the function's answer. Against
``docker run`` of such a function's image doing nothing (``python3 -c pass``). The function itself
sees whether its container was a blank one, and the record says whether it was ready: a round in
which it was another than is measured is repeated.
"""

import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.client import Client, wait
from benchmarks.cold import NOTHING_WAITS
from benchmarks.common import Figure, Values, interleaved, milliseconds, newest_image, ratio
from tests.packages import package
from tests.stack import Stack

_ROUNDS = 20
_TRIES = 10
_CODE = """
def main(payload=None):
    with open("/proc/self/mountinfo") as file:
        mounts = sum(" /opt/pratai/function " in line for line in file)
    return [{number}, mounts == 2]
"""


def figures(rounds: int) -> Iterator[Figure]:
    """Measure; more rounds than other figures have, for they vary more."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder)).start()
        try:
            with Client(stack.url) as client:
                for network in ("none", "bridge"):
                    yield _figure(_Scene(stack, client, network), network, max(rounds, _ROUNDS))
        finally:
            stack.stop()


def _figure(scene: "_Scene", network: str, rounds: int) -> Figure:
    docker = "docker run"
    samples = interleaved(
        [
            partial(scene.measured, "function spare", scene.from_spare),
            partial(scene.measured, "blank spare, first event", scene.from_blank),
            partial(scene.measured, "cold", scene.cold),
            lambda: {docker: milliseconds(scene.docker_run)},
        ],
        rounds,
    )
    return Figure(
        f"first-events-{network}",
        f"a synchronous call through the whole product, network {network}",
        "ms",
        samples,
        [ratio(name, docker) for name in samples if name != docker],
        ["target: function spare at most 0.05, blank spare at most 0.15 x docker run"],
        samples,
    )


class _Seen:
    """How a call went: its time in ms, and what its container was."""

    def __init__(self, took: float, was_blank: bool, was_ready: bool) -> None:
        self.took = took
        self.was_blank = was_blank
        self.was_ready = was_ready


class _Scene:
    """A stack with functions on one network."""

    def __init__(self, stack: Stack, client: Client, network: str) -> None:
        self._stack = stack
        self._client = client
        self._network = network
        self._numbers = itertools.count()
        self._spared = self._new(spares=1)
        self._cold = self._new(**NOTHING_WAITS)
        self._docker_image = newest_image()

    def measured(self, name: str, call: Any) -> Values:
        """Repeat a call until it went as it should."""
        for _ in range(_TRIES):
            took = call()
            if took is not None:
                return {name: took}
        raise AssertionError(f"there was no {name} in {_TRIES} calls")

    def from_spare(self) -> float | None:
        """Call a function that has a spare."""
        seen = self._call(*self._spared)
        return seen.took if seen.was_ready else None

    def from_blank(self) -> float | None:
        """Call a function for the first time."""
        made = self._new(spares=0)
        wait(self._blank_waits, "a blank container waits")
        seen = self._call(*made)
        return seen.took if seen.was_blank and not seen.was_ready else None

    def cold(self) -> float | None:
        """Call a function that no container waits for."""
        seen = self._call(*self._cold)
        return None if seen.was_blank or seen.was_ready else seen.took

    def docker_run(self) -> None:
        """Have the docker command run the image, and do nothing in it."""
        command = ["docker", "run", "--rm", "--network", self._network, self._docker_image]
        subprocess.run([*command, "python3", "-c", "pass"], check=True)

    def _new(self, **metadata: Any) -> tuple[str, int]:
        """Return a new function, and the number that it returns."""
        number = next(self._numbers)
        code = package(_CODE.format(number=f"{number}, {self._network!r}"))
        metadata.update(type="wait_for_response", network=self._network)
        return self._stack.function(code, **metadata), number

    def _call(self, function: str, number: int) -> _Seen:
        answers = []
        took = milliseconds(
            lambda: answers.append(self._client.post(f"/v1/functions/{function}", None))
        )
        (answer,) = answers
        assert answer.status == 200, answer
        *own, was_blank = msgspec.json.decode(answer.body)
        assert own == [number, self._network]
        path = f"/v1/requests/{answer.request_id}"
        record = wait(lambda: self._client.get(path), f"{path} is recorded")
        return _Seen(took, was_blank, not record["cold"])

    def _blank_waits(self) -> bool:
        """Say whether a mount of the node waits for files: there is nothing in it."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        points = [line.split()[4] for line in lines]
        own = [each for each in points if f"/nodes/{self._stack.node}/points/" in each]
        return any(f"{each}/function" not in own for each in own if "/function" not in each)
