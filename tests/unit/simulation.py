"""A platform in one thread: simulated nodes and callers around the real scheduler and collector.

Messages wait in channels, in order as in a socket, until chance delivers or loses them. Faults are
switched on one by one; at the end they stop, and everything has to come to rest.
"""

import hashlib
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from pratai_common.errors import Reason, StoreUnavailableError
from pratai_common.messages import (
    Build,
    Cancel,
    Done,
    Ended,
    Heartbeat,
    Hello,
    Job,
    Message,
    NodeState,
    Result,
    Stored,
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
from pratai_common.store.base import Changed, Page, RequestChange, RequestFilter, Store
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Cause, Submitter, Trigger
from pratai_common.tokens import TokenKey
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.collector import Collector
from pratai_scheduler.collector import Sends as CollectorSends
from pratai_scheduler.dispatcher import Dispatcher
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.running import Sends
from tests.archives import in_folder

OUTPUT = Body(sha256=hashlib.sha256(b"1").hexdigest(), size=1, content=b"1")
Key = tuple[str, int]
SCHEDULER, COLLECTOR, API = "scheduler", "collector", "api"


class Faults(NamedTuple):
    """What may go wrong in a history."""

    lost_messages: bool = False
    scheduler_dies: bool = False
    nodes_die: bool = False
    store_fails: bool = False


class Flaky:
    """A store whose methods fail by chance, before or after they have done their work."""

    def __init__(self, store: Store, fails: Callable[[], bool]) -> None:
        self._store = store
        self._fails = fails

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*arguments: Any) -> Any:
            if self._fails():
                raise StoreUnavailableError(f"{name} was not done")
            result = method(*arguments)
            if self._fails():
                raise StoreUnavailableError(f"nothing is known of {name}")
            return result

        return call


class SimulatedNode:
    """What a node does with messages, without containers. Its spool outlives it."""

    def __init__(self, name: str, world: "Simulation") -> None:
        self.name = name
        self._world = world
        self.spool: dict[Key, Result] = {}
        self.starts = 0
        self.start()

    def start(self) -> None:
        """Start, as if it had been killed before."""
        self.starts += 1
        self.instance = f"{self.name}-{self.starts}"
        self.joined_at = self._world.now
        self.epoch = 0
        self.running: dict[Key, Job | Build] = {}
        self.ended: set[Key] = set()
        self.cancelled: set[str] = set()
        self._tell(Hello(state=self._state()))

    def receive(self, message: Any) -> None:
        """Handle a message as a node does."""
        if isinstance(message, Stored):
            result = self.spool.pop((message.request_id, message.attempt), None)
            if result is not None and result.reason is None:
                assert self._world.store.get_requests([result.request_id])[
                    result.request_id
                ].status.final
        elif message.epoch < self.epoch:
            return
        elif isinstance(message, Cancel):
            self.cancelled.add(str(message.request_id))
        elif message.instance == self.instance:
            self.epoch = message.epoch
            key = (message.request_id, message.attempt)
            if key not in self.running and key not in self.spool:
                self.running[key] = message
                self._world.runs[key].append(self.name)

    def heartbeat(self) -> None:
        """Give a sign of life, and send again what nobody acknowledged."""
        self._tell(Heartbeat(state=self._state()))
        for result in self.spool.values():
            self._world.send(self.name, COLLECTOR, result)

    def end_one(self, chance: random.Random, healthy: bool) -> None:
        """Let the code of one run end."""
        running = sorted(self.running.keys() - self.ended)
        if not running:
            return
        key = chance.choice(running)
        job = self.running[key]
        reason = chance.choice([None, None, "exception", "node_lost"])
        if healthy:
            reason = None
        if job.request_id in self.cancelled:
            reason = "cancelled"
        result = Result(
            request_id=job.request_id,
            attempt=job.attempt,
            node=job.node,
            epoch=job.epoch,
            project_id=job.project_id,
            token=job.token,
            ticket=job.ticket if isinstance(job, Job) else None,
            reason=reason,
            message=reason,
            output=OUTPUT if reason is None else None,
            started_at=self._world.now,
            finished_at=self._world.now,
        )
        self.ended.add(key)
        self.spool[key] = result
        self._tell(self._word(Ended, key))
        self._world.send(self.name, COLLECTOR, result)

    def clean_up_one(self, chance: random.Random) -> None:
        """Give back what a run that has ended took."""
        if self.ended:
            key = chance.choice(sorted(self.ended))
            self.ended.remove(key)
            del self.running[key]
            self._tell(self._word(Done, key))

    def _tell(self, message: Message) -> None:
        self._world.send(self.name, SCHEDULER, message)

    def _word(self, kind: type[Ended] | type[Done], key: Key) -> Message:
        return kind(node=self.name, instance=self.instance, request_id=key[0], attempt=key[1])

    def _state(self) -> NodeState:
        return NodeState(
            node=self.name,
            instance=self.instance,
            address=self.name,
            ip="1",
            pid=1,
            version="1",
            joined_at=self.joined_at,
            slots=3,
            memory=1500,
            runtimes={},
            running=tuple(
                (*key, job.package.function_id if isinstance(job, Job) else "")
                for key, job in self.running.items()
            ),
            spooled=tuple(self.spool),
        )


