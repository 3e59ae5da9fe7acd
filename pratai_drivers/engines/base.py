"""The engine: the little that the rest of a node knows of containers.

``tests/contract/test_engine.py`` says what an engine must do; whoever passes it can be one. All
methods may raise EngineError, which is our failure, never the user's; they are called from many
threads at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from oslo_config import cfg

from pratai_common.package import PackageFile

Print = Callable[[bytes], None]
"""Takes what a build prints, as it comes."""

GivenUp = Callable[[], bool]
"""Says whether nobody wants any more what is being made."""


def wanted() -> bool:
    """Say that what is made is not given up, however long it takes."""
    return False


class Exit(NamedTuple):
    """How a container's first process ended."""

    code: int
    out_of_memory: bool


class RunSpec(NamedTuple):
    """A container for one event.

    ``link`` is a folder of the node that the container sees, read-only, as ``/run/pratai``: the
    runner protocol's socket and the pipe for output. ``memory`` is in MB. ``network`` is
    ``bridge`` (the node's own, with its rules) or ``none``. ``environment`` are variables of the
    function.
    """

    name: str
    image: str
    link: Path
    memory: int
    cpus: float
    network: str
    environment: Mapping[str, str] = {}


class BuildSpec(NamedTuple):
    """A throwaway container that runs the runtime's ``install``, and becomes a layer.

    ``settings`` is a folder of the node, seen read-only as ``/run/build`` while the container
    lives and found in no layer. ``timeout`` is in seconds, ``memory`` and ``disk`` (what it may
    add to the base) in MB. The build ends early, by BuildError, when it is ``given_up``.
    """

    name: str
    base: str
    image: str
    settings: Path
    find_links: Path | None
    network: str
    memory: int
    cpus: float
    pids: int
    disk: int
    timeout: int
    given_up: GivenUp = wanted


class Container(ABC):
    """A started container."""

    @abstractmethod
    def wait(self, seconds: float) -> Exit | None:
        """Return how it ended, ``None`` if it has not after so many seconds."""

    @abstractmethod
    def peak_memory(self) -> int | None:
        """Return the most memory it has used so far, in bytes, where that can be told."""

    @abstractmethod
    def out_of_memory(self) -> bool:
        """Say whether a process in it was killed for want of memory, its first one or another.

        ``False`` where that cannot be told while it lives.
        """

    @abstractmethod
    def remove(self) -> None:
        """End it and everything in it, at once, and leave nothing of it."""


class Engine(ABC):
    """See the module."""

    @classmethod
    @abstractmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Engine":
        """Return the engine that the configuration describes; nothing is started yet."""

    @abstractmethod
    def prepare(self, say: Print) -> dict[str, str]:
        """Make the runtimes' images where they are missing; returns image by runtime."""

    @abstractmethod
    def open(self) -> None:
        """Make networks and rules, and remove what this node left behind when it was killed."""

    @abstractmethod
    def close(self) -> None:
        """Take down what ``open`` made."""

    @abstractmethod
    def check(self) -> None:
        """Return at once if the engine can be reached, raise EngineError within seconds if not."""

    @abstractmethod
    def sweep(self, dead_nodes: Sequence[str]) -> None:
        """Remove what this node could not remove before, and all that dead nodes have left."""

    @abstractmethod
    def has_image(self, image: str) -> bool:
        """Say whether an image is here."""

    @abstractmethod
    def install(self, spec: BuildSpec, say: Print) -> None:
        """Make the layer of dependencies; raises BuildError where installing them failed."""

    @abstractmethod
    def add_files(self, base: str, image: str, files: Iterable[PackageFile]) -> None:
        """Make an image of ``base`` with a function's files in the runtime's function folder."""

    @abstractmethod
    def start(self, spec: RunSpec) -> Container:
        """Start a container."""
