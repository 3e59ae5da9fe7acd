"""The schema is made once, by whoever comes, and never over what is there."""

from contextlib import closing

import pytest

from pratai_common.errors import StoreUnavailableError
from pratai_common.store.base import NewRequest, Store
from tests.contract.store.kinds import Kind
from tests.contract.store.processes import PROCESSES, THREADS, together
from tests.contract.store.records import body, create
from tests.records import function, request


def test_before_there_is_a_schema_the_store_is_away(bare: Kind) -> None:
    with closing(bare.open()) as store:
        with pytest.raises(StoreUnavailableError):
            create(store, request())
        with pytest.raises(StoreUnavailableError):
            store.get_requests(["r001"])
        store.create_schema()
        create(store, request())
        assert store.get_requests(["r001"]) == {"r001": request()}


def test_making_it_again_changes_nothing(bare: Kind) -> None:
    with closing(bare.open()) as store, closing(bare.open()) as other:
        store.create_schema()
        store.create_function(function(endpoint_token="t"))
        store.create_requests([NewRequest(request(), body())])
        other.create_schema()
        store.create_schema()
        for each in (store, other):
            assert each.function_of_endpoint("t") == function(endpoint_token="t")
            assert each.get_requests(["r001"]) == {"r001": request()}
            assert each.get_input("r001") == body()


def _make(store: Store, number: int) -> bool:
    store.create_schema()
    return store.create_requests([NewRequest(request(number), None)])[0].new


def test_it_is_made_by_several_at_once(bare: Kind) -> None:
    assert together(bare, _make) == [True] * PROCESSES * THREADS
    with closing(bare.open()) as store:
        names = [request(number).request_id for number in range(PROCESSES * THREADS)]
        assert list(store.get_requests(names)) == names


def test_what_is_missing_can_be_asked_before_it_is_made(bare: Kind) -> None:
    with closing(bare.open()) as store:
        missing = store.schema_gaps()
        assert missing
        assert store.schema_gaps() == missing  # to ask makes nothing
        with pytest.raises(StoreUnavailableError):
            store.get_requests(["r001"])
        store.create_schema()
        assert store.schema_gaps() == []
