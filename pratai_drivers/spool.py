"""Results that the collector has not acknowledged, one file each.

A result is in the spool, on disk, before it is sent for the first time, and leaves it when the
collector says that it is stored. Until then it is sent again: after a second, then ever less
often. May be used from many threads.
"""

import logging
import threading
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pratai_common import limits
from pratai_common.errors import DecodeError
from pratai_common.files import remove_unwritten, sync_folder, write_durably
from pratai_common.log_context import logged
from pratai_common.messages import MessageDecoder, Result, encode

LOG = logging.getLogger(__name__)
FIRST_PAUSE_MS = 1000
LONGEST_PAUSE_MS = 30_000
MOST_AT_ONCE = limits.QUEUE_MESSAGES // 2
"""Results that are sent again together: more would only be dropped by the full queue."""

Key = tuple[str, int]


@dataclass
class _Kept:
    path: Path
    send_at: int
    pause: int
    large: bool


class Spool:
    """See the module. Times are milliseconds on any clock that only goes forward."""

    def __init__(self, folder: Path, now: int) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._decoder: MessageDecoder[Result] = MessageDecoder(Result)
        self._kept: dict[Key, _Kept] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        remove_unwritten(folder)
        for path in sorted(folder.glob("*.result")):
            self._adopt(path, now)

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
        result = self._read(kept.path)
        if result is None:
            with self._lock:
                self._kept.pop(key, None)
        return result

    def replace(self, result: Result) -> None:
        """Keep a result as it is now; raises OSError. One that was let go is not kept again."""
        with self._lock:
            kept = self._kept.get((result.request_id, result.attempt))
            if kept is not None:
                write_durably(kept.path, encode(result))
                kept.large = large(result)

    def add(self, result: Result, now: int) -> None:
        """Keep a result durably. The caller sends it for the first time."""
        path = self._folder / f"{result.request_id}.{result.attempt}.result"
        write_durably(path, encode(result))
        with self._lock:
            key = (result.request_id, result.attempt)
            self._kept[key] = _Kept(path, now + FIRST_PAUSE_MS, FIRST_PAUSE_MS, large(result))

    def remove(self, request_id: str, attempt: int) -> None:
        """Forget a result: it is stored."""
        with self._lock:
            kept = self._kept.pop((request_id, attempt), None)
            if kept is not None:
                kept.path.unlink(missing_ok=True)

    def due(self, now: int) -> list[Key]:
        """Return whose results it is time to send again; the rest has its turn soon after."""
        with self._lock:
            late = ((key, kept) for key, kept in self._kept.items() if kept.send_at <= now)
            due = list(islice(late, MOST_AT_ONCE))
            for _, kept in due:
                kept.pause = min(2 * kept.pause, LONGEST_PAUSE_MS)
                kept.send_at = now + kept.pause
        return [key for key, _ in due]

    def check(self) -> None:
        """Raise OSError where the disk takes no results."""
        probe = self._folder / "probe"
        write_durably(probe, bytes(4 * limits.KIB))
        probe.unlink()

    def close(self) -> None:
        """Make the removals durable."""
        sync_folder(self._folder)

    def _adopt(self, path: Path, now: int) -> None:
        result = self._read(path)
        if result is not None:
            key = (result.request_id, result.attempt)
            self._kept[key] = _Kept(path, now, FIRST_PAUSE_MS, large(result))

    def _read(self, path: Path) -> Result | None:
        with logged(path.name.partition(".")[0]):
            try:
                return self._decoder.decode([path.read_bytes()])
            except OSError as error:
                LOG.error("the result in %s cannot be read: %s", path, error)
            except DecodeError as error:
                LOG.error("%s holds no result (%s): set aside", path, error)
                path.rename(path.with_suffix(".damaged"))
        return None


def large(result: Result) -> bool:
    """Say whether a result is more than a message holds."""
    content = None if result.output is None else result.output.content
    return content is not None and len(content) > limits.REFERENCE_BODY_BYTES
