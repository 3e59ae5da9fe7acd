"""Results that the collector has not acknowledged, one file each; those of calls in a journal.

A result is in the spool, on disk, before it is sent for the first time, and leaves it when the
collector says that it is stored. Until then it is sent again: after a second, then ever less
often. May be used from many threads.

The result of a synchronous call, whose caller was promised nothing, survives the end of the node's
process, but perhaps not that of the machine: its caller does not wait for the disk.
"""

import logging
import threading
from dataclasses import dataclass
from itertools import islice

from pratai_common import limits
from pratai_common.errors import DecodeError
from pratai_common.files import Disk
from pratai_common.log_context import logged
from pratai_common.messages import MessageDecoder, Result, encode
from pratai_drivers.journal import Journal, Place, let_go

LOG = logging.getLogger(__name__)
FIRST_PAUSE_MS = 1000
LONGEST_PAUSE_MS = 30_000
_RESULT, _DAMAGED = ".result", ".damaged"
MOST_AT_ONCE = limits.QUEUE_MESSAGES // 2
"""Results that are sent again together: more would only be dropped by the full queue."""

Key = tuple[str, int]


@dataclass
class _Kept:
    name: str
    send_at: int
    pause: int
    large: bool
    place: Place | None = None


class Spool:
    """See the module. ``disk`` is its own; times are milliseconds on any clock that only goes
    forward.
    """

    def __init__(self, disk: Disk, now: int) -> None:
        self._disk = disk
        self._lock = threading.Lock()
        self._decoder: MessageDecoder[Result] = MessageDecoder(Result)
        self._kept: dict[Key, _Kept] = {}
        self._journal = Journal(disk)
        for name in disk.names():
            if name.endswith(_RESULT):
                self._adopt(name, now)
        for place in self._journal.found():
            self._adopt(place.name, now, place)

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._kept

    def keys(self) -> tuple[Key, ...]:
        """Return the request and attempt of each result that is kept."""
        with self._lock:
            return tuple(self._kept)

    def large(self, key: Key) -> bool:
        """Say whether a result that is kept is more than a message holds."""
        with self._lock:
            return key in self._kept and self._kept[key].large

    def get(self, key: Key) -> Result | None:
        """Return a result that is kept, ``None`` where there is none.

        One that cannot be read any more is not kept any longer: the run is repeated.
        """
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            return None
        failure = None
        try:
            result = self._read(kept.name, kept.place)
        except OSError as error:
            result, failure = None, error
        if result is None:
            self._lose(key, kept, failure)
        return result

    def _lose(self, key: Key, kept: _Kept, failure: OSError | None) -> None:
        """Keep a result no longer that could not be read, unless it was let go meanwhile."""
        with self._lock:
            if self._kept.get(key) is not kept:
                return
            del self._kept[key]
            if kept.place is not None:
                self._journal.remove(kept.place)
        if failure is not None:
            _unreadable(kept.name, failure)

    def replace(self, result: Result) -> None:
        """Keep a result as it is now; raises OSError. One that was let go is not kept again."""
        key = (result.request_id, result.attempt)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            return
        self._disk.write(kept.name, encode(result))  # nobody waits for the disk
        with self._lock:
            if key in self._kept:
                kept.large = large(result)
            else:
                let_go(self._disk, kept.name)

    def add(self, result: Result, now: int) -> None:
        """Keep a result; raises OSError. The caller sends it for the first time."""
        name = f"{result.request_id}.{result.attempt}{_RESULT}"
        key, frame, is_large = (result.request_id, result.attempt), encode(result), large(result)
        called = result.ticket is not None and not is_large
        if not called:
            self._disk.write(name, frame)
        with self._lock:
            place = self._journal.add(frame) if called else None
            send_at = now + FIRST_PAUSE_MS
            self._keep(key, _Kept(name, send_at, FIRST_PAUSE_MS, is_large, place))

    def remove(self, request_id: str, attempt: int) -> None:
        """Forget a result: it is stored."""
        with self._lock:
            kept = self._kept.pop((request_id, attempt), None)
            if kept is not None:
                self._forget(kept)

    def due(self, now: int) -> list[Key]:
        """Return whose results it is time to send again; the rest has its turn soon after."""
        with self._lock:
            self._journal.rest()
            late = ((key, kept) for key, kept in self._kept.items() if kept.send_at <= now)
            due = list(islice(late, MOST_AT_ONCE))
            for _, kept in due:
                kept.pause = min(2 * kept.pause, LONGEST_PAUSE_MS)
                kept.send_at = now + kept.pause
        return [key for key, _ in due]

    def check(self) -> None:
        """Raise OSError where the disk takes no results."""
        self._disk.write("probe", bytes(4 * limits.KIB))
        self._disk.remove("probe")

    def close(self) -> None:
        """Make the removals durable."""
        self._disk.sync()

    def _keep(self, key: Key, kept: _Kept) -> None:
        former = self._kept.get(key)
        self._kept[key] = kept
        if former is not None and (former.place is not None or kept.place is not None):
            self._forget(former)  # it lies elsewhere: a file with the same name was replaced

    def _forget(self, kept: _Kept) -> None:
        if kept.place is not None:
            self._journal.remove(kept.place)
        else:
            let_go(self._disk, kept.name)

    def _adopt(self, name: str, now: int, place: Place | None = None) -> None:
        try:
            result = self._read(name, place)
        except OSError as error:
            _unreadable(name, error)
            result = None
        if result is not None:
            key = (result.request_id, result.attempt)
            self._keep(key, _Kept(name, now, FIRST_PAUSE_MS, large(result), place))
        elif place is not None:
            self._journal.remove(place)

    def _read(self, name: str, place: Place | None) -> Result | None:
        """Read a result; what is none is set aside, in the journal passed over. Raises OSError."""
        content = self._disk.read(name) if place is None else self._journal.read(place)
        try:
            return self._decoder.decode([content])
        except DecodeError as error:
            with logged(name.partition(".")[0]):
                LOG.error("%s holds no result (%s): set aside", name, error)
        if place is None:
            self._disk.rename(name, name.removesuffix(_RESULT) + _DAMAGED)
        return None


def _unreadable(name: str, error: OSError) -> None:
    with logged(name.partition(".")[0]):
        LOG.error("the result in %s cannot be read: %s", name, error)


def large(result: Result) -> bool:
    """Say whether a result is more than a message holds."""
    content = None if result.output is None else result.output.content
    return content is not None and len(content) > limits.REFERENCE_BODY_BYTES
