"""The store of a production installation: a cluster of Elasticsearch, one index a kind of record.

Writes are durable when a bulk request is acknowledged (``translog.durability: request``, on every
copy that is in sync). Reads by id are as last written, searches lag by one refresh.
"""

from collections.abc import Callable, Collection, Sequence

from oslo_config import cfg

from pratai_common.clock import now_ms
from pratai_common.records import (
    Body,
    Event,
    Function,
    LogChunk,
    Request,
    Status,
    Subscription,
    Version,
)
from pratai_common.store.base import (
    Code,
    Created,
    EventFilter,
    FunctionFilter,
    NewRequest,
    Page,
    Position,
    RequestChange,
    RequestFilter,
    Store,
    Waiting,
)
from pratai_common.store.elasticsearch_access import Access
from pratai_common.store.elasticsearch_client import Client, Settings
from pratai_common.store.elasticsearch_cluster import Cluster
from pratai_common.store.elasticsearch_events import Events
from pratai_common.store.elasticsearch_functions import Functions
from pratai_common.store.elasticsearch_indices import Layout
from pratai_common.store.elasticsearch_keys import Keys
from pratai_common.store.elasticsearch_requests import Requests
from pratai_common.store.elasticsearch_schema import Schema
from pratai_common.store.elasticsearch_subscriptions import Subscriptions
from pratai_common.store.elasticsearch_upgrade import LEASE, Upgrade
from pratai_common.store.parts import Delegating


