"""Nodes: several on one machine, what each has room for, how they leave, what they leave behind."""

import itertools
import os
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.packages import ECHO, package
from tests.stack import BIN, Stack
from tests.waiting import until

SLEEPER = package(
    """
    import time

    def main(payload=None):
        began = time.time()
        print("begins", flush=True)
        time.sleep(payload)
        return [began, time.time()]
    """
)
PATIENT = package(
    """
    import time
    from pratai import context

    def main(payload=None):
        print("begins", flush=True)
        time.sleep(600 if context.attempt == 1 else 0)
    """
)
"""It ends in its second attempt."""

_LONG = 50
"""Seconds: longer than anything is waited for while it goes on."""

SETTINGS = {
    "driver": {"sweep_seconds": 0.5, "slots": 2},
    "scheduler": {"node_lease_seconds": 3, "adopt_seconds": 2},
}


class Node:
    """A further node of a stack, with an identity of its own, and a state folder if it is given."""

    def __init__(
        self,
        stack: Stack,
        environment: dict[str, str] | None = None,
        state: Path | None = None,
        **options: Any,
    ) -> None:
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        conf = stack.folder / f"{self.name}.conf"
        values = {"name": self.name, "bind": "tcp://127.0.0.1:0", **options}
        lines = [] if state is None else ["[DEFAULT]", f"state_path = {state}"]
        lines += ["[driver]", *(f"{k} = {v}" for k, v in values.items())]
        conf.write_text("\n".join([*lines, ""]))
        self.arguments = [*stack.arguments, "--config-file", str(conf)]
        self.stack = stack
        with (stack.folder / f"{self.name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [BIN / "pratai-driver", *self.arguments],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(lambda: daemon(stack, self.name) == "running", f"node {self.name} runs")

    def end(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


class Door:
    """A socket in front of the Docker Engine's that can be shut: then the engine is away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[socket.socket] = []
        self.open()

    def open(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        self.path.unlink()
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect("/var/run/docker.sock")
                self._open += [client, engine]
                for ends in ((client, engine), (engine, client)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                sink.sendall(content)
            sink.shutdown(socket.SHUT_WR)


def daemon(stack: Stack, name: str) -> str | None:
    found = {each["daemon_id"]: each["status"] for each in stack.get("/v1/cluster")["daemons"]}
    return found.get(name)


def made_by(node: str, kind: str = "container") -> list[str]:
    """Return what Docker has of a node."""
    command = ["docker", kind, "ls", "-q", "--filter", f"label=pratai.node={node}"]
    command += ["-a"] if kind == "container" else []
    return subprocess.check_output(command, text=True).split()


def mounted_by(node: str) -> list[str]:
    """Return what a node has mounted for its blank containers."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if f"/nodes/{node}/points/" in line]


def running(stack: Stack, function: str, seconds: float) -> str:
    request_id = stack.submit(function, seconds)
    until(lambda: stack.logs(request_id), "it runs")
    return request_id


@contextmanager
def held(stack: Stack, function: str, count: int) -> Iterator[set[str]]:
    """Have so many runs go on until the block ends; gives the nodes that they are on."""
    request_ids = [running(stack, function, _LONG) for _ in range(count)]
    yield {stack.get(f"/v1/requests/{each}")["node"] for each in request_ids}
    for each in request_ids:
        assert stack.call("DELETE", f"/v1/requests/{each}").status_code == 202
        assert stack.ended(each)["status"] == "cancelled"


def used(stack: Stack, function: str) -> set[str]:
    """Return where one run more goes on than the first node has slots for."""
    with held(stack, function, SETTINGS["driver"]["slots"] + 1) as nodes:
        return nodes


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("nodes"), SETTINGS).start()
    yield stack
    stack.stop()


@pytest.fixture
def further(mine: Stack) -> Iterator[Callable[..., Node]]:
    """What makes a further node, which ends with the test."""
    with ExitStack() as exits:

        def make(*arguments: Any, **options: Any) -> Node:
            node = Node(mine, *arguments, **options)
            exits.callback(node.process.wait)
            exits.callback(node.process.kill)
            return node

        yield make


@pytest.fixture(scope="module")
def sleeper(mine: Stack) -> str:
    return mine.function(SLEEPER)


def test_two_nodes_on_one_machine_share_the_work(
    mine: Stack, sleeper: str, further: Callable[..., Node]
) -> None:
    second = further()
    sent = [mine.submit(sleeper, 2) for _ in range(4)]
    ended = [mine.ended(each) for each in sent]
    assert {each["status"] for each in ended} == {"success"}
    assert sorted(each["node"] for each in ended) == sorted([mine.node, second.name] * 2)
    runtimes = mine.get("/v1/runtimes/python3")
    assert runtimes["nodes"] == 2
    assert second.end(signal.SIGTERM) == 0
    until(lambda: daemon(mine, second.name) is None, "it said goodbye")


def test_a_node_that_is_stopped_ends_what_it_runs_and_takes_nothing_more(
    mine: Stack, sleeper: str, further: Callable[..., Node]
) -> None:
    second = further(slots=8)

    def on_second() -> str | None:
        request_id = running(mine, sleeper, 4)
        is_there = mine.get(f"/v1/requests/{request_id}")["node"] == second.name
        return request_id if is_there else None

    with held(mine, sleeper, SETTINGS["driver"]["slots"]):
        long = until(on_second, "the second node runs one")
    second.process.send_signal(signal.SIGTERM)
    # A request that comes while it drains goes to the other node, though this one has more room.
    later = until(
        lambda: (r := mine.run(sleeper, 0))["node"] == mine.node and r, "the other node runs it"
    )
    assert later["status"] == "success"
    assert second.process.wait(60) == 0
    ended = mine.ended(long)
    assert (ended["status"], ended["node"], len(ended["attempts"])) == ("success", second.name, 1)
    assert made_by(second.name) == made_by(second.name, "network") == []


def test_a_node_whose_docker_is_away_leaves_the_work_to_others(
    mine: Stack, further: Callable[..., Node], tmp_path: Path
) -> None:
    # One for which nothing waits: a container that does needs no Docker to handle an event.
    sleeper = mine.function(SLEEPER, spares=0, environment={"LC_ALL": "C.UTF-8"})
    door = Door(tmp_path / "docker.sock")
    second = further({"DOCKER_HOST": f"unix://{door.path}"}, slots=8)
    assert second.name in used(mine, sleeper)
    door.shut()
    sent = [mine.submit(sleeper, 0) for _ in range(8)]
    ended = [mine.ended(each) for each in sent]
    assert {(each["status"], each["node"]) for each in ended} == {("success", mine.node)}
    lost = {each["reason"] for request in ended for each in request["attempts"]}
    assert lost == {"node_lost", None}
    door.open()
    until(lambda: second.name in used(mine, sleeper), "it works again")
    assert second.end(signal.SIGTERM) == 0


def test_a_node_takes_no_more_than_it_has_memory_for(mine: Stack, tmp_path: Path) -> None:
    """Four slots, but memory for one run: no two of them at a time."""
    stack = Stack(tmp_path, {"driver": {"slots": 4, "memory": 1024}}).start()
    try:
        function = stack.function(SLEEPER, memory=600)
        sent = [stack.submit(function, 0.3) for _ in range(3)]
        spans = sorted(stack.ended(each)["result"] for each in sent)
        assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans))
        too_big = stack.submit(stack.function(SLEEPER, memory=2000), 0)
        assert stack.run(function, 0)["status"] == "success"
        assert stack.get(f"/v1/requests/{too_big}")["status"] == "queued"
    finally:
        stack.stop()


