"""Events by the API: whose they are, what is secret of them, and how their sources stand."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from pratai_api.auth import NoAuth
from pratai_api.caller import Caller
from pratai_common import limits
from pratai_common.clock import now_ms
from pratai_common.records import Daemon, Event, SourceState
from pratai_common.sealing import Sealer
from tests.archives import KEY
from tests.packages import ECHO
from tests.unit.api_world import ApiWorld

QUEUE = {"host": "broker.example", "queue": "orders"}
SECRET = "s3cret-of-the-broker"


@pytest.fixture
def api(api_world: ApiWorld) -> FlaskClient:
    return api_world.api


def refused(answer: Any, code: int, reason: str) -> str:
    assert (answer.status_code, answer.json["error"]["reason"]) == (code, reason), answer.text
    message: str = answer.json["error"]["message"]
    return message


def create(api: FlaskClient, name: str = "orders", **settings: Any) -> dict[str, Any]:
    answer = api.post("/v1/events", json={"name": name, **settings})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def function(api: FlaskClient, name: str, **settings: Any) -> str:
    form = {
        "zip_file": (io.BytesIO(ECHO), "f.zip"),
        "metadata": json.dumps({"name": name, **settings}),
    }
    answer = api.post("/v1/functions", data=form)
    assert answer.status_code == 201, answer.text
    return str(answer.json["function_id"])


def stored(world: ApiWorld, event_id: str) -> Event:
    return world.store.get_events([event_id])[event_id]


# What is secret


def of_broker(api: FlaskClient) -> dict[str, Any]:
    return create(api, source="message", settings=QUEUE, password=SECRET)


def test_a_password_is_sealed_and_never_shown(api_world: ApiWorld) -> None:
    api = api_world.api
    made = of_broker(api)
    path = f"/v1/events/{made['event_id']}"
    answers = [api.get(path), api.get("/v1/events"), api.patch(path, json={"enabled": False})]
    assert made["has_password"] is True
    assert all(SECRET not in each.text for each in answers)
    record = stored(api_world, made["event_id"])
    assert record.sealed is not None
    assert SECRET not in str(record)
    assert Sealer(KEY, "event").open(record.sealed) == SECRET


def test_whoever_changes_where_a_password_goes_to_has_to_know_it(api_world: ApiWorld) -> None:
    api = api_world.api
    made = of_broker(api)
    path = f"/v1/events/{made['event_id']}"
    other = {**QUEUE, "host": "attacker.example"}
    message = refused(api.patch(path, json={"settings": other}), 400, "invalid")
    assert message == "other settings need the password anew"
    assert api.get(path).json["settings"]["host"] == "broker.example"
    same = api.patch(path, json={"settings": made["settings"]})
    assert (same.status_code, same.json["has_password"]) == (200, True)
    changed = api.patch(path, json={"settings": other, "password": "another"})
    assert changed.json["settings"]["host"] == "attacker.example"
    sealed = stored(api_world, made["event_id"]).sealed
    assert Sealer(KEY, "event").open(sealed or "") == "another"
    without = api.patch(path, json={"settings": QUEUE, "password": None})
    assert (without.status_code, without.json["has_password"]) == (200, False)


def test_a_password_goes_with_sources_that_log_in(api: FlaskClient) -> None:
    for source, settings in (("published", {}), ("notification", {"event_type": "*"})):
        body = {"name": source, "source": source, "settings": settings}
        answer = api.post("/v1/events", json={**body, "password": SECRET})
        assert refused(answer, 400, "invalid") == f"a {source} event has no password"
        assert api.post("/v1/events", json=body).status_code == 201


# How sources stand


def state(name: Any, **counts: int) -> SourceState:
    return SourceState(state=name, since=1000, **counts)


@pytest.fixture
def told(api_world: ApiWorld) -> Any:
    """Tells how the source of an event stands in agents, of which ``gone`` lives no more."""
    now = now_ms()
    for name in ("a1", "a2"):
        api_world.store.put_daemon(
            Daemon(
                daemon_type="agent", daemon_id=name, joined_at=now, seen_at=now, ip="", version=""
            )
        )
    made = create(api_world.api, source="message", settings=QUEUE)
    path = f"/v1/events/{made['event_id']}"

    def tell(**states: SourceState) -> dict[str, Any]:
        api_world.store.change_event(made["event_id"], lambda old: replace(old, states=states))
        shown: dict[str, Any] = api_world.api.get(path).json
        assert api_world.api.get("/v1/events").json["events"] == [shown]
        return shown

    return tell


def test_a_source_stands_as_the_best_of_the_agents_that_live(told: Any) -> None:
    assert told()["status"] == "connecting"
    assert told(a1=state("standby"))["status"] == "standby"
    assert told(a1=state("standby"), a2=state("failing"))["status"] == "failing"
    assert told(a1=state("running"), a2=state("failing"))["status"] == "running"
    shown = told(gone=state("running"), a2=state("connecting", received=7, without_id=2))
    assert shown["status"] == "connecting"
    assert shown["source_state"] == {
        "a2": {
            "state": "connecting", "since": "1970-01-01T00:00:01.000Z", "error": None,
            "error_at": None, "note": None, "received": 7, "dead": 0, "without_id": 2,
        }
    }  # fmt: skip


def test_an_event_without_a_source_is_active_unless_disabled(api: FlaskClient) -> None:
    made = create(api)
    assert (made["status"], made["settings"], made["source_state"]) == ("active", {}, {})
    changed = api.patch(f"/v1/events/{made['event_id']}", json={"enabled": False}).json
    assert (changed["enabled"], changed["status"]) == (False, "disabled")


# Deletion


def test_a_sourced_event_is_left_to_the_agent_when_deleted(api_world: ApiWorld) -> None:
    api = api_world.api
    sourced, plain = of_broker(api), create(api, "plain")
    for each in (sourced, plain):
        path = f"/v1/events/{each['event_id']}"
        assert api.delete(path).status_code == 204
        for answer in (api.get(path), api.delete(path), api.patch(path, json={}), api.post(path)):
            message = refused(answer, 404, "event_not_found")
            assert message == f"there is no event {each['event_id']}"
    assert api.get("/v1/events").json["events"] == []
    kept = api_world.store.get_events([sourced["event_id"], plain["event_id"]])
    assert list(kept) == [sourced["event_id"]]
    assert kept[sourced["event_id"]].deleted_at is not None
    assert create(api, "orders")["event_id"] != sourced["event_id"]


def test_subscriptions_go_with_what_they_are_to(api: FlaskClient) -> None:
    event = create(api)["event_id"]
    first = function(api, "first", event="message", subscribe_to=[event])
    second = function(api, "second", event="response", subscribe_to=[f"{first}:failure"])
    assert api.delete(f"/v1/events/{event}").status_code == 204
    assert api.get(f"/v1/functions/{first}/subscriptions").json["subscriptions"] == []
    assert len(api.get(f"/v1/functions/{second}/subscriptions").json["subscriptions"]) == 1
    assert api.delete(f"/v1/functions/{first}").status_code == 204
    assert api.get(f"/v1/functions/{second}/subscriptions").json["subscriptions"] == []


def test_where_dead_letters_go_to_is_not_deleted(api: FlaskClient) -> None:
    event = create(api)["event_id"]
    made = [function(api, name, on_failure=event) for name in ("b", "a")]
    answer = api.delete(f"/v1/events/{event}")
    assert refused(answer, 409, "event_in_use") == "dead letters of functions go to it: a, b"
    assert api.patch(f"/v1/functions/{made[0]}", json={"on_failure": None}).status_code == 200
    assert api.delete(f"/v1/functions/{made[1]}").status_code == 204
    assert api.delete(f"/v1/events/{event}").status_code == 204
    answer = api.patch(f"/v1/functions/{made[0]}", json={"on_failure": event})
    assert refused(answer, 404, "event_not_found") == f"the project has no event {event}"


class Member(NoAuth):
    """Everybody is a member of the project ``default``, and no administrator."""

    def identify(self, environ: dict[str, Any]) -> Caller:
        return Caller("default", "default", lambda rule, _project_id: rule != "event:all_projects")


def test_what_tells_of_all_projects_is_no_members_to_change(tmp_path: Path) -> None:
    """Also where it is of the member's own project, which is the administrator's."""
    world = ApiWorld(tmp_path, Member())
    made = create(world.api)
    path = f"/v1/events/{made['event_id']}"
    world.store.change_event(made["event_id"], lambda old: replace(old, all_projects=True))
    for answer in (world.api.patch(path, json={"enabled": False}), world.api.delete(path)):
        message = refused(answer, 403, "forbidden")
        assert message == "the policy does not allow it: event:all_projects"
    shown = world.api.get(path).json
    assert (shown["enabled"], shown["all_projects"]) == (True, True)
    world.store.change_event(made["event_id"], lambda old: replace(old, all_projects=False))
    assert world.api.patch(path, json={"enabled": False}).status_code == 200
    assert world.api.delete(path).status_code == 204
    world.close()


# Bounds of subscriptions


def subscribe(api: FlaskClient, function_id: str, **body: Any) -> Any:
    return api.post(f"/v1/functions/{function_id}/subscriptions", json=body)


def test_a_function_has_so_many_subscriptions_at_most(api: FlaskClient) -> None:
    busy = function(api, "busy")
    for number in range(1, limits.MAX_SUBSCRIPTIONS):
        assert subscribe(api, busy, kind="timer", frequency=number).status_code == 201
    message = refused(subscribe(api, busy, kind="timer", frequency=1), 409, "quota")
    assert message == "the limit of a function's subscriptions is 100, of which 100 are used"


def test_an_event_has_so_many_subscribers_at_most(api_world: ApiWorld) -> None:
    api = api_world.api
    event, late = create(api)["event_id"], function(api, "late")
    early = function(api, "early", event="message", subscribe_to=[event])
    (first,) = api_world.store.subscriptions_of(early)
    for number in range(1, limits.MAX_SUBSCRIBERS):
        api_world.store.create_subscription(replace(first, subscription_id=f"s{number}"))
    message = refused(subscribe(api, late, kind="message", event_id=event), 409, "quota")
    assert message == f"the limit of subscriptions to {event} is 100, of which 100 are used"
    api_world.store.delete_subscription("s1")
    assert subscribe(api, late, kind="message", event_id=event).status_code == 201


def test_subscriptions_of_functions_that_are_gone_take_no_place(api_world: ApiWorld) -> None:
    api = api_world.api
    event, late = create(api)["event_id"], function(api, "late")
    early = function(api, "early", event="message", subscribe_to=[event])
    (first,) = api_world.store.subscriptions_of(early)
    for number in range(1, limits.MAX_SUBSCRIBERS):
        left = replace(first, subscription_id=f"s{number}", function_id="gone")
        api_world.store.create_subscription(left)
    assert subscribe(api, late, kind="message", event_id=event).status_code == 201


def test_a_subscription_to_what_is_gone_can_be_disabled_and_not_enabled(
    api_world: ApiWorld,
) -> None:
    api = api_world.api
    event = create(api)["event_id"]
    made = function(api, "made", event="message", subscribe_to=[event])
    (found,) = api_world.store.subscriptions_of(made)
    path = f"/v1/functions/{made}/subscriptions/{found.subscription_id}"
    api_world.store.remove_event(event)  # and not by the API, which deletes what is subscribed
    disabled = api.patch(path, json={"enabled": False})
    assert (disabled.status_code, disabled.json["enabled"]) == (200, False)
    message = refused(api.patch(path, json={"enabled": True}), 404, "event_not_found")
    assert message == f"the project has no event {event}"
    gone = subscribe(api, made, kind="message", event_id=event, enabled=False, filter={"a": [1]})
    refused(gone, 404, "event_not_found")
