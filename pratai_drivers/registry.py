"""A registry that spreads functions' images among nodes: whoever made one pushes it, others pull.

It is the operator's: an image's name says what it was made from and not what it holds, so whoever
may push can give nodes code to run: it asks for a password, but for one of this machine alone. What
is pulled has to be named as what it was made as, to be started as its runtime is, and to be made on
it.
"""

import ipaddress
import logging
import queue
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from oslo_config import cfg

from pratai_common.errors import EngineError, ImageMissingError
from pratai_drivers.engines.base import Engine, Print, Remote

LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0
"""One that failed is left alone for so long: each try could take its whole timeout."""

_MOST_WAITING = 1000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Registry:
    """Pulls in the threads that ask; pushes in a thread of its own from ``start`` to ``stop``."""

    def __init__(
        self, engine: Engine, remote: Remote, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._remote = remote
        self._clock = clock
        self._away_until = clock()
        self._waiting: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._serve, name="registry", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what still waits is not pushed."""
        while not self._waiting.empty():
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                break
        self._waiting.put(None)
        self._thread.join(self._remote.timeout)

    def pull(self, image: str, base: str, say: Print) -> bool:
        """Get an image of a function, made on the runtime ``base``; ``False`` where it is to be
        made here.
        """
        if self._clock() < self._away_until:
            say(b"the registry failed a moment ago and is not asked\n")
            return False
        try:
            self._engine.pull(image, base, self._remote)
        except ImageMissingError as error:
            say(f"the registry does not have it: {error}\n".encode())
            return False
        except EngineError as error:
            self._failed("pulled", image, error)
            say(b"the registry failed\n")
            return False
        say(b"the registry had it: same content, same image\n")
        return True

    def push(self, image: str) -> None:
        """Have an image pushed, which takes its time; where that fails other nodes make it."""
        try:
            self._waiting.put_nowait(image)
        except queue.Full:
            LOG.warning("%s is not pushed to the registry: too many wait", image)

    def _serve(self) -> None:
        while (image := self._waiting.get()) is not None:
            if self._clock() < self._away_until:
                LOG.warning("%s is not pushed: the registry failed a moment ago", image)
                continue
            try:
                self._engine.push(image, self._remote)
            except EngineError as error:
                self._failed("pushed", image, error)
            else:
                LOG.info("pushed %s to the registry", image)

    def _failed(self, what: str, image: str, error: EngineError) -> None:
        self._away_until = self._clock() + _PAUSE_SECONDS
        LOG.warning("%s could not be %s: %s", image, what, error)


def open_registry(conf: cfg.ConfigOpts, engine: Engine) -> Registry | None:
    """Return the registry that the configuration names; raises EngineError for what cannot be."""
    options = conf.registry
    if not options.url:
        return None
    url = urlsplit(options.url)
    if url.path.strip("/") or url.query or url.fragment or url.username or not url.hostname:
        raise EngineError("[registry] url is to be a host with its port alone")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        raise EngineError("[registry] url is plain http, which is for loopback alone")
    if options.credentials is None and not _is_loopback(url.hostname):
        raise EngineError("[registry] credentials are needed: whoever may push gives nodes code")
    username, password = _credentials(options.credentials)
    return Registry(engine, Remote(url.netloc, username, password, options.timeout))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _credentials(path: str | None) -> tuple[str | None, str | None]:
    if path is None:
        return None, None
    try:
        if Path(path).stat().st_mode & _OTHERS:
            raise EngineError(f"{path} can be read by others than its owner: chmod 600 {path}")
        line = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"[registry] credentials cannot be read: {error}") from error
    username, separator, password = line.partition(":")
    if not (username and separator and password) or "\n" in line:
        raise EngineError(f"{path} is to have one line, USER:PASSWORD")
    return username, password
