"""Quotas of what a project has: what is over them, and what counts."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from pratai_api.auth import NoAuth
from pratai_api.caller import Caller
from pratai_api.quotas import SHOWN_SECONDS, Alike, Limits, Quotas, open_limits
from pratai_common import conf
from pratai_common.limits import MIB
from pratai_common.records import FunctionStatus, Status
from pratai_common.store.base import Changed, Page, RequestChange, RequestFilter
from tests.unit.api_world import ApiWorld
from tests.unit.test_event_routes import QUEUE, create, function, refused, subscribe

LIMITS = Limits(events=2, published_events=1, timers=2)
TWO_EVENTS = "the project's quota of events is 2, of which 2 are used"
ONE_PUBLISHED = "the project's quota of published_events is 1, of which 1 are used"
TWO_TIMERS = "the project's quota of timers is 2, of which 2 are used"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ApiWorld]:
    made = ApiWorld(tmp_path, limits=LIMITS)
    yield made
    made.close()


def sourced(api: FlaskClient, name: str, **values: Any) -> Any:
    body = {"name": name, "source": "message", "settings": QUEUE, **values}
    return api.post("/v1/events", json=body)


def test_events_with_a_source(world: ApiWorld) -> None:
    """Also one that is disabled counts, and one that the agent has not cleaned up yet."""
    api = world.api
    first, second = sourced(api, "a").json, sourced(api, "b", enabled=False).json
    assert refused(sourced(api, "c"), 403, "quota") == TWO_EVENTS
    assert api.delete(f"/v1/events/{first['event_id']}").status_code == 204
    assert refused(sourced(api, "c"), 403, "quota") == TWO_EVENTS
    world.store.remove_event(first["event_id"])
    assert sourced(api, "c").status_code == 201
    world.store.change_event(second["event_id"], lambda old: replace(old, project_id="other"))
    assert sourced(api, "d").status_code == 201


def test_events_without_a_source(world: ApiWorld) -> None:
    api = world.api
    assert sourced(api, "a").status_code == 201
    plain = create(api, "b")
    answer = api.post("/v1/events", json={"name": "c"})
    assert refused(answer, 403, "quota") == ONE_PUBLISHED
    assert api.delete(f"/v1/events/{plain['event_id']}").status_code == 204
    create(api, "c")


def test_timers(world: ApiWorld) -> None:
    """Those of all functions count together, and disabled ones too."""
    api = world.api
    one, other = function(api, "one", event="timer", frequency=1), function(api, "other")
    second = subscribe(api, other, kind="timer", frequency=1, enabled=False)
    assert second.status_code == 201
    timer = {"kind": "timer", "frequency": 1}
    assert refused(subscribe(api, one, **timer), 403, "quota") == TWO_TIMERS
    assert subscribe(api, one, kind="webhook").status_code == 201
    path = f"/v1/functions/{other}/subscriptions/{second.json['subscription_id']}"
    assert api.patch(path, json={"enabled": True}).status_code == 200
    assert api.delete(path).status_code == 204
    assert subscribe(api, one, **timer).status_code == 201
    assert refused(subscribe(api, one, **timer), 403, "quota") == TWO_TIMERS
    assert api.delete(f"/v1/functions/{one}").status_code == 204
    assert subscribe(api, other, **timer).status_code == 201


def test_a_function_is_not_made_with_one_timer_too_many(world: ApiWorld) -> None:
    api = world.api
    for name in ("a", "b"):
        function(api, name, event="timer", frequency=1)
    with pytest.raises(AssertionError, match="quota of timers is 2"):
        function(api, "c", event="timer", frequency=1)
    assert len(api.get("/v1/functions").json["functions"]) == 2


# Code


def upload(world: ApiWorld, name: str, size: int, function_id: str | None = None) -> Any:
    """Upload a zip of so many bytes, as a new function or as a version of one."""
    form: dict[str, Any] = {"zip_file": (io.BytesIO(zipped(size)), "f.zip")}
    if function_id is not None:
        return world.api.patch(f"/v1/functions/{function_id}", data=form)
    form["metadata"] = json.dumps({"name": name})
    return world.api.post("/v1/functions", data=form)


def zipped(size: int) -> bytes:
    """Return a function's zip of this size."""
    for padding in (0, size - len(_zipped(0))):
        content = _zipped(padding)
    assert len(content) == size
    return content


