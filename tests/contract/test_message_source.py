"""Messages of a real RabbitMQ: what arrives, in which shape, that it does once, and what else may
come.
"""

import json
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import amqp
import pytest

from pratai_agent.sources.message import MessageSource
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.records import Event
from tests.contract.served import Events, Served
from tests.rabbitmq import RabbitMQ
from tests.waiting import until

JSON = {"content_type": "application/json"}
MAX = limits.MAX_BODY_BYTES


class Quick(MessageSource):
    """One that notices a silent broker sooner."""

    heartbeat = 1


class Messages:
    """Events of messages of one broker."""

    def __init__(self, events: Events, broker: RabbitMQ) -> None:
        self._events = events
        self.store = events.store
        self.broker = broker

    def event(self, **settings: Any) -> Event:
        given = {
            "host": self.broker.host,
            "port": self.broker.port,
            "username": self.broker.username,
            **settings,
        }
        return self._events.add("message", given)

    def serving(self, event: Event, password: str | None = None) -> Any:
        return self._events.serving(event, password or self.broker.password)

    def source(self, event: Event, served: Any = None) -> Any:
        return self._events.source(event, self.broker.password, served)


@contextmanager
def messages_by(source: type[MessageSource], folder: Path, broker: RabbitMQ) -> Iterator[Messages]:
    path = folder / "pratai.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {folder}\n[agent]\ndeny_networks =\n")
    conf = configuration.load("test", ["--config-file", str(path)])
    events = Events(conf, folder, {"message": source})
    yield Messages(events, broker)
    events.store.close()


@pytest.fixture
def messages(tmp_path: Path, rabbitmq: RabbitMQ) -> Iterator[Messages]:
    with messages_by(MessageSource, tmp_path, rabbitmq) as made:
        yield made


@pytest.fixture
def quick(tmp_path: Path, rabbitmq: RabbitMQ) -> Iterator[Messages]:
    """With a source that soon takes a broker for silent: a busy one may be, for a second or two."""
    with messages_by(Quick, tmp_path, rabbitmq) as made:
        yield made


@pytest.fixture
def queue(rabbitmq: RabbitMQ) -> Iterator[str]:
    name = rabbitmq.queue()
    yield name
    rabbitmq.delete(name)
    rabbitmq.delete(f"{name}.pratai-dead")


def one(served: Served) -> tuple[Any, dict[str, Any]]:
    """Return the payload and the attributes of the only message that was taken."""
    (request,) = served.requests_once(1)
    (payload,) = served.payloads([request])
    assert request.source == "message"
    assert request.event is not None
    return payload, request.event


def test_a_queue_that_is_there(messages: Messages, queue: str) -> None:
    messages.broker.publish(
        queue, b'{"a": [1, "\\u00f6"]}', message_id="m1", timestamp=1767225600, **JSON
    )
    event = messages.event(queue=queue)
    with messages.serving(event) as served:
        payload, attributes = one(served)
    assert payload == {"a": [1, "ö"]}
    assert attributes == {
        "specversion": "1.0",
        "id": "m1",
        "source": f"/v1/events/{event.event_id}",
        "type": "pratai.message",
        "subject": queue,
        "time": "2026-01-01T00:00:00.000Z",
        "datacontenttype": "application/json",
    }
    assert messages.broker.depth(queue) == 0
    assert (served.state.received, served.state.without_id, served.state.note) == (1, 0, None)


def test_an_exchange(messages: Messages) -> None:
    """A queue of the event's own is bound to it; it waits there for the agent, and goes with it."""
    exchange = messages.broker.exchange()
    event = messages.event(exchange=exchange, routing_key="order.*")
    with messages.serving(event) as served:
        served.runs()
    for key in ("order.new", "bill.new", "order.new.late"):
        messages.broker.publish(key, key.encode(), exchange=exchange)
    own = f"pratai.{event.event_id}"
    assert messages.broker.depth(own) == 1
    with messages.serving(event) as served:
        payload, attributes = one(served)
    assert (payload, attributes["subject"]) == ("order.new", "order.new")
    messages.source(event).clean()
    assert messages.broker.depth(own) is None
    messages.source(event).clean()


