"""How much a project has: code, which counts at once, and requests by status."""

from msgspec.structs import replace

from pratai_common.records import Status
from pratai_common.store.base import Code, Store
from tests.contract.store.conftest import Shows
from tests.contract.store.records import create, numbered, set_to, version
from tests.records import function, request


def test_code_of_living_functions(store: Store) -> None:
    """Of versions that have the same zip it counts once, whatever functions they are of."""
    assert store.count_code("p") == Code(0, 0)
    for number, project in ((1, "p"), (2, "p"), (3, "q"), (4, "p")):
        store.create_function(function(number, project_id=project))
    assert store.count_code("p") == Code(3, 0)
    for number, size, owner, sha256 in (
        (1, 10, "f1", "a"),
        (2, 5, "f1", "b"),
        (3, 10, "f1", "a"),
        (1, 3, "f2", "c"),
        (2, 10, "f2", "a"),
        (1, 100, "f3", "d"),
    ):
        values = {"size": size, "function_id": owner, "archive_sha256": sha256}
        store.create_version(version(number, **values))
    assert store.count_code("p") == Code(3, 18)
    assert store.count_code("q") == Code(1, 100)
    store.change_function("f1", lambda old: replace(old, deleted_at=9))
    assert store.count_code("p") == Code(2, 13)


def test_requests_by_status(store: Store, shows: Shows) -> None:
    """Builds are none, and nor is what other projects have."""
    assert store.count_requests("p") == {}
    create(store, *numbered(1, 2, 3, 4))
    create(store, request(5, kind="build"), request(6, project_id="q"))
    store.change_requests(
        [
            set_to("r001", status=Status.SUCCESS),
            set_to("r002", status=Status.SUCCESS),
            set_to("r003", status=Status.RUNNING),
        ]
    )
    expected = {Status.SUCCESS: 2, Status.RUNNING: 1, Status.QUEUED: 1}
    shows(lambda: store.count_requests("p"), expected)
    shows(lambda: store.count_requests("q"), {Status.QUEUED: 1})
