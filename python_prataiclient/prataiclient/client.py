"""Pratai's REST interface as methods. Answers are dictionaries, as the API documents them."""

import json
import mimetypes
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone_exceptions

from prataiclient.errors import ClientError, NotFoundError, RefusedError, UnavailableError

Json = dict[str, Any]
_REFUSALS = frozenset({400, 405, 409, 413, 415, 422, 429})


class Client:
    """Speaks to one API through a keystoneauth adapter.

    Every method may raise NotFoundError, RefusedError (with the service's reason),
    UnavailableError, or ClientError for whatever else went wrong.
    """

    def __init__(self, connection: adapter.Adapter) -> None:
        self._connection = connection

    def create_function(self, name: str, package: Path, settings: Mapping[str, Any]) -> Json:
        """Upload a zip as a new function, which is being built when this returns."""
        metadata = json.dumps({"name": name, **settings})
        body, content_type = _multipart(package, metadata)
        headers = {"Content-Type": content_type}
        return self._json("POST", "/v1/functions", data=body, headers=headers)

    def functions(self, name: str | None = None) -> Iterator[Json]:
        """Yield the project's functions, newest first."""
        return self._pages("/v1/functions", "functions", {"name": name})

    def function(self, name_or_id: str) -> Json:
        """Return the function with this id, or this name."""
        try:
            return self._json("GET", f"/v1/functions/{name_or_id}")
        except NotFoundError:
            for function in self.functions(name=name_or_id):
                return function
            raise

    def delete_function(self, function_id: str) -> None:
        """Delete a function."""
        self._call("DELETE", f"/v1/functions/{function_id}")

    def execute(self, function_id: str, payload: Any, key: str | None = None) -> str:
        """Call a function; returns the id of the request that runs it.

        ``key`` is an Idempotency-Key: a call repeated with it is the same request.
        """
        headers = {"Idempotency-Key": key} if key is not None else {}
        answer = self._json(
            "POST", f"/v1/functions/{function_id}", json={"payload": payload}, headers=headers
        )
        return str(answer["request_id"])

    def build_log(self, function_id: str) -> str:
        """Return the log of a function's newest build."""
        return self._text(f"/v1/functions/{function_id}/build-log")

    def requests(self, function_id: str | None = None, status: str | None = None) -> Iterator[Json]:
        """Yield the project's requests, newest first, without their results."""
        return self._pages(
            "/v1/requests", "requests", {"function_id": function_id, "status": status}
        )

    def request(self, request_id: str, payload: bool = False) -> Json:
        """Return a request with its result, and with what came in if that is asked for."""
        query = "?include=payload" if payload else ""
        return self._json("GET", f"/v1/requests/{request_id}{query}")

    def request_logs(self, request_id: str) -> str:
        """Return what a request printed."""
        return self._text(f"/v1/requests/{request_id}/logs")

    def runtimes(self) -> list[Json]:
        """Return the runtimes that functions may use."""
        found: list[Json] = self._json("GET", "/v1/runtimes")["runtimes"]
        return found

    def daemons(self) -> list[Json]:
        """Return the daemons of the platform."""
        found: list[Json] = self._json("GET", "/v1/cluster")["daemons"]
        return found

    def _pages(self, path: str, name: str, query: Mapping[str, str | None]) -> Iterator[Json]:
        given = {key: value for key, value in query.items() if value is not None}
        while True:
            page = self._json("GET", path, params=given)
            yield from page[name]
            if page["next"] is None:
                return
            given["marker"] = page["next"]

    def _json(self, method: str, path: str, **arguments: Any) -> Json:
        answer: Json = self._call(method, path, **arguments).json()
        return answer

    def _text(self, path: str) -> str:
        content: bytes = self._call("GET", path).content
        return content.decode(errors="replace")

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self._connection.request(path, method, **arguments)
        except keystone_exceptions.ConnectFailure as error:
            url = self._connection.get_endpoint()
            raise UnavailableError(f"nothing answers at {url}: is the service up?") from error
        except keystone_exceptions.ClientException as error:
            raise UnavailableError(f"the service cannot be reached: {error}") from error
        if answer.status_code >= 400:
            raise _failure(answer)
        return answer


def _failure(answer: Any) -> ClientError:
    code = answer.status_code
    try:
        error = answer.json()["error"]
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
