"""A figure as a picture: a bar for each median, a line from the least value to the most."""

from xml.sax.saxutils import escape

from benchmarks.common import Figure, number

_WIDTH, _LABELS, _VALUES, _ROW, _TOP = 900, 330, 80, 24, 44
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


def _colour(name: str, baselines: set[str]) -> str:
    """Tell baselines apart, but not what is ours and compared with ours."""
    return _OTHERS if name in baselines and not name.startswith("pratai") else _OURS


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _bar(y: float, width: float, colour: str) -> str:
    place = f'x="{_LABELS}" y="{y:.1f}" width="{width:.1f}" height="{_ROW - 8}"'
    return f'<rect {place} fill="{colour}"/>'


def _line(left: float, right: float, y: float) -> str:
    return f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="black"/>'
