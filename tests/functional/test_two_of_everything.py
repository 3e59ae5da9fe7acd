"""Two of everything: each in turn dies while events come in, and nobody is restarted for it.

How long a death was felt is printed, and never asserted: what holds is what became of the events.
"""

import itertools
import json
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pratai_common.records import Request, Status
from pratai_common.store.base import Page, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from tests.faults.clients import Clients
from tests.faults.senders import Sender, Waiting
from tests.functional.test_pipelines import follow
from tests.functional.test_status import Separate
from tests.packages import ECHO
from tests.ports import free_port
from tests.refusals import refused
from tests.stack import BIN
from tests.waiting import until

PAIRS = ("collector", "scheduler", "driver", "agent")
NAMES = [f"{role}@{number}" for role in PAIRS for number in (1, 2)]
MOST_WAITING = 24
"""Callers at a time: an API process lets half of its threads wait."""

ACTIVE, STANDBY = "the scheduler that acts", "the scheduler that stands by"


class Twins(Separate):
    """Two of all daemons on one store, and one API: where there are several, nginx is before them.

    Functions: ``recorded`` and ``waited`` are for events and callers, ``follower`` runs after each
    run of the first, ``ticking`` each second.
    """

    def __init__(self, folder: Path) -> None:
        self.addresses = {
            f"{role}@{number}": f"tcp://127.0.0.1:{free_port()}"
            for role in ("scheduler", "collector")
            for number in (1, 2)
        }
        settings = {
            "driver": {"engine": "null", "slots": 4},
            "sockets": {role: self._both(role) for role in ("scheduler", "collector")},
        }
        super().__init__(folder, settings)

    def _both(self, role: str) -> str:
        return ",".join(self.addresses[f"{role}@{number}"] for number in (1, 2))

    def start(self) -> "Twins":
        subprocess.run([BIN / "pratai-db-init", *self.arguments], check=True)
        self.run_daemon("api")
        for name in NAMES:
            self.begin(name)
        until(self.up, f"two of everything run (see {self.folder})")
        self.recorded, self.follower = self.function(ECHO), self.function(ECHO)
        self.waited = self.function(ECHO, type="wait_for_response")
        follow(self, self.follower, self.recorded)
        self.ticking = self.function(ECHO, event="timer", frequency=1 / 60)
        return self

    def begin(self, name: str) -> None:
        """Start a daemon, with what is its own in a file of its own."""
        role = name.partition("@")[0]
        lines = ["[DEFAULT]", f"log_file = pratai-{name}.log"]
        if name in self.addresses:
            lines += ["[sockets]", f"{role}_bind = {self.addresses[name]}"]
        lines += ["[driver]", f"name = {self.node}-{name[-1]}", "bind = tcp://127.0.0.1:0"]
        conf = self.folder / f"pratai-{name}.conf"
        conf.write_text("\n".join([*lines, ""]))
        self.run_daemon(name, "--config-file", str(conf))

    def up(self) -> bool:
        """Say whether the platform shows what runs, and nothing else: one that was killed is shown
        for some seconds more, and would count for the one that was started in its place.
        """
        if not super().up() or self.get("/v1/status")["active_schedulers"] != 1:
            return False
        shown = {each["pid"] for each in self._running() if each["daemon_type"] in PAIRS}
        return shown == {self.processes[name].pid for name in NAMES if name in self.processes}

    def _running(self) -> list[dict[str, Any]]:
        daemons = self.get("/v1/cluster")["daemons"]
        return [each for each in daemons if each["status"] == "running"]

    def schedulers(self) -> dict[str, str]:
        """Return the roles of the schedulers that run, by their names here."""
        names = {process.pid: name for name, process in self.processes.items()}
        return {
            names[each["pid"]]: each["role"]
            for each in self._running()
            if each["daemon_type"] == "scheduler" and each["pid"] in names
        }

    def named(self, what: str) -> str:
        """Return the name of a daemon, or of the scheduler that has a role."""
        roles = {ACTIVE: "active", STANDBY: "standby"}
        if what not in roles:
            return what
        (name,) = (name for name, role in self.schedulers().items() if role == roles[what])
        return name

    # What became of events

    def requests(self, function_id: str) -> dict[str, Request]:
        """Return all requests of a function, as they are stored."""
        with closing(SQLiteStore(self.folder / "state" / "store.sqlite")) as store:
            wanted = RequestFilter(function_id=function_id)
            found = store.list_requests(None, wanted, Page(10_000))
            return {each.request_id: each for each in found if each.kind == "run"}

    def results(self, ids: list[str]) -> dict[str, Any]:
        with closing(SQLiteStore(self.folder / "state" / "store.sqlite")) as store:
            bodies = {each: store.get_result(each) for each in ids}
            return {each: json.loads(body.content) for each, body in bodies.items() if body}

    def ticks(self) -> list[int]:
        """Return the numbers of the ticks that were run, in order."""
        ended = [name for name, each in self.requests(self.ticking).items() if each.status.final]
        return sorted(each["tick"] for each in self.results(ended).values())

    def ticks_are_whole(self) -> bool:
        """Say whether each tick has its run: two may be under way, and the later end first."""
        ticks = self.ticks()
        return ticks == list(range(ticks[0], ticks[-1] + 1))

    def tick_on(self) -> None:
        before = len(self.ticks())
        until(lambda: len(self.ticks()) >= before + 2, "the timer ticks on")

    def runs(self) -> Counter[str]:
        """Return how many runs of each request nodes tell of."""
        logs = (self.folder / "log").glob("pratai-driver@*.log")
        pattern = r"\[request: (\S+)\] attempt \d+: "
        return Counter(each for log in logs for each in re.findall(pattern, log.read_text()))

    def check(self, clients: Clients, what: str, nodes_died: bool = False) -> None:
        """Wait until all that was accepted is final, and check that each event was run once.

        What ran on a node that died has an attempt more. So has a call, should its caller have
        waited in vain for longer than it takes another scheduler to act.
        """
        accepted = {each.request_id: key for key, each in clients.accepted.items()}
        until(lambda: self._all_ended(list(accepted)), "all that was accepted is final")
        before = {**self.requests(self.recorded), **self.requests(self.waited)}
        gap = _longest_gap([before[each] for each in accepted])
        detached = [each for each in accepted if len(before[each].attempts) > 1]
        said = (
            f"{what}: {len(accepted)} accepted, {len(accepted.keys() - before.keys())} lost, "
            f"{clients.refusals.total()} refused, {len(detached)} with more than one attempt; "
            f"at most {clients.longest_pause:.2f} s from one acceptance to the next, "
            f"and {gap:.2f} s from one end of an event's run to the next"
        )
        print(said)
        assert clients.strange == [], said
        assert {before[each].status for each in accepted} == {Status.SUCCESS}, said
        assert self.results(list(accepted)) == accepted, said
        for each in accepted:
            reasons = [attempt.reason for attempt in before[each].attempts]
            assert reasons == ["node_lost"] * (len(reasons) - 1) + [None], before[each]
        if not nodes_died:
            runs = self.runs()
            assert {runs[each] for each in accepted} == {1}, said
            assert {before[each].function_id for each in detached} <= {self.waited}, said
        self._check_followers(accepted.keys() & self.requests(self.recorded).keys())
        after = {**self.requests(self.recorded), **self.requests(self.waited)}
        assert {each: after[each] for each in accepted} == {each: before[each] for each in accepted}

    def _all_ended(self, accepted: list[str]) -> bool:
        stored = {**self.requests(self.recorded), **self.requests(self.waited)}
        ended = {name: each.status.final and not each.following for name, each in stored.items()}
        return all(ended.get(each, False) for each in accepted)

    def _check_followers(self, accepted: set[str]) -> None:
        """Check that each end was followed by one request, which was run."""

        def followed() -> bool:
            children = self.requests(self.follower).values()
            ended = {each.parent_id for each in children if each.status is Status.SUCCESS}
            return accepted <= ended

        until(followed, "each end is followed")
        parents = Counter(each.parent_id for each in self.requests(self.follower).values())
        assert {parents[each] for each in accepted} == {1}

    def spools_are_empty(self) -> bool:
        return not list((self.folder / "state" / "nodes").glob("*/spool/*.result"))


