"""What waits in a pool, and what is made for it: how much memory that takes, and what goes first.

Whoever uses it excludes others. Times are seconds on any clock that only goes forward.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pratai_common.errors import Reason
from pratai_drivers.blanks import BLANK_MEMORY, Blanks, BlankSpare, Kind
from pratai_drivers.demand import Demand, Held, Order
from pratai_drivers.fit import Fit
from pratai_drivers.interruption import Interruption
from pratai_drivers.shares import Shares
from pratai_drivers.warm import Warm

Spare = Warm | BlankSpare
_WORK_SECONDS = 5.0
_WORK_SHARE = 0.1
"""What one may use of processors while it waits: so much to end what its import has begun, and so
much of the time.
"""


@dataclass(eq=False)
class Making:
    """A spare that is being made; its interruption says that it is not wanted any more."""

    what: Order | Kind
    interruption: Interruption = field(default_factory=Interruption)

    @property
    def wanted(self) -> bool:
        """Whether it is to wait when it is made."""
        return self.interruption.reason is None

    @property
    def memory(self) -> int:
        """What it takes, in MB."""
        return self.what.fit.memory if isinstance(self.what, Order) else BLANK_MEMORY


class _Waiting(NamedTuple):
    """``used`` is the processor time that it had used when it began to wait, in seconds."""

    warm: Warm
    since: float
    used: float | None

    def stays(self, now: float) -> bool:
        """Say whether it can have an event, and does not work without one."""
        return alive(self.warm) and not self._works(now)

    def _works(self, now: float) -> bool:
        used = self.warm.container.cpu_seconds()
        if used is None or self.used is None:
            return False
        return used - self.used > _WORK_SECONDS + _WORK_SHARE * (now - self.since)


class Shelf:
    """See the module. Memory is in MB. What methods return is the caller's to remove or to use.

    ``size`` is what all of it may take now. Projects have equal shares of that; what one does not
    need others may have until it does.
    """

    def __init__(self, demand: Demand, blanks: Blanks) -> None:
        self.demand = demand
        self.blanks = blanks
        self._waiting: dict[Fit, list[_Waiting]] = {}
        self._making: list[Making] = []
        self._busy: Counter[Fit] = Counter()
        self._lacking = False

    def count(self, fit: Fit) -> int:
        """Return how many wait for an event like this."""
        return len(self._waiting.get(fit, ()))

    def counts(self) -> dict[tuple[str, int], int]:
        """Return how many wait, by function and version."""
        counted: Counter[tuple[str, int]] = Counter()
        for fit, waiting in self._waiting.items():
            counted[(fit.function_id, fit.version)] += len(waiting)
        return +counted

    def memory(self) -> int:
        """Return what all of it takes, without what is made in vain."""
        waiting = sum(fit.memory * len(each) for fit, each in self._waiting.items())
        making = sum(each.memory for each in self._making if each.wanted)
        return waiting + making + BLANK_MEMORY * self.blanks.count()

    def has_room(self, fit: Fit, size: int) -> bool:
        """Say whether one more may wait."""
        if self.memory() + fit.memory > size:
            return False
        return not self._lacking or self._shares(size).within(fit, fit.memory)

    def displaced(self, fit: Fit, size: int, now: float) -> list[Spare]:
        """Return one in whose place one more may wait, which is asked for far more often."""
        least = self._least(self._shares(size), now)
        if least is None or not self.demand.is_far_less(least, fit, now):
            return []
        if self.memory() - least.memory + fit.memory > size:
            return []
        return [self._waiting[least].pop(0).warm]

    # Events

    def arrives(self, fit: Fit) -> None:
        """Note that an event is handled."""
        self._busy[fit] += 1

    def leaves(self, fit: Fit) -> None:
        """Note that an event has ended."""
        self._busy[fit] -= 1

    def take(self, fit: Fit) -> Warm | None:
        """Return the one that came last: so what is too much grows old."""
        waiting = self._waiting.get(fit)
        return waiting.pop().warm if waiting else None

    def put(self, warm: Warm, now: float) -> None:
        """Have one wait."""
        waiting = _Waiting(warm, now, warm.container.cpu_seconds())
        self._waiting.setdefault(warm.fit, []).append(waiting)

    # What is made

    def begin(self, size: int, now: float) -> Making | None:
        """Return what is to be made now, of what there is room for; ``end`` is told when it is."""
        room = size - self.memory()
        order = self.demand.next(self._held(), room, self._shares(size), now)
        what = order or self.blanks.begin(room)
        if what is None:
            return None
        making = Making(what)
        self._making.append(making)
        return making

    def end(self, making: Making) -> None:
        """Note that something is made, or will not be."""
        self._making.remove(making)
        if isinstance(making.what, Kind):
            self.blanks.end(making.what)

    # What goes

    def give_way(self, crowded: Callable[[], bool], size: int, now: float) -> list[Spare]:
        """Return what is given up until it is crowded no more: what will be missed least first,
        before it what is being made, and blank ones last.
        """
        for making in self._making:
            if crowded():
                making.interruption.interrupt(Reason.CANCELLED, "its memory is wanted")
        doomed: list[Spare] = []
        while crowded() and (spare := self._least_worth(size, now)) is not None:
            doomed.append(spare)
        return doomed

    def forget(self, function_id: str) -> list[Spare]:
        """Return what waits for a function's events, and have nothing that is made for it wait."""
        self.demand.forget_function(function_id)
        for making in self._making:
            if isinstance(making.what, Order) and making.what.fit.function_id == function_id:
                making.interruption.interrupt(Reason.CANCELLED, "the function has changed")
        fits = [fit for fit in self._waiting if fit.function_id == function_id]
        return [each.warm for fit in fits for each in self._waiting.pop(fit)]

    def clear(self) -> list[Spare]:
        """Return all that waits, and have nothing that is made wait."""
        for making in self._making:
            making.interruption.interrupt(Reason.CANCELLED, "the node takes no more jobs")
        cleared: list[Spare] = [each.warm for of_fit in self._waiting.values() for each in of_fit]
        self._waiting.clear()
        while (blank := self.blanks.give_up()) is not None:
            cleared.append(blank)
        return cleared

    def weed(self, size: int, now: float) -> list[Spare]:
        """Return what has died, and what should not wait any longer."""
        weeded: list[Spare] = list(self.blanks.dead())
        for fit, held in self._held().items():
            waiting = self._waiting.pop(fit, [])
            staying = [each for each in waiting if each.stays(now)]
            if len(staying) < len(waiting):
                self.demand.died(fit, now)
            weeded += [each.warm for each in waiting if each not in staying]
            while staying and not self.demand.keeps(
                fit, held._replace(waiting=len(staying)), now - staying[0].since, now
            ):
                weeded.append(staying.pop(0).warm)
            if staying:
                self._waiting[fit] = staying
        self._busy += Counter()  # only what is above zero stays
        self.demand.forget(now)
        return weeded + self._in_the_way(size, now)

    def _in_the_way(self, size: int, now: float) -> list[Spare]:
        """Return one in whose place another should be: one that is beyond its project's share where
        another project lacks what is within its own, or one that is seldom asked for.
        """
        shares, held, room = self._shares(size), self._held(), size - self.memory()
        self._lacking = self.demand.lacks(held, room, shares, now)
        fit = self._least(shares, now)
        if fit is None:
            return []
        beyond = self._lacking and not shares.within(fit)
        if beyond or self.demand.outdoes(fit, held, room, now):
            return [self._waiting[fit].pop(0).warm]
        return []

    def _least_worth(self, size: int, now: float) -> Spare | None:
        fit = self._least(self._shares(size), now)
        return self.blanks.give_up() if fit is None else self._waiting[fit].pop(0).warm

    def _least(self, shares: Shares, now: float) -> Fit | None:
        """Return what those that wait fit which will be missed least, ``None`` where none waits."""
        fits = [fit for fit, waiting in self._waiting.items() if waiting]
        return min(fits, key=lambda each: self.demand.worth(each, shares, now), default=None)

    def _shares(self, size: int) -> Shares:
        taken: Counter[str] = Counter()
        for fit, waiting in self._waiting.items():
            taken[fit.project_id] += fit.memory * len(waiting)
        for each in self._making:
            if isinstance(each.what, Order) and each.wanted:
                taken[each.what.fit.project_id] += each.memory
        projects = self.demand.projects().union(taken)
        return Shares(size // max(1, len(projects)), taken)

    def _held(self) -> dict[Fit, Held]:
        making = Counter(each.what.fit for each in self._making if isinstance(each.what, Order))
        return {
            fit: Held(self.count(fit), making[fit], self._busy[fit])
            for fit in {*self._waiting, *making, *self._busy}
        }


def alive(warm: Warm) -> bool:
    """Say, without waiting, whether one that waits is fit for an event."""
    return warm.conversation.quiet() and not warm.container.out_of_memory()
