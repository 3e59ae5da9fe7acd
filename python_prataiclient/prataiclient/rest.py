"""How the methods of the client are said in HTTP: lists by pages, uploads, streams, failures."""

import codecs
import itertools
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone_exceptions

from prataiclient.connection import log_in
from prataiclient.errors import (
    ClientError,
    NotFoundError,
    RefusedError,
    RequestFailedError,
    UnavailableError,
)
from prataiclient.resources import Json, Resource

R = TypeVar("R", bound=Resource)
_REFUSALS = frozenset({400, 401, 403, 405, 409, 413, 415, 422, 429})
_SECRETS = frozenset({"password", "auth_secret", "trust", "value"})
_LONGEST_PAGE = 1000
_CONNECT_SECONDS = 30


class Rest:
    """One API, through a keystoneauth adapter.

    Every method may raise NotFoundError, RefusedError (with the service's reason),
    UnavailableError, or ClientError for whatever else went wrong.
    """

    def __init__(self, connection: adapter.Adapter) -> None:
        self._connection = connection

    def pages(
        self,
        kind: type[R],
        path: str,
        name: str,
        query: Mapping[str, str | bool | None],
        most: int | None = None,
    ) -> Iterator[R]:
        """Yield a list's items, so many at most; a page is read when the one before it is used
        up. Of a query, what is ``None`` or ``False`` is not said.
        """
        given: Json = {
            key: "true" if value is True else value
            for key, value in query.items()
            if value is not None and value is not False
        }
        if most is not None:
            given["limit"] = min(most, _LONGEST_PAGE)
        return itertools.islice(map(kind, self._items(path, name, given)), most)

    def _items(self, path: str, name: str, query: Json) -> Iterator[Json]:
        while True:
            page = self.json("GET", path, params=query)
            yield from page[name]
            if page["next"] is None:
                return
            query = {**query, "marker": page["next"]}

    def upload(self, method: str, path: str, package: bytes, settings: Mapping[str, Any]) -> Json:
        """Send a zip with its settings; returns what was made of them."""
        body, content_type = _multipart(package, json.dumps(settings))
        headers, log = {"Content-Type": content_type}, _may_be_logged(settings)
        return self.json(method, path, data=body, headers=headers, log=log)

    def send(self, method: str, path: str, settings: Mapping[str, Any]) -> Json:
        """Send settings; returns what was made of them."""
        return self.json(method, path, json=dict(settings), log=_may_be_logged(settings))

    def json(self, method: str, path: str, **arguments: Any) -> Json:
        """Make a call, and return the object that it answers."""
        answer: Json = self.call(method, path, **arguments).json()
        return answer

    def content(self, path: str) -> bytes:
        """Return what is kept there, which may be anything."""
        content: bytes = self.call("GET", path).content
        return content

    def follow(self, path: str) -> Iterator[str]:
        """Yield a text as it comes, however long nothing does."""
        query, timeout = {"follow": "true"}, (_CONNECT_SECONDS, None)
        # The session would read the whole answer to log it.
        answer = self.call("GET", path, params=query, stream=True, timeout=timeout, log=False)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with closing(answer):
            try:
                for piece in answer.iter_content(None):
                    yield decoder.decode(piece)
            except OSError as error:  # the base of what the HTTP library raises
                raise UnavailableError(f"the connection broke: {error}") from error
        yield decoder.decode(b"", final=True)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Make a call; ``arguments`` are as keystoneauth's adapter takes them."""
        url = log_in(self._connection)
        try:
            answer = self._connection.request(path, method, **arguments)
        except keystone_exceptions.ConnectFailure as error:
            raise UnavailableError(f"nothing answers at {url}: is the service up?") from error
        except keystone_exceptions.ClientException as error:
            raise UnavailableError(f"the service cannot be reached: {error}") from error
        if answer.status_code >= 300 and not is_of_function(answer):
            raise _failure(answer)
        return answer


def path_of(*parts: str) -> str:
    """Return the path of a resource, whose names may have any characters."""
    return "/".join(["/v1", *(quote(part, safe="") for part in parts)])


def is_of_function(answer: Any) -> bool:
    """Say whether a function gave this answer, and not the service."""
    return bool(answer.headers.get("X-Pratai-Answered-By") == "function")


def moment(at: datetime) -> str:
    """Return a time as the API takes it; raises RefusedError for one without a zone."""
    if at.tzinfo is None:
        raise RefusedError(f"the time {at} has no zone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def key_header(key: str | None) -> dict[str, str]:
    """Return what says that whatever is repeated with this key is the same."""
    return {} if key is None else {"Idempotency-Key": key}


def _may_be_logged(settings: Mapping[str, Any]) -> bool:
    """Say whether nothing of this is secret: ``--verbose`` shows calls with their bodies."""
    return not _SECRETS.intersection(settings)


def _failure(answer: Any) -> ClientError:
    status = answer.status_code
    request_id = answer.headers.get("X-Pratai-Request-Id")
    reason = None
    try:
        error = answer.json()["error"]
        reason = error["reason"]
        if status == 502 and request_id is not None:
            return RequestFailedError(request_id, reason, error["message"])
        message = f"{error['message']} (HTTP {status}, {error['http_request_id']}){_again(answer)}"
    except (ValueError, KeyError, TypeError):
        message = f"the service answered HTTP {status}, and not as Pratai's API does"
    return _kind(status)(message, status=status, reason=reason)


def _kind(status: int) -> type[ClientError]:
    if status == 404:
        return NotFoundError
    if status in _REFUSALS:
        return RefusedError
    return UnavailableError if status >= 500 else ClientError


def _again(answer: Any) -> str:
    """Say when to try again, where the service does. Nothing is tried again unasked."""
    seconds = answer.headers.get("Retry-After")
    return f"; try again in {seconds} s" if seconds else ""


def _multipart(package: bytes, metadata: str) -> tuple[bytes, str]:
    """Return a form of the metadata and the zip, and its content type."""
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="metadata"\r\n\r\n'
        f"{metadata}\r\n--{boundary}\r\n"
        'Content-Disposition: form-data; name="zip_file"; filename="package.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    body = head.encode() + package + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
