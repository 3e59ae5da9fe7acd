"""The lists of functions and requests: pages, orders, filters, projects."""

from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.records import Function, FunctionStatus, Status
from pratai_common.store.base import FunctionFilter, Page, RequestFilter, Store
from tests.contract.store.conftest import Shows
from tests.contract.store.records import ALL, create, ids, numbered, set_to, walk
from tests.records import function, request

ORDERS = [
    ("created_at", True),
    ("created_at", False),
    ("name", True),
    ("name", False),
]


def functions() -> list[Function]:
    """Functions with ages that several share, and names in another order."""
    names = ["b", "A", "c_1", "a", "C", "B-2", "b2"]
    ages = [5, 3, 3, 9, 3, 5, 7]
    return [
        function(number, name=name, created_at=age)
        for number, (name, age) in enumerate(zip(names, ages, strict=True))
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_of_functions_in_every_order(store: Store, shows: Shows, limit: int) -> None:
    made = functions()
    for each in made:
        store.create_function(each)
    store.create_function(function(50, project_id="q", name="q", created_at=4))
    store.create_function(function(51, name="gone", created_at=4))
    store.change_function("f51", lambda old: replace(old, deleted_at=5))

    def listed(page: Page) -> list[str]:
        found = store.list_functions("p", FunctionFilter(), page)
        return [each.function_id for each in found]

    shows(lambda: len(listed(ALL)), len(made))
    for sort, descending in ORDERS:
        key = "function_id"
        made.sort(key=lambda each, by=(sort, key): [getattr(each, name) for name in by])
        expected = [each.function_id for each in (reversed(made) if descending else made)]
        page = Page(limit, None, sort, descending)  # type: ignore[arg-type]  # a Literal
        assert listed(page) == expected[:limit]
        assert walk(listed, page) == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_of_requests_in_every_order(store: Store, shows: Shows, limit: int) -> None:
    ages = [5, 3, 3, 9, 3, 5, 7]
    made = [request(number, created_at=age) for number, age in enumerate(ages)]
    create(store, *made, request(50, project_id="q", created_at=4))
    create(store, request(51, kind="build", created_at=4))

    def listed(page: Page) -> list[str]:
        return ids(store.list_requests("p", RequestFilter(), page))

    shows(lambda: len(listed(ALL)), len(made))
    made.sort(key=lambda each: (each.created_at, each.request_id))
    for descending in (True, False):
        expected = ids(reversed(made)) if descending else ids(made)
        page = Page(limit, descending=descending)
        assert listed(page) == expected[:limit]
        assert walk(listed, page) == expected


def test_the_newest_come_first_unless_said_otherwise(store: Store, shows: Shows) -> None:
    create(store, *numbered(2, 3, 1))
    for number in (2, 3, 1):
        store.create_function(function(number))
    shows(lambda: store.list_requests("p", RequestFilter(), ALL), numbered(3, 2, 1))
    shows(
        lambda: store.list_functions("p", FunctionFilter(), ALL),
        [function(3), function(2), function(1)],
    )


FUNCTIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({"name": "three"}, ["f3"]),
    ({"name": "thre"}, []),
    ({"status": FunctionStatus.ACTIVE}, ["f4", "f2"]),
    ({"type": "wait_for_response"}, ["f3"]),
    ({"event": "timer"}, ["f4"]),
    ({"runtime": "other"}, ["f4", "f3"]),
    ({"runtime": "other", "status": FunctionStatus.BUILDING}, ["f3"]),
    ({"name": "f5"}, []),
    ({}, ["f4", "f3", "f2", "f1"]),
]


@pytest.mark.parametrize(("which", "expected"), FUNCTIONS)
def test_filters_of_functions(
    store: Store, shows: Shows, which: dict[str, Any], expected: list[str]
) -> None:
    store.create_function(function(1))
    store.create_function(function(2, status=FunctionStatus.ACTIVE))
    store.create_function(function(3, name="three", type="wait_for_response", runtime="other"))
    store.create_function(function(4, event="timer", runtime="other"))
    store.change_function("f4", lambda old: replace(old, status=FunctionStatus.ACTIVE))
    store.create_function(function(5, name="three", project_id="q", runtime="other"))

    def listed(page: Page) -> list[str]:
        found = store.list_functions("p", FunctionFilter(**which), page)
        return [each.function_id for each in found]

    shows(lambda: listed(ALL), expected)
    assert walk(listed, Page(1)) == expected
    assert walk(listed, Page(2, descending=False)) == expected[::-1]


REQUESTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"function_id": "f2"}, ["r005", "r004"]),
    ({"function_id": "none"}, []),
    ({"status": Status.SUCCESS}, ["r004", "r002"]),
    ({"status": Status.CANCELLED}, []),
    ({"source": "timer"}, ["r005", "r003"]),
    ({"source": "none"}, []),
    ({"dead": True}, ["r005", "r001"]),
    ({"dead": False}, ["r006", "r004", "r003", "r002"]),
    ({"function_id": "f2", "status": Status.SUCCESS}, ["r004"]),
    ({"function_id": "f1", "source": "timer"}, ["r003"]),
    ({"function_id": "f2", "dead": True}, ["r005"]),
    ({"status": Status.ERROR, "source": "http", "dead": True}, ["r001"]),
    ({"status": Status.ERROR, "dead": False}, []),
    ({}, ["r006", "r005", "r004", "r003", "r002", "r001"]),
]


@pytest.mark.parametrize(("which", "expected"), REQUESTS)
def test_filters_of_requests(
    store: Store, shows: Shows, which: dict[str, Any], expected: list[str]
) -> None:
    create(
        store,
        request(1),
        request(2, status=Status.SUCCESS),
        request(3, source="timer"),
        request(4, function_id="f2"),
        request(5, function_id="f2", source="timer", status=Status.ERROR, dead=True),
        request(6),
        request(7, project_id="q", source="timer", status=Status.SUCCESS, dead=True),
        request(8, kind="build", source="timer", status=Status.SUCCESS),
    )
    store.change_requests(
        [
            set_to("r001", status=Status.ERROR, dead=True),
            set_to("r004", status=Status.SUCCESS),
        ]
    )

    def listed(page: Page) -> list[str]:
        return ids(store.list_requests("p", RequestFilter(**which), page))

    shows(lambda: listed(ALL), expected)
    assert walk(listed, Page(1)) == expected
    assert walk(listed, Page(2, descending=False)) == expected[::-1]


def test_a_change_moves_a_request_between_lists(store: Store, shows: Shows) -> None:
    create(store, *numbered(1, 2))

    def listed() -> list[list[str]]:
        which = [RequestFilter(status=each) for each in (Status.QUEUED, Status.SUCCESS)]
        return [ids(store.list_requests("p", each, ALL)) for each in which]

    shows(listed, [["r002", "r001"], []])
    store.change_requests([set_to("r001", status=Status.SUCCESS)])
    shows(listed, [["r002"], ["r001"]])


def test_a_project_sees_its_own(store: Store, shows: Shows) -> None:
    create(store, request(1), request(2, project_id="q"))
    store.create_function(function(1))
    store.create_function(function(2, project_id="q"))
    for project, number in (("p", 1), ("q", 2)):
        mine = {"project_id": project}
        shows(
            lambda project=project: store.list_requests(project, RequestFilter(), ALL),
            [request(number, **mine)],
        )
        shows(
            lambda project=project: store.list_functions(project, FunctionFilter(), ALL),
            [function(number, **mine)],
        )
    assert store.list_requests("", RequestFilter(), ALL) == []
    assert store.list_functions("P", FunctionFilter(), ALL) == []
    theirs = RequestFilter(function_id="f1", status=Status.QUEUED, source="http", dead=False)
    assert store.list_requests("p", theirs, ALL) == [request(1)]
    assert store.list_requests("q", theirs, ALL) == [request(2, project_id="q")]


