"""``pratai-api-roll``: starts the API processes behind nginx anew, one after the other, so that no
request fails.

Each is marked down in nginx's configuration and given nothing new; when its last connection has
ended it gets SIGTERM, and whoever runs it (systemd, the launcher) starts it again. The marks are in
nginx's file: a roll that was interrupted is begun again with the process that it had marked.
"""

import fcntl
import http.client
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from oslo_config import cfg

from pratai_api import connections
from pratai_common import conf as configuration
from pratai_common.daemon import fail
from pratai_common.files import write_durably

LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
_RELOAD_SECONDS = 60
_HEALTH_SECONDS = 5
_SERVER = re.compile(r"^(\s*server\s+)([^\s;{]+)([^;{]*?)(\s+down)?;", re.MULTILINE)


class RollError(Exception):
    """The roll cannot go on; what it has marked stays marked."""


class Site:
    """The file of nginx's that names the API processes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def down(self) -> list[str]:
        """Return the addresses that are marked; raises RollError without such a file."""
        return [found[2] for found in _SERVER.finditer(self._read()) if found[4]]

    def mark(self, address: str, down: bool) -> None:
        """Mark one address, or take its mark away; raises RollError where it is not named."""
        before = self._read()
        if address not in {found[2] for found in _SERVER.finditer(before)}:
            raise RollError(f"{self._path} names no server {address}")

        def line(found: re.Match[str]) -> str:
            if found[2] != address:
                return found[0]
            return f"{found[1]}{found[2]}{found[3]}{' down' if down else ''};"

        mode = self._path.stat().st_mode
        write_durably(self._path, _SERVER.sub(line, before).encode())
        self._path.chmod(mode)

    def _read(self) -> str:
        try:
            return self._path.read_text()
        except OSError as error:
            raise RollError(f"[nginx] site_path cannot be read: {error}") from error


class Nginx:
    """The nginx that listens on a port of this host."""

    def __init__(self, command: list[str], port: int) -> None:
        self._command = command
        self._port = port

    def reload(self) -> None:
        """Have the file in force: no worker that takes new requests knows another by then.

        Raises RollError where nginx does not run, refuses the file or does not take it over.
        """
        before = self._workers()
        if not before:
            raise RollError(f"no nginx that this user can see listens on port {self._port}")
        for arguments in (["-t", "-q"], ["-s", "reload"]):
            done = subprocess.run(
                [*self._command, *arguments], check=False, capture_output=True, text=True
            )
            if done.returncode:
                raise RollError(f"nginx {arguments[0]}: {done.stderr.strip()}")

        def taken_over() -> bool:
            now = self._workers()
            return bool(now) and not now & before

        if not _until(taken_over, _RELOAD_SECONDS):
            raise RollError("nginx has not taken its file over; its error log says why")

    def connected(self, port: int) -> bool:
        """Say whether a worker, of now or of a former configuration, is connected to a port."""
        master = connections.without_children(connections.listeners(self._port))
        return connections.connected(port, connections.children(master))

    def _workers(self) -> set[int]:
        """Return the workers that take requests: one that only ends its last does not listen."""
        listening = connections.listeners(self._port)
        return listening - connections.without_children(listening)


class Api:
    """One API process of this host, at an address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._host, _, port = address.rpartition(":")
        self.port = int(port)

    def healthy(self) -> bool:
        """Say whether it answers."""
        connection = http.client.HTTPConnection(
            self._host.strip("[]"), self.port, timeout=_HEALTH_SECONDS
        )
        try:
            connection.request("GET", "/healthcheck", headers={"Connection": "close"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def restart(self, seconds: float) -> None:
        """Have it started again: ends when another process answers; raises RollError."""
        before = connections.listeners(self.port)
        for pid in connections.without_children(before):
            try:
                os.kill(pid, signal.SIGTERM)
            except OSError as error:
                raise RollError(f"{self.address} cannot be ended: {error}") from error

        def anew() -> bool:
            now = connections.listeners(self.port)
            return bool(now) and not now & before and self.healthy()

        if not _until(anew, seconds):
            raise RollError(f"{self.address} does not answer {seconds:g} s after its SIGTERM")


def roll(site: Site, nginx: Nginx, apis: list[Api], drain: float, restart: float) -> None:
    """Start every API process anew. Waits up to ``drain`` seconds for the last connections of
    each, and ``restart`` for its next process. Raises RollError.
    """
    marked = site.down()
    for api in sorted(apis, key=lambda each: each.address not in marked):
        others = [each for each in apis if each is not api and each.address not in site.down()]
        if not any(each.healthy() for each in others):
            raise RollError(f"{api.address} is not taken away: no other API process answers")
        LOG.info("%s is marked down", api.address)
        site.mark(api.address, down=True)
        nginx.reload()
        _drain(nginx, api, drain)
        api.restart(restart)
        site.mark(api.address, down=False)
        nginx.reload()
        LOG.info("%s was started anew", api.address)


def _drain(nginx: Nginx, api: Api, seconds: float) -> None:
    if not _until(lambda: not nginx.connected(api.port), seconds):
        LOG.warning("%s still answers something; it is ended all the same", api.address)


def _until(look: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not look():
        if time.monotonic() >= ends:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _roll(conf: cfg.ConfigOpts) -> None:
    path = Path(conf.nginx.site_path)
    with configuration.state_path(conf, "roll.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RollError("another roll is at work") from None
        port = int(conf.nginx.listen[0].rpartition(":")[2])
        roll(
            Site(path),
            Nginx(shlex.split(conf.nginx.command), port),
            [Api(address) for address in conf.nginx.apis],
            conf.nginx.drain_seconds,
            2 * conf.grace_seconds + _RELOAD_SECONDS,
        )


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-api-roll", sys.argv[1:])
    try:
        _roll(conf)
    except RollError as error:
        return fail(str(error))
    return 0
