"""The part of the backlog that the scheduler holds. Pure and bounded.

A request is *waiting* (in order of arrival), *parked* (its function is being built, is disabled, or
runs as often as its limit allows), or *out* (a node has it). What is known is not taken in again
when the sweep finds it a second time; what has just left stays known for a while, because a store's
list may lag behind.
"""

from collections import OrderedDict
from typing import NamedTuple

from pratai_common.messages import Submitted
from pratai_common.records import Body, Request


class Entry(NamedTuple):
    """A request and what came in with it, as far as that is known.

    ``call`` is the message of a synchronous call: such a request is in no store.
    """

    request: Request
    input: Body | None
    call: Submitted | None = None


class Window:
    """At most ``size`` requests waiting or parked; ``remember`` that have left."""

    def __init__(self, size: int, remember: int | None = None) -> None:
        self._size = size
        self._remember = remember or 2 * size
        self._waiting: OrderedDict[str, Entry] = OrderedDict()
        self._parked: dict[str, OrderedDict[str, Entry]] = {}
        self._parked_count = 0
        self._left: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting) + self._parked_count

    @property
    def room(self) -> int:
        """Return how many more requests fit."""
        return max(0, self._size - len(self))

    def knows(self, request: Request) -> bool:
        """Say whether this attempt of a request is held, or has just left."""
        request_id = request.request_id
        if request_id in self._waiting:
            return True
        if request_id in self._parked.get(request.function_id, ()):
            return True
        return self._left.get(request_id, -1) >= request.attempt + 1

    def add(self, entry: Entry) -> bool:
        """Take a request in; ``False`` where it is known or there is no room (the sweep will)."""
        if not self.room or self.knows(entry.request):
            return False
        self._waiting[entry.request.request_id] = entry
        return True

    def first(self) -> Entry | None:
        """Return the request that waits longest."""
        return next(iter(self._waiting.values()), None)

    def leave(self, entry: Entry, attempt: int) -> None:
        """Let go of a waiting request: its attempt of this number is out, or it is settled."""
        del self._waiting[entry.request.request_id]
        self._left.pop(entry.request.request_id, None)
        self._left[entry.request.request_id] = attempt
        while len(self._left) > self._remember:
            self._left.popitem(last=False)

    def park(self, entry: Entry) -> None:
        """Set a waiting request aside until its function changes, or a run of it ends."""
        request = entry.request
        del self._waiting[request.request_id]
        self._parked.setdefault(request.function_id, OrderedDict())[request.request_id] = entry
        self._parked_count += 1

    def unpark(self, function_id: str) -> None:
        """Let what was parked for a function wait again."""
        entries = self._parked.pop(function_id, OrderedDict())
        self._parked_count -= len(entries)
        self._waiting.update(entries)

    def unpark_one(self, function_id: str) -> None:
        """Let the request wait again that was parked for a function first."""
        entries = self._parked.get(function_id)
        if not entries:
            return
        request_id, entry = entries.popitem(last=False)
        self._parked_count -= 1
        self._waiting[request_id] = entry
        self._waiting.move_to_end(request_id, last=False)
        if not entries:
            del self._parked[function_id]

    def unpark_all(self) -> None:
        """Let everything that was parked wait again."""
        for function_id in list(self._parked):
            self.unpark(function_id)

    def forget(self, request: Request) -> bool:
        """Let go of a request as if it had never been seen; says whether it was held."""
        if self._waiting.pop(request.request_id, None) is not None:
            return True
        parked = self._parked.get(request.function_id, OrderedDict())
        if parked.pop(request.request_id, None) is None:
            return False
        self._parked_count -= 1
        if not parked:
            del self._parked[request.function_id]
        return True

    def expired(self, now: int) -> list[Entry]:
        """Return the waiting requests whose time to wait is over."""
        return [entry for entry in self._waiting.values() if entry.request.expires_at <= now]
