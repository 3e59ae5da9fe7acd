"""What requests cause: which have ended and may not have been followed yet, and who descends from
whom.
"""

from typing import Any

from pratai_common.records import Request, Status
from pratai_common.store.base import Page, RequestChange, RequestFilter, Store
from tests.contract.store.conftest import Open, Shows
from tests.contract.store.records import ALL, create, ids, numbered, set_to, settled, walk
from tests.records import request

MOMENT = 100


def following(store: Store, before: int = MOMENT, limit: int = 10) -> list[str]:
    return ids(store.following_requests(before, limit))


def test_the_longest_ended_are_followed_first(store: Store, shows: Shows) -> None:
    ended = {"r1": 30, "r2": 10, "r3": 50, "r4": 20, "r5": 40}
    create(
        store,
        *(
            request(
                request_id=name,
                status=Status.SUCCESS,
                following=True,
                created_at=60 - at,
                finished_at=at,
            )
            for name, at in ended.items()
        ),
    )
    shows(lambda: following(store), ["r2", "r4", "r1", "r5", "r3"])
    assert following(store, limit=2) == ["r2", "r4"]
    assert following(store, before=30) == ["r2", "r4"]
    assert following(store, before=31) == ["r2", "r4", "r1"]
    assert following(store, before=10) == []


def test_only_what_has_ended_is_followed(store: Store, shows: Shows) -> None:
    flagged = [
        request(request_id=each.value, status=each, following=True, finished_at=number)
        for number, each in enumerate(Status)
    ]
    others = [request(number, status=each) for number, each in enumerate(Status)]
    create(store, *flagged, *others)
    shows(lambda: following(store), ["success", "error", "timeout", "cancelled"])
    store.change_requests([set_to("running", status=Status.ERROR, finished_at=50)])
    shows(lambda: following(store), ["success", "error", "timeout", "cancelled", "running"])


def test_what_was_followed_is_so_no_more(open_store: Open, shows: Shows) -> None:
    store, other = open_store(), open_store()
    ended = {"status": Status.SUCCESS, "following": True}
    made = [
        request(1, finished_at=5, **ended),
        request(2, project_id="q", finished_at=6, **ended),
        request(3, finished_at=7, event={"id": "ä"}, **ended),
    ]
    create(store, *made)
    shows(lambda: other.following_requests(MOMENT, 10), made)
    after = store.change_requests([set_to("r002", following=False)])
    assert after == [request(2, project_id="q", finished_at=6, status=Status.SUCCESS)]
    shows(lambda: following(other), ["r001", "r003"])
    store.change_requests([set_to(each, following=False) for each in ("r001", "r003")])
    shows(lambda: following(other), [])


def test_one_that_was_created_without_an_end_is_followed_by_its_age(
    store: Store, shows: Shows
) -> None:
    create(store, request(9, status=Status.ERROR, following=True), request(8, following=True))
    shows(lambda: following(store), ["r009"])
    assert following(store, before=9) == []
    store.change_requests([RequestChange("r008", settled())])
    shows(lambda: following(store), ["r008", "r009"])


def family() -> list[Request]:
    """A root, its two children, one's three of one age, and a stranger with a child; and what is
    in no list of the project.
    """
    return [
        request(1),
        request(2, parent_id="r001", root_id="r001", depth=1, status=Status.SUCCESS),
        request(3, parent_id="r001", root_id="r001", depth=1, function_id="f2"),
        *numbered(4, 5, 6, parent_id="r002", root_id="r001", depth=2, created_at=4),
        request(7),
        request(8, parent_id="r007", root_id="r007", depth=1),
        request(9, parent_id="r001", root_id="r001", kind="build"),
        request(10, parent_id="r001", root_id="r001", project_id="q"),
    ]


FAMILIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"parent_id": "r001"}, ["r003", "r002"]),
    ({"parent_id": "r002"}, ["r006", "r005", "r004"]),
    ({"parent_id": "r008"}, []),
    ({"parent_id": "none"}, []),
    ({"root_id": "r001"}, ["r006", "r005", "r004", "r003", "r002"]),
    ({"root_id": "r002"}, []),
    ({"root_id": "r007"}, ["r008"]),
    ({"root_id": "r001", "parent_id": "r001"}, ["r003", "r002"]),
    ({"root_id": "r001", "status": Status.SUCCESS}, ["r002"]),
    ({"root_id": "r001", "function_id": "f2"}, ["r003"]),
    ({}, ["r008", "r007", "r006", "r005", "r004", "r003", "r002", "r001"]),
]


def test_descendants_are_listed_in_pages(store: Store, shows: Shows) -> None:
    create(store, *family())

    def listed(page: Page, project: str | None = "p", **which: Any) -> list[str]:
        return ids(store.list_requests(project, RequestFilter(**which), page))

    shows(lambda: len(listed(ALL)), 8)
    for which, expected in FAMILIES:
        assert listed(ALL, **which) == expected, which
        backwards = Page(3, descending=False)
        assert walk(lambda page, which=which: listed(page, **which), backwards) == expected[::-1]
    assert walk(lambda page: listed(page, parent_id="r002"), Page(1)) == ["r006", "r005", "r004"]
    assert listed(ALL, "q", parent_id="r001") == ["r010"]
    assert set(listed(ALL, None, parent_id="r001")) == {"r002", "r003", "r010"}
