"""Clients that go on while the platform is in trouble, and what became of what they sent."""

import itertools
import threading
import time
from collections import Counter
from types import TracebackType
from typing import NamedTuple

import requests

from tests.refusals import refused
from tests.waiting import until

_CLIENTS = 8
_PAUSE_SECONDS = 0.05
_CEILING_SECONDS = 60
"""Longer than the API may take for anything: a call that is not answered by then hangs."""


class Accepted(NamedTuple):
    """An event that was answered 202. ``asked_at`` is when the call began that was, milliseconds
    since 1970; ``at`` is when it ended, seconds of the monotonic clock.
    """

    request_id: str
    asked_at: float
    at: float


class Clients:
    """Send events with a key each while the block runs, and send again what is refused.

    Each waits for its answer before it goes on. ``refusals`` counts the 503s that an event met;
    whatever is neither a 202 nor a 503 as it should be is in ``strange``.
    """

    def __init__(self, url: str, function_id: str) -> None:
        self.function_id = function_id
        self._url = f"{url}/v1/functions/{function_id}"
        self._stop = threading.Event()
        self._failed = threading.Event()
        self._threads = [
            threading.Thread(target=self._send_on, args=(number,)) for number in range(_CLIENTS)
        ]
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

    def are_refused(self, times: int = 2 * _CLIENTS) -> None:
        """Wait until the clients have been refused so many times more, none of them for ever."""
        before = self.refusals.total()
        until(lambda: self.refusals.total() >= before + times, f"{times} events are refused")

    @property
    def longest_pause(self) -> float:
        """Return the most seconds from one acceptance to the next."""
        return max(after - before for before, after in itertools.pairwise(self._times()))

    def _times(self) -> list[float]:
        return sorted(each.at for each in list(self.accepted.values()))

    def _send_on(self, number: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            for count in itertools.count():
                if self._stop.wait(_PAUSE_SECONDS):
                    return
                self._send(session, f"{number}-{count}")

    def _send(self, session: requests.Session, key: str) -> None:
        """Send one event until it is accepted. The end of the block does not cut this off, unless
        it failed.
        """
        pause = 0
        while not self._failed.wait(pause):
            asked_at = time.time() * 1000
            try:
                answer = session.post(
                    self._url,
                    json={"payload": key},
                    headers={"Idempotency-Key": key},
                    timeout=_CEILING_SECONDS,
                )
                if answer.status_code == 202:
                    request_id = answer.json()["request_id"]
                    self.accepted[key] = Accepted(request_id, asked_at, time.monotonic())
                    return
                refused(answer, 503, "store_unavailable")
                pause = int(answer.headers["Retry-After"])
            except (AssertionError, KeyError, ValueError, requests.RequestException) as error:
                self.strange.append(f"{key}: {error!r}")
                return
            self.refusals[key] += 1
