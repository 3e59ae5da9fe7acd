"""Results on their way to the collector: by message, and what no message holds by the API.

A large output is brought to the API, which keeps it in the archives, and then its result goes as
any other, with the output's name. Until that is done the spool has all of it, and is asked again.
"""

import base64
import logging
import queue
import threading
from collections.abc import Callable

from msgspec.structs import replace

from pratai_common.errors import TransferError
from pratai_common.log_context import logged
from pratai_common.messages import AttemptMessage, Result, encode
from pratai_common.node_urls import CLAIM_HEADER, RESULTS
from pratai_drivers.spool import Key, Spool, large
from pratai_drivers.transfers import Transfers

LOG = logging.getLogger(__name__)


class Results:
    """See the module. ``url`` is where the API is, ``send`` has a message sent to the collector.

    May be used from many threads; it has one of its own, which alone waits for the API.
    """

    def __init__(
        self, spool: Spool, transfers: Transfers, url: str, send: Callable[[Result], None]
    ) -> None:
        self._spool = spool
        self._transfers = transfers
        self._url = f"{url.rstrip('/')}{RESULTS}"
        self._send = send
        self._queue: queue.SimpleQueue[Key | None] = queue.SimpleQueue()
        self._waiting: set[Key] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="results", daemon=True)

    def start(self) -> None:
        """Begin to bring outputs."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no more; what was not brought stays in the spool."""
        self._queue.put(None)

    def send(self, result: Result) -> None:
        """Send a result that was put into the spool, once its output is brought if it is large."""
        if large(result):
            self._put((result.request_id, result.attempt))
        else:
            self._send(result)

    def send_again(self, key: Key) -> None:
        """Send what the spool has of an attempt, if anything."""
        if self._spool.large(key):
            self._put(key)
            return
        result = self._spool.get(key)
        if result is not None:
            self._send(result)

    def _put(self, key: Key) -> None:
        with self._lock:
            if key in self._waiting:
                return
            self._waiting.add(key)
        self._queue.put(key)

    def _serve(self) -> None:
        while (key := self._queue.get()) is not None:
            with self._lock:
                self._waiting.discard(key)
            with logged(key[0]):
                self._bring(key)

    def _bring(self, key: Key) -> None:
        try:
            result = self._spool.get(key)
            if result is not None:
                self._send(self._brought(result))
        except (TransferError, OSError) as error:
            LOG.warning("the output of attempt %d waits in the spool: %s", key[1], error)

    def _brought(self, result: Result) -> Result:
        """Return a result as it is when the API has its output; raises TransferError."""
        output = result.output
        if output is None or output.content is None:
            return result
        claim = {CLAIM_HEADER: _claim(result)}
        self._transfers.bring(self._url, output.content, output.sha256, claim)
        brought = replace(result, output=replace(output, content=None))
        try:
            self._spool.replace(brought)
        except OSError as error:  # a full disk becomes empty only by results that are sent
            LOG.warning("attempt %d stays in the spool with its output: %s", result.attempt, error)
        return brought


def _claim(result: Result) -> str:
    """Return what proves to the API that this node was given the attempt."""
    names = AttemptMessage.__struct_fields__
    claim = AttemptMessage(**{name: getattr(result, name) for name in names})
    return base64.urlsafe_b64encode(encode(claim)).decode()
