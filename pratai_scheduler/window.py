"""The part of the backlog that the scheduler holds. Pure and bounded.

A request is *waiting*, *parked* (its function is being built, is disabled, or runs as often as its
limit allows, or its project as its quota does), or *out* (a node has it). The runs, calls and
builds of a function each wait in a lane of their own, in order of arrival, and the lanes take
turns: what holds up the first of a lane holds up all of it, and no other. What a node had that was
lost goes before the others of its lane: it has waited already, and for the lease of that node.

What is known is not taken in again when the sweep finds it a second time; what has just left stays
known for a while, because a store's list may lag behind.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from pratai_common.errors import Reason
from pratai_common.messages import Submitted
from pratai_common.records import Body, Request
from pratai_scheduler.fairness import Ranking, Turns

_INPUTS_PART = 10
"""Inputs are held of the first tenth of a window alone, 32 MiB at most; others are read again."""


class Entry(NamedTuple):
    """A request and what came in with it, as far as that is known.

    ``call`` is the message of a synchronous call: such a request is in no store.
    """

    request: Request
    input: Body | None
    call: Submitted | None = None


class _Lane(NamedTuple):
    project_id: str
    function_id: str
    kind: str


class Window:
    """At most ``size`` requests waiting or parked; ``remember`` that have left. Projects share
    turns by ``weights``.

    Where it is full, whoever has most in it gives up what came last, for one who has less: the
    sweep will find that again.
    """

    def __init__(
        self,
        size: int,
        remember: int | None = None,
        weights: Mapping[str, int] | None = None,
    ) -> None:
        self._size = size
        self._remember = remember or 2 * size
        self._lanes: dict[_Lane, OrderedDict[str, Entry]] = {}
        self._lane_of: dict[str, _Lane] = {}
        self._turns: Turns[_Lane] = Turns(weights)
        self._parked: dict[str, set[_Lane]] = {}
        self._over_quota: dict[str, dict[_Lane, None]] = {}
        self._ended_in: dict[str, None] = {}
        self._passed_over: list[_Lane] = []
        self._behind: list[_Lane] = []
        self._left: OrderedDict[str, int] = OrderedDict()
        self._recorded: Ranking[str] = Ranking()
        self._recorded_of: dict[str, Ranking[_Lane]] = {}

    def __len__(self) -> int:
        return len(self._lane_of)

    @property
    def room(self) -> int:
        """Return how many more requests fit."""
        return max(0, self._size - len(self))

    @property
    def function_ids(self) -> set[str]:
        """Return the functions that something waits for."""
        return {lane.function_id for lane in self._lanes}

    @property
    def project_ids(self) -> set[str]:
        """Return the projects that something waits for."""
        return {lane.project_id for lane in self._lanes}

    def knows(self, request: Request) -> bool:
        """Say whether this attempt of a request is held, or has just left."""
        if request.request_id in self._lane_of:
            return True
        return self._left.get(request.request_id, -1) >= request.attempt + 1

    def get(self, request_id: str) -> Entry | None:
        """Return a request that is held."""
        lane = self._lane_of.get(request_id)
        return None if lane is None else self._lanes[lane][request_id]

    def unknown(self, found: Sequence[Request]) -> list[Request]:
        """Return those of the requests that would be taken in."""
        new = [request for request in found if not self.knows(request)]
        room = self.room
        return new[:room] + [
            request for request in new[room:] if self._gives_way(_lane(Entry(request, None)))
        ]

    def add(self, entry: Entry) -> bool:
        """Take a request in; ``False`` where it is known or there is no room (the sweep will)."""
        if self.knows(entry.request):
            return False
        lane = _lane(entry)
        if not self.room:
            victim = self._gives_way(lane)
            if victim is None:
                return False
            self.forget(next(reversed(self._lanes[victim].values())).request)
        if entry.call is None and len(self) >= self._size // _INPUTS_PART:
            entry = entry._replace(input=None)
        if lane not in self._lanes:
            self._turns.join(lane.project_id, lane)
        self._insert(entry, lane)
        return True

    def first(self) -> Entry | None:
        """Return the request whose turn it is."""
        lane = self._turns.first()
        if lane is None and self._behind:
            self.begin_again()
            lane = self._turns.first()
        return None if lane is None else next(iter(self._lanes[lane].values()))

    def leave(self, request: Request, attempt: int) -> None:
        """Note that this attempt of a request is out, and let go of it: its turn ends."""
        lane = self._lane_of.get(request.request_id)
        if lane is not None:
            self._turns.end(lane.project_id, lane)
            self._remove(request.request_id)
        self._left.pop(request.request_id, None)
        self._left[request.request_id] = attempt
        while len(self._left) > self._remember:
            self._left.popitem(last=False)

    def park(self, entry: Entry) -> None:
        """Set a waiting request, and what is behind it in its lane, aside until its function
        changes or a run of it ends.
        """
        lane = self._lane_of[entry.request.request_id]
        self._turns.leave(lane.project_id, lane)
        self._parked.setdefault(lane.function_id, set()).add(lane)

    def unpark(self, function_id: str) -> None:
        """Let what was parked for a function wait again."""
        self._join(self._parked.pop(function_id, ()))

    def park_for_quota(self, entry: Entry) -> None:
        """Set a waiting request, and what is behind it in its lane, aside until a run of its
        project ends.
        """
        lane = self._lane_of[entry.request.request_id]
        self._turns.leave(lane.project_id, lane)
        self._over_quota.setdefault(lane.project_id, {})[lane] = None

    def run_ended(self, project_id: str) -> None:
        """Let one lane of those that are parked for a project's quota wait again, the one that is
        parked longest: there is room for one more run.
        """
        if project_id in self._over_quota:
            self._ended_in[project_id] = None
            self._wake(project_id)

    def wake(self, has_room: Callable[[str], bool]) -> bool:
        """Let one lane more wait again of each project in which a run has ended and that has room
        still: what was woken before did not use it. Says whether there was any.
        """
        woken = False
        for project_id in list(self._ended_in):
            if project_id in self._over_quota and has_room(project_id):
                self._wake(project_id)
                woken = True
            else:
                del self._ended_in[project_id]
        return woken

    def _wake(self, project_id: str) -> None:
        lane = next(iter(self._over_quota[project_id]))
        self._not_over_quota(lane)
        self._join([lane])

    def _not_over_quota(self, lane: _Lane) -> None:
        parked = self._over_quota.get(lane.project_id, {})
        parked.pop(lane, None)
        if not parked:
            self._over_quota.pop(lane.project_id, None)

    def unpark_all(self) -> None:
        """Let everything that was parked wait again."""
        for function_id in list(self._parked):
            self.unpark(function_id)
        for lanes in self._over_quota.values():
            self._join(lanes)
        self._over_quota.clear()
        self._ended_in.clear()

    def shelve(self, entry: Entry) -> None:
        """Hold a request that is not to be run, out of the way of those behind it."""
        lane = self._lane_of[entry.request.request_id]
        self._remove(entry.request.request_id)
        self._insert(entry, lane._replace(kind="shelf"))

    def pass_over(self, entry: Entry) -> None:
        """Let the other lanes have their turns before a request that finds no room."""
        lane = self._lane_of[entry.request.request_id]
        self._turns.set_aside(lane.project_id, lane)
        self._passed_over.append(lane)

    def resume(self) -> None:
        """End a round: what was passed over takes turns again, once all others were looked at."""
        self._behind += self._passed_over
        self._passed_over.clear()
        if self._turns.first() is None:
            self.begin_again()

    def begin_again(self) -> None:
        """Let what former rounds passed over take turns where it was: there is room now, which is
        for whoever comes first, and not for whoever was not looked at yet.
        """
        for lane in reversed(self._behind):
            if lane in self._lanes:
                self._turns.come_back(lane.project_id, lane)
        self._behind.clear()

    def forget(self, request: Request) -> bool:
        """Let go of a request as if it had never been seen; says whether it was held."""
        held = request.request_id in self._lane_of
        if held:
            self._remove(request.request_id)
        return held

    def start_over(self) -> None:
        """Forget all that the store can tell again: another scheduler has acted meanwhile."""
        for request_id, lane in list(self._lane_of.items()):
            if self._lanes[lane][request_id].call is None:
                self._remove(request_id)
        self._left.clear()

    def clear(self) -> None:
        """Hold nothing any more, calls neither."""
        for request_id in list(self._lane_of):
            self._remove(request_id)
        self._left.clear()

    def expired(self, now: int) -> list[Entry]:
        """Return the requests whose time to wait is over."""
        return [
            entry
            for lane in self._lanes.values()
            for entry in lane.values()
            if entry.request.expires_at <= now
        ]

    def _join(self, lanes: Iterable[_Lane]) -> None:
        for lane in lanes:
            if lane in self._lanes:
                self._turns.join(lane.project_id, lane)

    def _insert(self, entry: Entry, lane: _Lane) -> None:
        entries = self._lanes.setdefault(lane, OrderedDict())
        entries[entry.request.request_id] = entry
        if _node_was_lost(entry.request):
            entries.move_to_end(entry.request.request_id, last=False)
        self._lane_of[entry.request.request_id] = lane
        if entry.call is None:
            self._recorded.add(lane.project_id)
            self._recorded_of.setdefault(lane.project_id, Ranking()).add(lane)

    def _remove(self, request_id: str) -> None:
        lane = self._lane_of.pop(request_id)
        entries = self._lanes[lane]
        if entries.pop(request_id).call is None:
            self._recorded.remove(lane.project_id)
            self._recorded_of[lane.project_id].remove(lane)
            if not self._recorded[lane.project_id]:
                del self._recorded_of[lane.project_id]
        if not entries:
            del self._lanes[lane]
            self._turns.leave(lane.project_id, lane)
            self._not_over_quota(lane)

    def _gives_way(self, lane: _Lane) -> _Lane | None:
        """Return the lane that must give up a request for one more in this lane, if one must."""
        richest, own = self._recorded.most(), self._recorded_of.get(lane.project_id)
        if richest is not None and self._recorded[richest] > self._recorded[lane.project_id] + 1:
            return self._recorded_of[richest].most()
        greatest = None if own is None else own.most()
        if own is None or greatest is None or own[greatest] <= own[lane] + 1:
            return None
        return greatest


def _lane(entry: Entry) -> _Lane:
    request = entry.request
    kind = request.kind if entry.call is None else "call"
    return _Lane(request.project_id, request.function_id, kind)


def _node_was_lost(request: Request) -> bool:
    return bool(request.attempts) and request.attempts[-1].reason == Reason.NODE_LOST
