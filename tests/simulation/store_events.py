"""Events and subscriptions in a simulated store."""

import functools
from collections.abc import Callable, Sequence

from pratai_common.records import PUBLISHED, Event, Subscription
from pratai_common.store.base import EventFilter, Page
from tests.simulation.store_calls import Called, served
from tests.simulation.tables import found, matches, paged, require_free_name


class Events(Called):
    """See Store for what each method does."""

    @served
    def create_event(self, event: Event) -> None:
        require_free_name(self.contents.events, event.event_id, event)
        self.contents.events.rows[event.event_id] = event
        self.contents.events.refresh()

    @served
    def get_events(self, event_ids: Sequence[str]) -> dict[str, Event]:
        return found(self.contents.events.rows, event_ids)

    @served
    def list_events(self, project_id: str | None, which: EventFilter, page: Page) -> list[Event]:
        def shown(event: Event) -> bool:
            return event.deleted_at is None and matches(event, which)

        return paged(self.contents.events, project_id, shown, page)

    @served
    def sourced_events(self) -> list[Event]:
        events = self.contents.events.listed.values()
        sourced = (each for each in events if each.source != PUBLISHED)
        return sorted(sourced, key=lambda each: each.event_id)

    @served
    def change_event(self, event_id: str, apply: Callable[[Event], Event | None]) -> Event | None:
        table = self.contents.events
        return table.change(event_id, apply, functools.partial(require_free_name, table, event_id))

    @served
    def remove_event(self, event_id: str) -> None:
        self.contents.events.rows.pop(event_id, None)

    @served
    def create_subscription(self, subscription: Subscription) -> None:
        self.contents.subscriptions.rows[subscription.subscription_id] = subscription

    @served
    def get_subscriptions(self, subscription_ids: Sequence[str]) -> dict[str, Subscription]:
        return found(self.contents.subscriptions.rows, subscription_ids)

    @served
    def list_subscriptions(self, kind: str, changed_since: int = 0) -> list[Subscription]:
        listed = self.contents.subscriptions.listed.values()
        enabled = (each for each in listed if each.kind == kind and each.enabled)
        changed = (each for each in enabled if _changed(each) >= changed_since)
        return sorted(changed, key=lambda each: each.subscription_id)

    @served
    def count_subscriptions(self, project_id: str, kind: str) -> int:
        rows = self.contents.subscriptions.rows.values()
        return sum(each.project_id == project_id and each.kind == kind for each in rows)

    @served
    def subscriptions_of(self, function_id: str) -> list[Subscription]:
        rows = self.contents.subscriptions.rows.values()
        mine = (each for each in rows if each.function_id == function_id)
        return sorted(mine, key=lambda each: (each.created_at, each.subscription_id))

    @served
    def subscriptions_to(self, event_ids: Sequence[str]) -> list[Subscription]:
        rows = self.contents.subscriptions.rows.values()
        to_them = (each for each in rows if each.enabled and each.event_id in event_ids)
        return sorted(to_them, key=lambda each: each.subscription_id)

    @served
    def change_subscription(
        self, subscription_id: str, apply: Callable[[Subscription], Subscription | None]
    ) -> Subscription | None:
        return self.contents.subscriptions.change(subscription_id, apply)

    @served
    def delete_subscription(self, subscription_id: str) -> None:
        self.contents.subscriptions.rows.pop(subscription_id, None)


def _changed(subscription: Subscription) -> int:
    at = subscription.updated_at
    return subscription.created_at if at is None else at
