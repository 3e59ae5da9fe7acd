"""In which order a key has nodes: rendezvous hashing (Thaler and Ravishankar, 1998). Pure.

Each node has a score for a key, and the highest comes first, so a node that comes or goes changes
nothing for keys that it is not first for. So that a key costs not the number of nodes, they are in
groups by their names: groups are ranked first, by their sizes too, and then the nodes of the best.
"""

import hashlib
import math
import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import repeat
from operator import mul, truediv

_GROUPS = 64
_MOST_KEYS = 20_000
_PRIME = sys.hash_info.modulus
_ABOVE_ALL_SCORES = 1.000001 * _PRIME


class _Group:
    """Nodes, and the words of their names in the same order."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.words: list[int] = []

    def ranked(self, word: int, most: int) -> list[str]:
        """Return the nodes with the highest scores, the highest first."""
        scores = list(_scores(word, self.words))
        places = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
        return [self.names[place] for place in places[:most]]


class Rendezvous:
    """Nodes by name, and the order in which each key has them.

    What the keys that were asked for last have is remembered until a node comes or goes.
    """

    def __init__(self, groups: int = _GROUPS, most_keys: int = _MOST_KEYS) -> None:
        self._all = [_Group() for _ in range(groups)]
        self._all_words = [_word(f"group {number}") for number in range(groups)]
        self._most_keys = most_keys
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._changed()

    def join(self, name: str) -> None:
        """Take a node in that is not there."""
        word = _word(name)
        group = self._all[word % len(self._all)]
        group.names.append(name)
        group.words.append(word)
        self._changed()

    def leave(self, name: str) -> None:
        """Let a node go that is there."""
        group = self._all[_word(name) % len(self._all)]
        place = group.names.index(name)
        del group.names[place], group.words[place]
        self._changed()

    def order(self, key: str, most: int) -> tuple[str, ...]:
        """Return the beginning of a key's order: ``most`` nodes or more, if there are so many."""
        known = self._known.pop(key, ())
        if len(known) < min(most, self._count):
            known = self._ranked(_word(key), most)
        self._known[key] = known
        if len(self._known) > self._most_keys:
            self._known.popitem(last=False)
        return known

    def _changed(self) -> None:
        both = zip(self._all, self._all_words, strict=True)
        there = [(group, word) for group, word in both if group.names]
        self._groups = [group for group, _ in there]
        self._words = [word for _, word in there]
        self._sizes = [-len(group.names) for group in self._groups]
        self._count = -sum(self._sizes)
        self._known.clear()

    def _ranked(self, word: int, most: int) -> tuple[str, ...]:
        weights, names = self._weights(word), list[str]()
        while len(names) < min(most, self._count):
            place = weights.index(max(weights))
            weights[place] = 0.0
            names += self._groups[place].ranked(word, most - len(names))
        return tuple(names)

    def _weights(self, word: int) -> list[float]:
        """Return the groups' scores: each is first as often as it has nodes among all."""
        parts = map(truediv, _scores(word, self._words), repeat(_ABOVE_ALL_SCORES))
        return list(map(truediv, self._sizes, map(math.log, parts)))


def _word(text: str) -> int:
    """Return a number for a text, from 1 to below the prime."""
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    return 1 + number % (_PRIME - 1)


def _scores(word: int, others: Iterable[int]) -> Iterator[int]:
    """Return the scores of others for a word: their products modulo the prime.

    That is what the hash of an integer is, in each process (64 bits: 2**61 - 1).
    """
    return map(hash, map(mul, repeat(word), others))
