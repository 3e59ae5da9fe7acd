"""What follows from the end of a run: functions that subscribe to it run, and where it is a dead
letter it is published on the event that its function names.

The id of a request that follows comes from the one that it follows, so all of this can be done
again, from what is stored, and changes nothing then.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pratai_common.archives import Archives
from pratai_common.clock import Clock
from pratai_common.errors import ArchiveMissingError, ArchivesUnavailableError
from pratai_common.listening import Listener, choose, listening
from pratai_common.log_context import logged
from pratai_common.publishing import Occurrence, Publisher
from pratai_common.records import Body, Event, Function, Request, Subscription
from pratai_common.store.base import Changed, RequestChange, Store
from pratai_common.submit import Cause, Observe, Send, Submitter, Trigger
from pratai_scheduler.endings import Ended, attributes, dead_letter, failure, outcome

LOG = logging.getLogger(__name__)
_MOST_IN_A_SWEEP = 256
_LEFT_MS = 5000
"""So long after its end a request that is still ``following`` was left by a collector that died."""

_CLOCKS_MS = 60_000
"""By so much the clocks of API and collector may differ."""

_NULL = Body.inline(b"null")


class _Letter(NamedTuple):
    """A dead letter that is published, and what it runs."""

    occurrence: Occurrence
    triggers: Sequence[Trigger]


class FollowUps:
    """See the module."""

    def __init__(
        self,
        store: Store,
        archives: Archives,
        to_scheduler: Send,
        clock: Clock,
        submitted: Observe = lambda _request, _called: None,
    ) -> None:
        self._store = store
        self._archives = archives
        self._clock = clock
        self._submitter = Submitter(store, archives, to_scheduler, clock, observe=submitted)
        self._publisher = Publisher(store, self._submitter)

    def record(self, ended: Iterable[Ended]) -> set[str]:
        """Record what follows from ends. Repeatable.

        Returns the ids of the requests of which nothing was recorded, for want of the archives.
        """
        followed = [each for each in ended if outcome(each.request) is not None]
        if not followed:
            return set()
        listeners = listening(self._store, [each.request.function_id for each in followed])
        letters = self._letters([each.request for each in followed if each.request.dead])
        left: set[str] = set()
        triggers: list[Trigger] = []
        for each in followed:
            request = each.request
            with logged(request.request_id):
                try:
                    triggers += self._triggers(
                        each,
                        listeners.get(request.function_id, ()),
                        letters.get(request.request_id),
                    )
                except ArchivesUnavailableError as error:
                    LOG.error("what follows from its end was not recorded: %s", error)
                    left.add(request.request_id)
        self._submitter.run_all(triggers)
        self._unmark([each.request for each in followed if each.request.request_id not in left])
        return left

    def sweep(self) -> None:
        """Record what follows from ends that a collector has stored and came no further."""
        before = self._clock() - _LEFT_MS
        found = self._store.following_requests(before, _MOST_IN_A_SWEEP)
        self.record([Ended(request) for request in found])

    def _unmark(self, requests: Sequence[Request]) -> None:
        """Note that what follows is recorded."""
        marked = [each.request_id for each in requests if each.following]
        if marked:
            self._store.change_requests([RequestChange(each, _followed) for each in marked])

    def _triggers(
        self, ended: Ended, listeners: Iterable[Listener], letter: _Letter | None
    ) -> list[Trigger]:
        """Return all that follows from one end: each has an equal share of what may descend."""
        follow = self._responses(ended, listeners)
        if letter is not None and letter.triggers:
            body = self._archives.keep(letter.occurrence.payload)
            follow += [replace(each, payload=body) for each in letter.triggers]
        budget = _share(ended.request, len(follow))
        if budget < 0:
            LOG.warning("%d requests would follow: more than a chain may have", len(follow))
            follow = follow[:1]  # its record says so, and one is enough
        return [replace(each, parent=ended.request, budget=budget) for each in follow]

    # Responses

    def _responses(self, ended: Ended, listeners: Iterable[Listener]) -> list[Trigger]:
        request, came = ended.request, outcome(ended.request)
        wanted = [
            each
            for each in listeners
            if each.subscription.kind == "response"
            and each.subscription.outcome in ("any", came)
            and each.function.project_id == request.project_id
            and not _came_later(each.subscription, request)
        ]
        if not wanted:
            return []
        body = self._data(ended)
        return [
            Trigger(
                function=function,
                user_id=subscription.user_id,
                cause=Cause("response", request.request_id),
                payload=body,
                attributes=attributes(request, f"response.{came}"),
            )
            for subscription, function in choose(wanted, lambda: self._text(body))
        ]

    def _data(self, ended: Ended) -> Body:
        """Return what followers get: the very result, or what is told of a failure."""
        request_id = ended.request.request_id
        if outcome(ended.request) == "success":
            return ended.output or self._store.get_result(request_id) or _NULL
        told = failure(ended.request, self._store.get_input(request_id))
        return self._archives.keep(told)

    def _text(self, body: Body) -> bytes | None:
        """Return a body's text, ``None`` where it is lost."""
        try:
            return self._archives.read(body)
        except ArchiveMissingError as error:
            LOG.error("its result is lost: %s", error)
            return None

    # Dead letters

    def _letters(self, dead: Sequence[Request]) -> dict[str, _Letter]:
        """Return those of dead letters that are published, by request."""
        if not dead:
            return {}
        functions = self._store.get_functions(sorted({each.function_id for each in dead}))
        named = {each.on_failure for each in functions.values() if each.on_failure is not None}
        events = self._store.get_events(sorted(named)) if named else {}
        published: list[Occurrence] = []
        for request in dead:
            function = functions.get(request.function_id)
            event = None if function is None else events.get(function.on_failure or "")
            if function and event and event.project_id == request.project_id:
                published.append(self._occurrence(request, function, event))
        triggers = self._publisher.triggers(published) if published else []
        letters = map(_Letter, published, triggers)
        return {each.occurrence.id: each for each in letters}

    def _occurrence(self, request: Request, function: Function, event: Event) -> Occurrence:
        return Occurrence(
            event=event,
            id=request.request_id,
            payload=dead_letter(request, function, self._store.get_input(request.request_id)),
            attributes=attributes(request, "dead_letter"),
            kind="dead_letter",
        )


def _came_later(subscription: Subscription, request: Request) -> bool:
    """Say whether somebody began to listen when a request had ended long ago: its result may come
    again, from a node that was away.
    """
    since = subscription.created_at if subscription.since is None else subscription.since
    return since > (request.finished_at or request.created_at) + _CLOCKS_MS


def _share(parent: Request, children: int) -> int:
    """Return how many requests may descend from each child of a request; below 0, none may be."""
    return (parent.chain_budget - children) // max(1, children)


def _followed(request: Request) -> Changed | None:
    return Changed(replace(request, following=False)) if request.following else None
