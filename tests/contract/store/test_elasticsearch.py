"""What is asked of the Elasticsearch store alone: its indices, long lists, large bodies."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Status
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.base import (
    Changed,
    NewRequest,
    Page,
    RequestChange,
    RequestFilter,
    Store,
)
from pratai_common.store.elasticsearch import ElasticsearchStore
from pratai_common.store.elasticsearch_client import Settings
from pratai_common.store.elasticsearch_documents import INLINE_BYTES
from pratai_common.store.elasticsearch_indices import Layout
from tests.contract.store.kinds import Elasticsearch
from tests.contract.store.records import (
    ALL,
    body,
    chunk,
    create,
    ids,
    numbered,
    set_to,
    settled,
)
from tests.records import function, request
from tests.waiting import until

LARGE = b"x" * (INLINE_BYTES + 1)


@pytest.fixture
def store(own: Elasticsearch) -> Iterator[Store]:
    with closing(own.open()) as opened:
        yield opened


def test_an_index_that_takes_no_writes_is_unavailable_until_it_does(
    own: Elasticsearch, store: Store
) -> None:
    """As on a full disk, where the cluster itself sets this."""
    create(store, request(1))
    block = {"index.blocks.read_only_allow_delete": True}
    own.call("PUT", f"{own.prefix}-requests-1/_settings", block)
    for call in (
        lambda: create(store, request(2)),
        lambda: store.change_requests([set_to("r001")]),
    ):
        with pytest.raises(StoreUnavailableError, match="cluster_block_exception"):
            call()
    assert store.get_requests(["r001", "r002"]) == {"r001": request(1)}
    own.call("PUT", f"{own.prefix}-requests-1/_settings", dict.fromkeys(block))
    create(store, request(2))


def test_lists_catch_up_by_themselves(store: Store) -> None:
    create(store, request(1))
    shown = lambda: ids(store.list_requests("p", RequestFilter(), ALL))  # noqa: E731
    until(lambda: shown() == ["r001"], "the list shows it")


# Indices


def test_no_index_is_made_by_use(empty: Elasticsearch) -> None:
    with closing(empty.open()) as store:
        for call in (
            lambda: create(store, request()),
            lambda: store.create_function(function()),
            lambda: store.add_log_chunks([chunk()]),
            store.list_daemons,
            lambda: store.get_functions(["f1"]),
        ):
            with pytest.raises(StoreUnavailableError, match="pratai-db-init"):
                call()
        assert empty.call("GET", f"{empty.prefix}-*") == {}
        store.create_schema()
        kinds = {f"{empty.prefix}-{kind}-1" for kind in indices.KINDS}
        assert set(empty.call("GET", f"{empty.prefix}-*")) == kinds


def test_indices_are_as_the_configuration_says(empty: Elasticsearch) -> None:
    layout = Layout(empty.prefix, 2, 0, 1000)
    settings = Settings((empty.address,), 30.0)
    with closing(ElasticsearchStore(settings, layout)) as store:
        store.create_schema()
    with closing(ElasticsearchStore(settings, layout._replace(refresh_ms=500))) as store:
        store.create_schema()
    for name, index in empty.call("GET", f"{empty.prefix}-*").items():
        found = index["settings"]["index"]
        assert (name, found["number_of_shards"], found["number_of_replicas"]) == (name, "2", "0")
        assert found["refresh_interval"] == "500ms"
        assert found["translog"]["durability"] == "request"
        assert index["mappings"]["dynamic"] == "strict"


def test_requests_of_several_shards_are_in_one_order(empty: Elasticsearch) -> None:
    layout = Layout(empty.prefix, 3, 0, 1000)
    with closing(ElasticsearchStore(Settings((empty.address,), 30.0), layout)) as store:
        store.create_schema()
        made = numbered(*range(100))
        create(store, *made)
        empty.catch_up()
        assert store.list_requests("p", RequestFilter(), ALL) == made[::-1]
        assert store.due_requests(1000, 50) == made[:50]
        assert store.change_requests([set_to(each, depth=1) for each in ids(made)]) == [
            replace(each, depth=1) for each in made
        ]


def test_a_long_list_is_read_in_pages(own: Elasticsearch, store: Store) -> None:
    many = [request(number, request_id=f"r{number:05}") for number in range(2500)]
    create(store, *many)
    own.catch_up()
    assert store.due_requests(10**6, 2400) == many[:2400]
    assert len(store.due_requests(10**6, 10_000)) == 2500


@pytest.mark.parametrize("limit", [5, 60])
def test_pages_are_whole_however_unevenly_requests_came(
    own: Elasticsearch, store: Store, limit: int
) -> None:
    ages = [0, 0, 0, *(2**number for number in range(40)), *range(10**6, 10**6 + 40)]
    made = [
        request(number, created_at=age, source="timer" if number % 9 == 0 else "http")
        for number, age in enumerate(ages)
    ]
    create(store, *made)
    own.catch_up()
    made.sort(key=lambda each: (each.created_at, each.request_id))
    for which in (RequestFilter(), RequestFilter(source="timer"), RequestFilter(source="none")):
        for descending in (True, False):
            expected = [each for each in made if which.source in (None, each.source)]
            seen: list[str] = []
            page = Page(limit, descending=descending)
            while found := ids(store.list_requests("p", which, page)):
                seen += found
                page = page._replace(marker=found[-1])
            assert seen == ids(expected[::-1] if descending else expected)


# Bodies that are documents of their own


def test_a_large_body_is_that_of_the_one_that_was_created(store: Store) -> None:
    first, second = body(LARGE + b"1"), body(LARGE + b"2")
    made = store.create_requests([NewRequest(request(1), first), NewRequest(request(1), second)])
    assert [each.new for each in made] == [True, False]
    assert store.create_requests([NewRequest(request(1), second)])[0].new is False
    assert store.get_input("r001") == first


def test_a_large_result_is_that_of_the_one_that_settled(store: Store) -> None:
    create(store, request(1))
    raced = False

    def late(old: Any) -> Changed | None:
        nonlocal raced
        if not raced:
            raced = True
            winner = RequestChange("r001", settled(Status.SUCCESS, LARGE + b"1"))
            store.change_requests([winner])
        return settled(Status.ERROR, LARGE + b"2")(old)

    after = store.change_requests([RequestChange("r001", late)])
    assert after == [request(1, status=Status.SUCCESS)]
    assert store.get_result("r001") == body(LARGE + b"1")
