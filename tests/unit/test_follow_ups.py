"""What follows from the end of a run: who runs, on what, and as one of which chain."""

from typing import Any

import msgspec
import pytest

from pratai_common import limits
from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Stored, Submitted
from pratai_common.records import Body, FunctionStatus, Request, Status
from pratai_common.store.base import Page, RequestFilter
from pratai_common.submit import Cause, request_id
from pratai_common.tracing import of_run
from tests.unit.world import World

OUTPUT = Body.inline(b'{"answer":42}')
FAILED = {"reason": "exception", "message": "ValueError: 7"}


def run(world: World, identity: str = "r", **values: Any) -> Request:
    """Have a request of ``f`` run, and end as ``values`` say."""
    world.request(identity)
    world.pass_time(0)
    job = next(each for each in world.to_nodes if each.request_id == identity)
    world.end(job, **(values or {"output": OUTPUT}))
    return world.stored(identity)


def follower(
    function_id: str, parent: str = "r", kind: str = "response", name: str | None = None
) -> str:
    """Return the id of the request that follows another one."""
    return request_id("p", function_id, Cause(kind, name or parent))


def letter(function_id: str, parent: str = "r") -> str:
    return follower(function_id, kind="dead_letter", name=f"e/{parent}")


def following(world: World, parent: str = "r") -> list[str]:
    """Return the functions that a request's end has run, and how, by name."""
    return sorted(f"{each.function_id}:{each.source}" for each in world.descend(parent))


def data_of(world: World, identity: str) -> Any:
    body = world.store.get_input(identity)
    assert body is not None
    return msgspec.json.decode(world.archives.read(body))


# Responses


def test_who_follows_a_success_runs_on_the_very_result(world: World) -> None:
    world.function()
    world.function("g")
    world.subscribe("g", "f")
    parent = run(world)
    child = world.stored(follower("g"))
    assert world.store.get_input(child.request_id) == OUTPUT
    assert (child.function_id, child.source, child.status) == ("g", "response", Status.QUEUED)
    assert (child.parent_id, child.root_id, child.depth) == ("r", "r", 1)
    assert child.user_id == "owner of g"
    assert child.event == {
        "specversion": "1.0",
        "type": "pratai.response.success",
        "source": "/v1/functions/f",
        "subject": "r",
        "id": "r",
        "time": "1970-01-01T00:16:50.000Z",
        "datacontenttype": "application/json",
        "traceparent": of_run("r", 1, None).attributes["traceparent"],
    }
    assert parent.finished_at == 1_010_000
    assert world.hints == [Submitted(request=child, input=OUTPUT)]
    assert world.acknowledged == [Stored(request_id="r", attempt=1)]


def test_a_large_result_is_not_copied(world: World) -> None:
    world.function()
    world.function("g")
    world.subscribe("g", "f", filter={"kind": ["large"]})
    content = msgspec.json.encode({"kind": "large", "rest": "x" * limits.INLINE_BODY_BYTES})
    run(world, output=Body.inline(content))
    body = world.store.get_input(follower("g"))
    assert body == world.store.get_result("r")
    assert body is not None
    assert (body.content, body.size) == (None, len(content))


def test_who_returned_nothing_is_followed_by_null(world: World) -> None:
    world.function()
    world.function("g")
    world.subscribe("g", "f")
    run(world, reason=None)
    assert data_of(world, follower("g")) is None


def test_who_follows_a_failure_is_told_of_it(world: World) -> None:
    world.function()
    world.function("g")
    world.subscribe("g", "f", outcome="failure")
    run(world, **FAILED)
    child = world.stored(follower("g"))
    assert child.event is not None
    assert child.event["type"] == "pratai.response.failure"
    assert data_of(world, child.request_id) == {
        "request_id": "r",
        "function_id": "f",
        "status": "error",
        **FAILED,
        "payload": 1,
    }


