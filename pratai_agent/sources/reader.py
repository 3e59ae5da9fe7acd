"""Takes from a broker what one of its queues delivers, in batches."""

import time
from collections.abc import Sequence
from typing import NoReturn

from amqp.basic_message import Message
from amqp.exceptions import ConnectionForced
from kombu.transport import pyamqp

from pratai_agent.sources.amqp import allow
from pratai_agent.sources.base import SourceError
from pratai_common import limits

_BATCH_MESSAGES = 200
_BATCH_BYTES = limits.MAX_BODY_BYTES
_WAIT_SECONDS = 0.5
_GATHER_SECONDS = 0.05
_PAUSE_SECONDS = 0.002
"""A batch takes up what comes within this of what came before, for as long as the other at most."""


class Reader:
    """Takes what a queue delivers. No more of it is in memory than makes a batch, and one message:
    what is delivered beyond waits in the sockets.
    """

    def __init__(self, connection: pyamqp.Connection, queue: str) -> None:
        self._connection = connection
        self._queue = queue
        self._open = True
        self._delivered: list[Message] = []
        self._bytes = 0
        self._channel = connection.channel()
        self._channel.auto_decode = False  # bodies are bytes, whatever their encoding is said to be
        self._channel.basic_qos(0, 2 * _BATCH_MESSAGES, False)
        self._channel.basic_consume(queue, callback=self._deliver, on_cancel=self._on_cancel)

    def batch(self) -> list[Message]:
        """Return what is there, in its order; nothing where nothing came for half a second."""
        self._drain(_WAIT_SECONDS)
        self._beat()
        ends = time.monotonic() + _GATHER_SECONDS
        while self._delivered and not self._full() and time.monotonic() < ends:
            if not self._drain(_PAUSE_SECONDS):
                break
        batch, self._delivered, self._bytes = self._delivered, [], 0
        return batch

    def acknowledge(self, batch: Sequence[Message], besides: Sequence[Message]) -> None:
        """Let the broker forget a batch, which is all that was delivered since the last one, but
        for some of it.
        """
        if not besides:
            self._channel.basic_ack(batch[-1].delivery_tag, multiple=True)
            return
        kept = {each.delivery_tag for each in besides}
        for each in batch:
            if each.delivery_tag not in kept:
                self.forget(each)

    def forget(self, message: Message) -> None:
        """Let the broker forget a message."""
        self._channel.basic_ack(message.delivery_tag)

    def give_back(self, message: Message) -> None:
        """Let the broker deliver a message again."""
        self._channel.basic_reject(message.delivery_tag, requeue=True)

    def close(self) -> None:
        """Keep nothing of what is delivered from now on, until the connection is closed."""
        self._open = False

    def _beat(self) -> None:
        try:
            self._connection.heartbeat_tick()
        except ConnectionForced as error:
            raise SourceError("the broker was silent for too long") from error

    def _deliver(self, message: Message) -> None:
        if self._open:
            message.body = message.body or b""
            self._delivered.append(message)
            self._bytes += len(message.body)

    def _full(self) -> bool:
        return len(self._delivered) >= _BATCH_MESSAGES or self._bytes >= _BATCH_BYTES

    def _drain(self, seconds: float) -> bool:
        allow(self._connection, seconds)
        try:
            self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            return False
        return True

    def _on_cancel(self, _tag: str) -> NoReturn:
        raise SourceError(f"the queue {self._queue} was deleted")
