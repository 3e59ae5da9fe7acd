"""What is published by HTTP: CloudEvents in each of their modes, and plain data."""

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from pratai_common import limits
from tests.unit.api_world import ApiWorld
from tests.unit.test_event_routes import create, function, refused

ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
EVENT = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.paid"}


_numbers = itertools.count()


class Shop:
    """An event with a function that subscribes to it."""

    def __init__(self, world: ApiWorld) -> None:
        self.world, self.api = world, world.api
        name = f"shop{next(_numbers)}"
        self.event = create(self.api, name)["event_id"]
        self.function = function(self.api, name, event="message", subscribe_to=[self.event])
        self.path = f"/v1/events/{self.event}"

    def publish(self, body: Any, content_type: str = ONE, query: str = "", **headers: str) -> Any:
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        all_headers = {"Content-Type": content_type, **headers} if content_type else headers
        return self.api.post(f"{self.path}{query}", data=content, headers=all_headers)

    def published(self, *arguments: Any, **headers: str) -> dict[str, Any]:
        """Return the request that was caused, with what came in."""
        answer = self.publish(*arguments, **headers)
        assert answer.status_code == 202, answer.text
        (request_id,) = answer.json["request_ids"]
        shown: dict[str, Any] = self.api.get(f"/v1/requests/{request_id}?include=payload").json
        assert (shown["source"], shown["function_id"]) == ("published", self.function)
        return shown

    def requests(self) -> list[dict[str, Any]]:
        path = f"/v1/requests?function_id={self.function}"
        return list(self.api.get(path).json["requests"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiWorld]:
    """The application, and its store, that all of these tests share."""
    made = ApiWorld(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture
def shop(world: ApiWorld) -> Shop:
    return Shop(world)


# CloudEvents


def test_structured_mode(shop: Shop) -> None:
    more = {"subject": "o1", "time": "2026-01-02T03:04:05.5+01:00", "amount": 5, "paid": True}
    data = {"total": 12.50, "n": 2**70, "ö": None}
    text = json.dumps({**EVENT, **more, "unset": None, "data": data}, ensure_ascii=False)
    shown = shop.published(text.encode())
    assert shown["event"] == {**EVENT, **more, "time": "2026-01-02T03:04:05.500000+01:00"}
    assert shown["payload"] == data


def test_the_data_is_kept_as_it_was_sent(shop: Shop) -> None:
    data = '{"n": 12345678901234567890123,  "f": 1.10}'
    answer = shop.publish(f'{{"data": {data}, {json.dumps(EVENT)[1:]}')
    body = shop.world.store.get_input(answer.json["request_ids"][0])
    assert body is not None
    assert body.content == data.encode()


def test_binary_mode(shop: Shop) -> None:
    headers = {
        "ce_specversion": "1.0", "ce_id": "7", "ce_source": "/shop", "ce_type": "order.paid",
        "ce_subject": "gr%C3%BCn%20%25", "ce_time": "2026-01-02T03:04:05Z", "ce_amount": "5",
    }  # fmt: skip
    shown = shop.published('{"a": [1]}', "application/json", **headers)
    assert shown["payload"] == {"a": [1]}
    assert shown["event"] == {
        **EVENT, "subject": "grün %", "time": "2026-01-02T03:04:05Z", "amount": "5",
        "datacontenttype": "application/json",
    }  # fmt: skip
    shown = shop.published("täxt".encode(), "text/plain", **{**headers, "ce_id": "8"})
    assert shown["payload"] == "täxt"
    shown = shop.published(b"\xff\x00", "image/png", **{**headers, "ce_id": "9"})
    assert base64.b64decode(shown["payload"]) == b"\xff\x00"
    assert shown["event"]["datacontentencoding"] == "base64"
    assert shop.published(b"", "", **{**headers, "ce_id": "10"})["payload"] is None


def test_what_the_library_sends_is_read(shop: Shop) -> None:
    """Both modes of one event are the same event: it runs once."""
    event = CloudEvent({"source": "/shop", "type": "t", "lane": "left"}, {"a": [1, "ü"]})
    shown = []
    for message in (to_structured_event(event), to_binary_event(event)):
        headers = {name.replace("-", "_"): value for name, value in message.headers.items()}
        content_type = headers.pop("content_type", "application/json")
        shown.append(shop.published(message.body, content_type, **headers))
    assert shown[0]["request_id"] == shown[1]["request_id"]
    assert shown[0]["payload"] == {"a": [1, "ü"]}
    assert (shown[0]["event"]["id"], shown[0]["event"]["lane"]) == (event.get_id(), "left")


@pytest.mark.parametrize(
    ("content", "content_type", "payload", "encoding"),
    [
        (b'{"a": 1}', "application/json", {"a": 1}, None),
        (b'{"a": 1}', "application/vnd.x+json; charset=utf-8", {"a": 1}, None),
        ("täxt".encode(), "text/plain", "täxt", None),
        (b"\xff", None, base64.b64encode(b"\xff").decode(), "base64"),
    ],
)
def test_data_in_base64(
    shop: Shop, content: bytes, content_type: str | None, payload: Any, encoding: str | None
) -> None:
    encoded = {"data_base64": base64.b64encode(content).decode(), "datacontenttype": content_type}
    shown = shop.published({**EVENT, **encoded})
    assert shown["payload"] == payload
    assert shown["event"].get("datacontentencoding") == encoding


def test_an_event_runs_once_however_often_it_is_published(shop: Shop) -> None:
    first = shop.publish({**EVENT, "data": 1}).json
    assert shop.publish({**EVENT, "data": 1}).json == first
    other_source = shop.publish({**EVENT, "source": "/other", "data": 1}).json
    assert other_source["request_ids"] != first["request_ids"]
    batch = [{**EVENT, "data": 1}, {**EVENT, "id": "8"}, {**EVENT, "id": "8", "data": "second"}]
    answer = shop.publish(batch, BATCH)
    assert answer.status_code == 202
    ids = [each["request_ids"] for each in answer.json["published"]]
    assert ids[0] == first["request_ids"]
    assert ids[1] == ids[2] != ids[0]
    assert [each["id"] for each in answer.json["published"]] == ["7", "8", "8"]
    assert answer.json["request_ids"] == [ids[0][0], ids[1][0]]
    assert len(shop.requests()) == 3


def test_source_and_id_are_told_apart(shop: Shop) -> None:
    ids = [
        shop.publish({**EVENT, "source": source, "id": identity}).json["request_ids"][0]
        for source, identity in (("a", "b"), ("a/b", "c"), ("a", "b/c"), ('a","b', "c"))
    ]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": None}, "it has no id"),
        ({"id": ""}, "Attribute 'id' must not be None or empty"),
        ({"id": 7}, "id: Expected `str | null`, got `int`"),
        ({"source": ""}, "Attribute 'source' must not be None or empty"),
        ({"type": None, "specversion": None}, "it has no type, specversion"),
        ({"specversion": "0.3"}, "Attribute 'specversion' must be '1.0'"),
        ({"time": "yesterday"}, "time: "),
        ({"time": "2026-01-02T03:04:05"}, "Attribute 'time' must be timezone aware"),
        ({"time": 5}, "time: Expected `str | null`, got `int`"),
        ({"subject": ""}, "Attribute 'subject' must not be empty"),
        ({"Amount": 1}, "Extension attribute 'Amount' should only contain lowercase"),
        ({"amount": 1.5}, "amount: Expected `bool | int | str | null`, got `float`"),
        ({"amount": {}}, "amount: Expected `bool | int | str | null`, got `object`"),
        ({"amount": 2**31}, "amount: an integer has at most 32 bits"),
        ({"data": 1, "data_base64": "YQ=="}, "it has both data and data_base64"),
        ({"data_base64": "Y"}, "data_base64: "),
        ({"data_base64": "ü"}, "data_base64: "),
    ],
)
def test_what_is_no_cloudevent(shop: Shop, wrong: dict[str, Any], message: str) -> None:
    said = refused(shop.publish({**EVENT, **wrong}), 400, "invalid_cloudevent")
    assert said.startswith("this is no CloudEvent: ")
    assert message in said
    said = refused(shop.publish([EVENT, {**EVENT, **wrong}], BATCH), 400, "invalid_cloudevent")
    assert said.startswith("this is no CloudEvent: event 1: ")
    assert shop.requests() == []
    assert shop.publish(EVENT).status_code == 202


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"ce_id": "7"}, "it has no source, type, specversion"),
        ({"ce_time": "x"}, "time: ISO string too short"),
        ({"ce_some_thing": "x"}, "Extension attribute 'some-thing' should only contain"),
        ({"ce_specversion": "2.0"}, "Attribute 'specversion' must be '1.0'"),
    ],
)
def test_headers_that_are_no_cloudevent(shop: Shop, headers: dict[str, str], message: str) -> None:
    all_of_them = {f"ce_{name}": value for name, value in EVENT.items()}
    sent = headers if list(headers) == ["ce_id"] else {**all_of_them, **headers}
    said = refused(shop.publish("1", "application/json", **sent), 400, "invalid_cloudevent")
    assert message in said
    assert shop.publish("1", "application/json", **all_of_them).status_code == 202


