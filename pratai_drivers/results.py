"""Results on their way to the collector: by message, and what no message holds by the API.

A large output is brought to the API, which keeps it in the archives, and then its result goes as
any other, with the output's name. Until that is done the spool has all of it, and is asked again.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec.structs import replace

from pratai_common.errors import TransferError
from pratai_common.messages import Result
from pratai_common.node_urls import CLAIM_HEADER, RESULTS
from pratai_drivers.claims import claim_of
from pratai_drivers.spool import Key, Spool, large

LOG = logging.getLogger(__name__)


class Brings(Protocol):
    """Who brings bytes to the API."""

    def bring(self, url: str, content: bytes, sha256: str, headers: Mapping[str, str]) -> None:
        """Bring them; raises TransferError."""


class Results:
    """See the module. ``url`` is where the API is, ``send`` has a message sent to the collector.

    ``later`` has ``bring`` called with a key, by who may wait for the API. May be used from many
    threads.
    """

    def __init__(
        self,
        spool: Spool,
        transfers: Brings,
        url: str,
        send: Callable[[Result], None],
        later: Callable[[Key], None],
    ) -> None:
        self._spool = spool
        self._transfers = transfers
        self._url = f"{url.rstrip('/')}{RESULTS}"
        self._send = send
        self._later = later

    def send(self, result: Result) -> None:
        """Send a result that was put into the spool, once its output is brought if it is large."""
        if large(result):
            self._later((result.request_id, result.attempt))
        else:
            self._send(result)

    def send_again(self, key: Key) -> None:
        """Send what the spool has of an attempt, if anything."""
        if self._spool.large(key):
            self._later(key)
            return
        result = self._spool.get(key)
        if result is not None:
            self._send(result)

    def bring(self, key: Key) -> None:
        """Bring the output of a result to the API, and send what is left of it."""
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
        claim = {CLAIM_HEADER: claim_of(result)}
        self._transfers.bring(self._url, output.content, output.sha256, claim)
        brought = replace(result, output=replace(output, content=None))
        try:
            self._spool.replace(brought)
        except OSError as error:  # a full disk becomes empty only by results that are sent
            LOG.warning("attempt %d stays in the spool with its output: %s", result.attempt, error)
        return brought
