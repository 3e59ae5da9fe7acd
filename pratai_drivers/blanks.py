"""Blank spares: containers of a runtime that wait for whatever function comes.

One that is given a function's files, limits and environment needs to import it, and nothing more.
"""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from pratai_common import limits
from pratai_common.errors import EngineError
from pratai_drivers.conversation import Conversation, Patience
from pratai_drivers.engines.base import Blank
from pratai_drivers.fit import Fit
from pratai_drivers.runner_link import load_message
from pratai_drivers.secrets_cache import NOTHING, Given
from pratai_drivers.warm import Warm

BLANK_MEMORY = limits.DEFAULT_MEMORY_MB
BLANK_CPUS = 1.0
"""What most functions have: then nothing is to be changed when one comes."""

_READ_AT_START = ("LD_", "MALLOC_", "GLIBC_", "LANG", "LC_", "PYTHON", "NODE_", "OPENSSL_", "SSL_")
"""How the names of variables begin that a process may look at when it starts, and never again."""


class Kind(NamedTuple):
    """What a blank spare is one of: a runtime's image, and a network."""

    image: str
    network: str


class BlankSpare:
    """A blank container whose runner waits. Belongs to one thread at a time."""

    def __init__(
        self, container: Blank, conversation: Conversation, kind: Kind, start_seconds: float
    ) -> None:
        self._container = container
        self._conversation = conversation
        self._start_seconds = start_seconds
        self.kind = kind

    def connect(self, patience: Patience) -> None:
        """Wait for the runner; where it does not come there is nothing left of it.

        Raises EngineError, and EndedError where somebody interrupts.
        """
        try:
            self._conversation.connect(patience)
        except BaseException:
            self.discard()
            raise

    def quiet(self) -> bool:
        """Say whether its runner waits."""
        return self._conversation.quiet()

    def give(self, fit: Fit, image: str, given: Given = NOTHING) -> Warm | None:
        """Return the container of a function that it becomes; ``None`` where it cannot be one, and
        stays blank. After an EngineError it is good for nothing.
        """
        files = self._container.give(image, fit.memory, fit.cpus)
        if files is None:
            return None
        load = load_message(fit.isolation, dict(fit.environment), files, given.secrets)
        return Warm(self._container, self._conversation, fit, image, load, self._start_seconds)

    def discard(self) -> None:
        """End it, and leave nothing of it."""
        with suppress(EngineError):
            self._container.remove()
        self._conversation.close()


class Blanks:
    """Which blank spares wait, and which are to be made: ``most`` of each kind that an event has
    asked for since the node started. ``runtimes`` are the images of runtimes by name.
    """

    def __init__(self, most: int, runtimes: Mapping[str, str]) -> None:
        self._most = most
        self._runtimes = runtimes
        self._kinds: dict[Kind, int] = {}
        self._waiting: dict[Kind, deque[BlankSpare]] = {}

    def count(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._waiting.values()))

    def take(self, fit: Fit) -> BlankSpare | None:
        """Return one that waits for a function like this, ``None`` where there is none."""
        image = self._runtimes.get(fit.runtime)
        if image is None or any(name.startswith(_READ_AT_START) for name, _ in fit.environment):
            return None
        kind = Kind(image, fit.network)
        self._kinds.setdefault(kind, 0)
        waiting = self._waiting.get(kind)
        return waiting.popleft() if waiting else None

    def put(self, blank: BlankSpare) -> None:
        """Have one wait."""
        self._waiting.setdefault(blank.kind, deque()).append(blank)

    def give_up(self) -> BlankSpare | None:
        """Return one that is to be removed, ``None`` where there is none."""
        return next((each.pop() for each in self._waiting.values() if each), None)

    def turn_off(self) -> None:
        """Make no more: this node can have none."""
        self._most = 0

    def begin(self, room: int) -> Kind | None:
        """Return what is made now, if anything is; ``end`` is told when it is done."""
        for kind, making in self._kinds.items():
            wanted = len(self._waiting.get(kind, ())) + making < self._most
            if wanted and room >= BLANK_MEMORY:
                self._kinds[kind] += 1
                return kind
        return None

    def end(self, kind: Kind) -> None:
        """Note that one is no longer being made."""
        self._kinds[kind] -= 1

    def dead(self) -> list[BlankSpare]:
        """Return those that wait no more."""
        found = []
        for waiting in self._waiting.values():
            gone = [each for each in waiting if not each.quiet()]
            found += gone
            for each in gone:
                waiting.remove(each)
        return found
