"""What a store of secrets must do, of every implementation, on the real server."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from pratai_api.secret_stores.base import SecretMissingError
from pratai_common import limits
from tests.contract.secrets.conftest import Kept


@pytest.fixture
def name() -> str:
    """A name that no other test uses: Barbican is shared."""
    return f"secret-{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize(
    "value",
    [b"s3cret", "pässword\n".encode(), bytes(range(256)), b"x" * limits.MAX_SECRET_BYTES],
    ids=["word", "text", "bytes", "largest"],
)
def test_what_is_put_is_got(kept: Kept, name: str, value: bytes) -> None:
    info = kept.store.put(kept.mine, name, value)
    assert info.name == name
    assert info.created_at > 1_700_000_000_000
    assert kept.store.get(kept.mine, name) == kept.again().get(kept.mine, name) == value


def test_the_list_has_names_alone(kept: Kept, name: str) -> None:
    made = [kept.store.put(kept.mine, f"{name}{each}", b"value").name for each in "cab"]
    found = [each for each in kept.store.list(kept.mine) if each.name.startswith(name)]
    assert [each.name for each in found] == sorted(made)
    assert not any("value" in str(each) for each in found)


def test_a_new_value_takes_the_place_of_the_old_one(kept: Kept, name: str) -> None:
    for value in (b"first", b"second", b"third"):
        kept.store.put(kept.mine, name, value)
        assert kept.store.get(kept.mine, name) == value
    assert [each.name for each in kept.store.list(kept.mine)].count(name) == 1
    kept.store.delete(kept.mine, name)
    with pytest.raises(SecretMissingError):
        kept.store.get(kept.mine, name)


def test_what_is_deleted_is_gone(kept: Kept, name: str) -> None:
    kept.store.put(kept.mine, name, b"value")
    kept.store.put(kept.mine, f"{name}-other", b"stays")
    kept.store.delete(kept.mine, name)
    with pytest.raises(SecretMissingError, match=f"the project has no secret {name}"):
        kept.store.get(kept.mine, name)
    with pytest.raises(SecretMissingError):
        kept.store.delete(kept.mine, name)
    assert name not in [each.name for each in kept.store.list(kept.mine)]
    assert kept.store.get(kept.mine, f"{name}-other") == b"stays"


def test_another_project_has_its_own(kept: Kept, name: str) -> None:
    kept.store.put(kept.mine, name, b"mine")
    with pytest.raises(SecretMissingError):
        kept.store.get(kept.others, name)
    with pytest.raises(SecretMissingError):
        kept.store.delete(kept.others, name)
    kept.store.put(kept.others, name, b"theirs")
    assert kept.store.get(kept.mine, name) == b"mine"
    assert kept.store.get(kept.others, name) == b"theirs"
    kept.store.delete(kept.others, name)
    assert kept.store.get(kept.mine, name) == b"mine"


def test_many_threads_lose_nothing(kept: Kept, name: str) -> None:
    names = [f"{name}-{number}" for number in range(8)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda each: kept.again().put(kept.mine, each, each.encode()), names))
    assert {each: kept.store.get(kept.mine, each) for each in names} == {
        each: each.encode() for each in names
    }