def test_a_large_payload_of_a_failure_is_told_by_its_size(world: World) -> None:
    world.function(on_failure="e")
    world.function("g")
    world.event()
    world.subscribe("g", "f", outcome="failure")
    world.subscribe("g", "e", "message")
    content = b'"' + b"x" * limits.INLINE_BODY_BYTES + b'"'
    world.request(body=world.archives.keep(content))
    world.pass_time(0)
    world.end(world.to_nodes[0], **FAILED)
    for identity in (follower("g"), letter("g")):
        data = data_of(world, identity)
        assert (data["payload_size"], "payload" in data) == (len(content), False)


@pytest.mark.parametrize(
    ("reason", "follows"),
    [
        (None, ["f:response", "g:response"]),
        ("exception", ["f:response", "h:response"]),
        ("timeout", ["f:response", "h:response"]),
        ("cancelled", []),
    ],
)
def test_which_ends_are_followed(world: World, reason: str | None, follows: list[str]) -> None:
    """Here f follows itself however it ends, g its successes, h its failures."""
    for function_id, outcome in (("f", "any"), ("g", "success"), ("h", "failure")):
        world.function(function_id)
        world.subscribe(function_id, "f", outcome=outcome)
    run(world, reason=reason)
    assert following(world) == follows


@pytest.mark.parametrize(
    ("ended", "follows"),
    [
        ({"output": Body.inline(b'{"answer":42}')}, ["g:response"]),
        ({"output": Body.inline(b'{"answer":43}')}, []),
        ({"reason": "exception", "message": "m"}, ["h:response"]),
        ({"reason": "oom", "message": "m"}, []),
        ({"output": Body.inline(b'{"answer":42')}, []),
        ({"output": Body.inline(b"[" * 10_000)}, []),
        ({"output": Body.inline(b"\xff")}, []),
    ],
    ids=["passes", "another", "failure", "another failure", "cut", "deep", "no text"],
)
def test_filters_apply_to_what_followers_get(
    world: World, ended: dict[str, Any], follows: list[str]
) -> None:
    """A node may send what is no JSON: that passes no filter, and disturbs nobody else."""
    for function_id in ("f", "g", "h"):
        world.function(function_id)
    world.subscribe("g", "f", filter={"answer": [42]})
    world.subscribe("h", "f", filter={"reason": ["exception"]})
    run(world, **ended)
    assert following(world) == follows
    assert world.acknowledged == [Stored(request_id="r", attempt=1)]


def test_a_function_runs_once_however_often_it_subscribes(world: World) -> None:
    world.function()
    world.function("g")
    world.subscribe("g", "f", filter={"answer": [42]})
    world.subscribe("g", "f", outcome="success")
    world.subscribe("g", "f")
    run(world)
    assert len(world.hints) == 1
    assert world.stored(follower("g")).chain_budget == limits.CHAIN_REQUESTS - 1


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"deleted_at": 5}, {"project_id": "other"}], ids=str
)
def test_who_may_not_run_does_not_follow(world: World, change: dict[str, Any]) -> None:
    world.function()
    world.function("g", **change)
    world.function("h")
    for function_id in ("g", "h"):
        world.subscribe(function_id, "f")
    world.subscribe("h", "g")
    run(world)
    assert following(world) == ["h:response"]


def test_who_does_not_follow(world: World) -> None:
    """A subscription that is disabled, one of an event, and the end of a build."""
    world.function()
    world.function("g")
    world.subscribe("g", "f", enabled=False)
    world.subscribe("g", "f", "message")
    run(world)
    assert following(world) == []
    world.function("b", status=FunctionStatus.BUILDING, version=None)
    world.subscribe("g", "b")
    world.request("build", function_id="b", kind="build", version=1)
    world.pass_time(0)
    world.end(world.to_nodes[-1])
    assert world.status("build") == (Status.SUCCESS, None)
    assert following(world, "build") == []


