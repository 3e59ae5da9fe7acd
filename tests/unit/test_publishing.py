"""What happens on an event runs each function that subscribes to it, once."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.messages import Message, Submitted
from pratai_common.publishing import Occurrence, Publisher
from pratai_common.records import Event, Request, Status, Subscription
from pratai_common.store.base import Page, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Cause, Submitter, Trigger, request_id
from tests.archives import in_folder
from tests.records import function, request

EVENT = Event(event_id="e1", project_id="p", user_id="u", name="topic", created_at=1, updated_at=1)
NOW = 1_000_000


class World:
    def __init__(self, folder: Path) -> None:
        self.store = SQLiteStore(folder / "store.sqlite")
        self.store.create_schema()
        self.sent: list[Message] = []
        self.submitter = Submitter(
            self.store, in_folder(folder / "archives"), self.sent.append, lambda: NOW
        )
        self.publisher = Publisher(self.store, self.submitter)

    def subscribe(self, number: int, function_id: str = "f1", **values: Any) -> None:
        given: dict[str, Any] = {"kind": "message", "event_id": "e1", **values}
        self.store.create_subscription(
            Subscription(
                subscription_id=f"s{number}",
                function_id=function_id,
                project_id="p",
                user_id=f"user of s{number}",
                created_at=number,
                **given,
            )
        )

    def happen(self, name: str = "1", data: Any = None, **values: Any) -> list[str]:
        """Returns which functions were run."""
        given: dict[str, Any] = {"event": EVENT, **values}
        occurrence = Occurrence(
            id=name, payload=msgspec.json.encode(data), attributes={"id": name}, **given
        )
        [created] = self.publisher.publish([occurrence])
        return [each.request.function_id for each in created if each.new]

    def recorded(self) -> list[Request]:
        return self.store.list_requests("p", RequestFilter(), Page(100, descending=False))


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    for number in (1, 2, 3):
        made.store.create_function(function(number))
    return made


def test_each_function_that_subscribes_is_run(world: World) -> None:
    world.subscribe(1)
    world.subscribe(2, "f2")
    world.subscribe(3, "f3", event_id="e2")
    assert sorted(world.happen(data={"a": 1})) == ["f1", "f2"]
    first, second = sorted(world.recorded(), key=lambda each: each.function_id)
    assert (first.source, first.event, first.user_id) == ("published", {"id": "1"}, "user of s1")
    assert first.request_id == request_id("p", "f1", Cause("published", "e1/1"))
    assert second.request_id == request_id("p", "f2", Cause("published", "e1/1"))
    body = world.store.get_input(first.request_id)
    assert body is not None
    assert body.content == b'{"a":1}'
    assert {each.request.request_id for each in world.sent if isinstance(each, Submitted)} == {
        first.request_id,
        second.request_id,
    }


def test_what_happens_twice_runs_once(world: World) -> None:
    world.subscribe(1)
    assert world.happen("1") == ["f1"]
    assert world.happen("1") == []
    assert world.happen("2") == ["f1"]
    assert len(world.recorded()) == len(world.sent) == 2


def test_one_event_is_not_another(world: World) -> None:
    world.subscribe(1)
    world.subscribe(2, event_id="e2")
    assert world.happen("1") == ["f1"]
    assert world.happen("1", event=replace(EVENT, event_id="e2")) == ["f1"]


def test_a_function_that_subscribes_twice_is_run_once(world: World) -> None:
    world.subscribe(1, filter={"a": [1]})
    world.subscribe(2, filter={"b": [2]})
    assert world.happen("1", {"a": 1, "b": 2}) == ["f1"]
    assert world.happen("2", {"b": 2}) == ["f1"]
    assert world.happen("3", {"b": 3}) == []


def test_who_is_not_run(world: World) -> None:
    world.subscribe(1, enabled=False)
    world.subscribe(2, "f2")
    world.subscribe(3, "f3")
    world.subscribe(4, "never made")
    world.subscribe(5, kind="response")
    world.store.change_function("f2", lambda old: replace(old, enabled=False))
    world.store.change_function("f3", lambda old: replace(old, deleted_at=5))
    assert world.happen("1") == []
    world.store.change_function("f2", lambda old: replace(old, enabled=True))
    assert world.happen("1") == ["f2"]


@pytest.mark.parametrize("change", [{"enabled": False}, {"deleted_at": 5}])
def test_an_event_that_is_off_runs_nothing(world: World, change: dict[str, Any]) -> None:
    world.subscribe(1)
    assert world.happen("1", event=replace(EVENT, **change)) == []
    assert world.happen("1") == ["f1"]


def test_several_occurrences_are_told_apart(world: World) -> None:
    world.subscribe(1, filter={"a": [1]})
    world.subscribe(2, "f2")
    occurrences = [
        Occurrence(event=EVENT, id=str(a), payload=b'{"a":%d}' % a, attributes={}) for a in (1, 2)
    ]
    created = world.publisher.publish(occurrences)
    assert [[each.request.function_id for each in some] for some in created] == [
        ["f1", "f2"],
        ["f2"],
    ]
    assert world.publisher.publish([]) == []


def test_a_child_knows_its_chain(world: World) -> None:
    for parent, root in ((request(7, depth=3, root_id="r001"), "r001"), (request(8), "r008")):
        child = world.submitter.run(_child(parent, budget=4)).request
        assert (child.parent_id, child.root_id) == (parent.request_id, root)
        assert (child.depth, child.chain_budget) == (parent.depth + 1, 4)
        assert child.status is Status.QUEUED


@pytest.mark.parametrize(
    ("depth", "budget", "message"),
    [
        (limits.MAX_DEPTH, 9, "one event may cause a chain of 16 steps"),
        (0, -1, "one event may cause a chain of 10000 requests"),
    ],
)
def test_a_chain_ends(world: World, depth: int, budget: int, message: str) -> None:
    child = world.submitter.run(_child(request(7, depth=depth), budget=budget)).request
    assert (child.status, child.reason, child.message) == (Status.ERROR, "chain_limit", message)
    assert (child.dead, child.finished_at) == (True, NOW)
    assert world.sent == []
    assert world.store.due_requests(NOW, 9) == []


def test_the_last_of_a_chain_runs(world: World) -> None:
    last = world.submitter.run(_child(request(7, depth=limits.MAX_DEPTH - 1), budget=0)).request
    assert (last.depth, last.status) == (limits.MAX_DEPTH, Status.QUEUED)
    assert len(world.sent) == 1


def _child(parent: Request, budget: int) -> Trigger:
    cause = Cause("response", parent.request_id)
    return Trigger(
        function=function(), user_id="u", cause=cause, payload=b"1", parent=parent, budget=budget
    )


def test_what_is_not_to_run_yet_waits(world: World) -> None:
    world.subscribe(1)
    world.happen(not_before=NOW + 5000)
    [waiting] = world.recorded()
    assert (waiting.status, waiting.next_run_at) == (Status.SCHEDULED, NOW + 5000)
    assert waiting.expires_at == NOW + 5000 + limits.ASYNC_LIFETIME_MS
    assert world.sent == []
    assert world.store.due_requests(NOW, 9) == []
    assert world.store.due_requests(NOW + 5000, 9) == [waiting]


def test_a_function_says_how_long_its_requests_may_wait(world: World) -> None:
    impatient = function(4, max_age=60)
    created = world.submitter.run(
        Trigger(function=impatient, user_id="u", cause=Cause("http", "1"), payload=b"1")
    )
    assert created.request.expires_at == NOW + 60_000
