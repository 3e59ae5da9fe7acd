"""Events: their names, their changes, and what becomes of those that are deleted."""

import pytest
from msgspec.structs import replace

from pratai_common.errors import NameTakenError
from pratai_common.records import Event, SourceState
from pratai_common.store.base import EventFilter, Store
from tests.contract.store.conftest import Open, Shows
from tests.contract.store.records import ALL, event, event_ids
from tests.records import function

RUNNING = SourceState(state="running", since=5, error="Ä", error_at=4, received=2**40)


def test_an_event_is_read_by_everyone_as_it_was_written(open_store: Open) -> None:
    store, other = open_store(), open_store()
    full = event(
        source="message",
        settings={"queue": "Ä", "args": {"x": [1, None]}},
        sealed="c2VhbGVk",
        all_projects=True,
        enabled=False,
        states={"agent-1": RUNNING},
    )
    store.create_event(full)
    store.create_event(event(2))
    assert other.get_events(["e1", "none", "e1"]) == {"e1": full}
    assert other.get_events([]) == {}


def test_others_see_a_new_event_in_lists_at_once(open_store: Open) -> None:
    """Nothing catches up here: who creates many in a row gets no more than the quota."""
    store, other = open_store(), open_store()
    store.create_event(event(1, source="message"))
    store.create_event(event(2))
    assert event_ids(other.sourced_events()) == ["e1"]
    assert event_ids(other.list_events("p", EventFilter(), ALL)) == ["e2", "e1"]


def test_a_name_is_unique_among_the_living_of_a_project(store: Store) -> None:
    store.create_event(event(1, name="same"))
    store.create_event(event(2, name="same", project_id="q"))
    store.create_event(event(4, name="Same"))
    with pytest.raises(NameTakenError, match="same"):
        store.create_event(event(3, name="same"))
    assert set(store.get_events(["e1", "e2", "e3", "e4"])) == {"e1", "e2", "e4"}


def test_a_function_and_an_event_may_have_one_name(store: Store) -> None:
    store.create_function(function(1, name="same"))
    store.create_event(event(1, name="same"))
    for create in (
        lambda: store.create_function(function(2, name="same")),
        lambda: store.create_event(event(2, name="same")),
    ):
        with pytest.raises(NameTakenError, match="same"):
            create()


def test_a_taken_name_is_not_given_by_a_change(store: Store) -> None:
    store.create_event(event(1, name="one"))
    store.create_event(event(2, name="two"))
    with pytest.raises(NameTakenError, match="one"):
        store.change_event("e2", lambda old: replace(old, name="one", description="new"))
    assert store.get_events(["e2"]) == {"e2": event(2, name="two")}
    store.change_event("e1", lambda old: replace(old, name="free"))
    changed = store.change_event("e2", lambda old: replace(old, name="one"))
    assert changed == event(2, name="one")
    store.create_event(event(3, name="two"))
    with pytest.raises(NameTakenError, match="free"):
        store.create_event(event(4, name="free"))


def test_a_change_returns_what_is_stored(open_store: Open) -> None:
    store, other = open_store(), open_store()
    store.create_event(event(source="database"))
    seen: list[Event] = []

    def apply(old: Event) -> Event:
        seen.append(old)
        return replace(old, states={**old.states, "a": RUNNING})

    changed = store.change_event("e1", apply)
    assert changed == event(source="database", states={"a": RUNNING})
    assert seen[-1] == event(source="database")
    assert other.change_event("e1", lambda _old: None) == changed
    assert other.get_events(["e1"]) == {"e1": changed}
    assert store.change_event("none", lambda old: replace(old, enabled=False)) is None


def test_a_deleted_event_is_kept_and_its_name_is_free(open_store: Open, shows: Shows) -> None:
    store, other = open_store(), open_store()
    for number in (1, 2):
        store.create_event(event(number))
    shows(lambda: event_ids(other.list_events("p", EventFilter(), ALL)), ["e2", "e1"])
    deleted = store.change_event("e1", lambda old: replace(old, deleted_at=5))
    assert other.get_events(["e1"]) == {"e1": deleted}
    shows(lambda: event_ids(other.list_events("p", EventFilter(), ALL)), ["e2"])
    other.create_event(event(3, name="event1"))
    with pytest.raises(NameTakenError, match="event1"):
        store.create_event(event(4, name="event1"))
    kept = store.change_event("e1", lambda old: replace(old, states={"a": RUNNING}))
    assert kept is not None
    assert (kept.deleted_at, kept.states) == (5, {"a": RUNNING})


def test_a_removed_event_is_gone_and_its_name_is_free_at_once(
    open_store: Open, shows: Shows
) -> None:
    store, other = open_store(), open_store()
    for number in (1, 2, 3):
        store.create_event(event(number, source="message"))
    store.change_event("e2", lambda old: replace(old, deleted_at=5))
    for name in ("e1", "e1", "e2", "none"):
        store.remove_event(name)
    assert set(other.get_events(["e1", "e2", "e3"])) == {"e3"}
    shows(lambda: event_ids(other.list_events("p", EventFilter(), ALL)), ["e3"])
    shows(lambda: event_ids(other.sourced_events()), ["e3"])
    assert other.change_event("e1", lambda old: replace(old, enabled=False)) is None
    for number, name in ((4, "event1"), (5, "event2")):
        other.create_event(event(number, name=name))
    store.remove_event("e1")
    with pytest.raises(NameTakenError, match="event1"):
        other.create_event(event(6, name="event1"))


def test_sourced_are_those_that_more_than_the_api_publishes_on(store: Store, shows: Shows) -> None:
    made = [
        event(5, source="message", deleted_at=9),
        event(2, source="notification", project_id="q"),
        event(4, source="published"),
        event(1, source="database", enabled=False),
        event(3, source="published", deleted_at=9),
    ]
    for each in made:
        store.create_event(each)
    shows(store.sourced_events, [made[3], made[1], made[0]])
    deleted = store.change_event("e2", lambda old: replace(old, deleted_at=7))
    shows(store.sourced_events, [made[3], deleted, made[0]])
