"""Every kind of event on the openstack stack: what happens there runs a function once, and is read
back from Elasticsearch.
"""

import json
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import amqp
import psycopg2

from tests.openstack import OpenStack
from tests.packages import package
from tests.waiting import until

MODULE = package(
    "from pratai import context\n"
    "def main(payload=None):\n"
    "    return {'data': payload, 'type': context.event['type']}\n"
)


class Followed:
    """A function, its event and what it was run by."""

    def __init__(self, openstack: OpenStack, folder: Path, *options: object) -> None:
        self._openstack = openstack
        zip_file = folder / "followed.zip"
        zip_file.write_bytes(MODULE)
        name = f"f{uuid.uuid4().hex[:8]}"
        arguments = ("function-create", name, "--zip", zip_file, "--wait", *options)
        made = openstack.answer(openstack.user, *arguments)
        assert made["status"] == "active", made["build_error"]
        self.function_id = str(made["function_id"])

    def results(self) -> list[Any]:
        """Return the newest of its runs that have succeeded, three at most."""
        filters = ("--filter", self.function_id, "--filter", "success", "--limit", 3)
        found = self._openstack.answer(self._openstack.user, "request-list", *filters)
        return [
            self._openstack.answer(self._openstack.user, "request-show", each["request_id"])
            for each in found
        ]


def event_of(openstack: OpenStack, source: str, password: str, **settings: object) -> str:
    """Return the id of a new event whose source runs."""
    secret = openstack.folder / f"{source}-password"
    secret.write_text(password)
    options = [part for pair in settings.items() for part in ("--setting", "{}={}".format(*pair))]
    made = openstack.answer(
        openstack.user, "event-create", f"e{uuid.uuid4().hex[:8]}", "--source", source,
        "--password-file", secret, *options,
    )  # fmt: skip
    event_id = str(made["event_id"])

    def state() -> str:
        return str(openstack.answer(openstack.user, "event-show", event_id)["status"])

    until(lambda: state() == "running", "its source runs")
    return event_id


def password_of(openstack: OpenStack, service: str) -> str:
    return (openstack.folder / "openstack" / service / "password").read_text().strip()


def test_a_message(openstack: OpenStack, tmp_path: Path) -> None:
    password, port = password_of(openstack, "rabbitmq"), openstack.ports["RABBITMQ"]
    with (
        amqp.Connection(f"127.0.0.1:{port}", "pratai", password, confirm_publish=True) as broker,
        broker.channel() as channel,
    ):
        channel.exchange_declare("jobs", "topic", durable=True, auto_delete=False)
        event = event_of(
            openstack, "message", password,
            host="127.0.0.1", port=port, username="pratai", exchange="jobs",
        )  # fmt: skip
        function = Followed(openstack, tmp_path, "--event", "message", "--subscribe_to", event)
        message = amqp.Message(
            b'{"n": 1}', content_type="application/json", delivery_mode=2, message_id="m1"
        )
        for _ in range(2):  # told twice, it happened once
            channel.basic_publish(message, "jobs", "any")
    until(function.results, "the message ran the function")
    [run] = function.results()
    assert (run["source"], run["result"]) == (
        "message",
        {"data": {"n": 1}, "type": "pratai.message"},
    )
    assert openstack.pratai(openstack.user, "event-delete", event).returncode == 0


def test_a_row(openstack: OpenStack, tmp_path: Path) -> None:
    password, port = password_of(openstack, "postgresql"), openstack.ports["POSTGRESQL"]
    with closing(
        psycopg2.connect(
            host="127.0.0.1", port=port, user="postgres", password=password, dbname="postgres"
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE orders (id integer PRIMARY KEY, status text)")
            event = event_of(
                openstack, "database", password,
                host="127.0.0.1", port=port, username="postgres", database="postgres",
                tables="public.orders",
            )  # fmt: skip
            function = Followed(openstack, tmp_path, "--event", "message", "--subscribe_to", event)
            cursor.execute("INSERT INTO orders VALUES (7, 'paid')")
        until(function.results, "the row ran the function")
        assert openstack.pratai(openstack.user, "event-delete", event).returncode == 0
        with connection.cursor() as cursor:

            def slots() -> list[Any]:
                cursor.execute("SELECT slot_name FROM pg_replication_slots")
                return list(cursor.fetchall())

            until(lambda: not slots(), "the slot was dropped")
    [run] = function.results()
    assert run["result"]["type"] == "pratai.database.insert"
    assert run["result"]["data"]["new"] == {"id": 7, "status": "paid"}


def test_a_timer(openstack: OpenStack, tmp_path: Path) -> None:
    function = Followed(openstack, tmp_path, "--frequency", str(1 / 60))
    until(lambda: len(function.results()) >= 2, "it ticks")
    openstack.answer(openstack.user, "function-update", function.function_id, "--enabled", "false")
    assert {each["source"] for each in function.results()} == {"timer"}
    ticks = [each["result"]["data"]["due_at"] for each in function.results()]
    assert len(set(ticks)) == len(ticks)


def test_a_pipeline(openstack: OpenStack, tmp_path: Path) -> None:
    first = Followed(openstack, tmp_path)
    then = Followed(
        openstack, tmp_path, "--event", "response",
        "--subscribe_to", f"{first.function_id}:success",
    )  # fmt: skip
    asked = openstack.answer(
        openstack.user, "function-execute", first.function_id, "--payload", '"x"', "--wait"
    )
    until(then.results, "what follows ran")
    [run] = then.results()
    assert (run["parent_id"], run["depth"]) == (asked["request_id"], 1)
    assert run["result"] == {
        "data": {"data": "x", "type": "pratai.http"},
        "type": "pratai.response.success",
    }
    tree = openstack.answer(openstack.user, "request-show", asked["request_id"], "--tree")
    assert run["request_id"] in json.dumps(tree)
