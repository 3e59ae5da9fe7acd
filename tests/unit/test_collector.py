"""The collector: one bad result leaves the others alone, and what dies in between is made good."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.errors import DecodeError, StoreUnavailableError
from pratai_common.messages import (
    Build,
    CollectorMessage,
    LogPiece,
    MessageDecoder,
    Stored,
    encode,
)
from pratai_common.records import Body, FunctionStatus, Status
from pratai_scheduler.log_room import LogRoom
from tests.unit.world import World


def two_jobs(world: World) -> tuple[Any, Any]:
    world.function()
    world.request("good")
    world.request("bad")
    world.pass_time(1000)
    good, bad = sorted(world.to_nodes, key=lambda job: job.request_id != "good")
    return good, bad


def test_a_result_that_no_archive_takes_leaves_the_others_alone(world: World) -> None:
    good, bad = two_jobs(world)
    large = b'"' + b"x" * limits.INLINE_BODY_BYTES + b'"'
    result = world.result(bad, output=Body(sha256="s", size=len(large), content=large))
    root: Path = world.archives._root
    root.write_bytes(b"")  # a file where the folder of archives should be
    world.collector.receive([result, world.result(good)])
    assert world.status("good") == (Status.SUCCESS, None)
    assert world.stored("bad").status is Status.RUNNING
    assert world.acknowledged == [Stored(request_id="good", attempt=1)]
    root.unlink()
    world.collector.receive([result])
    assert world.status("bad") == (Status.SUCCESS, None)
    kept = world.store.get_result("bad")
    assert kept is not None
    assert kept.content is None
    assert world.archives.read(kept) == large


def test_reasons_that_nobody_knows_are_errors(world: World) -> None:
    good, bad = two_jobs(world)
    world.collector.receive([world.result(bad, reason="of a later version"), world.result(good)])
    assert world.status("bad") == (Status.ERROR, "of a later version")
    assert world.status("good") == (Status.SUCCESS, None)


def test_a_record_stays_small_whatever_a_node_says(world: World) -> None:
    _, bad = two_jobs(world)
    world.collector.receive([world.result(bad, reason="exception", message="x" * 500_000)])
    stored = world.stored("bad")
    assert stored.message == "x" * 4096
    assert stored.attempts[0].message == stored.message


@pytest.mark.parametrize(
    "change",
    [
        {"started_at": 2**63},
        {"finished_at": -1},
        {"peak_memory": 2**64 - 1},
        {"log_chunks": -1},
        {"reason": "x" * 65},
        {"isolation": "x" * 65},
    ],
)
def test_values_that_no_record_can_hold_are_malformed(world: World, change: dict[str, Any]) -> None:
    _, bad = two_jobs(world)
    decoder: MessageDecoder[CollectorMessage] = MessageDecoder(CollectorMessage)
    honest = world.result(bad)
    assert decoder.decode([encode(honest)]) == honest
    with pytest.raises(DecodeError):
        decoder.decode([encode(replace(honest, **change))])


@pytest.mark.parametrize("seq", [-1, 2**63, 2**64 - 1])
def test_numbers_of_log_pieces_that_no_store_takes_are_malformed(seq: int) -> None:
    decoder: MessageDecoder[CollectorMessage] = MessageDecoder(CollectorMessage)
    claim = {"request_id": "r", "attempt": 1, "node": "n", "epoch": 1, "project_id": "p"}
    piece = LogPiece(**claim, token=b"", seq=0, content=b"x")  # type: ignore[arg-type]
    assert decoder.decode([encode(piece)]) == piece
    with pytest.raises(DecodeError):
        decoder.decode([encode(replace(piece, seq=seq))])


def pieces_of(job: Any) -> Callable[[int, bytes], LogPiece]:
    """Return what makes pieces of a job's log by their number."""
    claim = {name: getattr(job, name) for name in ("request_id", "attempt", "node", "epoch")}
    return lambda seq, content: LogPiece(
        **claim, project_id="p", token=job.token, seq=seq, content=content
    )


