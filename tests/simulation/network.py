"""Wires between daemons. A letter waits on its wire until it is delivered; a step of a history may
lose it, double it or put it before the one in front of it, and may cut a wire for a time.
"""

from collections import deque
from typing import NamedTuple

from pratai_common import limits
from pratai_common.messages import Message, encode

Wire = tuple[str, str]
"""From whom, to whom."""


class Letter(NamedTuple):
    """A message on its way, as bytes."""

    source: str
    frame: bytes
    kind: str
    sent_at: int


class Network:
    """See the module. A wire keeps the order in which letters were sent, and holds as many as the
    queue of a socket.
    """

    def __init__(self) -> None:
        self.wires: dict[Wire, deque[Letter]] = {}
        self._to: dict[str, list[Wire]] = {}
        self.cuts: dict[frozenset[str], int] = {}
        self.held: dict[Wire, int] = {}

    def send(self, source: str, target: str, message: Message, now: int) -> bool:
        """Put a message on a wire; ``False`` where that is full."""
        wire = self.wires.get((source, target))
        if wire is None:
            wire = self.wires[source, target] = deque()
            self._to.setdefault(target, []).append((source, target))
        if len(wire) >= limits.QUEUE_MESSAGES:
            return False
        wire.append(Letter(source, encode(message), type(message).__name__, now))
        return True

    def cut(self, one: str, other: str, until: int) -> None:
        """Let nothing pass between two until a time."""
        self.cuts[frozenset((one, other))] = until

    def hold(self, wire: Wire, until: int) -> None:
        """Let nothing pass one way until a time."""
        self.held[wire] = until

    def pass_time(self, now: int) -> None:
        """Mend the wires whose time has come."""
        for wire in [wire for wire, until in self.held.items() if until <= now]:
            del self.held[wire]
        for pair in [pair for pair, until in self.cuts.items() if until <= now]:
            del self.cuts[pair]

    def filled(self) -> list[Wire]:
        """Return the wires on which something waits."""
        return [wire for wire, letters in self.wires.items() if letters]

    def waiting(self, target: str) -> list[Wire]:
        """Return the wires on which something waits that can reach somebody."""
        wires, to_it = self.wires, self._to.get(target, ())
        return [wire for wire in to_it if wires[wire] and self._whole(wire)]

    def take(self, target: str, most: int, first: int) -> list[Letter]:
        """Take up to so many letters off the wires to somebody, in turn, beginning with one."""
        taken: list[Letter] = []
        wires = self.waiting(target)
        while wires and len(taken) < most:
            wire = wires[(first + len(taken)) % len(wires)]
            taken.append(self.wires[wire].popleft())
            if not self.wires[wire]:
                wires.remove(wire)
        return taken

    def lose(self, wire: Wire, place: int) -> None:
        """Lose a letter."""
        letters = self.wires[wire]
        del letters[place % len(letters)]

    def double(self, wire: Wire, place: int) -> Letter:
        """Have a letter come once more, behind all others; returns it."""
        letters = self.wires[wire]
        letters.append(letters[place % len(letters)])
        return letters[-1]

    def swap(self, wire: Wire, place: int) -> bool:
        """Put a letter in front of the one before it; ``False`` where there is none."""
        letters = self.wires[wire]
        if len(letters) < 2:
            return False
        here = 1 + place % (len(letters) - 1)
        letters[here - 1], letters[here] = letters[here], letters[here - 1]
        return True

    def died(self, name: str, also_sent: bool) -> None:
        """Lose what somebody who died had received, and what it had not sent off yet."""
        for (source, target), letters in self.wires.items():
            if target == name or (source == name and also_sent):
                letters.clear()

    def _whole(self, wire: Wire) -> bool:
        if wire in self.held:
            return False
        return not self.cuts or frozenset(wire) not in self.cuts
