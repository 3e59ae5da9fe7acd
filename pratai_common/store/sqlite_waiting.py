"""How many requests of each project wait: counts that the database keeps itself, by triggers, so
that nobody has to count and no write can forget them. A row a project.
"""

from sqlalchemy import Column, Connection, Integer, String, Table, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from pratai_common.records import Status
from pratai_common.store.base import Waiting
from pratai_common.store.sqlite_schema import METADATA, PENDING, requests

_COUNTS = Table(
    "waiting",
    METADATA,
    Column("project_id", String, primary_key=True),
    Column("number", Integer, nullable=False),
)
_WAITS = f"status IN ('{Status.QUEUED.value}', '{Status.SCHEDULED.value}')"
_MORE = (
    "INSERT INTO waiting (project_id, number) VALUES (NEW.project_id, 1)"
    " ON CONFLICT (project_id) DO UPDATE SET number = number + 1"
)
_LESS = "UPDATE waiting SET number = number - 1 WHERE project_id = OLD.project_id"
_TRIGGERS = {
    "waiting_created": f"AFTER INSERT ON requests WHEN NEW.{_WAITS} BEGIN {_MORE}; END",
    "waiting_again": "AFTER UPDATE OF status ON requests"
    f" WHEN NEW.{_WAITS} AND NOT OLD.{_WAITS} BEGIN {_MORE}; END",
    "waiting_no_more": "AFTER UPDATE OF status ON requests"
    f" WHEN OLD.{_WAITS} AND NOT NEW.{_WAITS} BEGIN {_LESS}; END",
    "waiting_deleted": f"AFTER DELETE ON requests WHEN OLD.{_WAITS} BEGIN {_LESS}; END",
}


def create(connection: Connection) -> None:
    """Make the triggers, and count what waits: it may have been written before they were there."""
    for name, trigger in _TRIGGERS.items():
        connection.exec_driver_sql(f"CREATE TRIGGER IF NOT EXISTS {name} {trigger}")
    project = requests.c.project_id
    counted = select(project, func.count()).where(PENDING).group_by(project)
    connection.execute(delete(_COUNTS))
    connection.execute(insert(_COUNTS).from_select(["project_id", "number"], counted))


def count(connection: Connection) -> Waiting:
    """Return the counts."""
    query = select(_COUNTS.c.project_id, _COUNTS.c.number).order_by(_COUNTS.c.project_id)
    by_project = {name: number for name, number in connection.execute(query) if number}
    return Waiting(sum(by_project.values()), by_project)
