"""By whose right a function reads its secrets and acts, and what becomes of a right that no
function has any more.
"""

import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_api.auth import NoAuth
from pratai_api.caller import Caller
from pratai_api.secret_stores.local import LocalSecrets
from pratai_api.trusts import Grant, TrustRefusedError, TrustsUnavailableError
from pratai_common.messages import FunctionChanged
from pratai_common.provisions import Delegated
from pratai_common.records import Function, Trust
from tests.packages import ECHO
from tests.unit.api_world import ApiWorld


def create(world: ApiWorld, **settings: Any) -> Any:
    metadata = json.dumps({"name": "f"} | settings)
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip"), "metadata": metadata}
    return world.api.post("/v1/functions", data=form)


def update(world: ApiWorld, made: Any, **settings: Any) -> Any:
    return world.api.patch(f"/v1/functions/{made['function_id']}", json=settings)


def upload(world: ApiWorld, made: Any, **settings: Any) -> Any:
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip"), "metadata": json.dumps(settings)}
    return world.api.patch(f"/v1/functions/{made['function_id']}", data=form)


def delete(world: ApiWorld, made: Any) -> Any:
    return world.api.delete(f"/v1/functions/{made['function_id']}")


def record(world: ApiWorld, made: Any) -> Function:
    return world.store.get_functions([made["function_id"]])[made["function_id"]]


def refused(answer: Any, code: int, reason: str) -> str:
    error = answer.json["error"]
    assert (answer.status_code, error["reason"]) == (code, reason), error
    message: str = error["message"]
    return message


class Someone(NoAuth):
    """Whoever the test says, with a token of Keystone."""

    def __init__(self) -> None:
        super().__init__()
        self.user_id = "owner"
        self.project_id = "default"
        self.token: str | None = "token"

    def identify(self, environ: dict[str, Any]) -> Caller:
        return Caller(self.project_id, self.user_id, lambda _rule, _project: True, token=self.token)


class Keystone:
    """Rights as Keystone gives them; those that are valid are in ``given``. It is away in the
    methods that ``away`` names, and ``meanwhile`` is called once while it works.
    """

    def __init__(self) -> None:
        self.given: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.away: set[str] = set()
        self.meanwhile: Callable[[], None] = lambda: None
        self._made = 0

    def _work(self, method: str) -> None:
        if method in self.away:
            raise TrustsUnavailableError("Keystone does not answer; try again")
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()

    def make(
        self, token: str, user_id: str, project_id: str, roles: Sequence[str], asked: bool
    ) -> Trust:
        self._work("make")
        if "admin" in roles:
            raise TrustRefusedError("you have it not")
        self._made += 1
        trust = Trust(trust_id=str(self._made), user_id=user_id, roles=tuple(roles), asked=asked)
        self.given[trust.trust_id] = (user_id, trust.roles)
        return trust

    def delete(self, trust: Trust, token: str | None) -> None:
        if trust.sealed is not None:
            return
        self._work("delete")
        del self.given[trust.trust_id]

    def roles(self, grant: Grant, user_id: str, project_id: str) -> tuple[str, ...]:
        if grant != Grant("credential", "rec0gnizable"):
            raise TrustRefusedError("it is not known")
        return ("member",)

    def act(self, grant: Grant) -> Delegated:
        return Delegated(
            auth_url="http://keystone/v3",
            token=f"token of {grant.identity} {grant.secret}",
            expires_at="2030",
            project_id="default",
            user_id="owner",
        )


class ByTrust(LocalSecrets):
    """A store that is asked by a right of the function's owner."""

    needs_trust = True


class Entitled:
    """An API whose callers may give rights."""

    def __init__(self, folder: Path) -> None:
        self.caller, self.keystone = Someone(), Keystone()
        secrets = ByTrust(folder / "values.json", b"k" * 32)
        self.world = ApiWorld(folder, self.caller, secrets=secrets, trusts=self.keystone)

    @contextmanager
    def away(self, *methods: str) -> Iterator[None]:
        """Have Keystone away in these methods while the block runs."""
        self.keystone.away = set(methods)
        yield
        self.keystone.away = set()

    def give_another(self, made: Any) -> None:
        """Be another process that has replaced a function's right."""
        another = Trust(trust_id="another", user_id="owner", roles=("reader",))
        self.keystone.given["another"] = ("owner", ("reader",))
        self.world.store.change_function(
            made["function_id"], lambda old: replace(old, trust=another)
        )

    @property
    def given(self) -> list[tuple[str, tuple[str, ...]]]:
        return list(self.keystone.given.values())


@pytest.fixture
def entitled(tmp_path: Path) -> Iterator[Entitled]:
    made = Entitled(tmp_path)
    yield made
    made.world.close()


