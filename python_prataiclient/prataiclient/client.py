"""Pratai's REST interface as methods. Answers are dictionaries, as the API documents them."""

import codecs
import itertools
import json
import mimetypes
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
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
_LONGEST_PAGE = 1000
_CONNECT_SECONDS = 30


class Called(NamedTuple):
    """What a call was answered: the id of its request, and the result if that has ended."""

    request_id: str
    ended: bool
    result: Any


class Client:
    """Speaks to one API through a keystoneauth adapter.

    Every method may raise NotFoundError, RefusedError (with the service's reason),
    UnavailableError, or ClientError for whatever else went wrong.
    """

    def __init__(self, connection: adapter.Adapter) -> None:
        self._connection = connection

    # Functions

    def create_function(self, package: Path, settings: Mapping[str, Any]) -> Json:
        """Upload a zip as a new function, which is being built when this returns."""
        return self._upload("POST", "/v1/functions", package, settings)

    def functions(self, name: str | None = None, all_projects: bool = False) -> Iterator[Json]:
        """Yield the project's functions, newest first; an administrator may see all projects'."""
        query = {"name": name, "all_projects": _true(all_projects)}
        return self._pages("/v1/functions", "functions", query)

    def function(self, name_or_id: str) -> Json:
        """Return the function with this id, or this name."""
        if name_or_id == "running":  # reserved, because the API answers something else there
            raise NotFoundError("there is no function running")
        try:
            return self._json("GET", _path("functions", name_or_id))
        except NotFoundError:
            for function in self.functions(name=name_or_id):
                return function
            raise

    def update_function(self, function_id: str, settings: Mapping[str, Any]) -> Json:
        """Change a function's settings, or the version that serves; returns the function."""
        return self._json("PATCH", _path("functions", function_id), json=dict(settings))

    def upload_version(self, function_id: str, package: Path, settings: Mapping[str, Any]) -> Json:
        """Upload a function's next version, which is being built when this returns."""
        return self._upload("PATCH", _path("functions", function_id), package, settings)

    def delete_function(self, function_id: str) -> None:
        """Delete a function."""
        self._call("DELETE", _path("functions", function_id))

    def execute(self, function_id: str, payload: Any, key: str | None = None) -> Called:
        """Call a function; raises RequestFailedError if the service waited and it failed.

        ``key`` is an Idempotency-Key: a call repeated with it is the same request.
        """
        headers = {"Idempotency-Key": key} if key is not None else {}
        path = _path("functions", function_id)
        answer = self._call("POST", path, json={"payload": payload}, headers=headers)
        body = answer.json()
        if answer.status_code == 202:
            return Called(body["request_id"], False, None)
        return Called(answer.headers["X-Pratai-Request-Id"], True, body)

    def running_functions(self) -> Iterator[Json]:
        """Yield the functions that run, with the ids of their running requests."""
        return self._pages("/v1/functions/running", "functions", {})

    def stop_function(self, function_id: str) -> list[str]:
        """Cancel a function's running requests; returns their ids."""
        ids: list[str] = self._json("POST", _path("functions", function_id, "stop"))["request_ids"]
        return ids

    def versions(self, function_id: str) -> Iterator[Json]:
        """Yield a function's versions, oldest first."""
        return self._pages(_path("functions", function_id, "versions"), "versions", {})

    def version(self, function_id: str, number: int) -> Json:
        """Return one version of a function."""
        for version in self.versions(function_id):
            if version["version"] == number:
                return version
        raise NotFoundError(f"the function has no version {number}")

    def build_log(self, function_id: str) -> str:
        """Return the log of a function's newest build."""
        return self._content(_path("functions", function_id, "build-log")).decode(errors="replace")

    def follow_build_log(self, function_id: str) -> Iterator[str]:
        """Yield the log of a function's newest build as it comes, until the build has ended."""
        return self._follow(_path("functions", function_id, "build-log"))

    # Subscriptions

    def subscriptions(self, function_id: str) -> Iterator[Json]:
        """Yield a function's subscriptions, oldest first."""
        return self._pages(_path("functions", function_id, "subscriptions"), "subscriptions", {})

    def create_subscription(self, function_id: str, settings: Mapping[str, Any]) -> Json:
        """Subscribe a function to an event."""
        path = _path("functions", function_id, "subscriptions")
        return self._json("POST", path, json=dict(settings))

    def update_subscription(
        self, function_id: str, subscription_id: str, settings: Mapping[str, Any]
    ) -> Json:
        """Change a subscription."""
        path = _path("functions", function_id, "subscriptions", subscription_id)
        return self._json("PATCH", path, json=dict(settings))

    def delete_subscription(self, function_id: str, subscription_id: str) -> None:
        """Delete a subscription."""
        self._call("DELETE", _path("functions", function_id, "subscriptions", subscription_id))

    # Requests

    def requests(
        self,
        function_id: str | None = None,
        status: str | None = None,
        dead: bool = False,
        most: int | None = None,
        all_projects: bool = False,
    ) -> Iterator[Json]:
        """Yield the project's requests, newest first, without their results: all of them, or
        only so many, or only the dead letters; an administrator may see all projects'.
        """
        query = {
            "function_id": function_id,
            "status": status,
            "dead": _true(dead),
            "all_projects": _true(all_projects),
        }
        return self._pages("/v1/requests", "requests", query, most)

    def request(self, request_id: str, payload: bool = False) -> Json:
        """Return a request with its result, and with what came in if that is asked for."""
        query = {"include": "payload"} if payload else {}
        return self._json("GET", _path("requests", request_id), params=query)

    def request_log(self, request_id: str) -> bytes:
        """Return what a request has printed so far, which may be anything."""
        return self._content(_path("requests", request_id, "logs"))

    def follow_request_log(self, request_id: str) -> Iterator[str]:
        """Yield what a request prints as it comes, until it has ended."""
        return self._follow(_path("requests", request_id, "logs"))

    def cancel_request(self, request_id: str) -> None:
        """Cancel a request that has not ended: it will have soon."""
        self._call("DELETE", _path("requests", request_id))

    def replay_request(self, request_id: str) -> str:
        """Run a request that has ended once more; returns the id of the new one."""
        answer = self._json("POST", _path("requests", request_id, "replay"))
        return str(answer["request_id"])

    # The platform

    def runtimes(self) -> Iterator[Json]:
        """Yield the runtimes that functions may use."""
        return self._pages("/v1/runtimes", "runtimes", {})

    def runtime(self, name: str) -> Json:
        """Return one runtime."""
        return self._json("GET", _path("runtimes", name))

    def daemons(self) -> Iterator[Json]:
        """Yield the daemons of the platform."""
        return self._pages("/v1/cluster", "daemons", {})

    # How all of this is said in HTTP

    def _pages(
        self, path: str, name: str, query: Mapping[str, str | None], most: int | None = None
    ) -> Iterator[Json]:
        """Yield a list's items; a page is read when the one before it is used up."""
        given: Json = {key: value for key, value in query.items() if value is not None}
        if most is not None:
            given["limit"] = min(most, _LONGEST_PAGE)
        return itertools.islice(self._items(path, name, given), most)

    def _items(self, path: str, name: str, query: Json) -> Iterator[Json]:
        while True:
            page = self._json("GET", path, params=query)
            yield from page[name]
            if page["next"] is None:
                return
            query = {**query, "marker": page["next"]}

    def _upload(self, method: str, path: str, package: Path, settings: Mapping[str, Any]) -> Json:
        body, content_type = _multipart(package, json.dumps(settings))
        return self._json(method, path, data=body, headers={"Content-Type": content_type})

    def _json(self, method: str, path: str, **arguments: Any) -> Json:
        answer: Json = self._call(method, path, **arguments).json()
        return answer

    def _content(self, path: str) -> bytes:
        content: bytes = self._call("GET", path).content
        return content

    def _follow(self, path: str) -> Iterator[str]:
        """Yield a text as it comes, however long nothing does."""
        query, timeout = {"follow": "true"}, (_CONNECT_SECONDS, None)
        # The session would read the whole answer to log it.
        answer = self._call("GET", path, params=query, stream=True, timeout=timeout, log=False)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with closing(answer):
            try:
                for piece in answer.iter_content(None):
                    yield decoder.decode(piece)
            except OSError as error:  # the base of what the HTTP library raises
                raise UnavailableError(f"the connection broke: {error}") from error
        yield decoder.decode(b"", final=True)

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        url = log_in(self._connection)
        try:
            answer = self._connection.request(path, method, **arguments)
        except keystone_exceptions.ConnectFailure as error:
            raise UnavailableError(f"nothing answers at {url}: is the service up?") from error
        except keystone_exceptions.ClientException as error:
            raise UnavailableError(f"the service cannot be reached: {error}") from error
        if answer.status_code >= 400:
            raise _failure(answer)
        return answer


def _true(said: bool) -> str | None:
    return "true" if said else None


def _path(*parts: str) -> str:
    return "/".join(["/v1", *(quote(part, safe="") for part in parts)])


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
