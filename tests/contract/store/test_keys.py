"""API keys: one of each prefix, found by it at once, and gone for everybody when it is deleted."""

from pratai_common.store.base import Store
from tests.contract.store.conftest import Open
from tests.contract.store.records import api_key


def test_a_key_from_creation_to_deletion(open_store: Open) -> None:
    one, other = open_store(), open_store()
    key = api_key(function_id="f1", expires_at=5)
    assert other.get_key("prk_1") is None
    assert one.create_key(key)
    assert other.get_key("prk_1") == one.get_key("prk_1") == key
    assert other.get_key("prk_") is other.get_key("") is None
    other.delete_key("prk_1")
    assert one.get_key("prk_1") is other.get_key("prk_1") is None
    assert one.list_keys("p") == other.list_keys("p") == []
    one.delete_key("prk_1")


def test_a_prefix_is_given_once(store: Store) -> None:
    first = api_key()
    assert store.create_key(first)
    assert not store.create_key(api_key(name="another", project_id="q"))
    assert store.get_key("prk_1") == first
    assert store.list_keys("q") == []
    store.delete_key("prk_1")
    assert store.create_key(api_key(project_id="q"))


def test_the_keys_of_a_project_are_listed_at_once(store: Store) -> None:
    """Oldest first, their prefixes deciding between equals."""
    keys = [api_key(2), api_key(1), api_key(3, created_at=1), api_key(4, project_id="q")]
    for each in keys:
        assert store.create_key(each)
    assert store.list_keys("p") == [keys[1], keys[2], keys[0]]
    assert store.list_keys("q") == [keys[3]]
    assert store.list_keys("r") == []
    store.delete_key("prk_1")
    assert store.list_keys("p") == [keys[2], keys[0]]