def _zipped(padding: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("new_module.py", "def main(payload=None):\n    return payload\n")
        archive.writestr("requirements.txt", "")
        archive.writestr("data", "x" * padding)
    return buffer.getvalue()


def test_functions(tmp_path: Path) -> None:
    with closing(ApiWorld(tmp_path, limits=Limits(functions=2))) as world:
        made = [upload(world, name, 1000) for name in "ab"]
        assert [each.status_code for each in made] == [201, 201]
        message = "the project's quota of functions is 2, of which 2 are used"
        assert refused(upload(world, "c", 1000), 403, "quota") == message
        assert upload(world, "a", 1000, made[0].json["function_id"]).status_code == 202
        path = f"/v1/functions/{made[0].json['function_id']}"
        assert world.api.delete(path).status_code == 204
        assert upload(world, "c", 1000).status_code == 201


def test_code_size(tmp_path: Path) -> None:
    """All versions of living functions count; what is refused is kept nowhere."""
    with closing(ApiWorld(tmp_path, limits=Limits(code_size=1))) as world:
        first = upload(world, "a", 400_000).json["function_id"]
        second = upload(world, "", 400_001, first)
        assert second.status_code == 202
        message = (
            "the project's quota of code_size is 1 MB, of which 0.8 MB are used: this zip has "
            "0.3 MB"
        )
        before = sum(each.is_file() for each in (tmp_path / "archives").rglob("*"))
        for answer in (upload(world, "b", 300_000), upload(world, "", 300_000, first)):
            assert refused(answer, 413, "quota") == message
        assert sum(each.is_file() for each in (tmp_path / "archives").rglob("*")) == before
        assert upload(world, "b", MIB - 800_001).status_code == 201
        assert upload(world, "c", 1000).status_code == 413
        assert world.api.delete(f"/v1/functions/{first}").status_code == 204
        assert upload(world, "c", 300_000).status_code == 201


# Requests


def test_requests_a_minute(tmp_path: Path) -> None:
    """Calls of both types, calls of endpoints, publications and replays."""
    with closing(ApiWorld(tmp_path, limits=Limits(requests_per_minute=2))) as world:
        api = world.api
        made = function(api, "a", public=True)
        world.store.change_function(
            made, lambda old: replace(old, version=1, status=FunctionStatus.ACTIVE)
        )
        event = create(api, "e")["event_id"]
        assert subscribe(api, made, kind="message", event_id=event).status_code == 201
        shown = api.get(f"/v1/functions/{made}").json
        first = api.post(f"/v1/functions/{made}", json={"payload": 1})
        assert first.status_code == 202
        assert api.post(shown["endpoint"], json=1).status_code == 202
        identity = first.json["request_id"]
        ended = RequestChange(identity, lambda old: Changed(replace(old, status=Status.ERROR)))
        world.store.change_requests([ended])
        message = "the project's quota of requests_per_minute is 2, of which 2 are used"
        for path in (
            f"/v1/functions/{made}",
            f"/v1/functions/{made}?wait=1",
            shown["endpoint"],
            f"/v1/events/{event}",
            f"/v1/requests/{identity}/replay",
        ):
            answer = api.post(path, json={"payload": 1})
            told = message.partition(",")[0] if path == shown["endpoint"] else message
            assert refused(answer, 429, "throttled") == told, path
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
        synchronous = function(api, "b", type="wait_for_response")
        answer = api.post(f"/v1/functions/{synchronous}", json={"payload": 1})
        assert refused(answer, 429, "throttled") == message
        assert api.get(f"/v1/requests/{identity}").status_code == 200
        listed = world.store.list_requests("default", RequestFilter(), Page(9))
        assert len(listed) == 2


def test_a_repetition_of_what_was_accepted_is_answered(tmp_path: Path) -> None:
    with closing(ApiWorld(tmp_path, limits=Limits(requests_per_minute=1))) as world:
        path = f"/v1/functions/{function(world.api, 'a')}"
        key = {"Idempotency-Key": "k"}
        first = world.api.post(path, json={"payload": 1}, headers=key)
        again = world.api.post(path, json={"payload": 1}, headers=key)
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json == again.json
        assert world.api.post(path, json={"payload": 1}).status_code == 429


def test_stored_results(tmp_path: Path) -> None:
    with closing(ApiWorld(tmp_path, limits=Limits(stored_results=0))) as world:
        path = f"/v1/functions/{function(world.api, 'a')}"
        answer = world.api.post(path, json={"payload": 1})
        message = "the project's quota of stored_results is 0, of which 0 are used"
        assert refused(answer, 429, "throttled") == message
        assert answer.headers["Retry-After"] == "60"


# What is shown


def test_what_a_project_may_have_and_what_it_has(tmp_path: Path) -> None:
    limits = Limits(functions=5, code_size=9, requests_per_minute=7, timers=2, keys=1)
    with closing(ApiWorld(tmp_path, limits=limits)) as world:
        api = world.api
        made = function(api, "a")
        function(api, "b", event="timer", frequency=1)
        create(api, "e")
        sourced(api, "s")
        assert api.post("/v1/keys", json={"name": "k"}).status_code == 201
        first, _ = (
            api.post(f"/v1/functions/{made}", json={"payload": 1}).json["request_id"]
            for _ in range(2)
        )
        ended = RequestChange(first, lambda old: Changed(replace(old, status=Status.SUCCESS)))
        world.store.change_requests([ended])
        shown = api.get("/v1/quota").json
        assert (shown["project_id"], shown["tenant_id"]) == ("default", "default")
        found = {each["resource"]: (each["limit"], each["used"]) for each in shown["quotas"]}
        assert found == {
            "functions": (5, 2),
            "code_size": (9, 1),
            "concurrent_requests": (None, 0),
            "requests_per_minute": (7, 2),
            "queued_requests": (None, 3),  # builds wait, too
            "stored_results": (None, 1),
            "events": (None, 1),
            "published_events": (None, 1),
            "timers": (2, 1),
            "keys": (1, 1),
        }
        units = {each["resource"]: each["unit"] for each in shown["quotas"]}
        assert {name for name, unit in units.items() if unit is not None} == {"code_size"}


def test_requests_are_counted_again_after_a_few_seconds(tmp_path: Path) -> None:
    """Whoever looks often, costs the store no more; what else there is, is looked up."""
    with closing(ApiWorld(tmp_path)) as world:
        time = [1000.0]
        quotas = Quotas(world.store, Alike(Limits()), now=lambda: time[0])
        made = function(world.api, "a")
        path = f"/v1/functions/{made}"
        assert quotas.used("default")["stored_results"] == 0
        identity = world.api.post(path, json={"payload": 1}).json["request_id"]
        ended = RequestChange(identity, lambda old: Changed(replace(old, status=Status.SUCCESS)))
        world.store.change_requests([ended])
        function(world.api, "b")
        for seconds, number in ((0.0, 0), (SHOWN_SECONDS - 0.1, 0), (0.1, 1)):
            time[0] += seconds
            used = quotas.used("default")
            assert (used["stored_results"], used["functions"]) == (number, 2)
        assert quotas.used("another")["stored_results"] == 0


class Tenants(NoAuth):
    """Whoever says so is an administrator; all are of the project ``p``."""

    def identify(self, environ: dict[str, Any]) -> Caller:
        admin = "HTTP_X_ADMIN" in environ
        return Caller("p", "u", lambda _rule, project_id: admin or project_id == "p")


def test_whose_quotas_are_shown(tmp_path: Path) -> None:
    with closing(ApiWorld(tmp_path, Tenants())) as world:
        path, api = "/v1/quota?project_id=q", world.api
        assert api.get("/v1/quota").json["project_id"] == "p"
        assert api.get("/v1/quota?project_id=p").json["project_id"] == "p"
        message = "the quotas of another project are for administrators"
        assert refused(api.get(path), 403, "forbidden") == message
        assert api.get(path, headers={"X-Admin": "1"}).json["project_id"] == "q"
        answer = api.get("/v1/quota?project_id=")
        assert "length >= 1" in refused(answer, 400, "invalid")


# Configuration


def test_limits_are_configured(tmp_path: Path) -> None:
    path = tmp_path / "pratai.conf"
    path.write_text("[quota]\nevents = 3\ntimers = 0\nkeys = -1\n")
    loaded = conf.load("pratai-api", ["--config-file", str(path)])
    limits = Limits.from_conf(loaded)
    assert limits[-4:] == (3, 200, 0, -1)
    assert open_limits(loaded)("p") == open_limits(loaded)("q", 1.0) == limits
