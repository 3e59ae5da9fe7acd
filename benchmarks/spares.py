"""Containers that wait: an event from when a node has it to its answer, on the engine alone.

Against ``docker run`` of the very same image doing nothing (``python3 -c pass``), each with a
bridge and with no network. What waits was started before the clock, and goes after it. And what one
that waits takes of memory.
"""

import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from benchmarks.common import Figure, Values, interleaved, milliseconds, ratio, said
from pratai_common import conf as configuration
from pratai_common.package import files
from pratai_drivers.conversation import Conversation, Patience
from pratai_drivers.engines.base import OWN_FILES, Blank, Container, Files, RunSpec
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.runner_link import load_message
from pratai_drivers.session import Session
from pratai_drivers.warm import Fit, Warm
from tests.packages import ECHO
from tests.stack import build_settings

_ROUNDS = 20
_SECONDS = 60.0
_FIT = Fit("p", "f", 1, "python3", "s", 128, 1.0, "none", "container", ())
_PAYLOAD = b'{"hello": "world"}'


class _Waiting:
    """A container whose runner has connected, and what stands around it."""

    def __init__(self, name: str, image: str, container: Container, link: Link) -> None:
        self.name = name
        self._image = image
        self._container = container
        self._interruption = Interruption()
        self._conversation = Conversation(link, container)
        patience = Patience(self._interruption, monotonic() + _SECONDS, "it does not connect")
        self._conversation.connect(patience)
        self._warm: Warm | None = None

    def load(self, where: Files) -> None:
        """Have the function imported."""
        load = load_message(_FIT.isolation, {}, where)
        warm = Warm(self._container, self._conversation, _FIT, self._image, load, _SECONDS)
        warm.load(self._interruption, _SECONDS)
        self._warm = warm

    def answer(self) -> None:
        """Give an event to the function that was imported."""
        assert self._warm is not None
        logs = LogCutter(lambda _seq, _content: None)
        session = Session(self._warm, logs, self._interruption, {}, _PAYLOAD, _SECONDS)
        assert session.run().output == _PAYLOAD

    def close(self) -> None:
        """Remove it."""
        self._container.remove()
        self._conversation.close()
        self._interruption.close()


