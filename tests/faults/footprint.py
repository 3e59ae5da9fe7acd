"""What an installation takes of its machine, and whether that has grown."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pratai_api.connections import children
from tests.faults.installation import Installation
from tests.waiting import until

_MORE_DESCRIPTORS = 24
"""A daemon keeps a socket for ten minutes to each that it spoke to, should that be dead."""

_MORE_MEMORY = 1.5
_MORE_MEMORY_KIB = 16 * 1024
"""A daemon that has served is larger than one that was just started, and stays so."""

_PAGE_KIB = 4


class Usage(NamedTuple):
    """The most that a process of one kind takes, and how many there are."""

    processes: int
    descriptors: int
    memory_kib: int


class Footprint(NamedTuple):
    """``made`` is what is there of Pratai in the Docker Engine and in the folders of nodes; it must
    be the same whenever nothing runs. ``usage`` is by the console script.
    """

    made: dict[str, list[str]]
    usage: dict[str, Usage]


def footprint(installation: Installation) -> Footprint:
    """Wait until nothing runs, and measure."""
    with _timer_stopped(installation):
        return _measured(installation)


@contextmanager
def _timer_stopped(installation: Installation) -> Iterator[None]:
    """Let nothing be run by itself while the block runs."""
    front, path = installation.front, f"/v1/functions/{installation.functions.ticking}"
    [timer] = front.get(f"{path}/subscriptions")["subscriptions"]
    path = f"{path}/subscriptions/{timer['subscription_id']}"
    assert front.call("PATCH", path, json={"enabled": False}).ok
    yield
    assert front.call("PATCH", path, json={"enabled": True}).ok


def _measured(installation: Installation) -> Footprint:
    engine, nodes = installation.engine, installation.nodes
    until(lambda: not engine.containers(), "no container is left")
    until(lambda: not engine.processes(), "no process of a container is left")
    for node in nodes:
        until(lambda node=node: not list(node.spool.iterdir()), "the spool is empty")  # type: ignore[misc]
    made = {
        "images": engine.images(),
        "networks": engine.networks(),
        "files": sorted(str(path) for node in nodes for path in _left_in(node.state)),
    }
    return Footprint(made, _usage(installation))


def grown(before: Footprint, after: Footprint) -> list[str]:
    """Return what has grown beyond what the daemons' own ways explain, in words. Pure."""
    found = [
        f"{what}: {former} before, {after.made[what]} now"
        for what, former in before.made.items()
        if after.made[what] != former
    ]
    for script, former in before.usage.items():
        now = after.usage.get(script, Usage(0, 0, 0))
        if (
            now.processes != former.processes
            or now.descriptors > former.descriptors + _MORE_DESCRIPTORS
            or now.memory_kib > former.memory_kib * _MORE_MEMORY + _MORE_MEMORY_KIB
        ):
            found.append(f"{script}: {former} before, {now} now")
    return found


def _left_in(state: Path) -> Iterable[Path]:
    """Return what runs and builds have left in a node's folder."""
    for name in ("runs", "builds"):
        if (state / name).exists():
            yield from (state / name).iterdir()


def _usage(installation: Installation) -> dict[str, Usage]:
    found = {**installation.front.pids()}
    for node in installation.nodes:
        found[f"pratai-driver {node.name}"] = node.pids()
    return {script: _most({*pids, *children(set(pids))}) for script, pids in found.items()}


def _most(pids: set[int]) -> Usage:
    return Usage(len(pids), max(map(_descriptors, pids)), max(map(_memory_kib, pids)))


def _descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _memory_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KIB
