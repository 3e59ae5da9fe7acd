"""How much a project has, counted when it is asked for: by indexes, and of nobody else."""

from sqlalchemy import Connection, func, select

from pratai_common.records import Status
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.base import Code


def code(connection: Connection, project_id: str) -> Code:
    """See Store.count_code."""
    functions, versions = schema.functions.c, schema.versions.c
    name, size = (schema.field(schema.versions, each) for each in ("archive_sha256", "size"))
    query = (
        select(functions.function_id, name, size)
        .join_from(
            schema.functions,
            schema.versions,
            versions.function_id == functions.function_id,
            isouter=True,  # a function has no version for a moment
        )
        .where(functions.project_id == project_id, functions.deleted.is_(False))
    )
    found = connection.execute(query).all()
    sizes = {row[1]: row[2] for row in found if row[1] is not None}
    return Code(len({row[0] for row in found}), sum(sizes.values()))


def requests(connection: Connection, project_id: str) -> dict[Status, int]:
    """See Store.count_requests."""
    table = schema.requests.c
    query = (
        select(table.status, func.count())
        .where(table.project_id == project_id, table.kind == "run")
        .group_by(table.status)
    )
    return {Status(status): number for status, number in connection.execute(query)}