def test_a_right_lasts_as_long_as_its_function(entitled: Entitled) -> None:
    world = entitled.world
    made = create(world, trust={"roles": ["member", "reader", "member"]}).json
    assert made["trust"] == {"user_id": "owner", "roles": ["member", "reader"]}
    assert entitled.given == [("owner", ("member", "reader"))]
    assert update(world, made, memory=256).json["trust"] == made["trust"]
    assert list(entitled.keystone.given) == ["1"]
    changed = update(world, made, trust={"roles": ["reader"]}).json
    assert changed["trust"]["roles"] == ["reader"]
    assert list(entitled.keystone.given) == ["2"]  # the former one was taken back
    assert update(world, made, trust=None).json["trust"] is None
    assert entitled.given == []
    update(world, made, trust={"roles": ["member"]})
    assert delete(world, made).status_code == 204
    assert entitled.given == []


def test_a_right_that_is_not_the_callers(entitled: Entitled) -> None:
    message = refused(create(entitled.world, trust={"roles": ["admin"]}), 403, "trust_refused")
    assert message == "you have it not"
    entitled.caller.token = None
    answer = create(entitled.world, trust={"roles": ["member"]})
    assert "a token of Keystone" in refused(answer, 403, "trust_refused")
    assert entitled.world.api.get("/v1/functions").json["functions"] == []
    assert create(entitled.world).status_code == 201


def test_no_right_is_left_of_a_function_that_is_not_created(entitled: Entitled) -> None:
    with entitled.world.away("create_function"):
        answer = create(entitled.world, trust={"roles": ["member"]})
    assert refused(answer, 503, "store_unavailable")
    assert entitled.given == []
    made = create(entitled.world, trust={"roles": ["member"]}).json
    with entitled.world.away("change_function"):
        answer = update(entitled.world, made, trust={"roles": ["reader"]})
    assert refused(answer, 503, "store_unavailable")
    assert entitled.given == [("owner", ("member",))]


def test_nobody_else_changes_what_acts_for_somebody(entitled: Entitled) -> None:
    world = entitled.world
    made = create(world, trust={"roles": ["member"]}).json
    entitled.caller.user_id = "colleague"
    path = f"/v1/functions/{made['function_id']}"
    for answer in (
        upload(world, made),
        update(world, made, memory=256),
        update(world, made, environment={"A": "1"}),
        update(world, made, trust=None),
        update(world, made, trust={"roles": ["member"]}),
        update(world, made, enabled=False, memory=256),
    ):
        message = refused(answer, 403, "trust_of_another")
        assert message == "it acts in the name of user owner, who alone may change it"
    assert update(world, made, enabled=False).json["enabled"] is False
    assert len(world.api.get(f"{path}/versions").json["versions"]) == 1
    assert world.api.delete(path).status_code == 204
    assert entitled.given == []


def test_secrets_are_read_by_the_right_of_who_named_them(entitled: Entitled) -> None:
    world = entitled.world
    made = create(world, secrets=[{"name": "db"}]).json
    assert made["trust"] is None  # its code gets none
    assert entitled.given == [("owner", ("member",))]
    update(world, made, memory=256)
    assert list(entitled.keystone.given) == ["1"]
    entitled.caller.user_id = "colleague"  # what they make of the code reads with their own right
    update(world, made, memory=128)
    assert entitled.given == [("colleague", ("member",))]
    update(world, made, trust={"roles": ["reader"]})
    assert entitled.given == [("colleague", ("reader",))]
    update(world, made, trust=None)
    assert entitled.given == [("colleague", ("member",))]
    assert record(world, made).trust == Trust(
        trust_id="4", user_id="colleague", roles=("member",), asked=False
    )
    update(world, made, secrets=[])
    assert (entitled.given, record(world, made).trust) == ([], None)


def test_an_application_credential_is_kept_as_a_secret(entitled: Entitled, tmp_path: Path) -> None:
    world = entitled.world
    credential = {"id": "credential", "secret": "rec0gnizable"}
    made = create(world, trust={"application_credential": credential})
    assert made.json["trust"] == {"user_id": "owner", "roles": ["member"]}
    assert b"rec0gnizable" not in made.data
    kept = record(world, made.json).trust
    assert kept is not None
    assert kept.sealed is not None
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"rec0gnizable" in path.read_bytes() for path in files)
    wrong = {"application_credential": {**credential, "secret": "wrong"}}
    assert refused(update(world, made.json, trust=wrong), 403, "trust_refused")
    for both in ({}, {"roles": ["member"], "application_credential": credential}):
        assert "either roles or" in refused(update(world, made.json, trust=both), 400, "invalid")
    assert update(world, made.json, trust={"roles": ["member"]}).status_code == 200
    assert entitled.given == [("owner", ("member",))]


def test_an_administrator_from_elsewhere_gives_no_right(entitled: Entitled) -> None:
    """It would be one in their own project, whose secrets the function would read."""
    world = entitled.world
    made = create(world, secrets=[{"name": "db"}]).json
    other = create(world, name="g").json
    entitled.caller.user_id, entitled.caller.project_id = "admin", "admins"
    assert update(world, made, memory=256).status_code == 200
    assert entitled.given == [("owner", ("member",))]
    for settings in ({"trust": {"roles": ["member"]}}, {"secrets": [{"name": "db"}]}):
        message = refused(update(world, other, **settings), 403, "trust_refused")
        assert message == "you call from another project than the function's"
    assert entitled.given == [("owner", ("member",))]


# Keystone is away


