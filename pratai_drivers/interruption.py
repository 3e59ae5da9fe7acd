"""How a run or a build is ended from outside: cancelled, or because its node stops."""

import os
import threading

from pratai_common.errors import Reason


class Interruption:
    """Lets another thread end a session, saying why."""

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._open = True
        self.reason: Reason | None = None
        self.message = ""

    def fileno(self) -> int:
        """Return what becomes readable when the session is to end."""
        return self._event

    def interrupt(self, reason: Reason, message: str) -> None:
        """End the session; the first reason counts."""
        with self._lock:
            if self._open and self.reason is None:
                self.message, self.reason = message, reason
                os.eventfd_write(self._event, 1)

    def close(self) -> None:
        """Free the descriptor; later interruptions do nothing."""
        with self._lock:
            self._open = False
            os.close(self._event)
