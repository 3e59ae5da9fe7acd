"""Cron expressions: five fields, or ``@daily`` and the like, as a time zone's clocks show them.

Pure. Where clocks are set forward or back, what an expression means depends on its hours:

* Those whose hour is ``*`` or ``*/n`` follow real time: they fire in both passes of an hour that is
  there twice, and not in one that is skipped.
* Others mean times of the day: one that a day does not have fires when the gap ends, together with
  whatever else falls there, and one that it has twice fires once, the first time.

Moments are whole minutes, since 1970 in milliseconds, UTC.
"""

import copy
import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, CroniterError, croniter

MAX_CHARACTERS = 200
NEVER_YEARS = 8
"""What does not fire within these never does: the 29th of February may be so far away."""

_MINUTE_MS = 60_000
_WEEK = 7 * 24 * 3600
_TWO_HOURS_MS = 2 * 3600 * 1000
_NAMES = ("minute", "hour", "day of the month", "month", "day of the week")
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EVERY_HOUR = re.compile(r"\*(/\d+)?")
_CHOSEN_BY_CHANCE = re.compile(r"(^|,)[hr]", re.IGNORECASE)
"""What the library would replace by numbers of its own choice."""


class CronError(ValueError):
    """An expression or a time zone that cannot be; the message is for its author."""


class _Clocks(NamedTuple):
    """An expression's five fields, and whose clocks it speaks of."""

    fields: tuple[str, ...]
    zone: ZoneInfo


def check(expression: str, timezone: str) -> None:
    """Raise CronError where an expression cannot be, or never fires."""
    if timezone not in _timezones():
        raise CronError(f"there is no time zone {timezone!r}")
    fields = _fields(expression)
    for at, field in enumerate(fields):
        _check_field(at, field)
    if _match_after(fields, 0) is None:
        raise CronError(f"{expression!r} never fires within {NEVER_YEARS} years")


def next_tick(expression: str, timezone: str, after: int) -> int | None:
    """Return when an expression fires next after a moment, ``None`` for never. Raises CronError for
    one that cannot be read, or a zone that is not known here.
    """
    found = _next_minute(expression, timezone, after // _MINUTE_MS)
    return None if found is None else found * _MINUTE_MS


def ticks(expression: str, timezone: str, after: int, until: int) -> Iterator[int]:
    """Yield when it fires after one moment and until another, in order."""
    tick = next_tick(expression, timezone, after)
    while tick is not None and tick <= until:
        yield tick
        tick = next_tick(expression, timezone, tick)


def latest_ticks(expression: str, timezone: str, after: int, until: int, count: int) -> list[int]:
    """Return the last ``count`` moments of ``ticks``, however long the time is."""
    span = _TWO_HOURS_MS
    while True:
        start = max(after, until - span)
        found = list(ticks(expression, timezone, start, until))
        if len(found) >= count or start == after:
            return found[-count:]
        span *= 2


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _fields(expression: str) -> tuple[str, ...]:
    if len(expression) > MAX_CHARACTERS:
        raise CronError(f"a cron expression has at most {MAX_CHARACTERS} characters")
    fields = tuple(_SHORT.get(expression.strip().lower(), expression).split())
    if len(fields) == 1 and fields[0].startswith("@"):
        raise CronError(f"there is no {expression!r}; known: {', '.join(_SHORT)}")
    if len(fields) != len(_NAMES):
        raise CronError(
            f"a cron expression has five fields ({', '.join(_NAMES)}), not {len(fields)}"
        )
    return fields


def _check_field(at: int, field: str) -> None:
    alone = ["*"] * len(_NAMES)
    alone[at] = field
    try:
        croniter.expand(" ".join(alone))
    except CroniterError as error:
        raise CronError(f"{_NAMES[at]}: {field!r} cannot be") from error
    if _CHOSEN_BY_CHANCE.search(field):
        raise CronError(f"{_NAMES[at]}: {field!r} cannot be")


# Its ticks are whole minutes, so what follows a moment follows all of its minute: many timers ask
# the same.
@lru_cache(maxsize=4096)
def _next_minute(expression: str, timezone: str, after: int) -> int | None:
    """Return the first minute after one in which an expression fires."""
    clocks = _clocks(expression, timezone)
    real_time = _EVERY_HOUR.fullmatch(clocks.fields[1]) is not None
    found = (_next_in_real_time if real_time else _next_of_days)(clocks, after * 60)
    return None if found is None else found // 60


def _clocks(expression: str, timezone: str) -> _Clocks:
    try:
        return _Clocks(_fields(expression), ZoneInfo(timezone))
    except (KeyError, ValueError, OSError) as error:
        raise CronError(f"{expression!r} in {timezone!r}: {error}") from error


def _next_in_real_time(clocks: _Clocks, after: int) -> int | None:
    """Return the first second after one at which clocks show a time that matches."""
    offset = _offset(clocks.zone, after)
    while True:
        shown = _match_after(clocks.fields, after + offset)
        if shown is None:
            return None
        change = _change(clocks.zone, after, shown - offset, offset)
        if change is None:
            return shown - offset
        after, offset = change - 1, _offset(clocks.zone, change)


def _next_of_days(clocks: _Clocks, after: int) -> int | None:
    """Return the first second after one that stands for a time of the day that matches."""
    shown = _match_after(clocks.fields, after + _offset(clocks.zone, after))
    while shown is not None:
        moment = _moment(clocks.zone, shown)
        if moment > after:
            return moment
        shown = _match_after(clocks.fields, shown)
    return None


def _moment(zone: ZoneInfo, shown: int) -> int:
    """Return when clocks show a time first, or, where they never do, when they have passed it."""
    naive = datetime.fromtimestamp(shown, UTC).replace(tzinfo=zone)
    moment = int(naive.timestamp())
    if moment + _offset(zone, moment) == shown:
        return moment
    before = int(naive.replace(fold=1).timestamp())
    change = _change(zone, before, moment, _offset(zone, before))
    return moment if change is None else change


def _change(zone: ZoneInfo, after: int, until: int, offset: int) -> int | None:
    """Return the first second after one, until another, at which a zone's offset is not this one.

    No zone has changed there and back within a week.
    """
    for start in range(after, until, _WEEK):
        end = min(start + _WEEK, until)
        if _offset(zone, end) != offset:
            seconds = range(start + 1, end)
            return (
                start + 1 + bisect_left(seconds, True, key=lambda at: _offset(zone, at) != offset)
            )
    return None


def _offset(zone: ZoneInfo, moment: int) -> int:
    """Return by how many seconds a zone's clocks are ahead of UTC."""
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _match_after(fields: tuple[str, ...], shown: int) -> int | None:
    """Return the next time that clocks show and that matches, as seconds since their 1970."""
    try:
        # A copy, since it remembers where it is, and threads share the one that was read.
        return int(copy.copy(_read(fields)).get_next(float, start_time=float(shown)))
    except CroniterBadDateError:
        return None
    except CroniterError as error:
        raise CronError(str(error)) from error


@lru_cache(maxsize=4096)
def _read(fields: tuple[str, ...]) -> "croniter[float]":
    return croniter(" ".join(fields), 0.0, max_years_between_matches=NEVER_YEARS)
