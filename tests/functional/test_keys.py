"""Keys: who joins, who speaks, and who no longer does. Real daemons, each with a key of its own."""

import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from pratai_common.channels import Context, Outlets, Peer
from pratai_common.curve import Curve
from pratai_common.key_files import make_pair, public_path, read_pair, secret_path
from pratai_common.key_ring import KeyRing
from pratai_common.messages import Drain, Hello, Message, NodeState
from pratai_common.senders import Identity, Role
from tests.packages import ECHO
from tests.stack import BIN, Stack
from tests.waiting import until

DAEMONS = ["scheduler", "collector", "api", "agent", "driver"]
# A job is good for the least of adopt_seconds and nearly a lease, and all who are to notice that a
# key is gone need some seconds of that.
SETTINGS: dict[str, dict[str, Any]] = {
    "driver": {"engine": "null"},
    "scheduler": {"node_lease_seconds": 8, "adopt_seconds": 6, "lease_seconds": 2},
}
SCHEDULER = Identity(Role.SCHEDULER)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("keys"), SETTINGS, curve=True).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def echo(stack: Stack) -> str:
    return stack.function(ECHO)


@pytest.fixture(autouse=True)
def still_fine(stack: Stack, echo: str) -> Iterator[None]:
    """After each test an ordinary function runs as ever."""
    yield
    assert stack.run(echo, {"a": 1})["result"] == {"a": 1}


class Node:
    """A node with a folder of keys of its own, as on a machine of its own: it does not have those
    of the control plane. ``admit`` and ``revoke`` are what an operator does on the other machine.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.identity = Identity(Role.NODE, self.name)
        self.keys = stack.folder / f"{self.name}-keys.d"
        make_pair(self.keys, self.identity)
        for role in (Role.SCHEDULER, Role.COLLECTOR):
            shutil.copy(public_path(stack.keys, Identity(role)), self.keys)
        self.key = read_pair(secret_path(self.keys, self.identity)).public.decode()
        self._conf = stack.folder / f"{self.name}.conf"
        self._conf.write_text(
            f"[DEFAULT]\nlog_file = {self.name}.log\nstate_path = {stack.folder / self.name}\n"
            f"[driver]\nname = {self.name}\nbind = tcp://127.0.0.1:0\n"
            f"[sockets]\nkeys_path = {self.keys}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Node":
        arguments = [*self.stack.arguments, "--config-file", str(self._conf)]
        self.process = subprocess.Popen([BIN / "pratai-driver", *arguments])
        return self

    def admit(self) -> None:
        place = public_path(self.stack.keys, self.identity)
        shutil.copy(public_path(self.keys, self.identity), place)

    def revoke(self) -> None:
        public_path(self.stack.keys, self.identity).unlink()

    def joined(self) -> bool:
        return status(self.stack, self.name) == "running"

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(120)


@pytest.fixture
def node(stack: Stack) -> Iterator[Node]:
    made = Node(stack)
    yield made
    made.end()


def status(stack: Stack, name: str) -> str | None:
    found = {each["daemon_id"]: each["status"] for each in stack.get("/v1/cluster")["daemons"]}
    return found.get(name)


def dropped(stack: Stack, kind: str) -> int:
    daemons = stack.get("/v1/cluster")["daemons"]
    return sum(each["dropped_messages"] for each in daemons if each["daemon_type"] == kind)


def log(stack: Stack, daemon: str) -> str:
    return (stack.folder / "log" / f"pratai-{daemon}.log").read_text()


def run_by(stack: Stack, node: str) -> str:
    """Return a function whose events go to this node: each has its own order of them."""
    for _ in range(50):
        function = stack.function(ECHO)
        if stack.run(function)["node"] == node:
            return function
    raise AssertionError(f"{node} is given nothing")


class Speaker:
    """Somebody with a pair of keys, wherever they have it from, who knows all public keys."""

    def __init__(self, identity: Identity, folder: Path, public: Path) -> None:
        pair = read_pair(secret_path(folder, identity))
        self._context: Context = zmq.Context()
        self._outlets = Outlets(self._context, Curve(identity, pair, KeyRing(public)))

    def say(self, peer: Peer, message: Message) -> None:
        assert self._outlets.send(peer, message)

    def close(self) -> None:
        self._outlets.close(linger_ms=0)
        self._context.term()


@pytest.fixture
def speak(stack: Stack) -> Iterator[Any]:
    """Say something with somebody's key, which lies in a folder."""
    made: list[Speaker] = []

    def say(identity: Identity, folder: Path, peer: Peer, message: Message) -> None:
        made.append(Speaker(identity, folder, stack.keys))
        made[-1].say(peer, message)

    yield say
    for each in made:
        each.close()


