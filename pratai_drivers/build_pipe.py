"""The pipe by which a build, which is hostile code, leaves files for later ones.

By the pipe come, again and again: a line ``SIZE PATH`` and so many bytes of a file, or a line
``- PATH`` for a file that was there and has been used.
"""

import logging
import os
import re
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pratai_common import limits
from pratai_common.log_context import carried

LOG = logging.getLogger(__name__)
PIPE = "new"
"""The pipe's name in ``/run/build``."""

_LINE = re.compile(rb"(-|[0-9]{1,12}) ([A-Za-z0-9._+!@=-]+(?:/[A-Za-z0-9._+!@=-]+)*)")
_MOST_LINE = 1024
_MOST_PARTS = 10
MOST_FILES = 20_000
"""So many files and folders one build leaves."""

BLOCK_BYTES = 4096
"""The least that a file or a folder takes: empty ones take disk as well."""

_READ_BYTES = 64 * limits.KIB
_WAIT_SECONDS = 0.2


class _Taker:
    """Writes into a folder what comes by a pipe; ends for good at what it does not understand."""

    def __init__(self, folder: Path, staging: Path, room: int, begin: str | None) -> None:
        self._folder = folder
        self._staging = staging
        self._room = room
        self._kept = begin
        self._files = 0
        self._buffer = bytearray()
        self._missing = 0
        self._path = ""
        self._sound = True

    def take(self, content: bytes) -> None:
        """Take the next bytes."""
        self._buffer += content
        try:
            while self._sound and self._buffer and self._step():
                pass
        except OSError as error:
            LOG.warning("what a build leaves is not kept: %s", error)
            self._sound = False
        if not self._sound:
            self._buffer.clear()

    def _step(self) -> bool:
        """Take a line or a part of a file; ``False`` where more of a line is to come first."""
        if self._missing:
            self._write()
            return True
        end = self._buffer.find(b"\n", 0, _MOST_LINE)
        if end < 0:
            self._sound = len(self._buffer) < _MOST_LINE
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._begin(line)
        return True

    def _begin(self, line: bytes) -> None:
        self._files += 1
        match = _LINE.fullmatch(line)
        if match is None or self._files > MOST_FILES:
            self._sound = False
            return
        path = match.group(2).decode()
        parts = path.split("/")
        used = match.group(1) == b"-"
        size = 0 if used else int(match.group(1))
        if {".", ".."} & set(parts) or len(parts) > _MOST_PARTS:
            self._sound = False
        elif used:
            with suppress(OSError):
                os.utime(self._folder / path)
        elif charge(size) > self._room:
            self._sound = False
        else:
            self._room -= charge(size)
            self._path, self._missing = path, size
            self._staging.write_bytes(b"")
            if not size:
                self._keep()

    def _write(self) -> None:
        part = self._buffer[: self._missing]
        with self._staging.open("ab") as file:
            file.write(part)
        del self._buffer[: len(part)]
        self._missing -= len(part)
        if not self._missing:
            self._keep()

    def _keep(self) -> None:
        """Put a file that is whole where it belongs, unless something else is in its way, or it
        belongs nowhere.
        """
        first, inner, _rest = self._path.partition("/")
        if self._kept is not None and not (inner and first.startswith(self._kept)):
            return
        target = self._folder / self._path
        with suppress(OSError):
            for parent in reversed(target.relative_to(self._folder).parents[:-1]):
                self._make_folder(self._folder / parent)
            self._staging.chmod(0o644)
            self._staging.replace(target)

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            self._files += 1
            self._room -= BLOCK_BYTES
        make_folder(folder)


@contextmanager
def taken(pipe: Path, folder: Path, room: int, begin: str | None) -> Iterator[None]:
    """Take into a folder what comes by a pipe, which is made, while the block runs: of disk at most
    ``room`` bytes. Where ``begin`` is given, files are kept in folders alone whose names begin so.
    """
    os.mkfifo(pipe)
    pipe.chmod(0o622)
    # Also for writing: a pipe whose writers are all gone would be readable for ever.
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    ended = threading.Event()
    taker = _Taker(folder, pipe.with_name(f".{pipe.name}.part"), room, begin)

    def serve() -> None:
        while True:
            last = ended.is_set()
            select.select([descriptor], [], [], 0 if last else _WAIT_SECONDS)
            try:
                while content := os.read(descriptor, _READ_BYTES):
                    taker.take(content)
            except BlockingIOError:
                if last:
                    return

    thread = threading.Thread(target=carried(serve), name="build-cache", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder that everybody may read, whatever the umask."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)


def charge(size: int) -> int:
    """Return what a file of so many bytes counts."""
    return max(size, BLOCK_BYTES)