def test_what_a_dead_node_left_is_removed_when_it_starts_again(mine: Stack, sleeper: str) -> None:
    request_id = running(mine, mine.function(SLEEPER, timeout=900), 600)
    mounted = until(lambda: mounted_by(mine.node), "a blank container waits")
    left = made_by(mine.node)
    assert left
    subprocess.run(["kill", "-KILL", str(mine.pids()["pratai-driver"][0])], check=True)
    until(lambda: not set(left) & set(made_by(mine.node)), "its container is gone")
    until(lambda: not set(mounted) & set(mounted_by(mine.node)), "its mounts are gone")
    mine.call("DELETE", f"/v1/requests/{request_id}")
    assert mine.ended(request_id)["status"] == "cancelled"
    until(mine._up, "the stack runs")
    assert mine.run(sleeper, 0)["status"] == "success"


def test_what_a_node_left_that_never_returns_is_removed_by_another(
    mine: Stack, sleeper: str, further: Callable[..., Node]
) -> None:
    second = further(slots=8)
    patient = mine.function(PATIENT, timeout=900)
    # One more than the first node has slots for.
    request_ids = [mine.submit(patient) for _ in range(SETTINGS["driver"]["slots"] + 1)]

    def with_second() -> str | None:
        nodes = {each: mine.get(f"/v1/requests/{each}")["node"] for each in request_ids}
        return next((each for each, node in nodes.items() if node == second.name), None)

    request_id = until(with_second, "the second node runs one")
    for each in set(request_ids) - {request_id}:
        assert mine.call("DELETE", f"/v1/requests/{each}").ok
    until(lambda: mine.logs(request_id), "it runs")
    assert made_by(second.name)
    assert made_by(second.name, "network")
    until(lambda: mounted_by(second.name), "a blank container waits")
    second.end(signal.SIGKILL)
    until(lambda: not made_by(second.name), "its container is gone")
    until(lambda: not made_by(second.name, "network"), "its network is gone")
    assert mounted_by(second.name) == []
    ended = mine.ended(request_id)
    assert [each["reason"] for each in ended["attempts"]] == ["node_lost", None]
    assert ended["node"] == mine.node
    assert mine.run(sleeper, 0)["status"] == "success"


