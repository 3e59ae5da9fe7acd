"""What is made once, however many threads want it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pratai_common.errors import BuildError
from pratai_drivers.engines.base import GivenUp

_LOOK_SECONDS = 0.5


@dataclass
class _Making:
    """An image that is made, and how many threads make it or wait for it."""

    lock: threading.Semaphore = field(default_factory=threading.Semaphore)
    threads: int = 0


class Making:
    """Lets threads make images: one thread each image, and a few at a time what is hard work."""

    def __init__(self, parallel: int) -> None:
        self._making: dict[str, _Making] = {}
        self._lock = threading.Lock()
        self._places = threading.Semaphore(parallel)

    @contextmanager
    def one_at_a_time(self, image: str, given_up: GivenUp) -> Iterator[None]:
        """Let one thread make an image while others that want it wait for it.

        Raises BuildError when nobody wants it any more.
        """
        with self._lock:
            making = self._making.setdefault(image, _Making())
            making.threads += 1
        try:
            with _held(making.lock, given_up, "another build of the same image was waited for"):
                yield
        finally:
            with self._lock:
                making.threads -= 1
                if not making.threads:
                    del self._making[image]

    @contextmanager
    def in_place(self, given_up: GivenUp) -> Iterator[None]:
        """Let no more threads than ``parallel`` work at a time; raises BuildError as above."""
        with _held(self._places, given_up, "other builds were waited for"):
            yield


@contextmanager
def _held(lock: threading.Semaphore, given_up: GivenUp, waiting: str) -> Iterator[None]:
    while not lock.acquire(timeout=_LOOK_SECONDS):
        if given_up():
            raise BuildError(f"given up while {waiting}")
    try:
        if given_up():
            raise BuildError("given up before it began")
        yield
    finally:
        lock.release()
