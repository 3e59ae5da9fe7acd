"""The slot that an event has in a real PostgreSQL: made, lost, made anew and dropped."""

import pytest
from msgspec.structs import replace

from pratai_agent.sources.base import SourceError, Standby
from pratai_agent.sources.database import slot_name
from tests.contract.database.served import KEYLESS, SLOT_WAITS, Doorway, Events
from tests.postgresql import Database
from tests.waiting import until


def test_an_event_that_is_deleted_leaves_no_slot(events: Events, database: Database) -> None:
    """Also where somebody still reads from it."""
    event, kept = events.event(), events.event()
    source, door = events.source(event, Doorway()), Doorway()
    with events.serving(kept):
        with pytest.raises(SourceError, match="terminat"), events.serving(event, door):
            source.clean()
        assert door.ended
        assert list(database.slots()) == [slot_name(kept.event_id)]
        source.clean()
        assert list(database.slots()) == [slot_name(kept.event_id)]
    with database.server.service.away(), pytest.raises(SourceError, match="Connection refused"):
        source.clean()
    database.reconnect()


def test_a_slot_that_somebody_dropped_is_made_anew(events: Events, database: Database) -> None:
    event = events.event()
    slot = slot_name(event.event_id)
    with events.serving(event):
        pass
    database.until_idle()
    database.run("SELECT pg_drop_replication_slot(%s)", slot)
    old = replace(event, updated_at=event.updated_at - 120_000)
    assert f"the replication slot {slot} was not there, and was made at " in events.refused(old)
    database.run("INSERT INTO keyed VALUES (1, 'a')")
    with events.serving(old) as door:
        door.until(1)
    assert door.states == [("connecting", None), ("running", KEYLESS)]


def test_a_slot_that_lost_its_log_is_made_anew(events: Events, database: Database) -> None:
    event = events.event()
    slot = slot_name(event.event_id)
    with events.serving(event):
        pass
    database.run("INSERT INTO keyed VALUES (1, 'a')")
    with database.set("max_slot_wal_keep_size", "1MB"):
        until(lambda: database.loses_log(slot), "the slot has lost its log")
        assert f"the replication slot {slot} had lost its log" in events.refused(event)
    database.run("INSERT INTO keyed VALUES (2, 'b')")
    with events.serving(event) as door:
        assert [each["new"]["id"] for each in door.until(1)] == [2]


def test_a_source_that_waits_for_the_database_stops_at_once(
    events: Events, database: Database
) -> None:
    """A slot is made when all open transactions have ended."""
    event, door = events.event(), Doorway()
    with database.transaction(), events.serving(event, door, until_state="connecting"):
        until(database.slots, "the slot is being made")
        assert door.states == [("connecting", None), ("connecting", SLOT_WAITS)]
        with pytest.raises(Standby, match="is active for PID"):  # of another agent
            events.source(event, Doorway()).serve()
        assert not door.ended
    assert door.ended
    database.until_idle()
