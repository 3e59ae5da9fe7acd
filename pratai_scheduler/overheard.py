"""Calls that a scheduler has heard of and may not run. Pure.

Every scheduler hears of each call, and a call is in no store. One that stands by keeps in mind what
has not ended, so that it can take over: what was asked when nobody acted any more it runs then, and
of what a former scheduler may have had it tells the callers that nothing is known, so that they ask
again and need not wait until their time is over.
"""

from collections import OrderedDict

from pratai_common import limits
from pratai_common.messages import Submitted
from pratai_common.records import Request

_MOST_BYTES = 32 * limits.MIB
"""Of inputs."""


class Overheard:
    """See the module. It has ``most`` calls at most, and the inputs of those that are no older than
    ``young_ms``; times are milliseconds.
    """

    def __init__(self, most: int, young_ms: int) -> None:
        self._most = most
        self._young_ms = young_ms
        self._young: OrderedDict[str, Submitted] = OrderedDict()
        self._bytes = 0
        self._others: OrderedDict[str, Request] = OrderedDict()

    def __len__(self) -> int:
        return len(self._young) + len(self._others)

    def hear(self, call: Submitted) -> None:
        """Keep a call in mind."""
        self.ended(call.request.request_id)
        self._young[call.request.request_id] = call
        self._bytes += _size(call)
        while self._bytes > _MOST_BYTES or len(self._young) > self._most:
            self.doubt(self._pop(next(iter(self._young))).request)

    def doubt(self, request: Request) -> None:
        """Keep in mind a call that somebody else may have had."""
        self._others[request.request_id] = request
        if len(self._others) > self._most:
            self._others.popitem(last=False)

    def ended(self, request_id: str) -> None:
        """Forget a call."""
        if request_id in self._young:
            self._pop(request_id)
        self._others.pop(request_id, None)

    def clear(self) -> None:
        """Forget all of them."""
        self._young.clear()
        self._others.clear()
        self._bytes = 0

    def pass_time(self, now: int) -> None:
        """Forget the calls for which nobody waits any more, and the inputs of old ones."""
        while self._young:
            call = next(iter(self._young.values()))
            if now - call.request.created_at < self._young_ms:
                break
            self.doubt(self._pop(call.request.request_id).request)
        for request in [each for each in self._others.values() if each.expires_at <= now]:
            del self._others[request.request_id]

    def made_after(self, since: int) -> list[Submitted]:
        """Return, and forget, the calls that were made after a time."""
        made = [call for call in self._young.values() if call.request.created_at > since]
        return [self._pop(call.request.request_id) for call in made]

    def rest(self) -> list[Request]:
        """Return, and forget, all calls."""
        requests = [call.request for call in self._young.values()]
        requests += self._others.values()
        self.clear()
        return requests

    def _pop(self, request_id: str) -> Submitted:
        call = self._young.pop(request_id)
        self._bytes -= _size(call)
        return call


def _size(call: Submitted) -> int:
    return 0 if call.input is None else len(call.input.content or b"")
