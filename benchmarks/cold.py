"""Cold: an asynchronous request, from the event to the stored result as a client reads it.

Against ``docker run`` of the very same image doing nothing (``python3 -c pass``), each with a
bridge and with no network. What waits for events is measured elsewhere (``first_events.py``).
"""

import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.client import Client
from benchmarks.common import Figure, Values, interleaved, milliseconds, newest_image, ratio
from tests.packages import ECHO
from tests.stack import Stack

_ROUNDS = 20
NOTHING_WAITS: dict[str, Any] = {"spares": 0, "environment": {"LANG": "C.UTF-8"}}
"""Metadata of a function without spares, nor does a blank one become its: a process looks at this
variable when it starts.
"""


def figures(rounds: int) -> Iterator[Figure]:
    """Measure; more rounds than other figures have, for they vary more."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder)).start()
        try:
            with Client(stack.url) as client:
                yield _figure(stack, client, max(rounds, _ROUNDS))
        finally:
            stack.stop()


def _figure(stack: Stack, client: Client, rounds: int) -> Figure:
    bridged = stack.function(ECHO, **NOTHING_WAITS)
    alone = stack.function(ECHO, network="none", **NOTHING_WAITS)
    image = newest_image()

    def pratai(name: str, function: str) -> Values:
        def event() -> None:
            request_id = client.accepted(f"/v1/functions/{function}", 0)
            client.ended(f"/v1/requests/{request_id}", 0)

        return {name: milliseconds(event)}

    def docker(name: str, network: str) -> Values:
        command = ["docker", "run", "--rm", "--network", network, image, "python3", "-c", "pass"]
        return {name: milliseconds(lambda: subprocess.run(command, check=True))}

    return Figure(
        "cold",
        "cold start, from event to stored result",
        "ms",
        interleaved(
            [
                partial(pratai, "pratai, bridge", bridged),
                partial(pratai, "pratai, no network", alone),
                partial(docker, "docker run, bridge", "bridge"),
                partial(docker, "docker run, no network", "none"),
            ],
            rounds,
        ),
        [
            ratio("pratai, bridge", "docker run, bridge"),
            ratio("pratai, no network", "docker run, no network"),
        ],
        ["target: at most 1.5 x docker run of the same image"],
    )