class _Node:
    """A node's engine, with the image of a function."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "build.conf").write_text(build_settings())
        name = f"bench-{secrets.token_hex(4)}"
        lines = ["[DEFAULT]", f"state_path = {folder / 'state'}", "[driver]", f"name = {name}"]
        (folder / "own.conf").write_text("\n".join([*lines, ""]))
        paths = (folder / "build.conf", folder / "own.conf")
        conf = configuration.load("bench", [f"--config-file={path}" for path in paths])
        self._engine = DockerEngine.from_conf(conf)
        self._runtime = self._engine.prepare(lambda _output: None)["python3"]
        self.image = f"{conf.installation}/function:{name}"

    def __enter__(self) -> "_Node":
        self._engine.open()
        self._engine.add_files(self._runtime, self.image, files(ECHO))
        self._engine.unpack(self.image)
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()
        subprocess.run(["docker", "rmi", self.image], check=True, stdout=subprocess.DEVNULL)

    def cold(self, network: str) -> Values:
        """Start a container for an event."""
        waiting: list[_Waiting] = []

        def event() -> None:
            waiting.append(self._started(network))
            waiting[0].load(OWN_FILES)
            waiting[0].answer()

        took = milliseconds(event)
        waiting[0].close()
        return {_name("cold", network): took}

    def from_blank(self, name: str, memory: int, cpus: float, network: str) -> Values:
        """Give a blank container a function with these limits, and an event."""
        with self.blank_spare(network) as (blank, waiting):

            def event() -> None:
                where = blank.give(self.image, memory, cpus)
                assert where is not None
                waiting.load(where)
                waiting.answer()

            return {_name(name, network): milliseconds(event)}

    def from_spare(self, network: str) -> Values:
        """Give an event to a container that has imported the function."""
        with self.function_spare(network) as waiting:
            return {_name("function spare", network): milliseconds(waiting.answer)}

    def docker_run(self, network: str) -> Values:
        """Have the docker command run the image, and do nothing in it."""
        command = ["docker", "run", "--rm", "--network", network, self.image]
        command += ["python3", "-c", "pass"]
        took = milliseconds(lambda: subprocess.run(command, check=True))
        return {_name("docker run", network): took}

    def _started(self, network: str) -> _Waiting:
        spec, link = self._spec(self.image, network)
        return _Waiting(spec.name, self.image, self._engine.start(spec), link)

    @contextmanager
    def function_spare(self, network: str) -> Iterator[_Waiting]:
        """Have a container that has imported the function."""
        waiting = self._started(network)
        waiting.load(OWN_FILES)
        yield waiting
        waiting.close()

    @contextmanager
    def blank_spare(self, network: str) -> Iterator[tuple[Blank, _Waiting]]:
        """Have a blank container."""
        spec, link = self._spec(self._runtime, network)
        blank = self._engine.start_blank(spec)
        assert blank is not None, "there are no blank containers on this machine"
        waiting = _Waiting(spec.name, self.image, blank, link)
        yield blank, waiting
        waiting.close()

    def _spec(self, image: str, network: str) -> tuple[RunSpec, Link]:
        link = Link(self._folder / f"bench-{secrets.token_hex(8)}")
        spec = RunSpec(link.folder.name, image, link.folder, _FIT.memory, _FIT.cpus, network)
        return spec, link


def figures(rounds: int) -> Iterator[Figure]:
    """Measure; more rounds than other figures have, for they vary more."""
    with tempfile.TemporaryDirectory() as folder, _Node(Path(folder)) as node:
        for network in ("none", "bridge"):
            yield _latency(node, network, max(rounds, _ROUNDS))
        yield _memory(node, rounds)


def _latency(node: _Node, network: str, rounds: int) -> Figure:
    samples = interleaved(
        [
            partial(node.from_spare, network),
            partial(node.from_blank, "blank spare", _FIT.memory, _FIT.cpus, network),
            partial(node.from_blank, "blank spare, other limits", 96, 0.5, network),
            partial(node.cold, network),
            partial(node.docker_run, network),
        ],
        rounds,
    )
    ours = list(samples)[:-1]
    return Figure(
        f"spares-{network}",
        f"an event from its node to its answer, network {network}",
        "ms",
        samples,
        [ratio(name, _name("docker run", network)) for name in ours],
        ["target: function spare at most 0.05, blank spare at most 0.15 x docker run"],
        samples,
    )


def _memory(node: _Node, rounds: int) -> Figure:
    def blank() -> Values:
        with node.blank_spare("none") as (_, waiting):
            return _taken("blank spare", waiting.name)

    def function() -> Values:
        with node.function_spare("none") as waiting:
            return _taken("function spare", waiting.name)

    return Figure(
        "spares-memory",
        "memory of a container that waits (hello)",
        "MiB",
        interleaved([blank, function], rounds),
        remarks=["target: at most 15 MiB of the container's processes"],
    )


def _taken(name: str, container: str) -> Values:
    """Return what a container's processes and its shim take: resident, and their share of it."""
    first = int(said("docker", "inspect", "--format", "{{.State.Pid}}", container))
    status = Path(f"/proc/{first}/status").read_text()
    shim = int(status.split("PPid:", 1)[1].split(maxsplit=1)[0])
    own = [int(pid) for pid in said("docker", "top", container, "-eo", "pid").split()[1:]]
    values = {}
    for kind in ("Rss", "Pss"):
        values[f"{name}, processes, {kind}"] = sum(_megabytes(pid, kind) for pid in own)
        values[f"{name}, shim, {kind}"] = _megabytes(shim, kind)
    return values


def _megabytes(pid: int, kind: str) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split(f"{kind}:", 1)[1].split(maxsplit=1)[0]) / 1024


def _name(what: str, network: str) -> str:
    return f"{what}, {'bridge' if network == 'bridge' else 'no network'}"
