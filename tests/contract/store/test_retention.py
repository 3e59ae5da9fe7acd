"""What ended long ago is deleted, with all that is its own, and nothing else."""

from pratai_common.records import Status
from pratai_common.store.base import NewRequest, RequestFilter, Store
from tests.contract.store.conftest import Shows
from tests.contract.store.records import ALL, body, chunk, create, ids
from tests.records import request

LARGE = b"x" * 32 * 1024


def ended(number: int, at: int | None, status: Status = Status.SUCCESS) -> NewRequest:
    made = request(number, status=status, finished_at=at)
    return NewRequest(made, body(b"in"), body(LARGE))


def listed(store: Store) -> list[str]:
    return sorted(ids(store.list_requests("p", RequestFilter(), ALL)))


def test_what_ended_before_is_deleted_with_all_that_is_its_own(store: Store, shows: Shows) -> None:
    store.create_requests([ended(1, 99), ended(2, 100), ended(3, 101)])
    store.add_log_chunks([chunk(request_id=f"r00{number}") for number in (1, 2, 3)])
    shows(lambda: listed(store), ["r001", "r002", "r003"])
    shows(lambda: [len(store.log_chunks(f"r00{number}")) for number in (1, 2, 3)], [1, 1, 1])
    assert store.delete_ended_requests(100, 10) == 1
    assert set(store.get_requests(["r001", "r002", "r003"])) == {"r002", "r003"}
    assert (store.get_input("r001"), store.get_result("r001")) == (None, None)
    shows(lambda: store.log_chunks("r001"), [])
    shows(lambda: listed(store), ["r002", "r003"])
    for kept in ("r002", "r003"):
        assert store.get_input(kept) == body(b"in")
        assert store.get_result(kept) == body(LARGE)
        assert len(store.log_chunks(kept)) == 1
    assert store.delete_ended_requests(100, 10) == 0


def test_what_has_not_ended_is_never_deleted(store: Store, shows: Shows) -> None:
    create(store, *(request(number, status=status) for number, status in enumerate(Status)))
    shows(lambda: len(listed(store)), len(Status))
    unfinished = [name for number, name in enumerate(listed(store)) if not [*Status][number].final]
    assert store.delete_ended_requests(10**9, 100) == 4
    shows(lambda: listed(store), unfinished)
    assert len(unfinished) == 3


def test_the_longest_ended_go_first_and_no_more_than_asked(store: Store, shows: Shows) -> None:
    store.create_requests([ended(1, 30), ended(2, 10), ended(3, None), ended(4, 20)])
    shows(lambda: len(listed(store)), 4)
    for left in (["r001", "r002", "r004"], ["r001", "r004"], ["r001"], []):
        assert store.delete_ended_requests(100, 1) == 1
        shows(lambda left=left: listed(store), left)
    assert store.delete_ended_requests(100, 1) == 0


def test_requests_of_all_projects_and_kinds_are_deleted(store: Store, shows: Shows) -> None:
    final = {"status": Status.ERROR, "finished_at": 5}
    create(store, request(1, **final), request(2, project_id="q", **final))
    create(store, request(3, kind="build", **final))
    names = ["r001", "r002", "r003"]
    shows(lambda: len(store.list_requests(None, RequestFilter(), ALL)), 2)
    assert store.delete_ended_requests(6, 10) == 3
    assert store.get_requests(names) == {}


def test_a_cause_that_was_forgotten_makes_a_new_request(store: Store, shows: Shows) -> None:
    store.create_requests([ended(1, 5)])
    shows(lambda: listed(store), ["r001"])
    assert not store.create_requests([ended(1, 5)])[0].new
    assert store.delete_ended_requests(6, 10) == 1
    assert store.create_requests([NewRequest(request(1), body(b"again"))])[0].new
    assert store.get_input("r001") == body(b"again")
    assert store.get_result("r001") is None
