"""The example that needs a broker: Nova tells of a new server, by oslo.messaging."""

import json
import shutil
import subprocess
from pathlib import Path

import amqp

from tests.contract.test_notification_source import python
from tests.integration.test_openstack_events import password_of
from tests.openstack import OpenStack
from tests.pages import ROOT, Command, Reader, steps
from tests.waiting import until

EXAMPLE = ROOT / "examples" / "server-created"
NOTIFIER = ROOT / "tests" / "oslo_notifier.py"


def created(project_id: str, name: str) -> dict[str, object]:
    """Return what Nova says of a new server of a project."""
    server = {
        "tenant_id": project_id,
        "display_name": name,
        "instance_type": "m1.small",
        "state": "active",
        "fixed_ips": [{"address": "10.0.0.5"}],
    }
    return {"exchange": "nova", "event_type": "compute.instance.create.end", "payload": server}


def publish(openstack: OpenStack, *notifications: dict[str, object]) -> None:
    password, port = password_of(openstack, "rabbitmq"), openstack.ports["RABBITMQ"]
    done = subprocess.run(
        [python(), NOTIFIER, f"rabbit://pratai:{password}@127.0.0.1:{port}/"],
        input="".join(f"{json.dumps(each)}\n" for each in notifications),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "published\n"), done.stderr


def test_a_server_is_created(openstack: OpenStack, tmp_path: Path) -> None:
    password, port = password_of(openstack, "rabbitmq"), openstack.ports["RABBITMQ"]
    with (
        amqp.Connection(f"127.0.0.1:{port}", "pratai", password) as broker,
        broker.channel() as channel,
    ):
        channel.exchange_declare("nova", "topic", durable=False, auto_delete=False)
    shutil.copytree(EXAMPLE, tmp_path / EXAMPLE.name)
    reader = Reader(tmp_path, openstack.user)
    *before, after = steps(EXAMPLE / "README.rst")
    assert isinstance(after, Command)
    reader.follow(*before)

    def runs() -> bool:
        shown = openstack.answer(openstack.user, "event-show", "servers")
        return bool(shown["status"] == "running")

    until(runs, "its source runs")
    mine = openstack.answer(openstack.user, "function-show", "tell")["project_id"]
    publish(openstack, created("of another project", "db"), created(mine, "web"))
    words = ("request-list", "--filter", "tell", "--filter", "success")
    until(lambda: openstack.answer(openstack.user, *words), "the notification ran the function")
    reader.follow(after)
    assert len(openstack.answer(openstack.user, "request-list", "--filter", "tell")) == 1
    for kind, name in (("function", "tell"), ("event", "servers")):
        assert openstack.pratai(openstack.user, f"{kind}-delete", name).returncode == 0
