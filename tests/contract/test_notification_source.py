"""OpenStack's notifications on a real RabbitMQ, published by oslo.messaging."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pratai_agent.sources.notification import NotificationSource
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.records import Event
from tests.contract.served import Events, Served
from tests.rabbitmq import RabbitMQ
from tests.waiting import until

TESTS = Path(__file__).parent.parent
PYTHON = '. "$1/deploy/lib.sh"; printf "%s" "$(cache_folder)/venv/keystone/bin/python"'
BOUNDS = {
    "x-max-length": 10_000,
    "x-max-length-bytes": 16 * limits.MIB,
    "x-expires": 3600 * 1000,
}


class Cloud:
    """Services that publish notifications, and events of them."""

    def __init__(self, events: Events, broker: RabbitMQ) -> None:
        self._events = events
        self.conf = events.conf
        self.broker = broker

    def event(self, **settings: Any) -> Event:
        everything = settings.pop("all_projects", False)
        return self._events.add("notification", settings, all_projects=everything)

    def serving(self, event: Event) -> Any:
        return self._events.serving(event, None)

    def clean(self, event: Event) -> None:
        door: Any = None
        self._events.source(event, None, door).clean()

    def publish(self, *notifications: dict[str, Any]) -> None:
        """Publish by oslo.messaging; returns when the broker has them."""
        url = f"rabbit://{self.broker.username}:{self.broker.password}@127.0.0.1"
        done = subprocess.run(
            [python(), TESTS / "oslo_notifier.py", f"{url}:{self.broker.port}/"],
            check=False,
            input="".join(f"{json.dumps(each)}\n" for each in notifications),
            text=True,
            capture_output=True,
        )
        assert (done.returncode, done.stdout) == (0, "published\n"), done.stderr


def python() -> str:
    """Return the python of Keystone's virtual environment, which has oslo.messaging."""
    root = TESTS.parent
    subprocess.run([root / "deploy" / "services" / "keystone.sh", "install"], check=True)
    shell = ["bash", "-c", PYTHON, "bash", str(root)]
    return subprocess.run(shell, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def cloud(tmp_path: Path, rabbitmq: RabbitMQ) -> Iterator[Cloud]:
    path = tmp_path / "pratai.conf"
    path.write_text(
        f"[DEFAULT]\nstate_path = {tmp_path}\n[notifications]\nhost = {rabbitmq.host}\n"
        f"port = {rabbitmq.port}\nusername = {rabbitmq.username}\npassword = {rabbitmq.password}\n"
    )
    conf = configuration.load("test", ["--config-file", str(path)])
    events = Events(conf, tmp_path, {"notification": NotificationSource})
    yield Cloud(events, rabbitmq)
    events.store.close()


def created(owner: str, **values: Any) -> dict[str, Any]:
    """Return what Nova says of a new server."""
    return {
        "event_type": "compute.instance.create.end",
        "payload": {"tenant_id": owner, "state": "active"},
        "context": {"project_id": "admins", "user_id": "root", "auth_token": "a-token"},
        **values,
    }


def types(served: Served, count: int) -> list[str]:
    """Return the types of what was taken, in the order of the alphabet."""
    return sorted(str((each.event or {})["type"]) for each in served.requests_once(count))


def test_a_project_sees_its_own(cloud: Cloud) -> None:
    """Those of the type that is asked for; an administrator's event sees those of all."""
    mine = cloud.event(event_type="compute.instance.*", exchange="test-nova")
    versioned = cloud.event(event_type="*.end", exchange="test-nova", topic="versioned")
    all_of_them = cloud.event(event_type="*", exchange="test-nova", all_projects=True)
    with (
        cloud.serving(mine) as own,
        cloud.serving(versioned) as own_versioned,
        cloud.serving(all_of_them) as everything,
    ):
        for each in (own, own_versioned, everything):
            assert each.waits() == "the broker has no exchange test-nova yet"
        cloud.broker.exchange("test-nova")
        for each in (own, own_versioned, everything):
            each.runs()
        sent = [
            created("p"),
            created("p", driver="messaging"),
            created("q"),
            created("p", event_type="volume.create.end"),
            created("p", priority="debug"),
            created("p", topic="elsewhere"),
            created("p", exchange="test-other"),
        ]
        versioned_sent = [
            {**each, "exchange": "test-nova", "topic": "versioned"}
            for each in (
                {
                    "event_type": "instance.create.end",
                    "payload": {"nova_object.data": {"tenant_id": "p"}},
                },
                {
                    "event_type": "instance.delete.end",
                    "payload": {"nova_object.data": {"tenant_id": "q"}},
                },
                {"event_type": "port.create.end", "payload": {"port": {"project_id": "p"}}},
                {
                    "event_type": "port.update.end",
                    "payload": {"port": {"project_id": "q"}},
                    "context": {"project_id": "p"},
                },
                {"event_type": "image.end", "payload": {"owner": "p"}},
                {"event_type": "none.end", "payload": {}, "context": {"project_id": "p"}},
                {"event_type": "nobody.end", "payload": {}},
                {"event_type": "list.end", "payload": [1], "context": {"project_id": "q"}},
            )
        ]
        cloud.publish(*({"exchange": "test-nova", **each} for each in sent), *versioned_sent)
        assert types(own, 2) == ["compute.instance.create.end"] * 2
        assert types(own_versioned, 4) == [
            "image.end",
            "instance.create.end",
            "none.end",
            "port.create.end",
        ]
        assert types(everything, 4) == [*["compute.instance.create.end"] * 3, "volume.create.end"]
        requests = own.requests()
        data = own.payloads(requests)
    for name in (mine, versioned, all_of_them):
        assert cloud.broker.depth(f"pratai.{name.event_id}") == 0
        cloud.clean(name)
        assert cloud.broker.depth(f"pratai.{name.event_id}") is None
    first = requests[0].event or {}
    assert "a-token" not in json.dumps(data)
    timestamp = data[0].pop("timestamp")
    assert data[0] == {
        "event_type": "compute.instance.create.end",
        "publisher_id": "compute.host1",
        "priority": "INFO",
        "project_id": "admins",
        "user_id": "root",
        "payload": {"tenant_id": "p", "state": "active"},
    }
    assert first["source"] == "compute.host1"
    assert first["time"] == timestamp.replace(" ", "T")[:23] + "Z"
    assert requests[0].source == "notification"


def test_what_is_none_is_put_aside(cloud: Cloud) -> None:
    exchange = cloud.broker.exchange()
    event = cloud.event(event_type="*", exchange=exchange, all_projects=True)
    with cloud.serving(event) as served:
        served.runs()
        key = "notifications.info"
        good = b'{"event_type": "a", "message_id": "1", "payload": null}'
        cloud.broker.publish(key, b"{}", good, good, b'{"oslo.message": "x"}', exchange=exchange)
        assert types(served, 2) == ["a"]
        until(lambda: served.state.dead == 2, "the others are put aside")
    own = f"pratai.{event.event_id}"
    with cloud.broker.channel() as channel:  # which refuses other bounds than the queue has
        channel.queue_declare(own, durable=True, auto_delete=False, arguments=BOUNDS)
    aside = f"{own}.pratai-dead"
    reasons = [cloud.broker.taken(aside).headers["x-pratai-error"] for _ in range(2)]
    assert sorted(reasons) == [
        "it is no notification: JSON is malformed: invalid character (byte 0)",
        "it is no notification: Object missing required field `event_type`",
    ]
    cloud.clean(event)
    assert cloud.broker.depth(aside) is None


def test_no_broker(cloud: Cloud) -> None:
    event = cloud.event(event_type="*")
    cloud.conf.set_override("host", None, group="notifications")
    with cloud.serving(event) as served:
        assert served.fails() == "the operator has configured no broker for notifications"
