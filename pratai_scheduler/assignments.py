"""What is said about one attempt: the job for its node, or a verdict for the collector."""

from collections.abc import Callable
from typing import Any

from pratai_common.clock import Clock
from pratai_common.errors import Reason
from pratai_common.messages import Build, Job, Message, Package, Result, Submitted
from pratai_common.records import Attempt, Body, Function, Request, Version
from pratai_common.tokens import TokenKey
from pratai_scheduler.nodes import Node

Address = Callable[[str, int], str]
"""Gives the address of an archive by its sha256, valid until a time in seconds since 1970."""


class Assignments:
    """Makes messages that carry a token for the attempt they speak of.

    Archives are named in them by addresses that are valid for ``url_seconds``.
    """

    def __init__(self, key: TokenKey, clock: Clock, address: Address, url_seconds: int) -> None:
        self._key = key
        self._clock = clock
        self._address = address
        self._url_seconds = url_seconds

    def build(self, request: Request, version: Version, attempt: Attempt, node: Node) -> Message:
        """Return the job of making a version's image; raises ArchivesUnavailableError."""
        return Build(
            **self._claim(request, attempt.number, attempt.node, attempt.epoch),
            instance=node.state.instance,
            package=self._package(version),
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
            environment=function.environment,
            source=request.source,
            event=request.event,
            created_at=request.created_at,
            input=body,
            input_url=None if body.content is not None else self._url(body.sha256),
            ticket=None if call is None else self._key.ticket(call),
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
