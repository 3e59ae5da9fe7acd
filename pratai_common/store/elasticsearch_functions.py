"""Functions, their endpoints, versions and subscriptions: written rarely, read as they are.

What is listed as last written (versions, subscriptions) is written with a refresh: it is in every
search when its write returns.
"""

from collections.abc import Callable, Iterator, Sequence

from pratai_common.clock import Clock
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Function, Subscription, Version
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.base import FunctionFilter, Page
from pratai_common.store.elasticsearch_access import Access, Query, Source, all_of
from pratai_common.store.elasticsearch_answers import Hit, new_stamp, stamp_of, stored
from pratai_common.store.elasticsearch_claims import Claims


class Functions:
    """See the module, and Store for what each method does."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._claims = Claims(access, clock)

    def create(self, function: Function) -> None:
        """See Store.create_function."""
        self._claims.take_name(function)
        if function.endpoint_token is not None:
            self._claims.put_endpoint(function.endpoint_token, function.function_id)
        source = _function_source(function)
        if not _created(self._access, indices.FUNCTIONS, function.function_id, source):
            raise StoreUnavailableError(f"function {function.function_id} exists already")

    def get(self, function_ids: Sequence[str]) -> dict[str, Function]:
        """See Store.get_functions."""
        found = self._access.read(indices.FUNCTIONS, function_ids)
        return {function_id: stored(hit, Function).record for function_id, hit in found.items()}

    def listed(self, project_id: str | None, which: FunctionFilter, page: Page) -> list[Function]:
        """See Store.list_functions."""
        after = None
        if page.marker is not None:
            marked = self.get([page.marker]).get(page.marker)
            if marked is None or project_id not in (None, marked.project_id):
                return []
            after = [getattr(marked, page.sort), marked.function_id]
        sort = [(page.sort, page.descending), ("function_id", page.descending)]
        wanted = {name: value for name, value in which._asdict().items() if value is not None}
        owned = {} if project_id is None else {"project_id": project_id}
        query = all_of(living=True, **owned, **wanted)
        found = self._access.search(indices.FUNCTIONS, query, sort, page.limit, after)
        return [stored(hit, Function).record for hit in found]

    def of_endpoint(self, token: str) -> Function | None:
        """See Store.function_of_endpoint."""
        owner = self._claims.owner_of_endpoint(token)
        function = None if owner is None else self.get([owner]).get(owner)
        if function is None or function.endpoint_token != token:
            return None
        return function if function.deleted_at is None else None

    def change(
        self, function_id: str, apply: Callable[[Function], Function | None]
    ) -> Function | None:
        """See Store.change_function."""
        outdated: list[Hit] = []
        former: list[str] = []

        def prepared(old: Function) -> Function | None:
            """Make the change, and the claims that it needs before it is written."""
            new = apply(old)
            outdated.clear()
            former.clear()
            if new is not None:
                outdated.extend(self._moved_name(old, new))
                former.extend(self._moved_endpoint(old, new))
            return new

        after = self._access.change(
            indices.FUNCTIONS, function_id, Function, prepared, _function_source
        )
        for claim in outdated:
            self._claims.remove(claim)
        for token in former:
            self._claims.remove_endpoint(token)
        return after

    def _moved_name(self, old: Function, new: Function) -> list[Hit]:
        """Claim the name that a change gives; returns the claims that it leaves behind."""
        living = new.deleted_at is None
        same = (old.project_id, old.name) == (new.project_id, new.name)
        if living and same and old.deleted_at is None:
            return []
        claim = None if living and same else self._claims.name_of(old)
        if living:
            self._claims.take_name(new)
        return [] if claim is None else [claim]

    def _moved_endpoint(self, old: Function, new: Function) -> list[str]:
        """Make the endpoint that a change gives; returns the tokens that it leaves behind."""
        if old.endpoint_token == new.endpoint_token:
            return []
        if new.endpoint_token is not None:
            self._claims.put_endpoint(new.endpoint_token, new.function_id)
        return [] if old.endpoint_token is None else [old.endpoint_token]

    # Versions

    def create_version(self, version: Version) -> bool:
        """See Store.create_version."""
        name = _version_id(version.function_id, version.number)
        source = _version_source(version)
        return _created(self._access, indices.VERSIONS, name, source, refresh=True)

    def versions(self, function_id: str) -> list[Version]:
        """See Store.list_versions."""
        query = all_of(function_id=function_id)
        found = self._access.search(indices.VERSIONS, query, [("number", False)])
        return [stored(hit, Version).record for hit in found]

    def change_version(
        self, function_id: str, number: int, apply: Callable[[Version], Version | None]
    ) -> Version | None:
        """See Store.change_version."""
        name = _version_id(function_id, number)
        return self._access.change(
            indices.VERSIONS, name, Version, apply, _version_source, refresh=True
        )

    # Subscriptions

    def create_subscription(self, subscription: Subscription) -> None:
        """See Store.create_subscription."""
        name, source = subscription.subscription_id, _subscription_source(subscription)
        if not _created(self._access, indices.SUBSCRIPTIONS, name, source, refresh=True):
            raise StoreUnavailableError(f"subscription {name} exists already")

    def subscriptions(self, kind: str) -> list[Subscription]:
        """See Store.list_subscriptions."""
        found = list(self._subscriptions(all_of(kind=kind, enabled=True)))
        owners = self.get([each.function_id for each in found])
        return [
            each
            for each in found
            if (owner := owners.get(each.function_id)) and owner.enabled and not owner.deleted_at
        ]

    def subscriptions_of(self, function_id: str) -> list[Subscription]:
        """See Store.subscriptions_of."""
        found = self._subscriptions(all_of(function_id=function_id))
        return sorted(found, key=lambda each: (each.created_at, each.subscription_id))

    def change_subscription(
        self, subscription_id: str, apply: Callable[[Subscription], Subscription | None]
    ) -> Subscription | None:
        """See Store.change_subscription."""
        return self._access.change(
            indices.SUBSCRIPTIONS,
            subscription_id,
            Subscription,
            apply,
            _subscription_source,
            refresh=True,
        )

    def delete_subscription(self, subscription_id: str) -> None:
        """See Store.delete_subscription."""
        write = self._access.delete(indices.SUBSCRIPTIONS, subscription_id)
        self._access.write([write], refresh=True, repeatable=True)

    def _subscriptions(self, query: Query) -> Iterator[Subscription]:
        for hit in self._access.search(indices.SUBSCRIPTIONS, query, [("subscription_id", False)]):
            yield stored(hit, Subscription).record


def _created(
    access: Access, kind: str, name: str, source: Source, *, refresh: bool = False
) -> bool:
    """Create a document; ``False`` where another is there."""
    stamp = new_stamp()
    write = access.create(kind, name, {**source, "stamp": stamp})
    if access.write([write], refresh=refresh, repeatable=True)[0]:
        return True
    there = access.read(kind, [name]).get(name)
    return there is not None and stamp_of(there) == stamp


def _version_id(function_id: str, number: int) -> str:
    return f"{function_id}:{number}"


def _function_source(function: Function) -> Source:
    return {
        "function_id": function.function_id,
        "project_id": function.project_id,
        "living": function.deleted_at is None,
        "name": function.name,
        "status": function.status,
        "type": function.type,
        "event": function.event,
        "runtime": function.runtime,
        "created_at": function.created_at,
        "record": function,
    }


def _version_source(version: Version) -> Source:
    return {"function_id": version.function_id, "number": version.number, "record": version}


def _subscription_source(subscription: Subscription) -> Source:
    return {
        "subscription_id": subscription.subscription_id,
        "function_id": subscription.function_id,
        "kind": subscription.kind,
        "enabled": subscription.enabled,
        "record": subscription,
    }
