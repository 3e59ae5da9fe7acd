"""Who may call a function: its project, those that it is shared with, whoever has an API key."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_api import api_keys, policies
from pratai_api.auth import NoAuth
from pratai_api.caller import OF_KEYS, Caller
from pratai_api.quotas import Limits
from pratai_common.clock import iso, now_ms
from pratai_common.records import Attempt, Body, FunctionStatus, Status
from pratai_common.store.base import Changed, RequestChange
from tests.records import function
from tests.unit.api_world import ApiWorld
from tests.unit.test_event_routes import refused

CALL = {"payload": 1}
REVOKED = "the API key is unknown, revoked or expired"


class Tenants(NoAuth):
    """Whoever says so in a header is of a project, with a role in it; without one, is nobody."""

    def identify(self, environ: dict[str, Any]) -> Caller | None:  # type: ignore[override]
        project = environ.get("HTTP_X_PROJECT")
        if project is None:
            return None
        reads = environ.get("HTTP_X_ROLE") == "reader"

        def allows(rule: str, of: str) -> bool:
            return of == project and not (reads and rule == "function:call")

        return Caller(project, f"user of {project}", allows)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API with the functions ``f1`` and ``f2`` of the project ``p``, and ``f3`` of ``q``."""
    made = ApiWorld(tmp_path, Tenants(), Limits(keys=3))
    ready: dict[str, Any] = {"status": FunctionStatus.ACTIVE, "version": 1}
    for number, project in ((1, "p"), (2, "p"), (3, "q")):
        made.store.create_function(function(number, project_id=project, **ready))
    yield made
    made.close()


def of(project: str, **more: str) -> dict[str, str]:
    return {"X-Project": project, **more}


def call(world: ApiWorld, name: str, headers: dict[str, str] | None = None) -> Any:
    return world.api.post(f"/v1/functions/{name}", json=CALL, headers=headers)


def share(world: ApiWorld, name: str, *projects: str) -> Any:
    body = {"shared_with": list(projects)}
    return world.api.patch(f"/v1/functions/{name}", json=body, headers=of("p"))


# Listed projects


def test_a_function_is_private_until_it_is_shared(world: ApiWorld) -> None:
    assert world.api.get("/v1/functions/f1", headers=of("p")).json["shared_with"] == []
    assert call(world, "f1", of("p")).status_code == 202
    message = "there is no function f1"
    assert refused(call(world, "f1", of("q")), 404, "function_not_found") == message
    assert share(world, "f1", "s", "q", "q").json["shared_with"] == ["q", "s"]
    made = call(world, "f1", of("q"))
    assert made.status_code == 202
    request = world.store.get_requests([made.json["request_id"]]).popitem()[1]
    assert (request.project_id, request.user_id) == ("p", "user of q")
    assert refused(call(world, "f1", of("r")), 404, "function_not_found") == message
    assert refused(call(world, "f1"), 401, "unauthenticated")
    assert share(world, "f1", "s").status_code == 200
    assert refused(call(world, "f1", of("q")), 404, "function_not_found") == message
    assert call(world, "f1", of("s")).status_code == 202


def test_whoever_it_is_shared_with_may_call_it_and_nothing_else(world: ApiWorld) -> None:
    share(world, "f1", "q")
    made = call(world, "f1", of("q"))
    assert made.status_code == 202
    for method, path, reason in (
        ("get", "/v1/functions/f1", "function_not_found"),
        ("delete", "/v1/functions/f1", "function_not_found"),
        ("post", "/v1/functions/f1/stop", "function_not_found"),
        ("get", f"/v1/requests/{made.json['request_id']}/logs", "request_not_found"),
        ("delete", f"/v1/requests/{made.json['request_id']}", "request_not_found"),
        ("post", f"/v1/requests/{made.json['request_id']}/replay", "request_not_found"),
    ):
        answer = getattr(world.api, method)(path, headers=of("q"))
        assert answer.status_code == 404, path
        assert answer.json["error"]["reason"] == reason
    assert world.api.get("/v1/functions", headers=of("q")).json["functions"][0]["name"] == "name3"
    assert world.api.get("/v1/requests", headers=of("q")).json["requests"] == []


