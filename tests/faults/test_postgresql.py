"""The agent, or PostgreSQL, is killed in the middle of a thousand changes: each row that was
committed has exactly one request of each function.
"""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from pratai_common.store.base import Page, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from tests.packages import ECHO
from tests.postgresql import Database, PostgreSQL
from tests.stack import Stack
from tests.waiting import until

ROWS, AT_ONCE = 1000, 20


@pytest.fixture
def database(postgresql: PostgreSQL) -> Iterator[Database]:
    with postgresql.database() as made:
        made.run("CREATE TABLE orders (id serial PRIMARY KEY, batch int)")
        yield made


class Followed:
    """An event of a database, and two functions that subscribe to it."""

    def __init__(self, stack: Stack, database: Database) -> None:
        self._stack = stack
        self._database = database
        event = {
            "name": database.name,
            "source": "database",
            "settings": database.settings(tables=["public.orders"]),
            "password": database.server.password,
        }
        answer = stack.call("POST", "/v1/events", json=event)
        assert answer.status_code == 201, answer.text
        self.event_id = str(answer.json()["event_id"])
        self.functions = [
            stack.function(ECHO, event="message", subscribe_to=[self.event_id]) for _ in range(2)
        ]
        until(lambda: self.status() == "running", "the source runs")

    def status(self) -> str:
        return str(self._stack.get(f"/v1/events/{self.event_id}")["status"])

    def write(self, batch: int) -> None:
        self._database.run(
            "INSERT INTO orders (batch) SELECT %s FROM generate_series(1, %s)", batch, AT_ONCE
        )

    def committed(self) -> list[int]:
        return [row for (row,) in self._database.run("SELECT id FROM orders ORDER BY id")]

    def seen(self) -> dict[str, Counter[int]]:
        """Return how many requests of each function each row has."""
        with closing(SQLiteStore(self._stack.folder / "state" / "store.sqlite")) as store:
            return {each: self._rows(store, each) for each in self.functions}

    def _rows(self, store: SQLiteStore, function_id: str) -> Counter[int]:
        which = RequestFilter(function_id=function_id)
        found = store.list_requests("default", which, Page(2 * ROWS))
        bodies = [store.get_input(each.request_id) for each in found]
        return Counter(
            json.loads(each.content)["new"]["id"] for each in bodies if each and each.content
        )

    def check(self) -> None:
        """Wait until the last row has its requests; then each has one of each function."""
        rows = self.committed()
        last = rows[-1]
        until(lambda: all(last in each for each in self.seen().values()), "all rows arrive")
        assert self.seen() == {each: Counter(rows) for each in self.functions}

    def remove(self) -> None:
        assert self._stack.call("DELETE", f"/v1/events/{self.event_id}").status_code == 204
        until(lambda: not self._database.slots(), "the slot is dropped")


@pytest.fixture
def followed(null_stack: Stack, database: Database) -> Iterator[Followed]:
    """It leaves no slot behind: what PostgreSQL keeps for one is kept for ever."""
    followed = Followed(null_stack, database)
    yield followed
    followed.remove()


def test_the_agent_is_killed_while_rows_arrive(null_stack: Stack, followed: Followed) -> None:
    agent = null_stack.pids()["pratai-agent"][0]
    for batch in range(ROWS // AT_ONCE):
        followed.write(batch)
        if batch == 20:
            until(lambda: any(followed.seen().values()), "some have arrived")
            os.kill(agent, signal.SIGKILL)
    until(
        lambda: null_stack.pids().get("pratai-agent", [agent])[0] != agent, "it was started again"
    )
    assert len(followed.committed()) == ROWS
    followed.check()


def test_postgresql_is_killed_while_rows_arrive(followed: Followed, database: Database) -> None:
    for batch in range(ROWS // AT_ONCE):
        if batch == 20:
            until(lambda: any(followed.seen().values()), "some have arrived")
            with database.transaction() as open_one:
                open_one.execute("INSERT INTO orders (batch) VALUES (-1)")
                database.server.kill()
                with pytest.raises(psycopg2.OperationalError):
                    followed.write(batch)
            database.reconnect()
        followed.write(batch)
    assert len(followed.committed()) == ROWS
    followed.check()
