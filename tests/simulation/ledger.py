"""What must hold, at every write and after every step, whatever befalls the daemons.

It keeps what clients were told, what ran and what nodes put into their spools, and compares with
that all that is written and sent. Nothing that it says is known to the daemons.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.errors import Reason
from pratai_common.messages import Build, Job, Message, Result, Stored
from pratai_common.records import Attempt, FunctionStatus, Request, Status
from pratai_drivers.spool import Key
from tests.simulation.catalogue import BUILD_MEMORY, BUILT, LIMIT, MEMORY, SLOTS, followers
from tests.simulation.coverage import Coverage
from tests.simulation.daemons import SchedulerDaemon
from tests.simulation.nodes import NodeDaemon
from tests.simulation.process import Process
from tests.simulation.store import MemoryStore

MOST_SKIPPED = 12
"""Turns of others between two of a project that has something to run and finds room: there are
three projects of equal weight, and one that found no room for a moment is new to the queue again.
One whose function could not be read, for want of the store, waits until the scheduler looks again.
"""

FORGED = "forged"


class BrokenInvariantError(AssertionError):
    """Something happened that never may."""


def require(condition: bool, what: str, *details: object) -> None:
    """Raise BrokenInvariantError unless a condition holds."""
    if not condition:
        raise BrokenInvariantError(f"{what}: {details}" if details else what)


class Run(NamedTuple):
    """An attempt on one node. Two nodes may run the same one, where the first node is lost and no
    scheduler had recorded it: each of them has a result of its own.
    """

    request_id: str
    attempt: int
    node: str


class Rows(dict[str, Request]):
    """The table of requests, which tells a ledger of each write."""

    def __init__(self, ledger: "Ledger") -> None:
        super().__init__()
        self._ledger = ledger

    def __setitem__(self, key: str, new: Request) -> None:
        self._ledger.written(self.get(key), new)
        super().__setitem__(key, new)


class Ledger:
    """See the module. ``acting`` is the process that does something now, if one does."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage
        self.rows: dict[str, Request] = Rows(self)
        self.acting: Process | None = None
        self.closed = False
        """Nothing new is accepted: a history comes to its end."""

        self.blind = False
        """A scheduler may know less than all that runs: see ``check_limit``."""

        self.accepted: set[str] = set()
        self.answered: dict[str, str | None] = {}
        self.made: set[tuple[str, str | None]] = set()
        self.given: dict[str, tuple[int, int]] = {}
        """Of each request the latest attempt that was sent to a node, and by which epoch."""

        self.ran: dict[Key, list[str]] = defaultdict(list)
        self.kept: dict[Run, str | None] = {}
        self.stored: set[Run] = set()
        self.excused: set[str] = set()
        """Calls whose results were lost with the power of their nodes: nothing was promised."""

        self.archived: set[str] = set()
        self.epochs: dict[str, int] = {}
        self.skipped: Counter[tuple[str, str]] = Counter()

    # What is told to clients

    def accept(self, request_id: str) -> None:
        """A client was told 202."""
        self.accepted.add(request_id)

    def answer(self, request_id: str, reason: str | None) -> None:
        """A caller was told how a call ended."""
        former = self.answered.setdefault(request_id, reason)
        require(former == reason, "a caller is told two things", request_id, former, reason)
        if reason == Reason.NODE_LOST:
            self.coverage.events["a caller was told that nothing is known"] += 1

    # What is written

    def written(self, old: Request | None, new: Request) -> None:
        """A request is written."""
        self.coverage.ways[old.status if old else None, new.status] += 1
        role = "" if self.acting is None else self.acting.role
        if old is not None and old.status.final:
            same = replace(old, following=new.following) == new and old.following
            require(same, "what has ended changes", old, new)
            return
        numbers = [each.number for each in new.attempts]
        require(numbers == list(range(1, len(numbers) + 1)), "attempts are missing", new)
        most = 1 + new.retries + limits.NODE_LOST_RETRIES
        require(len(numbers) <= most, "there are too many attempts", new)
        if new.status.final and (old is not None or new.reason != Reason.CHAIN_LIMIT):
            require(role == "collector", "another than the collector settles", role, new)
            self._check_end(old, new)
        if old is not None and new.status is not Status.SUCCESS and role == "collector":
            self._check_failure(old, new)

    def _check_end(self, old: Request | None, new: Request) -> None:
        """Check that what ends a request is what a node said that ran it, or a scheduler."""
        made = (new.request_id, new.reason) in self.made
        require(made or new.reason not in (None, FORGED), "a result was made by nobody", old, new)

    def _check_failure(self, old: Request, new: Request) -> None:
        """Check that a failure is of the current attempt, and the first one of that."""
        changed = [each for each in new.attempts if each not in old.attempts]
        for each in changed:
            require(each.number >= old.attempt, "an old attempt's failure counts", old, new)
        ended = [each.number for each in old.attempts if each.finished_at is not None]
        again = [each.number for each in changed if each.number in ended]
        require(not again, "an attempt fails twice", old, new)

    # What is sent

    def sent(self, process: Process, target: str, message: Message) -> None:
        """A message leaves a daemon, for somebody."""
        if isinstance(message, Stored):
            self._acknowledged(Run(message.request_id, message.attempt, target))
        elif isinstance(message, Result) and message.reason == Reason.NODE_LOST:
            self.blind = self.blind or process.role == "scheduler"

    def _acknowledged(self, run: Run) -> None:
        """Check that a node is told to let its result go only when that is stored, and so is what
        follows.

        A success of any attempt ends a request, so what has not ended does not show it, whatever
        another node's run of the same attempt has come to. A failure is shown by its attempt.
        """
        record = self.rows.get(run.request_id)
        if record is None:
            lost = (run.request_id, Reason.NODE_LOST.value) in self.made
            require(lost, "a result is let go of which nothing is stored", run)
        else:
            succeeded = self.kept.get(run, "") is None
            stored = record.status.final if succeeded else _reflects(record, run.attempt)
            require(stored, "a result is let go unstored", run, record)
            missing = [each for each in followers(record) if each not in self.rows]
            require(not missing, "a result is let go before what follows is stored", record)
        self.stored.add(run)

    def dispatched(
        self, scheduler: SchedulerDaemon, message: Job | Build, nodes: Mapping[str, NodeDaemon]
    ) -> None:
        """Check that a scheduler keeps to limits as far as it knows, and takes turns, and sends
        nothing that a node runs which it has not lost.
        """
        sent = (message.attempt, message.epoch)
        self.given[message.request_id] = max(self.given.get(message.request_id, sent), sent)
        self._check_alone(scheduler, message, nodes)
        limited = scheduler.nodes.runs_of("f2")
        function = message.package.function_id
        if isinstance(message, Job) and function == "f2":
            require(limited <= LIMIT, "a scheduler gives more than the limit", limited)
        name = scheduler.process.identity
        waiting = scheduler.groups - {message.project_id}
        for key in [key for key in self.skipped if key[0] == name and key[1] not in waiting]:
            del self.skipped[key]
        for project in waiting:
            self.skipped[name, project] += 1
            skipped = self.skipped[name, project]
            require(skipped <= MOST_SKIPPED, "a project is starved", project, skipped)

    def _check_alone(
        self, scheduler: SchedulerDaemon, message: Job | Build, nodes: Mapping[str, NodeDaemon]
    ) -> None:
        key = (message.request_id, message.attempt)
        for name, node in nodes.items():
            known = scheduler.nodes.get(name)
            lost = known is None or known.state.epoch != message.epoch
            runs = key in node.hands.running and name != message.node
            require(lost or not runs, "what runs is given to another node", key, name)

    # What runs

    def takes(self, job: Job | Build) -> None:
        """A node takes a job: not when the same or a later attempt was sent again since."""
        latest = self.given.get(job.request_id, (job.attempt, job.epoch))
        mine = (job.attempt, job.epoch)
        require(mine == latest, "a job is taken beside its successor", job.request_id, mine, latest)
        told = self.answered.get(job.request_id) == Reason.NODE_LOST
        require(not told, "what a caller was told that nothing is known of is run", job.request_id)

    def begins(self, node: Process, job: Job | Build) -> None:
        """A job begins on a node."""
        instance = node.identity
        newest = self.epochs.get(instance, 0)
        require(job.epoch >= newest, "a node serves a former scheduler", instance, job.epoch)
        self.epochs[instance] = job.epoch
        where = self.ran[job.request_id, job.attempt]
        where.append(instance)
        require(self.blind or len(where) == 1, "an attempt runs twice", job.request_id, where)
        if len(set(where)) > 1:
            self.coverage.events["an attempt ran on two nodes"] += 1

    def ends(self, result: Result) -> None:
        """The code of a job has ended, and its result is there, in memory alone."""
        self.made.add((result.request_id, result.reason))

    def keeps(self, result: Result) -> None:
        """A node has put a result into its spool, as far as it knows."""
        self.kept[Run(result.request_id, result.attempt, result.node)] = result.reason

    def lost(self, node: str, keys: set[Key]) -> None:
        """A node's machine lost power, and these results, of calls: for theirs alone the node does
        not wait until they are on disk.
        """
        for run in {Run(*key, node) for key in keys} & self.kept.keys():
            del self.kept[run]
            self.excused.add(run.request_id)

    # After each step

    def check(self, nodes: Mapping[str, NodeDaemon]) -> None:
        """Check what holds at any time."""
        self._check_accepted()
        runs = 0
        for node in nodes.values():
            begun = node.hands.begun
            memory = sum(map(_memory, begun))
            require(len(begun) <= SLOTS and memory <= MEMORY, "a node is above its capacity", begun)
            runs += sum(
                isinstance(job, Job) and job.package.function_id == "f2"
                for job in node.hands.running.values()
            )
        self.coverage.seen += not self.blind
        self.coverage.checked += 1
        self.coverage.most_limited = max(self.coverage.most_limited, runs)
        # A scheduler cannot count what it never heard of: what runs on a node that it takes for
        # lost, or has not heard since it began, and what was longer on its way than it waits for.
        require(self.blind or runs <= LIMIT, "more runs than the limit", runs)

    def _check_accepted(self) -> None:
        counts: Counter[str] = Counter()
        for request_id in self.accepted:
            record = self.rows.get(request_id)
            require(record is not None, "what was accepted is lost", request_id)
            assert record is not None
            counts["final" if record.status.final else record.status] += 1
        known = counts["scheduled"] + counts["queued"] + counts["running"] + counts["final"]
        require(known == len(self.accepted), "what was accepted is nowhere", counts)

    # At the end

    def check_rest(self, store: MemoryStore) -> None:
        """Check what holds when all is at rest."""
        lost = self.kept.keys() - self.stored
        require(not lost, "what a node kept was never taken", lost)
        succeeded = {each for each, reason in self.answered.items() if reason is None}
        succeeded |= {run.request_id for run, reason in self.kept.items() if reason is None}
        unrecorded = succeeded - self.rows.keys() - self.excused
        require(not unrecorded, "what succeeded is not recorded", unrecorded)
        for request_id, body in store.contents.results.items():
            there = body.content is not None or body.sha256 in self.archived
            require(there, "a result is in no archive", request_id)
        self._check_what_followed()
        self._check_builds(store)

    def _check_builds(self, store: MemoryStore) -> None:
        for version in store.contents.versions.rows.values():
            if version.build_request_id in self.rows:  # else whoever uploads was told 503
                building = version.status is FunctionStatus.BUILDING
                require(not building, "a build never ends", version)
        function = store.contents.functions.rows[BUILT]
        if any(record.kind == "build" for record in self.rows.values()):
            require(function.status is not FunctionStatus.BUILDING, "it is being built", function)

    def _check_what_followed(self) -> None:
        """Check that each end was followed by what subscribes to it, once, and by nothing else."""
        children: dict[str, list[str]] = defaultdict(list)
        for record in self.rows.values():
            if record.parent_id is not None:
                children[record.parent_id].append(record.request_id)
        for record in self.rows.values():
            follow = sorted(children.pop(record.request_id, []))
            require(follow == sorted(followers(record)), "what follows is wrong", record, follow)
        require(not children, "something follows nothing", dict(children))


def _memory(job: Job | Build) -> int:
    return job.memory if isinstance(job, Job) else BUILD_MEMORY


def _reflects(record: Request, number: int) -> bool:
    """Say whether a record shows that a result of an attempt arrived, or needs it no more."""
    ended = any(each.number == number and _over(each) for each in record.attempts)
    return record.status.final or ended or record.attempt > number


def _over(attempt: Attempt) -> bool:
    return attempt.finished_at is not None