def end(world: ApiWorld, request_id: str, **values: Any) -> None:
    """Have a request run on a node, and end well with the result ``2``."""
    attempt = Attempt(number=1, node="n1", epoch=1, started_at=1)
    ended = {"status": Status.SUCCESS, "node": "n1", "attempts": (attempt,), **values}
    result = Body.inline(b"2")
    change = RequestChange(request_id, lambda old: Changed(replace(old, **ended), result))
    world.store.change_requests([change])


def shown(world: ApiWorld, request_id: str, headers: dict[str, str], query: str = "") -> Any:
    return world.api.get(f"/v1/requests/{request_id}{query}", headers=headers)


def test_a_caller_sees_what_became_of_a_call_of_what_is_shared(world: ApiWorld) -> None:
    """Its result, as long as the project may call: not where it ran, nor what others called."""
    share(world, "f1", "q", "s")
    mine = call(world, "f1", of("q")).json["request_id"]
    others = [call(world, "f1", of(each)).json["request_id"] for each in ("p", "s")]
    assert shown(world, mine, of("q")).json["status"] == "queued"
    for each in (mine, *others):
        end(world, each)
    answer = shown(world, mine, of("q"), "?include=payload").json
    assert (answer["status"], answer["result"], answer["payload"]) == ("success", 2, 1)
    assert (answer["node"], answer["attempts"]) == (None, [])
    assert not {"children", "event", "timing"} & answer.keys()
    assert shown(world, mine, of("p")).json["node"] == "n1"
    assert shown(world, mine, of("q", **{"X-Role": "reader"})).status_code == 200
    for each in others:
        message = f"there is no request {each}"
        assert refused(shown(world, each, of("q")), 404, "request_not_found") == message
    assert refused(shown(world, mine, of("r")), 404, "request_not_found")
    share(world, "f1", "s")
    assert refused(shown(world, mine, of("q")), 404, "request_not_found")
    assert shown(world, others[1], of("s")).status_code == 200


def test_a_caller_sees_what_became_of_a_call_of_what_is_public(world: ApiWorld) -> None:
    world.store.change_function("f1", lambda old: replace(old, public=True))
    mine = call(world, "f1", of("q")).json["request_id"]
    nobodys = call(world, "f1").json["request_id"]
    assert shown(world, mine, of("q")).status_code == 200
    assert shown(world, nobodys, of("q")).status_code == 404
    assert shown(world, nobodys, of("p")).status_code == 200
    assert refused(shown(world, nobodys, {}), 401, "unauthenticated")
    world.store.change_function("f1", lambda old: replace(old, auth="token"))
    assert shown(world, mine, of("q")).status_code == 404
    world.store.change_function("f1", lambda old: replace(old, auth="none", deleted_at=1))
    assert shown(world, mine, of("q")).status_code == 404


def test_strangers_are_told_the_limit_and_not_what_is_used(tmp_path: Path) -> None:
    with closing(ApiWorld(tmp_path, Tenants(), Limits(requests_per_minute=1))) as world:
        ready: dict[str, Any] = {"status": FunctionStatus.ACTIVE, "version": 1}
        world.store.create_function(function(1, shared_with=("q",), public=True, **ready))
        assert call(world, "f1", of("p")).status_code == 202
        limit = "the project's quota of requests_per_minute is 1"
        key = world.api.post("/v1/keys", json={"name": "k"}, headers=of("p")).json["key"]
        for headers in (of("q"), bearer(key), None):
            answer = call(world, "f1", headers)
            assert refused(answer, 429, "throttled") == limit
            assert answer.headers["Retry-After"]
        answer = call(world, "f1", of("p"))
        assert refused(answer, 429, "throttled") == f"{limit}, of which 1 are used"


def test_who_may_not_call_in_their_own_project_may_not_elsewhere(world: ApiWorld) -> None:
    share(world, "f1", "q")
    answer = call(world, "f1", of("q", **{"X-Role": "reader"}))
    assert refused(answer, 403, "forbidden") == "the policy does not allow it: function:call"


