"""Barbican by the rights that Keystone knows of, while it is away, and what else is in it."""

import uuid
from pathlib import Path

import pytest

from pratai_api.secret_stores.barbican import MOST_SECONDS, BarbicanSecrets
from pratai_api.secret_stores.base import (
    Right,
    RightRevokedError,
    SecretForbiddenError,
    SecretMissingError,
    SecretRefusedError,
    SecretsUnavailableError,
)
from tests.barbican import Barbican
from tests.contract.secrets.conftest import right_of
from tests.waiting import until

PROJECT = "secrets"


@pytest.fixture
def name() -> str:
    return f"secret-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def store(barbican: Barbican, tmp_path: Path) -> BarbicanSecrets:
    return barbican.secrets(tmp_path)


@pytest.fixture
def mine(barbican: Barbican) -> Right:
    return right_of(barbican, "keeper", PROJECT)


def test_what_another_program_has_stored(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str
) -> None:
    """It is read by its name, and never deleted: others rely on it."""
    others = barbican.client("keeper", PROJECT).secrets
    made = []
    for value in ("text", b"bytes"):
        made.append(others.create(name=name, payload=value).store())
        assert store.get(mine, name) == (value if isinstance(value, bytes) else value.encode())
    store.put(mine, name, b"ours")
    assert store.get(mine, name) == b"ours"
    store.put(mine, name, b"ours again")
    with pytest.raises(SecretRefusedError, match="another client has made one of that name"):
        store.delete(mine, name)
    assert store.get(mine, name) == b"ours again"
    assert [others.get(each).payload for each in made] == ["text", b"bytes"]
    for each in made:
        others.delete(each)
    store.delete(mine, name)
    with pytest.raises(SecretMissingError):
        store.get(mine, name)


def test_one_without_a_value(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str
) -> None:
    barbican.client("keeper", PROJECT).secrets.create(name=name).store()
    with pytest.raises(SecretMissingError):
        store.get(mine, name)


def test_what_another_service_uses(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str
) -> None:
    store.put(mine, name, b"value")
    others = barbican.client("keeper", PROJECT).secrets
    (found,) = others.list(name=name)
    used = {"service": "load-balancer", "resource_type": "listener", "resource_id": "1"}
    others.register_consumer(found.secret_ref, **used)
    with pytest.raises(SecretRefusedError, match="or uses it"):
        store.delete(mine, name)
    store.put(mine, name, b"new")
    assert others.get(found.secret_ref).payload == b"value"
    others.remove_consumer(found.secret_ref, **used)
    store.delete(mine, name)
    with pytest.raises(SecretMissingError):
        store.get(mine, name)


def test_who_may_not_read_it(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str
) -> None:
    store.put(mine, name, b"value")
    looker = right_of(barbican, "looker", PROJECT)
    with pytest.raises(SecretForbiddenError):
        store.get(looker, name)
    with pytest.raises(SecretForbiddenError):
        store.put(looker, name, b"other")
    with pytest.raises(SecretForbiddenError):
        store.delete(looker, name)
    assert store.get(mine, name) == b"value"


def test_a_token_that_is_revoked(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str
) -> None:
    store.put(mine, name, b"value")
    revoked = right_of(barbican, "keeper", PROJECT)
    barbican.keystone.revoke(revoked.token or "")  # before Barbican has seen, and remembers, it
    for right in (revoked, mine._replace(token="nonsense")):
        with pytest.raises(RightRevokedError):
            store.get(right, name)
    assert store.get(mine, name) == b"value"


def test_a_token_that_expires(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str
) -> None:
    store.put(mine, name, b"value")
    with barbican.keystone.short_lived_tokens(8):
        short = right_of(barbican, "keeper", PROJECT)
        assert store.get(short, name) == b"value"

        def refused() -> bool:
            try:
                store.get(short, name)
            except RightRevokedError:
                return True
            return False

        until(refused, "the token has expired")
    assert store.get(right_of(barbican, "keeper", PROJECT), name) == b"value"


def test_a_value_that_is_too_large(store: BarbicanSecrets, mine: Right, name: str) -> None:
    with pytest.raises(SecretRefusedError):
        store.put(mine, name, b"x" * 100_000)
    with pytest.raises(SecretMissingError):
        store.get(mine, name)


def test_barbican_is_away(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str
) -> None:
    store.put(mine, name, b"value")
    with barbican.service.away():
        for use in (
            lambda: store.get(mine, name),
            lambda: store.put(mine, name, b"new"),
            lambda: store.list(mine),
            lambda: store.delete(mine, name),
        ):
            with pytest.raises(SecretsUnavailableError, match="Barbican does not do it"):
                use()
    assert store.get(mine, name) == b"value"


def test_barbican_hangs(barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str) -> None:
    store.put(mine, name, b"value")
    with barbican.service.hanging(), pytest.raises(SecretsUnavailableError):
        store.get(mine, name)
    assert store.get(mine, name) == b"value"


def test_barbican_is_slow(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str, tmp_path: Path
) -> None:
    """Who asks for several is not held as long as each of them may take."""
    names = [f"{name}-{each}" for each in "ab"]
    for each in names:
        store.put(mine, each, b"value")
    moments = iter([0.0, 0.0, MOST_SECONDS + 1])
    slow = BarbicanSecrets(barbican.sessions(tmp_path), now=lambda: next(moments))
    with pytest.raises(SecretsUnavailableError, match="Barbican takes too long"):
        slow.get_each(mine, names)
    assert store.get_each(mine, names) == dict.fromkeys(names, b"value")


def test_keystone_is_away(
    barbican: Barbican, store: BarbicanSecrets, mine: Right, name: str, tmp_path: Path
) -> None:
    store.put(mine, name, b"value")
    new = barbican.secrets(tmp_path)
    with barbican.keystone.away(), pytest.raises(SecretsUnavailableError):
        new.get(mine, name)
    assert new.get(mine, name) == b"value"