def test_a_node_cannot_flood_the_store_with_logs(world: World) -> None:
    _, job = two_jobs(world)
    piece = pieces_of(job)
    world.collector.receive(
        [
            piece(0, b"x" * limits.LOG_CHUNK_BYTES),
            piece(1, b"x" * (limits.LOG_CHUNK_BYTES + 1)),
            piece(4095, b"x"),
            piece(4096, b"x"),
            piece(2**50, b"x"),
        ]
    )
    assert [each.seq for each in world.store.log_chunks("bad")] == [0, 4095]


def test_a_log_is_cut_where_its_node_does_not(world: World) -> None:
    """What a node may send in all is stored as it is, a mark of its own included."""
    good, bad = two_jobs(world)
    full, mark = b"x" * limits.LOG_CHUNK_BYTES, limits.LOG_CUT_MARK
    honest = [full] * (limits.LOG_BYTES_PER_RUN // len(full)) + [mark]
    world.collector.receive([pieces_of(good)(seq, each) for seq, each in enumerate(honest)])
    for seq in range(40):
        world.collector.receive([pieces_of(bad)(seq, full)])
    assert [each.content for each in world.store.log_chunks("good")] == honest
    stored = [each.content for each in world.store.log_chunks("bad")]
    assert stored == [*honest[:-1], full[: len(mark)] + mark]


def test_attempts_that_printed_last_are_counted() -> None:
    room = LogRoom(most_attempts=2)
    full = b"x" * limits.LOG_CHUNK_BYTES
    pieces = limits.LOG_BYTES_PER_RUN // len(full)

    def cut(request_id: str, seq: int) -> bytes | None:
        claim: dict[str, Any] = {"node": "n", "epoch": 1, "project_id": "p", "token": b""}
        return room.cut(LogPiece(request_id=request_id, attempt=1, seq=seq, content=full, **claim))

    for seq in range(pieces + 1):
        cut("a", seq)
    assert cut("a", pieces + 1) is None
    assert cut("b", 0) == full
    assert cut("a", pieces + 2) is None
    assert cut("c", 0) == full  # and "b" is forgotten
    assert cut("a", pieces + 3) is None
    assert cut("b", 1) == full


def test_a_result_of_what_is_not_stored_is_let_go(world: World) -> None:
    world.function()
    world.call()
    job = world.to_nodes[0]
    world.collector.receive([replace(world.result(job), ticket=None)])
    assert world.acknowledged == [Stored(request_id="c", attempt=1)]
    assert world.store.get_requests(["c"]) == {}


def test_nothing_is_acknowledged_before_it_is_stored(world: World) -> None:
    good, bad = two_jobs(world)
    results = [world.result(good), world.result(bad)]
    world.store.away = True
    with pytest.raises(StoreUnavailableError):
        world.collector.receive(results)
    assert world.acknowledged == []
    world.store.away = False
    world.collector.receive(results)
    assert len(world.acknowledged) == 2
    assert {world.stored(each).status for each in ("good", "bad")} == {Status.SUCCESS}


def test_a_verdict_does_not_acknowledge_a_result(world: World) -> None:
    """The node is silent and has the result: Stored would make it forget it."""
    good, _ = two_jobs(world)
    for _ in range(11):
        world.pass_time(1000)
    assert set(world.deliver()) == {"node_lost"}
    assert world.acknowledged == []
    stored = world.stored("good")
    assert (stored.status, stored.attempts[0].node) == (Status.QUEUED, "n")
    assert stored.attempts[0].reason == "node_lost"
    world.collector.receive([world.result(good)])
    assert world.status("good") == (Status.SUCCESS, None)
    assert world.acknowledged == [Stored(request_id="good", attempt=1)]


# Dead letters


@pytest.mark.parametrize(("lives", "dead"), [(True, False), (False, True)])
def test_what_nobody_is_told_of_is_a_dead_letter(world: World, lives: bool, dead: bool) -> None:
    """A caller waited for the recorded request; whether its API process lives decides."""
    world.function()
    world.request(reply_to="api")
    world.pass_time(1000)
    if not lives:
        world.apis.clear()
    world.end(world.to_nodes[0], reason="exception", message="m")
    assert (world.status(), world.stored().dead) == ((Status.ERROR, "exception"), dead)
    assert len(world.answers) == int(lives)


def test_who_waits_for_a_recorded_request_is_answered_each_time(world: World) -> None:
    world.function()
    world.request(reply_to="api")
    world.pass_time(1000)
    result = world.result(world.to_nodes[0], output=Body(sha256="s", size=1, content=b"2"))
    world.collector.receive([result])
    world.collector.receive([result])
    assert [(each.reason, each.output.content) for each in world.answers] == [(None, b"2")] * 2


# Builds


def build(world: World) -> Build:
    world.function(status=FunctionStatus.BUILDING, version=None)
    world.request("b", kind="build", version=1)
    world.pass_time(1000)
    job = world.to_nodes[0]
    assert isinstance(job, Build)
    return job


def test_a_refused_build_ends_in_its_function_whenever_the_collector_dies(world: World) -> None:
    """Nobody gives a verdict on a final request again: so its function must not wait for that."""
    world.function(status=FunctionStatus.BUILDING, version=None)
    world.heartbeat(slots=0)
    world.request("b", kind="build", version=1, expires_at=world.now + 500)
    world.pass_time(1000)
    change = world.store.change_function
    world.store.change_function = _away  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreUnavailableError):
        world.deliver()
    world.store.change_function = change  # type: ignore[method-assign]
    world.collector = world.new_collector()
    world.pass_seconds(1, slots=0)
    assert world.deliver() == ["expired"]
    function = world.store.get_functions(["f"])["f"]
    assert (function.status, function.build_error) == (
        FunctionStatus.ERROR,
        "no node could run it in time",
    )
    assert world.store.list_versions("f")[0].status is FunctionStatus.ERROR
    assert world.status("b") == (Status.ERROR, "expired")


