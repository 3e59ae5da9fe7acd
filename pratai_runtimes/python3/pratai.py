"""What a function may import from Pratai: ``from pratai import context``."""

import time
from types import MappingProxyType


class Context:
    """What is known of the event that is being handled.

    ``request_id`` and ``attempt`` name this run, ``function`` and ``version`` the code,
    ``source`` says what kind of event it was.
    """

    def __init__(self):
        self._values = MappingProxyType({})
        self._deadline = None

    def __getattr__(self, name):
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the context has no {name}") from None

    @property
    def remaining(self):
        """The seconds that are left before the run's timeout."""
        return max(0.0, self._deadline - time.monotonic()) if self._deadline else None

    def _begin(self, values, seconds):
        self._values = MappingProxyType(values)
        self._deadline = time.monotonic() + seconds


context = Context()