CONTENTS: list[tuple[str | None, bytes, Any, str | None]] = [
    ("application/json; charset=utf-8", b" [1.50] ", [1.5], None),
    ("application/problem+JSON", b'"x"', "x", None),
    ("text/plain", "é {".encode(), "é {", None),
    ("text/plain", b"\xff\x00", "/wA=", "base64"),
    ("application/octet-stream", b"\x80", "gA==", "base64"),
    (None, b'{"a": 1}', '{"a": 1}', None),
    ("application/json", b"", None, None),
]


def test_contents(messages: Messages, queue: str) -> None:
    sent: list[tuple[bytes, dict[str, Any]]] = [
        (body, {"content_type": kind, "message_id": str(number)})
        for number, (kind, body, *_) in enumerate(CONTENTS)
    ]
    messages.broker.publish_all(queue, sent)
    with messages.serving(messages.event(queue=queue)) as served:
        requests = served.requests_once(len(CONTENTS))
        payloads = served.payloads(requests)
    found = {
        int(each["id"]): (each["datacontenttype"], payload, each.get("datacontentencoding"))
        for each, payload in zip([one.event or {} for one in requests], payloads, strict=True)
    }
    assert found == {
        number: (kind or "application/json", payload, encoding)
        for number, (kind, _, payload, encoding) in enumerate(CONTENTS)
    }


def test_ids(messages: Messages, queue: str) -> None:
    """What carries an id runs once however often it comes; what carries none, each time."""
    notification = json.dumps({"_unique_id": "u1", "message_id": "n1", "payload": 1})
    envelope = json.dumps({"oslo.version": "2.0", "oslo.message": notification}).encode()
    again = envelope.replace(b"u1", b"u2")
    cloud_event = {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": "1",
        "cloudEvents:source": "/s",
        "cloudEvents:type": "t",
    }
    sent: list[tuple[bytes, dict[str, Any]]] = [
        (b"1", {"message_id": "a", **JSON}),
        (b"2", {"message_id": "a", **JSON}),
        (b"3", {"message_id": "b", **JSON}),
        (envelope, JSON),
        (again, {"content_encoding": "utf-8", **JSON}),
        (notification.encode(), JSON),
        (b'{"_unique_id": "u1"}', JSON),
        (b'{"_unique_id": "u1"}', JSON),
        (b"4", {"application_headers": cloud_event, **JSON}),
        (b"5", {"application_headers": {**cloud_event, "cloudEvents:source": "/r"}, **JSON}),
        (b"6", {"application_headers": cloud_event, **JSON}),
        (b"7", JSON),
        (b"7", JSON),
    ]
    messages.broker.publish_all(queue, sent)
    with messages.serving(messages.event(queue=queue)) as served:
        requests = served.requests_once(len(sent))
        payloads = served.payloads(requests)
        until(lambda: served.state.note, "it says that ids are missing")
        assert served.state.note == (
            "messages came without an id: one that is delivered twice runs a function twice"
        )
    named = Counter(each for each in payloads if isinstance(each, int))
    assert named == {1: 1, 3: 1, 4: 1, 5: 1, 7: 2}
    of_oslo = sorted((each for each in payloads if isinstance(each, dict)), key=len)
    assert of_oslo == [{"_unique_id": "u1"}, json.loads(envelope)]
    assert (served.state.received, served.state.without_id) == (len(sent), 2)


def test_a_cloud_event(messages: Messages, queue: str) -> None:
    headers = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": "7",
        "cloudEvents_source": "/here",
        "cloudEvents_type": "org.example",
        "cloudEvents_time": "2026-01-01T00:00:00Z",
        "cloudEvents_part": 3,
        "other": "x",
    }
    messages.broker.publish(queue, b"x", application_headers=headers, content_type="text/plain")
    with messages.serving(messages.event(queue=queue)) as served:
        payload, attributes = one(served)
    assert payload == "x"
    assert attributes == {
        "specversion": "1.0",
        "id": "7",
        "source": "/here",
        "type": "org.example",
        "time": "2026-01-01T00:00:00Z",
        "part": 3,
        "subject": queue,
        "datacontenttype": "text/plain",
    }


