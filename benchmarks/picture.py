"""A figure as a picture: a bar for each median, a line from the least value to the most; and what
was measured one by one as curves, of how much took at most how long.
"""

from xml.sax.saxutils import escape

from benchmarks.common import Figure, number

_WIDTH, _LABELS, _VALUES, _ROW, _TOP = 900, 330, 80, 24, 44
_SHOWN = 0.995
"""The part of the values that curves show: the few longest would press the others together."""

_OURS, _OTHERS = "#2b6cb0", "#a0aec0"


def svg(figure: Figure, commit: str) -> str:
    """Return the picture; the bars of ours have a colour of their own."""
    longest = max(max(values) for values in figure.samples.values()) or 1
    scale = (_WIDTH - _LABELS - _VALUES) / longest
    height = _TOP + _ROW * len(figure.samples) + 10
    baselines = {name for each in figure.ratios for name in each.baselines}
    size = f'width="{_WIDTH}" height="{height}"'
    font = 'font-family="sans-serif" font-size="12"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect {size} fill="white"/>',
        _text(10, 18, f"{figure.title} ({figure.unit})"),
        _text(10, 34, f"commit {commit}"),
    ]
    for row, (name, values) in enumerate(figure.samples.items()):
        top = _TOP + row * _ROW
        least, most = _LABELS + min(values) * scale, _LABELS + max(values) * scale
        lines += [
            _text(_LABELS - 8, top + 16, name, "end"),
            _bar(top + 4, figure.median(name) * scale, _colour(name, baselines)),
            _line(least, most, top + _ROW / 2),
            _text(most + 6, top + 16, number(figure.median(name))),
        ]
    return "\n".join([*lines, "</svg>", ""])


def curves(figure: Figure, commit: str) -> str:
    """Return the picture of ``every``: the part of it up to each value, as far as p99.5 goes."""
    height, bottom = 420, 380
    size = f'width="{_WIDTH}" height="{height}"'
    found = {name: sorted(values) for name, values in figure.every.items()}
    longest = max(values[int(len(values) * _SHOWN)] for values in found.values())
    across, down = (_WIDTH - 2 * _VALUES) / longest, bottom - _TOP - 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect {size} fill="white"/>',
        _text(10, 18, f"{figure.title}: how many took at most so long"),
        _text(10, 34, f"commit {commit}"),
    ]
    for part in (0, 0.25, 0.5, 0.75, 0.9, 1):
        y = bottom - part * down
        lines += [_text(_VALUES - 8, y + 4, f"{part:.0%}", "end")]
        lines += [f'<path d="M{_VALUES} {y:.1f}H{_WIDTH - _VALUES}" stroke="#e2e8f0"/>']
    for tick in range(6):
        x = _VALUES + tick * longest / 5 * across
        lines.append(_text(x, bottom + 18, number(tick * longest / 5), "middle"))
    for row, (name, values) in enumerate(found.items()):
        shown = values[: int(len(values) * _SHOWN) + 1]
        points = (
            f"{_VALUES + value * across:.1f},{bottom - rank / len(values) * down:.1f}"
            for rank, value in enumerate(shown, 1)
        )
        colour = _OURS if name.startswith("pratai") else _OTHERS
        lines.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}"/>')
        lines += [_bar(_TOP + 8 + row * 18, 12, colour, _WIDTH - 260, 12)]
        lines += [_text(_WIDTH - 240, _TOP + 18 + row * 18, name)]
    return "\n".join([*lines, "</svg>", ""])


def _colour(name: str, baselines: set[str]) -> str:
    """Tell baselines apart, but not what is ours and compared with ours."""
    return _OTHERS if name in baselines and not name.startswith("pratai") else _OURS


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _bar(y: float, width: float, colour: str, x: float = _LABELS, height: float = _ROW - 8) -> str:
    place = f'x="{x}" y="{y:.1f}" width="{width:.1f}" height="{height}"'
    return f'<rect {place} fill="{colour}"/>'


def _line(left: float, right: float, y: float) -> str:
    return f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="black"/>'
