"""How the methods of the client are said in HTTP: lists by pages, uploads, streams, failures."""

import codecs
import itertools
import json
import mimetypes
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone_exceptions

from prataiclient.errors import (
    ClientError,
    NotFoundError,
    RefusedError,
    RequestFailedError,
    UnavailableError,
)
from prataiclient.session import log_in

Json = dict[str, Any]
_REFUSALS = frozenset({400, 401, 403, 405, 409, 413, 415, 422, 429})
_SECRETS = frozenset({"password", "auth_secret"})
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
        path: str,
        name: str,
        query: Mapping[str, str | bool | None],
        most: int | None = None,
    ) -> Iterator[Json]:
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
        return itertools.islice(self._items(path, name, given), most)

    def _items(self, path: str, name: str, query: Json) -> Iterator[Json]:
        while True:
            page = self.json("GET", path, params=query)
            yield from page[name]
            if page["next"] is None:
                return
            query = {**query, "marker": page["next"]}

    def upload(self, method: str, path: str, package: Path, settings: Mapping[str, Any]) -> Json:
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


def _may_be_logged(settings: Mapping[str, Any]) -> bool:
    """Say whether nothing of this is secret: ``--verbose`` shows calls with their bodies."""
    return not _SECRETS.intersection(settings)


def _failure(answer: Any) -> ClientError:
    code = answer.status_code
    request_id = answer.headers.get("X-Pratai-Request-Id")
    try:
        error = answer.json()["error"]
        if code == 502 and request_id is not None:
            return RequestFailedError(request_id, error["reason"], error["message"])
        message = f"{error['message']} (HTTP {code}, {error['http_request_id']})"
    except (ValueError, KeyError, TypeError):
        message = f"the service answered HTTP {code}, and not as Pratai's API does"
    if code == 404:
        return NotFoundError(message)
    if code in _REFUSALS:
        return RefusedError(message)
    return UnavailableError(message) if code >= 500 else ClientError(message)


def _multipart(package: Path, metadata: str) -> tuple[bytes, str]:
    """Return a form of the metadata and the zip, and its content type."""
    boundary = secrets.token_hex(16)
    kind = mimetypes.guess_type(package.name)[0] or "application/octet-stream"
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="metadata"\r\n\r\n'
        f"{metadata}\r\n--{boundary}\r\n"
        'Content-Disposition: form-data; name="zip_file"; filename="package.zip"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    body = head.encode() + package.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