@pytest.mark.parametrize(
    ("body", "content_type", "reason", "message"),
    [
        ([EVENT], ONE, "invalid", "the body: Expected `object`, got `array`"),
        (EVENT, BATCH, "invalid", "the body: Expected `array`, got `object`"),
        ("{", ONE, "invalid_json", "the body is no JSON"),
        ('{"id": "\\ud800"}', ONE, "invalid_json", "the body is no JSON"),
        ("x", "application/cloudevents+avro", "invalid_cloudevent", "of formats, application/"),
        ({**EVENT, "data_base64": 5}, ONE, "invalid", "data_base64: Expected `str`, got `int`"),
        (
            {**EVENT, "data_base64": "ew==", "datacontenttype": "text/json"},
            ONE,
            "invalid_json",
            "data_base64 is no JSON",
        ),
        ("{", "application/json", "invalid_json", "the body is no JSON"),
        ("NaN", "", "invalid_json", "the body is no JSON"),
    ],
)
def test_bodies_of_another_shape(
    shop: Shop, body: Any, content_type: str, reason: str, message: str
) -> None:
    assert message in refused(shop.publish(body, content_type), 400, reason)
    assert shop.publish(EVENT).status_code == 202


def test_bounds(shop: Shop) -> None:
    batch = [{**EVENT, "id": str(number)} for number in range(limits.MAX_BATCH_EVENTS + 1)]
    message = refused(shop.publish(batch, BATCH), 413, "too_large")
    assert message == "a batch has at most 100 events, not 101"
    assert len(shop.publish(batch[1:], BATCH).json["request_ids"]) == 100
    assert shop.publish([], BATCH).json["request_ids"] == []
    message = refused(shop.publish({**EVENT, "subject": "x" * 8192}), 413, "too_large")
    assert message == "the attributes are larger than 8192 bytes"


