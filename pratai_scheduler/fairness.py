"""Fair shares: whose turn it is, and who has most. Pure; a step costs the same whatever there is.

Projects take turns, and within a project its functions do: nobody waits behind all that another
has. Where there is no room for all, whoever has most gives way.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Turns(Generic[K]):
    """Keys in groups: the groups take turns, and within each its keys do."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, OrderedDict[K, None]] = OrderedDict()

    def join(self, group: str, key: K) -> None:
        """Let a key take turns, behind the others; one that does already keeps its place."""
        self._groups.setdefault(group, OrderedDict()).setdefault(key, None)

    def leave(self, group: str, key: K) -> None:
        """Let a key take no more turns."""
        keys = self._groups.get(group)
        if keys is not None:
            keys.pop(key, None)
            if not keys:
                del self._groups[group]

    def first(self) -> K | None:
        """Return the key whose turn it is."""
        return next((next(iter(keys)) for keys in self._groups.values()), None)

    def end(self, group: str, key: K) -> None:
        """End the turn of a key, if it takes any: it goes behind the others, as its group does."""
        keys = self._groups.get(group)
        if keys is not None and key in keys:
            keys.move_to_end(key)
            self._groups.move_to_end(group)


class Ranking(Generic[K]):
    """Counts things by key, and knows a key that has most of them."""

    def __init__(self) -> None:
        self._counts: dict[K, int] = {}
        self._by_count: dict[int, dict[K, None]] = {}
        self._most = 0

    def __getitem__(self, key: K) -> int:
        return self._counts.get(key, 0)

    def most(self) -> K | None:
        """Return a key that has most, ``None`` where nothing is counted."""
        return next(iter(self._by_count[self._most])) if self._most else None

    def add(self, key: K) -> None:
        """Count one more."""
        self._put(key, self[key], self[key] + 1)
        self._most = max(self._most, self[key])

    def remove(self, key: K) -> None:
        """Count one less of a key that has some."""
        self._put(key, self[key], self[key] - 1)
        if self._most not in self._by_count:
            self._most -= 1

    def _put(self, key: K, former: int, count: int) -> None:
        if former:
            keys = self._by_count[former]
            del keys[key]
            if not keys:
                del self._by_count[former]
        if count:
            self._counts[key] = count
            self._by_count.setdefault(count, {})[key] = None
        else:
            del self._counts[key]
