"""Events: read rarely where nothing publishes on them, changed as their sources come and go."""

from collections.abc import Callable, Sequence

from pratai_common.clock import Clock
from pratai_common.records import PUBLISHED, Event
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.base import EventFilter, Page
from pratai_common.store.elasticsearch_access import Access, Query, Source
from pratai_common.store.elasticsearch_claims import Claims
from pratai_common.store.elasticsearch_named import Named

_SOURCED: Query = {"bool": {"must_not": [{"term": {"source": PUBLISHED}}]}}


class Events:
    """See Store for what each method does."""

    def __init__(self, access: Access, clock: Clock) -> None:
        claims = Claims(access, clock)
        self._named = Named(access, claims, indices.EVENTS, Event, "event_id", _columns)

    def create(self, event: Event) -> None:
        """See Store.create_event."""
        self._named.create(event, refresh=True)

    def get(self, event_ids: Sequence[str]) -> dict[str, Event]:
        """See Store.get_events."""
        return self._named.get(event_ids)

    def listed(self, project_id: str | None, which: EventFilter, page: Page) -> list[Event]:
        """See Store.list_events."""
        return self._named.listed(project_id, which, page)

    def sourced(self) -> list[Event]:
        """See Store.sourced_events."""
        return self._named.matching(_SOURCED)

    def change(self, event_id: str, apply: Callable[[Event], Event | None]) -> Event | None:
        """See Store.change_event."""
        return self._named.change(event_id, apply)

    def remove(self, event_id: str) -> None:
        """See Store.remove_event."""
        self._named.remove(event_id)


def _columns(event: Event) -> Source:
    return {"source": event.source}
