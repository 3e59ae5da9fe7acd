"""Requests: created once, changed each alone, with bodies that are written once."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pratai_common.records import Body, Request, ResponseHead, Status, Timing
from pratai_common.store.base import Changed, NewRequest, RequestChange, Store
from tests.contract.store.conftest import Open
from tests.contract.store.records import body, create, numbered, set_to, settled
from tests.records import attempt, request

FULL: dict[str, Any] = {
    "kind": "build",
    "event": {"id": "ä", "subject": {"n": [1, 1.5, None, True]}},
    "parent_id": "parent",
    "root_id": "root",
    "depth": 3,
    "chain_budget": 9,
    "following": True,
    "caller_project_id": "another",
    "most_runs": 3,
    "replay_of": "other",
    "retries": 2,
    "reply_to": "api-1",
    "cancel_requested_at": 7,
    "dead": True,
    "status": Status.TIMEOUT,
    "reason": "timeout",
    "message": 'a "quoted" \n line, \u2028 ö',
    "version": 4,
    "attempts": (attempt(1, finished_at=2, reason="oom", message="m"), attempt(2)),
    "input_sha256": "s",
    "started_at": 2**41,
    "finished_at": 2**41 + 1,
    "queue_ms": 3,
    "init_ms": 0.125,
    "run_ms": 1e-3,
    "cold": True,
    "isolation": "container",
    "node": "n",
    "peak_memory": 2**40,
    "log_chunks": 5,
    "response": ResponseHead(status=201, headers={"X-A": "b"}, encoding="base64"),
    "timing": Timing(accepted=2**50, settled=2**50 + 1),
}


def test_every_field_is_read_by_everyone_as_it_was_written(open_store: Open) -> None:
    store, other = open_store(), open_store()
    full = request(1, **FULL)
    for each in msgspec.structs.fields(Request):
        assert getattr(full, each.name) != each.default, f"{each.name} is not tried"
    create(store, full, request(2))
    assert other.get_requests(["r001", "r002"]) == {"r001": full, "r002": request(2)}
    changed = store.change_requests([set_to("r002", **FULL)])
    assert other.get_requests(["r002"])["r002"] == changed[0] == request(2, **FULL)


def test_a_request_is_created_once(open_store: Open) -> None:
    store, other = open_store(), open_store()
    first = store.create_requests([NewRequest(request(1), body()), NewRequest(request(2), None)])
    assert first == [(request(1), True), (request(2), True)]
    again = other.create_requests(
        [
            NewRequest(request(3), body(b"3")),
            NewRequest(request(1, user_id="other"), body(b"other"), body(b"result")),
            NewRequest(request(2, user_id="other"), body(b"other")),
        ]
    )
    assert again == [(request(3), True), (request(1), False), (request(2), False)]
    assert [store.get_input(each) for each in ("r001", "r002", "r003")] == [
        body(),
        None,
        body(b"3"),
    ]
    assert store.get_result("r001") is None
    found = store.get_requests(["r001", "r002", "r003"])
    assert found == {each.request_id: each for each in numbered(1, 2, 3)}


def test_what_is_there_is_returned_as_it_is_now(store: Store) -> None:
    create(store, request(1))
    changed = store.change_requests([set_to("r001", status=Status.RUNNING)])
    assert store.create_requests([NewRequest(request(1), None)]) == [(changed[0], False)]


def test_one_id_twice_in_a_batch(store: Store) -> None:
    twice = [
        NewRequest(request(1), body(b"first")),
        NewRequest(request(1, user_id="other"), body(b"second")),
    ]
    assert store.create_requests(twice) == [(request(1), True), (request(1), False)]
    assert store.get_input("r001") == body(b"first")


def test_an_id_is_one_in_all_projects(store: Store) -> None:
    create(store, request(1))
    assert store.create_requests([NewRequest(request(1, project_id="q"), None)]) == [
        (request(1), False)
    ]


def test_nothing_to_do(store: Store) -> None:
    create(store, request(1))
    assert store.create_requests([]) == []
    assert store.change_requests([]) == []
    assert store.get_requests([]) == {}
    assert store.get_requests(["none"]) == {}
    assert store.change_requests([set_to("none", depth=1)]) == [None]
    assert store.get_requests(["none", "r001"]) == {"r001": request(1)}


def test_many_at_once(store: Store) -> None:
    many = [request(number, request_id=f"r{number:05}") for number in range(1000)]
    created = store.create_requests([NewRequest(each, body(b"1")) for each in many])
    assert created == [(each, True) for each in many]
    asked = [f"r{number:05}" for number in range(40_000)]
    assert store.get_requests(asked) == {each.request_id: each for each in many}
    changes = [set_to(each.request_id, depth=each.created_at) for each in many]
    changed = [replace(each, depth=each.created_at) for each in many]
    assert store.change_requests(changes) == changed
    assert store.get_requests(asked) == {each.request_id: each for each in changed}


@pytest.mark.parametrize(
    "kept",
    [
        body(b""),
        body(b"null"),
        body("\ufeff{“ö”: \u0000}".encode()),
        body(bytes(range(256))),
        body(b"x" * 32 * 1024),
        Body(sha256="f" * 64, size=6 * 1024 * 1024),
    ],
    ids=["empty", "null", "text", "bytes", "largest-inline", "in-the-archives"],
)
def test_bodies_are_kept_byte_for_byte(open_store: Open, kept: Body) -> None:
    store, other = open_store(), open_store()
    store.create_requests([NewRequest(request(1), kept), NewRequest(request(2), None, kept)])
    store.change_requests([RequestChange("r001", lambda old: Changed(old, kept))])
    assert other.get_input("r001") == other.get_result("r001") == other.get_result("r002") == kept
    assert other.get_input("r002") is None
    assert other.get_input("none") is None
    assert other.get_result("none") is None


def test_a_request_that_has_ended_is_created_with_its_result(store: Store) -> None:
    ended = request(1, status=Status.SUCCESS)
    new = NewRequest(ended, body(b"in"), body(b"out"))
    assert store.create_requests([new]) == [(ended, True)]
    late = Changed(replace(ended, depth=1), body(b"late"))
    assert store.change_requests([RequestChange("r001", lambda _old: late)]) == [late.request]
    assert store.get_input("r001") == body(b"in")
    assert store.get_result("r001") == body(b"out")


def test_a_result_is_written_once(store: Store) -> None:
    create(store, request(1))
    for content in (b"first", b"second"):
        late = RequestChange("r001", lambda old, content=content: Changed(old, body(content)))
        store.change_requests([late])
    assert store.get_result("r001") == body(b"first")


def test_the_first_outcome_wins(store: Store) -> None:
    create(store, *numbered(1, 2, 3))
    store.change_requests([RequestChange("r001", settled(Status.SUCCESS, b"first"))])
    late = [
        RequestChange(each, settled(Status.ERROR, b"late"))
        for each in ("r002", "r001", "none", "r003")
    ]
    after = store.change_requests(late)
    assert [each.status if each else None for each in after] == [
        Status.ERROR,
        Status.SUCCESS,
        None,
        Status.ERROR,
    ]
    assert store.get_requests(["r001"]) == {"r001": after[1]}
    assert store.get_result("r001") == body(b"first")
    assert store.get_result("r002") == body(b"late")
    assert store.get_result("none") is None


def test_changes_of_one_request_see_one_another(store: Store) -> None:
    create(store, request(1))
    first = RequestChange("r001", settled(Status.SUCCESS, b"first"))
    second = RequestChange("r001", settled(Status.ERROR, b"second"))
    after = store.change_requests([first, second, set_to("r001", depth=1)])
    ended = request(1, status=Status.SUCCESS)
    assert after == [ended, ended, replace(ended, depth=1)]
    assert store.get_requests(["r001"]) == {"r001": replace(ended, depth=1)}
    assert store.get_result("r001") == body(b"first")


def test_a_change_sees_what_others_wrote(open_store: Open) -> None:
    store, other = open_store(), open_store()
    create(store, request(1))
    assert store.get_requests(["r001"]) == {"r001": request(1)}
    other.change_requests([set_to("r001", depth=1)])
    seen: list[Request] = []
    store.change_requests([RequestChange("r001", seen.append)])
    assert seen == [request(1, depth=1)]


def test_what_a_change_raises_is_raised_and_nothing_is_written(store: Store) -> None:
    create(store, *numbered(1, 2, 3))

    def fail(_old: Request) -> Changed | None:
        raise ValueError("the change")

    good = RequestChange("r001", settled()), RequestChange("r003", settled())
    with pytest.raises(ValueError, match="the change"):
        store.change_requests([good[0], RequestChange("r002", fail), good[1]])
    assert list(store.get_requests(["r001", "r002", "r003"]).values()) == numbered(1, 2, 3)
    assert store.get_result("r001") is None
    assert store.change_requests(good) == numbered(1, 3, status=Status.SUCCESS)


def test_a_read_does_not_wait_for_a_change(open_store: Open) -> None:
    store, other = open_store(), open_store()
    create(store, request(1))
    seen: list[dict[str, Request]] = []

    def apply(old: Request) -> Changed:
        seen.append(other.get_requests(["r001"]))
        return Changed(replace(old, depth=1))

    store.change_requests([RequestChange("r001", apply)])
    assert seen == [{"r001": request(1)}]
    assert other.get_requests(["r001"]) == {"r001": request(1, depth=1)}