class Simulation:
    """See the module. ``runs`` says which nodes ran each attempt."""

    def __init__(self, folder: Path, seed: int, faults: Faults) -> None:
        self.chance = random.Random(seed)
        self.faults = faults
        self.now = 1_000_000
        self.calm = False
        self.channels: dict[tuple[str, str], deque[Any]] = defaultdict(deque)
        self.runs: dict[Key, list[str]] = defaultdict(list)
        self.answers: dict[str, list[str | None]] = defaultdict(list)
        self.waiting: dict[str, Submitted] = {}
        self.finals: dict[str, Request] = {}
        self.most_running: Counter[str] = Counter()
        self.submitted = 0
        self.thought_lost = False
        self.store = SQLiteStore(folder / f"{seed}.sqlite")
        self.store.create_schema()
        flaky: Any = Flaky(self.store, self._store_fails)
        self._flaky = flaky
        self._key = TokenKey(b"key")
        self._archives = in_folder(folder / "archives")
        self.functions = [
            self._function(1, on_failure="e", max_age=5),
            self._function(2, limit=2),
            self._function(3, memory=900),
        ]
        self.store.create_event(
            Event(event_id="e", project_id="p", user_id="u", name="e", created_at=1, updated_at=1)
        )
        self._subscribe("f2", "response", "f1", outcome="success")
        self._subscribe("f3", "response", "f1", outcome="failure")
        self._subscribe("f3", "response", "f2")
        self._subscribe("f3", "message", "e")
        self._submitter = Submitter(self.store, self._archives, self._hint, lambda: self.now)
        self.nodes: dict[str, SimulatedNode] = {}
        self.collector = Collector(
            flaky,
            self._archives,
            self._key,
            CollectorSends(
                to_node=lambda name, message: self.send(COLLECTOR, name, message),
                to_api=lambda _, message: self.send(COLLECTOR, API, message),
                to_scheduler=lambda message: self.send(COLLECTOR, SCHEDULER, message),
                apis=lambda: frozenset({API}),
            ),
            lambda: self.now,
        )
        self.dispatcher: Dispatcher
        self.schedulers = 0
        self.former: list[Dispatcher] = []
        self.pace = [self.chance.choice([0.3, 1, 3]) for _ in range(4)]
        self.start_scheduler()
        self.nodes = {name: SimulatedNode(name, self) for name in ("n1", "n2", "n3")}

    # Wires

    def send(self, source: str, target: str, message: Any) -> bool:
        """Put a message on its way; chance may lose it."""
        if source == SCHEDULER and getattr(message, "reason", None) == Reason.NODE_LOST:
            self.thought_lost = True
        lossy = self.faults.lost_messages and not self.calm
        if not (lossy and self.chance.random() < 0.15):
            self.channels[source, target].append(message)
        return True

    def deliver_one(self) -> None:
        """Deliver what waits longest in some channel."""
        waiting = [wire for wire, messages in self.channels.items() if messages]
        if waiting:
            wire = self.chance.choice(waiting)
            self._take(wire[1], self.channels[wire].popleft())

    def deliver_all(self) -> None:
        """Deliver everything, and what comes of it."""
        while any(self.channels.values()):
            self.deliver_one()

    def _take(self, target: str, message: Any) -> None:
        if target == SCHEDULER:
            with suppress(StoreUnavailableError):
                self.dispatcher.receive([message])
        elif target == COLLECTOR:
            with suppress(StoreUnavailableError), self._no_success_is_lost(message):
                self.collector.receive([message])
        elif target == API:
            self.waiting.pop(message.request_id, None)
            self.answers[message.request_id].append(message.reason)
        else:
            self.nodes[target].receive(message)
        self._count_running()

    @contextmanager
    def _no_success_is_lost(self, message: Any) -> Iterator[None]:
        """Check that a success is what a request ends with, unless it had ended already."""
        succeeds = isinstance(message, Result) and message.reason is None
        ids = [message.request_id]
        before = self.store.get_requests(ids).get(message.request_id) if succeeds else None
        yield
        if succeeds and (before is None or not before.status.final):
            after = self.store.get_requests(ids)[message.request_id]
            assert (after.status, after.reason) == (Status.SUCCESS, None)
            assert self.store.get_result(message.request_id) == OUTPUT

    def _hint(self, message: Message) -> bool:
        return self.send(API, SCHEDULER, message)

    def _store_fails(self) -> bool:
        return self.faults.store_fails and not self.calm and self.chance.random() < 0.05

    # Daemons

    def start_scheduler(self) -> None:
        """Start one, as if another had been killed before."""
        self.schedulers += 1
        if self.schedulers > 1:
            self.former.append(self.dispatcher)
        name = f"{SCHEDULER}{self.schedulers}"
        self.dispatcher = Dispatcher(
            self._flaky,
            Assignments(self._key, lambda: self.now, self._archives.url, 3600),
            Leadership(self._flaky, name, lease_ms=5_000, settle_ms=2_000),
            Nodes(lease_ms=10_000, adopt_ms=5_000),
            Sends(
                lambda address, message: self.send(SCHEDULER, address, message),
                lambda message: self.send(SCHEDULER, COLLECTOR, message),
                lambda _, message: self.send(SCHEDULER, API, message),
            ),
            lambda: self.now,
            500,
            5_000,
            window_requests=12,
        )

    def wake_former(self) -> None:
        """Let a former scheduler go on for a moment, as if it had only been stopped."""
        if self.former:
            with suppress(StoreUnavailableError):
                self.chance.choice(self.former).receive([])
            with suppress(StoreUnavailableError):
                self.chance.choice(self.former).tick()

    def pass_second(self) -> None:
        """Let a second pass: signs of life, a tick, waits that end."""
        self.now += 1000
        for node in self.nodes.values():
            node.heartbeat()
        with suppress(StoreUnavailableError):
            self.dispatcher.tick()
        with suppress(StoreUnavailableError):
            self.collector.tick()
        for identity, call in list(self.waiting.items()):
            if call.request.expires_at < self.now:
                del self.waiting[identity]
                [function] = self.store.get_functions([call.request.function_id]).values()
                self._submitter.record_call(call, function)
        self._count_running()

    # Callers

    def submit(self) -> None:
        """Have something happen: a recorded event, or a call that somebody waits for."""
        self.submitted += 1
        function = self.chance.choice(self.functions)
        event = Trigger(
            function=function,
            user_id="u",
            cause=Cause("http", str(self.submitted)),
            payload=b"1",
            reply_to=self.chance.choice([None, API]),
        )
        if self.chance.random() < 0.5:
            self._submitter.run(event)
            return
        call = self._submitter.call(
            replace(event, reply_to=API), self.chance.choice([0, 3000, 30_000])
        )
        assert call is not None
        self.waiting[call.request.request_id] = call

    def cancel(self) -> None:
        """Wish the end of something that has not ended."""
        open_ = [each for each in self.records() if not each.status.final]
        if open_:
            identity = self.chance.choice(open_).request_id

            def wish(old: Request) -> Changed | None:
                return (
                    None
                    if old.status.final
                    else Changed(replace(old, cancel_requested_at=self.now))
                )

            self.store.change_requests([RequestChange(identity, wish)])
            self.send(API, SCHEDULER, Cancel(request_id=identity))

    # A history

    def step(self) -> None:
        """Let one thing happen."""
        node = self.chance.choice(list(self.nodes.values()))
        steps: list[tuple[float, Callable[[], object]]] = [
            (8 * self.pace[0], self.deliver_one),
            (2, self.submit),
            (0.3, self.cancel),
            (3 * self.pace[1], lambda: node.end_one(self.chance, healthy=False)),
            (2 * self.pace[2], lambda: node.clean_up_one(self.chance)),
            (1.5 * self.pace[3], self.pass_second),
        ]
        if self.faults.scheduler_dies:
            steps += [(0.1, self.start_scheduler), (0.1, self.wake_former)]
        if self.faults.nodes_die:
            steps.append((0.15, node.start))
        weights = [weight for weight, _ in steps]
        self.chance.choices([act for _, act in steps], weights)[0]()

    def come_to_rest(self) -> None:
        """Let all faults end, and all work."""
        self.calm = True
        for _ in range(240):
            self.deliver_all()
            for node in self.nodes.values():
                for _ in range(4):
                    node.end_one(self.chance, healthy=True)
                    node.clean_up_one(self.chance)
            self.deliver_all()
            self.pass_second()
            if self._at_rest():
                break
        for _ in range(20):
            self.deliver_all()
            self.pass_second()
        self.deliver_all()

    def _at_rest(self) -> bool:
        """Say whether nothing is left to be done, nor to be told of again."""
        ended = all(each.status.final and not each.following for each in self.records())
        return ended and not self.waiting and not any(each.spool for each in self.nodes.values())

    def records(self) -> list[Request]:
        """Return all that is recorded."""
        return self.store.list_requests("p", RequestFilter(), Page(1000))

    def _count_running(self) -> None:
        """Note how many runs of a function there were at a time."""
        running: Counter[str] = Counter()
        for node in self.nodes.values():
            for key in node.running.keys() - node.ended:
                job = node.running[key]
                running[job.package.function_id] += isinstance(job, Job)
        self.most_running |= running

    def check_finals(self) -> None:
        """Check that what has ended stays as it ended."""
        for record in self.records():
            if record.status.final:
                ended = replace(record, following=False)
                assert ended == self.finals.setdefault(record.request_id, ended)

    def _function(self, number: int, **values: Any) -> Function:
        made = Function(
            function_id=f"f{number}",
            project_id="p",
            user_id="u",
            name=f"f{number}",
            status=FunctionStatus.ACTIVE,
            version=1,
            retries=number - 1,
            created_at=1,
            updated_at=1,
            **values,
        )
        self.store.create_function(made)
        self.store.create_version(
            Version(
                function_id=made.function_id,
                number=1,
                project_id="p",
                runtime="python3",
                archive_sha256="s",
                size=1,
                build_request_id="b",
                created_at=1,
            )
        )
        return made

    def _subscribe(
        self, function_id: str, kind: Literal["message", "response"], topic: str, **values: Any
    ) -> None:
        self.store.create_subscription(
            Subscription(
                subscription_id=f"{function_id} to {topic}",
                function_id=function_id,
                project_id="p",
                user_id="u",
                kind=kind,
                event_id=topic,
                created_at=1,
                **values,
            )
        )
