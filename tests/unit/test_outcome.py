"""The rule that settles: first final wins, old failures do not count, lost nodes are repeated."""

from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.messages import Result
from pratai_common.outcome import settle
from pratai_common.records import Attempt, Request, Status

REQUEST = Request(
    request_id="r",
    function_id="f",
    project_id="p",
    user_id="u",
    source="http",
    created_at=1000,
    expires_at=99_000,
    next_run_at=1000,
)


def running(*numbers: int) -> Request:
    attempts = tuple(Attempt(number=n, node="n", epoch=1, started_at=1000 + n) for n in numbers)
    return replace(REQUEST, status=Status.RUNNING, attempts=attempts)


def result(attempt: int, reason: str | None = None, **values: Any) -> Result:
    given: dict[str, Any] = {"node": "n", "started_at": 1500, "finished_at": 1600, **values}
    return Result(
        request_id="r", attempt=attempt, epoch=1, project_id="p", token=b"", reason=reason, **given
    )


def test_success_is_final() -> None:
    after = settle(running(1), result(1, init_ms=1.0, run_ms=2.0, log_chunks=3), 2000)
    assert after is not None
    assert (after.status, after.reason, after.finished_at) == (Status.SUCCESS, None, 2000)
    assert (after.queue_ms, after.init_ms, after.run_ms, after.log_chunks) == (500, 1.0, 2.0, 3)
    assert after.attempts[0].finished_at == 1600


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.ERROR, Status.TIMEOUT, Status.CANCELLED])
@pytest.mark.parametrize("reason", [None, "exception", "node_lost"])
def test_the_first_final_outcome_wins(status: Status, reason: str | None) -> None:
    assert settle(replace(running(1), status=status), result(1, reason), 2000) is None


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("exception", Status.ERROR),
        ("timeout", Status.TIMEOUT),
        ("cancelled", Status.CANCELLED),
        ("function_deleted", Status.CANCELLED),
        ("one of a later version", Status.ERROR),
    ],
)
def test_a_failure_of_the_current_attempt_is_final(reason: str, status: Status) -> None:
    after = settle(running(1), result(1, reason, message="m"), 2000)
    assert after is not None
    assert (after.status, after.reason, after.message) == (status, reason, "m")


def test_a_failure_of_an_old_attempt_changes_nothing() -> None:
    assert settle(running(1, 2), result(1, "exception"), 2000) is None


def test_a_success_of_an_old_attempt_is_final() -> None:
    after = settle(running(1, 2), result(1), 2000)
    assert after is not None
    assert after.status is Status.SUCCESS


def test_a_lost_node_is_repeated_three_times() -> None:
    request = REQUEST
    for number in range(1, limits.NODE_LOST_RETRIES + 1):
        request = replace(
            request,
            status=Status.RUNNING,
            attempts=(*request.attempts, Attempt(number=number, node="n", epoch=1, started_at=1)),
        )
        after = settle(request, result(number, "node_lost"), 2000 + number)
        assert after is not None
        assert (after.status, after.next_run_at) == (Status.QUEUED, 2000 + number)
        request = after
    number = limits.NODE_LOST_RETRIES + 1
    after = settle(request, result(number, "node_lost"), 3000)
    assert after is not None
    assert (after.status, after.reason, after.attempt) == (Status.ERROR, "node_lost", 4)


def test_an_attempt_that_no_scheduler_recorded_counts() -> None:
    after = settle(REQUEST, result(1), 2000)
    assert after is not None
    assert (after.status, after.attempt, after.started_at) == (Status.SUCCESS, 1, 1500)


def test_what_never_ran_has_no_attempt() -> None:
    after = settle(REQUEST, result(0, "expired", node=""), 2000)
    assert after is not None
    assert (after.status, after.reason, after.attempts) == (Status.ERROR, "expired", ())
    assert (after.started_at, after.node) == (None, None)
