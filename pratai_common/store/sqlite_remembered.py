"""Functions as anybody wrote them last, without reading them from the database each time.

Whoever has written a function puts another number into a file beside the database, which each
process has in its memory: what was read under the number that is there now is still so. Only where
a writer was killed just before that, or is of a release that knows of no such file, is something
old remembered: for a second.
"""

import mmap
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pratai_common.records import Function

_NUMBER_BYTES = 8
_REMEMBER_SECONDS = 1.0
_MOST = 10_000


class _Known(NamedTuple):
    function: Function | None
    number: bytes
    until: float


class Remembered:
    """See the module. ``read`` reads functions from the database, ``None`` for what is not there.

    Serves all threads: each step is one that the interpreter does not interrupt, and what one of
    them undoes is read again.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Sequence[str]], Sequence[Function | None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._mapped: mmap.mmap | None = None

    def get(self, function_ids: Sequence[str]) -> dict[str, Function]:
        """Return those functions that there are."""
        number, now = self._number(), self._clock()
        known = [self._known.get(each) for each in function_ids]
        if not all(each and each.number == number and now < each.until for each in known):
            return self._look(function_ids, number, now)
        return {
            name: each.function
            for name, each in zip(function_ids, known, strict=True)
            if each is not None and each.function is not None
        }

    def changed(self) -> None:
        """Have every process read what it needs anew."""
        self._known.clear()
        if (mapped := self._map()) is not None:
            mapped[:] = os.urandom(_NUMBER_BYTES)

    def _look(
        self, function_ids: Sequence[str], number: bytes | None, now: float
    ) -> dict[str, Function]:
        """Read functions; ``number`` was there before."""
        found = dict(zip(function_ids, self._read(function_ids), strict=True))
        if number is not None:
            if len(self._known) > _MOST:
                self._known.clear()
            until = now + _REMEMBER_SECONDS
            self._known.update({name: _Known(each, number, until) for name, each in found.items()})
        return {name: each for name, each in found.items() if each is not None}

    def _number(self) -> bytes | None:
        """Return the number; ``None`` where there can be none, and nothing is remembered."""
        mapped = self._map()
        return None if mapped is None else mapped[:]

    def _map(self) -> mmap.mmap | None:
        if self._mapped is None:
            try:
                with self._path.open("ab") as file:
                    file.truncate(_NUMBER_BYTES)
                with self._path.open("r+b") as file:
                    self._mapped = mmap.mmap(file.fileno(), _NUMBER_BYTES)
            except OSError:
                return None
        return self._mapped
