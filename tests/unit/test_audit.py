"""Who changed what: which calls of the API are audited, what is said of them, and where to."""

import json
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from oslo_config import cfg
from pycadf import event as pycadf_event
from pycadf import host, reason, resource

from pratai_api import cadf
from pratai_api.audit import CALLS
from pratai_api.audit_trails import (
    EVENT_TYPE,
    Chosen,
    LogTrail,
    NotificationTrail,
    open_trail,
)
from pratai_common.messages import Answer
from pratai_common.options.api import AUDIT_OPTS
from pratai_common.records import Body, FunctionStatus, ResponseHead
from tests.records import function
from tests.unit.api_world import ApiWorld
from tests.unit.test_access import CALL, Tenants, of
from tests.waiting import until

SECRET = "a-secret-that-nobody-shall-see"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API with the function ``f1`` of the project ``p``, which is public."""
    made = ApiWorld(tmp_path, Tenants())
    ready: dict[str, Any] = {"status": FunctionStatus.ACTIVE, "version": 1, "endpoint_token": "t1"}
    made.store.create_function(function(1, project_id="p", public=True, **ready))
    yield made
    made.close()


def told(world: ApiWorld) -> list[tuple[str, str, str, str, str]]:
    """Return of each event who did what to what, how it ended, and the rule."""
    found = [
        (event.initiator.id, event.action, event.target.id, event.reason.reasonCode, rule)
        for event, rule in world.audited
    ]
    world.audited.clear()
    return found


def test_each_write_is_told_with_who_what_and_how_it_ended(world: ApiWorld) -> None:
    api, who = world.api, of("p")
    event = api.post("/v1/events", json={"name": "e"}, headers=who).json["event_id"]
    api.patch(f"/v1/events/{event}", json={"enabled": False}, headers=who)
    key = api.post("/v1/keys", json={"name": "k"}, headers=who).json
    bearer = {"Authorization": f"Bearer {key['key']}"}
    api.post("/v1/functions/f1", json=CALL, headers=bearer)
    api.post("/v1/functions/f1", json=CALL)
    body = {"kind": "message", "event_id": event}
    subscription = api.post("/v1/functions/f1/subscriptions", json=body, headers=who).json
    api.delete(f"/v1/keys/{key['prefix']}", headers=who)
    user = "user of p"
    assert told(world) == [
        (user, "create", event, "201", "event:create"),
        (user, "update", event, "200", "event:update"),
        (user, "create", key["prefix"], "201", "key:create"),
        (key["prefix"], "start", "f1", "202", "function:call"),
        (cadf.NOBODY, "start", "f1", "202", "function:call"),
        (user, "create", subscription["subscription_id"], "201", "subscription:create"),
        (user, "delete", key["prefix"], "204", "key:delete"),
    ]


def test_what_is_refused_is_told_too(world: ApiWorld) -> None:
    api = world.api
    api.patch("/v1/functions/f1", json={"enabled": False}, headers=of("q"))
    api.patch("/v1/functions/f1", json={"enabled": False})
    api.post("/v1/events", json={"name": ""}, headers=of("p"))
    with world.away("change_function"):
        api.patch("/v1/functions/f1", json={"enabled": False}, headers=of("p"))
    outcomes = {event.outcome for event, _ in world.audited}
    assert outcomes == {"failure"}
    assert told(world) == [
        ("user of q", "update", "f1", "404", "function:update"),
        (cadf.NOBODY, "update", "f1", "401", "function:update"),
        ("user of p", "create", cadf.UNKNOWN, "400", "event:create"),
        ("user of p", "update", "f1", "503", "function:update"),
    ]


def test_what_writes_nothing_is_not_told(world: ApiWorld) -> None:
    api, who = world.api, of("p")
    for path in ("/v1/functions", "/v1/functions/f1", "/v1/status", "/v1/quota", "/v1/nothing"):
        api.get(path, headers=who)
    api.post("/v1/nothing", json=CALL, headers=who)
    api.put("/v1/functions/f1", json=CALL, headers=who)
    api.options("/v1/functions/f1")
    api.head("/v1/hooks/t1")
    api.options("/v1/hooks/t1")
    api.post("/v1/node/results", data=b"x")
    assert told(world) == []
    api.delete("/v1/functions/f1", headers=who)
    assert told(world) == [("user of p", "delete", "f1", "204", "function:delete")]


def test_who_looks_at_a_secret_is_told(world: ApiWorld) -> None:
    """Not so who looks at the names."""
    api, who = world.api, of("p")
    api.post("/v1/secrets", json={"name": "s", "value": SECRET}, headers=who)
    assert api.get("/v1/secrets", headers=who).status_code == 200
    assert api.get("/v1/secrets/s", headers=who).json["value"] == SECRET
    api.get("/v1/secrets/none", headers=who)
    api.get("/v1/secrets/s")
    assert SECRET not in repr(world.audited)
    user = "user of p"
    assert told(world) == [
        (user, "create", "s", "201", "secret:create"),
        (user, "read", "s", "200", "secret:get"),
        (user, "read", "none", "404", "secret:get"),
        (cadf.NOBODY, "read", "s", "401", "secret:get"),
    ]


def test_a_key_that_is_refused_is_named(world: ApiWorld) -> None:
    """By its prefix, as what somebody claims: whoever it was is not known."""
    key = world.api.post("/v1/keys", json={"name": "k"}, headers=of("p")).json
    world.api.delete(f"/v1/keys/{key['prefix']}", headers=of("p"))
    world.audited.clear()
    for text in (key["key"], key["key"][:-1], "prk_"):
        headers = {"Authorization": f"Bearer {text}"}
        assert world.api.post("/v1/functions/f1", json=CALL, headers=headers).status_code == 401
    world.api.patch("/v1/functions/f1", json={"enabled": False})
    names = [(event.initiator.id, event.initiator.name) for event, _ in world.audited]
    nobody = cadf.NOBODY
    assert names == [(nobody, key["prefix"]), (nobody, None), (nobody, None), (nobody, None)]


def test_what_a_function_answers_is_no_failure_of_its_caller(world: ApiWorld) -> None:
    """It ran; also where it chose to answer 404."""
    body, path = Body.inline(b'"no such thing"'), "/v1/functions/f1?wait=60"
    codes = []
    for failure in (None, "exception"):
        with ThreadPoolExecutor(1) as threads:
            called = threads.submit(world.api.post, path, json=CALL, headers=of("p"))
            identity = until(lambda: world.sent and world.sent.pop(), "it runs").request.request_id
            head = ResponseHead(status=404)
            world.answer(Answer(request_id=identity, reason=failure, output=body, response=head))
            codes.append(called.result().status_code)
    assert codes == [404, 502]
    assert [event.outcome for event, _ in world.audited] == ["success", "failure"]


class Broken:
    """A trail that takes nothing."""

    def put(self, event: cadf.Event, rule: str) -> None:
        raise ConnectionError("nobody takes it")


def test_what_is_done_is_done_also_where_it_cannot_be_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(ApiWorld(tmp_path, Tenants(), trail=Broken())) as world:
        answer = world.api.post("/v1/events", json={"name": "e"}, headers=of("p"))
        assert answer.status_code == 201
        assert world.store.get_events([answer.json["event_id"]])
        assert world.api.post("/v1/events", json={"name": ""}, headers=of("p")).status_code == 400
    messages = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert len(messages) == 2
    assert re.fullmatch("http request req-[0-9a-f-]+ is not audited", messages[0])


def test_no_body_and_no_secret_is_told(world: ApiWorld) -> None:
    """Nor the token of an endpoint, which lets everybody call."""
    api, who = world.api, of("p")
    settings = {"description": "described", "auth": "token", "auth_secret": SECRET}
    api.patch(f"/v1/functions/f1?x={SECRET}", json=settings, headers=who)
    api.post("/v1/hooks/t1", json=SECRET, headers={"X-Pratai-Token": SECRET})
    api.get("/v1/hooks/t1")
    api.post("/v1/hooks/t2", json=SECRET)
    key = api.post("/v1/keys", json={"name": "k"}, headers=who).json["key"]
    api.post("/v1/functions/f1", json=CALL, headers={"Authorization": f"Bearer {key}x"})
    text = msgspec.json.encode(world.audited).decode()
    for hidden in (SECRET, "described", "/t1", "/t2", key[20:]):
        assert hidden not in text
    assert text.count("/v1/hooks/***") == 3
    assert [each[1:] for each in told(world)] == [
        ("update", "f1", "200", "function:update"),
        ("start", cadf.UNKNOWN, "404", "hook:call"),
        ("start", cadf.UNKNOWN, "404", "hook:call"),
        ("start", cadf.UNKNOWN, "404", "hook:call"),
        ("create", key[:16], "201", "key:create"),
        ("start", "f1", "401", "function:call"),
    ]


def test_a_call_of_an_endpoint_names_the_function(world: ApiWorld) -> None:
    body = {"kind": "webhook"}
    made = world.api.post("/v1/functions/f1/subscriptions", json=body, headers=of("p"))
    assert made.status_code == 201
    world.audited.clear()
    assert world.api.post("/v1/hooks/t1", json=1).status_code == 202
    assert world.api.get("/v1/hooks/t1").status_code == 202
    (event, rule), _ = world.audited
    assert (event.target.id, event.target.project_id, rule) == ("f1", "p", "hook:call")
    assert told(world) == [(cadf.NOBODY, "start", "f1", "202", "hook:call")] * 2


def example(number: int = 1) -> cadf.Event:
    return cadf.Event(
        id=f"6f9619ff-8b86-d011-b42d-00c04fc9640{number}",
        eventTime=cadf.time_of(1_800_000_000_123),
        action="create",
        outcome="success",
        initiator=cadf.Resource(typeURI=cadf.USER, id="u", host=cadf.Host("192.0.2.1", "curl/8")),
        target=cadf.Resource(typeURI="service/function/function", id="f1"),
        observer=cadf.Resource(typeURI="service/function", id="api", name="pratai-api"),
        reason=cadf.Reason("201"),
        requestPath="/v1/functions",
        tags=["http_request_id?value=req-1"],
    )


def test_an_event_is_what_pycadf_makes_of_the_same() -> None:
    ours = example()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ids that are no UUIDs
        theirs = pycadf_event.Event(
            id=ours.id,
            eventTime=ours.eventTime,
            action=ours.action,
            outcome=ours.outcome,
            initiator=resource.Resource(
                id="u", typeURI=cadf.USER, host=host.Host(address="192.0.2.1", agent="curl/8")
            ),
            target=resource.Resource(id="f1", typeURI="service/function/function"),
            observer=resource.Resource(id="api", typeURI="service/function", name="pratai-api"),
            reason=reason.Reason("HTTP", "201"),
        )
        theirs.add_tag("http_request_id?value=req-1")
        assert theirs.is_valid()
        expected = {**theirs.as_dict(), "requestPath": "/v1/functions"}
    assert msgspec.to_builtins(ours) == expected


def test_all_words_are_cadfs(world: ApiWorld) -> None:
    from pycadf import cadftaxonomy

    rules = [(route.rule, route.method) for route in _routes() if isinstance(route.rule, str)]
    for rule, method in rules:
        assert cadf.action(rule, method) in cadftaxonomy.ACTION_TAXONOMY
        assert cadftaxonomy.is_valid_resource(cadf.type_of(rule))
    assert set(CALLS) <= {rule for rule, _ in rules} | {"hook:call"}


def _routes() -> list[Any]:
    from pratai_api.routes import ROUTES

    return ROUTES


# Where to


def logged(caplog: pytest.LogCaptureFixture) -> list[Any]:
    lines = [each.getMessage() for each in caplog.records if each.name == "pratai.audit"]
    return [json.loads(each) for each in lines if each.startswith("{")]


def test_events_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with closing(LogTrail()) as trail:
        trail.put(example(), "function:create")
        assert logged(caplog) == [msgspec.to_builtins(example())]
        trail.put(example(2), "function:call")
        until(lambda: len(logged(caplog)) == 2, "the second is written")
    caplog.set_level(logging.WARNING, "pratai.audit")
    trail.put(example(3), "function:create")
    assert len(logged(caplog)) == 2


def configured(**values: Any) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    conf.register_opts(AUDIT_OPTS, group="audit")
    conf([], default_config_files=[], default_config_dirs=[])
    for name, value in values.items():
        conf.set_override(name, value, group="audit")
    return conf


class Endpoint:
    """Who listens for notifications."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, Any]] = []

    def info(self, _context: Any, publisher: str, kind: str, payload: Any, _more: Any) -> None:
        self.heard.append((publisher, kind, payload))


