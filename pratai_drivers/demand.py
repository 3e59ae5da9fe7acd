"""How many spares each function should have, from how often it is asked for. Pure.

Times are seconds on any clock that only goes forward.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pratai_drivers.fit import Fit
from pratai_drivers.shares import Shares

_SOON_SECONDS = 5.0
_LONG_SECONDS = 60.0
_CALM_SECONDS = 30.0
"""How long what is more than enough stays: it was enough a moment ago."""
_OLD_SECONDS = 900.0
"""How long one waits at most: what its import left running, and holds, goes with it."""
_PATIENCE = 10.0
_LEAST_PATIENCE_SECONDS = 10.0
_MOST_PATIENCE_SECONDS = 30.0
"""How much longer than most an import may take in a spare: meanwhile a thread makes no other."""
_REST_SECONDS = 5.0
_MOST_RESTS = 10
"""How long none is made where one died as it waited, doubled each time, and how many times that
is: more than an hour.
"""
_NEWEST = 0.3
"""What the newest measurement counts in the mean of what making one takes."""
_FAR_MORE = 2.0
"""So many times as often is another function asked for than the one whose spare goes for it."""

_HEADROOM = 2.0
"""Standard deviations of Poisson arrivals: one in forty finds more before it than that."""


class Bounds(NamedTuple):
    """``most`` spares a function; how long one waits without events, and where it is pinned."""

    most: int
    idle_seconds: float
    pinned_seconds: float


class Held(NamedTuple):
    """Containers that fit the same: that wait, that are made, that handle an event."""

    waiting: int = 0
    making: int = 0
    busy: int = 0


class Order(NamedTuple):
    """A spare to be made; imports may take ``timeout`` seconds."""

    fit: Fit
    image: str
    timeout: float


@dataclass
class _Rate:
    """Arrivals a second: soon known, slowly forgotten."""

    soon: float = 0.0
    long: float = 0.0
    last: float = -math.inf

    def arrived(self, now: float) -> None:
        """Count an arrival."""
        self.soon = 1 + self.soon * math.exp((self.last - now) / _SOON_SECONDS)
        self.long = 1 + self.long * math.exp((self.last - now) / _LONG_SECONDS)
        self.last = now

    def expected(self, now: float) -> float:
        """Return how many arrivals a second are to be expected: of one alone, none."""
        soon = (self.soon - 1) / _SOON_SECONDS * math.exp((self.last - now) / _SOON_SECONDS)
        long = (self.long - 1) / _LONG_SECONDS * math.exp((self.last - now) / _LONG_SECONDS)
        return max(soon, long)

    def past(self, now: float) -> float:
        """Return how many a second there were in the last minute or so."""
        return self.long / _LONG_SECONDS * math.exp((self.last - now) / _LONG_SECONDS)


@dataclass
class _Function:
    """What is known of a function. ``image`` is ``None`` until a container of it was ready."""

    fit: Fit
    timeout: float
    pinned: int | None
    rate: _Rate = field(default_factory=_Rate)
    image: str | None = None
    making_seconds: float = 1.0
    reusable: bool = False
    deaths: int = 0
    rests_until: float = -math.inf

    def made(self, seconds: float, share: float) -> None:
        """Note how long making one took, which counts so much in the mean."""
        self.making_seconds += (seconds - self.making_seconds) * share

    def can_be_made(self, now: float) -> bool:
        """Say whether a spare is likely to become ready soon, and to stay so."""
        return self.making_seconds <= _MOST_PATIENCE_SECONDS and now >= self.rests_until

    def order(self, image: str) -> Order:
        """Return how a spare is made. One whose import hangs is given up before long."""
        patience = max(_LEAST_PATIENCE_SECONDS, _PATIENCE * self.making_seconds)
        return Order(self.fit, image, min(self.timeout, patience, _MOST_PATIENCE_SECONDS))


class Demand:
    """Remembers arrivals, and decides what is made, what goes on waiting, and what goes first.

    Of a function only its newest version, as last asked for, has spares.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._functions: dict[str, _Function] = {}

    def arrived(self, fit: Fit, timeout: float, pinned: int | None, now: float) -> None:
        """Note that an event has come for a function that pins this number of spares, if any."""
        function = self._functions.get(fit.function_id)
        if function is not None and fit.version < function.fit.version:
            return  # it was on its way when the newer version became active
        if function is None or function.fit != fit:
            rate = _Rate() if function is None else function.rate
            function = _Function(fit, timeout, pinned, rate)
            self._functions[fit.function_id] = function
        function.timeout, function.pinned = timeout, pinned
        function.rate.arrived(now)

    def ready(self, fit: Fit, image: str, seconds: float | None, reusable: bool) -> None:
        """Note that the container of an event was ready, so many seconds after its start."""
        function = self._current(fit)
        if function is None:
            return
        if seconds is not None:
            function.made(seconds, 1.0 if function.image is None else _NEWEST)
        function.image, function.reusable = image, reusable
        function.deaths = 0

    def made(self, fit: Fit, seconds: float | None) -> None:
        """Note that a spare became ready. That it can handle an event too is yet to be seen: what
        another one's failure has stopped goes on being stopped.
        """
        function = self._current(fit)
        if function is not None and seconds is not None:
            function.made(seconds, _NEWEST)

    def failed(self, fit: Fit) -> None:
        """Note that one did not become ready: none is made until an event's own was."""
        function = self._current(fit)
        if function is not None:
            function.image = None

    def died(self, fit: Fit, now: float) -> None:
        """Note that some have died as they waited, or should not wait for what they do meanwhile:
        none is made for a time, a longer one each time, until one has handled an event again.
        """
        function = self._current(fit)
        if function is not None:
            function.rests_until = now + _REST_SECONDS * 2 ** min(function.deaths, _MOST_RESTS)
            function.deaths += 1

    def next(self, held: Mapping[Fit, Held], room: int, shares: Shares, now: float) -> Order | None:
        """Return what should be made first, of what takes no more than ``room`` MB: nothing beyond
        its project's share where a project lacks what is within its own.
        """
        best: tuple[tuple[bool, bool, float], Order] | None = None
        lacking = False
        for function, image, have in self._missing(held, now):
            within = shares.within(function.fit, function.fit.memory)
            if function.fit.memory > room:
                lacking = lacking or within
                continue
            rank = (within, have == 0, function.rate.past(now))
            if best is None or rank > best[0]:
                best = rank, function.order(image)
        if best is None or (lacking and not best[0][0]):
            return None
        return best[1]

    def lacks(self, held: Mapping[Fit, Held], room: int, shares: Shares, now: float) -> bool:
        """Say whether a project lacks room for what is within its share."""
        return any(
            function.fit.memory > room and shares.within(function.fit, function.fit.memory)
            for function, _, _ in self._missing(held, now)
        )

    def outdoes(self, fit: Fit, held: Mapping[Fit, Held], room: int, now: float) -> bool:
        """Say whether there is no room for what is asked for far more often than this, which no
        function pins.
        """
        return any(
            other.fit.memory > room and self.is_far_less(fit, other.fit, now)
            for other, _, _ in self._missing(held, now)
        )

    def is_far_less(self, fit: Fit, other: Fit, now: float) -> bool:
        """Say whether another function is asked for far more often than this, which is not
        pinned.
        """
        function, rival = self._current(fit), self._current(other)
        if rival is None or (function is not None and function.pinned):
            return False
        past = 0.0 if function is None else function.rate.past(now)
        return rival.rate.past(now) > _FAR_MORE * past

    def projects(self) -> set[str]:
        """Return the projects whose functions are known."""
        return {function.fit.project_id for function in self._functions.values()}

    def keeps(self, fit: Fit, held: Held, waited: float, now: float) -> bool:
        """Say whether a spare that has waited for so long should go on waiting."""
        function = self._current(fit)
        if function is None or waited >= _OLD_SECONDS:
            return False
        if held.waiting + held.making <= self._wanted(function, held.busy, now):
            return True
        return waited < (self._bounds.idle_seconds if function.reusable else _CALM_SECONDS)

    def worth(self, fit: Fit, shares: Shares, now: float) -> tuple[bool, bool, float]:
        """Return what is the greater, the later a spare goes where memory is wanted. First it says
        whether it is within its project's share: only there counts what is pinned.
        """
        function = self._current(fit)
        if function is None:
            return False, False, -1.0
        return shares.within(fit), bool(function.pinned), function.rate.past(now)

    def forget_function(self, function_id: str) -> None:
        """Forget a function: what it has waiting is no longer wanted."""
        self._functions.pop(function_id, None)

    def forget(self, now: float) -> None:
        """Forget what nobody has asked for in a long time."""
        idle = [name for name, each in self._functions.items() if self._idle(each, now)]
        for name in idle:
            del self._functions[name]

    def _missing(
        self, held: Mapping[Fit, Held], now: float
    ) -> Iterator[tuple[_Function, str, int]]:
        """Yield functions of which spares should be made, their images, and how many they have."""
        for function in self._functions.values():
            of_it = held.get(function.fit, Held())
            have = of_it.waiting + of_it.making
            image = function.image
            if image is None or not function.can_be_made(now):
                continue
            if have < self._wanted(function, of_it.busy, now):
                yield function, image, have

    def _current(self, fit: Fit) -> _Function | None:
        function = self._functions.get(fit.function_id)
        return function if function is not None and function.fit == fit else None

    def _idle(self, function: _Function, now: float) -> bool:
        bounds = self._bounds
        stays = bounds.pinned_seconds if function.pinned else bounds.idle_seconds
        return now - function.rate.last > stays

    def _wanted(self, function: _Function, busy: int, now: float) -> int:
        """Return how many should wait. What is reused comes back by itself, what is not is made
        again: meanwhile as many come as are expected in the time that making one takes.
        """
        if function.image is None or self._idle(function, now):
            return 0
        wanted = function.pinned
        if wanted is None:
            come = 0.0 if function.reusable else function.rate.expected(now)
            come *= function.making_seconds
            wanted = max(1, math.ceil(come + _HEADROOM * math.sqrt(come)))
        if function.reusable:
            wanted -= busy
        return min(wanted, self._bounds.most)
