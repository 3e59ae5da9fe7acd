"""A pool of spares without a node around it: its containers' runners are the null engine's."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oslo_config import cfg

from pratai_common import conf as configuration
from pratai_common.errors import EngineError
from pratai_drivers.engines.base import OWN_FILES, Blank, Container, Files, RunSpec
from pratai_drivers.engines.null import NullContainer, NullEngine
from pratai_drivers.fit import Fit
from pratai_drivers.interruption import Interruption
from pratai_drivers.logs import LogCutter
from pratai_drivers.pool import Pool
from pratai_drivers.secrets_cache import NOTHING, Given
from pratai_drivers.session import Ending, Session
from pratai_drivers.starter import Starter
from pratai_drivers.warm import Warm
from tests.unit.node_world import FIT
from tests.waiting import until

OTHER = FIT._replace(function_id="other")
RUNTIMES = {"python3": "null/python3"}
SHARED = FIT._replace(isolation="shared")


class Watched(NullContainer):
    """A container that is known to live until it is removed."""

    def __init__(self, engine: "Watching", spec: RunSpec) -> None:
        super().__init__(spec.link)
        self.engine = engine
        self.spec = spec
        self.starved = False
        self.used = 1.0
        engine.living.append(self)

    def out_of_memory(self) -> bool:
        return self.starved

    def cpu_seconds(self) -> float | None:
        return self.used

    def remove(self) -> None:
        self.engine.living.remove(self)


class WatchedBlank(Watched, Blank):
    """The same, of no function yet, which refuses or fails as its engine is told to."""

    def give(self, image: str, memory: int, cpus: float) -> Files | None:
        if self.engine.give_fails is not None:
            raise self.engine.give_fails
        self.engine.given.append((image, memory, cpus))
        return OWN_FILES if image in self.engine.can_be_given else None


class Watching(NullEngine):
    """An engine that knows what lives, and can be held up or fail."""

    def __init__(self) -> None:
        super().__init__(["python3"])
        self.living: list[Watched] = []
        self.fails = False
        self.has_blanks = True
        self.give_fails: Exception | None = None
        self.can_be_given: set[str] = set()
        self.given: list[tuple[str, int, float]] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def start(self, spec: RunSpec) -> Container:
        assert self.goes_on.wait(30)
        if self.fails:
            raise EngineError("it will not start this one")
        return Watched(self, spec)

    def start_blank(self, spec: RunSpec) -> Blank | None:
        assert self.goes_on.wait(30)
        return WatchedBlank(self, spec) if self.has_blanks else None


class PoolWorld:
    """A pool, and what it is told of jobs."""

    def __init__(
        self,
        folder: Path,
        blanks: int = 0,
        known: Callable[[str], Given | None] = lambda digest: None if digest else NOTHING,
        **options: Any,
    ) -> None:
        options["blanks"] = blanks
        path = folder / "pratai.conf"
        lines = [f"[DEFAULT]\nstate_path = {folder}\n[driver]\nname = n\nmemory = 1024\n[pool]"]
        path.write_text("\n".join([*lines, *(f"{k} = {v}" for k, v in options.items()), ""]))
        self.conf: cfg.ConfigOpts = configuration.load("test", ["--config-file", str(path)])
        self.engine = Watching()
        self.starter = Starter(self.engine, self.conf)
        self.claimed = 0
        self.now = 0.0
        self.pool = Pool(
            self.starter, self.conf, RUNTIMES, lambda: self.claimed, lambda: self.now, known
        )

    def event(self, fit: Fit = FIT, pinned: int | None = None) -> tuple[Ending, bool]:
        """Handle an event as the node does; returns how it ended, and whether one waited."""
        warm = self.pool.take(fit, 30, pinned)
        found = warm is not None
        again = False
        try:
            warm = warm or self.pool.adopt(fit, "image") or self.starter.start(fit, "image")
            ending, again = handled(warm)
        finally:
            self.pool.release(fit, warm, again)
        return ending, found

    def answering(self) -> Warm:
        """Return a container of SHARED that has answered, and is still to clean up."""
        assert self.pool.take(SHARED, 30, None) is None
        warm = self.starter.start(SHARED, "image")
        assert handled(warm)[1]
        self.pool.settles(warm)
        return warm

    def waiting(self, count: int, fit: Fit = FIT) -> None:
        until(lambda: self.count(fit) == count, f"{count} wait")

    def count(self, fit: Fit) -> int:
        code = (fit.function_id, fit.version)
        return sum(count for *key, count in self.pool.ready() if tuple(key) == code)


def handled(warm: Warm) -> tuple[Ending, bool]:
    interruption = Interruption()
    try:
        logs = LogCutter(lambda _seq, _content: None)
        ending = Session(warm, logs, interruption, {}, b"7", 30).run()
        return ending, ending.answered and warm.settle(interruption)
    finally:
        interruption.close()
