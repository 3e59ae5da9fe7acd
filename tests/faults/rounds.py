"""Rounds: events go on coming while a fault happens; then the store says what became of them."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from pratai_common.clock import now_ms
from tests.faults.clients import Clients
from tests.faults.faults import FAULTS, Fault
from tests.faults.installation import Installation
from tests.faults.stored import payload_of, result_of
from tests.waiting import came_true, until

Run = dict[str, Any]
"""A run, as the store has it."""

_EVENTS = 2
"""Of each sender: before a fault, during it, and after it."""


class Round(NamedTuple):
    """What one fault did. ``accepted`` counts what clients were promised and what timers recorded,
    ``stored`` how much of that has ended well with the right result, and ``lost`` the rest.

    ``doubled`` counts requests beyond one for an event, ``rerun`` those that took more than one
    attempt, ``refused`` calls that were told so or broke. ``recovery`` is the most seconds from the
    end of the fault's cause, or from when a client sent an event first should that be later, until
    the event had its outcome, and ``slowest`` says where that one's time went. ``wrong`` says what
    else is not as it should be.
    """

    fault: str
    accepted: int
    stored: int
    lost: int
    doubled: int
    rerun: int
    refused: int
    recovery: float
    slowest: str
    wrong: tuple[str, ...]

    @property
    def flawless(self) -> bool:
        """Say whether all is as it should be."""
        return not (self.lost or self.doubled or self.wrong)


def endure(installation: Installation, name: str) -> Round:
    """Let one fault happen, and wait until all that was accepted has ended."""
    began = now_ms()
    with installation.clients() as clients:
        clients.all_go_on(_EVENTS)
        over = _happen(FAULTS[name](installation), clients)
        clients.all_go_on(_EVENTS)
    _goes_on(installation)
    return _account(installation, name, clients, began, over)


def _happen(fault: Fault, clients: Clients) -> int:
    """Return when the fault's cause ended, milliseconds since 1970."""
    inflicted = now_ms()
    fault.inflict()
    clients.all_go_on_trying(_EVENTS)
    fault.heal()
    healed = now_ms()
    fault.passed()
    return healed if fault.stays else inflicted


def _goes_on(installation: Installation) -> None:
    """Wait until the timer has ticked once more."""
    ticking, now = installation.functions.ticking, now_ms()
    until(lambda: installation.stored.runs(ticking, since=now), "the timer goes on")


def _runs_at_end(look: Callable[[], list[Run]], sent: Collection[str]) -> list[Run]:
    """Return the runs when all of them have ended, or nothing more has ended for long."""

    def more(ended: int) -> bool:
        return len(_ended(look())) > ended

    runs = look()
    while not _settled(runs, sent) and came_true(partial(more, len(_ended(runs)))):
        runs = look()
    return runs


def _account(
    installation: Installation, name: str, clients: Clients, began: int, over: int
) -> Round:
    """Wait until all that came since ``began`` has ended, and count; ``over`` is when the fault's
    cause ended, both milliseconds since 1970.
    """
    sent = {each.request_id: key for key, each in clients.accepted.items()}
    closed = now_ms()  # what the timer records from now on is not of this round

    def came() -> list[Run]:
        return [each for each in installation.runs(began) if each["created_at"] <= closed]

    runs = _runs_at_end(came, sent.keys())
    ticks = {each["request_id"] for each in runs if _ticked(each)}
    well = {each["request_id"] for each in runs if _ended_well(each, sent)}
    accepted = sent.keys() | ticks
    took = partial(_took, sent=sent, clients=clients, over=over)
    slowest = max(runs, key=took)
    causes = Counter((each["function_id"], json.dumps(payload_of(each))) for each in runs)
    return Round(
        fault=name,
        accepted=len(accepted),
        stored=len(accepted & well),
        lost=len(accepted - well),
        doubled=causes.total() - len(causes) + len(clients.accepted) - len(sent),
        rerun=sum(len(each["record"]["attempts"]) > 1 for each in runs),
        refused=clients.refusals.total(),
        recovery=took(slowest) / 1000,
        slowest=_course(slowest, over),
        wrong=(*clients.strange, *_told(accepted - well, runs)),
    )


def _told(lost: Collection[str], runs: list[Run]) -> Iterator[str]:
    """Yield a line of each request that has not ended well: what is stored of it."""
    by_id = {each["request_id"]: each for each in runs}
    for request_id in sorted(lost):
        run = by_id.get(request_id, {"status": "not stored"})
        tried = [
            (each["node"], each["reason"]) for each in run.get("record", {}).get("attempts", [])
        ]
        yield f"{request_id}: {run['status']}, {run.get('reason')}, attempts {tried}"


def _settled(runs: list[Run], sent: Collection[str]) -> bool:
    """Say whether all are final, and all that was sent is among them."""
    ended = _ended(runs)
    return len(ended) == len(runs) and ended.issuperset(sent)


def _ended(runs: list[Run]) -> set[str]:
    return {each["request_id"] for each in runs if each["ended_at"] is not None}


def _ticked(run: Run) -> bool:
    return run["source"] == "timer"


def _ended_well(run: Run, sent: Mapping[str, str]) -> bool:
    """Say whether a run succeeded, and gave what its client sent. What was repeated was repeated
    since its node was lost, which may have told of its success later all the same.
    """
    given = sent.get(run["request_id"], payload_of(run))
    reasons = {attempt["reason"] for attempt in run["record"]["attempts"]}
    return run["status"] == "success" and result_of(run) == given and reasons <= {"node_lost", None}


def _took(run: Run, *, sent: Mapping[str, str], clients: Clients, over: int) -> float:
    """Return the milliseconds that a run took since it was wanted and nothing was in its way."""
    key = sent.get(run["request_id"])
    wanted = run["created_at"] if key is None else clients.accepted[key].first_asked_at
    return max(0.0, (run["ended_at"] or now_ms()) - max(wanted, over))


def _course(run: Run, over: int) -> str:
    """Return when a run was at each station, in seconds since the fault's cause was over."""
    record = run["record"]
    lost = [f"{each['reason']} {_since(over, each['finished_at'])}"
            for each in record["attempts"] if each["reason"]]  # fmt: skip
    stations = [
        f"{name} {_since(over, record['timing'][name] / 1000)}"
        for name in ("accepted", "dispatched", "taken", "started", "ended", "settled")
        if record["timing"].get(name)
    ]
    return ", ".join([*lost, *stations])


def _since(over: int, at: float) -> str:
    return f"{(at - over) / 1000:+.1f}"
