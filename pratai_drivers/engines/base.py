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
    """A container of a function, or a blank one of a runtime, whose ``environment`` is empty.

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


class Files(NamedTuple):
    """Where a container's runner finds a function and what it requires: paths that it sees."""

    function: str
    packages: str


OWN_FILES = Files("/opt/pratai/function", "/opt/pratai/packages")
"""Where they lie in every function's image."""


class BuildSpec(NamedTuple):
    """A throwaway container that runs the runtime's ``program``, and becomes a layer.

    ``settings`` is a folder of the node, seen read-only as ``/run/build`` while the container
    lives and found in no layer; ``folders`` are further ones, by the names of folders below it.
    Without ``image`` no layer is made. ``timeout`` is in seconds, ``memory`` and ``disk`` (what it
    may add to the base) in MB. The build ends early, by BuildError, when it is ``given_up``.
    """

    name: str
    base: str
    image: str | None
    settings: Path
    folders: Mapping[str, Path]
    network: str
    memory: int
    cpus: float
    pids: int
    disk: int
    timeout: int
    given_up: GivenUp = wanted
    program: str = "install"


class Held(NamedTuple):
    """An image of a function, or of dependencies, that the engine has: when it came here (seconds
    since the epoch), and its layers, lowest first, each with its bytes. Layers of the same name
    take their bytes once, and all below them are the same, too.
    """

    since: int
    layers: tuple[tuple[str, int], ...]


class Remote(NamedTuple):
    """A registry: ``host`` with its port; ``timeout`` is in seconds."""

    host: str
    username: str | None
    password: str | None
    timeout: int


class Container(ABC):
    """A started container."""

    @abstractmethod
    def wait(self, seconds: float) -> Exit | None:
        """Return how it ended, ``None`` if it has not after so many seconds."""

    @abstractmethod
    def peak_memory(self) -> int | None:
        """Return the most memory it has used so far, in bytes, where that can be told."""

    @abstractmethod
    def cpu_seconds(self) -> float | None:
        """Return how much processor time it has used so far, where that can be told."""

    @abstractmethod
    def out_of_memory(self) -> bool:
        """Say whether a process in it was killed for want of memory, its first one or another.

        ``False`` where that cannot be told while it lives.
        """

    @abstractmethod
    def remove(self) -> None:
        """End it and everything in it, at once, and leave nothing of it."""


class Blank(Container):
    """A started container of a runtime that belongs to no function yet."""

    @abstractmethod
    def give(self, image: str, memory: int, cpus: float) -> Files | None:
        """Make it a container of the function with this image and these limits (MB, processors).

        Returns where the function's files are now. ``None`` says that they cannot be given to it,
        or not yet: it is as blank as before, and the function is started from its image. After
        an EngineError, and after its function has run, it is removed like any other.
        """


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
    def images(self) -> dict[str, Held]:
        """Return the images of functions and dependencies that are here, by name."""

    @abstractmethod
    def remove_image(self, image: str) -> bool:
        """Remove an image; ``False`` where a container is made of it. One that is gone is none."""

    @abstractmethod
    def push(self, image: str, remote: Remote) -> None:
        """Put an image into a registry, under its own name."""

    @abstractmethod
    def pull(self, image: str, base: str, remote: Remote) -> None:
        """Get an image of a function from a registry.

        Raises ImageMissingError where it is not there, or what is there was not made under this
        name, or would be started otherwise than ``base``, its runtime.
        """

    @abstractmethod
    def install(self, spec: BuildSpec, say: Print) -> None:
        """Make the layer of dependencies; raises BuildError where installing them failed."""

    @abstractmethod
    def add_files(self, base: str, image: str, files: Iterable[PackageFile]) -> None:
        """Make an image of ``base`` with a function's files in the runtime's function folder."""

    @abstractmethod
    def unpack(self, image: str) -> None:
        """Have a function's files ready for blank containers. It raises nothing where that cannot
        be done: the function is started from its image then.
        """

    @abstractmethod
    def start(self, spec: RunSpec) -> Container:
        """Start a container; raises ImageMissingError where its image is not here."""

    @abstractmethod
    def start_blank(self, spec: RunSpec) -> Blank | None:
        """Start a blank container of a runtime; ``None`` where this node can never have any."""
