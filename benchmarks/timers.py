"""Timers: 10,000 that are due within a minute, and 100,000 that are not.

A real ``pratai-agent`` with its SQLite store on disk, and nothing beside it: what it records waits
for a scheduler. The 10,000 are of one minute's interval, spread over it or all at once. A round is
a minute; how late the latest of its ticks is recorded is said, too. The 100,000, half by interval
and half by cron, are due tomorrow: what they cost is looking for changes each second. An agent
without timers is measured in the same minutes. Processor time is what the kernel says.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.common import Figure
from pratai_common.clock import now_ms
from pratai_common.records import Subscription
from pratai_common.store.base import Page, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from tests.ports import free_port
from tests.records import function
from tests.stack import BIN
from tests.waiting import until

_DUE, _IDLE = 10_000, 100_000
_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_SETTLED_SECONDS = 10
_WRITERS = 64
_TICKS = os.sysconf("SC_CLK_TCK")


class _Agent:
    """An agent over a store that has timers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        state = folder / "state"
        self._conf = folder / "pratai.conf"
        self._conf.write_text(
            f"[DEFAULT]\nstate_path = {state}\nlog_file = {folder}/agent.log\n"
            f"[sockets]\nscheduler = tcp://127.0.0.1:{free_port()}\nsecurity = plain\n"
        )
        subprocess.run([BIN / "pratai-db-init", "--config-file", self._conf], check=True)
        self.store = SQLiteStore(state / "store.sqlite")
        self.store.create_function(function())
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, timers: Sequence[Subscription]) -> None:
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(self.store.create_subscription, timers))

    @contextmanager
    def running(self) -> Iterator["_Agent"]:
        """Run it, from when it has read all timers on."""
        arguments = [BIN / "pratai-agent", "--config-file", self._conf]
        with subprocess.Popen(arguments) as self._process:
            try:
                until(lambda: self.store.get_mark("timers"), "it has looked at all timers")
                time.sleep(_SETTLED_SECONDS)
                yield self
            finally:
                self._process.terminate()

    @property
    def _proc(self) -> Path:
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}")

    def processor_seconds(self) -> float:
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self) -> float:
        """Return its RSS, MiB."""
        lines = (self._proc / "smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    yield _due("timers-spread", "due evenly over a minute", _MINUTE_MS // _DUE, rounds)
    yield _due("timers-at-once", "due at one moment of a minute", 0, rounds)
    yield _idle(rounds)


def _due(name: str, title: str, apart_ms: int, rounds: int) -> Figure:
    names = ("recorded in its minute", "latest, ms late", "RSS, MiB", "% of a core")
    samples: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        agent = _Agent(Path(folder))
        agent.add([_each_minute(number, number * apart_ms) for number in range(_DUE)])
        with agent.running():
            before = agent.memory()
            for _ in range(rounds):
                began, used = now_ms(), agent.processor_seconds()
                time.sleep(60)
                share = (agent.processor_seconds() - used) / 60 * 100
                memory = agent.memory()
                until(lambda since=began: _late(agent, since) is not None, "all are recorded")  # type: ignore[misc]
                late = _late(agent, began) or []
                values = (_in_time(late), max(after for _, after in late), memory, share)
                for name, value in zip(names, values, strict=True):
                    samples[name].append(value)
        agent.store.close()
    return Figure(
        name,
        f"{_DUE:,} timers {title}, SQLite",
        "each minute",
        samples,
        remarks=[f"RSS before: {before:.1f} MiB"],
    )


def _late(agent: _Agent, began: int) -> list[tuple[int, int]] | None:
    """Return when each tick of a minute was due and how late it was recorded, ms; ``None`` while
    some are not.
    """
    found = agent.store.list_requests("p", RequestFilter(source="timer"), Page(3 * _DUE))
    due = [(int((each.event or {})["id"].split("/")[1]), each.created_at) for each in found]
    late = [(at, made - at) for at, made in due if began < at <= began + _MINUTE_MS]
    assert len(late) <= _DUE, len(late)
    return late if len(late) == _DUE else None


def _in_time(late: list[tuple[int, int]]) -> int:
    """Return how many were recorded within the minute that the first of them begins."""
    began = min(late)[0]
    return sum(due + after <= began + _MINUTE_MS for due, after in late)


def _idle(rounds: int) -> Figure:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        agents = {}
        for name, count in ((f"{_IDLE:,} timers", _IDLE), ("none", 0)):
            own = Path(folder) / name.replace(" ", "")
            own.mkdir()
            agent = _Agent(own)
            agent.add([_tomorrow(number) for number in range(count)])
            running.callback(agent.store.close)
            agents[name] = running.enter_context(agent.running())
        samples: dict[str, list[float]] = {name: [] for name in agents}
        memory = {name: agent.memory() for name, agent in agents.items()}
        for _ in range(rounds):
            used = {name: agent.processor_seconds() for name, agent in agents.items()}
            time.sleep(60)
            for name, agent in agents.items():
                samples[name].append((agent.processor_seconds() - used[name]) / 60 * 100)
        after = {name: agent.memory() for name, agent in agents.items()}
    return Figure(
        "timers-idle",
        "an agent whose timers are due tomorrow, SQLite",
        "% of a core",
        samples,
        remarks=[
            "the target is under 1",
            *(
                f"RSS with {each}: {memory[each]:.1f}, then {after[each]:.1f} MiB"
                for each in agents
            ),
        ],
    )


def _each_minute(number: int, phase_ms: int) -> Subscription:
    since = now_ms() // _MINUTE_MS * _MINUTE_MS + phase_ms
    return _timer(number, frequency_ms=_MINUTE_MS, since=since)


def _tomorrow(number: int) -> Subscription:
    if number % 2:
        return _timer(number, frequency_ms=_DAY_MS + number)
    at = time.gmtime(now_ms() / 1000 - 3600)
    return _timer(number, cron=f"{number % 60} {at.tm_hour} * * *")


def _timer(number: int, **schedule: object) -> Subscription:
    now = now_ms()
    return Subscription(
        subscription_id=f"timer-{number:06}",
        function_id="f1",
        project_id="p",
        user_id="u",
        kind="timer",
        created_at=now,
        **{"since": now, **schedule},  # type: ignore[arg-type]
    )
