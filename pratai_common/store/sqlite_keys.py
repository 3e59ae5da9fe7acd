"""API keys in the embedded store."""

from sqlalchemy import delete as sql_delete
from sqlalchemy import select

from pratai_common.api_key import ApiKey
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.parts import KeyRecords
from pratai_common.store.sqlite_access import Access


class Keys(KeyRecords):
    """See Store for what each method does."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def create_key(self, key: ApiKey) -> bool:
        """See Store.create_key."""
        return self._access.added(schema.api_keys, schema.api_key_row(key))

    def get_key(self, prefix: str) -> ApiKey | None:
        """See Store.get_key."""
        table = schema.api_keys
        query = select(table.c.doc).where(table.c.prefix == prefix)
        return next(iter(self._access.records(query, ApiKey)), None)

    def list_keys(self, project_id: str) -> list[ApiKey]:
        """See Store.list_keys."""
        table = schema.api_keys
        query = (
            select(table.c.doc)
            .where(table.c.project_id == project_id)
            .order_by(table.c.created_at, table.c.prefix)
        )
        return self._access.records(query, ApiKey)

    def delete_key(self, prefix: str) -> None:
        """See Store.delete_key."""
        table = schema.api_keys
        self._access.execute(sql_delete(table).where(table.c.prefix == prefix))
