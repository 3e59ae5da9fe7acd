"""Which images this node knows, when each was used last, and which are just being used.

To use an image costs no look at the engine: what is noted here may be gone from there, and whoever
starts a container of it finds that out. It is kept in a file, so that a node that starts again
neither fetches zips to learn the names of images, nor takes all of them for unused.
"""

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pratai_common.clock import Clock
from pratai_common.files import write_durably

LOG = logging.getLogger(__name__)
_FILE = "images.json"


class ImageRecords:
    """See the module. ``folder`` is the node's; ``clock`` gives milliseconds since the epoch. May
    be used from many threads.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path = folder / _FILE
        self._clock = clock
        self._lock = threading.Lock()
        self._written = _read(self._path)
        self._known: dict[str, str] = dict(self._written["known"])
        self._used: dict[str, int] = dict(self._written["used"])
        self._held: Counter[str] = Counter()

    def image(self, content: str) -> str | None:
        """Return the image that was made of something, and note that it is used."""
        image = self._known.get(content)
        if image is not None:
            self.used(image)
        return image

    def made(self, content: str, image: str) -> None:
        """Note that the image of something is here."""
        with self._lock:
            self._known[content] = image
        self.used(image)

    def used(self, image: str) -> None:
        """Note that an image is used now."""
        self._used[image] = self._clock() // 1000

    def gone(self, image: str) -> None:
        """Forget an image that is not here any more."""
        with self._lock:
            self._known = {key: each for key, each in self._known.items() if each != image}
            self._used.pop(image, None)

    def forget_all_but(self, here: Set[str], before: int) -> None:
        """Forget images that are not here, and were not used since ``before``, in seconds."""
        with self._lock:
            away = {each for each in (*self._known.values(), *self._used) if each not in here}
        for image in away:
            if self._used.get(image, 0) < before:
                self.gone(image)

    @contextmanager
    def held(self, *images: str) -> Iterator[None]:
        """Say that images are needed while the block runs: made, built upon, or sent."""
        with self._lock:
            self._held.update(images)
        try:
            yield
        finally:
            with self._lock:
                self._held.subtract(images)
                self._held += Counter()  # leaves out what nobody holds

    def in_use(self) -> frozenset[str]:
        """Return the images that are held."""
        with self._lock:
            return frozenset(self._held)

    def times(self) -> dict[str, int]:
        """Return when each image was used last by any node of this machine, in seconds since the
        epoch: nodes may share a container engine.
        """
        times = dict(self._used)
        for path in self._path.parent.parent.glob(f"*/{_FILE}"):
            if path != self._path:
                for image, used in _read(path)["used"].items():
                    times[image] = max(used, times.get(image, 0))
        return times

    def write(self) -> None:
        """Keep what changed; raises OSError."""
        with self._lock:
            content = {"known": dict(self._known), "used": dict(self._used)}
        if content != self._written:
            write_durably(self._path, json.dumps(content).encode())
            self._written = content


def _read(path: Path) -> dict[str, Any]:
    """Return what a file holds; nothing where it is damaged, or is not there."""
    try:
        kept = json.loads(path.read_bytes())
        return {"known": _strings(kept["known"]), "used": _times(kept["used"])}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        LOG.warning("%s is of no use: %s", path, error)
    return {"known": {}, "used": {}}


def _strings(value: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(each) for key, each in value.items()}


def _times(value: Mapping[str, Any]) -> dict[str, int]:
    return {key: int(each) for key, each in value.items()}