# It works


def test_a_function_runs_and_nobody_is_refused(stack: Stack, echo: str) -> None:
    """By way of every socket: asynchronously, and with a caller who waits."""
    assert stack.run(echo, {"a": [1, "ö"]})["result"] == {"a": [1, "ö"]}
    waiting = stack.function(ECHO, type="wait_for_response")
    answer = stack.call("POST", f"/v1/functions/{waiting}", json={"payload": 7})
    assert (answer.status_code, answer.json()) == (200, 7)
    for daemon in DAEMONS:
        assert dropped(stack, daemon) == 0
        assert "is not admitted" not in log(stack, daemon)


def test_keys_are_their_daemons_alone(stack: Stack) -> None:
    secrets = list(stack.keys.rglob("*.key_secret"))
    assert len(secrets) == 5
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


# Joining and leaving


def test_a_node_joins_when_its_key_is_put_there(stack: Stack, echo: str, node: Node) -> None:
    node.start()
    refused = f"its key {node.key} is not admitted"
    for daemon in ("scheduler", "collector"):
        until(lambda daemon=daemon: refused in log(stack, daemon), f"the {daemon} refuses it")
    assert status(stack, node.name) is None
    assert stack.run(echo)["node"] == stack.node
    assert dropped(stack, "scheduler") == dropped(stack, "collector") == 0
    node.admit()
    until(node.joined, "it joins")
    assert run_by(stack, node.name)
    assert dropped(stack, "scheduler") == dropped(stack, "collector") == 0


def test_what_a_revoked_node_ran_is_repeated_elsewhere(stack: Stack, echo: str, node: Node) -> None:
    node.admit()
    node.start()
    until(node.joined, "it joins")
    function = run_by(stack, node.name)
    node.pause()
    request_id = stack.submit(function, 1)
    path = f"/v1/requests/{request_id}"
    attempts: Any = until(lambda: stack.get(path)["attempts"], "it is given to a node")
    assert [each["node"] for each in attempts] == [node.name]
    node.revoke()
    gone = f"the key of node {node.name} is no longer known"
    for daemon in ("scheduler", "collector"):
        until(lambda daemon=daemon: gone in log(stack, daemon), f"the {daemon} knows")
    node.go_on()
    # It runs what it was given, and nobody believes it.
    word = "dropped a Result: its sender's key is no longer known"
    until(lambda: word in log(stack, "collector"), "its result is dropped")
    ended = stack.ended(request_id)
    assert ended["status"] == "success"
    assert [each["node"] for each in ended["attempts"]] == [node.name, stack.node]
    assert [each["reason"] for each in ended["attempts"]] == ["node_lost", None]
    until(lambda: not node.joined(), "it is seen no more")
    assert stack.run(echo, 5)["node"] == stack.node
    node.admit()
    until(node.joined, "it is back, though it was never started again")
    assert run_by(stack, node.name)


def test_a_node_whose_key_was_replaced_is_reached_by_the_new_one(
    stack: Stack, echo: str, node: Node
) -> None:
    node.admit()
    node.start()
    until(node.joined, "it joins")
    assert run_by(stack, node.name)
    node.end()
    make_pair(node.keys, node.identity)
    node.admit()
    node.start()
    until(node.joined, "it joins again")
    assert run_by(stack, node.name)


