"""What arrives at a daemon and may be believed: decoded, and said by somebody who may say it."""

import logging
from typing import Generic, TypeVar

from pratai_common.channels import Inlet, Received
from pratai_common.errors import DecodeError
from pratai_common.messages import Message, MessageDecoder
from pratai_common.ration import Ration

LOG = logging.getLogger(__name__)
M = TypeVar("M", bound=Message)


class Inbox(Generic[M]):
    """An inlet and what it takes. Whatever else arrives is logged, as far as that
    does not fill the log, ``dropped`` and counted.
    """

    def __init__(self, inlet: Inlet, decoder: MessageDecoder[M]) -> None:
        self._inlet = inlet
        self._decoder = decoder
        self._ration = Ration()
        self.dropped = 0

    def receive(self, timeout_ms: int, most: int) -> list[M]:
        """Return messages, oldest first, after waiting for the first of up to ``most``."""
        taken = [self._take(each) for each in self._inlet.receive(timeout_ms, most)]
        return [message for message in taken if message is not None]

    def wake(self) -> None:
        """Make a waiting ``receive`` return; may be called from any thread and from signals."""
        self._inlet.wake()

    def _take(self, received: Received) -> M | None:
        try:
            message = self._decoder.decode(received.frames)
        except DecodeError as error:
            self._drop(f"a malformed message: {error}")
            return None
        curve = self._inlet.curve
        objection = None if curve is None else curve.objection(message, received.key)
        if objection:
            self._drop(f"a {type(message).__name__}: {objection}")
            return None
        return message

    def _drop(self, what: str) -> None:
        self.dropped += 1
        if (suffix := self._ration.take()) is not None:
            LOG.warning("dropped %s%s", what, suffix)