def test_a_right_that_cannot_be_given_now(entitled: Entitled) -> None:
    world, member = entitled.world, {"roles": ["member"]}
    with entitled.away("make"):
        answer = create(world, trust=member)
        assert refused(answer, 503, "identity_unavailable").startswith("Keystone does not answer")
        assert answer.headers["Retry-After"] == "1"
        assert world.api.get("/v1/functions").json["functions"] == []
        made = create(world).json
        assert refused(update(world, made, trust=member), 503, "identity_unavailable")
    assert record(world, made).trust is None
    assert update(world, made, trust=member).json["trust"]["roles"] == ["member"]


def test_a_former_right_that_cannot_be_taken_back_now(
    entitled: Entitled, caplog: pytest.LogCaptureFixture
) -> None:
    """The change holds: nobody would know what of it was done. The log says what is left."""
    world = entitled.world
    made = create(world, trust={"roles": ["member"]}).json
    world.sent.clear()
    with entitled.away("delete"), caplog.at_level(logging.ERROR):
        changed = update(world, made, trust={"roles": ["reader"]})
    assert (changed.status_code, changed.json["trust"]["roles"]) == (200, ["reader"])
    assert world.sent == [FunctionChanged(function_id=made["function_id"])]
    assert "the trust 1 stays, which no function has" in caplog.text
    assert set(entitled.keystone.given) == {"1", "2"}
    with entitled.away("delete"):
        assert upload(world, made, trust=None).status_code == 202
    assert len(world.store.list_versions(made["function_id"])) == 2
    assert record(world, made).trust is None


def test_what_went_wrong_first_is_what_is_said(
    entitled: Entitled, caplog: pytest.LogCaptureFixture
) -> None:
    world = entitled.world
    with world.away("create_function"), entitled.away("delete"), caplog.at_level(logging.ERROR):
        answer = create(world, trust={"roles": ["member"]})
    assert refused(answer, 503, "store_unavailable")
    assert "the trust 1 stays, which no function has" in caplog.text


def test_a_function_is_deleted_with_its_right_or_not_at_all(entitled: Entitled) -> None:
    world = entitled.world
    made = create(world, trust={"roles": ["member"]}).json
    function = made["function_id"]
    subscriptions = world.store.subscriptions_of(function)
    assert subscriptions != []
    key = world.api.post("/v1/keys", json={"name": "k", "function_id": function}).json["prefix"]
    with entitled.away("delete"):
        assert refused(delete(world, made), 503, "identity_unavailable")
    assert record(world, made).deleted_at is None
    assert world.store.subscriptions_of(function) == subscriptions
    assert world.store.get_key(key) is not None
    assert update(world, made, memory=256).status_code == 200
    assert delete(world, made).status_code == 204
    assert entitled.given == []


def test_no_more_callers_wait_for_keystone_than_may(entitled: Entitled) -> None:
    world = entitled.world
    made = create(world).json
    with world.secret_waits.place():
        message = refused(update(world, made, trust={"roles": ["member"]}), 503, "busy")
        assert message == "too many callers wait for secrets here already"
        assert update(world, made, memory=256).status_code == 200
    assert update(world, made, trust={"roles": ["member"]}).status_code == 200


# Others change the function meanwhile


def test_two_give_a_right_at_once(entitled: Entitled) -> None:
    world = entitled.world
    made = create(world, trust={"roles": ["member"]}).json
    entitled.keystone.meanwhile = lambda: entitled.give_another(made)
    assert update(world, made, trust={"roles": ["member"]}).status_code == 200
    trust = record(world, made).trust
    assert trust is not None
    # "1" is for whoever has replaced that; what was there last is taken back here.
    assert set(entitled.keystone.given) == {"1", trust.trust_id}


def test_a_right_for_a_function_that_is_deleted_meanwhile(entitled: Entitled) -> None:
    world = entitled.world
    made = create(world).json
    function_id = made["function_id"]

    def go() -> None:
        world.store.change_function(function_id, lambda old: replace(old, deleted_at=1))

    entitled.keystone.meanwhile = go
    answer = update(world, made, trust={"roles": ["member"]})
    assert refused(answer, 404, "function_not_found") == f"there is no function {function_id}"
    assert entitled.given == []


def test_a_right_that_is_given_while_its_function_is_deleted(entitled: Entitled) -> None:
    world = entitled.world
    made = create(world, trust={"roles": ["member"]}).json
    entitled.keystone.meanwhile = lambda: entitled.give_another(made)
    assert delete(world, made).status_code == 204
    assert entitled.given == []


def test_a_change_of_what_has_begun_to_act_for_somebody(
    entitled: Entitled, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = entitled.world
    made = create(world).json
    change = world.store.change_function

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(world.store, "change_function", change)
        entitled.give_another(made)
        return change(*arguments)

    entitled.caller.user_id = "colleague"
    monkeypatch.setattr(world.store, "change_function", late)
    assert refused(update(world, made, environment={"A": "1"}), 403, "trust_of_another")
    assert record(world, made).environment == {}
    entitled.caller.user_id = "owner"
    assert update(world, made, environment={"A": "1"}).status_code == 200
