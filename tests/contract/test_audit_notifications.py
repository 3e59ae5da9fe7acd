"""Audit events on a real RabbitMQ, by oslo.messaging; what is sent while it is away comes later."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from amqp.exceptions import NotFound

from pratai_api.audit_trails import EVENT_TYPE, open_trail
from tests.rabbitmq import RabbitMQ
from tests.unit.test_audit import configured, example
from tests.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, about one another


def heard(rabbitmq: RabbitMQ, topic: str) -> list[Any]:
    """Return the notifications that wait on a topic, and stay there; none while the broker is away,
    or nobody has sent any.
    """
    found = []
    try:
        with rabbitmq.channel() as channel:
            while (message := channel.basic_get(f"{topic}.info", no_ack=False)) is not None:
                found.append(json.loads(json.loads(message.body)["oslo.message"]))
    except (NotFound, OSError):
        return []
    return found


@pytest.fixture
def topic(rabbitmq: RabbitMQ) -> Iterator[str]:
    yield "audited"
    with rabbitmq.channel() as channel:
        channel.queue_delete("audited.info")


def test_events_are_notifications(rabbitmq: RabbitMQ, topic: str) -> None:
    url = f"rabbit://{rabbitmq.username}:{rabbitmq.password}@{rabbitmq.host}:{rabbitmq.port}/"
    with closing(open_trail(configured(transport_url=url, topic=topic))) as trail:
        trail.put(example(1), "function:create")
        (first,) = until(lambda: heard(rabbitmq, topic), "the first is there")
        assert first["event_type"] == EVENT_TYPE
        assert first["payload"] == msgspec.to_builtins(example(1))
        rabbitmq.service.stop()
        for number in (2, 3):
            trail.put(example(number), "function:create")
        rabbitmq.start()
        later = {example(number).id for number in (2, 3)}

        def come() -> bool:
            return later <= {each["payload"]["id"] for each in heard(rabbitmq, topic)}

        until(come, "those of the time when it was away are there")
