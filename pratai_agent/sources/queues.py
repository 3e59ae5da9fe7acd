"""Sources that read a queue of a broker: what is delivered is handed over in batches, and
acknowledged when it is recorded. What is not goes back, whatever ends the connection.
"""

import logging
from abc import abstractmethod
from typing import Any, NamedTuple

from amqp.basic_message import Message
from kombu.transport import pyamqp

from pratai_agent.sources.amqp import HEARTBEAT_SECONDS, Broker, beating, connected
from pratai_agent.sources.base import Happened, Source, SourceError, StoppedError
from pratai_agent.sources.frames import unreadable
from pratai_agent.sources.putting_aside import Failures, put_aside
from pratai_agent.sources.reader import Reader

LOG = logging.getLogger(__name__)

_MAX_CHARACTERS = 500
WITHOUT_ID = "messages came without an id: one that is delivered twice runs a function twice"


class UnreadableError(Exception):
    """A message that is not what it says, or too large; the message says why."""


class Read(NamedTuple):
    """A message, and what happened by it."""

    message: Message
    happened: Happened


class Failed(NamedTuple):
    """A message that could not be taken, and why."""

    message: Message
    error: str


class QueueSource(Source):
    """What sources that read a queue share. A message that could not be taken ``max_deliveries``
    times is put aside; ``aside_arguments`` are those of the queue where such are kept.
    """

    aside_arguments: dict[str, Any] | None = None
    heartbeat = HEARTBEAT_SECONDS

    @abstractmethod
    def broker(self) -> Broker:
        """Return where the queue is; raises SourceError."""

    @abstractmethod
    def queue(self, connection: pyamqp.Connection) -> str:
        """Return the name of the queue to read, which is there then; raises SourceError."""

    @abstractmethod
    def read(self, message: Message) -> Happened | None:
        """Return what a message tells, ``None`` where it is of no interest; raises
        UnreadableError.
        """

    def serve(self) -> None:
        """See Source."""
        self.door.state("connecting")
        broker = self.broker()
        with connected(broker, self.heartbeat) as connection:
            _Serving(self, broker, connection, self.queue(connection)).go_on()

    @property
    def max_deliveries(self) -> int:
        """Return how often a message that cannot be taken is delivered."""
        return 3

    @property
    def own_queue(self) -> str:
        """Return the name of a queue that is the event's alone."""
        return f"pratai.{self.event.event_id}"


class _Serving:
    """One connection's time."""

    def __init__(
        self, source: QueueSource, broker: Broker, connection: pyamqp.Connection, queue: str
    ) -> None:
        self._source = source
        self._door = source.door
        self._broker = broker
        self._connection = connection
        self._queue = queue
        self._failures = Failures()
        self._all_had_ids = True

    def go_on(self) -> None:
        reader = Reader(self._connection, self._queue)
        self._door.state("running")
        try:
            while not self._door.stopping:
                if batch := reader.batch():
                    self._hand_over(reader, batch)
        finally:
            reader.close()

    def _hand_over(self, reader: Reader, batch: list[Message]) -> None:
        """Nothing is read from the connection meanwhile."""
        read, failed = self._read(batch)
        if read:
            with beating(self._connection):
                failed += self._take(read)
            self._look_for_ids(read)
        reader.acknowledge(batch, [each.message for each in failed])
        hopeless = []
        for each in failed:
            if self._failures.count(each.message) < self._source.max_deliveries:
                reader.give_back(each.message)
            else:
                hopeless.append(each)
        if hopeless:
            self._put_aside(reader, hopeless)

    def _read(self, batch: list[Message]) -> tuple[list[Read], list[Failed]]:
        read, failed = [], []
        for message in batch:
            try:
                happened = self._happened(message)
            except UnreadableError as error:
                failed.append(Failed(message, _shown(error)))
            except Exception as error:
                LOG.exception("a message of the queue %s could not be read", self._queue)
                failed.append(_unexpected(message, error))
            else:
                if happened is not None:
                    read.append(Read(message, happened))
        return read, failed

    def _happened(self, message: Message) -> Happened | None:
        if reason := unreadable(message):
            raise UnreadableError(reason)
        return self._source.read(message)

    def _take(self, read: list[Read]) -> list[Failed]:
        """Hand over what was read; returns what could not be taken. Where all of it could not, each
        is handed over alone: it may have been the fault of one.
        """
        try:
            self._door.take([each.happened for each in read])
        except (StoppedError, SourceError):
            raise
        except Exception as error:
            LOG.exception("%d messages of the queue %s were not taken", len(read), self._queue)
            if len(read) > 1:
                return [one for each in read for one in self._take([each])]
            return [_unexpected(read[0].message, error)]
        return []

    def _put_aside(self, reader: Reader, hopeless: list[Failed]) -> None:
        """By a connection of its own: on the other one more would be delivered meanwhile."""
        with beating(self._connection), connected(self._broker) as connection:
            for each in hopeless:
                arguments = self._source.aside_arguments
                put_aside(connection, self._queue, each.message, each.error, arguments)
        for each in hopeless:
            reader.forget(each.message)
            self._failures.forget(each.message)
            self._door.dead(each.error)

    def _look_for_ids(self, read: list[Read]) -> None:
        if self._all_had_ids and not all(each.happened.own_id for each in read):
            self._all_had_ids = False
            self._door.state("running", WITHOUT_ID)


def _shown(error: UnreadableError) -> str:
    """Return what is said of it; a message may hold what no text may, and much of it."""
    return str(error)[:_MAX_CHARACTERS].encode(errors="backslashreplace").decode()


def _unexpected(message: Message, error: Exception) -> Failed:
    return Failed(message, f"it cannot be taken: {type(error).__name__}")
