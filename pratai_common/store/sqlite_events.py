"""Events, and who subscribes to what, in the embedded store."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Select, func, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.dialects.sqlite import insert

from pratai_common.records import Event, Subscription
from pratai_common.store import sqlite_rows as rows
from pratai_common.store import sqlite_schema as schema
from pratai_common.store import sqlite_statements as statements
from pratai_common.store.base import EventFilter, Page
from pratai_common.store.sqlite_access import Access


class Events:
    """See Store for what each method does."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def create(self, event: Event) -> None:
        """See Store.create_event."""

        def work(connection: Connection) -> None:
            _require_free_name(connection, event)
            connection.execute(insert(schema.events).values(schema.event_row(event)))

        self._access.writer.run(work)

    def get(self, event_ids: Sequence[str]) -> dict[str, Event]:
        """See Store.get_events."""
        table = schema.events
        wanted = statements.among(table.c.event_id, statements.as_list(event_ids))
        found = self._access.records(select(table.c.doc).where(wanted), Event)
        return {each.event_id: each for each in found}

    def listed(self, project_id: str | None, which: EventFilter, page: Page) -> list[Event]:
        """See Store.list_events."""
        table = schema.events
        query = select(table.c.doc).where(table.c.deleted.is_(False))
        for name, value in which._asdict().items():
            if value is not None:
                query = query.where(table.c[name] == value)
        return self._access.records(
            rows.paged(query, table, table.c.event_id, project_id, page), Event
        )

    def sourced(self) -> list[Event]:
        """See Store.sourced_events."""
        table = schema.events
        query = select(table.c.doc).where(schema.SOURCED).order_by(table.c.event_id)
        return self._access.records(query, Event)

    def change(self, event_id: str, apply: Callable[[Event], Event | None]) -> Event | None:
        """See Store.change_event."""
        table = schema.events

        def work(connection: Connection) -> Event | None:
            where = table.c.event_id == event_id
            after = rows.change(connection, table, where, Event, apply, schema.event_row)
            if after is not None and after.deleted_at is None:
                _require_free_name(connection, after)
            return after

        return self._access.writer.run(work)

    def remove(self, event_id: str) -> None:
        """See Store.remove_event."""
        self._access.execute(sql_delete(schema.events).where(schema.events.c.event_id == event_id))


class Subscriptions:
    """See Store for what each method does."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def create(self, subscription: Subscription) -> None:
        """See Store.create_subscription."""
        row = schema.subscription_row(subscription)
        self._access.execute(insert(schema.subscriptions).values(row))

    def get(self, subscription_ids: Sequence[str]) -> dict[str, Subscription]:
        """See Store.get_subscriptions."""
        table = schema.subscriptions
        wanted = statements.among(table.c.subscription_id, statements.as_list(subscription_ids))
        found = self._access.records(select(table.c.doc).where(wanted), Subscription)
        return {each.subscription_id: each for each in found}

    def of_kind(self, kind: str, changed_since: int) -> list[Subscription]:
        """See Store.list_subscriptions."""
        table = schema.subscriptions
        query = select(table.c.doc).where(
            table.c.kind == kind,
            table.c.enabled.is_(True),
            changed_since <= schema.SUBSCRIPTION_CHANGED_AT,
        )
        return self._by_id(query)

    def count(self, project_id: str, kind: str) -> int:
        """See Store.count_subscriptions."""
        table = schema.subscriptions
        query = (
            select(func.count())
            .select_from(table)
            .where(schema.field(table, "project_id") == project_id, table.c.kind == kind)
        )
        return self._access.read(lambda connection: connection.execute(query).scalar_one())

    def of(self, function_id: str) -> list[Subscription]:
        """See Store.subscriptions_of."""
        table = schema.subscriptions
        query = select(table.c.doc).where(table.c.function_id == function_id)
        found = self._access.records(query, Subscription)
        return sorted(found, key=lambda each: (each.created_at, each.subscription_id))

    def change(
        self, subscription_id: str, apply: Callable[[Subscription], Subscription | None]
    ) -> Subscription | None:
        """See Store.change_subscription."""
        table = schema.subscriptions
        where = table.c.subscription_id == subscription_id
        return self._access.change(table, where, Subscription, apply, schema.subscription_row)

    def delete(self, subscription_id: str) -> None:
        """See Store.delete_subscription."""
        table = schema.subscriptions
        self._access.execute(sql_delete(table).where(table.c.subscription_id == subscription_id))

    def _by_id(self, query: Select[tuple[bytes]]) -> list[Subscription]:
        """Return what a query finds in order. Asked for it, SQLite would read them all in order."""
        found = self._access.records(query, Subscription)
        return sorted(found, key=lambda each: each.subscription_id)


def _require_free_name(connection: Connection, event: Event) -> None:
    table = schema.events
    rows.require_free_name(connection, table, table.c.event_id, event, event.event_id)
