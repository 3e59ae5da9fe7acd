"""The rule that settles: first final wins, old failures do not count, lost nodes are repeated."""

from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.messages import Result
from pratai_common.outcome import settle
from pratai_common.records import Attempt, Request, ResponseHead, Status

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


def test_the_same_failure_again_changes_nothing() -> None:
    """Not even when it is tried again: a node repeats itself until it is acknowledged."""
    once = settle(replace(running(1), retries=3), result(1, "exception"), 2000)
    assert once is not None
    assert once.status is Status.SCHEDULED
    assert settle(once, result(1, "exception"), 2100) is None


@pytest.mark.parametrize(
    ("first", "second"), [("exception", "node_lost"), ("node_lost", "exception")]
)
def test_of_two_failures_of_an_attempt_the_first_counts(first: str, second: str) -> None:
    once = settle(replace(running(1), retries=3), result(1, first), 2000)
    assert once is not None
    assert settle(once, result(1, second), 2100) is None
    assert once.attempts[0].reason == first


def test_a_success_of_an_attempt_that_was_taken_for_lost_is_final() -> None:
    once = settle(running(1), result(1, "node_lost", node=""), 2000)
    assert once is not None
    after = settle(once, result(1), 2100)
    assert after is not None
    assert (after.status, after.attempts[0].reason) == (Status.SUCCESS, None)


def test_a_success_is_final_beside_another_nodes_failure_of_its_attempt() -> None:
    once = settle(replace(running(1), retries=1), result(1, "timeout", node="m"), 2000)
    assert once is not None
    assert once.status is Status.SCHEDULED
    after = settle(once, result(1), 2100)
    assert after is not None
    assert (after.status, after.attempts[0].node) == (Status.SUCCESS, "n")


def test_a_verdict_on_a_lost_node_keeps_its_name() -> None:
    after = settle(running(1), result(1, "node_lost", node="", message="m"), 2000)
    assert after is not None
    attempt = after.attempts[0]
    assert (attempt.node, attempt.reason, attempt.message) == ("n", "node_lost", "m")


@pytest.mark.parametrize("reason", ["expired", "cancelled", "function_deleted", "input_missing"])
def test_a_refusal_between_attempts_leaves_them_as_they_were(reason: str) -> None:
    once = settle(
        replace(running(1), retries=3, queue_ms=7, started_at=1001), result(1, "oom"), 2000
    )
    assert once is not None
    after = settle(once, result(1, reason, node="", started_at=2500, finished_at=2500), 2500)
    assert after is not None
    assert (after.status.final, after.reason) == (True, reason)
    assert after.attempts == once.attempts
    assert (after.started_at, after.queue_ms, after.finished_at) == (1001, 7, 2500)


def test_a_refusal_that_the_next_attempt_overtook_changes_nothing() -> None:
    assert settle(running(1, 2), result(1, "expired", node=""), 2500) is None


def test_messages_are_cut() -> None:
    after = settle(running(1), result(1, "exception", message="é" * 9000), 2000)
    assert after is not None
    assert after.message == after.attempts[0].message == "é" * 4096


LONGEST_PAUSES = [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]


def failing(request_id: str, number: int) -> Request:
    """Return a request in a late attempt, all of which before have failed."""
    attempts = [
        Attempt(number=n, node="n", epoch=1, started_at=1, finished_at=2, reason="exception")
        for n in range(1, number)
    ]
    current = Attempt(number=number, node="n", epoch=1, started_at=3)
    return replace(
        REQUEST,
        request_id=request_id,
        status=Status.RUNNING,
        retries=9,
        attempts=(*attempts, current),
    )


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("exception", Status.SCHEDULED),
        ("secret_unavailable", Status.SCHEDULED),
        ("identity_revoked", Status.ERROR),
        ("image_build", Status.ERROR),
    ],
)
def test_what_is_repeated_as_often_as_its_function_says(reason: str, status: Status) -> None:
    after = settle(failing("r", 1), result(1, reason), 5000)
    assert after is not None
    assert (after.status, after.attempts[-1].reason) == (status, reason)


def pauses(request_id: str) -> list[int]:
    found = []
    for number in range(1, 10):
        after = settle(failing(request_id, number), result(number, "exception"), 5000)
        assert after is not None
        assert after.status is Status.SCHEDULED
        found.append(after.next_run_at - 5000)
    return found


def test_pauses_double_and_end() -> None:
    for number in range(100):
        found = pauses(str(number))
        assert all(
            longest / 2 <= pause <= longest
            for pause, longest in zip(found, LONGEST_PAUSES, strict=True)
        )
    after = settle(failing("r", 10), result(10, "exception"), 5000)
    assert after is not None
    assert (after.status, after.reason, after.dead) == (Status.ERROR, "exception", True)


def test_what_failed_together_is_not_repeated_together() -> None:
    """But a request has the same pauses whoever settles it, and however often."""
    assert pauses("one") == pauses("one")
    for found in zip(*(pauses(str(number)) for number in range(100)), strict=True):
        assert len(set(found)) > 50
        assert max(found) - min(found) > 0.4 * max(found)
    first, second = pauses("one")[-2:]
    assert first != second


@pytest.mark.parametrize(("reason", "retries"), [("exception", 9), ("node_lost", 0)])
def test_nothing_is_repeated_when_it_would_have_expired(reason: str, retries: int) -> None:
    """Its own failure is what it ends with, and not that it expired."""
    request = replace(running(1), retries=retries)
    once = settle(request, result(1, reason), 5000)
    assert once is not None
    assert not once.status.final
    again = settle(replace(request, expires_at=once.next_run_at + 1), result(1, reason), 5000)
    assert again is not None
    assert again.next_run_at == once.next_run_at
    late = settle(replace(request, expires_at=once.next_run_at), result(1, reason), 5000)
    assert late is not None
    assert (late.status, late.reason, late.dead) == (Status.ERROR, reason, True)


def test_how_a_success_is_to_be_answered_is_kept() -> None:
    head = ResponseHead(status=201, headers={"X-Own": "1"}, encoding="text")
    after = settle(running(1), result(1, response=head), 2000)
    assert after is not None
    assert after.response == head
    failed = settle(running(1), result(1, "exception", response=head), 2000)
    assert failed is not None
    assert failed.response is None


def test_no_node_makes_a_record_large_by_headers() -> None:
    most = limits.MAX_RESPONSE_HEADERS_BYTES

    def kept(size: int) -> ResponseHead | None:
        head = ResponseHead(headers={"X": "x" * (size - 1)})
        after = settle(running(1), result(1, response=head), 2000)
        assert after is not None
        assert after.status is Status.SUCCESS
        return after.response

    assert kept(most) is not None
    assert kept(most + 1) is None