def test_a_container_that_nobody_wants_is_removed(mine: Stack, sleeper: str) -> None:
    """One that could not be removed when it should have been, and one of somebody else."""
    image = subprocess.check_output(
        ["docker", "images", "-q", "pratai/runtime-python3"], text=True
    ).split()[0]
    labels = {
        "orphan": [f"pratai.node={mine.node}", "pratai.installation=pratai"],
        "other": [f"pratai.node={mine.node}", "pratai.installation=another"],
    }
    made = {
        name: subprocess.check_output(
            ["docker", "create", *(f"--label={each}" for each in given), image, "true"], text=True
        ).strip()
        for name, given in labels.items()
    }
    try:
        command = ["docker", "ps", "-aq", "--no-trunc"]
        until(
            lambda: made["orphan"] not in subprocess.check_output(command, text=True).split(),
            "the orphan is gone",
        )
        assert made["other"] in subprocess.check_output(command, text=True).split()
    finally:
        subprocess.run(["docker", "rm", "-f", made["other"]], check=True, capture_output=True)


def test_a_name_is_taken_while_its_node_lives(mine: Stack, sleeper: str) -> None:
    conf = mine.folder / "again.conf"
    conf.write_text("[driver]\nbind = tcp://127.0.0.1:0\n")
    again = subprocess.run(
        [BIN / "pratai-driver", *mine.arguments, "--config-file", str(conf)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1
    assert f"a node {mine.node} runs on this machine already" in again.stderr
    assert mine.run(sleeper, 0)["status"] == "success"


def test_runtimes_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "runtimes" / "python3-plus"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text(
        "ARG PYTHON3\nFROM ${PYTHON3}\nUSER root\n"
        "COPY extra.py /usr/lib/python3/dist-packages/extra.py\nUSER pratai\n"
    )
    (folder / "extra.py").write_text("VALUE = 'from the runtime'\n")
    stack = Stack(tmp_path, {"DEFAULT": {"runtime_folders": folder}}).start()
    try:
        listed = {each["name"]: each for each in stack.get("/v1/runtimes")["runtimes"]}
        assert set(listed) == {"python3", "python3-plus"}
        assert listed["python3-plus"]["nodes"] == 1
        assert listed["python3-plus"]["image"].startswith("pratai/runtime-python3-plus:")
        module = "import extra, inflection\ndef main(p=None): return [extra.VALUE, p]\n"
        content = package(module, "inflection==0.5.1\n")
        function = stack.function(content, runtime="python3-plus")
        assert stack.run(function, 1)["result"] == ["from the runtime", 1]
        # The positive control: the built-in runtime has no such module.
        plain = stack.run(stack.function(content), 1)
        assert plain["message"] == "ModuleNotFoundError: No module named 'extra'"
        assert stack.run(stack.function(ECHO), 2)["result"] == 2
    finally:
        stack.stop()
