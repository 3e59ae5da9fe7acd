"""Indices of another release are brought to this one's fields while they are written."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pratai_common.errors import NameTakenError, StoreUnavailableError
from pratai_common.records import Status
from pratai_common.store import elasticsearch_subscriptions as subscriptions
from pratai_common.store.base import Changed, NewRequest, Page, RequestChange, RequestFilter, Store
from pratai_common.store.elasticsearch import ElasticsearchStore
from pratai_common.store.elasticsearch_client import Settings
from pratai_common.store.elasticsearch_documents import new_document, source_of
from pratai_common.store.elasticsearch_indices import (
    CLAIMS,
    CLUSTER,
    EVENTS,
    KINDS,
    REQUESTS,
    SUBSCRIPTIONS,
    Kind,
    Layout,
)
from tests.contract.store.kinds import Elasticsearch
from tests.contract.store.records import (
    body,
    create,
    daemon,
    event,
    ids,
    numbered,
    set_to,
    subscription,
    subscription_ids,
)
from tests.records import request
from tests.waiting import until

SHOUTED = "ctx._source.status_shouted = ctx._source.status.toUpperCase()"


class Releases:
    """One installation's indices, as several releases see them."""

    def __init__(self, kind: Elasticsearch) -> None:
        self._kind = kind
        self._opened: list[Store] = []

    def store(self, **kinds: Kind) -> ElasticsearchStore:
        """Open the store as a release with other indices does; fewer are made sooner."""
        few = {name: KINDS[name] for name in (CLUSTER, REQUESTS)}
        layout = Layout(self._kind.prefix, 1, 0, 1000, {**few, **kinds})
        opened = ElasticsearchStore(Settings((self._kind.address,), 30.0), layout)
        self._opened.append(opened)
        return opened

    def indices(self) -> dict[str, Any]:
        found: dict[str, Any] = self._kind.call("GET", f"{self._kind.prefix}-*")
        return found

    def put(self, kind: str, doc_id: str, source: dict[str, Any]) -> None:
        """Write a document as it is given."""
        self._kind.call("PUT", f"{self._kind.prefix}-{kind}/_doc/{doc_id}", source)

    def catch_up(self) -> None:
        self._kind.catch_up()

    def close(self) -> None:
        for each in self._opened:
            each.close()


@contextmanager
def installation(folder: Path, address: str) -> Iterator[Releases]:
    kind = Elasticsearch(folder, address)
    made = Releases(kind)
    yield made
    made.close()
    kind.remove()


@pytest.fixture
def releases(elasticsearch: str, tmp_path: Path) -> Iterator[Releases]:
    with installation(tmp_path, elasticsearch) as made:
        yield made


def with_field(name: str, **values: Any) -> Kind:
    fields = {**KINDS[REQUESTS].fields, name: {"type": "keyword"}}
    return KINDS[REQUESTS]._replace(fields=fields, **values)


NEWER = with_field("status_shouted", version=2, script=SHOUTED)


