"""Sustained: so many events at once, each in a container of its own, and how many end a second.

Against a bare loop on the Docker API with the same image that runs ``python3 -c pass``: made,
started, waited for and removed, as many at a time as the node has slots, with no log. Both with a
bridge and with no network. Ours is from the acceptance of the first event to the record of the last
result; the spares that its node makes meanwhile, and the events that find one, are in it.
"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import docker
from docker.types import LogConfig

from benchmarks.client import Client, wait
from benchmarks.common import Figure, Values, interleaved, newest_image, ratio
from tests.packages import ECHO
from tests.stack import FINAL, Stack

_SLOTS = 4
_EVENTS = 60
_LOOK_SECONDS = 0.25
_TARGET = 0.9
_NETWORKS = {"bridge": "bridge", "none": "no network"}


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), {"driver": {"slots": _SLOTS}}).start()
        try:
            with Client(stack.url) as client:
                yield _figure(stack, client, rounds)
        finally:
            stack.stop()


def _figure(stack: Stack, client: Client, rounds: int) -> Figure:
    functions = {network: stack.function(ECHO, network=network) for network in _NETWORKS}
    image = newest_image()
    contestants = [
        *(partial(_pratai, client, *each) for each in functions.items()),
        *(partial(_bare, image, network) for network in _NETWORKS),
    ]
    return Figure(
        "sustained",
        f"{_EVENTS} events at once, a container each, {_SLOTS} at a time",
        "events a second",
        interleaved(contestants, rounds),
        [ratio(f"pratai, {name}", f"bare docker, {name}") for name in _NETWORKS.values()],
        [
            f"the target is {_TARGET}",
            "all of ours were read back from the store",
        ],
    )


def _pratai(client: Client, network: str, function: str) -> Values:
    path = f"/v1/functions/{function}"
    expected: dict[str, object] = {client.accepted(path, 0): 0 for _ in range(_EVENTS)}
    last = f"/v1/requests/{next(reversed(expected))}"
    wait(lambda: client.get(last)["status"] in FINAL, "the last one ends", _LOOK_SECONDS)
    client.read_back("/v1/requests", expected)
    requests = [client.get(f"/v1/requests/{each}") for each in expected]
    return {f"pratai, {_NETWORKS[network]}": _EVENTS / _seconds(requests)}


def _seconds(requests: list[Any]) -> float:
    """Return the seconds from the first acceptance to the last record."""
    accepted = [datetime.fromisoformat(each["created_at"]).timestamp() for each in requests]
    settled = [each["timing"]["settled"] / 1000 for each in requests]
    return max(map(sum, zip(accepted, settled, strict=True))) - min(accepted)


def _bare(image: str, network: str) -> Values:
    clients = [docker.APIClient(version="auto") for _ in range(_SLOTS)]
    with ThreadPoolExecutor(_SLOTS) as threads:
        began = time.perf_counter()
        list(threads.map(partial(_loop, image, network), clients))
        seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    return {f"bare docker, {_NETWORKS[network]}": _EVENTS / seconds}


def _loop(image: str, network: str, client: docker.APIClient) -> None:
    settings = client.create_host_config(network_mode=network, log_config=LogConfig(type="none"))
    for _ in range(_EVENTS // _SLOTS):
        made = client.create_container(image, ["python3", "-c", "pass"], host_config=settings)
        client.start(made)
        assert client.wait(made)["StatusCode"] == 0
        client.remove_container(made)
