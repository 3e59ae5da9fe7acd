"""Unpacked files, kept on the node's disk by their content, within a bound.

What is lent stays. Of the rest, what was wanted longest ago goes first. What was written before the
machine started again is not believed: the disk may have lost some of it.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from pratai_drivers.removing import remove

_UNFINISHED = "unfinished-"
_ONE_SHARE = 4
"""No content takes more than this part of the limit, so that none pushes all others out."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
Write = Callable[[Path, int], int]
"""Writes files into a folder, of at most so many bytes; returns how many there are."""


@dataclass
class _Entry:
    """A folder of files, its size in bytes, and how many have it."""

    folder: Path
    size: int
    lent: int = 0


class Loan:
    """Folders that stay as they are until they are given back."""

    def __init__(self, store: "Unpacked", keys: Sequence[str], folders: Sequence[Path]) -> None:
        self._store = store
        self._keys = list(keys)
        self.folders = folders

    def give_back(self) -> None:
        """Say that the folders are used no more; again is no mistake."""
        keys, self._keys = self._keys, []
        self._store.take_back(keys)


class Unpacked:
    """See the module. May be called from many threads; ``limit`` is in bytes. ``boot`` tells one
    start of the machine from another.
    """

    def __init__(self, folder: Path, limit: int, boot: str | None = None) -> None:
        self._folder = folder
        self._limit = limit
        self._boot = (_BOOT.read_text() if boot is None else boot).strip().replace("-", "")
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        """In the order of their last use."""

    def open(self) -> None:
        """Find what an earlier process of this node has left, and remove what it did not finish."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        found = sorted(self._folder.iterdir(), key=lambda path: path.lstat().st_mtime)
        for path in found:
            key, _, rest = path.name.partition("-")
            boot, _, size = rest.partition("-")
            if path.name.startswith(_UNFINISHED) or boot != self._boot or not size.isdecimal():
                remove(path)
            elif key not in self._entries:
                self._entries[key] = _Entry(path, int(size))

    def has(self, key: str) -> bool:
        """Say whether the files of this content are here."""
        with self._lock:
            return key in self._entries

    def lend(self, keys: Sequence[str]) -> Loan | None:
        """Return the folders of these contents; ``None`` where one of them is not here."""
        with self._lock:
            if not all(key in self._entries for key in keys):
                return None
            for key in keys:
                entry = self._entries[key] = self._entries.pop(key)
                entry.lent += 1
            return Loan(self, keys, [self._entries[key].folder for key in keys])

    def take_back(self, keys: Sequence[str]) -> None:
        """See Loan."""
        with self._lock:
            for key in keys:
                self._entries[key].lent -= 1

    def put(self, key: str, write: Write) -> None:
        """Keep what ``write`` writes, whose errors it raises; what is here already stays.

        It may write a quarter of the limit.
        """
        new = Path(mkdtemp(dir=self._folder, prefix=_UNFINISHED))
        try:
            size = write(new, self._limit // _ONE_SHARE)
            with self._lock:
                if key not in self._entries:
                    folder = self._folder / f"{key}-{self._boot}-{size}"
                    new.rename(folder)
                    self._entries[key] = _Entry(folder, size)
                gone = self._make_room()
        finally:
            remove(new)
        for folder in gone:
            remove(folder)

    def _make_room(self) -> list[Path]:
        """Take out what is too much; returns the folders that are to be removed."""
        too_much = sum(entry.size for entry in self._entries.values()) - self._limit
        gone = []
        for key, entry in list(self._entries.items())[:-1]:
            if too_much <= 0:
                break
            if entry.lent:
                continue
            del self._entries[key]
            too_much -= entry.size
            gone.append(entry.folder.rename(self._folder / f"{_UNFINISHED}{entry.folder.name}"))
        return gone