class Writer:
    """Writes again and again, and holds what was acknowledged against the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.created: list[str] = []
        self.changed: dict[str, int] = {}
        self.turned_away = 0

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._ended.is_set():
            name = f"w{len(self.created) + self.turned_away:06}"
            try:
                new = NewRequest(request(request_id=name), body(name.encode()))
                self._store.create_requests([new])
                self.created.append(name)
                counted = self.created[len(self.created) // 2]
                after = self._store.change_requests([RequestChange(counted, _more)])[0]
                assert after is not None
                self.changed[counted] = after.depth
            except StoreUnavailableError:
                self.turned_away += 1


def _more(old: Any) -> Changed:
    return Changed(replace(old, depth=old.depth + 1))


def test_a_live_index_is_replaced_and_no_write_is_lost(releases: Releases) -> None:
    old, new = releases.store(), releases.store(requests=NEWER)
    old.create_schema()
    create(old, *numbered(*range(500)))
    with Writer(old) as writer:
        until(lambda: len(writer.created) > 20, "it writes")
        new.create_schema()
        written = len(writer.created)
        until(lambda: len(writer.created) > written + 20, "it writes on")
    stored = new.get_requests(writer.created)
    assert set(stored) == set(writer.created)
    for name, depth in writer.changed.items():
        # A write that was turned away may have been done.
        assert depth <= stored[name].depth <= depth + writer.turned_away
        assert new.get_input(name) == body(name.encode())
    assert len(new.get_requests(ids(numbered(*range(500))))) == 500
    indices = releases.indices()
    replaced = [name for name in indices if "-requests-" in name]
    assert len(replaced) == 1
    assert replaced[0].endswith("-requests-2")
    assert "status_shouted" in indices[replaced[0]]["mappings"]["properties"]


def test_documents_are_what_the_new_fields_need(releases: Releases) -> None:
    old, new = releases.store(), releases.store(requests=NEWER)
    old.create_schema()
    create(old, *numbered(1, 2))
    new.create_schema()
    found = new._requests._access.search(REQUESTS, {"term": {"status_shouted": "QUEUED"}}, [], 9)
    assert {hit.id for hit in found} == {"r001", "r002"}
    create(new, request(3))
    until(lambda: len(new.list_requests("p", RequestFilter(), Page(9))) == 3, "the lists have all")


def test_the_index_of_leases_is_replaced_too(releases: Releases) -> None:
    old = releases.store()
    new = releases.store(cluster=KINDS[CLUSTER]._replace(version=2))
    old.create_schema()
    assert old.acquire_lease("scheduler", "a", 1000, 100) == ("a", 1)
    old.put_daemon(daemon())
    new.create_schema()
    assert new.acquire_lease("scheduler", "b", 1000, 100) is None
    assert old.acquire_lease("scheduler", "b", 1100, 100) == ("b", 2)
    assert new.list_daemons() == [daemon()]


def test_a_field_more_is_added_where_the_index_is(releases: Releases) -> None:
    old, new = releases.store(), releases.store(requests=with_field("another"))
    old.create_schema()
    create(old, request(1))
    before = set(releases.indices())
    new.create_schema()
    assert set(releases.indices()) == before
    requests = next(index for name, index in releases.indices().items() if "-requests-" in name)
    assert "another" in requests["mappings"]["properties"]
    assert new.get_requests(["r001"]) == {"r001": request(1)}


SINCE_EVENTS = {
    REQUESTS: {"parent_id", "root_id", "following"},
    SUBSCRIPTIONS: {"event_id", "changed_at", "updated_at", "project_id"},
}
"""By index: fields that neither it nor its records had before there were events, but for this."""

IN_RECORDS_BEFORE = {"project_id"}


def before_events(kind: str) -> Kind:
    fields = KINDS[kind].fields.items()
    return KINDS[kind]._replace(
        fields={name: field for name, field in fields if name not in SINCE_EVENTS[kind]}
    )


def as_before_events(kind: str, source: Any) -> dict[str, Any]:
    """Return a document as a release without events wrote it."""
    whole, lacking = msgspec.to_builtins(source), SINCE_EVENTS[kind]
    in_record = lacking - IN_RECORDS_BEFORE
    record = {name: value for name, value in whole["record"].items() if name not in in_record}
    kept = {name: value for name, value in whole.items() if name not in lacking}
    return {**kept, "record": record}


@pytest.fixture(scope="module")
def old_installation(
    elasticsearch: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Releases]:
    """One with a request and a subscription of a release without events."""
    with installation(tmp_path_factory.mktemp("old"), elasticsearch) as old:
        old.store(**{kind: before_events(kind) for kind in SINCE_EVENTS}).create_schema()
        ended = new_document(NewRequest(request(1, status=Status.SUCCESS, finished_at=5), None))
        old.put(REQUESTS, "r001", as_before_events(REQUESTS, source_of(ended)))
        timer = {**subscriptions._source(subscription(1)), "stamp": "whoever"}
        old.put(SUBSCRIPTIONS, "s1", as_before_events(SUBSCRIPTIONS, timer))
        yield old


@pytest.fixture(scope="module")
def since_events(old_installation: Releases) -> ElasticsearchStore:
    """The store of that installation, as this release has made it."""
    needed = {kind: KINDS[kind] for kind in (SUBSCRIPTIONS, EVENTS, CLAIMS)}
    new = old_installation.store(**needed)
    new.create_schema()
    old_installation.catch_up()
    return new


def test_requests_older_than_events_are_followed_by_nothing(
    old_installation: Releases, since_events: ElasticsearchStore
) -> None:
    def descendants() -> list[list[str]]:
        filters = (RequestFilter(parent_id="r002"), RequestFilter(root_id="r002"))
        return [ids(since_events.list_requests("p", which, Page(9))) for which in filters]

    assert since_events.get_requests(["r001"])["r001"].following is False
    assert since_events.following_requests(100, 9) == []
    assert descendants() == [[], []]
    later = {"following": True, "parent_id": "r002", "root_id": "r002"}
    since_events.change_requests([set_to("r001", **later)])
    old_installation.catch_up()
    assert ids(since_events.following_requests(100, 9)) == ["r001"]
    assert descendants() == [["r001"], ["r001"]]


def test_a_subscription_older_than_events_was_changed_when_it_was_created(
    since_events: ElasticsearchStore,
) -> None:
    def changed_since(moment: int) -> list[str]:
        return subscription_ids(since_events.list_subscriptions("timer", moment))

    since_events.create_subscription(subscription(2, created_at=5))
    assert [changed_since(moment) for moment in (0, 1, 2, 6)] == [["s1", "s2"]] * 2 + [["s2"], []]
    assert since_events.subscriptions_to(["f1", "e1"]) == []
    since_events.change_subscription("s1", lambda old: replace(old, event_id="e1", updated_at=6))
    assert changed_since(6) == ["s1"]
    assert subscription_ids(since_events.subscriptions_to(["e1"])) == ["s1"]


def test_subscriptions_older_than_events_count_for_their_projects(
    since_events: ElasticsearchStore,
) -> None:
    before = since_events.count_subscriptions("p", "timer")
    since_events.create_subscription(subscription(7))
    since_events.create_subscription(subscription(8, project_id="q"))
    counted = [since_events.count_subscriptions(each, "timer") for each in ("p", "q", "none")]
    assert counted == [before + 1, 1, 0]
    assert before > 0
    for name in ("s7", "s8"):
        since_events.delete_subscription(name)


def test_events_and_marks_are_kept_from_now_on(since_events: ElasticsearchStore) -> None:
    assert (since_events.sourced_events(), since_events.get_mark("m")) == ([], None)
    since_events.create_event(event(1))
    with pytest.raises(NameTakenError):
        since_events.create_event(event(2, name="event1"))
    since_events.put_mark("m", 5)
    assert since_events.get_events(["e1", "e2"]) == {"e1": event(1)}
    assert since_events.get_mark("m") == 5


def test_repeating_it_changes_nothing(releases: Releases) -> None:
    new = releases.store(requests=NEWER)
    new.create_schema()
    create(new, request(1))
    before = releases.indices()
    new.create_schema()
    assert releases.indices() == before


def test_what_a_killed_upgrade_left_is_made_anew(releases: Releases) -> None:
    old, new = releases.store(), releases.store(requests=NEWER)
    old.create_schema()
    create(old, request(1))
    prefix = releases._kind.prefix
    releases._kind.call("PUT", f"{prefix}-requests-2", {"mappings": {"dynamic": True}})
    releases._kind.call("POST", f"{prefix}-requests-2/_doc/junk", {"junk": 1})
    releases._kind.call("PUT", f"{prefix}-requests-1/_block/write")
    with pytest.raises(StoreUnavailableError, match="cluster_block_exception"):
        create(old, request(2))
    new.create_schema()
    create(old, request(2))
    assert new.get_requests(["r001", "r002", "junk"]) == {"r001": request(1), "r002": request(2)}


def test_one_that_cannot_be_done_leaves_the_old_index_in_use(releases: Releases) -> None:
    old = releases.store()
    broken = releases.store(requests=NEWER._replace(script="ctx._source.status_other = 1"))
    old.create_schema()
    create(old, request(1))
    with pytest.raises(StoreUnavailableError, match=r"cannot be copied.*strict_dynamic_mapping"):
        broken.create_schema()
    create(old, request(2))
    assert old.get_requests(["r001", "r002"]) == {"r001": request(1), "r002": request(2)}
    releases.store(requests=NEWER).create_schema()
    assert set(old.get_requests(["r001", "r002"])) == {"r001", "r002"}


def test_indices_of_a_later_release_are_left_alone(releases: Releases) -> None:
    old, new = releases.store(), releases.store(requests=NEWER)
    new.create_schema()
    before = releases.indices()
    with pytest.raises(StoreUnavailableError, match="later release"):
        old.create_schema()
    assert releases.indices() == before


def test_a_write_over_what_was_read_before_is_refused(releases: Releases) -> None:
    """Numbers of writes begin anew in another index: the same one there is another document."""
    old, new = releases.store(), releases.store(requests=NEWER)
    old.create_schema()
    create(old, request(1))
    calls = 0

    def apply(before: Any) -> Changed:
        nonlocal calls
        calls += 1
        if calls == 1:
            new.create_schema()
        return _more(before)

    with pytest.raises(StoreUnavailableError, match="index_not_found"):
        old.change_requests([RequestChange("r001", apply)])
    assert new.get_requests(["r001"]) == {"r001": request(1)}
    assert old.change_requests([RequestChange("r001", apply)]) == [request(1, depth=1)]


def test_several_upgrade_at_once(releases: Releases) -> None:
    old = releases.store()
    old.create_schema()
    create(old, request(1))
    newer = [releases.store(requests=NEWER) for _ in range(3)]
    threads = [threading.Thread(target=each.create_schema) for each in newer]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for each in newer:
        with closing(each):
            assert each.get_requests(["r001"]) == {"r001": request(1)}