def _longest_gap(records: list[Request]) -> float:
    """Return the most seconds between two ends of events for which nobody waited."""
    ends = sorted(each.finished_at or 0 for each in records if len(each.attempts) == 1)
    return max((after - before for before, after in itertools.pairwise(ends)), default=0) / 1000


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    running = Twins(tmp_path_factory.mktemp("twins"))
    try:
        yield running.start()
    finally:
        running.stop()


def clients(twins: Twins) -> Clients:
    """Return those who send events, and callers who wait for results."""
    events = [Sender(twins.url, twins.recorded) for _ in range(4)]
    return Clients([*events, *(Waiting(twins.url, twins.waited) for _ in range(2))], 0.05)


@pytest.mark.parametrize(
    ("what", "number"),
    [
        (ACTIVE, signal.SIGKILL),
        (STANDBY, signal.SIGKILL),
        (ACTIVE, signal.SIGTERM),
        ("collector@1", signal.SIGKILL),
        ("collector@2", signal.SIGTERM),
        ("agent@1", signal.SIGKILL),
        ("driver@1", signal.SIGKILL),
    ],
    ids=lambda value: str(value).replace(" ", "-"),
)
def test_one_of_two_dies(twins: Twins, what: str, number: signal.Signals) -> None:
    name = twins.named(what)
    with clients(twins) as sending:
        sending.all_go_on(5)
        twins.signal(name, number)
        twins.processes.pop(name).wait(60)
        sending.all_go_on(20)
        twins.tick_on()
    twins.check(sending, f"{what}, {number.name}", nodes_died="driver" in name)
    twins.begin(name)
    until(twins.up, f"{name} runs again")
    until(twins.spools_are_empty, "the nodes hold no results any more")
    until(twins.ticks_are_whole, "no tick is missing, or there twice")


