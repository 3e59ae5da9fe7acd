"""Whose keys are known now: the folder of public keys, looked through again as time passes.

A key that was put there admits, and one that was taken away revokes, without a restart.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pratai_common.key_files import KeyFileError, public_files, read_public
from pratai_common.senders import Identity

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
_Stamp = tuple[int, int, int, int]
_UNREAD: _Stamp = (0, 0, 0, 0)


class _File(NamedTuple):
    stamp: _Stamp
    key: bytes | None


class KeyRing:
    """The keys in a folder, as they were at most a second ago. May be used by any thread.

    A file that has no key admits nobody, nor does a key that stands in a second one: both are
    logged once. While the folder itself cannot be read, all stays as it was.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at: float | None = None
        self._files: dict[Path, _File] = {}
        self._owners: dict[bytes, Identity] = {}
        self._keys: dict[Identity, bytes] = {}

    def owner(self, key: bytes) -> Identity | None:
        """Return whose key it is, ``None`` for a stranger's."""
        self._look()
        return self._owners.get(key)

    def key(self, identity: Identity) -> bytes | None:
        """Return somebody's public key."""
        self._look()
        return self._keys.get(identity)

    def _look(self) -> None:
        with self._lock:
            now = self._clock()
            if self._looked_at is not None and now - self._looked_at < LOOK_SECONDS:
                return
            self._looked_at = now
            try:
                found = list(public_files(self.folder))
            except OSError as error:
                LOG.error("the keys are as they were: %s", error)
                return
            files = {path: self._file(path) for _, path in found}
            if files != self._files:
                self._files = files
                self._note([(identity, files[path].key) for identity, path in found])

    def _file(self, path: Path) -> _File:
        """Return a file as it was read, anew only where it has changed."""
        try:
            status = path.stat()
            # All keys are as long, and whoever writes one may set its time of modification.
            stamp = (status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:  # it was taken away just now
            return _File(_UNREAD, None)
        known = self._files.get(path)
        if known is not None and known.stamp == stamp:
            return known
        try:
            return _File(stamp, read_public(path))
        except KeyFileError as error:
            # What cannot be read now may be later, though the file stays as it is.
            failed = _File(_UNREAD if isinstance(error.__cause__, OSError) else stamp, None)
            if known != failed:
                LOG.error("nobody is admitted by it: %s", error)
            return failed

    def _note(self, found: list[tuple[Identity, bytes | None]]) -> None:
        owners: dict[bytes, Identity] = {}
        for identity, key in found:
            if key is not None and owners.setdefault(key, identity) != identity:
                LOG.error(
                    "the key of %s is that of %s: nobody is admitted as the former by it",
                    identity,
                    owners[key],
                )
        for _, identity in owners.items() - self._owners.items():
            LOG.info("the key of %s is known from now on", identity)
        for _, identity in self._owners.items() - owners.items():
            LOG.info("the key of %s is no longer known", identity)
        self._owners = owners
        self._keys = {identity: key for key, identity in owners.items()}
