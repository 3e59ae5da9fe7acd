"""Clients that go on while the platform is in trouble, and what became of what they sent."""

import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple

import requests

from tests.faults.senders import RefusedError, Sender
from tests.waiting import until


class Accepted(NamedTuple):
    """An event that was accepted. ``first_asked_at`` and ``asked_at`` are when the first call for
    it began and the one that was answered so, milliseconds since 1970; ``at`` is when that ended,
    seconds of the monotonic clock.
    """

    function_id: str
    request_id: str
    first_asked_at: float
    asked_at: float
    at: float


class Clients:
    """Send events with a key each, which is their payload, while the block runs; a thread for each
    of ``senders``, and ``pause`` seconds between two events of one.

    Each waits for its answer before it goes on. ``function_id`` is what the first sends to.
    ``refusals`` counts how often an event was refused;
    whatever is neither accepted nor refused as it should be is in ``strange``.
    """

    def __init__(self, senders: Sequence[Sender], pause: float) -> None:
        self.function_id = senders[0].function_id
        self._pause = pause
        self._name = uuid.uuid4().hex[:8]
        self._stop = threading.Event()
        self._failed = threading.Event()
        self._threads = [
            threading.Thread(target=self._send_on, args=(number, sender))
            for number, sender in enumerate(senders)
        ]
        self._tried: Counter[int] = Counter()
        self._accepted: Counter[int] = Counter()
        self.accepted: dict[str, Accepted] = {}
        self.refusals: Counter[str] = Counter()
        self.strange: list[str] = []

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._failed.set()
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def go_on(self, events: int = 100) -> float:
        """Wait until so many more events are accepted; returns the seconds until the first was."""
        began, before = time.monotonic(), len(self.accepted)
        until(lambda: len(self.accepted) >= before + events, f"{events} more events are accepted")
        return max(0.0, self._times()[before] - began)

    def all_go_on(self, events: int) -> None:
        """Wait until so many more events of each sender are accepted."""
        self._all(self._accepted, events, "accepted")

    def all_go_on_trying(self, events: int) -> None:
        """Wait until so many more calls of each sender are answered in any way, or broken."""
        self._all(self._tried, events, "tried")

    def are_refused(self, times: int | None = None) -> None:
        """Wait until the clients have been refused so many times more, none of them for ever."""
        times = times or 2 * len(self._threads)
        before = self.refusals.total()
        until(lambda: self.refusals.total() >= before + times, f"{times} events are refused")

    @property
    def longest_pause(self) -> float:
        """Return the most seconds from one acceptance to the next."""
        return max(after - before for before, after in itertools.pairwise(self._times()))

    def _all(self, counts: Counter[int], events: int, what: str) -> None:
        wanted = {number: counts[number] + events for number in range(len(self._threads))}
        until(
            lambda: all(counts[number] >= count for number, count in wanted.items()),
            f"{events} more events of each sender are {what}; strange: {self.strange}",
        )

    def _times(self) -> list[float]:
        return sorted(each.at for each in list(self.accepted.values()))

    def _send_on(self, number: int, sender: Sender) -> None:
        with requests.Session() as session:
            session.trust_env = False
            for count in itertools.count():
                if self._stop.wait(self._pause):
                    return
                self._send(session, number, sender, f"{self._name}-{number}-{count}")

    def _send(self, session: requests.Session, number: int, sender: Sender, key: str) -> None:
        """Send one event until it is accepted, or once if it is not to be sent again. The end of
        the block does not cut this off, unless it failed.
        """
        pause, first_asked_at = 0.0, time.time() * 1000
        while not self._failed.wait(pause):
            asked_at = time.time() * 1000
            try:
                request_id = sender.send(session, key)
            except RefusedError as refusal:
                self.refusals[key] += 1
                pause = refusal.retry_after
            except (AssertionError, KeyError, ValueError, requests.RequestException) as error:
                self.strange.append(f"{key}: {error!r}")
                return
            else:
                self.accepted[key] = Accepted(
                    sender.function_id, request_id, first_asked_at, asked_at, time.monotonic()
                )
                self._accepted[number] += 1
                return
            finally:
                self._tried[number] += 1
            if not sender.repeats:
                return
