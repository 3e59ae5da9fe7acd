"""A scheduler and a collector on a real store, with a clock and a wire of the test's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.errors import ArchivesUnavailableError, StoreUnavailableError
from pratai_common.messages import (
    Build,
    Done,
    Ended,
    Heartbeat,
    Hello,
    Job,
    Message,
    NodeState,
    Result,
    Submitted,
)
from pratai_common.records import (
    Body,
    Event,
    Function,
    FunctionStatus,
    Request,
    Status,
    Subscription,
    Version,
)
from pratai_common.store.base import Changed, NewRequest, Page, RequestChange, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.store.sqlite_access import Access
from pratai_common.submit import Submitter
from pratai_common.tokens import create_key, load_key
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.collector import Collector, Observers
from pratai_scheduler.collector import Sends as CollectorSends
from pratai_scheduler.dispatcher import Dispatcher
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.running import Sends
from tests.archives import in_folder

BODY = Body(sha256="s", size=1, content=b"1")
DAY_MS = 24 * 3600 * 1000


class Away(SQLiteStore):
    """A store that is away while ``away`` is set: no request is changed or created in it, and
    while ``silent`` is set nothing is read. ``reads`` counts.
    """

    away = False
    silent = False
    reads = 0

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._access.read = self._read  # type: ignore[method-assign]

    def change_requests(self, changes: Sequence[RequestChange]) -> list[Request | None]:
        self._require(not self.away)
        return super().change_requests(changes)

    def create_requests(self, new: Sequence[NewRequest]) -> list[Any]:
        self._require(not self.away)
        return super().create_requests(new)

    def _read(self, do: Any) -> Any:
        self._require(not self.silent)
        self.reads += 1
        return Access.read(self._access, do)

    def _rows(self, statement: str, values: dict[str, str]) -> list[Any]:
        self._require(not self.silent)
        self.reads += 1
        return super()._rows(statement, values)

    def _require(self, condition: bool) -> None:
        if not condition:
            raise StoreUnavailableError("away")


def node_state(**values: Any) -> NodeState:
    """Return what the node ``n`` says of itself."""
    given: dict[str, Any] = {
        "node": "n",
        "instance": "i",
        "address": "a",
        "ip": "1",
        "pid": 1,
        "version": "v",
        "joined_at": 0,
        "slots": 4,
        "memory": 4096,
        "runtimes": {},
        "provisions": True,
        **values,
    }
    return NodeState(**given)


class World:
    """A scheduler and a collector; what they send is kept, and delivered by the test."""

    def __init__(self, folder: Path, store: Any = None) -> None:
        self.now = 1_000_000
        self.window_requests = limits.WINDOW_REQUESTS
        self.alone = True
        self.schedulers = 0
        self.weights: dict[str, int] = {}
        self.most_runs = -1
        self.revoked: set[str] = set()
        self.store: Any = store or Away(folder / "store.sqlite")
        self.store.create_schema()
        create_key(folder / "key")
        self.key = load_key(folder / "key")
        self.archives = in_folder(folder / "archives")
        self.archives_away = False
        self.to_nodes: list[Any] = []
        self.to_collector: list[Any] = []
        self.acknowledged: list[Any] = []
        self.answers: list[Any] = []
        self.hints: list[Any] = []
        self.apis = {"api"}
        self.settled: list[tuple[Request, bool]] = []
        self.submitted: list[Request] = []
        self.collector = self.new_collector()
        self.restart()

    def new_collector(self) -> Collector:
        return Collector(
            self.store,
            self.archives,
            self.key,
            CollectorSends(
                to_node=lambda _node, message: self.acknowledged.append(message),
                to_api=lambda _name, message: self.answers.append(message),
                to_scheduler=self.hints.append,
                apis=lambda: frozenset(self.apis),
            ),
            lambda: self.now,
            observers=Observers(
                lambda request, called: self.settled.append((request, called)),
                lambda request, _called: self.submitted.append(request),
            ),
        )

    def new_dispatcher(self) -> Dispatcher:
        self.schedulers += 1
        return Dispatcher(
            self.store,
            Assignments(self.key, lambda: self.now, self._address, 3600),
            Leadership(
                self.store,
                f"s{self.schedulers}",
                lease_ms=5_000,
                settle_ms=2_000,
                node_lease_ms=10_000,
            ),
            Nodes(lease_ms=10_000, adopt_ms=5_000),
            Sends(
                self._to_node,
                self._to_collector,
                lambda _name, message: self.answers.append(message),
            ),
            lambda: self.now,
            1024,
            5_000,
            self.window_requests,
            self.weights,
            alone=self.alone,
            knows_node=lambda name: name not in self.revoked,
            most_runs=self.most_runs,
        )

    def restart(self) -> None:
        """Be a new scheduler, as after a kill -9 whose lease has ended."""
        self.now += 10_000
        self.dispatcher = self.new_dispatcher()
        self.dispatcher.tick()

    def _address(self, sha256: str, expires: int) -> str:
        if self.archives_away:
            raise ArchivesUnavailableError("away")
        return self.archives.url(sha256, expires)

    def _to_node(self, _node: NodeState, message: Message) -> bool:
        self.to_nodes.append(message)
        return True

    def _to_collector(self, message: Message) -> bool:
        self.to_collector.append(message)
        return True

    # What happens

    def pass_time(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.dispatcher.tick()

    def pass_seconds(self, seconds: int, **values: Any) -> None:
        """Let seconds pass, in each of which the node gives a sign of life."""
        for _ in range(seconds):
            self.heartbeat(**values)
            self.pass_time(1000)

    def heartbeat(self, kind: type[Hello] | type[Heartbeat] = Heartbeat, **values: Any) -> None:
        self.dispatcher.receive([kind(state=node_state(**values))])

    def function(self, function_id: str = "f", **values: Any) -> Function:
        given: dict[str, Any] = {
            "project_id": "p",
            "status": FunctionStatus.ACTIVE,
            "version": 1,
            "created_at": 1,
            "updated_at": 1,
            **values,
        }
        function = Function(function_id=function_id, user_id="u", name=function_id, **given)
        self.store.create_function(function)
        self.store.create_version(
            Version(
                function_id=function_id,
                number=1,
                project_id=function.project_id,
                runtime="python3",
                archive_sha256="s",
                size=1,
                build_request_id="b",
                created_at=1,
            )
        )
        return function

    def subscribe(
        self,
        function_id: str,
        topic: str,
        kind: Literal["message", "response"] = "response",
        **values: Any,
    ) -> None:
        """Have a function follow another one, or what happens on an event."""
        given = {"project_id": "p", "user_id": f"owner of {function_id}", "created_at": 1, **values}
        name = f"{function_id} to {topic} {len(self.store.subscriptions_of(function_id))}"
        self.store.create_subscription(
            Subscription(
                subscription_id=name, function_id=function_id, kind=kind, event_id=topic, **given
            )
        )

    def event(self, event_id: str = "e", **values: Any) -> Event:
        given = {"project_id": "p", "name": event_id, "created_at": 1, "updated_at": 1, **values}
        event = Event(event_id=event_id, user_id="u", **given)
        self.store.create_event(event)
        return event

    def request(self, request_id: str = "r", body: Body = BODY, **values: Any) -> Request:
        request = self._request(request_id, **values)
        self.store.create_requests([NewRequest(request, None if request.kind == "build" else body)])
        return request

    def call(self, request_id: str = "c", wait_ms: int = 60_000, **values: Any) -> Submitted:
        """Have somebody call, who waits at the API."""
        given = {"reply_to": "api", "expires_at": self.now + wait_ms, **values}
        call = Submitted(request=self._request(request_id, **given), input=BODY, recorded=False)
        self.dispatcher.receive([call])
        return call

    def detach(self, call: Submitted) -> None:
        """Be the API whose caller waits no longer."""
        function = self.store.get_functions([call.request.function_id])[call.request.function_id]
        submitter = Submitter(self.store, self.archives, lambda _: True, lambda: self.now)
        submitter.record_call(call, function)

    def _request(self, request_id: str, **values: Any) -> Request:
        given: dict[str, Any] = {
            "function_id": "f",
            "project_id": "p",
            "created_at": self.now,
            "next_run_at": self.now,
            "expires_at": self.now + DAY_MS,
            **values,
        }
        return Request(request_id=request_id, user_id="u", source="http", **given)

    def wish_cancelled(self, request_id: str = "r") -> None:
        """Be the API that recorded the wish; the scheduler is told by the test, or not."""

        def apply(old: Request) -> Changed:
            return Changed(replace(old, cancel_requested_at=self.now))

        self.store.change_requests([RequestChange(request_id, apply)])

    def result(self, job: Job | Build, **values: Any) -> Result:
        given: dict[str, Any] = {
            "started_at": self.now,
            "finished_at": self.now,
            "ticket": job.ticket if isinstance(job, Job) else None,
            **values,
        }
        return Result(
            request_id=job.request_id,
            attempt=job.attempt,
            node=job.node,
            epoch=job.epoch,
            project_id=job.project_id,
            token=job.token,
            **given,
        )

    def end(self, job: Job | Build, **values: Any) -> None:
        """Be the node that ends a job, and the collector that is told."""
        self.collector.receive([self.result(job, **values)])
        claim = {"node": job.node, "instance": job.instance, "request_id": job.request_id}
        self.dispatcher.receive(
            [Ended(**claim, attempt=job.attempt), Done(**claim, attempt=job.attempt)]
        )

    def deliver(self) -> list[str]:
        """Bring the scheduler's verdicts to the collector; returns their reasons."""
        verdicts, self.to_collector = self.to_collector, []
        self.collector.receive(verdicts)
        return [verdict.reason for verdict in verdicts]

    # What is

    @property
    def jobs(self) -> list[tuple[str, int, str]]:
        """Return request, attempt and node of each job that was sent."""
        return [
            (each.request_id, each.attempt, each.node)
            for each in self.to_nodes
            if isinstance(each, Job | Build)
        ]

    def stored(self, request_id: str = "r") -> Request:
        return self.store.get_requests([request_id])[request_id]

    def descend(self, parent_id: str = "r") -> list[Request]:
        """Return what followed from the end of a request."""
        return self.store.list_requests(None, RequestFilter(parent_id=parent_id), Page(1000))

    def status(self, request_id: str = "r") -> tuple[Status, str | None]:
        stored = self.stored(request_id)
        return stored.status, stored.reason
