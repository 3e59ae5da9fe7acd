"""What is said about one attempt: the job for its node, or a verdict for the collector."""

import hashlib
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from pratai_common.clock import Clock, now_us
from pratai_common.errors import Reason
from pratai_common.messages import Build, Job, Message, Package, Result, Submitted
from pratai_common.node_urls import NodeUrls
from pratai_common.records import Attempt, Body, Function, Request, Timing, Version
from pratai_common.tokens import TokenKey
from pratai_scheduler.node import Node

Address = Callable[[str, int], str]
"""Gives the address of an archive by its sha256, valid until a time in seconds since 1970."""


class Assignments:
    """Makes messages that carry a token for the attempt they speak of.

    Archives are named in them by addresses that are valid for ``url_seconds``, and so is where a
    node gets what the function needs beside its code: from the API, which it reaches at
    ``node_url``.
    """

    def __init__(
        self,
        key: TokenKey,
        clock: Clock,
        address: Address,
        url_seconds: int,
        microseconds: Clock = now_us,
        node_url: str = "",
    ) -> None:
        self._key = key
        self._urls = NodeUrls(node_url, key)
        self._clock = clock
        self._address = address
        self._url_seconds = url_seconds
        self._microseconds = microseconds
        self._second = 0
        self._packages: dict[tuple[str, int], Package] = {}

    def build(self, request: Request, version: Version, attempt: Attempt, node: Node) -> Message:
        """Return the job of making a version's image; raises ArchivesUnavailableError."""
        return Build(
            **self._claim(request, attempt.number, attempt.node, attempt.epoch),
            instance=node.state.instance,
            package=self._package(version),
            take_by=node.take_by((request.request_id, attempt.number)),
        )

    def run(
        self,
        request: Request,
        function: Function,
        version: Version,
        attempt: Attempt,
        node: Node,
        body: Body,
        call: Submitted | None,
    ) -> Message:
        """Return the job of running a request; ``call`` is all there is of one in no store.

        Raises ArchivesUnavailableError.
        """
        return Job(
            **self._claim(request, attempt.number, attempt.node, attempt.epoch),
            instance=node.state.instance,
            package=self._package(version),
            function_name=function.name,
            memory=function.memory,
            cpus=function.cpus,
            timeout=function.timeout,
            network=function.network,
            isolation=function.isolation,
            spares=function.spares,
            environment=function.environment,
            source=request.source,
            event=request.event,
            created_at=request.created_at,
            input=body,
            input_url=None if body.content is not None else self._url(body.sha256),
            counted=function.limit is not None,
            ticket=None if call is None else self._key.ticket(call),
            take_by=node.take_by((request.request_id, attempt.number)),
            timing=replace(_accepted(request), dispatched=self._microseconds()),
            **self._needs(request, function),
        )

    def lost(self, request: Request, attempt: Attempt) -> Message:
        """Return the verdict that an attempt's node is gone; ``attempt`` may be in no record.

        It does not come from the node, which must not take the answer for one to its own result.
        """
        name = f"node {attempt.node}" if attempt.node else "the node that had it"
        return Result(
            **self._claim(request, attempt.number, "", attempt.epoch),
            reason=Reason.NODE_LOST,
            message=f"{name} was lost while it ran this",
            started_at=attempt.started_at,
            finished_at=self._clock(),
        )

    def refused(self, request: Request, epoch: int, reason: Reason, message: str) -> Message:
        """Return the verdict on a request that does not run."""
        now = self._clock()
        return Result(
            **self._claim(request, request.attempt, "", epoch),
            reason=reason,
            message=message,
            started_at=now,
            finished_at=now,
        )

    def _needs(self, request: Request, function: Function) -> dict[str, Any]:
        """Return what a job says of the function's secrets, and of its owner's right."""
        if not needs_provisions(function):
            return {}
        expires = self._clock() // 1000 + self._url_seconds
        url = self._urls.secrets(function.function_id, request.request_id, expires)
        return {
            "secrets": function.secrets,
            "delegated": function.trust is not None and function.trust.asked,
            "secrets_url": url,
            "trust": None if function.trust is None else _digest(function.trust.trust_id),
        }

    def _claim(self, request: Request, attempt: int, node: str, epoch: int) -> dict[str, Any]:
        token = self._key.mint(request.request_id, attempt, node, epoch, request.project_id)
        return {
            "request_id": request.request_id,
            "attempt": attempt,
            "node": node,
            "epoch": epoch,
            "project_id": request.project_id,
            "token": token,
        }

    def _package(self, version: Version) -> Package:
        """Return a version's package; many jobs of a second have the same address of it."""
        second = self._clock() // 1000
        if second != self._second:
            self._second = second
            self._packages.clear()
        key = (version.function_id, version.number)
        if key not in self._packages:
            self._packages[key] = self._make_package(version)
        return self._packages[key]

    def _make_package(self, version: Version) -> Package:
        return Package(
            project_id=version.project_id,
            function_id=version.function_id,
            version=version.number,
            runtime=version.runtime,
            archive_sha256=version.archive_sha256,
            archive_url=self._url(version.archive_sha256),
        )

    def _url(self, sha256: str) -> str:
        return self._address(sha256, self._clock() // 1000 + self._url_seconds)


def needs_provisions(function: Function) -> bool:
    """Say whether a function needs something beside its code, which not every node gives it."""
    return bool(function.secrets) or (function.trust is not None and function.trust.asked)


def _digest(trust_id: str) -> str:
    """Return what tells one trust from another, and is none."""
    return hashlib.sha256(trust_id.encode()).hexdigest()[:32]


def _accepted(request: Request) -> Timing:
    """Return the timing of a request that was accepted; an earlier release recorded less of it."""
    return request.timing or Timing(accepted=request.created_at * 1000)
