"""Starts the containers of a node, and knows how many are starting now."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from oslo_config import cfg

from pratai_common.errors import EngineError
from pratai_drivers.blanks import BLANK_CPUS, BLANK_MEMORY, BlankSpare, Kind
from pratai_drivers.conversation import Conversation, Patience
from pratai_drivers.engines.base import OWN_FILES, Container, Engine, RunSpec
from pratai_drivers.fit import Fit
from pratai_drivers.folders import runs_path
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.runner_link import load_message
from pratai_drivers.secrets_cache import NOTHING, Given
from pratai_drivers.warm import Warm

C = TypeVar("C", bound=Container | None)


class Starter:
    """See the module. May be used from many threads."""

    def __init__(self, engine: Engine, conf: cfg.ConfigOpts) -> None:
        self._engine = engine
        self._installation: str = conf.installation
        self._runs = runs_path(conf)
        self._seconds: float = conf.driver.start_seconds
        self._lock = threading.Lock()
        self.starting = 0

    def start(self, fit: Fit, image: str, given: Given = NOTHING) -> Warm:
        """Start a container of a function that is given something; raises EngineError, OSError."""
        began = time.monotonic()
        spec = RunSpec(
            name="",
            image=image,
            link=self._runs,
            memory=fit.memory,
            cpus=fit.cpus,
            network=fit.network,
            environment=dict(fit.environment),
        )
        self._count(1)
        try:
            with self._launched(self._engine.start, spec) as (container, link):
                return Warm(
                    container,
                    Conversation(link, container),
                    fit,
                    image,
                    load_message(fit.isolation, {}, OWN_FILES, given.secrets),
                    self._seconds,
                    began,
                    lambda: self._count(-1),
                )
        except BaseException:
            self._count(-1)
            raise

    def start_blank(self, kind: Kind, interruption: Interruption) -> BlankSpare | None:
        """Start a blank container, and wait for its runner; ``None`` where there can be none.

        Raises EngineError, OSError, and EndedError where somebody interrupts.
        """
        spec = RunSpec(
            name="",
            image=kind.image,
            link=self._runs,
            memory=BLANK_MEMORY,
            cpus=BLANK_CPUS,
            network=kind.network,
        )
        self._count(1)
        try:
            with self._launched(self._engine.start_blank, spec) as (container, link):
                if container is None:
                    link.close()
                    return None
                blank = BlankSpare(container, Conversation(link, container), kind, self._seconds)
            blank.connect(Patience(interruption, time.monotonic() + self._seconds, ""))
        finally:
            self._count(-1)
        return blank

    @contextmanager
    def _launched(self, start: Callable[[RunSpec], C], spec: RunSpec) -> Iterator[tuple[C, Link]]:
        """Start what a spec says, with a name and a link of its own; where the block fails nothing
        is left of it.

        What a crash leaves of it is removed at the node's next start. Neighbours on the network can
        learn a container's name, so it says nothing.
        """
        name = f"{self._installation}-{secrets.token_hex(8)}"
        link = Link(spec.link / name)
        container: Container | None = None
        try:
            started = container = start(spec._replace(name=name, link=link.folder))
            yield started, link
        except BaseException:
            if container is not None:
                with suppress(EngineError):
                    container.remove()
            link.close()
            raise

    def _count(self, change: int) -> None:
        with self._lock:
            self.starting += change