# Speaking as another


def test_a_nodes_key_is_not_the_schedulers(stack: Stack, echo: str, node: Node, speak: Any) -> None:
    node.admit()
    node.start()
    until(node.joined, "it joins")
    peer = Peer(f"tcp://127.0.0.1:{stack.ports['driver']}", Identity(Role.NODE, stack.node))
    speak(node.identity, node.keys, peer, Drain(epoch=2**40))
    refused = f"its key {node.key} is not admitted"
    until(lambda: refused in log(stack, "driver"), "the other node refuses it")
    assert run_by(stack, stack.node)


def test_the_schedulers_key_is_the_schedulers(tmp_path: Path) -> None:
    """The same message as above, by whom it has to come from: the node gets no more jobs."""
    mine = Stack(tmp_path, SETTINGS, curve=True).start()
    try:
        function = mine.function(ECHO)
        assert mine.run(function, 1)["result"] == 1
        speaker = Speaker(SCHEDULER, mine.keys, mine.keys)
        peer = Peer(f"tcp://127.0.0.1:{mine.ports['driver']}", Identity(Role.NODE, mine.node))
        speaker.say(peer, Drain(epoch=2**40))
        other = Node(mine)
        other.admit()
        other.start()
        until(other.joined, "another node joins")
        until(lambda: mine.run(function)["node"] == other.name, "the other one has jobs")
        assert {mine.run(function)["node"] for _ in range(10)} == {other.name}
        other.end()
        speaker.close()
    finally:
        mine.stop()


def test_a_node_does_not_speak_for_another(stack: Stack, node: Node, speak: Any) -> None:
    node.admit()
    third = Node(stack)
    third.admit()
    peer = Peer(f"tcp://127.0.0.1:{stack.ports['scheduler']}", SCHEDULER)
    hello = Hello(state=state_of(third.name))
    speak(node.identity, node.keys, peer, hello)
    word = f"dropped a Hello: node {node.name} may not say it"
    until(lambda: word in log(stack, "scheduler"), "it is dropped")
    assert status(stack, third.name) is None
    until(lambda: dropped(stack, "scheduler") >= 1, "it is counted")
    speak(third.identity, third.keys, peer, hello)
    until(third.joined, "the third node's own word is taken")


def state_of(name: str) -> NodeState:
    """Return what a node says that has no room for anything."""
    return NodeState(
        node=name,
        instance="i",
        address="tcp://127.0.0.1:9",
        ip="127.0.0.1",
        pid=1,
        version="1",
        joined_at=1,
        slots=0,
        memory=0,
        runtimes={},
    )


# At the start


def start(stack: Stack, daemon: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [BIN / f"pratai-{daemon}", *stack.arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("daemon", DAEMONS)
def test_plain_sockets_beyond_loopback_are_refused(tmp_path: Path, daemon: str) -> None:
    """Every other test's stack is plain on loopback, and starts."""
    sockets = {"scheduler_bind": "tcp://0.0.0.0:5557"}
    made = Stack(tmp_path, {**SETTINGS, "sockets": sockets})
    subprocess.run([BIN / "pratai-db-init", *made.arguments], check=True)
    ended = start(made, daemon)
    assert ended.returncode == 1
    assert "[sockets] scheduler_bind = tcp://0.0.0.0:5557 is not on loopback" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_without_its_key_says_so(tmp_path: Path, daemon: str) -> None:
    made = Stack(tmp_path, SETTINGS, curve=True)
    subprocess.run([BIN / "pratai-db-init", *made.arguments], check=True)
    ended = start(made, daemon)
    assert ended.returncode == 1
    assert "no secret key of " in ended.stderr
    assert str(made.keys) in ended.stderr
    assert "Traceback" not in ended.stderr
