"""Which node has what an event needs: a spare of its function's code, or the code. Pure.

What nodes say is a second old, so spares are counted down here as they are used. Which nodes have
a function's files nobody needs to say: where it ran last is remembered here, and besides, each
function has an order of the nodes (``rendezvous.py``), of which its events go to the first that are
not busy: to so many as they need, and to the same whoever schedules.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from pratai_scheduler.rendezvous import Rendezvous

Code = tuple[str, int]
"""A function's id and the number of its version."""

Room = Callable[[str], float]
"""Says which share of a node's slots is open, 0 where it is given nothing more."""

_LOOKS = 8
"""Nodes of an order that are looked at: then the emptiest of all is as good."""

_LOOKS_FOR_SPARES = 4
_MOST_NODES = 512
_MORE_THAN_WANTED = 1.25
"""So many times as many nodes as its runs fill are a function's: one of them has room."""

_REMEMBERED_CODES = 20_000
_NOWHERE: OrderedDict[str, None] = OrderedDict()


class Affinity:
    """Nodes by name, as far as it matters to a function where its events run."""

    def __init__(self) -> None:
        self._order = Rendezvous()
        self._spares: dict[Code, OrderedDict[str, int]] = {}
        self._spares_on: dict[str, tuple[Code, ...]] = {}
        self._ran: OrderedDict[Code, OrderedDict[str, None]] = OrderedDict()
        self._turn = 0

    def joined(self, name: str) -> None:
        """Take a node in that is not there."""
        self._order.join(name)

    def left(self, name: str) -> None:
        """Let a node go that is there."""
        self._order.leave(name)
        self._forget_spares(name)

    def said(self, name: str, spares: Iterable[tuple[str, int, int]]) -> None:
        """Note which spares a node has: function, version and how many."""
        if name in self._spares_on:
            self._forget_spares(name)
        there = {(function_id, version): count for function_id, version, count in spares if count}
        if there:
            self._spares_on[name] = tuple(there)
            for code, count in there.items():
                self._spares.setdefault(code, OrderedDict())[name] = count

    def choose(self, code: Code, wanted: float, room: Room, easy: float) -> str | None:
        """Return the node that has a spare of some code, or else the first in its order that is not
        busy, one with the files before others; ``None`` where none of these can be had.

        ``wanted`` is how many nodes the function's runs fill; a node is not busy while more than
        the share ``easy`` of its slots is open.
        """
        return self._with_spare(code, room) or self._in_order(code, wanted, room, easy)

    def took(self, code: Code, wanted: float, name: str) -> None:
        """Note that a node was given an event: it has the files, and a spare less if it had one."""
        spares = self._spares.get(code)
        if spares is not None and name in spares:
            spares[name] -= 1
            if not spares[name]:
                self._no_spares(code, name)
        ran = self._ran.setdefault(code, OrderedDict())
        ran[name] = None
        ran.move_to_end(name)
        if len(ran) > _nodes_for(wanted):
            ran.popitem(last=False)
        self._ran.move_to_end(code)
        if len(self._ran) > _REMEMBERED_CODES:
            self._ran.popitem(last=False)

    def _with_spare(self, code: Code, room: Room) -> str | None:
        """Return a node that has a spare: one that was given the code, whatever others say."""
        names, ran = self._spares.get(code), self._ran.get(code, _NOWHERE)
        if names is None:
            return None
        for _ in range(min(_LOOKS_FOR_SPARES, len(names))):
            name = next(iter(names))
            if name in ran and room(name) > 0:
                return name
            names.move_to_end(name)
        return None

    def _in_order(self, code: Code, wanted: float, room: Room, easy: float) -> str | None:
        ran, first = self._ran.get(code, _NOWHERE), None
        for name in islice(reversed(ran), _LOOKS):
            if room(name) > easy:
                return name
        for name in self._some(code[0], wanted):
            if room(name) > easy:
                if not ran or name in ran:
                    return name
                first = first or name
        return first

    def _some(self, function_id: str, wanted: float) -> Sequence[str]:
        """Return the first nodes of a function's order; of one that needs more than can be looked
        at, some of them, and others the next time.
        """
        names = self._order.order(function_id, _nodes_for(wanted))
        step = max(1, len(names) // _LOOKS)
        self._turn += 1
        return names[self._turn % step :: step][:_LOOKS]

    def _forget_spares(self, name: str) -> None:
        for code in self._spares_on.pop(name, ()):
            if name in self._spares.get(code, ()):
                self._no_spares(code, name)

    def _no_spares(self, code: Code, name: str) -> None:
        names = self._spares[code]
        del names[name]
        if not names:
            del self._spares[code]


def _nodes_for(wanted: float) -> int:
    """Return of how many nodes an order is looked at: a power of two, so that few are made."""
    most = int(_MORE_THAN_WANTED * wanted)
    return min(_MOST_NODES, 1 << max(0, most - 1).bit_length()) if most > _LOOKS else _LOOKS