def test_a_list_may_be_of_all_projects(store: Store, shows: Shows) -> None:
    create(store, *numbered(1, 3), request(2, project_id="q", source="timer"))
    create(store, request(4, project_id="q", kind="build"))
    for number, project in ((1, "p"), (2, "q"), (3, "p")):
        store.create_function(function(number, project_id=project, name=f"n{-number % 3}"))

    def requests(page: Page, **which: Any) -> list[str]:
        return ids(store.list_requests(None, RequestFilter(**which), page))

    def functions(page: Page, **which: Any) -> list[str]:
        found = store.list_functions(None, FunctionFilter(**which), page)
        return [each.function_id for each in found]

    shows(lambda: requests(ALL), ["r003", "r002", "r001"])
    shows(lambda: functions(ALL), ["f3", "f2", "f1"])
    for limit in (1, 2, 4):
        assert walk(requests, Page(limit)) == ["r003", "r002", "r001"]
        assert walk(requests, Page(limit, descending=False)) == ["r001", "r002", "r003"]
        assert walk(functions, Page(limit)) == ["f3", "f2", "f1"]
        assert walk(functions, Page(limit, sort="name", descending=False)) == ["f3", "f2", "f1"]
    assert requests(ALL, source="timer") == ["r002"]
    assert functions(ALL, name="n1") == ["f2"]
    assert requests(Page(9, "none")) == functions(Page(9, "none")) == []


@pytest.mark.parametrize("descending", [True, False])
def test_behind_a_marker_of_nobody_or_of_others_there_is_nothing(
    store: Store, shows: Shows, descending: bool
) -> None:
    create(store, *numbered(1, 3), request(2, project_id="q"))
    for number, project in ((1, "p"), (2, "q"), (3, "p")):
        store.create_function(function(number, project_id=project))

    def listed(*markers: str) -> list[int]:
        page = Page(9, markers[0], descending=descending)
        requests = store.list_requests("p", RequestFilter(), page)
        functions = store.list_functions("p", FunctionFilter(), page._replace(marker=markers[1]))
        return [len(requests), len(functions)]

    first = ("r003", "f3") if descending else ("r001", "f1")
    last = ("r001", "f1") if descending else ("r003", "f3")
    shows(lambda: listed(*first), [1, 1])
    assert listed(*last) == [0, 0]
    assert listed("r002", "f2") == [0, 0]
    assert listed("none", "none") == [0, 0]
    assert listed("", "") == [0, 0]


def test_a_function_that_was_deleted_still_is_a_marker(store: Store, shows: Shows) -> None:
    for number in range(1, 6):
        store.create_function(function(number))

    def listed(page: Page) -> list[str]:
        found = store.list_functions("p", FunctionFilter(), page)
        return [each.function_id for each in found]

    shows(lambda: listed(Page(2)), ["f5", "f4"])
    store.change_function("f4", lambda old: replace(old, deleted_at=9))
    shows(lambda: listed(ALL), ["f5", "f3", "f2", "f1"])
    assert listed(Page(2, "f4")) == ["f3", "f2"]
    assert listed(Page(9, "f4", "name", False)) == ["f5"]


def test_a_request_outside_of_a_filter_still_is_a_marker(store: Store, shows: Shows) -> None:
    create(store, *numbered(1, 2, 3, 4))
    queued = RequestFilter(status=Status.QUEUED)
    shows(lambda: ids(store.list_requests("p", queued, Page(2))), ["r004", "r003"])
    store.change_requests([set_to("r003", status=Status.SUCCESS)])
    shows(lambda: ids(store.list_requests("p", queued, ALL)), ["r004", "r002", "r001"])
    assert ids(store.list_requests("p", queued, Page(2, "r003"))) == ["r002", "r001"]


def test_what_arrives_between_pages_moves_nothing(store: Store, shows: Shows) -> None:
    create(store, *numbered(1, 2, 3, 4))
    shows(lambda: ids(store.list_requests("p", RequestFilter(), Page(2))), ["r004", "r003"])
    create(store, request(5))
    shows(lambda: ids(store.list_requests("p", RequestFilter(), Page(1))), ["r005"])
    rest = store.list_requests("p", RequestFilter(), Page(2, "r003"))
    assert ids(rest) == ["r002", "r001"]