def test_keys_of_others_are_no_keys_of_the_project(world: ApiWorld) -> None:
    """Two projects' Idempotency-Keys are two requests, though both run one function."""
    share(world, "f1", "q")
    key = {"Idempotency-Key": "k"}
    ids = [call(world, "f1", of(each, **key)).json["request_id"] for each in ("p", "q", "p", "q")]
    assert ids[:2] == ids[2:]
    assert ids[0] != ids[1]


def test_what_cannot_be_shared_with(world: ApiWorld) -> None:
    for projects, message in (
        (["x" * 65], "length <= 64"),
        ([""], "length >= 1"),
        ([str(number) for number in range(101)], "length <= 100"),
        ([1], "Expected `str`"),
    ):
        answer = world.api.patch(
            "/v1/functions/f1", json={"shared_with": projects}, headers=of("p")
        )
        assert message in refused(answer, 400, "invalid")
    assert share(world, "f1", *map(str, range(100))).status_code == 200


# API keys


def make(world: ApiWorld, **settings: Any) -> Any:
    body = {"name": "door", **settings}
    return world.api.post("/v1/keys", json=body, headers=of("p"))


def bearer(key: str, word: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{word} {key}"}


def test_a_key_is_shown_once_and_stored_hashed(world: ApiWorld, tmp_path: Path) -> None:
    answer = make(world)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json
    key = made.pop("key")
    assert key.startswith(f"{made['prefix']}_")
    assert len(key) == len(made["prefix"]) + 1 + 43
    listed = world.api.get("/v1/keys", headers=of("p"))
    assert listed.json == {"keys": [made], "next": None}
    stored = world.store.get_key(made["prefix"])
    assert stored is not None
    assert stored.sha256 == hashlib.sha256(key.encode()).hexdigest()
    secret = key.removeprefix(made["prefix"])
    files = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]
    assert any(made["prefix"].encode() in each for each in files)
    assert not any(secret.encode() in each for each in files)
    assert secret not in repr(stored) + repr(world.audited) + listed.text
    assert world.api.get("/v1/keys", headers=of("q")).json["keys"] == []


def test_whoever_has_a_key_may_call_and_see_what_became_of_it(world: ApiWorld) -> None:
    key = make(world).json
    made = call(world, "f1", bearer(key["key"]))
    assert made.status_code == 202
    path = f"/v1/requests/{made.json['request_id']}"
    shown = world.api.get(path, headers=bearer(key["key"], "bEARER "))
    assert (shown.status_code, shown.json["user_id"]) == (200, key["prefix"])
    assert world.api.get(path, headers=of("p")).status_code == 200
    other = call(world, "f1", of("p")).json["request_id"]
    answer = world.api.get(f"/v1/requests/{other}", headers=bearer(key["key"]))
    assert refused(answer, 404, "request_not_found") == f"there is no request {other}"
    second = make(world).json["key"]
    assert world.api.get(path, headers=bearer(second)).status_code == 404
    assert world.api.get(f"{path}/logs", headers=bearer(key["key"])).status_code == 403
    assert refused(call(world, "f3", bearer(key["key"])), 404, "function_not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/v1/functions"),
        ("get", "/v1/functions/f1"),
        ("patch", "/v1/functions/f1"),
        ("delete", "/v1/functions/f1"),
        ("get", "/v1/requests"),
        ("get", "/v1/keys"),
        ("post", "/v1/keys"),
        ("get", "/v1/quota"),
        ("get", "/v1/cluster"),
    ],
)
def test_whoever_has_a_key_may_do_nothing_else(world: ApiWorld, method: str, path: str) -> None:
    key = make(world).json["key"]
    assert call(world, "f1", bearer(key)).status_code == 202
    answer = getattr(world.api, method)(path, headers=bearer(key), json={})
    assert refused(answer, 403, "forbidden").startswith("the policy does not allow it: ")


def test_a_key_of_one_function(world: ApiWorld) -> None:
    key = make(world, function_id="f1").json
    assert key["function_id"] == "f1"
    assert call(world, "f1", bearer(key["key"])).status_code == 202
    answer = call(world, "f2", bearer(key["key"]))
    assert refused(answer, 404, "function_not_found") == "there is no function f2"
    world.store.change_function("f2", lambda old: replace(old, public=True))
    assert call(world, "f2", bearer(key["key"])).status_code == 202
    assert world.api.delete("/v1/functions/f1", headers=of("p")).status_code == 204
    assert world.store.get_key(key["prefix"]) is None


