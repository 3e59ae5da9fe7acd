"""What happens on an event becomes a request of every function that subscribes to it.

Once for each function, however many of its subscriptions match: the cause of a request is what
happened, by the id that its source gives it, so telling of it again records nothing new.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pratai_common.listening import Listener, choose, listening
from pratai_common.records import Event
from pratai_common.store.base import Created, Store
from pratai_common.submit import Cause, Submitter, Trigger


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened on an event. ``id`` is unique on the event; ``payload`` is JSON text;
    ``attributes`` are those of CloudEvents 1.0. ``kind`` is that of the requests' cause, the
    event's own source where it is ``None``.
    """

    event: Event
    id: str
    payload: bytes
    attributes: dict[str, Any]
    kind: str | None = None
    not_before: int | None = None


class Publisher:
    """See the module. Raises StoreUnavailableError; then all of it is to be published again."""

    def __init__(self, store: Store, submitter: Submitter) -> None:
        self._store = store
        self._submitter = submitter

    def publish(self, occurrences: Sequence[Occurrence]) -> list[list[Created]]:
        """Record the requests that occurrences cause, in one write; returns them by occurrence.

        What happens on an event that is disabled or deleted causes none; nor does a function that
        is, get one.
        """
        triggers = self.triggers(occurrences)
        created = iter(self._submitter.run_all([one for some in triggers for one in some]))
        return [[next(created) for _ in some] for some in triggers]

    def triggers(self, occurrences: Sequence[Occurrence]) -> list[list[Trigger]]:
        """Return what occurrences run, by occurrence; nothing is recorded."""
        listeners = listening(self._store, [each.event.event_id for each in occurrences])
        return [_triggers(each, listeners.get(each.event.event_id, ())) for each in occurrences]


def _triggers(occurrence: Occurrence, listeners: Iterable[Listener]) -> list[Trigger]:
    event = occurrence.event
    if not event.enabled or event.deleted_at is not None:
        return []
    subscribed = (each for each in listeners if each.subscription.kind == "message")
    return [
        Trigger(
            function=function,
            user_id=subscription.user_id,
            cause=Cause(occurrence.kind or event.source, f"{event.event_id}/{occurrence.id}"),
            payload=occurrence.payload,
            attributes=occurrence.attributes,
            not_before=occurrence.not_before,
        )
        for subscription, function in choose(subscribed, lambda: occurrence.payload)
    ]
