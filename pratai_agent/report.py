"""How an event's source stands in this agent, told by its thread and written by another."""

import threading
from typing import Any, Literal

from msgspec.structs import replace

from pratai_common.clock import Clock
from pratai_common.records import SourceState

COUNTS_MS = 5000
_MAX_CHARACTERS = 500


class Report:
    """A state that changes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._current = SourceState(state="connecting", since=clock())
        self._written_at = 0

    @property
    def current(self) -> SourceState:
        """Return it as it is."""
        return self._current

    def begin(self) -> None:
        """Note that the source is started, or started anew with other settings."""
        self._change(state="connecting", note=None)

    def state(
        self, state: Literal["connecting", "running", "standby"], note: str | None = None
    ) -> None:
        """Note how the source stands. One that failed is failing until it runs again."""
        again = state == "connecting" and self._current.state == "failing"
        self._change(state="failing" if again else state, note=note)

    def failing(self, error: str) -> None:
        """Note that it cannot go on, and why."""
        self._change(state="failing", **self._error(error))

    def took(self, received: int, without_id: int) -> None:
        """Count what came and is recorded."""
        with self._lock:
            counts = {
                "received": self._current.received + received,
                "without_id": self._current.without_id + without_id,
            }
            self._current = replace(self._current, **counts)

    def dead(self, error: str) -> None:
        """Count what could not be taken, and why."""
        with self._lock:
            self._current = replace(
                self._current, dead=self._current.dead + 1, **self._error(error)
            )

    def due(self, stored: SourceState | None) -> bool:
        """Say whether it is to be written in place of what is stored: counts are now and then, all
        else is at once.
        """
        if _said(self._current) != _said(stored):
            return True
        late = self._clock() - self._written_at >= COUNTS_MS
        return late and self._current != stored

    def written(self) -> None:
        """Note that it was written."""
        self._written_at = self._clock()

    def _change(self, **values: Any) -> None:
        with self._lock:
            if values["state"] != self._current.state:
                values["since"] = self._clock()
            self._current = replace(self._current, **values)

    def _error(self, error: str) -> dict[str, Any]:
        line = " ".join(error.split())
        return {"error": line[:_MAX_CHARACTERS], "error_at": self._clock()}


def _said(state: SourceState | None) -> tuple[str | None, ...]:
    """Return what is no count of a state."""
    return () if state is None else (state.state, state.note, state.error)
