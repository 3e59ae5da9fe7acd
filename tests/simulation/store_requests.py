"""Requests, their bodies and logs in a simulated store."""

from collections import Counter
from collections.abc import Collection, Sequence

from pratai_common.records import Body, LogChunk, Request, Status
from pratai_common.store.base import (
    Changed,
    Created,
    NewRequest,
    Page,
    Position,
    RequestChange,
    RequestFilter,
    Waiting,
)
from tests.simulation.store_calls import Called, served
from tests.simulation.tables import found, matches, paged

_QUEUED, _SCHEDULED, _RUNNING = Status.QUEUED, Status.SCHEDULED, Status.RUNNING


_Step = tuple[Request | None, Changed | None]
"""A request before a change, and what becomes of it, if anything does."""


class Requests(Called):
    """See Store for what each method does."""

    @served
    def create_requests(self, new: Sequence[NewRequest]) -> list[Created]:
        rows = self.contents.requests.rows
        created: list[Created] = []
        for each in new:
            if created:
                self.within("create_requests")
            request_id = each.request.request_id
            is_new = request_id not in rows
            if is_new:
                rows[request_id] = each.request
                _keep(self.contents.inputs, request_id, each.input)
                _keep(self.contents.results, request_id, each.result)
            created.append(Created(rows[request_id], is_new))
        return created

    @served
    def get_requests(self, request_ids: Sequence[str]) -> dict[str, Request]:
        return found(self.contents.requests.rows, request_ids)

    @served
    def list_requests(
        self, project_id: str | None, which: RequestFilter, page: Page
    ) -> list[Request]:
        def shown(request: Request) -> bool:
            return request.kind == "run" and matches(request, which)

        return paged(self.contents.requests, project_id, shown, page)

    @served
    def due_requests(
        self,
        now: int,
        limit: int,
        besides: Collection[str] = (),
        besides_projects: Collection[str] = (),
    ) -> list[Request]:
        due = [
            each
            for each in self.contents.requests.listed.values()
            if (each.status is _QUEUED or each.status is _SCHEDULED)
            and each.next_run_at <= now
            and each.function_id not in besides
            and each.project_id not in besides_projects
        ]
        return sorted(due, key=lambda each: each.next_run_at)[:limit]

    @served
    def count_waiting(self) -> Waiting:
        requests = self.contents.requests.listed.values()
        waiting = [each for each in requests if each.status is _QUEUED or each.status is _SCHEDULED]
        return Waiting(len(waiting), dict(Counter(each.project_id for each in waiting)))

    @served
    def count_requests(self, project_id: str) -> dict[Status, int]:
        requests = self.contents.requests.listed.values()
        runs = (each for each in requests if each.project_id == project_id and each.kind == "run")
        return dict(Counter(each.status for each in runs))

    @served
    def running_requests(self, limit: int) -> list[Request]:
        requests = self.contents.requests.listed.values()
        running = [each for each in requests if each.status is _RUNNING]
        return sorted(running, key=_started)[:limit]

    @served
    def following_requests(self, before: int, limit: int) -> list[Request]:
        requests = self.contents.requests.listed.values()
        following = [each for each in requests if each.following and _ended(each, before)]
        return sorted(following, key=_end)[:limit]

    @served
    def change_requests(self, changes: Sequence[RequestChange]) -> list[Request | None]:
        rows = self.contents.requests.rows
        after: list[Request | None] = []
        written = False
        for wanted, (old, changed) in zip(changes, self._planned(changes), strict=True):
            if changed is not None and written:
                self.within("change_requests")
                if rows.get(wanted.request_id) is not old:  # others have written meanwhile
                    old, changed = _applied(wanted, rows.get(wanted.request_id))
            after.append(old if changed is None else changed.request)
            if changed is not None:
                written = True
                rows[wanted.request_id] = changed.request
                _keep(self.contents.results, wanted.request_id, changed.result)
        return after

    def _planned(self, changes: Sequence[RequestChange]) -> list[_Step]:
        """Return what each change makes of what: nothing is written where one of them raises."""
        seen = dict(self.contents.requests.rows)
        planned = []
        for wanted in changes:
            old, changed = _applied(wanted, seen.get(wanted.request_id))
            if changed is not None:
                seen[wanted.request_id] = changed.request
            planned.append((old, changed))
        return planned

    @served
    def get_input(self, request_id: str) -> Body | None:
        return self.contents.inputs.get(request_id)

    @served
    def get_result(self, request_id: str) -> Body | None:
        return self.contents.results.get(request_id)

    @served
    def add_log_chunks(self, chunks: Sequence[LogChunk]) -> None:
        for number, each in enumerate(chunks):
            if number:
                self.within("add_log_chunks")
            key = (each.request_id, each.attempt, each.seq)
            self.contents.log_chunks.rows.setdefault(key, each)

    @served
    def log_chunks(
        self, request_id: str, after: Position | None = None, limit: int | None = None
    ) -> list[LogChunk]:
        first = (request_id, *(after or ()))
        chunks = self.contents.log_chunks.listed.items()
        behind = [item for item in chunks if item[0][0] == request_id and item[0] > first]
        return [chunk for _, chunk in sorted(behind, key=lambda item: item[0])][:limit]

    @served
    def delete_ended_requests(self, before: int, limit: int) -> int:
        """See Store. What has changed since it was listed stays."""
        contents = self.contents
        ended = [each for each in contents.requests.listed.values() if _ended(each, before)]
        gone = {
            each.request_id
            for each in sorted(ended, key=_end)[:limit]
            if contents.requests.rows.get(each.request_id) is each
        }
        for request_id in gone:
            del contents.requests.rows[request_id]
            contents.inputs.pop(request_id, None)
            contents.results.pop(request_id, None)
        for key in [key for key in contents.log_chunks.rows if key[0] in gone]:
            del contents.log_chunks.rows[key]
        return len(gone)


def _applied(wanted: RequestChange, old: Request | None) -> _Step:
    return old, None if old is None else wanted.apply(old)


def _keep(bodies: dict[str, Body], request_id: str, body: Body | None) -> None:
    """Keep a body, unless there is one."""
    if body is not None:
        bodies.setdefault(request_id, body)


def _waits(request: Request) -> bool:
    return request.status is _QUEUED or request.status is _SCHEDULED


def _ended(request: Request, before: int) -> bool:
    return request.status.final and _end(request) < before


def _end(request: Request) -> int:
    return request.created_at if request.finished_at is None else request.finished_at


def _started(request: Request) -> int:
    return request.created_at if request.started_at is None else request.started_at
