"""Each store of secrets, and by whose right it is asked."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pratai_api.secret_stores.base import Right, SecretStore
from pratai_api.secret_stores.local import LocalSecrets
from tests.barbican import Barbican

_KEY = b"k" * 32


class Kept(NamedTuple):
    """A store, rights of members of two projects, and another process's view of the store."""

    store: SecretStore
    mine: Right
    others: Right
    again: Callable[[], SecretStore]


@pytest.fixture(params=["local", "barbican"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "local":
        path = tmp_path / "secrets" / "values.json"
        store = LocalSecrets(path, _KEY)
        return Kept(store, Right("mine"), Right("others"), lambda: LocalSecrets(path, _KEY))
    barbican: Barbican = request.getfixturevalue("barbican")
    return Kept(
        barbican.secrets(tmp_path),
        right_of(barbican, "keeper", "secrets"),
        right_of(barbican, "outsider", "outside"),
        lambda: barbican.secrets(tmp_path),
    )


def right_of(barbican: Barbican, user: str, project: str) -> Right:
    session = barbican.keystone.session(user, project)
    return Right(str(session.get_project_id()), str(session.get_token()))
