"""Row changes of a real PostgreSQL: each arrives, and is one request, whatever befalls whom."""

import io
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from pratai_agent.sources.base import Happened, Standby, StoppedError
from pratai_agent.sources.database import slot_name
from pratai_common.clock import now_ms
from pratai_common.publishing import Occurrence, Publisher
from pratai_common.store.base import Page, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Submitter
from tests.archives import in_folder
from tests.contract.database.served import KEYLESS, Doorway, Events, Take
from tests.contract.store.records import subscription
from tests.postgresql import Database
from tests.records import function
from tests.waiting import until


def test_rows_of_one_copy_have_ids_of_their_own(events: Events, database: Database) -> None:
    """Also of more than fit into a batch; the rows of one record of the log share its position."""
    count = 2500
    with events.serving(events.event()) as door:
        database.copy("keyed", io.StringIO("".join(f"{each},x\n" for each in range(count))))
        rows = door.until(count)
    assert [each["new"]["id"] for each in rows] == list(range(count))
    assert len({each["lsn"] for each in rows}) < count
    assert len({each.id for each in door.happened}) == count


def test_what_was_not_confirmed_is_told_again_with_the_same_ids(
    events: Events, database: Database
) -> None:
    """The agent ends before the slot went on, also in the middle of a transaction."""
    event = events.event()
    told: list[Happened] = []

    def dies_after(batches: int) -> Take:
        counted = iter(range(batches))

        def take(happened: Sequence[Happened]) -> None:
            told.extend(happened)
            if next(counted) == batches - 1:
                raise StoppedError

        return take

    with events.serving(event):
        pass
    for start in (0, 3000):
        database.copy("keyed", io.StringIO("".join(f"{start + each},x\n" for each in range(3000))))
    last = "UPDATE keyed SET name = 'y' WHERE id = 7"
    database.run(last)
    for batches in (1, 3, 5):
        database.until_idle()
        with events.serving(event, Doorway(dies_after(batches))) as door:
            until(lambda: door.ended, "the source has ended")
    database.until_idle()
    with events.serving(event) as door:
        until(lambda: door.rows and door.rows[-1]["operation"] == "update", "the last arrives")
    told += door.happened
    rows = {each.id: each.payload for each in told}
    assert len(rows) == 6001 < len(told)
    assert all(rows[each.id] == each.payload for each in told)


def test_each_row_has_one_request_of_each_function(
    events: Events, database: Database, tmp_path: Path
) -> None:
    """The agent dies between the record and the slot, and the database is stopped in between."""
    store = SQLiteStore(tmp_path / "pratai.db")
    store.create_schema()
    event = events.event(tables=["public.keyed"])
    store.create_event(event)
    for number in (1, 2):
        store.create_function(function(number, name=f"name{number}"))
        store.create_subscription(
            subscription(number, function_id=f"f{number}", kind="message", event_id=event.event_id)
        )
    publisher = Publisher(store, Submitter(store, in_folder(tmp_path), lambda _: None, now_ms))

    def record(happened: Sequence[Happened]) -> None:
        publisher.publish(
            [
                Occurrence(
                    event=event, id=each.id, payload=each.payload, attributes=each.attributes
                )
                for each in happened
            ]
        )

    def record_and_die(happened: Sequence[Happened]) -> None:
        record(happened)
        raise StoppedError

    with events.serving(event):
        pass
    database.copy("keyed", io.StringIO("".join(f"{each},x\n" for each in range(20))))
    database.until_idle()
    with events.serving(event, Doorway(record_and_die)) as door:
        until(lambda: door.ended, "the source has ended")
    with database.server.service.away():
        assert "Connection refused" in events.refused(event)
    database.reconnect()
    database.run("DELETE FROM keyed WHERE id < 10")
    with events.serving(event, Doorway(record)) as door:
        door.until(30)
    requests = store.list_requests("p", RequestFilter(), Page(1000))
    seen = [
        (each.function_id, row["operation"], (row["new"] or row["old"])["id"])
        for each in requests
        if (found := store.get_input(each.request_id)) and (row := json.loads(found.content or b""))
    ]
    rows = [("insert", each) for each in range(20)] + [("delete", each) for each in range(10)]
    assert sorted(seen) == sorted((name, *row) for name in ("f1", "f2") for row in rows)
    assert {each.source for each in requests} == {"database"}
    store.close()


def test_the_slot_goes_on_after_the_requests_are_recorded(
    events: Events, database: Database
) -> None:
    taking, recorded = threading.Event(), threading.Event()

    def take(_: Sequence[Happened]) -> None:
        taking.set()
        recorded.wait()

    event = events.event()
    slot = slot_name(event.event_id)
    with events.serving(event, Doorway(take)):
        before = database.position()
        database.run("INSERT INTO keyed VALUES (1, 'a')")
        assert taking.wait(60)
        assert database.confirmed(slot) <= before
        recorded.set()
        until(lambda: database.confirmed(slot) > before, "the slot goes on")
        # What concerns nobody lets it go on too: else the log would be kept for ever.
        end = database.position()
        database.run("CREATE TABLE another (id int)")
        until(lambda: database.confirmed(slot) > end, "the slot goes on")


def test_another_agent_stands_by(events: Events, database: Database) -> None:
    event = events.event()
    with events.serving(event) as door:
        with pytest.raises(Standby, match="is active for PID"):
            events.source(event, Doorway()).serve()
        database.run("INSERT INTO keyed VALUES (1, 'a')")
        door.until(1)
    database.run("INSERT INTO keyed VALUES (2, 'b')")
    database.until_idle()
    with events.serving(event) as other:
        assert other.states == [("connecting", None), ("running", KEYLESS)]
        assert [each["new"]["id"] for each in other.until(1)] == [2]
