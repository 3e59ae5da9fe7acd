"""Subscriptions: written with a refresh, so that each is in every search when its write returns."""

from collections.abc import Callable, Sequence

from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Subscription
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.elasticsearch_access import Access, Query, Source, all_of
from pratai_common.store.elasticsearch_answers import stored


class Subscriptions:
    """See the module, and Store for what each method does."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def create(self, subscription: Subscription) -> None:
        """See Store.create_subscription."""
        name, source = subscription.subscription_id, _source(subscription)
        if not self._access.added(indices.SUBSCRIPTIONS, name, source, refresh=True):
            raise StoreUnavailableError(f"subscription {name} exists already")

    def get(self, subscription_ids: Sequence[str]) -> dict[str, Subscription]:
        """See Store.get_subscriptions."""
        found = self._access.read(indices.SUBSCRIPTIONS, subscription_ids)
        return {name: stored(hit, Subscription).record for name, hit in found.items()}

    def of_kind(self, kind: str, changed_since: int) -> list[Subscription]:
        """See Store.list_subscriptions."""
        found = self._found(all_of(_changed_since(changed_since), kind=kind, enabled=True))
        return [each for each in found if _changed_at(each) >= changed_since]

    def count(self, project_id: str, kind: str) -> int:
        """See Store.count_subscriptions."""
        found = self._found(all_of(_of_project(project_id), kind=kind))
        return sum(each.project_id == project_id for each in found)

    def of_function(self, function_id: str) -> list[Subscription]:
        """See Store.subscriptions_of."""
        found = self._found(all_of(function_id=function_id))
        return sorted(found, key=lambda each: (each.created_at, each.subscription_id))

    def to_events(self, event_ids: Sequence[str]) -> list[Subscription]:
        """See Store.subscriptions_to."""
        return self._found(all_of({"terms": {"event_id": list(event_ids)}}, enabled=True))

    def change(
        self, subscription_id: str, apply: Callable[[Subscription], Subscription | None]
    ) -> Subscription | None:
        """See Store.change_subscription."""
        return self._access.change(
            indices.SUBSCRIPTIONS, subscription_id, Subscription, apply, _source, refresh=True
        )

    def delete(self, subscription_id: str) -> None:
        """See Store.delete_subscription."""
        write = self._access.delete(indices.SUBSCRIPTIONS, subscription_id)
        self._access.write([write], refresh=True, repeatable=True)

    def _found(self, query: Query) -> list[Subscription]:
        found = self._access.search(indices.SUBSCRIPTIONS, query, [("subscription_id", False)])
        return [stored(hit, Subscription).record for hit in found]


def _changed_at(subscription: Subscription) -> int:
    changed_at = subscription.updated_at
    return subscription.created_at if changed_at is None else changed_at


def _changed_since(moment: int) -> Query:
    """Return the filter for what may have changed since then: documents that were written before
    they had the field do not say so.
    """
    unknown = {"bool": {"must_not": [{"exists": {"field": "changed_at"}}]}}
    return {"bool": {"should": [{"range": {"changed_at": {"gte": moment}}}, unknown]}}


def _of_project(project_id: str) -> Query:
    """Return the filter for what may be of a project, as ``_changed_since`` does."""
    unknown = {"bool": {"must_not": [{"exists": {"field": "project_id"}}]}}
    return {"bool": {"should": [{"term": {"project_id": project_id}}, unknown]}}


def _source(subscription: Subscription) -> Source:
    return {
        "subscription_id": subscription.subscription_id,
        "project_id": subscription.project_id,
        "function_id": subscription.function_id,
        "event_id": subscription.event_id,
        "kind": subscription.kind,
        "enabled": subscription.enabled,
        "changed_at": _changed_at(subscription),
        "record": subscription,
    }
