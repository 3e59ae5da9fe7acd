"""The connection to a cluster of Elasticsearch: one call, and what its failures mean."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import urllib3
from elastic_transport import NodeConfig, Serializer, TransportError, Urllib3HttpNode
from elasticsearch import ApiError, Elasticsearch

from pratai_common.decoding import from_json
from pratai_common.errors import StoreUnavailableError

CONNECT_SECONDS = 3.0
_CONNECTIONS = 64
"""To each host: as many as an API process has threads by default."""

_SHOWN = 200
"""So much is shown of an answer that is not Elasticsearch's."""

_JSON = {"accept": "application/json", "content-type": "application/json"}
_LINES = {"accept": "application/json", "content-type": "application/x-ndjson"}


class Settings(NamedTuple):
    """Where the cluster is, who we are to it, and how long it may take."""

    hosts: tuple[str, ...]
    timeout_seconds: float
    ca_bundle: str | None = None
    username: str | None = None
    password: str | None = None
    api_key: str | None = None


class RefusedError(StoreUnavailableError):
    """The cluster answered, and did not do it; ``type`` is its name for the reason."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.type = kind


class Client:
    """Calls a cluster: bytes in, bytes out. One object serves all threads of a process."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = len(settings.hosts)
        self._client = Elasticsearch(**_arguments(settings))
        self._idle = threading.Condition()
        self._calls = 0
        self._closed = False

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        lines: bool = False,
        repeatable: bool = False,
    ) -> bytes:
        """Call the cluster; the next host where one cannot be reached.

        What has been sent is sent again only if it is ``repeatable``. ``lines`` says that the
        body is a line a document. Raises RefusedError where the cluster says no, else
        StoreUnavailableError.
        """
        with self._counted():
            for left in reversed(range(self._hosts)):
                try:
                    return self._perform(method, path, body, lines)
                except ApiError as error:
                    raise _refusal(error) from error
                except TransportError as error:
                    if not left or not (repeatable or _was_not_sent(error)):
                        message = f"Elasticsearch cannot be reached: {error.message}"
                        raise StoreUnavailableError(message) from error
        raise AssertionError("there is no host")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Call the cluster with JSON; returns what it answers."""
        content = None if body is None else msgspec.json.encode(body)
        return msgspec.json.decode(self.call(method, path, content))

    def close(self) -> None:
        """Let the calls that are under way end, and take no more."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._calls)
        self._client.close()

    def _perform(self, method: str, path: str, body: bytes | None, lines: bool) -> bytes:
        headers = _LINES if lines else _JSON
        answer: Any = self._client.perform_request(method, path, headers=headers, body=body)
        content: bytes | None = answer.body
        return content or b"{}"

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._idle:
            if self._closed:
                raise StoreUnavailableError("the store is closed")
            self._calls += 1
        try:
            yield
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()


class _Bytes(Serializer):
    """Leaves JSON to msgspec, which knows what is to be read of it."""

    mimetype = "application/json"

    def dumps(self, data: Any) -> bytes:
        encoded: bytes = data
        return encoded

    def loads(self, data: bytes) -> Any:
        return data


class _Node(Urllib3HttpNode):
    """A host that must take a connection sooner than it must answer."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        seconds = config.request_timeout or CONNECT_SECONDS
        connect = min(CONNECT_SECONDS, seconds)
        self.pool.timeout = urllib3.Timeout(connect=connect, read=seconds)


def _arguments(settings: Settings) -> dict[str, Any]:
    """Return how the client is made: it repeats nothing and looks for no hosts of its own."""
    kinds = ("json", "x-ndjson", "vnd.elasticsearch+json", "vnd.elasticsearch+x-ndjson")
    given: dict[str, Any] = {
        "hosts": list(settings.hosts),
        "request_timeout": settings.timeout_seconds,
        "node_class": _Node,
        "connections_per_node": _CONNECTIONS,
        "serializers": {f"application/{kind}": _Bytes() for kind in kinds},
        "max_retries": 0,
        "meta_header": False,
    }
    if settings.ca_bundle:
        given["ca_certs"] = settings.ca_bundle
    if settings.api_key:
        given["api_key"] = settings.api_key
    elif settings.username:
        given["basic_auth"] = (settings.username, settings.password or "")
    return given


def _was_not_sent(error: TransportError) -> bool:
    """Say whether no connection was made, so that certainly nothing was done."""
    made = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return any(isinstance(each, made) for each in (*error.errors, error.__cause__))


class _Cause(msgspec.Struct):
    type: str = ""
    reason: str | None = None


class _Refusal(msgspec.Struct):
    error: _Cause | str = ""


def _refusal(error: ApiError) -> RefusedError:
    """Return what an answer says that is no success."""
    try:
        cause = from_json(error.body or b"{}", _Refusal).error
    except (msgspec.MsgspecError, TypeError):
        cause = ""
    if isinstance(cause, str):
        reason = cause or error.message[:_SHOWN]
        return RefusedError("", f"Elasticsearch answers {error.meta.status}: {reason}")
    return refused(cause.type, cause.reason)


def refused(kind: str, reason: str | None) -> RefusedError:
    """Return the failure that the cluster names."""
    message = f"Elasticsearch answers {kind}: {reason or 'no reason given'}"
    if kind in ("index_not_found_exception", "strict_dynamic_mapping_exception"):
        message += "; pratai-db-init makes and upgrades the indices"
    return RefusedError(kind, message)
