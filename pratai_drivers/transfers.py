"""What a node gets from elsewhere and brings there: by HTTP, from addresses that it was given.

It holds no credentials: an address says all. An address is a right, so it stands in no log and no
message. No proxy of the environment is used, and no redirection is followed.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from pratai_common.decoding import from_json
from pratai_common.errors import ArchiveMissingError, TransferError
from pratai_drivers.engines.base import GivenUp, wanted

LOG = logging.getLogger(__name__)
PAUSES_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 2.0, 2.0)
"""Between tries: an API that is restarted answers within these."""

_MOST_CONNECT_SECONDS = 5.0
_MOST_TIMEOUTS = 10
"""One that never is silent for long must still come to its end within so many timeouts."""

_CHUNK_BYTES = 256 * 1024


class Fetcher(Protocol):
    """Where a node gets archives: what it does with them is the same, wherever they are."""

    def fetch(self, url: str, sha256: str, most: int, given_up: GivenUp = wanted) -> bytes:
        """Return an archive; see ``Transfers``."""


class Answer(NamedTuple):
    """What the API answers to a question."""

    status: int
    content: bytes


class _Kept(msgspec.Struct):
    """What the API says of an output that it keeps."""

    sha256: str


class _UnansweredError(Exception):
    """There was no answer, or one that says no more than that there may be one later."""


class Transfers:
    """See the module. May be used from many threads.

    ``timeout`` is how long whoever is asked may be silent, seconds; ``pauses`` are those between
    tries; so many idle ``connections`` are kept.
    """

    def __init__(
        self,
        timeout: float,
        pauses: Sequence[float] = PAUSES_SECONDS,
        connections: int = 1,
    ) -> None:
        limits = urllib3.Timeout(connect=min(timeout, _MOST_CONNECT_SECONDS), read=timeout)
        self._pool = urllib3.PoolManager(timeout=limits, retries=False, maxsize=connections)
        self._pauses = pauses
        self._seconds = timeout
        self._most_seconds = _MOST_TIMEOUTS * timeout
        self._lock = threading.Lock()
        self._unanswered: str | None = None

    def fetch(self, url: str, sha256: str, most: int, given_up: GivenUp = wanted) -> bytes:
        """Return an archive of ``most`` bytes at most.

        Raises ArchiveMissingError where it is not there, or something else is there for good, and
        TransferError where nothing can be said of it, or it is ``given_up``.
        """
        for pause in (*self._pauses, None):
            try:
                content = self._get(url, most, given_up)
            except _UnansweredError as error:
                why = str(error)
            else:
                if hashlib.sha256(content).hexdigest() == sha256:
                    return content
                why = "damaged"
            if pause is None or given_up():
                break
            LOG.info("an archive is asked for again in %s s: %s", pause, why)
            time.sleep(pause)
        if why == "damaged":
            raise ArchiveMissingError(f"{sha256} is damaged")
        with self._lock:
            self._unanswered = url
        raise TransferError(f"an archive could not be fetched: {why}")

    def bring(self, url: str, content: bytes, sha256: str, headers: Mapping[str, str]) -> None:
        """Have the API keep an output, in one try; raises TransferError."""
        try:
            answer = self._pool.request("POST", url, body=content, headers=headers, redirect=False)
            if answer.status != 200:
                raise TransferError(f"answered with {answer.status}")
            kept = from_json(answer.data, _Kept)
        except (HTTPError, OSError, msgspec.DecodeError) as error:
            raise TransferError(_why(error)) from error
        if kept.sha256 != sha256:
            raise TransferError("something else arrived")

    def ask(self, url: str, headers: Mapping[str, str], given_up: GivenUp = wanted) -> Answer:
        """Return what the API answers, which is small; where it cannot yet it is asked again, for
        as long as it may be silent, and its last refusal counts.

        Raises TransferError where it says nothing at all.
        """
        ends = time.monotonic() + self._seconds
        for pause in (*self._pauses, None):
            answer, why = None, ""
            try:
                said = self._pool.request("GET", url, headers=headers, redirect=False)
                answer = Answer(said.status, said.data)
            except (HTTPError, OSError) as error:
                why = _why(error)
            if answer is not None and not _is_for_now(answer.status):
                return answer
            if pause is None or given_up() or time.monotonic() > ends:
                break
            time.sleep(pause)
        if answer is None:
            raise TransferError(f"the API does not answer: {why}")
        return answer

    def check(self) -> None:
        """Raise TransferError while whoever gave no archive the last time does not answer yet."""
        with self._lock:
            url = self._unanswered
        if url is None:
            return
        try:
            answer = self._pool.request("HEAD", url, redirect=False)
        except (HTTPError, OSError) as error:
            raise TransferError(f"archives cannot be fetched: {_why(error)}") from error
        if answer.status >= 500:
            raise TransferError(f"archives cannot be fetched: answered with {answer.status}")
        with self._lock:
            if self._unanswered == url:
                self._unanswered = None

    def _get(self, url: str, most: int, given_up: GivenUp) -> bytes:
        """Return what is there, in one try; raises what ``fetch`` does, and _UnansweredError."""
        ends = time.monotonic() + self._most_seconds
        try:
            answer = self._pool.request("GET", url, redirect=False, preload_content=False)
            with answer:
                _require_found(answer.status)
                content = _read(answer, most, lambda: given_up() or time.monotonic() > ends)
                answer.release_conn()
                return content
        except (HTTPError, OSError) as error:
            raise _UnansweredError(_why(error)) from error


def _require_found(status: int) -> None:
    if status == 404:
        raise ArchiveMissingError("it is not there")
    if _is_for_now(status):
        raise _UnansweredError(f"answered with {status}")
    if status != 200:
        raise TransferError(f"an archive could not be fetched: answered with {status}")


def _is_for_now(status: int) -> bool:
    """Say whether a refusal says no more than that there may be an answer later."""
    return status >= 500 or status in (408, 429)


def _read(answer: urllib3.BaseHTTPResponse, most: int, given_up: GivenUp) -> bytes:
    content = bytearray()
    while chunk := answer.read1(_CHUNK_BYTES):
        content += chunk
        if given_up():
            raise _UnansweredError("too slow, or wanted no more")
        if len(content) > most:
            raise ArchiveMissingError(f"what is there has more than {most} bytes")
    return bytes(content)


def _why(error: Exception) -> str:
    """Return what went wrong, without the address that the error's own text may have in it."""
    return type(error).__name__