POISON: list[tuple[bytes, dict[str, Any], str]] = [
    (
        b"{",
        {"content_encoding": "utf-8", **JSON},
        "it says that it is JSON, and is not: Input data was truncated",
    ),
    (
        b'"\xff"',
        JSON,
        (
            "it says that it is JSON, and is not: 'utf-8' codec can't decode byte 0xff in "
            "position 1: invalid start byte"
        ),
    ),
    (b"x" * (MAX + 1), {}, f"it has {MAX + 1} bytes, of {MAX} that one may have"),
    (
        b"x" * (MAX - 1),
        {},
        f"as a JSON string, it has {MAX + 1} bytes, of {MAX} that one may have",
    ),
    (
        b"no event",
        {"application_headers": {"cloudEvents:id": "1", "CC": ["nowhere"]}},
        "it is no CloudEvent: it has no source, type, specversion",
    ),
    (b"half a character", {"type": "\ud800"}, "it cannot be taken: UnicodeEncodeError"),
    (b"half an id", {"message_id": "\ud800"}, "it cannot be taken: UnicodeEncodeError"),
    (b"to expire", {"expiration": "600000", "user_id": "pratai", **JSON}, "no reason"),
]


def test_what_cannot_be_taken_is_put_aside(messages: Messages, queue: str) -> None:
    """After as many deliveries as the event says, whole, and with the reason; others go on."""
    sent: list[tuple[bytes, dict[str, Any]]] = []
    for number, (body, properties, _reason) in enumerate(POISON):
        sent += [(b"%d" % number, JSON), (body, properties)]
    messages.broker.publish_all(queue, sent)
    with messages.serving(messages.event(queue=queue, max_deliveries=2)) as served:
        requests = served.requests_once(len(POISON))
        assert sorted(served.payloads(requests)) == list(range(len(POISON)))
        until(lambda: served.state.dead == len(POISON), "the others are put aside")
        assert served.state.state == "running"
    assert messages.broker.depth(queue) == 0
    dead = [messages.broker.taken(f"{queue}.pratai-dead") for _ in POISON]
    found = {bytes_of(each): each for each in dead}
    assert found.keys() == {body for body, *_ in POISON}
    for body, _properties, reason in POISON[:-1]:
        headers = found[body].headers
        assert headers["x-pratai-error"] == reason
        assert headers["x-pratai-queue"] == headers["x-pratai-routing-key"] == queue
    assert found[b"no event"].headers["cloudEvents:id"] == "1"
    assert "CC" not in found[b"no event"].headers
    assert found[b"to expire"].properties["content_type"] == "application/json"
    assert not {"expiration", "user_id"} & found[b"to expire"].properties.keys()
    assert all(each.properties["delivery_mode"] == 2 for each in dead)


class Raw(amqp.Message):  # type: ignore[misc]  # amqp has no types
    """A message whose properties are these bytes."""

    raw = b""

    def _serialize_properties(self) -> bytes:
        return self.raw


def raw(body: bytes, properties: bytes) -> Raw:
    message = Raw(body)
    message.raw = properties
    return message


def headers(table: bytes) -> bytes:
    """Return properties that are persistence and a table of these bytes."""
    return struct.pack(">HI", 0x3000, len(table)) + table + b"\x02"


NO_CLOUD_EVENT = b"\x0ecloudEvents:id"
NUMBERS = b"A" + struct.pack(">I", 60_000) + b"b\x01" * 30_000
"""Are written again in much more bytes."""

UNREADABLE: list[tuple[bytes, bytes, str]] = [
    (b"no text", b"\x90\0\x01\xff\x02", "its properties cannot be read: UnicodeDecodeError: "),
    (
        b"no time",
        headers(b"\x01aT" + struct.pack(">Q", 2**63)),
        "its properties cannot be read: OverflowError: ",
    ),
    (b"too much", headers(NO_CLOUD_EVENT + NUMBERS), "it is no CloudEvent: it has no source, "),
]


