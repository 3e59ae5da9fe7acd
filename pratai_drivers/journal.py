"""Results one behind the other in few files: a file for each would cost many times as much.

Nothing waits for the disk: what is written survives the end of the process, but perhaps not that of
the machine. A file goes when nothing in it is kept any more.
"""

import logging
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pratai_common import limits
from pratai_common.files import Disk

LOG = logging.getLogger(__name__)
_SUFFIX = ".journal"
_HEAD = struct.Struct("<II")
_MOST_BYTES = 256 * limits.KIB
"""Of a file: what it holds that is not kept any more is read again after a crash."""


class Place(NamedTuple):
    """Where something is."""

    name: str
    start: int
    size: int


class Journal:
    """See the module. One thread at a time uses it."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._kept: Counter[str] = Counter()
        self._former = [each for each in disk.names() if each.endswith(_SUFFIX)]
        self._number = max((int(each.removesuffix(_SUFFIX)) for each in self._former), default=0)
        self._current: str | None = None

    def found(self) -> list[Place]:
        """Return what former processes have left, of each file up to where it is damaged: the end
        of one may not have been written any more. Raises OSError.
        """
        places = []
        for name in self._former:
            for start, entry in entries(self._disk.read(name)):
                places.append(Place(name, start, len(entry)))
                self._kept[name] += 1
            self._let_go(name)
        self._former = []
        return places

    def add(self, content: bytes) -> Place:
        """Write something to the end; raises OSError."""
        if self._current is None:
            self._number += 1
            self._current = f"{self._number:010d}{_SUFFIX}"
        name = self._current
        head = _HEAD.pack(len(content), zlib.crc32(content))
        place = Place(name, self._disk.append(name, head + content) + _HEAD.size, len(content))
        self._kept[name] += 1
        if place.start + place.size > _MOST_BYTES:
            self._current = None
        return place

    def read(self, place: Place) -> bytes:
        """Return what is at a place; raises OSError."""
        return self._disk.read(place.name)[place.start : place.start + place.size]

    def remove(self, place: Place) -> None:
        """Keep what is at a place no longer."""
        self._kept[place.name] -= 1
        if place.name != self._current:
            self._let_go(place.name)

    def rest(self) -> None:
        """Leave no file where nothing is kept."""
        if self._current is not None and not self._kept[self._current]:
            name, self._current = self._current, None
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        """Remove a file in which nothing is kept, and to which nothing will be added."""
        if not self._kept[name]:
            del self._kept[name]
            let_go(self._disk, name)


def let_go(disk: Disk, name: str) -> None:
    """Remove a file that nobody needs; one that stays is found again by the next process."""
    try:
        disk.remove(name)
    except OSError as error:
        LOG.error("%s cannot be removed: %s", name, error)


def entries(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield what a file holds, and where each begins, up to where nothing sound follows."""
    start = _HEAD.size
    while start <= len(content):
        size, check = _HEAD.unpack_from(content, start - _HEAD.size)
        entry = content[start : start + size]
        if not size or len(entry) < size or zlib.crc32(entry) != check:
            return
        yield start, entry
        start += size + _HEAD.size
