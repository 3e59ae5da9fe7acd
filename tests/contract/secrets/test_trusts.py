"""The right that users give to functions, in the real Keystone, and what it opens in Barbican."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions
from keystoneauth1.session import Session

from pratai_api.keystone_trusts import KeystoneTrusts
from pratai_api.secret_stores.barbican import BarbicanSecrets
from pratai_api.secret_stores.base import Right, RightRevokedError, SecretsUnavailableError
from pratai_api.trusts import Grant, TrustRefusedError, TrustRevokedError, TrustsUnavailableError
from pratai_common.provisions import Delegated
from pratai_common.records import Trust
from tests.barbican import Barbican
from tests.keystone import Keystone
from tests.waiting import until


@pytest.fixture
def trusts(barbican: Barbican, tmp_path: Path) -> KeystoneTrusts:
    return KeystoneTrusts(barbican.sessions(tmp_path))


class Owner:
    """A user of a project of their own, with a session."""

    def __init__(self, keystone: Keystone, *roles: str) -> None:
        self.name = f"owner-{uuid.uuid4().hex[:12]}"
        self.project = f"{self.name}-project"
        keystone.register(f"user {self.name} {self.project} {' '.join(roles)}\n")
        self.session = keystone.session(self.name, self.project)
        self.user_id = str(self.session.get_user_id())
        self.project_id = str(self.session.get_project_id())
        self._admin = keystone.session("admin", "admin")
        self._keystone = keystone.url
        self._url = f"{keystone.url}/users/{self.user_id}"

    @property
    def token(self) -> str:
        return str(self.session.get_token())

    def be(self, enabled: bool) -> None:
        self._admin.patch(self._url, json={"user": {"enabled": enabled}})

    def lose(self, role: str) -> None:
        roles = self._admin.get(f"{self._keystone}/roles?name={role}").json()["roles"]
        path = f"projects/{self.project_id}/users/{self.user_id}/roles/{roles[0]['id']}"
        self._admin.delete(f"{self._keystone}/{path}")

    def trust(self, trusts: KeystoneTrusts, *roles: str) -> Trust:
        return trusts.make(self.token, self.user_id, self.project_id, roles or ("member",), True)


@pytest.fixture
def owner(keystone: Keystone) -> Iterator[Owner]:
    made = Owner(keystone, "member")
    yield made
    made.be(True)


def seen_by(delegated: Delegated, path: str) -> Any:
    """Return what Keystone answers to whoever acts for an owner."""
    headers = {"X-Auth-Token": delegated.token}
    with requests.Session() as connections:
        session = Session(session=connections)
        answer = session.get(f"{delegated.auth_url}{path}", headers=headers, authenticated=False)
    return answer.json()


def test_a_trust_is_to_the_service_and_goes_no_further(
    trusts: KeystoneTrusts, owner: Owner, keystone: Keystone
) -> None:
    made = owner.trust(trusts)
    assert made == Trust(trust_id=made.trust_id, user_id=owner.user_id, roles=("member",))
    found = owner.session.get(f"{keystone.url}/OS-TRUST/trusts/{made.trust_id}").json()["trust"]
    assert found["impersonation"] is True
    assert found["redelegation_count"] == 0
    assert found["project_id"] == owner.project_id
    assert [each["name"] for each in found["roles"]] == ["member"]
    assert found["trustee_user_id"] == keystone.session("pratai", "service").get_user_id()


def test_it_acts_for_its_owner_in_their_project(trusts: KeystoneTrusts, owner: Owner) -> None:
    delegated = trusts.act(Grant(owner.trust(trusts).trust_id))
    assert (delegated.user_id, delegated.project_id) == (owner.user_id, owner.project_id)
    for path in ("/auth/projects", f"/users/{owner.user_id}/projects"):
        projects = seen_by(delegated, path)["projects"]
        assert [each["id"] for each in projects] == [owner.project_id]
    assert delegated.expires_at > "2026"


def test_what_is_taken_back_is_worth_nothing(trusts: KeystoneTrusts, owner: Owner) -> None:
    made, other = owner.trust(trusts), owner.trust(trusts)
    trusts.delete(made, None)  # whoever deletes a function need not be its owner
    with pytest.raises(TrustRevokedError):
        trusts.act(Grant(made.trust_id))
    trusts.delete(made, owner.token)  # repeating it changes nothing
    assert trusts.act(Grant(other.trust_id)).user_id == owner.user_id


def test_its_owner_may_take_it_back(
    trusts: KeystoneTrusts, owner: Owner, keystone: Keystone
) -> None:
    made = owner.trust(trusts)
    owner.session.delete(f"{keystone.url}/OS-TRUST/trusts/{made.trust_id}")
    with pytest.raises(TrustRevokedError) as raised:
        trusts.act(Grant(made.trust_id))
    assert isinstance(raised.value.__cause__, exceptions.Unauthorized)  # as if it were the user


def test_nobody_acts_for_who_is_disabled(trusts: KeystoneTrusts, owner: Owner) -> None:
    made = owner.trust(trusts)
    assert trusts.act(Grant(made.trust_id)).user_id == owner.user_id
    owner.be(False)
    with pytest.raises(TrustRevokedError) as raised:
        trusts.act(Grant(made.trust_id))
    assert isinstance(raised.value.__cause__, exceptions.Forbidden)
    trusts.delete(made, None)  # which cannot be done, and matters to nobody


def test_nobody_acts_in_a_role_that_was_lost(trusts: KeystoneTrusts, keystone: Keystone) -> None:
    owner = Owner(keystone, "member", "reader")
    made, other = owner.trust(trusts), owner.trust(trusts, "reader")
    owner.lose("member")
    with pytest.raises(TrustRevokedError):
        trusts.act(Grant(made.trust_id))
    assert trusts.act(Grant(other.trust_id)).user_id == owner.user_id


@pytest.mark.parametrize(
    "wrong", [{"password": "another"}, {"auth_url": "http://127.0.0.1:{port}/nothing"}]
)
def test_the_service_user_is_refused(
    barbican: Barbican,
    trusts: KeystoneTrusts,
    owner: Owner,
    tmp_path: Path,
    wrong: dict[str, str],
) -> None:
    """Keystone answers as if the right were gone, which nobody knows then: it is asked again."""
    store = barbican.secrets(tmp_path)
    store.put(Right(owner.project_id, owner.token), "db", b"value")
    made = owner.trust(trusts)
    grant = Grant(made.trust_id)
    right = Right(owner.project_id, grant=grant)
    port = barbican.keystone.service.port
    settings = {name: value.format(port=port) for name, value in wrong.items()}
    astray = barbican.sessions(tmp_path, **settings)
    for use in (
        lambda: KeystoneTrusts(astray).act(grant),
        lambda: KeystoneTrusts(astray).delete(made, None),
    ):
        with pytest.raises(TrustsUnavailableError):
            use()
    with pytest.raises(SecretsUnavailableError):
        BarbicanSecrets(astray).get(right, "db")
    assert trusts.act(grant).user_id == owner.user_id
    assert store.get(right, "db") == b"value"


def test_a_token_expires_and_the_right_does_not(
    trusts: KeystoneTrusts, owner: Owner, keystone: Keystone
) -> None:
    grant = Grant(owner.trust(trusts).trust_id)
    with keystone.short_lived_tokens(4):
        first = trusts.act(grant)

        def over() -> bool:
            try:
                seen_by(first, "/auth/projects")
            except exceptions.Unauthorized:
                return True
            return False

        until(over, "the first run's token has expired")
        second = trusts.act(grant)
        assert seen_by(second, "/auth/projects")["projects"]
    assert second.expires_at > first.expires_at


def test_roles_that_the_user_does_not_have(trusts: KeystoneTrusts, owner: Owner) -> None:
    for role in ("admin", "no-such-role"):
        with pytest.raises(TrustRefusedError):
            owner.trust(trusts, role)
    assert owner.trust(trusts, "member").roles == ("member",)


def test_a_token_that_may_give_no_right(
    trusts: KeystoneTrusts, owner: Owner, keystone: Keystone
) -> None:
    credential = keystone.application_credential(owner.name, owner.project)
    auth = {
        "methods": ["application_credential"],
        "application_credential": {"id": credential["id"], "secret": credential["secret"]},
    }
    answer = requests.post(
        f"{keystone.url}/auth/tokens", json={"auth": {"identity": auth}}, timeout=60
    )
    for token in (answer.headers["X-Subject-Token"], "nonsense"):
        with pytest.raises(TrustRefusedError, match="Keystone does not let you"):
            trusts.make(token, owner.user_id, owner.project_id, ["member"], True)
    delegated = trusts.act(Grant(owner.trust(trusts).trust_id))
    with pytest.raises(TrustRefusedError):  # what acts for somebody passes nothing on
        trusts.make(delegated.token, owner.user_id, owner.project_id, ["member"], True)


def test_an_application_credential(
    trusts: KeystoneTrusts, owner: Owner, barbican: Barbican, tmp_path: Path
) -> None:
    store = barbican.secrets(tmp_path)
    store.put(Right(owner.project_id, owner.token), "db", b"value")
    credential = barbican.keystone.application_credential(owner.name, owner.project)
    grant = Grant(credential["id"], credential["secret"])
    assert trusts.roles(grant, owner.user_id, owner.project_id) == ("member", "reader")
    assert trusts.act(grant).user_id == owner.user_id
    assert store.get(Right(owner.project_id, grant=grant), "db") == b"value"
    for user_id, project_id in (("other", owner.project_id), (owner.user_id, "other")):
        with pytest.raises(TrustRefusedError, match="not yours, or not of this project"):
            trusts.roles(grant, user_id, project_id)
    wrong = grant._replace(secret="wrong")
    with pytest.raises(TrustRefusedError, match="does not know"):
        trusts.roles(wrong, owner.user_id, owner.project_id)
    with pytest.raises(TrustRevokedError) as raised:
        trusts.act(wrong)
    assert isinstance(raised.value.__cause__, exceptions.Unauthorized)
    with pytest.raises(RightRevokedError):
        store.get(Right(owner.project_id, grant=wrong), "db")


def test_keystone_is_away(trusts: KeystoneTrusts, owner: Owner, keystone: Keystone) -> None:
    made, token = owner.trust(trusts), owner.token
    with keystone.away():
        for use in (
            lambda: trusts.act(Grant(made.trust_id)),
            lambda: trusts.delete(made, token),
            lambda: trusts.make(token, owner.user_id, owner.project_id, ["member"], True),
        ):
            with pytest.raises(TrustsUnavailableError):
                use()
    assert trusts.act(Grant(made.trust_id)).user_id == owner.user_id


def test_a_secret_by_a_trust(
    trusts: KeystoneTrusts, barbican: Barbican, owner: Owner, tmp_path: Path
) -> None:
    store = barbican.secrets(tmp_path)
    store.put(Right(owner.project_id, owner.token), "db", b"value")
    made, other = owner.trust(trusts), owner.trust(trusts)
    by_trust = Right(owner.project_id, None, Grant(made.trust_id))
    assert store.get(by_trust, "db") == b"value"
    assert store.get_each(by_trust, ["db"]) == {"db": b"value"}
    trusts.delete(made, None)
    with pytest.raises(RightRevokedError):
        store.get(by_trust, "db")
    by_other = Right(owner.project_id, None, Grant(other.trust_id))
    assert store.get(by_other, "db") == b"value"
    owner.be(False)
    with pytest.raises(RightRevokedError):
        store.get(by_other, "db")