def test_properties_that_nobody_can_read(messages: Messages) -> None:
    """What has such is put aside without them; those behind it arrive."""
    exchange = messages.broker.exchange()
    event = messages.event(exchange=exchange, max_deliveries=2)
    aside = f"pratai.{event.event_id}.pratai-dead"
    with messages.serving(event) as served:
        served.runs()
        with messages.broker.channel() as channel:
            for body, properties, _reason in UNREADABLE:
                channel.basic_publish(raw(body, properties), exchange, b"k\xff")
        messages.broker.publish("key", b"1", message_id="1", exchange=exchange, **JSON)
        until(lambda: served.state.dead == len(UNREADABLE), "the others are put aside")
        assert one(served)[0] == 1
        assert served.state.state == "running"
    assert messages.broker.depth(f"pratai.{event.event_id}") == 0
    found = {bytes_of(each): each.headers for each in map(messages.broker.taken, [aside] * 3)}
    for body, _properties, reason in UNREADABLE:
        assert found[body]["x-pratai-error"].startswith(reason)
        assert found[body]["x-pratai-routing-key"] == "k"
    assert "cloudEvents:id" not in found[b"too much"]


def bytes_of(message: Any) -> bytes:
    return message.body if isinstance(message.body, bytes) else message.body.encode()


def test_a_message_that_cannot_be_put_aside(messages: Messages, queue: str) -> None:
    """Nothing is lost where the queue for such is made otherwise, or already."""
    with messages.broker.channel() as channel:
        arguments = {"x-max-length": 5}
        channel.queue_declare(
            f"{queue}.pratai-dead", durable=True, auto_delete=False, arguments=arguments
        )
    messages.broker.publish(queue, b"{", **JSON)
    event = messages.event(queue=queue)
    with messages.serving(event) as served:
        until(lambda: served.state.dead == 1, "it is put aside")
    assert messages.broker.depth(f"{queue}.pratai-dead") == 1
    messages.source(event).clean()
    assert messages.broker.depth(f"{queue}.pratai-dead") == 1
    assert messages.broker.depth(queue) == 0
    assert messages.broker.taken(f"{queue}.pratai-dead").body == b"{"
    messages.source(event).clean()
    assert messages.broker.depth(f"{queue}.pratai-dead") is None
    assert messages.broker.depth(queue) == 0


def test_a_quorum_queue(messages: Messages) -> None:
    """It counts deliveries itself, also those that an agent has not seen."""
    queue = messages.broker.queue(**{"x-queue-type": "quorum"})
    messages.broker.publish(queue, b"{", b"1", **JSON)
    for _ in range(2):
        with messages.broker.channel() as channel:
            channel.basic_get(queue)
    with messages.serving(messages.event(queue=queue, max_deliveries=3)) as served:
        until(lambda: served.state.dead == 1, "it is put aside")
        assert len(served.requests_once(1)) == 1
    aside = messages.broker.taken(f"{queue}.pratai-dead")
    assert (aside.body, aside.headers["x-delivery-count"]) == (b"{", 2)
    messages.broker.delete(queue)
    messages.broker.delete(f"{queue}.pratai-dead")


def test_too_large_to_be_held(messages: Messages, queue: str) -> None:
    size = 32 * limits.MIB + 1
    messages.broker.publish(queue, b"x" * size)
    with messages.serving(messages.event(queue=queue)) as served:
        assert served.fails() == (
            f"the broker at 127.0.0.1:{messages.broker.port} says: a message of {size} bytes, "
            f"which must be removed: {size - 1} at most"
        )
    until(lambda: messages.broker.depth(queue) == 1, "it is back in the queue")


@pytest.mark.parametrize(
    ("settings", "password", "reason"),
    [
        ({"queue": "nowhere"}, None, "the broker has no queue nowhere"),
        ({"exchange": "nowhere"}, None, "the broker has no exchange nowhere"),
        ({"queue": "q"}, "wrong-secret", "{broker} does not accept the user pratai"),
        (
            {"queue": "q", "virtual_host": "none"},
            None,
            "{broker} says: NOT_ALLOWED - vhost none not found",
        ),
        (
            {"queue": "q", "port": 1},
            None,
            "the broker at 127.0.0.1:1 cannot be reached: Connection refused",
        ),
    ],
)
def test_refusals(
    messages: Messages, settings: dict[str, Any], password: str | None, reason: str
) -> None:
    with messages.serving(messages.event(**settings), password) as served:
        wanted = reason.format(broker=f"the broker at 127.0.0.1:{messages.broker.port}")
        assert served.fails() == wanted


