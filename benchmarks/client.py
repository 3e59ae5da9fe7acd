"""An HTTP client that costs little: one connection that stays open, and the bytes of JSON."""

import http.client
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import msgspec

from tests.stack import FINAL

T = TypeVar("T")
_TIMEOUT_SECONDS = 120


def wait(look: Callable[[], T], what: str, pause: float = 0.001) -> T:
    """Return the first true value; like ``tests.waiting.until``, but what is timed looks often."""
    ends = time.monotonic() + _TIMEOUT_SECONDS
    while not (seen := look()):
        assert time.monotonic() < ends, f"not in {_TIMEOUT_SECONDS} s: {what}"
        time.sleep(pause)
    return seen


class Answer(NamedTuple):
    """What came back; ``retry_after`` is in seconds."""

    status: int
    request_id: str | None
    body: bytes
    retry_after: float | None = None


class Client:
    """One client; as a context it closes its connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(
            url.removeprefix("http://"), timeout=_TIMEOUT_SECONDS
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def post(self, path: str, payload: object) -> Answer:
        """Send an event."""
        return self._ask("POST", path, msgspec.json.encode({"payload": payload}))

    def get(self, path: str) -> Any:
        """Return a resource, ``None`` where there is none."""
        answer = self._ask("GET", path, None)
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        return msgspec.json.decode(answer.body)

    def called(self, path: str, payload: object) -> str | None:
        """Make a synchronous call that echoes; returns its id, where the server gives one."""
        answer = self.post(path, payload)
        assert answer.status == 200, answer
        assert msgspec.json.decode(answer.body) == payload, answer
        return answer.request_id

    def accepted(self, path: str, payload: object) -> str:
        """Send an asynchronous event; returns its request's id."""
        answer = self.post(path, payload)
        assert answer.status == 202, answer
        return str(msgspec.json.decode(answer.body)["request_id"])

    def ended(self, path: str, payload: object) -> None:
        """Read a request until it has ended, and check that it echoed."""
        request = wait(partial(self._final, path), f"{path} ends")
        assert (request["status"], request["result"]) == ("success", payload), request

    def read_back(self, requests: str, expected: dict[str, object]) -> None:
        """Read every one of these requests from the store, and check that it echoed.

        A synchronous call is recorded behind its answer: it may come to be there meanwhile.
        """
        for request_id, payload in expected.items():
            path = f"{requests}/{request_id}"
            wait(partial(self.get, path), f"{path} is recorded")
            self.ended(path, payload)

    def read_inputs(self, requests: str, expected: dict[str, object]) -> None:
        """Read every one of these records from the store, and check what came in."""
        for request_id, payload in expected.items():
            assert self.get(f"{requests}/{request_id}")["payload"] == payload, request_id

    def _final(self, path: str) -> Any:
        """Return a request that has ended, ``None`` while it has not."""
        request = self.get(path)
        return request if request["status"] in FINAL else None

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        request_id, seconds = map(answer.getheader, ("X-Pratai-Request-Id", "Retry-After"))
        return Answer(answer.status, request_id, answer.read(), float(seconds) if seconds else None)
