"""The agent, or RabbitMQ, is killed in the middle of a thousand messages: each that the broker took
has exactly one request of each function.
"""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from amqp.exceptions import AMQPError, MessageNacked

from pratai_common.store.base import Page, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from tests.packages import ECHO
from tests.rabbitmq import RabbitMQ
from tests.stack import Stack
from tests.waiting import until

MESSAGES, FIRST = 1000, 200
PUBLISHING_SECONDS = 600
"""A ceiling against hangs: the broker starts again meanwhile."""
TOO_LARGE = {"memory": 8192}
"""A function of which no run finds room on the node: here it is recording that counts."""


class Flow:
    """Messages that are published into a queue, and two functions that are run by them."""

    def __init__(self, stack: Stack, broker: RabbitMQ) -> None:
        self._stack = stack
        self._broker = broker
        self._queue = broker.queue()
        self._published = 0
        event = {
            "name": self._queue,
            "source": "message",
            "settings": {
                "host": broker.host,
                "port": broker.port,
                "username": broker.username,
                "queue": self._queue,
            },
            "password": broker.password,
        }
        answer = stack.call("POST", "/v1/events", json=event)
        assert answer.status_code == 201, answer.text
        self._event_id = answer.json()["event_id"]
        self._functions = [
            stack.function(ECHO, event="message", subscribe_to=[self._event_id], **TOO_LARGE)
            for _ in range(2)
        ]
        self._begun = threading.Event()
        self._publisher = ThreadPoolExecutor(1)
        self._publishing = self._publisher.submit(
            until, self._published_all, "all are published", PUBLISHING_SECONDS
        )

    def begin(self) -> None:
        """Return when the first messages are recorded, and the others are about to come."""
        until(lambda: len(self._seen(self._functions[0])) == FIRST, "the first are recorded")
        self._begun.set()

    def check(self) -> None:
        """Wait until all are published and taken; each has one request of each function."""
        self._publishing.result()
        wanted = Counter({str(number): 1 for number in range(MESSAGES)})
        for each in self._functions:
            until(lambda: len(self._seen(each)) >= MESSAGES, "all are recorded")  # noqa: B023
        until(lambda: self._broker.depth(self._queue) == 0, "the queue is empty")
        assert [self._seen(each) for each in self._functions] == [wanted, wanted]

    def remove(self) -> None:
        """Leave nothing to the others who use the stack and the broker."""
        self._begun.set()
        self._publisher.shutdown()
        for path in (
            f"events/{self._event_id}",
            *(f"functions/{each}" for each in self._functions),
        ):
            assert self._stack.call("DELETE", f"/v1/{path}").status_code == 204
        self._broker.delete(self._queue)

    def _published_all(self) -> bool:
        """Publish all, each until the broker says that it has it."""
        try:
            self._broker.publish_all(self._queue, self._rest())
        except (AMQPError, MessageNacked, OSError):
            return False
        return True

    def _rest(self) -> Iterator[tuple[bytes, dict[str, str]]]:
        """Give messages, each until the broker has it: when the next is asked for."""
        while self._published < MESSAGES:
            if self._published == FIRST:
                self._begun.wait()
            name = str(self._published)
            yield (
                json.dumps(name).encode(),
                {"message_id": name, "content_type": "application/json"},
            )
            self._published += 1

    def _seen(self, function_id: str) -> Counter[str]:
        """Return how many requests of a function each message has."""
        path = self._stack.folder / "state" / "store.sqlite"
        which = RequestFilter(function_id=function_id)
        with closing(SQLiteStore(path)) as store:
            found = store.list_requests("default", which, Page(2 * MESSAGES))
        return Counter((each.event or {})["id"] for each in found)


@pytest.fixture
def flow(null_stack: Stack, rabbitmq: RabbitMQ) -> Iterator[Flow]:
    made = Flow(null_stack, rabbitmq)
    yield made
    made.remove()


def test_the_agent_is_killed(null_stack: Stack, flow: Flow) -> None:
    flow.begin()
    (agent,) = null_stack.pids()["pratai-agent"]
    os.kill(agent, signal.SIGKILL)
    flow.check()
    assert null_stack.pids()["pratai-agent"] != [agent]


def test_the_broker_is_killed(rabbitmq: RabbitMQ, flow: Flow) -> None:
    flow.begin()
    rabbitmq.kill()
    flow.check()