def _away(*_: object) -> None:
    raise StoreUnavailableError("away")


def test_a_finished_build_is_followed_up_when_its_result_comes_again(world: World) -> None:
    job = build(world)
    change = world.store.change_function
    world.store.change_function = _away  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreUnavailableError):
        world.collector.receive([world.result(job)])
    assert world.acknowledged == []
    world.store.change_function = change  # type: ignore[method-assign]
    world.collector.receive([world.result(job)])
    function = world.store.get_functions(["f"])["f"]
    assert (function.status, function.version) == (FunctionStatus.ACTIVE, 1)
    assert world.acknowledged == [Stored(request_id="b", attempt=1)]


def test_a_lost_build_is_repeated_and_its_function_goes_on_building(world: World) -> None:
    build(world)
    for _ in range(11):
        world.pass_time(1000)
    world.deliver()
    assert world.status("b") == (Status.QUEUED, None)
    assert world.store.get_functions(["f"])["f"].status is FunctionStatus.BUILDING
    world.pass_seconds(1)
    assert world.jobs == [("b", 1, "n"), ("b", 2, "n")]


# Order


@pytest.mark.parametrize("seed", range(20))
def test_results_may_come_in_any_order_and_number(world: World, seed: int) -> None:
    """Two attempts, one lost; whatever arrives when, one outcome is kept and no success is lost."""
    chance = random.Random(seed)
    world.function()
    world.request(retries=1)
    world.pass_time(1000)
    first = world.to_nodes[0]
    for _ in range(11):
        world.pass_time(1000)
    verdicts = list(world.to_collector)
    world.deliver()
    world.pass_seconds(1, instance="j")
    second = world.to_nodes[-1]
    assert second.attempt == 2
    arriving = [
        *verdicts,
        *verdicts,
        world.result(first, reason=chance.choice([None, "exception"])),
        world.result(first),
        world.result(second, reason=chance.choice([None, "exception", "timeout"])),
        world.result(second),
    ]
    chance.shuffle(arriving)
    final = None
    for each in arriving:
        world.collector.receive([each])
        stored = world.stored()
        assert final is None or stored == final
        final = stored if stored.status.final else None
    assert final is not None
    assert final.status is Status.SUCCESS
    assert [each.number for each in final.attempts] == [1, 2]
