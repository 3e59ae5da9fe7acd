"""Wall-clock time as the platform counts it: whole milliseconds since 1970, UTC; where stations of
one request are told apart, microseconds.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]


def now_ms() -> int:
    """Return the wall-clock time in milliseconds."""
    return time.time_ns() // 1_000_000


def now_us() -> int:
    """Return the wall-clock time in microseconds."""
    return time.time_ns() // 1000


def iso(milliseconds: int | None) -> str | None:
    """Render a time as ISO 8601 UTC with milliseconds, ``2026-01-31T12:00:00.000Z``."""
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"
