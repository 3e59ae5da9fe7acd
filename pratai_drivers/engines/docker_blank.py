"""Blank containers: started from a runtime's image before anybody knows for which function.

A blank container sees two folders of the node, empty, where functions' images have theirs. They
lie in a *point*, a mount of the node's that is this container's alone and passes on to it what is
mounted in it later: the function's files, read-only. So it sees them where it would have had them.

That works where the node may mount, and what it mounts reaches the Docker Engine: not where that is
on another machine. The first blank container proves it.
"""

import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker.types import Mount

from pratai_common.errors import EngineError
from pratai_drivers import mounts
from pratai_drivers.engines.base import OWN_FILES, Blank, Files, RunSpec
from pratai_drivers.engines.docker_client import engine_errors
from pratai_drivers.engines.docker_containers import Containers, DockerContainer
from pratai_drivers.engines.docker_layers import Layers
from pratai_drivers.unpacked import Loan

LOG = logging.getLogger(__name__)
_FLAGS = {"ro", "nosuid", "nodev"}
_UNSEEN = ("not a shared or slave mount", "bind source path does not exist")
"""What the Docker Engine says of a point that it does not see as a mount, or not at all."""

_UNREACHED = "what this node mounts does not reach the Docker Engine"


class Point:
    """A folder of the node by which files come into a container; see the module."""

    def __init__(self, folder: Path) -> None:
        """Make it; raises OSError where that is not permitted."""
        self.folder = folder
        self.inner = tuple(folder / name for name in Files._fields)
        folder.mkdir(parents=True)
        try:
            for inner in self.inner:
                inner.mkdir()
                inner.chmod(0o755)  # the umask of a daemon is stricter
            mounts.share(folder)
        except OSError:
            take_down(folder)
            raise

    @property
    def mounts(self) -> list[Mount]:
        """How a container sees it."""
        return [
            Mount(target, str(inner), type="bind", read_only=True, propagation="rslave")
            for target, inner in zip(OWN_FILES, self.inner, strict=True)
        ]

    def show(self, folders: Sequence[Path]) -> None:
        """Let the container see these folders; raises OSError."""
        for folder, inner in zip(folders, self.inner, strict=True):
            mounts.show(folder, inner)

    def hide(self) -> None:
        """Take away what the container sees; raises OSError."""
        for inner in self.inner:
            mounts.unmount(inner)

    def close(self) -> None:
        """Take it down, and with it all that was mounted in it."""
        take_down(self.folder)


def take_down(folder: Path) -> None:
    """Remove a point, or what a crash has left of one; raises OSError where it stays mounted."""
    with suppress(OSError):  # it is no mount, or no more
        mounts.unmount(folder)
    # Folder by folder and never with what is in them: that could be a function's files.
    for each in (*(folder / name for name in Files._fields), folder):
        with suppress(FileNotFoundError):
            each.rmdir()


def take_down_all(folder: Path) -> None:
    """Remove all points that lie in a folder; of each that stays it is logged why."""
    for mount in mounts.seen_by("self"):
        if mount.point.parent == folder:
            with suppress(OSError):  # looked at again below
                mounts.unmount(mount.point)
    for each in folder.iterdir() if folder.is_dir() else ():
        try:
            take_down(each)
        except OSError as error:
            LOG.warning("the mount %s of a container that is gone stays: %s", each, error)


class DockerBlank(DockerContainer, Blank):
    """A blank container, and what it is made of one by ``give``."""

    def __init__(
        self, containers: Containers, container_id: str, spec: RunSpec, point: Point, layers: Layers
    ) -> None:
        super().__init__(containers, container_id, spec.name)
        self._spec = spec
        self._point = point
        self._layers = layers
        self._loan: Loan | None = None

    def give(self, image: str, memory: int, cpus: float) -> Files | None:
        """See Blank."""
        with engine_errors():
            self._loan = self._layers.lend(image, self._spec.image)
            if self._loan is None:
                return None
            self._show(self._loan.folders)
            if (memory, cpus) != (self._spec.memory, self._spec.cpus):
                self._containers.limit(self.id, memory, cpus)
        return OWN_FILES

    def _show(self, folders: Sequence[Path]) -> None:
        try:
            self._point.show(folders)
        except OSError as error:
            raise EngineError(f"a function's files could not be mounted: {error}") from error

    def remove(self) -> None:
        """See Container."""
        try:
            super().remove()
        finally:
            self._take_down()

    def _take_down(self) -> None:
        try:
            self._point.close()
        except OSError as error:  # the node's next start does it; the files stay until then
            LOG.warning("the mount %s stays: %s", self._point.folder, error)
            return
        if self._loan is not None:
            self._loan.give_back()


class BlankContainers:
    """Starts a node's blank containers; their points lie in ``folder``.

    ``possible`` says whether there can be any, as far as is known.
    """

    def __init__(self, containers: Containers, layers: Layers, folder: Path) -> None:
        self._containers = containers
        self._layers = layers
        self._folder = folder
        self.possible = True
        self._proved = False

    def open(self) -> None:
        """Take down what a crash has left, and find out whether there can be any."""
        take_down_all(self._folder)
        if not self._containers.is_local:
            self._turn_off("the Docker Engine is on another machine")
            return
        try:
            self._point().close()
        except OSError as error:
            self._turn_off(f"this node may not mount anything: {error}")

    def close(self) -> None:
        """Take all points down; the containers are gone."""
        take_down_all(self._folder)

    def start(self, spec: RunSpec, host: dict[str, Any]) -> DockerBlank | None:
        """See Engine.start_blank; ``host`` is what every container of the spec has."""
        if not self.possible:
            return None
        try:
            point = self._point()
        except OSError as error:
            raise EngineError(
                f"a blank container's folder could not be mounted: {error}"
            ) from error
        try:
            blank = self._start(spec, host, point)
        except BaseException as error:
            point.close()
            if any(text in str(error) for text in _UNSEEN):
                self._turn_off(_UNREACHED)
                return None
            raise
        if not self._proved:
            self._prove(blank, point)
        return blank if self.possible else None

    def _start(self, spec: RunSpec, host: dict[str, Any], point: Point) -> DockerBlank:
        host = {**host, "mounts": [*host["mounts"], *point.mounts]}
        container = self._containers.start(spec.name, spec.image, host, spec.environment)
        return DockerBlank(self._containers, container, spec, point, self._layers)

    def _prove(self, blank: DockerBlank, point: Point) -> None:
        """Look whether the first blank container gets what is mounted, as it is to get it."""
        reason = _UNREACHED
        try:
            process = self._containers.client.inspect_container(blank.id)["State"]["Pid"]
            if not process:
                raise EngineError("a blank container has ended")
            before = _shown_to(process)
            point.show(point.inner)
            self._proved = _shown_to(process) - before == len(point.inner)
            point.hide()
        except OSError as error:
            reason = f"what the first container sees cannot be told: {error}"
        finally:
            if not self._proved:
                blank.remove()
        if not self._proved:
            self._turn_off(reason)

    def _point(self) -> Point:
        return Point(self._folder / secrets.token_hex(8))

    def _turn_off(self, reason: str) -> None:
        self.possible = False
        LOG.warning("blank spares are off: %s", reason)


def _shown_to(process: int) -> int:
    """Return how many mounts a container has that are as functions' files are to be."""
    targets = {Path(target) for target in OWN_FILES}
    found = mounts.seen_by(process)
    return sum(mount.point in targets and mount.flags >= _FLAGS for mount in found)
