"""Functions' files, taken out of their images and kept on the node for blank containers.

A function's image is its runtime's, a layer of dependencies if it has any, and a layer with its own
files. So all its layers together tell what lies in the function's folder, and all but the last what
lies in the folder of packages.
"""

import hashlib
import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import docker

from pratai_common.errors import EngineError
from pratai_drivers.engines.base import OWN_FILES
from pratai_drivers.engines.docker_client import connect, engine_errors
from pratai_drivers.engines.docker_containers import Containers
from pratai_drivers.unpacked import Loan, Unpacked
from pratai_drivers.unpacking import UnpackError, unpack

LOG = logging.getLogger(__name__)
_READ_SECONDS = 600
"""How long Docker may take to begin to read a folder out of an image."""

_PAUSE_SECONDS = 60.0
"""One whose files could not be unpacked is left alone for so long: a try can read gigabytes."""

_OWN_LAYERS = (1, 2)
_MOST_KNOWN = 10_000
_Layers = tuple[str, ...]


class Layers:
    """See the module; ``prefix`` begins the names of its containers. For many threads."""

    def __init__(
        self,
        containers: Containers,
        unpacked: Unpacked,
        prefix: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._containers = containers
        self._unpacked = unpacked
        self._prefix = prefix
        self._known: dict[str, _Layers] = {}
        self._clock = clock
        self._refused: dict[str, float] = {}
        """Until when an image is not unpacked."""

        self._wanted: set[str] = set()
        self._worker: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Find what is kept, and be ready to unpack what is wanted."""
        self._unpacked.open()
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="unpacking")

    def close(self) -> None:
        """Unpack nothing more, after what is being unpacked."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.shutdown(cancel_futures=True)

    def forget(self) -> None:
        """Look at images anew: others may have got their names."""
        self._known.clear()
        self._refused.clear()

    def lend(self, image: str, runtime: str) -> Loan | None:
        """Return the folders of a function and of its packages, in this order.

        ``None`` where they are not here yet, which they will be soon, or where there is no such
        image, or it is not one of a function of this runtime.
        """
        if self._clock() < self._refused.get(image, 0.0):
            return None
        try:
            layers, base = self._of(image), self._of(runtime)
        except docker.errors.ImageNotFound:
            return None
        if not is_made_on(base, layers):
            return None
        loan = self._unpacked.lend(_keys(layers))
        if loan is None:
            self._want(image)
        return loan

    def unpack(self, image: str) -> None:
        """Unpack an image's files, unless they are here; it may be new under its name.

        What cannot be unpacked is logged, and no fault: there is the image.
        """
        self._known.pop(image, None)
        self._refused.pop(image, None)
        try:
            self._unpack(image)
        except UnpackError as error:
            self._refused[image] = math.inf
            LOG.warning("%s is always started from its image: %s", image, error)
        except (EngineError, OSError, RecursionError) as error:
            self._refused[image] = self._clock() + _PAUSE_SECONDS
            LOG.warning("the files of %s could not be unpacked: %s", image, error)

    def _unpack(self, image: str) -> None:
        with engine_errors():
            keys = _keys(self._of(image))
            missing = [
                (key, folder)
                for key, folder in zip(keys, OWN_FILES, strict=True)
                if not self._unpacked.has(key)
            ]
            if not missing:
                return
            name = f"{self._prefix}-files-{secrets.token_hex(8)}"
            with self._containers.created(name, image, {}) as container:
                for key, folder in missing:
                    self._unpacked.put(key, partial(_read, container, folder))

    def _of(self, image: str) -> _Layers:
        """Return what tells an image's layers, the first first."""
        layers = self._known.get(image)
        if layers is None:
            if len(self._known) >= _MOST_KNOWN:
                self.forget()
            found = self._containers.client.inspect_image(image)
            layers = self._known[image] = tuple(found["RootFS"]["Layers"])
        return layers

    def _want(self, image: str) -> None:
        worker = self._worker
        if worker is not None and image not in self._wanted:
            self._wanted.add(image)
            worker.submit(self._get, image)

    def _get(self, image: str) -> None:
        try:
            self.unpack(image)
        finally:
            self._wanted.discard(image)


def is_made_on(base: Sequence[str], layers: Sequence[str]) -> bool:
    """Say whether these can be the layers of a function's image, made on a runtime's."""
    own = len(layers) - len(base)
    return own in _OWN_LAYERS and tuple(layers[: len(base)]) == tuple(base)


def _read(container: str, folder: str, target: Path, most: int) -> int:
    """Write a folder of a container that never runs; one that is not there is an empty one."""
    with closing(connect(_READ_SECONDS)) as client:
        try:
            chunks, _ = client.get_archive(container, folder)
        except docker.errors.NotFound:
            target.chmod(0o755)
            return 0
        return unpack(chunks, target, most)


def _keys(layers: Sequence[str]) -> tuple[str, str]:
    """Return what tells the content of a function's two folders."""
    return _key("function", layers), _key("packages", layers[:-1])


def _key(kind: str, layers: Sequence[str]) -> str:
    return hashlib.sha256(" ".join([kind, *layers]).encode()).hexdigest()
