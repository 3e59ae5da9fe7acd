"""Each daemon's memory at rest: after a function has run, and ten heartbeats in which nothing ran.

The baseline of a daemon is a bare interpreter, as many processes of it as the daemon has, that has
imported the very same modules of others. Memory is what the kernel says (``smaps_rollup``): RSS
counts what processes share in each of them, PSS divides it among them.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import Figure, Values, interleaved, ratio
from pratai_common.store.sqlite import SQLiteStore
from tests.packages import ECHO
from tests.stack import Stack
from tests.waiting import until

_STORE = "pratai_common.store.sqlite"
_MODULES = {
    "supervisord": ["supervisor.supervisord"],
    "pratai-collector": ["pratai_scheduler.collector_daemon", _STORE],
    "pratai-scheduler": ["pratai_scheduler.dispatcher_daemon", _STORE],
    "pratai-driver": ["pratai_drivers.daemon", "pratai_drivers.engines.docker"],
    "pratai-api": ["pratai_api.daemon", "gunicorn.workers.gthread", _STORE],
    "pratai-agent": [
        "pratai_agent.daemon",
        "pratai_agent.sources.message",
        "pratai_agent.sources.notification",
        "pratai_agent.sources.database",
        _STORE,
    ],
}
"""What each daemon is made of: for the baseline, that of others which these import."""

_FOREIGN = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
ours = sys.stdlib_module_names | {name for name in sys.modules if name.startswith("pratai")}
for name, module in reversed(sys.modules.items()):
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name == name and name.partition(".")[0] not in ours:
        print(name)
"""
_BARE = """
import importlib, os, sys
for name in sys.argv[2:]:
    importlib.import_module(name)
processes = int(sys.argv[1])
while processes > 1 and os.fork():
    processes -= 1
os.write(1, b"%d\\n" % os.getpid())
sys.stdin.read()
"""
_HEARTBEATS = 10


class _Memory(NamedTuple):
    rss: float
    pss: float


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder)).start()
        try:
            assert stack.run(stack.function(ECHO), 1)["result"] == 1
            _await_heartbeats(stack)
            samples = _samples(_processes(stack), rounds)
        finally:
            stack.stop()
    for kind in _Memory._fields:
        suffix = f", {kind}"
        chosen = {name: values for name, values in samples.items() if name.endswith(suffix)}
        daemons = [name for name in chosen if not name.startswith("bare")]
        yield Figure(
            f"memory-{kind}",
            f"memory of each daemon at rest ({kind.upper()})",
            "MiB",
            chosen,
            [ratio(name, f"bare, {name}") for name in daemons],
        )


def _samples(processes: dict[str, list[int]], rounds: int) -> dict[str, list[float]]:
    """Read the memory of the daemons and of a new baseline for each, in turns."""
    assert processes.keys() == _MODULES.keys(), processes
    foreign = {name: _foreign(modules) for name, modules in _MODULES.items()}

    def daemons() -> Values:
        values: dict[str, float] = {}
        for name, pids in processes.items():
            values.update(_named(_title(name, pids), _memory(pids)))
        return values

    def bare() -> Values:
        values: dict[str, float] = {}
        with ExitStack() as open_:
            started = {
                name: open_.enter_context(_bare(len(processes[name]), modules))
                for name, modules in foreign.items()
            }
            for name, pids in started.items():
                values.update(_named(f"bare, {_title(name, pids)}", _memory(pids)))
        return values

    return interleaved([daemons, bare], rounds)


def _processes(stack: Stack) -> dict[str, list[int]]:
    """Return the pids of each daemon, those of its own children included."""
    assert stack.launcher is not None
    daemons = {name: [*pids, *_children(pids)] for name, pids in stack.pids().items()}
    return {"supervisord": [stack.launcher.pid], **daemons}


def _children(pids: Sequence[int]) -> list[int]:
    files = [Path(f"/proc/{pid}/task/{pid}/children") for pid in pids]
    return [int(child) for file in files for child in file.read_text().split()]


def _await_heartbeats(stack: Stack) -> None:
    """Wait until the node has given so many signs of life, without asking any daemon."""
    store = SQLiteStore(stack.folder / "state" / "store.sqlite")
    seen: set[int] = set()

    def look() -> bool:
        seen.update(each.seen_at for each in store.list_daemons() if each.daemon_type == "driver")
        return len(seen) > _HEARTBEATS

    try:
        until(look, "the node lives")
    finally:
        store.close()


def _foreign(modules: Sequence[str]) -> list[str]:
    """Return all modules of others that these import: first those that import the others."""
    command = [sys.executable, "-c", _FOREIGN, *modules]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.split()


@contextmanager
def _bare(processes: int, modules: Sequence[str]) -> Iterator[list[int]]:
    """Give the pids of interpreters that have imported modules and wait."""
    command = [sys.executable, "-c", _BARE, str(processes), *modules]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        yield [int(running.stdout.readline()) for _ in range(processes)]


def _memory(pids: Sequence[int]) -> _Memory:
    """Return the memory of processes together, in MiB."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in pids]
    fields = [line.split() for lines in rollups for line in lines]

    def total(name: str) -> float:
        return sum(int(field[1]) for field in fields if field[0] == name) / 1024

    return _Memory(total("Rss:"), total("Pss:"))


def _title(name: str, pids: Sequence[int]) -> str:
    return name if len(pids) == 1 else f"{name} ({len(pids)} processes)"


def _named(name: str, memory: _Memory) -> Values:
    return {f"{name}, {kind}": value for kind, value in memory._asdict().items()}
