"""Names that only one function, or event, may have, also after a crash."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from msgspec.structs import replace

from pratai_common.errors import NameTakenError
from pratai_common.records import Function
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.elasticsearch_access import Access
from pratai_common.store.elasticsearch_claims import GRACE_MS, Claims, Name
from pratai_common.store.elasticsearch_client import Client, Settings
from pratai_common.store.elasticsearch_events import Events
from pratai_common.store.elasticsearch_functions import Functions
from pratai_common.store.elasticsearch_indices import Layout
from tests.contract.store.kinds import Elasticsearch
from tests.contract.store.records import event
from tests.records import function


class Now:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.at = 10**6

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def access(own: Elasticsearch) -> Iterator[Access]:
    with closing(Client(Settings((own.address,), 30.0))) as client:
        yield Access(client, Layout(own.prefix, 1, 0, 1000), 30.0)


def name_of(number: int, name: str) -> Name:
    return Name(indices.FUNCTIONS, "p", name, f"f{number}")


def test_a_name_whose_function_never_came_is_free_after_a_while(access: Access, now: Now) -> None:
    functions, claims = Functions(access, now), Claims(access, now)
    claims.take_name(name_of(1, "same"))
    for _ in range(2):
        with pytest.raises(NameTakenError):
            functions.create(function(2, name="same"))
        now.at += GRACE_MS - 1
    now.at += 1
    functions.create(function(2, name="same"))
    now.at += GRACE_MS
    with pytest.raises(NameTakenError):
        functions.create(function(1, name="same"))


def test_a_name_that_was_let_go_of_in_a_crash_is_free_after_a_while(
    access: Access, now: Now
) -> None:
    functions, claims = Functions(access, now), Claims(access, now)
    functions.create(function(1, name="one"))
    # What a renaming does, up to the removal of the former name's claim.
    claims.take_name(name_of(1, "two"))
    _put(access, function(1, name="two"))
    with pytest.raises(NameTakenError):
        functions.create(function(2, name="one"))
    now.at += GRACE_MS
    functions.create(function(2, name="one"))
    with pytest.raises(NameTakenError):
        functions.create(function(3, name="two"))


def test_a_name_of_a_function_deleted_in_a_crash_is_free_at_once(access: Access, now: Now) -> None:
    functions = Functions(access, now)
    functions.create(function(1, name="one"))
    _put(access, function(1, name="one", deleted_at=5))
    functions.create(function(2, name="one"))


def test_a_claim_that_was_made_anew_is_not_removed(access: Access, now: Now) -> None:
    functions, claims = Functions(access, now), Claims(access, now)
    functions.create(function(1, name="one"))
    stale = claims.to_name(name_of(1, "one"))
    assert stale is not None
    claims.take_name(name_of(1, "one"))
    claims.remove(stale)
    with pytest.raises(NameTakenError):
        functions.create(function(2, name="one"))


def test_a_refused_name_leaves_no_claim(access: Access, now: Now) -> None:
    functions = Functions(access, now)
    functions.create(function(1, name="one"))
    functions.create(function(2, name="two"))
    with pytest.raises(NameTakenError):
        functions.change("f2", lambda old: replace(old, name="one"))
    functions.change("f1", lambda old: replace(old, name="free"))
    functions.create(function(3, name="one"))


def test_a_name_whose_event_is_gone_is_free_after_a_while(access: Access, now: Now) -> None:
    """As where one dies between the removal of an event and that of its claim."""
    events, claims = Events(access, now), Claims(access, now)
    events.create(event(1, name="one"))
    events.remove("e1")
    claims.take_name(Name(indices.EVENTS, "p", "one", "e1"))
    with pytest.raises(NameTakenError):
        events.create(event(2, name="one"))
    now.at += GRACE_MS
    events.create(event(2, name="one"))
    now.at += GRACE_MS
    with pytest.raises(NameTakenError):
        events.create(event(3, name="one"))


def test_claims_of_functions_are_as_former_releases_made_them(
    own: Elasticsearch, access: Access, now: Now
) -> None:
    Functions(access, now).create(function(1, name="one"))
    named = hashlib.sha256(json.dumps(["name", "p", "one"], separators=(",", ":")).encode())
    found = own.call("GET", f"{own.prefix}-claims/_doc/{named.hexdigest()}")
    assert found["_source"]["record"] == {"function_id": "f1", "claimed_at": now.at}


def _put(access: Access, made: Function) -> None:
    """Write a function, as one that dies right after that."""
    written = access.change(
        indices.FUNCTIONS,
        made.function_id,
        Function,
        lambda _old: made,
        lambda new: {
            "function_id": new.function_id,
            "project_id": new.project_id,
            "living": new.deleted_at is None,
            "name": new.name,
            "record": new,
        },
    )
    assert written == made