def test_a_key_calls_what_is_shared_with_its_project(world: ApiWorld) -> None:
    key = make(world).json["key"]
    assert call(world, "f3", bearer(key)).status_code == 404
    world.store.change_function("f3", lambda old: replace(old, shared_with=("p",)))
    made = call(world, "f3", bearer(key))
    assert made.status_code == 202
    end(world, made.json["request_id"])
    answer = shown(world, made.json["request_id"], bearer(key)).json
    assert (answer["project_id"], answer["result"], answer["node"]) == ("q", 2, None)
    assert shown(world, made.json["request_id"], of("p")).json["result"] == 2
    second = make(world).json["key"]
    assert shown(world, made.json["request_id"], bearer(second)).status_code == 404
    bound = make(world, function_id="f1").json["key"]
    assert call(world, "f3", bearer(bound)).status_code == 404
    world.store.change_function("f3", lambda old: replace(old, shared_with=()))
    assert shown(world, made.json["request_id"], bearer(key)).status_code == 404


def test_a_revoked_key_is_refused_at_once(world: ApiWorld) -> None:
    first, second = make(world).json, make(world).json
    assert call(world, "f1", bearer(first["key"])).status_code == 202
    answer = world.api.delete(f"/v1/keys/{first['prefix']}", headers=of("q"))
    message = f"there is no API key {first['prefix']}"
    assert refused(answer, 404, "key_not_found") == message
    assert call(world, "f1", bearer(first["key"])).status_code == 202
    assert world.api.delete(f"/v1/keys/{first['prefix']}", headers=of("p")).status_code == 204
    refusal = call(world, "f1", bearer(first["key"]))
    assert refused(refusal, 401, "unauthenticated") == REVOKED
    assert refusal.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    answer = world.api.delete(f"/v1/keys/{first['prefix']}", headers=of("p"))
    assert refused(answer, 404, "key_not_found") == message
    assert call(world, "f1", bearer(second["key"])).status_code == 202


def test_a_whole_key_names_none(world: ApiWorld) -> None:
    """Whoever pastes it where its prefix belongs shall not find it in a log."""
    key = make(world).json
    for name in (key["key"], key["key"][:-1], key["prefix"][:-1], f"{key['prefix']}0"):
        answer = world.api.delete(f"/v1/keys/{name}", headers=of("p"))
        message = refused(answer, 404, "key_not_found")
        assert message == "there is no such API key: it is named by its prefix, prk_ and 12 digits"
    event, _ = world.audited[1]
    assert (event.target.id, event.outcome) == ("unknown", "failure")
    assert event.requestPath == f"/v1/keys/{key['prefix']}***"
    assert key["key"][17:] not in repr(world.audited)
    assert call(world, "f1", bearer(key["key"])).status_code == 202


def test_what_is_no_key(world: ApiWorld) -> None:
    """Whatever is wrong with one, it is refused in the same words; also where nobody is asked."""
    key = make(world).json["key"]
    world.store.change_function("f2", lambda old: replace(old, public=True))
    assert call(world, "f2").status_code == 202
    last = "A" if key[-1] != "A" else "B"
    wrong = (key[:-1] + last, key[:-1], key + "A", key[:17], "prk_", "prk_000000000000_" + "A" * 43,
             key.upper().replace("PRK", "prk"), "prk_\xfc")  # fmt: skip
    for each in wrong:
        for name in ("f1", "f2"):
            answer = call(world, name, bearer(each))
            assert refused(answer, 401, "unauthenticated") == REVOKED, each
    # What looks like no key at all is not ours to judge.
    assert call(world, "f2", bearer("abc")).status_code == 202
    assert call(world, "f2", {"Authorization": f"Basic {key}"}).status_code == 202
    assert call(world, "f1", {**bearer(key), **of("q")}).status_code == 202


