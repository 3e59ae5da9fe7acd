"""Callers who wait for what is recorded: it runs, so they get its result or its id, whatever the
store does. And logs that the store's lists do not show whole yet.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.clock import now_ms
from pratai_common.messages import Answer
from pratai_common.records import Body, FunctionStatus, LogChunk, Request, Status
from pratai_common.store.base import Changed, NewRequest, RequestChange
from tests.records import attempt, function, request
from tests.unit.api_world import ApiWorld
from tests.waiting import until

RESULT = Body.inline(b'"done"')


@pytest.fixture
def world(api_world: ApiWorld) -> ApiWorld:
    """The API, with a function that can be called."""
    ready = function(project_id="default", status=FunctionStatus.ACTIVE, version=1)
    api_world.store.create_function(ready)
    return api_world


def call(world: ApiWorld, wait: float) -> Any:
    headers = {"Idempotency-Key": "k"}
    path = f"/v1/functions/f1?wait={wait}"
    return world.api.post(path, json={"payload": 1}, headers=headers)


def end(record: Request) -> Changed:
    return Changed(replace(record, status=Status.SUCCESS, finished_at=now_ms()), RESULT)


@pytest.mark.parametrize("away", [("get_requests", "change_requests"), ("change_requests",)])
def test_while_the_store_is_away_the_id_is_the_answer(
    world: ApiWorld, away: tuple[str, ...]
) -> None:
    with world.away(*away):
        answer = call(world, 0.6)
    assert answer.status_code == 202
    identity = answer.json["request_id"]
    assert answer.headers["X-Pratai-Request-Id"] == identity
    assert [each.request.request_id for each in world.sent] == [identity]
    assert world.store.get_requests([identity])[identity].status is Status.QUEUED
    assert world.store.refused >= 1


def test_the_answer_is_waited_for_while_the_store_is_away(world: ApiWorld) -> None:
    with ThreadPoolExecutor(1) as threads, world.away("get_requests"):
        called = threads.submit(call, world, 60)
        until(lambda: world.store.refused, "it looked in vain")
        identity = world.sent[0].request.request_id
        world.answer(Answer(request_id=identity, output=RESULT))
        answer = called.result()
    assert (answer.status_code, answer.json) == (200, "done")


def test_a_result_that_cannot_be_read_now_is_named(world: ApiWorld) -> None:
    identity = call(world, 0).json["request_id"]
    world.store.change_requests([RequestChange(identity, end)])
    with world.away("get_result"):
        answer = call(world, 60)
    assert (answer.status_code, answer.json) == (202, {"request_id": identity})
    answer = call(world, 60)
    assert (answer.status_code, answer.json) == (200, "done")


def test_what_is_not_known_to_be_recorded_has_no_id(world: ApiWorld) -> None:
    with world.away("create_requests", lost=True):
        answer = call(world, 60)
    error = answer.json["error"]
    assert (answer.status_code, error["reason"]) == (503, "store_unavailable")
    message = "the store does not answer; it is not known whether anything was recorded"
    assert error["message"] == message


# Logs

LOST = "[a piece of the log was lost here]\n"


def printed(world: ApiWorld, ended_at: int, pieces: int = 2, of: int = 2) -> str:
    """Return the log of a request that ended then, of which so many pieces are stored."""
    record = request(
        project_id="default",
        status=Status.SUCCESS,
        finished_at=ended_at,
        log_chunks=of,
    )
    world.store.create_requests([NewRequest(record, None)])
    world.store.add_log_chunks(
        [
            LogChunk(
                request_id=record.request_id,
                attempt=1,
                seq=seq,
                project_id="default",
                content=f"{seq}\n".encode(),
            )
            for seq in range(pieces)
        ]
    )
    text: str = world.api.get(f"/v1/requests/{record.request_id}/logs").text
    return text


def test_a_list_that_is_behind_loses_nothing_of_what_has_just_ended(world: ApiWorld) -> None:
    world.store.behind = 2
    assert printed(world, now_ms()) == "0\n1\n"
    assert world.store.looks == 3


def test_a_piece_that_does_not_come_was_lost(world: ApiWorld) -> None:
    assert printed(world, now_ms() - 2500, pieces=1) == f"0\n{LOST}"
    assert world.store.looks > 1


def test_what_ended_long_ago_is_read_once(world: ApiWorld) -> None:
    assert printed(world, now_ms() - 3000, pieces=1) == f"0\n{LOST}"
    assert world.store.looks == 1


def test_what_is_whole_is_read_once(world: ApiWorld) -> None:
    assert printed(world, now_ms()) == "0\n1\n"
    assert world.store.looks == 1


# Logs that a node has not bounded


def long_log(world: ApiWorld, sizes: Mapping[int, Sequence[int]]) -> str:
    """Store pieces of these sizes, by attempt, of what ended long ago; returns its id."""
    record = request(
        project_id="default",
        status=Status.SUCCESS,
        attempts=tuple(attempt(number) for number in sizes),
        finished_at=1,
        log_chunks=len(sizes[max(sizes)]),
    )
    world.store.create_requests([NewRequest(record, None)])
    for number, each in sizes.items():
        world.store.add_log_chunks(
            [
                LogChunk(
                    request_id=record.request_id,
                    attempt=number,
                    seq=seq,
                    project_id="default",
                    content=b"%d" % number * size,
                )
                for seq, size in enumerate(each)
            ]
        )
    return record.request_id


@pytest.mark.parametrize("query", ["", "?follow=true"])
def test_each_attempt_is_shown_as_far_as_its_log_may_go(world: ApiWorld, query: str) -> None:
    """And what is behind that is not even read."""
    full, most = limits.LOG_CHUNK_BYTES, limits.MAX_LOG_BYTES
    identity = long_log(world, {1: [full] * 1000, 2: [full] * 16, 3: [full] * 17})
    text = world.api.get(f"/v1/requests/{identity}/logs{query}").text
    mark = limits.LOG_CUT_MARK.decode()
    assert text == (
        f"{'1' * most}{mark}[attempt 2]\n{'2' * full * 16}[attempt 3]\n{'3' * most}{mark}"
    )
    assert world.store.looks == 2


@pytest.mark.parametrize("pieces", [1, 63, 64, 65, 128, 200])
def test_a_log_of_many_pieces_is_whole(world: ApiWorld, pieces: int) -> None:
    identity = long_log(world, {1: [1] * pieces})
    assert world.api.get(f"/v1/requests/{identity}/logs").text == "1" * pieces
    assert world.store.looks == pieces // 64 + 1


def test_a_store_that_is_away_is_the_answer(world: ApiWorld) -> None:
    identity = long_log(world, {1: [1]})
    with world.away("log_chunks"):
        answer = world.api.get(f"/v1/requests/{identity}/logs")
    error = answer.json["error"]
    assert (answer.status_code, error["reason"]) == (503, "store_unavailable")
    message = "the store does not answer; it is not known whether anything was recorded"
    assert error["message"] == message
    assert world.api.get(f"/v1/requests/{identity}/logs").text == "1"