def test_a_network_that_is_denied(messages: Messages, queue: str) -> None:
    messages.broker.publish(queue, b"1", message_id="1", **JSON)
    event = messages.event(queue=queue)
    conf = messages.source(event).conf
    conf.set_override("deny_networks", ["127.0.0.0/8"], group="agent")
    with messages.serving(event) as served:
        reason = "the host 127.0.0.1 is in a network that events may not connect to"
        assert served.fails() == reason
        assert messages.broker.depth(queue) == 1
        conf.set_override("deny_networks", [], group="agent")
        assert one(served.runs())[0] == 1


def test_tls(messages: Messages, queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is whom it says it is, or nothing is told to it."""
    port = messages.broker.tls_port
    messages.broker.publish(queue, b"1", message_id="1", **JSON)
    event = messages.event(queue=queue, tls=True, host="localhost", port=port)
    messages.source(event).conf.set_override("deny_networks", ["::1/128"], group="agent")
    with messages.serving(event) as served:
        assert served.fails() == (
            f"the broker at localhost:{port} is not trusted: self-signed certificate"
        )
    monkeypatch.setenv("SSL_CERT_FILE", str(messages.broker.ca))
    with messages.serving(messages.event(queue=queue, tls=True, port=port)) as served:
        assert served.fails() == (
            f"the broker at 127.0.0.1:{port} is not trusted: IP address mismatch, certificate is "
            "not valid for '127.0.0.1'."
        )
    with messages.serving(event) as served:
        assert one(served)[0] == 1


def test_the_queue_is_deleted(messages: Messages) -> None:
    queue = messages.broker.queue()
    with messages.serving(messages.event(queue=queue)) as served:
        served.runs()
        messages.broker.delete(queue)
        assert served.fails() in (
            f"the queue {queue} was deleted",
            f"the broker has no queue {queue}",
        )


AWAY = "what came cannot be recorded: the store or archives are away"


def test_nothing_is_acknowledged_while_the_store_is_away(messages: Messages, queue: str) -> None:
    """What was delivered goes back when the agent is stopped, and is delivered again."""
    messages.store.away = True
    messages.broker.publish(queue, *(b"%d" % each for each in range(5)), **JSON)
    event = messages.event(queue=queue)
    with messages.serving(event) as served:
        until(lambda: messages.broker.depth(queue) == 0, "all are delivered")
        assert served.fails() == AWAY
    until(lambda: messages.broker.depth(queue) == 5, "all are back in the queue")
    with messages.serving(event) as served:
        until(lambda: messages.broker.depth(queue) == 0, "all are delivered again")
        messages.store.away = False
        assert len(served.requests_once(5)) == 5
    assert messages.broker.depth(queue) == 0


def test_the_connection_lives_while_the_store_is_away(quick: Messages, queue: str) -> None:
    """For longer than the broker waits for a sign of life; so messages without ids run once."""
    quick.store.away = True
    quick.broker.publish(queue, b"1", **JSON)
    with quick.serving(quick.event(queue=queue)) as served:
        assert served.fails() == AWAY
        assert quick.broker.depth(queue) == 0
        time.sleep(4 * Quick.heartbeat)
        quick.store.away = False
        assert len(served.requests_once(1)) == 1
        assert (served.runs().state.error, served.state.without_id) == (AWAY, 1)
    assert quick.broker.depth(queue) == 0


def test_a_silent_broker(quick: Messages, queue: str) -> None:
    """That it is gone is noticed, and what comes when it is back is taken."""
    with quick.serving(quick.event(queue=queue)) as served:
        served.runs()
        with quick.broker.service.hanging():
            assert served.fails() == "the broker was silent for too long"
        served.runs()
        quick.broker.publish(queue, b"1", message_id="1", **JSON)
        assert served.payloads(served.requests_once(1)) == [1]
