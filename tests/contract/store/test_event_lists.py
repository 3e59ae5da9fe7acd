"""The lists of events: pages, orders, filters, projects."""

from typing import Any

from msgspec.structs import replace

from pratai_common.store.base import EventFilter, Page, Store
from tests.contract.store.conftest import Shows
from tests.contract.store.records import ALL, event, event_ids, walk


def listed(store: Store, page: Page, project_id: str | None = "p", **which: Any) -> list[str]:
    return event_ids(store.list_events(project_id, EventFilter(**which), page))


def test_pages_in_every_order(store: Store, shows: Shows) -> None:
    names = ["b", "A", "c_1", "a", "C", "B-2", "b2"]
    ages = [5, 3, 3, 9, 3, 5, 7]
    made = [
        event(number, name=name, created_at=age)
        for number, (name, age) in enumerate(zip(names, ages, strict=True))
    ]
    for each in (*made, event(50, project_id="q", name="q"), event(51, deleted_at=4)):
        store.create_event(each)
    shows(lambda: len(listed(store, ALL)), len(made))
    for sort in ("created_at", "name"):
        made.sort(key=lambda each, by=(sort, "event_id"): [getattr(each, name) for name in by])
        for descending in (True, False):
            expected = event_ids(reversed(made) if descending else made)
            for limit in (2, 7):
                page = Page(limit, None, sort, descending)  # type: ignore[arg-type]  # a Literal
                assert listed(store, page) == expected[:limit]
                assert walk(lambda page: listed(store, page), page) == expected


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"name": "event2"}, ["e2"]),
    ({"name": "event"}, []),
    ({"name": "event5"}, []),
    ({"source": "message"}, ["e4", "e2"]),
    ({"source": "published"}, ["e1"]),
    ({"source": "none"}, []),
    ({"name": "event2", "source": "message"}, ["e2"]),
    ({"name": "event2", "source": "database"}, []),
    ({}, ["e4", "e3", "e2", "e1"]),
]


def test_filters(store: Store, shows: Shows) -> None:
    store.create_event(event(1))
    store.create_event(event(2, source="message"))
    store.create_event(event(3, source="database"))
    store.create_event(event(4, source="published"))
    store.create_event(event(5, source="message", project_id="q"))
    store.create_event(event(6, source="message", deleted_at=9))
    store.change_event("e4", lambda old: replace(old, source="message"))
    shows(lambda: listed(store, ALL, source="message"), ["e4", "e2"])
    for which, expected in FILTERS:
        assert listed(store, ALL, **which) == expected, which
    assert walk(lambda page: listed(store, page, source="message"), Page(1)) == ["e4", "e2"]


def test_a_project_sees_its_own_and_an_administrator_all(store: Store, shows: Shows) -> None:
    for number, project in ((1, "p"), (2, "q"), (3, "p")):
        store.create_event(event(number, project_id=project, name=f"n{-number % 3}"))
    shows(lambda: listed(store, ALL), ["e3", "e1"])
    assert listed(store, ALL, "q") == ["e2"]
    assert listed(store, ALL, "") == listed(store, ALL, "P") == []
    assert listed(store, ALL, None) == ["e3", "e2", "e1"]
    assert walk(lambda page: listed(store, page, None), Page(1)) == ["e3", "e2", "e1"]
    by_name = Page(1, sort="name", descending=False)
    assert walk(lambda page: listed(store, page, None), by_name) == ["e3", "e2", "e1"]
    assert listed(store, ALL, None, name="n1") == ["e2"]


def test_markers(store: Store, shows: Shows) -> None:
    for number, project in ((1, "p"), (2, "q"), (3, "p"), (4, "p")):
        store.create_event(event(number, project_id=project))
    shows(lambda: listed(store, ALL), ["e4", "e3", "e1"])
    assert listed(store, Page(9, "e4")) == ["e3", "e1"]
    assert listed(store, Page(9, "e1")) == []
    assert listed(store, Page(9, "e2")) == []
    assert listed(store, Page(9, "none")) == listed(store, Page(9, "none"), None) == []
    store.change_event("e3", lambda old: replace(old, deleted_at=9))
    shows(lambda: listed(store, ALL), ["e4", "e1"])
    assert listed(store, Page(9, "e3")) == ["e1"]
    store.remove_event("e3")
    shows(lambda: listed(store, Page(9, "e3")), [])
