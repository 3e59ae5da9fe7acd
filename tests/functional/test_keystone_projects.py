"""Who may do what, by roles and projects of a real Keystone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.keystone import INVALID, MISSING, Keystone, ask, call, no_entry
from tests.packages import ECHO
from tests.refusals import refused
from tests.stack import Stack


@pytest.fixture(scope="module")
def stack(keystone_stack: Stack) -> Stack:
    """A stack that asks Keystone; its own session is that of a member of the project demo."""
    return keystone_stack


@pytest.fixture(autouse=True)
def still_fine(stack: Stack, mine: str) -> Iterator[None]:
    """After each test an ordinary call works as ever."""
    yield
    assert stack.run(mine, {"a": 1})["status"] == "success"


def new_event(stack: Stack, name: str, **settings: Any) -> str:
    answer = stack.call("POST", "/v1/events", json={"name": name, **settings})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["event_id"])


@pytest.fixture(scope="module")
def topic(stack: Stack) -> str:
    """An event of the project demo."""
    return new_event(stack, "topic")


# Roles


READS = [
    ("/v1/functions", "function:list"),
    ("/v1/functions/running", "function:running"),
    ("/v1/functions/{mine}", "function:get"),
    ("/v1/functions/{mine}/versions", "version:list"),
    ("/v1/functions/{mine}/build-log", "build_log:get"),
    ("/v1/functions/{mine}/subscriptions", "subscription:list"),
    ("/v1/events", "event:list"),
    ("/v1/events/{topic}", "event:get"),
    ("/v1/requests", "request:list"),
    ("/v1/runtimes", "runtime:list"),
    ("/v1/runtimes/python3", "runtime:get"),
]


@pytest.mark.parametrize(("path", "rule"), READS)
def test_readers_read(
    stack: Stack, keystone: Keystone, mine: str, topic: str, path: str, rule: str
) -> None:
    path = path.format(mine=mine, topic=topic)
    for user in ("reader", "member"):
        assert ask(stack, keystone.token(user, "demo"), "GET", path).status_code == 200
    answer = ask(stack, keystone.token("stranger", "demo"), "GET", path)
    assert refused(answer, 403, "forbidden") == f"the policy does not allow it: {rule}"


def test_readers_change_and_run_nothing(stack: Stack, keystone: Keystone) -> None:
    function_id = stack.function(ECHO)
    request_id = stack.run(function_id)["request_id"]
    subscription_id = stack.get(f"/v1/functions/{function_id}/subscriptions")["subscriptions"][0][
        "subscription_id"
    ]
    one, event = f"/v1/functions/{function_id}", f"/v1/events/{new_event(stack, 'read')}"
    reader = keystone.token("reader", "demo")
    form = {"zip_file": ("f.zip", ECHO), "metadata": (None, json.dumps({"name": "new"}))}
    changes: list[tuple[str, str, str, dict[str, Any], int]] = [
        ("POST", "/v1/functions", "function:create", {"files": form}, 201),
        ("PATCH", one, "function:update", {"json": {"description": "x"}}, 200),
        ("POST", one, "function:call", {"json": {"payload": 1}}, 202),
        ("POST", f"{one}/stop", "function:stop", {}, 202),
        ("POST", f"/v1/requests/{request_id}/replay", "request:replay", {}, 202),
        ("DELETE", f"/v1/requests/{request_id}", "request:cancel", {}, 409),
        (
            "POST",
            f"{one}/subscriptions",
            "subscription:create",
            {"json": {"kind": "timer", "frequency": 60}},
            201,
        ),
        (
            "PATCH",
            f"{one}/subscriptions/{subscription_id}",
            "subscription:update",
            {"json": {"enabled": True}},
            200,
        ),
        (
            "DELETE",
            f"{one}/subscriptions/{subscription_id}",
            "subscription:delete",
            {},
            204,
        ),
        ("DELETE", one, "function:delete", {}, 204),
        ("POST", "/v1/events", "event:create", {"json": {"name": "made"}}, 201),
        ("PATCH", event, "event:update", {"json": {"description": "x"}}, 200),
        ("POST", event, "event:publish", {"json": 1}, 202),
        ("DELETE", event, "event:delete", {}, 204),
    ]
    for method, path, rule, arguments, code in changes:
        answer = ask(stack, reader, method, path, **arguments)
        assert refused(answer, 403, "forbidden") == f"the policy does not allow it: {rule}"
        assert stack.call(method, path, **arguments).status_code == code, rule


def test_the_cluster_is_for_administrators(stack: Stack, keystone: Keystone) -> None:
    answer = stack.call("GET", "/v1/cluster")
    assert refused(answer, 403, "forbidden") == "the policy does not allow it: cluster:get"
    answer = ask(stack, keystone.token("admin", "admin"), "GET", "/v1/cluster")
    assert {each["daemon_type"] for each in answer.json()["daemons"]} >= {"api", "driver"}


def test_events_of_all_projects_are_for_administrators(stack: Stack, keystone: Keystone) -> None:
    """Whoever could change where one listens would be told of other projects."""
    refusal = "the policy does not allow it: event:all_projects"
    body = {"name": "all", "all_projects": True}
    assert refused(stack.call("POST", "/v1/events", json=body), 403, "forbidden") == refusal
    project = keystone.session("member", "demo").get_project_id()
    admin = keystone.token("admin", "admin")
    made = ask(stack, admin, "POST", "/v1/events", json=body).json()
    assert (made["all_projects"], made["project_id"] != project) == (True, True)
    path = f"/v1/events/{made['event_id']}"
    refused(stack.call("GET", path), 404, "event_not_found")
    changed = ask(stack, admin, "PATCH", path, json={"description": "x"})
    assert (changed.status_code, changed.json()["description"]) == (200, "x")
    assert ask(stack, admin, "DELETE", path).status_code == 204


# Projects


def test_records_are_of_the_callers_project_and_user(
    stack: Stack, keystone: Keystone, mine: str
) -> None:
    session = keystone.session("member", "demo")
    who = {"project_id": session.get_project_id(), "user_id": session.get_user_id()}
    function, request = stack.get(f"/v1/functions/{mine}"), stack.run(mine)
    for record in (function, request):
        assert {name: record[name] for name in who} == who
        assert record["tenant_id"] == who["project_id"]


def test_another_projects_id_is_as_one_of_nothing(
    stack: Stack, keystone: Keystone, mine: str, topic: str
) -> None:
    request_id = stack.run(mine)["request_id"]
    subscriptions = stack.get(f"/v1/functions/{mine}/subscriptions")["subscriptions"]
    paths = {
        "/v1/functions/{}": (mine, ("GET", "PATCH", "DELETE", "POST")),
        "/v1/functions/{}/stop": (mine, ("POST",)),
        "/v1/functions/{}/versions": (mine, ("GET",)),
        "/v1/functions/{}/build-log": (mine, ("GET",)),
        "/v1/functions/{}/subscriptions": (mine, ("GET", "POST")),
        f"/v1/functions/{{}}/subscriptions/{subscriptions[0]['subscription_id']}": (
            mine,
            ("PATCH", "DELETE"),
        ),
        "/v1/events/{}": (topic, ("GET", "PATCH", "DELETE", "POST")),
        "/v1/requests/{}": (request_id, ("GET", "DELETE")),
        "/v1/requests/{}/logs": (request_id, ("GET",)),
        "/v1/requests/{}/replay": (request_id, ("POST",)),
    }
    other = keystone.token("other", "other")
    nothing = "00000000-0000-4000-8000-000000000000"
    for path, (identity, methods) in paths.items():
        for method in methods:
            said = []
            for each in (identity, nothing):
                answer = ask(stack, other, method, path.format(each), json={"payload": 1})
                noun = path.split("/")[2].removesuffix("s")
                message = refused(answer, 404, f"{noun}_not_found")
                said.append((message.replace(each, "ID"), set(answer.headers)))
            assert said[0] == said[1]
    assert stack.get(f"/v1/functions/{mine}")["status"] == "active"
    assert stack.get(f"/v1/requests/{request_id}")["status"] == "success"
    assert stack.get(f"/v1/events/{topic}")["status"] == "active"


def test_what_another_project_has_is_not_subscribed_to(
    stack: Stack, keystone: Keystone, mine: str, topic: str
) -> None:
    """Nor are dead letters sent to it: as if it were not there, also for administrators."""
    for user, project in (("other", "other"), ("admin", "admin")):
        token = keystone.token(user, project)
        form = {"zip_file": ("f.zip", ECHO), "metadata": (None, json.dumps({"name": "theirs"}))}
        theirs = ask(stack, token, "POST", "/v1/functions", files=form).json()["function_id"]
        path = f"/v1/functions/{theirs}"
        for kind, noun, identity in (("message", "event", topic), ("response", "function", mine)):
            body = {"kind": kind, "event_id": identity}
            answer = ask(stack, token, "POST", f"{path}/subscriptions", json=body)
            message = refused(answer, 404, f"{noun}_not_found")
            assert message == f"the project has no {noun} {identity}"
        answer = ask(stack, token, "PATCH", path, json={"on_failure": topic})
        message = refused(answer, 404, "event_not_found")
        assert message == f"the project has no event {topic}"
        assert ask(stack, token, "DELETE", path).status_code == 204


def test_lists_hold_the_projects_own(
    stack: Stack, keystone: Keystone, mine: str, topic: str
) -> None:
    request_id = stack.run(mine)["request_id"]
    other = keystone.token("other", "other")
    assert ask(stack, other, "GET", "/v1/functions").json()["functions"] == []
    assert ask(stack, other, "GET", "/v1/events").json()["events"] == []
    for query in ("", f"?function_id={mine}"):
        assert ask(stack, other, "GET", f"/v1/requests{query}").json()["requests"] == []
    for path in (
        f"/v1/functions?marker={mine}",
        f"/v1/events?marker={topic}",
        f"/v1/requests?marker={request_id}",
    ):
        refused(ask(stack, other, "GET", path), 400, "invalid")
        assert stack.call("GET", path).status_code == 200


def test_a_name_is_taken_in_one_project_alone(stack: Stack, keystone: Keystone, mine: str) -> None:
    form = {"zip_file": ("f.zip", ECHO), "metadata": (None, json.dumps({"name": "mine"}))}
    refused(stack.call("POST", "/v1/functions", files=form), 409, "name_taken")
    other = keystone.token("other", "other")
    answer = ask(stack, other, "POST", "/v1/functions", files=form)
    assert answer.status_code == 201
    theirs = answer.json()["function_id"]
    assert ask(stack, other, "DELETE", f"/v1/functions/{theirs}").status_code == 204
    assert theirs != mine


def test_an_administrator_sees_all_projects(
    stack: Stack, keystone: Keystone, mine: str, topic: str
) -> None:
    admin, request_id = keystone.token("admin", "admin"), stack.run(mine)["request_id"]

    def listed(path: str, noun: str) -> list[str]:
        answer = ask(stack, admin, "GET", path)
        return [each[f"{noun}_id"] for each in answer.json()[f"{noun}s"]]

    for noun, identity in (("function", mine), ("event", topic), ("request", request_id)):
        path = f"/v1/{noun}s"
        assert identity not in listed(path, noun)
        assert identity in listed(f"{path}?all_projects=true", noun)
        assert identity not in listed(f"{path}?all_projects=true&marker={identity}", noun)
        for user in ("member", "reader"):
            token = keystone.token(user, "demo")
            answer = ask(stack, token, "GET", f"{path}?all_projects=true")
            message = refused(answer, 403, "forbidden")
            assert message == f"the policy does not allow it: {noun}:list_all_projects"
            assert ask(stack, token, "GET", f"{path}?all_projects=false").status_code == 200


def test_an_administrator_manages_what_any_project_has(stack: Stack, keystone: Keystone) -> None:
    admin, function_id = keystone.token("admin", "admin"), stack.function(ECHO)
    request_id = stack.run(function_id)["request_id"]
    one = f"/v1/functions/{function_id}"
    project = stack.get(one)["project_id"]
    assert ask(stack, admin, "GET", one).json()["project_id"] == project
    assert ask(stack, admin, "GET", f"/v1/requests/{request_id}").status_code == 200
    refused(ask(stack, admin, "DELETE", f"/v1/requests/{request_id}"), 409, "request_final")
    changed = ask(stack, admin, "PATCH", one, json={"description": "seen"}).json()
    assert (changed["description"], changed["project_id"]) == ("seen", project)
    refused(call(stack, admin, function_id), 404, "function_not_found")
    answer = ask(stack, admin, "POST", f"/v1/requests/{request_id}/replay")
    refused(answer, 404, "request_not_found")
    assert ask(stack, admin, "DELETE", one).status_code == 204
    refused(stack.call("GET", one), 404, "function_not_found")


# Public functions


def test_a_public_function_runs_for_anybody(stack: Stack, keystone: Keystone) -> None:
    function_id = stack.function(ECHO, public=True)
    function = stack.get(f"/v1/functions/{function_id}")
    other = keystone.session("other", "other")
    users = {
        None: function["user_id"],
        other.get_token(): other.get_user_id(),
        keystone.token("stranger", "demo"): keystone.session("stranger", "demo").get_user_id(),
    }
    for token, user in users.items():
        request_id = call(stack, token, function_id).json()["request_id"]
        request = stack.ended(request_id)
        assert (request["project_id"], request["user_id"]) == (function["project_id"], user)
    no_entry(call(stack, "x", function_id), keystone, INVALID)
    no_entry(ask(stack, None, "GET", f"/v1/functions/{function_id}"), keystone, MISSING)
    answer = ask(stack, None, "POST", function["endpoint"], json=1)
    assert answer.status_code == 202
    stack.call("PATCH", f"/v1/functions/{function_id}", json={"public": False})
    no_entry(call(stack, None, function_id), keystone, MISSING)


def test_a_strangers_key_is_no_key_of_the_projects(stack: Stack, keystone: Keystone) -> None:
    """One key, used by the project, by another and by nobody: three requests, each its own."""
    function_id = stack.function(ECHO, public=True)
    key = {"Idempotency-Key": "one"}

    def asked(token: str | None, payload: object) -> requests.Response:
        path = f"/v1/functions/{function_id}"
        return ask(stack, token, "POST", path, json={"payload": payload}, headers=key)

    tokens = [keystone.token("member", "demo"), keystone.token("other", "other"), None]
    ids = [asked(token, number).json()["request_id"] for number, token in enumerate(tokens)]
    assert len(set(ids)) == 3
    assert [stack.ended(each)["result"] for each in ids] == [0, 1, 2]
    for number, token in enumerate(tokens):
        assert asked(token, number).json()["request_id"] == ids[number]
    for token in tokens[:2]:
        refused(asked(token, "else"), 422, "idempotency_key_reused")
    assert asked(None, "else").json()["request_id"] not in ids