def test_a_scheduler_stands_still_past_its_lease_and_goes_on(twins: Twins) -> None:
    name = twins.named(ACTIVE)
    (other,) = (each for each in twins.schedulers() if each != name)
    with clients(twins) as sending:
        sending.all_go_on(5)
        twins.halt(twins.processes[name].pid)
        until(lambda: twins.schedulers().get(other) == "active", "the other one acts")
        sending.all_go_on(10)
        twins.signal(name, signal.SIGCONT)
        until(lambda: twins.schedulers().get(name) == "standby", "it stands by")
        sending.all_go_on(20)
    twins.check(sending, f"{ACTIVE}, SIGSTOP past its lease")
    until(twins.spools_are_empty, "the nodes hold no results any more")
    assert twins.schedulers() == {name: "standby", other: "active"}


def test_calls_are_answered_while_schedulers_change(twins: Twins) -> None:
    """By what they return, or by a 503, which promises nothing: then they are not run, ever. Nobody
    waits until the end of the wait, which is a minute.
    """
    name = twins.named(ACTIVE)
    answers: dict[str, Any] = {}
    calls: list[threading.Thread] = []

    def call(key: str) -> None:
        path = f"/v1/functions/{twins.waited}?wait=60"
        answers[key] = twins.call("POST", path, json={"payload": key})

    def call_until_one_acts() -> bool:
        if sum(each.is_alive() for each in calls) < MOST_WAITING:
            calls.append(threading.Thread(target=call, args=(f"key {len(calls)}",)))
            calls[-1].start()
        return "key 0" in answers and "active" in twins.schedulers().values()

    twins.signal(name, signal.SIGKILL)
    twins.processes.pop(name).wait(60)
    until(call_until_one_acts, "the other one acts, and the first call is answered")
    for each in calls:
        each.join(120)
    ended = {key: answer.status_code for key, answer in answers.items()}
    print(f"{Counter(ended.values())} while no scheduler acted, and behind that")
    assert len(ended) == len(calls)
    assert set(ended.values()) == {200, 503}
    for key, answer in answers.items():
        if answer.status_code == 200:
            assert answer.json() == key
        else:
            refused(answer, 503, "node_lost")
    twins.begin(name)
    until(twins.up, f"{name} runs again")
    ids = {answer.headers["X-Pratai-Request-Id"]: key for key, answer in answers.items()}
    run = {each for each, key in ids.items() if ended[key] == 200}
    until(lambda: run <= twins.requests(twins.waited).keys(), "what was answered is recorded")
    assert not (ids.keys() - run) & (twins.requests(twins.waited).keys() | twins.runs().keys())
    assert {twins.runs()[each] for each in run} == {1}


def test_verdicts_of_the_scheduler_reach_a_collector_that_lives(twins: Twins) -> None:
    """What fits on no node is cancelled: nobody but the scheduler tells a collector of it."""
    large = twins.function(ECHO, memory=8192)
    waiting = [twins.submit(large) for _ in range(6)]
    twins.signal("collector@1", signal.SIGKILL)
    twins.processes.pop("collector@1").wait(60)
    for each in waiting:
        assert twins.call("DELETE", f"/v1/requests/{each}").status_code == 202
    ended = [twins.ended(each) for each in waiting]
    assert [(each["status"], each["attempts"]) for each in ended] == [("cancelled", [])] * 6
    twins.begin("collector@1")
    until(twins.up, "the collector runs again")


def test_several_addresses_need_one_that_is_ones_own(twins: Twins) -> None:
    """Which of them a scheduler binds nobody can guess; the twins, which say it, do run."""
    for role in ("scheduler", "collector"):
        ended = subprocess.run(
            [BIN / f"pratai-{role}", *twins.arguments], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1
        assert f"[sockets] {role} names 2 addresses: set {role}_bind" in ended.stderr
    until(twins.up, "two of everything run")
