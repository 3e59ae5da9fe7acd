"""Pratai's REST interface as methods. Answers are dictionaries, as the API documents them."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from keystoneauth1 import adapter

from prataiclient.errors import NotFoundError
from prataiclient.rest import Json, Rest, is_of_function, path_of


class Called(NamedTuple):
    """What a call was answered: the id of its request, and the result if that has ended."""

    request_id: str
    ended: bool
    result: Any


class Client:
    """Speaks to one API through a keystoneauth adapter. What methods raise: see ``Rest``."""

    def __init__(self, connection: adapter.Adapter) -> None:
        self._rest = Rest(connection)

    # Functions

    def create_function(self, package: Path, settings: Mapping[str, Any]) -> Json:
        """Upload a zip as a new function, which is being built when this returns."""
        return self._rest.upload("POST", "/v1/functions", package, settings)

    def functions(self, name: str | None = None, all_projects: bool = False) -> Iterator[Json]:
        """Yield the project's functions, newest first; an administrator may see all projects'."""
        query = {"name": name, "all_projects": all_projects}
        return self._rest.pages("/v1/functions", "functions", query)

    def function(self, name_or_id: str) -> Json:
        """Return the function with this id, or this name."""
        if name_or_id == "running":  # reserved, because the API answers something else there
            raise NotFoundError("there is no function running")
        try:
            return self._rest.json("GET", path_of("functions", name_or_id))
        except NotFoundError:
            for function in self.functions(name=name_or_id):
                return function
            raise

    def update_function(self, function_id: str, settings: Mapping[str, Any]) -> Json:
        """Change a function's settings, or the version that serves; returns the function."""
        return self._rest.send("PATCH", path_of("functions", function_id), settings)

    def upload_version(self, function_id: str, package: Path, settings: Mapping[str, Any]) -> Json:
        """Upload a function's next version, which is being built when this returns."""
        return self._rest.upload("PATCH", path_of("functions", function_id), package, settings)

    def delete_function(self, function_id: str) -> None:
        """Delete a function."""
        self._rest.call("DELETE", path_of("functions", function_id))

    def execute(
        self,
        function_id: str,
        payload: Any,
        key: str | None = None,
        not_before: str | None = None,
    ) -> Called:
        """Call a function; raises RequestFailedError if the service waited and it failed.

        ``key`` is an Idempotency-Key: a call repeated with it is the same request. It runs at
        ``not_before`` at the earliest.
        """
        body = {"payload": payload} | ({} if not_before is None else {"not_before": not_before})
        path = path_of("functions", function_id)
        # What a function answers must not get it called twice, nor our token sent elsewhere.
        once = {"allow_reauth": False, "redirect": False}
        answer = self._rest.call("POST", path, json=body, headers=_key(key), **once)
        if answer.status_code == 202 and not is_of_function(answer):
            return Called(answer.json()["request_id"], False, None)
        return Called(answer.headers["X-Pratai-Request-Id"], True, _result(answer))

    def running_functions(self) -> Iterator[Json]:
        """Yield the functions that run, with the ids of their running requests."""
        return self._rest.pages("/v1/functions/running", "functions", {})

    def stop_function(self, function_id: str) -> list[str]:
        """Cancel a function's running requests; returns their ids."""
        ids: list[str] = self._rest.json("POST", path_of("functions", function_id, "stop"))[
            "request_ids"
        ]
        return ids

    def versions(self, function_id: str) -> Iterator[Json]:
        """Yield a function's versions, oldest first."""
        return self._rest.pages(path_of("functions", function_id, "versions"), "versions", {})

    def version(self, function_id: str, number: int) -> Json:
        """Return one version of a function."""
        for version in self.versions(function_id):
            if version["version"] == number:
                return version
        raise NotFoundError(f"the function has no version {number}")

    def build_log(self, function_id: str) -> str:
        """Return the log of a function's newest build."""
        return self._rest.content(path_of("functions", function_id, "build-log")).decode(
            errors="replace"
        )

    def follow_build_log(self, function_id: str) -> Iterator[str]:
        """Yield the log of a function's newest build as it comes, until the build has ended."""
        return self._rest.follow(path_of("functions", function_id, "build-log"))

    # Subscriptions

    def subscriptions(self, function_id: str) -> Iterator[Json]:
        """Yield a function's subscriptions, oldest first."""
        return self._rest.pages(
            path_of("functions", function_id, "subscriptions"), "subscriptions", {}
        )

    def create_subscription(self, function_id: str, settings: Mapping[str, Any]) -> Json:
        """Subscribe a function to an event."""
        path = path_of("functions", function_id, "subscriptions")
        return self._rest.send("POST", path, settings)

    def update_subscription(
        self, function_id: str, subscription_id: str, settings: Mapping[str, Any]
    ) -> Json:
        """Change a subscription."""
        path = path_of("functions", function_id, "subscriptions", subscription_id)
        return self._rest.send("PATCH", path, settings)

    def delete_subscription(self, function_id: str, subscription_id: str) -> None:
        """Delete a subscription."""
        self._rest.call(
            "DELETE", path_of("functions", function_id, "subscriptions", subscription_id)
        )

    # Events

    def events(self, name: str | None = None, all_projects: bool = False) -> Iterator[Json]:
        """Yield the project's events, newest first; an administrator may see all projects'."""
        query = {"name": name, "all_projects": all_projects}
        return self._rest.pages("/v1/events", "events", query)

    def event(self, name_or_id: str) -> Json:
        """Return the event with this id, or this name."""
        try:
            return self._rest.json("GET", path_of("events", name_or_id))
        except NotFoundError:
            for event in self.events(name=name_or_id):
                return event
            raise

    def create_event(self, settings: Mapping[str, Any]) -> Json:
        """Make an event."""
        return self._rest.send("POST", "/v1/events", settings)

    def update_event(self, event_id: str, settings: Mapping[str, Any]) -> Json:
        """Change an event."""
        return self._rest.send("PATCH", path_of("events", event_id), settings)

    def delete_event(self, event_id: str) -> None:
        """Delete an event, and the enabled subscriptions to it."""
        self._rest.call("DELETE", path_of("events", event_id))

    def publish(
        self,
        event_id: str,
        body: bytes,
        content_type: str = "application/json",
        key: str | None = None,
        not_before: str | None = None,
    ) -> Json:
        """Publish JSON data, or CloudEvents, on an event; returns the requests that it caused.

        ``key`` is an Idempotency-Key, ``not_before`` the time at which these run at the earliest.
        """
        headers = {"Content-Type": content_type, **_key(key)}
        query = {} if not_before is None else {"not_before": not_before}
        path = path_of("events", event_id)
        return self._rest.json("POST", path, data=body, headers=headers, params=query)

    # Requests

    def requests(self, most: int | None = None, **query: str | bool | None) -> Iterator[Json]:
        """Yield the project's requests, without their results: all of them, or only so many.

        ``query`` is as the API documents it: ``function_id``, ``dead``, ``root_id`` and others;
        newest first, if its ``sort`` says nothing else.
        """
        return self._rest.pages("/v1/requests", "requests", query, most)

    def request(self, request_id: str, payload: bool = False) -> Json:
        """Return a request with its result, and with what came in if that is asked for."""
        query = {"include": "payload"} if payload else {}
        return self._rest.json("GET", path_of("requests", request_id), params=query)

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

    # The platform

    def runtimes(self) -> Iterator[Json]:
        """Yield the runtimes that functions may use."""
        return self._rest.pages("/v1/runtimes", "runtimes", {})

    def runtime(self, name: str) -> Json:
        """Return one runtime."""
        return self._rest.json("GET", path_of("runtimes", name))

    def daemons(self) -> Iterator[Json]:
        """Yield the daemons of the platform."""
        return self._rest.pages("/v1/cluster", "daemons", {})


def _key(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


def _result(answer: Any) -> Any:
    """Return what a function answered, as the service keeps it: what is no JSON is text, or bytes
    in base64.
    """
    content: bytes = answer.content
    is_json = answer.headers.get("Content-Type", "").partition(";")[0] == "application/json"
    with suppress(ValueError):
        return json.loads(content) if is_json else content.decode()
    return base64.b64encode(content).decode()