def test_a_synchronous_call_is_followed_behind_its_answer(world: World) -> None:
    world.function()
    world.function("g")
    world.subscribe("g", "f")
    world.call("r")
    world.end(world.to_nodes[0], output=OUTPUT)
    assert [each.output for each in world.answers] == [OUTPUT]
    child = world.stored(follower("g"))
    assert (child.parent_id, child.reply_to) == ("r", None)
    assert world.store.get_input(child.request_id) == OUTPUT


# Dead letters


def test_a_dead_letter_is_published_on_the_event_of_its_function(world: World) -> None:
    world.function(on_failure="e", retries=0)
    world.function("g")
    world.event()
    world.subscribe("g", "e", "message", filter={"reason": ["exception"]})
    parent = run(world, **FAILED)
    assert parent.dead
    child = world.stored(letter("g"))
    assert (child.function_id, child.source, child.user_id) == ("g", "dead_letter", "owner of g")
    assert (child.parent_id, child.root_id, child.depth) == ("r", "r", 1)
    assert child.event is not None
    assert (child.event["type"], child.event["source"], child.event["id"]) == (
        "pratai.dead_letter",
        "/v1/functions/f",
        "r",
    )
    assert data_of(world, child.request_id) == {
        "request_id": "r",
        "function_id": "f",
        "function_name": "f",
        "version": 1,
        "status": "error",
        **FAILED,
        "event": None,
        "payload": 1,
        "attempts": [
            {
                "attempt": 1,
                "node": "n",
                "reason": "exception",
                "started_at": "1970-01-01T00:16:50.000Z",
                "finished_at": "1970-01-01T00:16:50.000Z",
            }
        ],
    }


def test_what_is_no_dead_letter_is_not_published(world: World) -> None:
    """A success, what was cancelled, and what a caller was told of; but that is followed."""
    world.function(on_failure="e")
    world.function("g")
    world.event()
    world.subscribe("g", "e", "message")
    run(world, "good")
    run(world, "cancelled", reason="cancelled")
    world.call("call")
    world.end(world.to_nodes[-1], **FAILED)
    assert world.status("call") == (Status.ERROR, "exception")
    for parent in ("good", "cancelled", "call"):
        assert following(world, parent) == []
    run(world, **FAILED)
    assert following(world) == ["g:dead_letter"]


@pytest.mark.parametrize(
    "event",
    [{"enabled": False}, {"deleted_at": 5}, {"project_id": "other"}, {"event_id": "another"}],
    ids=str,
)
def test_where_no_dead_letter_is_published(world: World, event: dict[str, Any]) -> None:
    world.function(on_failure="e")
    world.function("g")
    world.event(**{"event_id": "e", **event})
    world.subscribe("g", "e", "message")
    run(world, **FAILED)
    assert following(world) == []


# Chains


def run_all(world: World) -> list[Request]:
    """Let everything run that is there; returns all that is recorded then, in steps."""
    world.pass_time(0)
    done = 0
    while done < len(world.to_nodes):
        world.end(world.to_nodes[done], output=OUTPUT)
        world.pass_time(0)
        done += 1
    records = world.store.list_requests("p", RequestFilter(), Page(1000))
    return sorted(records, key=lambda each: each.depth)


def test_a_circle_ends(world: World) -> None:
    world.function()
    world.subscribe("f", "f")
    world.request()
    records = run_all(world)
    assert [each.depth for each in records] == list(range(limits.MAX_DEPTH + 2))
    assert {each.status for each in records[:-1]} == {Status.SUCCESS}
    assert {each.root_id for each in records[1:]} == {"r"}
    last = records[-1]
    assert (last.status, last.reason, last.dead) == (Status.ERROR, "chain_limit", True)
    assert last.message == "one event may cause a chain of 16 steps"
    assert last.attempts == ()