def test_a_key_expires(world: ApiWorld) -> None:
    now = now_ms()
    made = make(world, expires_at=iso(now + 60_000)).json
    assert made["expires_at"] == iso(now + 60_000)
    assert call(world, "f1", bearer(made["key"])).status_code == 202
    stored = world.store.get_key(made["prefix"])
    assert stored is not None
    world.store.delete_key(made["prefix"])
    world.store.create_key(replace(stored, expires_at=now - 1))
    assert refused(call(world, "f1", bearer(made["key"])), 401, "unauthenticated") == REVOKED
    answer = make(world, expires_at=iso(now - 1))
    assert refused(answer, 400, "invalid") == "expires_at has passed already"


def test_keys_that_nobody_can_use_take_no_place(world: ApiWorld) -> None:
    """They are listed until another one is made, and forgotten then."""
    made = [make(world).json["prefix"] for _ in range(3)]
    assert refused(make(world), 403, "quota")
    stored = world.store.get_key(made[0])
    assert stored is not None
    world.store.delete_key(made[0])
    world.store.create_key(replace(stored, expires_at=now_ms() - 1))
    assert keys_used(world) == 2
    listed = world.api.get("/v1/keys", headers=of("p")).json["keys"]
    assert {each["prefix"] for each in listed} == {*made}
    assert make(world).status_code == 201
    assert keys_used(world) == 3
    assert world.store.get_key(made[0]) is None
    assert refused(make(world), 403, "quota")


def keys_used(world: ApiWorld) -> int:
    quotas = world.api.get("/v1/quota", headers=of("p")).json["quotas"]
    return next(int(each["used"]) for each in quotas if each["resource"] == "keys")


def test_keys_that_cannot_be_made(world: ApiWorld) -> None:
    for settings, code, reason, message in (
        ({"name": ""}, 400, "invalid", "length >= 1"),
        ({"name": "x" * 256}, 400, "invalid", "length <= 255"),
        ({"expires_at": "tomorrow"}, 400, "invalid", "RFC3339"),
        ({"scope": "all"}, 400, "invalid", "unknown field `scope`"),
        ({"function_id": "f3"}, 404, "function_not_found", "the project has no function f3"),
        ({"function_id": "none"}, 404, "function_not_found", "the project has no function none"),
    ):
        assert message in refused(make(world, **settings), code, reason)
    assert [make(world).status_code for _ in range(3)] == [201] * 3
    message = "the project's quota of keys is 3, of which 3 are used"
    assert refused(make(world), 403, "quota") == message


def test_an_idempotency_key_is_of_the_api_key(world: ApiWorld) -> None:
    """Who has an API key cannot ask for the results of others by guessing their keys."""
    keys = [make(world).json["key"] for _ in range(2)]
    headers = [of("p"), *map(bearer, keys)]
    ids = {
        call(world, "f1", {**each, "Idempotency-Key": "k"}).json["request_id"]
        for each in headers * 2
    }
    assert len(ids) == 3


def test_calls_by_keys_are_within_the_functions_rate(world: ApiWorld) -> None:
    world.store.change_function("f1", lambda old: replace(old, rate_limit=1))
    key = make(world).json["key"]
    assert call(world, "f1", bearer(key)).status_code == 202
    answer = call(world, "f1", bearer(key))
    message = "the function's rate_limit is 1 a minute, of which 1 are used"
    assert refused(answer, 429, "throttled") == message
    assert call(world, "f1", of("p")).status_code == 202


def test_the_result_of_a_call_with_a_key(world: ApiWorld) -> None:
    key = make(world, function_id="f1").json["key"]
    identity = call(world, "f1", bearer(key)).json["request_id"]
    change = RequestChange(identity, lambda old: Changed(replace(old, status=Status.SUCCESS)))
    world.store.change_requests([change])
    shown = world.api.get(f"/v1/requests/{identity}", headers=bearer(key)).json
    assert (shown["status"], shown["result"]) == ("success", None)


def test_keys_are_not_alike() -> None:
    made = [api_keys.generate() for _ in range(100)]
    assert len({each.prefix for each in made}) == len({each.text[17:] for each in made}) == 100
    assert set(OF_KEYS) < {rule.name for rule in policies.list_rules()}