@pytest.mark.filterwarnings("ignore")  # of the libraries, about one another
def test_events_by_oslo_messaging(caplog: pytest.LogCaptureFixture) -> None:
    """As whoever listens on the topic gets them."""
    caplog.set_level(logging.INFO)
    conf, endpoint = configured(transport_url="fake:/", topic="audited"), Endpoint()
    trail = open_trail(conf)
    import oslo_messaging

    transport = oslo_messaging.get_notification_transport(conf, url="fake:/")
    targets = [oslo_messaging.Target(topic="audited")]
    listener = oslo_messaging.get_notification_listener(
        transport, targets, [endpoint], executor="threading"
    )
    listener.start()
    try:
        for number in (1, 2):
            trail.put(example(number), "function:create")
        until(lambda: len(endpoint.heard) == 2, "both are heard")
    finally:
        trail.close()
        listener.stop()
        listener.wait()
    publisher, kind, payload = endpoint.heard[0]
    assert re.fullmatch(r"pratai-api\.\S+", publisher)
    assert kind == EVENT_TYPE
    assert payload == msgspec.to_builtins(example(1))
    assert logged(caplog) == []


class Broker:
    """One that does not answer until it is back, or refuses what it gets."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.refuses = False
        self.got: list[str] = []

    def info(self, ctxt: dict[str, Any], event_type: str, payload: dict[str, Any]) -> None:
        self.back.wait(30)
        if self.refuses:
            raise ConnectionError("refused")
        self.got.append(payload["id"])


def test_nobody_waits_for_the_broker_and_nothing_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    broker = Broker()
    trail = NotificationTrail(broker, most=2)
    trail.put(example(1), "function:create")
    until(trail._waiting.empty, "the first is on its way")
    for number in range(2, 6):
        trail.put(example(number), "function:create")
    expected = [example(number).id for number in range(1, 6)]
    assert [each["id"] for each in logged(caplog)] == expected[3:]
    trail.close(0.05)  # it is still away: what waits is in the log
    assert sorted(each["id"] for each in logged(caplog)) == expected
    broker.back.set()


def test_what_the_broker_refuses_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    broker = Broker()
    broker.refuses = True
    broker.back.set()
    with closing(NotificationTrail(broker)) as trail:
        trail.put(example(1), "function:create")
        until(lambda: len(logged(caplog)) == 1, "it is logged")
        broker.refuses = False
        trail.put(example(2), "function:create")
        until(lambda: broker.got == [example(2).id], "the next is sent")


def test_rules_that_are_not_audited() -> None:
    kept: list[str] = []

    class Kept:
        def put(self, event: cadf.Event, rule: str) -> None:
            kept.append(rule)

    trail = Chosen(Kept(), configured(ignore=["function:call"]).audit.ignore)
    for rule in ("function:call", "function:create"):
        trail.put(example(), rule)
    assert kept == ["function:create"]