def test_what_descends_from_one_is_bounded(world: World) -> None:
    """Three functions that all follow each other: three times as many with each step."""
    for function_id in ("f", "g", "h"):
        world.function(function_id)
        for topic in ("f", "g", "h"):
            world.subscribe(function_id, topic)
    world.request(chain_budget=60)
    records = run_all(world)
    ran = [each for each in records if each.status is Status.SUCCESS]
    refused = [each for each in records if each.reason == "chain_limit"]
    assert len(ran) + len(refused) == len(records)
    assert len(ran) == 1 + 3 + 9 + 27
    assert len(refused) == 27  # one of each that could have no more, however many follow it
    assert {each.message for each in refused} == {"one event may cause a chain of 10000 requests"}
    assert {each.depth for each in refused} == {4}


def test_responses_and_dead_letters_share_what_may_descend(world: World) -> None:
    world.function(on_failure="e")
    world.function("g")
    world.function("h")
    world.event()
    world.subscribe("g", "f")
    world.subscribe("h", "f")
    world.subscribe("h", "e", "message")
    world.request(chain_budget=32)
    world.pass_time(0)
    world.end(world.to_nodes[0], **FAILED)
    assert following(world) == ["g:response", "h:dead_letter", "h:response"]
    children = [world.stored(each) for each in (follower("g"), follower("h"), letter("h"))]
    assert [each.chain_budget for each in children] == [9, 9, 9]
    assert sum(1 + each.chain_budget for each in children) <= 32


def test_many_followers_are_recorded_in_parts(world: World) -> None:
    world.function()
    names = [f"g{number}" for number in range(10)]
    for name in names:
        world.function(name)
        world.subscribe(name, "f")
    world.heartbeat(slots=26, memory=26 * 128)
    parents = [f"r{number}" for number in range(26)]
    for parent in parents:
        world.request(parent)
    world.pass_time(0)
    world.collector.receive([world.result(job, output=OUTPUT) for job in world.to_nodes])
    for parent in parents:
        assert following(world, parent) == [f"{name}:response" for name in names]
    assert len(world.acknowledged) == 26


# What dies in between


def two_followers(world: World) -> None:
    """Both kinds of follow-ups, of failures."""
    world.function(on_failure="e")
    world.function("g")
    world.event()
    world.subscribe("g", "f")
    world.subscribe("g", "e", "message")


BOTH = ["g:dead_letter", "g:response"]


class Breaks:
    """A method of the store that fails once: before it has done its work, or behind it."""

    def __init__(self, world: World, name: str, works: bool) -> None:
        self._method = getattr(world.store, name)
        self._works = works
        self.broke = False
        setattr(world.store, name, self)

    def __call__(self, *arguments: Any) -> Any:
        if self.broke:
            return self._method(*arguments)
        self.broke = True
        if self._works:
            self._method(*arguments)
        raise StoreUnavailableError("away")


STEPS = pytest.mark.parametrize(
    ("step", "works"),
    [
        ("change_requests", False),
        ("change_requests", True),
        ("subscriptions_to", False),
        ("get_functions", False),
        ("get_events", False),
        ("get_input", False),
        ("create_requests", False),
        ("create_requests", True),
    ],
)


@STEPS
def test_a_node_repeats_itself_until_what_follows_is_recorded(
    world: World, step: str, works: bool
) -> None:
    two_followers(world)
    world.request()
    world.pass_time(0)
    result = world.result(world.to_nodes[0], **FAILED)
    breaks = Breaks(world, step, works)
    with pytest.raises(StoreUnavailableError):
        world.collector.receive([result])
    assert breaks.broke
    assert world.acknowledged == []
    world.collector = world.new_collector()
    for _ in range(2):
        world.collector.receive([result])
        assert following(world) == BOTH
    assert world.acknowledged == [Stored(request_id="r", attempt=1)] * 2
    assert world.stored().following is False