class ElasticsearchStore(Delegating, Store):
    """See :class:`Store`. One object serves all threads of a process."""

    _cluster: Cluster

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._client = Client(settings)
        access = Access(self._client, layout, settings.timeout_seconds)
        self._cluster = Cluster(access)
        self._functions = Functions(access, now_ms)
        self._requests = Requests(access)
        self._events = Events(access, now_ms)
        self._subscriptions = Subscriptions(access)
        self._keys = Keys(access)
        upgrade = Upgrade(self._client, layout, self._cluster, now_ms)
        self._schema = Schema(self._client, layout, upgrade)

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "ElasticsearchStore":
        """Make the connection that the configuration names; no host has to be there."""
        options = conf.store
        replicas = options.replicas
        if replicas is None:
            replicas = 1 if len(options.hosts) > 1 else 0
        settings = Settings(
            hosts=tuple(options.hosts),
            timeout_seconds=options.timeout_seconds,
            ca_bundle=options.ca_bundle,
            username=options.username,
            password=options.password,
            api_key=options.api_key,
        )
        layout = Layout(options.index_prefix, options.shards, replicas, options.refresh_ms)
        return cls(settings, layout)

    def create_schema(self) -> None:
        """Make templates and indices that are not there, upgrade those of former releases."""
        self._schema.create()

    def schema_gaps(self) -> list[str]:
        """See Store."""
        return self._schema.gaps()

    def close(self) -> None:
        """Let what is under way end, and close the connections."""
        self._client.close()

    # Functions and versions

    def create_function(self, function: Function) -> None:
        """See Store."""
        self._functions.create(function)

    def get_functions(self, function_ids: Sequence[str]) -> dict[str, Function]:
        """See Store."""
        return self._functions.get(function_ids)

    def list_functions(
        self, project_id: str | None, which: FunctionFilter, page: Page
    ) -> list[Function]:
        """See Store."""
        return self._functions.listed(project_id, which, page)

    def count_code(self, project_id: str) -> Code:
        """See Store."""
        return self._functions.count_code(project_id)

    def function_of_endpoint(self, token: str) -> Function | None:
        """See Store."""
        return self._functions.of_endpoint(token)

    def change_function(
        self, function_id: str, apply: Callable[[Function], Function | None]
    ) -> Function | None:
        """See Store."""
        return self._functions.change(function_id, apply)

    def create_version(self, version: Version) -> bool:
        """See Store."""
        return self._functions.create_version(version)

    def list_versions(self, function_id: str) -> list[Version]:
        """See Store."""
        return self._functions.versions(function_id)

    def change_version(
        self, function_id: str, number: int, apply: Callable[[Version], Version | None]
    ) -> Version | None:
        """See Store."""
        return self._functions.change_version(function_id, number, apply)

    # Requests

    def create_requests(self, new: Sequence[NewRequest]) -> list[Created]:
        """See Store."""
        return self._requests.create(new)

    def get_requests(self, request_ids: Sequence[str]) -> dict[str, Request]:
        """See Store."""
        return self._requests.get(request_ids)

    def list_requests(
        self, project_id: str | None, which: RequestFilter, page: Page
    ) -> list[Request]:
        """See Store."""
        return self._requests.listed(project_id, which, page)

    def due_requests(
        self,
        now: int,
        limit: int,
        besides: Collection[str] = (),
        besides_projects: Collection[str] = (),
    ) -> list[Request]:
        """See Store."""
        return self._requests.due(now, limit, besides, besides_projects)

    def count_waiting(self) -> Waiting:
        """See Store."""
        return self._requests.count_waiting()

    def count_requests(self, project_id: str) -> dict[Status, int]:
        """See Store."""
        return self._requests.count(project_id)

    def running_requests(self, limit: int) -> list[Request]:
        """See Store."""
        return self._requests.running(limit)

    def following_requests(self, before: int, limit: int) -> list[Request]:
        """See Store."""
        return self._requests.following(before, limit)

    def change_requests(self, changes: Sequence[RequestChange]) -> list[Request | None]:
        """See Store."""
        return self._requests.change(changes)

    def get_input(self, request_id: str) -> Body | None:
        """See Store."""
        return self._requests.body(request_id, "input")

    def get_result(self, request_id: str) -> Body | None:
        """See Store."""
        return self._requests.body(request_id, "result")

    # Logs

    def add_log_chunks(self, chunks: Sequence[LogChunk]) -> None:
        """See Store."""
        self._requests.add_log_chunks(chunks)

    def log_chunks(
        self, request_id: str, after: Position | None = None, limit: int | None = None
    ) -> list[LogChunk]:
        """See Store."""
        return self._requests.log_chunks(request_id, after, limit)

    # Retention

    def delete_ended_requests(self, before: int, limit: int) -> int:
        """See Store. Not while indices are replaced: what is gone would be copied."""
        if self._cluster.held(LEASE, now_ms()):
            return 0
        return self._requests.delete_ended(before, limit)

    # Events

    def create_event(self, event: Event) -> None:
        """See Store."""
        self._events.create(event)

    def get_events(self, event_ids: Sequence[str]) -> dict[str, Event]:
        """See Store."""
        return self._events.get(event_ids)

    def list_events(self, project_id: str | None, which: EventFilter, page: Page) -> list[Event]:
        """See Store."""
        return self._events.listed(project_id, which, page)

    def sourced_events(self) -> list[Event]:
        """See Store."""
        return self._events.sourced()

    def change_event(self, event_id: str, apply: Callable[[Event], Event | None]) -> Event | None:
        """See Store."""
        return self._events.change(event_id, apply)

    def remove_event(self, event_id: str) -> None:
        """See Store."""
        self._events.remove(event_id)

    # Subscriptions

    def create_subscription(self, subscription: Subscription) -> None:
        """See Store."""
        self._subscriptions.create(subscription)

    def get_subscriptions(self, subscription_ids: Sequence[str]) -> dict[str, Subscription]:
        """See Store."""
        return self._subscriptions.get(subscription_ids)

    def list_subscriptions(self, kind: str, changed_since: int = 0) -> list[Subscription]:
        """See Store."""
        return self._subscriptions.of_kind(kind, changed_since)

    def count_subscriptions(self, project_id: str, kind: str) -> int:
        """See Store."""
        return self._subscriptions.count(project_id, kind)

    def subscriptions_of(self, function_id: str) -> list[Subscription]:
        """See Store."""
        return self._subscriptions.of_function(function_id)

    def subscriptions_to(self, event_ids: Sequence[str]) -> list[Subscription]:
        """See Store."""
        return self._subscriptions.to_events(event_ids)

    def change_subscription(
        self, subscription_id: str, apply: Callable[[Subscription], Subscription | None]
    ) -> Subscription | None:
        """See Store."""
        return self._subscriptions.change(subscription_id, apply)

    def delete_subscription(self, subscription_id: str) -> None:
        """See Store."""
        self._subscriptions.delete(subscription_id)
