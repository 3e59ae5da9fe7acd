"""Quotas of events and timers: what is over them, and what counts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from pratai_api.quotas import Quotas
from pratai_common import conf
from tests.unit.api_world import ApiWorld
from tests.unit.test_event_routes import QUEUE, create, function, refused, subscribe

QUOTAS = Quotas(events=2, published_events=1, timers=2)
TWO_EVENTS = "the project's quota of events is 2, of which 2 are used"
ONE_PUBLISHED = "the project's quota of published_events is 1, of which 1 are used"
TWO_TIMERS = "the project's quota of timers is 2, of which 2 are used"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ApiWorld]:
    made = ApiWorld(tmp_path, quotas=QUOTAS)
    yield made
    made.close()


def sourced(api: FlaskClient, name: str, **values: Any) -> Any:
    body = {"name": name, "source": "message", "settings": QUEUE, **values}
    return api.post("/v1/events", json=body)


def test_events_with_a_source(world: ApiWorld) -> None:
    """Also one that is disabled counts, and one that the agent has not cleaned up yet."""
    api = world.api
    first, second = sourced(api, "a").json, sourced(api, "b", enabled=False).json
    assert refused(sourced(api, "c"), 409, "quota") == TWO_EVENTS
    assert api.delete(f"/v1/events/{first['event_id']}").status_code == 204
    assert refused(sourced(api, "c"), 409, "quota") == TWO_EVENTS
    world.store.remove_event(first["event_id"])
    assert sourced(api, "c").status_code == 201
    world.store.change_event(second["event_id"], lambda old: replace(old, project_id="other"))
    assert sourced(api, "d").status_code == 201


def test_events_without_a_source(world: ApiWorld) -> None:
    api = world.api
    assert sourced(api, "a").status_code == 201
    plain = create(api, "b")
    answer = api.post("/v1/events", json={"name": "c"})
    assert refused(answer, 409, "quota") == ONE_PUBLISHED
    assert api.delete(f"/v1/events/{plain['event_id']}").status_code == 204
    create(api, "c")


def test_timers(world: ApiWorld) -> None:
    """Those of all functions count together, and disabled ones too."""
    api = world.api
    one, other = function(api, "one", event="timer", frequency=1), function(api, "other")
    second = subscribe(api, other, kind="timer", frequency=1, enabled=False)
    assert second.status_code == 201
    timer = {"kind": "timer", "frequency": 1}
    assert refused(subscribe(api, one, **timer), 409, "quota") == TWO_TIMERS
    assert subscribe(api, one, kind="webhook").status_code == 201
    path = f"/v1/functions/{other}/subscriptions/{second.json['subscription_id']}"
    assert api.patch(path, json={"enabled": True}).status_code == 200
    assert api.delete(path).status_code == 204
    assert subscribe(api, one, **timer).status_code == 201
    assert refused(subscribe(api, one, **timer), 409, "quota") == TWO_TIMERS
    assert api.delete(f"/v1/functions/{one}").status_code == 204
    assert subscribe(api, other, **timer).status_code == 201


def test_a_function_is_not_made_with_one_timer_too_many(world: ApiWorld) -> None:
    api = world.api
    for name in ("a", "b"):
        function(api, name, event="timer", frequency=1)
    with pytest.raises(AssertionError, match="quota of timers is 2"):
        function(api, "c", event="timer", frequency=1)
    assert len(api.get("/v1/functions").json["functions"]) == 2


def test_quotas_are_configured(tmp_path: Path) -> None:
    path = tmp_path / "pratai.conf"
    path.write_text("[quota]\nevents = 3\ntimers = 0\n")
    loaded = conf.load("pratai-api", ["--config-file", str(path)])
    assert Quotas.from_conf(loaded) == Quotas(events=3, published_events=200, timers=0)
