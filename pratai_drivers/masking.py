"""Keeps secrets out of what functions print: each value, and the forms that it is often printed
in, becomes ``***``, also where it comes in several pieces. Pure.

Of a long form its beginning says that it is meant, and as much is hidden as follows of it. So what
a text costs depends on its length, and hardly on how many values there are or what they are like;
and no expression is compiled of values, which Python would keep in a cache of its own.
"""

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from pratai_common import limits

MARK = b"***"
_LEAST_BYTES = 6
"""What is shorter is found in anything, and to hide it would say where it is."""

_HEAD_BYTES = 32
"""So much of a longer form is no coincidence. A first line of PEM is no longer."""

_FEW = 64
"""So many beginnings are sooner looked for one by one: most often none of them is there."""

_LEAST_LINE_BYTES = 8
_WIDTHS = (64, 76)
"""Characters in a line of base64: as openssl and PEM have it, and as MIME."""

_ALIGNMENTS = ((0, 0), (1, 2), (2, 3))
"""Bytes before a value in a longer text, and in how many characters of base64 they have a part."""


class Forms:
    """Values in the forms that they are looked for in; any number of masks share them.

    ``size`` is how many bytes these have. They are not shown where this is.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self._index(frozenset(form for value in values for form in _forms(value)))

    def _index(self, forms: frozenset[bytes]) -> None:
        self._all = forms
        self.size = sum(map(len, forms))
        self._anchors = frozenset(form[:_LEAST_BYTES] for form in forms)
        self._heads = frozenset(form[:_HEAD_BYTES] for form in forms)
        self._in_order = sorted(self._heads)
        self._lengths = sorted({len(head) for head in self._heads}, reverse=True)
        self._long = sorted(form for form in forms if len(form) >= _HEAD_BYTES)
        self._longest = max(map(len, forms), default=0)

    def __bool__(self) -> bool:
        return bool(self._all)

    def joined(self, others: "Forms") -> "Forms":
        """Return these and others."""
        if others._all <= self._all:
            return self
        if not self._all:
            return others
        both = Forms([])
        both._index(self._all | others._all)
        return both

    def places(self, text: bytes) -> Iterator[int]:
        """Yield where in a text one may begin, in order."""
        anchors, least = self._anchors, _LEAST_BYTES
        certain = max(0, len(text) - least + 1)
        if len(anchors) > _FEW or any(anchor in text for anchor in anchors):
            yield from (at for at in range(certain) if text[at : at + least] in anchors)
        yield from range(certain, len(text))

    def end(self, text: bytes, start: int) -> int | None:
        """Return where the longest one ends that begins at a place, ``start`` if none does, and
        ``None`` where that is not to be said before more of the text is there.
        """
        left = len(text) - start
        if left < _HEAD_BYTES and self._goes_on(text[start:], self._in_order):
            return None
        for length in self._lengths:
            if length <= left and text[start : start + length] in self._heads:
                return start + length if length < _HEAD_BYTES else self._end_of_long(text, start)
        return start

    def _end_of_long(self, text: bytes, start: int) -> int | None:
        """Return how far a text goes on as the form does that it is most like."""
        window = text[start : start + self._longest]
        at = bisect_left(self._long, window)
        # Of all in order one of the two that it stands between has most in common with it.
        most = max(_common(form, window) for form in self._long[max(0, at - 1) : at + 1])
        if most == len(window) and self._goes_on(window, self._long):
            return None
        return start + most

    @staticmethod
    def _goes_on(text: bytes, forms: list[bytes]) -> bool:
        """Say whether one of some forms, which are in order, begins with a text and is longer."""
        at = bisect_right(forms, text)
        return at < len(forms) and forms[at].startswith(text)


NO_FORMS = Forms([])


class Mask:
    """Hides some values. One mask is for one output, which it takes piece by piece."""

    def __init__(self, forms: Forms) -> None:
        self._forms = forms
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Return what may leave now; the beginning of what may become a value waits."""
        if not self._forms:
            return piece
        text = self._held + piece
        self._held = b""
        shown: list[bytes] = []
        at = 0
        for start in self._forms.places(text):
            if start < at:
                continue
            end = self._forms.end(text, start)
            if end is None:
                self._held = text[start:]
                return b"".join([*shown, text[at:start]])
            if end > start:
                shown += [text[at:start], MARK]
                at = end
        return b"".join([*shown, text[at:]])

    def rest(self, *, cut: bool = False) -> bytes:
        """Return what has waited: nothing more comes. The beginning of a value is hidden as one,
        unless it is short; where the output was ``cut`` amid it also then.
        """
        rest, self._held = self._held, b""
        return MARK if len(rest) >= _LEAST_BYTES or (cut and rest) else rest

    def message(self, text: str | None) -> str | None:
        """Return a text without the values; one as long as a message may be was cut there."""
        if text is None or not self._forms:
            return text
        mask = Mask(self._forms)
        cut = len(text) >= limits.MAX_FAILURE_CHARACTERS
        return (mask.feed(text.encode()) + mask.rest(cut=cut)).decode(errors="replace")


NO_MASK = Mask(NO_FORMS)
"""It hides nothing, and so keeps nothing: any number of outputs may have it."""


def _common(form: bytes, text: bytes) -> int:
    """Return how many bytes both begin with."""
    same, step = 0, _HEAD_BYTES
    while step:
        piece = form[same : same + step]
        if len(piece) == step and piece == text[same : same + step]:
            same += step
            step *= 2
        else:
            step //= 2
    return same


def _forms(value: bytes) -> Iterator[bytes]:
    """Yield a value as it is, or was, printed; what is too short is no form."""
    for whole in {value, value.strip()}:
        if len(whole) >= _LEAST_BYTES:
            yield from _written(whole)
            yield from _encoded(whole)
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _LEAST_LINE_BYTES)


def _written(value: bytes) -> Iterator[bytes]:
    """Yield a value as it is, and as languages and addresses have it."""
    yield value
    yield repr(value)[2:-1].encode()
    yield quote(value, safe="").encode()
    yield quote(value).encode()
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    yield repr(text)[1:-1].encode()
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode()


def _encoded(value: bytes) -> Iterator[bytes]:
    """Yield a value in hexadecimal digits; and in base64 alone, in lines, amid a longer text."""
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for alphabet in (b"+/", b"-_"):
        yield base64.b64encode(value, alphabet).rstrip(b"=")
        for before, characters in _ALIGNMENTS:
            encoded = base64.b64encode(bytes(before) + value, alphabet)
            inside = encoded[characters : (before + len(value)) * 8 // 6]
            if len(inside) >= _LEAST_BYTES:
                yield inside
    encoded = base64.b64encode(value)
    for width in _WIDTHS:
        lines = [encoded[at : at + width] for at in range(0, len(encoded), width)]
        if len(lines) > 1:
            yield from (line for line in lines if len(line) >= _LEAST_LINE_BYTES)
