"""A recognizable secret on its way through the daemons: what they say to one another, heard on the
wire, and a node whose key is taken away while it asks.
"""

import os
import signal
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from pratai_api.connections import children
from pratai_common.key_files import public_path
from pratai_common.senders import Identity, Role
from tests.capture import Capture
from tests.packages import ECHO, package
from tests.ports import free_port
from tests.searching import holds
from tests.stack import Stack
from tests.waiting import until

VALUE = "rec0gnizable-8f3e61b7"
PLANTED = "plant3d-c41d90e2"
USES = [{"name": "db", "file": "db"}]
USING = package(
    """
    from hashlib import sha256

    from pratai import secret

    def main(payload=None):
        value = secret("db")
        print("it is", value, "and", payload)
        if payload["fails"]:
            raise ValueError(value)
        return [payload, sha256(value.encode()).hexdigest()]
    """
)


@pytest.fixture(scope="module")
def replies() -> int:
    """The port at which the API takes answers."""
    return free_port()


@pytest.fixture(scope="module")
def plain(replies: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose messages anybody on this machine could read."""
    settings = {"api": {"reply_bind": f"tcp://127.0.0.1:{replies}"}}
    running = Stack(tmp_path_factory.mktemp("plain"), settings).start()
    yield running
    running.stop()


def put(stack: Stack) -> None:
    answer = stack.call("POST", "/v1/secrets", json={"name": "db", "value": VALUE})
    assert answer.status_code == 201, answer.text


def test_it_is_in_no_message(plain: Stack, replies: int) -> None:
    """All ways between daemons, which what is planted takes."""
    put(plain)
    function = plain.function(USING, secrets=USES)
    waiting = plain.function(USING, secrets=USES, type="wait_for_response")
    ports = {**plain.ports, "replies": replies}
    with Capture(ports.values()) as capture:
        for fails in (False, False, True):  # in a new container, and in one that has waited
            request = plain.run(function, {"planted": PLANTED, "fails": fails})
            assert request["status"] == ("error" if fails else "success")
        assert request["message"] == "ValueError: ***"
        payload = {"planted": PLANTED, "fails": False}
        answer = plain.call("POST", f"/v1/functions/{waiting}", json={"payload": payload})
        assert answer.json()[0] == payload
    said = {name: capture.said(port) for name, port in ports.items()}
    assert b"GET /v1/node/secrets" in said["api"]  # the node asked meanwhile
    assert [name for name in said if not holds(said[name], PLANTED)] == []
    assert [name for name in said if holds(said[name], VALUE)] == []


# A node without its key


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings: dict[str, dict[str, Any]] = {
        "driver": {"engine": "null"},
        "scheduler": {"node_lease_seconds": 4, "adopt_seconds": 2, "lease_seconds": 2},
    }
    running = Stack(tmp_path_factory.mktemp("keyed"), settings, curve=True).start()
    yield running
    running.stop()


@contextmanager
def standing_still(stack: Stack, pids: Collection[int]) -> Iterator[None]:
    """Have processes of a stack stand still while the block runs."""
    stack.halt(*pids)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def log(stack: Stack, daemon: str) -> str:
    return (stack.folder / "log" / f"pratai-{daemon}.log").read_text()


def test_a_node_whose_key_is_taken_away_while_it_asks(keyed: Stack) -> None:
    """It gets nothing, and its run is repeated by one whose key is there."""
    put(keyed)
    function = keyed.function(ECHO, secrets=USES)
    key = public_path(keyed.keys, Identity(Role.NODE, keyed.node))
    pids = keyed.pids()
    api = {*pids["pratai-api"]}
    with Capture([keyed.ports["api"]]) as capture, ExitStack() as stands_still:
        with standing_still(keyed, pids["pratai-scheduler"]):
            request_id = keyed.submit(function, 7)
            stands_still.enter_context(standing_still(keyed, api | children(api)))
        asks = b"GET /v1/node/secrets"
        until(lambda: asks in capture.said(keyed.ports["api"]), "the node asks")
        public = key.read_bytes()
        key.unlink()
        dropped = "dropped a Heartbeat: its sender's key is no longer known"
        # Of which there is one a second: by then whoever looks, looks again.
        until(lambda: log(keyed, "scheduler").count(dropped) > 1, "the key is seen to be gone")
        stands_still.close()
        refusal = f"the key of node {keyed.node} is not known"
        until(lambda: refusal in log(keyed, "driver"), "the API refuses it")
        key.write_bytes(public)
        request = keyed.ended(request_id)
    assert [each["reason"] for each in request["attempts"]] == ["node_lost", None]
    assert request["result"] == 7
