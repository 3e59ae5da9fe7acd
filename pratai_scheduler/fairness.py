"""Fair shares: whose turn it is, and who has most. Pure; a step costs the logarithm of how many
projects there are at most.

Projects share turns by their weights, and within a project its functions take turns: nobody waits
behind all that another has. Where there is no room for all, whoever has most gives way.
"""

import heapq
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
_TURN = 1_000_000
"""How long a turn of weight 1 lasts; one of weight w lasts 1/w of it, rounded down."""

_STALE_MOST = 64


class _Place(NamedTuple):
    """Where a group stands: when its next turn is over, and who came first among equals."""

    over_at: int
    order: int
    group: str


class _Group(Generic[K]):
    """``keys`` take turns; those that are ``aside`` do not, and keep the group's place."""

    def __init__(self) -> None:
        self.keys: OrderedDict[K, None] = OrderedDict()
        self.aside: set[K] = set()
        self.place = _Place(0, 0, "")


class Turns(Generic[K]):
    """Keys in groups: the groups share turns by their weights (1 unless said otherwise), and within
    each its keys take turns.

    This is self-clocked fair queueing (Golestani, 1994). Time passes by turns: now is when the last
    one was over. A group's next turn is over 1/weight after its last one, or after it joined; whose
    is over first comes first. So a group that was away makes up for nothing, and one that joins
    waits for about as many turns as the others have weight together, over its own.
    """

    def __init__(self, weights: Mapping[str, int] | None = None) -> None:
        self._weights = weights or {}
        self._groups: dict[str, _Group[K]] = {}
        self._places: list[_Place] = []
        self._now = 0
        self._order = 0

    def join(self, group: str, key: K) -> None:
        """Let a key take turns, behind the others of its group; one that does keeps its place."""
        found = self._groups.get(group)
        if found is None:
            found = self._groups[group] = _Group()
            self._move(found, group)
        elif not found.keys:
            self._push(found.place)
        found.aside.discard(key)
        found.keys.setdefault(key, None)

    def leave(self, group: str, key: K) -> None:
        """Let a key take no more turns."""
        found = self._groups.get(group)
        if found is not None:
            found.keys.pop(key, None)
            found.aside.discard(key)
            if not found.keys and not found.aside:
                del self._groups[group]

    def set_aside(self, group: str, key: K) -> None:
        """Let a key take no turns until it joins again. Its group keeps its place: what it cannot
        use now does not send it behind the others.
        """
        found = self._groups.get(group)
        if found is not None and key in found.keys:
            del found.keys[key]
            found.aside.add(key)

    def come_back(self, group: str, key: K) -> None:
        """Let a key that was set aside take turns again, before the others of its group."""
        found = self._groups.get(group)
        if found is not None and key in found.aside:
            if not found.keys:
                self._push(found.place)
            found.aside.discard(key)
            found.keys[key] = None
            found.keys.move_to_end(key, last=False)

    def first(self) -> K | None:
        """Return the key whose turn it is."""
        while self._places and not self._holds(self._places[0]):
            heapq.heappop(self._places)
        return next(iter(self._groups[self._places[0].group].keys)) if self._places else None

    def end(self, group: str, key: K) -> None:
        """End the turn of a key, if it takes any: it goes behind the others, as its group does."""
        found = self._groups.get(group)
        if found is not None and key in found.keys:
            found.keys.move_to_end(key)
            self._now = max(self._now, found.place.over_at)
            self._move(found, group)

    def _move(self, found: _Group[K], group: str) -> None:
        """Give a group the turn that begins now."""
        self._order += 1
        over_at = self._now + _TURN // self._weights.get(group, 1)
        found.place = _Place(over_at, self._order, group)
        self._push(found.place)

    def _push(self, place: _Place) -> None:
        heapq.heappush(self._places, place)
        if len(self._places) > 2 * len(self._groups) + _STALE_MOST:
            self._places = [each.place for each in self._groups.values()]
            heapq.heapify(self._places)

    def _holds(self, place: _Place) -> bool:
        """Say whether a group takes turns, and still stands here."""
        found = self._groups.get(place.group)
        return found is not None and bool(found.keys) and found.place is place


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
