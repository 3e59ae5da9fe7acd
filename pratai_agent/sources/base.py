"""What every source of events is: the interface of the plug-ins of ``pratai.sources``.

A source serves one event, in a thread of its own, from ``serve`` until it is told to stop. It hands
what happened to its ``door``, which returns once the requests are recorded: only then does it tell
the broker, or the database, that it may forget. How to add one:
``doc/source/contributor/adding-a-source.rst``.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

from oslo_config import cfg

from pratai_common.records import Event


class Happened(NamedTuple):
    """One thing that happened. ``id`` is unique on the event and the same whenever this is told of
    again; ``payload`` is JSON text; ``attributes`` are those of CloudEvents (``type``, ``source``,
    ``subject``, ``time``, extensions) that the source knows; the door adds the others.

    ``own_id`` says whether the id came with it; else redelivery may run a function twice.
    """

    id: str
    payload: bytes
    attributes: dict[str, Any]
    own_id: bool = True


class SourceError(Exception):
    """The source cannot go on as it is; the message is shown to the event's owner, so it holds no
    secret. The agent tries again, after a pause that grows.
    """


class Standby(Exception):  # noqa: N818 - no error: another agent serves this event
    """Another agent has what only one may have. The agent looks again later."""


class Door(Protocol):
    """Where a source hands over what happened, and says how it is."""

    def take(self, happened: Sequence[Happened]) -> None:
        """Record what follows from this; durable when it returns. While the store is away, or as
        many requests wait as may, it waits, and goes on after that. Raises StoppedError where the
        agent is told to stop.
        """

    def state(self, state: Literal["connecting", "running"], note: str | None = None) -> None:
        """Say that the source connects, or works; ``note`` is what the owner should know."""

    def dead(self, error: str) -> None:
        """Count something that could not be taken, and was put aside."""

    @property
    def stopping(self) -> bool:
        """Say whether the source is to end soon."""

    def wait(self, seconds: float) -> bool:
        """Wait, until told to stop at most; returns whether that is so."""


class StoppedError(Exception):
    """The agent is told to stop: what was handed over may not be recorded."""


class Source(ABC):
    """Serves one event. ``secret`` is what was sealed of its settings, in clear."""

    def __init__(self, conf: cfg.ConfigOpts, event: Event, secret: str | None, door: Door) -> None:
        self.conf = conf
        self.event = event
        self.secret = secret
        self.door = door

    @abstractmethod
    def serve(self) -> None:
        """Connect, and hand over what happens until the door is stopping; looks at that every
        second at least. Raises SourceError, or Standby.
        """

    @abstractmethod
    def clean(self) -> None:
        """Remove what the source keeps elsewhere for an event that was deleted; raises SourceError
        where that is to be tried again.
        """
