"""The images of functions and dependencies that Docker has: what they hold, how they come and go.

A registry has them under the same names, behind its own.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any

import docker

from pratai_common.errors import ImageMissingError
from pratai_drivers.engines.base import Held, Remote
from pratai_drivers.engines.docker_client import (
    INSTALLATION_LABEL,
    NAME_LABEL,
    Clients,
    connect,
    engine_errors,
)
from pratai_drivers.engines.docker_layers import is_made_on

_FRACTION = re.compile(r"\.[0-9]+")
_KINDS = ("function", "dependencies")
_STARTS_BY = ("User", "Cmd", "Entrypoint", "Env", "WorkingDir", "Volumes", "Healthcheck")
"""What decides how a container of an image is started."""


class Inventory:
    """See the module. May be used from many threads."""

    def __init__(self, clients: Clients, installation: str) -> None:
        self._clients = clients
        self._installation = installation
        self._held: dict[str, Held] = {}

    def images(self) -> dict[str, Held]:
        """See Engine."""
        prefixes = tuple(f"{self._installation}/{kind}:" for kind in _KINDS)
        filters = {"label": f"{INSTALLATION_LABEL}={self._installation}"}
        with engine_errors():
            found = {
                name: each["Id"]
                for each in self._clients.mine().images(filters=filters)
                for name in each["RepoTags"] or ()
                if name.startswith(prefixes)
            }
            held = {image_id: self._look(image_id) for image_id in set(found.values())}
        self._held = {image_id: each for image_id, each in held.items() if each is not None}
        return {name: self._held[each] for name, each in found.items() if each in self._held}

    def remove(self, image: str) -> bool:
        """See Engine."""
        with engine_errors():
            try:
                self._clients.mine().remove_image(image)
            except docker.errors.ImageNotFound:
                return True
            except docker.errors.APIError as error:
                if error.status_code == HTTPStatus.CONFLICT:
                    return False
                raise
        return True

    def push(self, image: str, remote: Remote) -> None:
        """See Engine."""
        name, tag = _split(image)
        there = f"{remote.host}/{name}"
        with engine_errors(), closing(connect(remote.timeout)) as client:
            client.tag(image, there, tag)
            try:
                _follow(
                    client.push(there, tag, stream=True, decode=True, auth_config=_login(remote))
                )
            finally:
                _forget(client, f"{there}:{tag}")

    def pull(self, image: str, base: str, remote: Remote) -> None:
        """See Engine."""
        name, tag = _split(image)
        with self._pulled(f"{remote.host}/{name}", tag, remote) as (client, there):
            got = client.inspect_image(there)
            labels = got["Config"]["Labels"] or {}
            own = (labels.get(INSTALLATION_LABEL), labels.get(NAME_LABEL))
            if own != (self._installation, image):
                raise ImageMissingError("what is there was not made as that")
            why = differs(got, client.inspect_image(base))
            if why is not None:
                raise ImageMissingError(f"what is there has {why}")
            client.tag(there, name, tag)

    @contextmanager
    def _pulled(self, there: str, tag: str, remote: Remote) -> Iterator[tuple[Any, str]]:
        """Have an image here under the name that it has in a registry, while the block runs."""
        with engine_errors(), closing(connect(remote.timeout)) as client:
            try:
                _follow(
                    client.pull(there, tag, stream=True, decode=True, auth_config=_login(remote))
                )
            except docker.errors.NotFound as error:
                raise ImageMissingError("it is not there") from error
            try:
                yield client, f"{there}:{tag}"
            finally:
                _forget(client, f"{there}:{tag}")

    def _look(self, image_id: str) -> Held | None:
        """Return what an image holds, which never changes; ``None`` if it is gone by now."""
        if image_id in self._held:
            return self._held[image_id]
        client = self._clients.mine()
        try:
            seen, history = client.inspect_image(image_id), client.history(image_id)
        except docker.errors.ImageNotFound:
            return None
        layers: list[str] = seen["RootFS"].get("Layers") or []
        # Newest first. Docker does not say which entries without bytes are layers, and which
        # only say something of the image: neither takes any disk.
        sizes = [each["Size"] for each in history if each["Size"]]
        sizes += [0] * (len(layers) - len(sizes))
        since = _seconds(seen["Metadata"]["LastTagTime"])
        return Held(since, tuple(zip(_chain(layers), reversed(sizes), strict=False)))


def differs(image: dict[str, Any], base: dict[str, Any]) -> str | None:
    """Say what an image has that none of a function, made on ``base``, can have."""
    for key in _STARTS_BY:
        if (image["Config"].get(key) or None) != (base["Config"].get(key) or None):
            return f"another {key}"
    layers, below = (each["RootFS"].get("Layers") or [] for each in (image, base))
    return None if is_made_on(below, layers) else "layers that are not a function's"


def _follow(events: Any) -> None:
    """Wait until something was brought or got; raises DockerException where it was not."""
    for event in events:
        if "error" in event:
            raise docker.errors.DockerException(event["error"])


def _forget(client: Any, name: str) -> None:
    """Take a name from an image that has another."""
    with suppress(docker.errors.APIError):
        client.remove_image(name)


def _login(remote: Remote) -> dict[str, str] | None:
    if remote.username is None or remote.password is None:
        return None
    return {"username": remote.username, "password": remote.password}


def _split(image: str) -> tuple[str, str]:
    name, tag = image.rsplit(":", 1)
    return name, tag


def _chain(layers: list[str]) -> Iterator[str]:
    """Yield a name for each layer that says which ones lie below it, too."""
    name = ""
    for layer in layers:
        name = hashlib.sha256(f"{name} {layer}".encode()).hexdigest()
        yield name


def _seconds(time: str) -> int:
    """Return a time of Docker's, which has nanoseconds, in seconds since the epoch."""
    return int(datetime.fromisoformat(_FRACTION.sub("", time)).timestamp())
