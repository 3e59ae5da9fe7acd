"""Pratai's REST interface as methods that take and return typed objects."""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, Unpack

from keystoneauth1.session import Session

from prataiclient import resources
from prataiclient.connection import connect
from prataiclient.errors import NotFoundError, RequestFailedError, UnsuccessfulError
from prataiclient.packing import Package, zipped
from prataiclient.resources import Function, Json, Request, Version
from prataiclient.rest import Rest, is_of_function, key_header, moment, path_of
from prataiclient.settings import FunctionChanges, KeySettings, NewFunction
from prataiclient.topics import Topics
from prataiclient.waiting import wait


class Called(NamedTuple):
    """What a call was answered: the id of its request, and the result if that has ended."""

    request_id: str
    ended: bool
    result: Any


class Client(Topics):
    """Speaks to one API; may be used from many threads if its session may.

    With a keystoneauth ``session`` the API is found in Keystone's catalogue, by ``region_name`` and
    ``interface``; ``endpoint`` overrides that, and is enough alone where there is no Keystone.

    Every method may raise NotFoundError; RefusedError, with the service's ``reason``;
    UnavailableError; or ClientError for whatever else went wrong. Methods that return an iterator
    ask when its items are taken, page by page. Functions and events go by id, except where a method
    says that a name does too.
    """

    def __init__(
        self,
        session: Session | None = None,
        *,
        endpoint: str | None = None,
        region_name: str | None = None,
        interface: str | None = None,
    ) -> None:
        super().__init__(Rest(connect(session, endpoint, region_name, interface)))

    # Functions

    def create_function(
        self, name: str, package: Package, **settings: Unpack[NewFunction]
    ) -> Function:
        """Upload a new function, which is being built when this returns: see ``wait_until_built``.

        Raises OSError where the package cannot be read.
        """
        made = {"name": name, **settings}
        return Function(self._rest.upload("POST", "/v1/functions", zipped(package), made))

    def functions(self, name: str | None = None, all_projects: bool = False) -> Iterator[Function]:
        """Yield the project's functions, newest first; an administrator may see all projects'."""
        query = {"name": name, "all_projects": all_projects}
        return self._rest.pages(Function, "/v1/functions", "functions", query)

    def function(self, name_or_id: str) -> Function:
        """Return the function with this id, or this name."""
        if name_or_id == "running":  # reserved, because the API answers something else there
            raise NotFoundError("there is no function running")
        try:
            return Function(self._rest.json("GET", path_of("functions", name_or_id)))
        except NotFoundError:
            for function in self.functions(name=name_or_id):
                return function
            raise

    def update_function(self, function_id: str, **changes: Unpack[FunctionChanges]) -> Function:
        """Change a function's settings, or the version that serves."""
        return Function(self._rest.send("PATCH", path_of("functions", function_id), changes))

    def upload_version(
        self, function_id: str, package: Package, **changes: Unpack[FunctionChanges]
    ) -> Version:
        """Upload a function's next version, which is being built when this returns.

        Raises OSError where the package cannot be read.
        """
        path = path_of("functions", function_id)
        return Version(self._rest.upload("PATCH", path, zipped(package), changes))

    def wait_until_built(self, function_id: str, timeout: float | None = None) -> Function:
        """Return a function once its first version is built; ``timeout`` is in seconds.

        Raises UnsuccessfulError where the build failed, WaitTimeoutError.
        """
        made = wait(
            lambda: self.function(function_id),
            lambda function: function.status != "building",
            timeout=timeout,
        )
        if made.status == "error":
            raise UnsuccessfulError(f"the build failed: {made.build_error}")
        return made

    def delete_function(self, function_id: str) -> None:
        """Delete a function."""
        self._rest.call("DELETE", path_of("functions", function_id))

    def execute(
        self,
        function_id: str,
        payload: Any = None,
        key: str | None = None,
        not_before: datetime | None = None,
    ) -> Called:
        """Call a function; raises RequestFailedError if the service waited and it failed.

        ``payload`` is anything that is JSON. ``key`` is an Idempotency-Key: a call repeated with it
        is the same request. It runs at ``not_before`` (with a zone) at the earliest.
        """
        body = {"payload": payload}
        if not_before is not None:
            body["not_before"] = moment(not_before)
        path = path_of("functions", function_id)
        # What a function answers must not get it called twice, nor our token sent elsewhere.
        once = {"allow_reauth": False, "redirect": False}
        answer = self._rest.call("POST", path, json=body, headers=key_header(key), **once)
        if answer.status_code == 202 and not is_of_function(answer):
            return Called(answer.json()["request_id"], False, None)
        return Called(answer.headers["X-Pratai-Request-Id"], True, _result(answer))

    def run(self, function_id: str, payload: Any = None, timeout: float | None = None) -> Any:
        """Call a function, wait, and return what it returned; ``timeout`` is in seconds.

        Raises RequestFailedError with its ``reason`` where it failed, WaitTimeoutError while it
        goes on.
        """
        called = self.execute(function_id, payload)
        if called.ended:
            return called.result
        return self.wait_for_request(called.request_id, timeout).result

    def running_functions(self) -> Iterator[resources.RunningFunction]:
        """Yield the functions that run, with the ids of their running requests."""
        kind = resources.RunningFunction
        return self._rest.pages(kind, "/v1/functions/running", "functions", {})

    def stop_function(self, function_id: str) -> list[str]:
        """Cancel a function's running requests; returns their ids."""
        answer = self._rest.json("POST", path_of("functions", function_id, "stop"))
        ids: list[str] = answer["request_ids"]
        return ids

    def versions(self, function_id: str) -> Iterator[Version]:
        """Yield a function's versions, oldest first."""
        path = path_of("functions", function_id, "versions")
        return self._rest.pages(Version, path, "versions", {})

    def version(self, function_id: str, number: int) -> Version:
        """Return one version of a function."""
        for version in self.versions(function_id):
            if version.version == number:
                return version
        raise NotFoundError(f"the function has no version {number}")

    def build_log(self, function_id: str) -> str:
        """Return the log of a function's newest build."""
        content = self._rest.content(path_of("functions", function_id, "build-log"))
        return content.decode(errors="replace")

    def follow_build_log(self, function_id: str) -> Iterator[str]:
        """Yield the log of a function's newest build as it comes, until the build has ended."""
        return self._rest.follow(path_of("functions", function_id, "build-log"))

    # Secrets

    def put_secret(self, name: str, value: bytes) -> resources.Secret:
        """Keep a secret, in place of the one of its name."""
        try:
            said = {"value": value.decode(), "encoding": "text"}
        except UnicodeDecodeError:
            said = {"value": base64.b64encode(value).decode(), "encoding": "base64"}
        return resources.Secret(self._rest.send("POST", "/v1/secrets", {"name": name, **said}))

    def secrets(self) -> Iterator[resources.Secret]:
        """Yield the project's secrets, never a value."""
        return self._rest.pages(resources.Secret, "/v1/secrets", "secrets", {})

    def secret(self, name: str) -> bytes:
        """Return the value of a secret."""
        told = self._rest.json("GET", path_of("secrets", name), log=False)
        value: str = told["value"]
        return base64.b64decode(value) if told["encoding"] == "base64" else value.encode()

    def delete_secret(self, name: str) -> None:
        """Delete a secret."""
        self._rest.call("DELETE", path_of("secrets", name))

    # Requests

    def requests(self, most: int | None = None, **query: str | bool | None) -> Iterator[Request]:
        """Yield the project's requests, without their results: all of them, or only so many.

        ``query`` is as the API documents it: ``function_id``, ``dead``, ``root_id`` and others;
        newest first, if its ``sort`` says nothing else.
        """
        return self._rest.pages(Request, "/v1/requests", "requests", query, most)

    def request(self, request_id: str, payload: bool = False) -> Request:
        """Return a request with its result, and with what came in if that is asked for."""
        query = {"include": "payload"} if payload else {}
        return Request(self._rest.json("GET", path_of("requests", request_id), params=query))

    def wait_for_request(self, request_id: str, timeout: float | None = None) -> Request:
        """Return a request once it has succeeded; ``timeout`` is in seconds.

        Raises RequestFailedError where it ended otherwise, WaitTimeoutError.
        """
        ended = wait(lambda: self.request(request_id), lambda each: each.ended, timeout=timeout)
        return succeeded(ended)

    def request_log(self, request_id: str) -> bytes:
        """Return what a request has printed so far, which may be anything."""
        return self._rest.content(path_of("requests", request_id, "logs"))

    def follow_request_log(self, request_id: str) -> Iterator[str]:
        """Yield what a request prints as it comes, until it has ended."""
        return self._rest.follow(path_of("requests", request_id, "logs"))

    def cancel_request(self, request_id: str) -> None:
        """Cancel a request that has not ended: it will have soon."""
        self._rest.call("DELETE", path_of("requests", request_id))

    def replay_request(self, request_id: str) -> str:
        """Run a request that has ended once more; returns the id of the new one."""
        answer = self._rest.json("POST", path_of("requests", request_id, "replay"))
        return str(answer["request_id"])

    # API keys and quotas

    def api_keys(self) -> Iterator[resources.ApiKey]:
        """Yield the project's API keys, oldest first, each by its prefix alone."""
        return self._rest.pages(resources.ApiKey, "/v1/keys", "keys", {})

    def create_api_key(self, name: str, **settings: Unpack[KeySettings]) -> resources.ApiKey:
        """Make an API key; ``key`` of what this returns is all of it, and is not told again."""
        made: Json = {"name": name, **settings}
        if made.get("expires_at") is not None:
            made["expires_at"] = moment(made["expires_at"])
        return resources.ApiKey(self._rest.json("POST", "/v1/keys", json=made, log=False))

    def delete_api_key(self, prefix: str) -> None:
        """Revoke an API key. Of a whole one the prefix alone is sent: the rest is nobody's."""
        self._rest.call("DELETE", path_of("keys", "_".join(prefix.split("_", 2)[:2])))

    def quotas(self, project_id: str | None = None) -> list[resources.Quota]:
        """Return the quotas of the project, or of another one to an administrator."""
        query = {} if project_id is None else {"project_id": project_id}
        told = self._rest.json("GET", "/v1/quota", params=query)
        return [resources.Quota(each) for each in told["quotas"]]

    # The platform

    def runtimes(self) -> Iterator[resources.Runtime]:
        """Yield the runtimes that functions may use."""
        return self._rest.pages(resources.Runtime, "/v1/runtimes", "runtimes", {})

    def runtime(self, name: str) -> resources.Runtime:
        """Return one runtime."""
        return resources.Runtime(self._rest.json("GET", path_of("runtimes", name)))

    def daemons(self) -> Iterator[resources.Daemon]:
        """Yield the daemons of the platform."""
        return self._rest.pages(resources.Daemon, "/v1/cluster", "daemons", {})


def succeeded(request: Request) -> Request:
    """Return a request that has ended well; raises RequestFailedError for another."""
    if request.status != "success":
        reason, explanation = request.reason or request.status, request.message or ""
        raise RequestFailedError(request.request_id, reason, explanation)
    return request


def _result(answer: Any) -> Any:
    """Return what a function answered, as the service keeps it: what is no JSON is text, or bytes
    in base64.
    """
    content: bytes = answer.content
    is_json = answer.headers.get("Content-Type", "").partition(";")[0] == "application/json"
    with suppress(ValueError):
        return json.loads(content) if is_json else content.decode()
    return base64.b64encode(content).decode()