# Plain data


@pytest.mark.parametrize(
    ("content", "content_type", "payload", "shown"),
    [
        (b'{"a": [1]}', "application/json", {"a": [1]}, "application/json"),
        (b'{"a": [1]}', "", {"a": [1]}, "application/json"),
        (b'{"a": [1]}', "application/x-www-form-urlencoded", {"a": [1]}, "application/json"),
        ("ä".encode(), "text/plain; charset=utf-8", "ä", "text/plain"),
        (b"\xff", "image/png", base64.b64encode(b"\xff").decode(), "image/png"),
        (b"", "", None, None),
    ],
)
def test_plain_data(
    shop: Shop, content: bytes, content_type: str, payload: Any, shown: str | None
) -> None:
    request = shop.published(content, content_type)
    assert request["payload"] == payload
    event = request["event"]
    assert (event["specversion"], event["type"]) == ("1.0", "pratai.published")
    assert (event["source"], event["datacontenttype"]) == (shop.path, shown)
    again = shop.published(content, content_type)
    assert again["request_id"] != request["request_id"]


def test_a_key_is_one_publication(shop: Shop) -> None:
    key = {"Idempotency_Key": "k"}
    first = shop.published("1", "application/json", **key)
    assert shop.published("1", "application/json", **key) == first
    message = refused(shop.publish("2", "application/json", **key), 422, "idempotency_key_reused")
    assert message == "this Idempotency-Key was used with another body"
    assert shop.published("2", "application/json", Idempotency_Key="l")["payload"] == 2


def test_another_body_with_a_key_runs_nobody(shop: Shop) -> None:
    """Nor a function that subscribes since then, and would be run by the same body."""
    key = {"Idempotency_Key": "k"}
    first = shop.published("1", "application/json", **key)
    settings = {"event": "message", "subscribe_to": [shop.event]}
    function(shop.api, f"late{next(_numbers)}", **settings)
    refused(shop.publish("2", "application/json", **key), 422, "idempotency_key_reused")
    late = shop.publish("1", "application/json", **key).json["request_ids"]
    assert first["request_id"] in late
    assert len(late) == 2
    payloads = [
        shop.api.get(f"/v1/requests/{each}?include=payload").json["payload"] for each in late
    ]
    assert payloads == [1, 1]


def test_a_disabled_event_takes_nothing(shop: Shop) -> None:
    shop.api.patch(shop.path, json={"enabled": False})
    message = refused(shop.publish(EVENT), 409, "event_disabled")
    assert message == "the event is disabled"
    shop.api.patch(shop.path, json={"enabled": True})
    assert shop.publish(EVENT).status_code == 202


def test_what_is_put_off(shop: Shop) -> None:
    shown = shop.published(EVENT, ONE, "?not_before=2020-01-01T00:00:00Z")
    assert shown["status"] == "queued"
    far = "3000-01-01T00:00:00Z"
    message = "not_before is more than 30 days away"
    assert refused(shop.publish(EVENT, ONE, f"?not_before={far}"), 400, "invalid") == message
    path = f"/v1/functions/{shop.function}"
    answer = shop.api.post(path, json={"payload": 1, "not_before": far})
    assert refused(answer, 400, "invalid") == message
    for wrong in ("soon", "2020-01-01T00:00:00"):
        assert "$.not_before" in refused(
            shop.publish(EVENT, ONE, f"?not_before={wrong}"), 400, "invalid"
        )
    waits = function(shop.api, f"waits{next(_numbers)}", type="wait_for_response")
    answer = shop.api.post(
        f"/v1/functions/{waits}", json={"payload": 1, "not_before": "2020-01-01T00:00:00Z"}
    )
    assert refused(answer, 400, "invalid") == "not_before goes with type async only"
