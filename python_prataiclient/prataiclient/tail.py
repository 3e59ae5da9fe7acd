"""What a function's requests print, as it comes: from its newest request on."""

import codecs
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from prataiclient.client import Client

_AT_ONCE = 20
"""So many unfinished requests are read at a time, the oldest first; the others wait."""
_LATE = timedelta(seconds=65)
"""A synchronous call is recorded behind its answer: up to a minute after it was accepted."""


class Tail:
    """Follows one function; knows which of its requests were seen, and how much of each."""

    def __init__(self, client: Client, function_id: str) -> None:
        self._client = client
        self._function_id = function_id
        newest = next(client.requests(1, function_id=function_id), None)
        self._since = datetime.min.replace(tzinfo=UTC) if newest is None else newest.created_at
        self._seen: dict[str, datetime] = {}
        self._waiting: deque[str] = deque()
        self._open: dict[str, _Log] = {}

    def read(self) -> Iterator[tuple[str, str]]:
        """Yield the ids of requests, each with what it printed since it was last read."""
        self._find()
        for request_id in list(self._open):
            yield from self._more(request_id)
        while self._waiting and len(self._open) < _AT_ONCE:
            request_id = self._waiting.popleft()
            self._open[request_id] = _Log()
            yield from self._more(request_id)

    def _find(self) -> None:
        """Note the requests that are new, oldest first."""
        found: dict[str, datetime] = {}
        for request in self._client.requests(function_id=self._function_id):
            if request.created_at < self._since:
                break
            if request.request_id not in self._seen:
                found[request.request_id] = request.created_at
        self._waiting.extend(reversed(found))
        self._seen.update(found)
        if self._seen:
            self._since = max(self._since, max(self._seen.values()) - _LATE)
        self._seen = {each: at for each, at in self._seen.items() if at >= self._since}

    def _more(self, request_id: str) -> Iterator[tuple[str, str]]:
        # The status before the log: what is final now was printed before.
        final = self._client.request(request_id).ended
        text = self._open[request_id].add(self._client.request_log(request_id), final)
        if final:
            del self._open[request_id]
        if text:
            yield request_id, text


class _Log:
    """How much of a log was taken. What is read may end within a character."""

    def __init__(self) -> None:
        self._taken = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, content: bytes, final: bool) -> str:
        fresh = content[self._taken :]
        self._taken += len(fresh)
        return self._decoder.decode(fresh, final)
