"""What builds leave for later ones: what they downloaded and made, each project's apart.

A build sees what its project has, read-only, and writes what is new into a pipe. It is hostile
code, so what comes by that pipe (``build_pipe.py``) is believed by builds of the same project
alone, and bounded in disk, files and folders. The shared part is given to all, and is filled only
by a program of the runtime that runs nothing of what it downloads (``prefetch.py``).
"""

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pratai_drivers.build_pipe import BLOCK_BYTES, MOST_FILES, charge, make_folder, taken
from pratai_drivers.removing import remove

LOG = logging.getLogger(__name__)
_OWNER_SHARE = 4
"""No owner has more than this part of all, so that none pushes all others out, and no build leaves
more.
"""


class BuildCache:
    """One folder an owner, all together of at most ``most`` bytes. May be used from many threads.

    What was used last stays: first the owner's whole folder counts, then each file in it. Where
    ``begin`` is given, files are kept in folders alone whose names begin so.
    """

    def __init__(
        self, folder: Path, most: int, share: int = _OWNER_SHARE, begin: str | None = None
    ) -> None:
        self._folder = folder
        self._most = most
        self._most_of_owner = most // share
        self._most_of_build = most // _OWNER_SHARE
        self._begin = begin
        self._lock = threading.Lock()
        self._building: dict[str, int] = {}

    @contextmanager
    def opened(self, owner: str, pipe: Path) -> Iterator[Path | None]:
        """Yield the folder that a build of an owner may see, and take what comes by a new pipe.

        ``None`` where nothing is kept. What a build that fails has left is taken as well: a
        requirement that cannot be installed is often one line of many.
        """
        if not self._most:
            yield None
            return
        folder = self._path(owner)
        with self._used(folder):
            try:
                make_folder(folder)
                with taken(pipe, folder, self._most_of_build, self._begin):
                    yield folder
            finally:
                self._trim(folder)

    @contextmanager
    def seen(self, owner: str) -> Iterator[Path | None]:
        """Yield the folder of an owner that others may see, if there is one."""
        folder = self._path(owner)
        with self._used(folder):
            yield folder if self._most and folder.is_dir() else None

    def _path(self, owner: str) -> Path:
        return self._folder / hashlib.sha256(owner.encode()).hexdigest()[:32]

    @contextmanager
    def _used(self, folder: Path) -> Iterator[None]:
        """Say that builds see a folder while the block runs."""
        with self._lock:
            self._building[folder.name] = self._building.get(folder.name, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._building[folder.name] -= 1
                if not self._building[folder.name]:
                    del self._building[folder.name]

    def _trim(self, used: Path) -> None:
        """Remove what is too much, of an owner that has just built, then of all."""
        with self._lock:
            try:
                os.utime(used)
                self._trim_owner(used)
                self._trim_all(used)
            except OSError as error:
                LOG.warning("what builds have left cannot be removed: %s", error)

    def _trim_owner(self, folder: Path) -> None:
        """What other builds see at the moment is left as it is, up to twice as much: else builds
        that never end together would never let anything go.
        """
        held = _Held(folder)
        held.remove_empty()
        times = 1 if self._building[folder.name] == 1 else 2
        if held.is_more_than(times * self._most_of_owner, times * MOST_FILES):
            held.trim(self._most_of_owner, MOST_FILES)

    def _trim_all(self, used: Path) -> None:
        owners = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)
        sizes = {owner: _Held(owner).size for owner in owners}
        total = sum(sizes.values())
        for owner in owners:
            if total <= self._most:
                return
            if owner.name not in self._building and owner != used:
                total -= sizes[owner]
                remove(owner)


class _Held:
    """What a folder holds, at one moment. Nothing in it is gone into twice, however deep it is."""

    def __init__(self, folder: Path) -> None:
        self._files: list[tuple[float, int, Path]] = []
        self._root = folder
        folders = [self._root]
        for each in folders:  # grows meanwhile
            with os.scandir(each) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    else:
                        status = entry.stat(follow_symlinks=False)
                        self._files.append((status.st_mtime, status.st_size, Path(entry.path)))
        # Those that lie in others come behind them.
        self._folders = dict.fromkeys(folders)
        self.size = sum(charge(size) for _used, size, _path in self._files)
        self.size += len(folders) * BLOCK_BYTES

    def is_more_than(self, size: int, files: int) -> bool:
        """Say whether there are more bytes, or more files and folders."""
        return self.size > size or len(self._files) + len(self._folders) > files

    def trim(self, size: int, files: int) -> None:
        """Remove what was not used for longest, so that no more is left; raises OSError."""
        self._files.sort(reverse=True)
        while self._files and self.is_more_than(size, files):
            _used, bytes_of_it, path = self._files.pop()
            path.unlink()
            self.size -= charge(bytes_of_it)
            self._remove_empty(path.parent)

    def remove_empty(self) -> None:
        """Remove folders that hold nothing, but not the whole."""
        for each in reversed(list(self._folders)):
            self._remove_empty(each)

    def _remove_empty(self, folder: Path) -> None:
        """Remove a folder if it holds nothing, and then the one that it lay in, and so on."""
        while folder != self._root and folder in self._folders:
            try:
                folder.rmdir()
            except OSError:
                return
            del self._folders[folder]
            self.size -= BLOCK_BYTES
            folder = folder.parent