@pytest.mark.parametrize(
    ("step", "works"),
    [
        ("subscriptions_to", False),
        ("create_requests", True),
        ("create_requests", False),
    ],
)
def test_what_follows_a_call_is_recorded_when_its_result_comes_again(
    world: World, step: str, works: bool
) -> None:
    world.function()
    world.function("g")
    world.subscribe("g", "f")
    world.call("r")
    result = world.result(world.to_nodes[0], output=OUTPUT)
    Breaks(world, step, works)
    with pytest.raises(StoreUnavailableError):
        world.collector.receive([result])
    assert (len(world.answers), world.acknowledged) == (1, [])
    world.collector = world.new_collector()
    world.collector.receive([result])
    assert following(world) == ["g:response"]
    assert world.store.get_input(follower("g")) == OUTPUT
    assert world.acknowledged == [Stored(request_id="r", attempt=1)]


def test_followers_get_what_is_stored_whatever_comes_again(world: World) -> None:
    """The first success is kept; what follows, and is recorded later, is of that."""
    world.function()
    world.function("g")
    world.subscribe("g", "f")
    world.request()
    world.pass_time(0)
    Breaks(world, "subscriptions_to", works=False)
    with pytest.raises(StoreUnavailableError):
        world.collector.receive([world.result(world.to_nodes[0], output=OUTPUT)])
    other = world.result(world.to_nodes[0], output=Body.inline(b'"other"'))
    world.collector.receive([other])
    assert world.store.get_input(follower("g")) == OUTPUT


@pytest.mark.parametrize(
    ("step", "works"),
    [
        ("change_requests", True),
        ("subscriptions_to", False),
        ("get_events", False),
        ("create_requests", False),
        ("create_requests", True),
    ],
)
def test_what_follows_a_verdict_is_recorded_by_another_collector(
    world: World, step: str, works: bool
) -> None:
    """Nobody repeats a verdict on what has ended: the record says that something is left."""
    two_followers(world)
    world.heartbeat(slots=0)
    world.request(expires_at=world.now + 500)
    world.pass_time(1000)
    Breaks(world, step, works)
    with pytest.raises(StoreUnavailableError):
        world.deliver()
    assert world.status() == (Status.ERROR, "expired")
    assert world.stored().following
    world.collector = world.new_collector()
    world.collector.tick()
    before = following(world)
    world.now += 5001
    world.collector.tick()
    assert (following(world), world.stored().following) == (BOTH, False)
    assert before == (BOTH if (step, works) == ("create_requests", True) else [])
    world.pass_time(1000)
    assert world.deliver() == []


def test_what_is_followed_at_once_is_not_marked(world: World) -> None:
    two_followers(world)
    world.heartbeat(slots=0)
    world.request(expires_at=world.now + 500)
    world.pass_time(1000)
    assert world.deliver() == ["expired"]
    assert (following(world), world.stored().following) == (BOTH, False)


def test_what_archives_cannot_keep_now_follows_later(world: World) -> None:
    """Others are not kept waiting; the node, and the mark of a verdict, tell of it again."""
    two_followers(world)
    content = b'"' + b"x" * (limits.INLINE_BODY_BYTES - 2) + b'"'
    world.request("large", body=Body.inline(content))
    world.request("small")
    world.pass_time(0)
    results = [world.result(job, **FAILED) for job in world.to_nodes]
    root = world.archives._root
    root.write_bytes(b"")  # a file where the folder of archives should be
    world.collector.receive(results)
    assert {each: world.status(each)[0] for each in ("large", "small")} == {
        "large": Status.ERROR,
        "small": Status.ERROR,
    }
    assert (following(world, "large"), following(world, "small")) == ([], BOTH)
    assert world.acknowledged == [Stored(request_id="small", attempt=1)]
    root.unlink()
    world.collector.receive(results)
    assert following(world, "large") == BOTH
    assert data_of(world, follower("g", "large"))["payload"] == "x" * (len(content) - 2)


def test_a_result_that_is_lost_passes_no_filter(world: World) -> None:
    world.function()
    world.function("g")
    world.function("h")
    world.subscribe("g", "f", filter={"answer": [{"exists": False}]})
    world.subscribe("h", "f")
    run(world, output=Body(sha256="0" * 64, size=limits.MAX_BODY_BYTES))
    assert following(world) == ["h:response"]
