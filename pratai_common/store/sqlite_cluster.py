"""What daemons tell one another by way of the embedded store: signs of life, leases, marks."""

from sqlalchemy import Connection, func, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.sqlite import insert

from pratai_common.records import Daemon
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.parts import Coordination, Lease
from pratai_common.store.sqlite_access import Access


class Cluster(Coordination):
    """See Store for what each method does."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def put_daemon(self, daemon: Daemon) -> None:
        """See Store.put_daemon."""
        row = schema.daemon_row(daemon)
        statement = insert(schema.daemons).values(row)
        self._access.execute(statement.on_conflict_do_update(set_={"doc": row["doc"]}))

    def list_daemons(self) -> list[Daemon]:
        """See Store.list_daemons."""
        table = schema.daemons
        order = (table.c.daemon_type, table.c.daemon_id)
        return self._access.records(select(table.c.doc).order_by(*order), Daemon)

    def remove_daemon(self, daemon_type: str, daemon_id: str) -> None:
        """See Store.remove_daemon."""
        table = schema.daemons
        self._access.execute(
            sql_delete(table).where(
                table.c.daemon_type == daemon_type, table.c.daemon_id == daemon_id
            )
        )

    def acquire_lease(self, name: str, holder: str, now: int, duration_ms: int) -> Lease | None:
        """See Store.acquire_lease."""
        table = schema.leases

        def work(connection: Connection) -> Lease | None:
            row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
            if row and row["holder"] != holder and row["ends_at"] > now:
                return None
            same = row is not None and row["holder"] == holder
            epoch = (row["epoch"] if row else 0) + (0 if same else 1)
            values = {"holder": holder, "epoch": epoch, "ends_at": now + duration_ms}
            statement = insert(table).values(name=name, **values)
            connection.execute(statement.on_conflict_do_update(set_=values))
            return Lease(holder, epoch)

        return self._access.writer.run(work)

    def release_lease(self, name: str, holder: str) -> None:
        """See Store.release_lease."""
        table = schema.leases
        self._access.execute(
            sql_update(table)
            .where(table.c.name == name, table.c.holder == holder)
            .values(ends_at=0, holder="")
        )

    def put_mark(self, name: str, value: int) -> None:
        """See Store.put_mark."""
        table = schema.marks
        higher = {"value": func.max(table.c.value, value)}
        statement = insert(table).values(name=name, value=value)
        self._access.execute(statement.on_conflict_do_update(set_=higher))

    def get_mark(self, name: str) -> int | None:
        """See Store.get_mark."""
        table = schema.marks
        query = select(table.c.value).where(table.c.name == name)
        return self._access.read(lambda connection: connection.execute(query).scalar())
