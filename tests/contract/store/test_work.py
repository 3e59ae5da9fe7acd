"""What is due and what runs: the scheduler's view of the whole backlog."""

from pratai_common.records import Status
from pratai_common.store.base import RequestChange, Store, Waiting
from tests.contract.store.conftest import Shows
from tests.contract.store.records import create, ids, numbered, set_to, settled
from tests.records import request


def test_the_longest_due_comes_first(store: Store, shows: Shows) -> None:
    due = {"r1": 30, "r2": 10, "r3": 50, "r4": 20, "r5": 40}
    create(
        store,
        *(
            request(request_id=name, created_at=100 - at, next_run_at=at)
            for name, at in due.items()
        ),
    )
    shows(lambda: ids(store.due_requests(1000, 10)), ["r2", "r4", "r1", "r5", "r3"])
    assert ids(store.due_requests(1000, 2)) == ["r2", "r4"]
    assert ids(store.due_requests(30, 10)) == ["r2", "r4", "r1"]
    assert ids(store.due_requests(29, 10)) == ["r2", "r4"]
    assert store.due_requests(9, 10) == []


def test_only_what_waits_is_due(store: Store, shows: Shows) -> None:
    create(
        store,
        *(
            request(request_id=status.value, status=status, next_run_at=number)
            for number, status in enumerate(Status)
        ),
    )
    shows(lambda: ids(store.due_requests(1000, 10)), ["scheduled", "queued"])
    shows(lambda: ids(store.running_requests(10)), ["running"])


def test_a_function_of_which_enough_is_known_may_be_left_out(store: Store, shows: Shows) -> None:
    create(store, *(request(number, function_id=f"f{number % 3}") for number in range(6)))
    shows(lambda: ids(store.due_requests(1000, 10, ["f0"])), ["r001", "r002", "r004", "r005"])
    assert ids(store.due_requests(1000, 1, {"f0", "f1"})) == ["r002"]
    assert store.due_requests(1000, 10, ["f0", "f1", "f2"]) == []
    assert len(store.due_requests(1000, 10, [])) == 6


def test_work_is_that_of_all_projects_and_kinds(store: Store, shows: Shows) -> None:
    others = [request(2, project_id="q"), request(3, kind="build"), request(4, function_id="g")]
    create(store, request(1), *others)
    shows(lambda: store.due_requests(1000, 10), [request(1), *others])
    store.change_requests([set_to(each, status=Status.RUNNING) for each in ids(others)])
    shows(lambda: ids(store.running_requests(10)), ids(others))
    shows(lambda: ids(store.due_requests(1000, 10)), ["r001"])


def test_changes_move_a_request_in_and_out(store: Store, shows: Shows) -> None:
    create(store, *numbered(1, 2, 3))
    shows(lambda: ids(store.due_requests(3, 10)), ["r001", "r002", "r003"])
    store.change_requests(
        [
            set_to("r001", status=Status.SCHEDULED, next_run_at=9),
            set_to("r002", status=Status.RUNNING),
        ]
    )
    shows(lambda: ids(store.due_requests(3, 10)), ["r003"])
    shows(lambda: ids(store.due_requests(9, 10)), ["r003", "r001"])
    shows(lambda: ids(store.running_requests(10)), ["r002"])
    store.change_requests(
        [RequestChange("r003", settled()), set_to("r002", status=Status.QUEUED, next_run_at=20)]
    )
    shows(lambda: ids(store.due_requests(20, 10)), ["r001", "r002"])
    shows(lambda: store.running_requests(10), [])


def test_the_longest_running_comes_first(store: Store, shows: Shows) -> None:
    running = {"status": Status.RUNNING}
    create(
        store,
        request(1, started_at=40, **running),
        request(2, started_at=20, **running),
        request(3, next_run_at=1, started_at=50, **running),
        request(4, created_at=30, next_run_at=90, **running),
        request(5, status=Status.SUCCESS, started_at=10),
    )
    order = ["r002", "r004", "r001", "r003"]
    shows(lambda: ids(store.running_requests(10)), order)
    assert ids(store.running_requests(2)) == order[:2]
    store.change_requests([set_to("r004", started_at=60)])
    shows(lambda: ids(store.running_requests(10)), ["r002", "r001", "r003", "r004"])


def test_work_is_shown_as_it_was_written(store: Store, shows: Shows) -> None:
    due = request(1, event={"id": "ä"}, retries=2)
    running = request(2, status=Status.RUNNING, started_at=5, node="n", version=3)
    create(store, due, running)
    shows(lambda: store.due_requests(1000, 10), [due])
    shows(lambda: store.running_requests(10), [running])


def test_projects_of_which_enough_is_known_may_be_left_out(store: Store, shows: Shows) -> None:
    create(store, *(request(number, project_id=f"p{number % 3}") for number in range(6)))
    create(store, request(6, project_id="p1", function_id="g"))
    shows(
        lambda: ids(store.due_requests(1000, 10, besides_projects=["p0"])),
        ["r001", "r002", "r004", "r005", "r006"],
    )
    assert ids(store.due_requests(1000, 1, besides_projects={"p0", "p1"})) == ["r002"]
    assert ids(store.due_requests(1000, 10, ["g"], ["p0", "p2"])) == ["r001", "r004"]
    assert store.due_requests(1000, 10, besides_projects=["p0", "p1", "p2"]) == []


def test_what_waits_is_counted_by_project(store: Store, shows: Shows) -> None:
    """Whatever its kind and whenever it is due, and nothing that runs or has ended."""
    shows(store.count_waiting, Waiting(0, {}))
    create(
        store,
        *numbered(1, 2),
        request(3, kind="build"),
        request(4, project_id="q", status=Status.SCHEDULED, next_run_at=10**12),
        request(5, status=Status.RUNNING),
        request(6, project_id="s", status=Status.SUCCESS),
    )
    shows(store.count_waiting, Waiting(4, {"p": 3, "q": 1}))
    create(store, *numbered(1, 2))
    shows(store.count_waiting, Waiting(4, {"p": 3, "q": 1}))


def test_the_count_follows_what_becomes_of_requests(store: Store, shows: Shows) -> None:
    create(store, *numbered(1, 2, 3), request(4, project_id="q"))
    running, queued = {"status": Status.RUNNING}, {"status": Status.QUEUED}
    later = {"status": Status.SCHEDULED, "next_run_at": 10**12}
    store.change_requests([set_to("r001", **running), set_to("r002", **later)])
    shows(store.count_waiting, Waiting(3, {"p": 2, "q": 1}))
    store.change_requests([set_to("r001", **later), set_to("r002", **queued)])
    shows(store.count_waiting, Waiting(4, {"p": 3, "q": 1}))
    store.change_requests([RequestChange(each, settled()) for each in ("r001", "r003", "r004")])
    shows(store.count_waiting, Waiting(1, {"p": 1}))
    assert store.delete_ended_requests(10**6, 10) == 3
    store.create_schema()
    shows(store.count_waiting, Waiting(1, {"p": 1}))
