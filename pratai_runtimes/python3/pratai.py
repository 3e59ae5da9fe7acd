"""What a function may import from Pratai: ``from pratai import context, Response``."""

from __future__ import annotations

import time
from types import MappingProxyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Response:
    """What ``main`` returns to answer other than with JSON and 200.

    Text is answered as ``text/plain`` in UTF-8 and bytes as ``application/octet-stream``, unless
    ``headers`` say otherwise; any other body as JSON. ``status`` is 200 to 599.
    """

    def __init__(
        self, body: object = "", status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.body = body
        self.status = status
        self.headers = headers


class Context:
    """What is known of the event that is being handled.

    ``request_id`` and ``attempt`` name this run, ``function`` and ``version`` the code,
    ``source`` says what kind of event it was.
    """

    def __init__(self) -> None:
        self._values: Mapping[str, object] = MappingProxyType({})
        self._deadline: float | None = None

    def __getattr__(self, name: str) -> object:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the context has no {name}") from None

    @property
    def remaining(self) -> float | None:
        """The seconds that are left before the run's timeout."""
        return max(0.0, self._deadline - time.monotonic()) if self._deadline else None

    def _begin(self, values: dict[str, object], seconds: float) -> None:
        self._values = MappingProxyType(values)
        self._deadline = time.monotonic() + seconds


context = Context()
