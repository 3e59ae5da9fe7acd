"""The geometry of the charts, which are drawn as SVG by the templates. Pure: no Django, no API.

All numbers are units of the drawing. What a chart says stands in a table beside it, too.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pratai_dashboard import shown
from pratai_dashboard.summary import PERCENTILES, Bucket, Times

_WIDTH, _HEIGHT = 720, 180
_LEFT, _BOTTOM = 44, 24
_GAP = 2.0
_ROW, _NAME = 20, 200
_VALUE = 90


class Rectangle(NamedTuple):
    """A part of a chart; ``kind`` is its style, ``title`` what it says."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


class Label(NamedTuple):
    """A text of a chart, whose ``anchor`` (``start``, ``middle``, ``end``) is at this place."""

    x: float
    y: float
    text: str
    anchor: str


class Chart(NamedTuple):
    """A drawing of this size."""

    width: float
    height: float
    rectangles: list[Rectangle]
    labels: list[Label]


def columns(buckets: Sequence[Bucket], name: Callable[[Bucket], str]) -> Chart:
    """Draw a column for each span of time, its statuses above one another."""
    most = max((sum(each.counts.values()) for each in buckets), default=0) or 1
    room, floor = _WIDTH - _LEFT, float(_HEIGHT - _BOTTOM)
    step = room / max(1, len(buckets))
    rectangles = list[Rectangle]()
    for place, each in enumerate(buckets):
        top = floor
        for status, count in each.counts.items():
            height = (floor - 10) * count / most
            top -= height
            title = f"{name(each)}: {count} {status}"
            x = _LEFT + place * step
            rectangles.append(Rectangle(x, top, max(1.0, step - _GAP), height, status, title))
    labels = [Label(_LEFT - 6, 14, str(most), "end"), Label(_LEFT - 6, floor, "0", "end")]
    every = max(1, len(buckets) // 6)
    labels += [
        Label(_LEFT + (place + 0.5) * step, _HEIGHT - 6, name(each), "middle")
        for place, each in enumerate(buckets)
        if place % every == 0
    ]
    return Chart(_WIDTH, _HEIGHT, rectangles, labels)


def latencies(times: Sequence[Times], name: Callable[[str], str]) -> Chart:
    """Draw three bars for each function, one a percentile."""
    slowest = max((each.percentiles[-1] for each in times), default=0.0) or 1.0
    room = _WIDTH - _NAME - _VALUE
    rectangles, labels = list[Rectangle](), list[Label]()
    for place, each in enumerate(times):
        top = float(place * _ROW * (len(PERCENTILES) + 0.5))
        labels.append(Label(_NAME - 8, top + 1.9 * _ROW, _short(name(each.function_id)), "end"))
        for line, (percent, value) in enumerate(zip(PERCENTILES, each.percentiles, strict=True)):
            y, width = top + line * _ROW + 3, max(1.0, room * value / slowest)
            text = f"p{percent} {shown.duration(value)}"
            title = f"{name(each.function_id)}: {text}"
            rectangles.append(Rectangle(_NAME, y, width, _ROW - 5, f"p{percent}", title))
            labels.append(Label(_NAME + width + 6, y + _ROW - 9, text, "start"))
    return Chart(_WIDTH, len(times) * _ROW * (len(PERCENTILES) + 0.5), rectangles, labels)


def shares(times: Sequence[Times], name: Callable[[str], str]) -> Chart:
    """Draw a bar for each function: which share of its runs was cold."""
    told = [each for each in times if each.cold is not None]
    room = float(_WIDTH - _NAME - _VALUE)
    rectangles, labels = list[Rectangle](), list[Label]()
    for place, each in enumerate(told):
        y, share = place * _ROW + 3.0, each.cold or 0.0
        text = f"{share:.0%} cold"
        title = f"{name(each.function_id)}: {text}"
        rectangles.append(Rectangle(_NAME, y, room, _ROW - 5, "warm", title))
        if share:
            rectangles.append(Rectangle(_NAME, y, room * share, _ROW - 5, "cold", title))
        labels.append(Label(_NAME - 8, y + _ROW - 9, _short(name(each.function_id)), "end"))
        labels.append(Label(_NAME + room + 6, y + _ROW - 9, text, "start"))
    return Chart(_WIDTH, len(told) * _ROW, rectangles, labels)


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"
