"""Connections to the Docker Engine, and what its client raises as our own errors."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import requests
from docker.transport.unixconn import UnixHTTPAdapter
from docker.utils import kwargs_from_env

from pratai_common.errors import EngineError, ImageMissingError

INSTALLATION_LABEL = "pratai.installation"
NODE_LABEL = "pratai.node"
NAME_LABEL = "pratai.image"
"""The name that an image was made under."""

_API_TIMEOUT_SECONDS = 60


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn what the Docker client raises into EngineError."""
    try:
        yield
    except docker.errors.ImageNotFound as error:
        raise ImageMissingError(f"Docker: {error}") from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineError(f"Docker: {error}") from error


def connect(timeout: int) -> Any:
    """Return a connection of its own, on which no call takes longer than ``timeout`` seconds."""
    client = docker.APIClient(version="auto", timeout=timeout, **kwargs_from_env())
    former = client.get_adapter("http+docker://")
    if isinstance(former, UnixHTTPAdapter):
        client.mount("http+docker://", _OnePool(former.socket_path, timeout))
        former.close()
    return client


class _OnePool(UnixHTTPAdapter):
    """Goes on using a connection. Docker's own way makes one for each path, and keeps them all."""

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:
        """Return what keeps the connections, the same for any path."""
        return super().get_connection(url[:0], proxies)


class Clients:
    """A connection a thread: the client's are not made to be shared."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._opened: list[Any] = []

    def mine(self) -> Any:
        """Return this thread's connection."""
        if not hasattr(self._local, "client"):
            self._local.client = connect(_API_TIMEOUT_SECONDS)
            self._opened.append(self._local.client)
        return self._local.client

    def close(self) -> None:
        """Close all of them; the next that is asked for is a new one."""
        for client in self._opened:
            client.close()
        self._opened.clear()
        self._local = threading.local()
