"""How values are shown. Pure: no Django, no API."""

import json
from typing import Any

NOTHING = "-"
MOST_CHARACTERS = 65_536
"""Of a result or a payload: more makes no page, and is to be had by the command line."""
_STATUS_KINDS = {
    "success": "good",
    "active": "good",
    "running": "busy",
    "building": "busy",
    "connecting": "busy",
    "queued": "waiting",
    "scheduled": "waiting",
    "standby": "waiting",
    "cancelled": "still",
    "disabled": "still",
}
_SECOND, _MINUTE = 1000, 60_000
_KIBI = 1024


def status_kind(status: str) -> str:
    """Return which of the few colours a status has; what is not known, or is bad, is ``bad``."""
    return _STATUS_KINDS.get(status, "bad")


def duration(milliseconds: float | None) -> str:
    """Return a time as people read it."""
    if milliseconds is None:
        return NOTHING
    if milliseconds < _SECOND:
        return f"{milliseconds:.1f} ms"
    if milliseconds < _MINUTE:
        return f"{milliseconds / _SECOND:.2f} s"
    minutes, rest = divmod(round(milliseconds / _SECOND), 60)
    return f"{minutes} min {rest} s"


def size(count: int | None) -> str:
    """Return a number of bytes as people read it."""
    if count is None:
        return NOTHING
    amount, units = float(count), ["B", "KiB", "MiB"]
    while amount >= _KIBI and len(units) > 1:
        amount, units = amount / _KIBI, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"


def pretty(value: Any) -> str:
    """Return what JSON stands for as text, with a note where it was cut off."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS} more characters"


def percent(share: float | None) -> str:
    """Return a share as people read it."""
    return NOTHING if share is None else f"{share:.0%}"
