"""Messages of a queue of RabbitMQ that become records, a second: from connecting until all are
recorded and acknowledged, and the connection is closed again.

The baseline is a consumer of kombu's that writes a record with the same fields for each message, in
batches as large, into the same store, durably, and acknowledges then. Neither tells a scheduler.
What lies in the store and in the queue afterwards is looked at, untimed.
"""

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import kombu

from benchmarks.common import Figure, Values, interleaved, ratio
from pratai_agent.door import EventDoor
from pratai_agent.report import Report
from pratai_agent.sources.base import Happened
from pratai_agent.sources.message import MessageSource
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.clock import iso, now_ms
from pratai_common.records import Body, Event, Request
from pratai_common.store.base import NewRequest, Page, RequestFilter, Store
from tests.contract.served import Events
from tests.rabbitmq import RabbitMQ

_MESSAGES = 5000
_BATCH = 200
_PAUSE_SECONDS = 0.002
_TARGET = 0.5
_OURS, _BARE = "pratai", "bare kombu consumer"

Consume = Callable[[Events, RabbitMQ, Event], None]


def figures(rounds: int) -> Iterator[Figure]:
    """Measure, with a broker for this alone."""
    broker = RabbitMQ()
    try:
        contestants = [partial(_measured, broker, *each) for each in _CONTESTANTS]
        samples = interleaved(contestants, rounds)
    finally:
        broker.service.remove()
    yield Figure(
        name="consuming",
        title=f"{_MESSAGES} messages taken from RabbitMQ and recorded in SQLite",
        unit="messages a second",
        samples=samples,
        ratios=[ratio(_OURS, _BARE)],
        remarks=[f"target: at least {_TARGET} of the baseline"],
    )


def _measured(broker: RabbitMQ, name: str, consume: Consume) -> Values:
    queue = broker.queue()
    broker.fill(queue, [(_body(each), _properties(each)) for each in _numbers()])
    with tempfile.TemporaryDirectory() as folder:
        events = _events(Path(folder))
        with closing(events.store):
            event = events.add(
                "message",
                {
                    "host": broker.host,
                    "port": broker.port,
                    "username": broker.username,
                    "queue": queue,
                },
            )
            began = time.perf_counter()
            consume(events, broker, event)
            seconds = time.perf_counter() - began
            _check(events.store, event)
    assert broker.depth(queue) == 0
    broker.delete(queue)
    return {name: _MESSAGES / seconds}


def _numbers() -> range:
    return range(_MESSAGES)


def _body(number: int) -> bytes:
    return json.dumps({"number": number}).encode()


def _properties(number: int) -> dict[str, Any]:
    return {"message_id": str(number), "content_type": "application/json"}


def _events(folder: Path) -> Events:
    path = folder / "pratai.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {folder}\n[agent]\ndeny_networks =\n")
    conf = configuration.load("bench", ["--config-file", str(path)])
    return Events(conf, folder, {"message": MessageSource})


def _check(store: Store, event: Event) -> None:
    """Each message has one request, with the message's data."""
    which = RequestFilter(function_id=event.event_id)
    found = store.list_requests("p", which, Page(2 * _MESSAGES))
    assert sorted(int((each.event or {})["id"]) for each in found) == list(_numbers())
    for each in found[:: _MESSAGES // 20]:
        body = store.get_input(each.request_id)
        assert json.loads(body.content) == {"number": int((each.event or {})["id"])}


class _Door(EventDoor):
    """One that stops its source when all are taken."""

    taken = 0

    def take(self, happened: Sequence[Happened]) -> None:
        super().take(happened)
        self.taken += len(happened)
        if self.taken == _MESSAGES:
            self.stop()


def _pratai(events: Events, broker: RabbitMQ, event: Event) -> None:
    door = _Door(event, events.publisher, Report(now_ms), now_ms)
    events.source(event, broker.password, door).serve()


def _bare(events: Events, broker: RabbitMQ, event: Event) -> None:
    batch: list[kombu.Message] = []
    taken = 0
    with (
        kombu.Connection(
            hostname=broker.host,
            port=broker.port,
            userid=broker.username,
            password=broker.password,
        ) as connection,
        connection.Consumer(
            [kombu.Queue(event.settings["queue"], no_declare=True)],
            callbacks=[lambda _body, message: batch.append(message)],
            accept=["json"],
            prefetch_count=2 * _BATCH,
        ),
    ):
        while taken < _MESSAGES:
            connection.drain_events(timeout=10)
            with suppress(TimeoutError):
                while len(batch) < _BATCH:
                    connection.drain_events(timeout=_PAUSE_SECONDS)
            events.store.create_requests([_record(event, each) for each in batch])
            batch[-1].ack(multiple=True)
            taken += len(batch)
            batch.clear()


def _record(event: Event, message: kombu.Message) -> NewRequest:
    now, name = now_ms(), message.properties["message_id"]
    attributes = {
        "specversion": "1.0",
        "id": name,
        "source": f"/v1/events/{event.event_id}",
        "type": "pratai.message",
        "subject": message.delivery_info["routing_key"],
        "time": iso(now),
        "datacontenttype": message.content_type,
    }
    body = Body.inline(json.dumps(message.payload).encode())
    request = Request(
        request_id=str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        function_id=event.event_id,
        project_id="p",
        user_id="u",
        source="message",
        event=attributes,
        input_sha256=body.sha256,
        created_at=now,
        next_run_at=now,
        expires_at=now + limits.ASYNC_LIFETIME_MS,
    )
    return NewRequest(request, body)


_CONTESTANTS: list[tuple[str, Consume]] = [(_OURS, _pratai), (_BARE, _bare)]
