"""An old job never runs beside its successor: what nodes refuse, and what a scheduler waits for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.messages import Done, Heartbeat, Hello, Lead, Stored, Submitted
from pratai_scheduler.batches import newest
from pratai_scheduler.nodes import MOST_SLOTS, Nodes
from tests.unit.node_world import NodeWorld
from tests.unit.test_two_schedulers import LEASE_MS, STEP_MS, Pair
from tests.unit.world import BODY, World, node_state
from tests.waiting import until

# A node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeWorld]:
    made = NodeWorld(tmp_path)
    yield made
    made.close()


def test_a_job_that_was_on_its_way_for_too_long_is_refused(node: NodeWorld) -> None:
    node.pass_time(1_000)
    late, in_time = node.job("late"), node.job("in-time")
    node.node.receive([replace(late, take_by=999), replace(in_time, take_by=1_000)])
    assert node.result("in-time").reason is None
    assert node.spool.keys() == (("in-time", 1),)


def test_a_node_says_when_it_speaks_and_which_epoch_it_was_told(node: NodeWorld) -> None:
    (hello,) = until(lambda: node.said(Hello), "it says hello")
    assert (hello.state.epoch, hello.state.clock) == (0, 0)
    node.now = 7
    node.node.receive([Lead(epoch=3), Lead(epoch=3), Lead(epoch=2)])
    beats = until(lambda: node.said(Heartbeat), "it says so at once")
    assert [(each.state.epoch, each.state.clock) for each in beats] == [(3, 7)]


def test_a_former_scheduler_is_refused_by_a_node_that_was_told_of_a_newer(node: NodeWorld) -> None:
    node.node.receive([Lead(epoch=2), node.job("old"), replace(node.job("new"), epoch=2)])
    assert node.result("new").reason is None
    assert node.spool.keys() == (("new", 1),)


def test_a_job_that_comes_twice_runs_once(node: NodeWorld) -> None:
    """Also when its result is stored already. The control: one that may be taken at any time."""
    job = replace(node.job("r"), take_by=5_000)
    node.node.receive([job])
    for time in (0, 5_001):
        until(lambda: node.result("r") and not node.node.state().running, "it has ended")
        node.pass_time(time)
        node.node.receive([Stored(request_id="r", attempt=1), job])
    assert node.node.state().running == ()
    assert len(node.engine.started) == 1
    node.node.receive([replace(job, take_by=None)])
    until(lambda: len(node.engine.started) == 2, "it runs again")


# The table of nodes


def table() -> Nodes:
    return Nodes(lease_ms=10_000, adopt_ms=5_000)


def test_work_is_for_nodes_that_have_said_the_epoch() -> None:
    nodes = table()
    nodes.saw(node_state(epoch=1, clock=0), 0)
    nodes.lead(2)
    assert nodes.place(("r", 1), "f", 1, 0) is None
    nodes.saw(node_state(epoch=2, clock=1), 1)
    assert nodes.place(("r", 1), "f", 1, 1) is not None


def test_nodes_of_a_release_without_epochs_get_work() -> None:
    nodes = table()
    nodes.lead(2)
    nodes.saw(node_state(), 0)
    assert nodes.place(("r", 1), "f", 1, 9_000) is not None


def test_a_job_is_sent_upon_words_that_are_not_old() -> None:
    nodes = table()
    nodes.saw(node_state(clock=100), 0)
    assert nodes.place(("late", 1), "f", 1, 3_400) is None
    nodes.saw(node_state(clock=3_500), 3_400)
    chosen = nodes.place(("r", 1), "f", 1, 3_400)
    assert chosen is not None
    assert chosen.take_by(("r", 1)) == 8_500


def test_what_a_node_does_not_have_is_lost_when_it_can_take_it_no_more() -> None:
    """By the node's own words, however long those were on their way."""
    nodes = table()
    nodes.saw(node_state(clock=100), 0)
    nodes.place(("r", 1), "f", 1, 0)
    nodes.saw(node_state(clock=5_100), 60_000)
    assert nodes.holds("n", ("r", 1))
    nodes.saw(node_state(clock=5_101), 60_001)
    assert not nodes.holds("n", ("r", 1))


def test_words_that_come_out_of_order_change_nothing() -> None:
    nodes = table()
    nodes.saw(node_state(clock=200, running=(("r", 1, "f"),)), 0)
    assert not nodes.saw(node_state(clock=199), 9_000)
    assert nodes.holds("n", ("r", 1))
    assert nodes.saw(node_state(clock=9_000), 9_000)
    assert not nodes.holds("n", ("r", 1))


def test_words_of_former_epochs_are_no_sign_of_life() -> None:
    """They may have waited in a socket since before this scheduler was started."""
    nodes = table()
    nodes.lead(2)
    for second in range(11):
        nodes.saw(node_state(epoch=1, clock=second), 1_000 * second)
        nodes.saw(node_state(node="m", epoch=2, clock=second), 1_000 * second)
        assert nodes.expire(1_000 * second) == []
    assert [each.state.node for each in nodes.expire(10_001)] == ["n"]


def test_a_scheduler_that_stood_still_listens_before_it_judges() -> None:
    nodes = table()
    for name in ("dead", "lives"):
        nodes.saw(node_state(node=name), 0)
    assert nodes.expire(0) == []
    assert nodes.expire(60_000) == []
    nodes.saw(node_state(node="lives"), 60_500)
    for now in (62_000, 64_000, 66_000):
        assert nodes.expire(now) == []
    assert [each.state.node for each in nodes.expire(68_000)] == ["dead"]


def test_a_node_does_not_draw_all_jobs_by_what_it_says_of_its_slots() -> None:
    nodes = table()
    nodes.saw(node_state(slots=2**53), 0)
    node = nodes.get("n")
    assert node is not None
    assert node.open_slots == MOST_SLOTS


# Whoever takes over


class Fenced(Pair):
    """Two schedulers, the node ``n``, which they reach while ``wired``, and ``m``, which they can
    always. Both say the epoch that they were told; ``slots`` are those of ``n``, and ``m`` has 4.
    """

    def __init__(self, world: World) -> None:
        self.told = 0
        self.wired = True
        self.slots = 1
        super().__init__(world)

    def heartbeat(self, kind: type[Hello] | type[Heartbeat] = Heartbeat, **values: Any) -> None:
        now = self.world.now
        epochs = [each.epoch for each in self.world.to_nodes if isinstance(each, Lead)]
        lead = max(epochs, default=0)
        self.told = lead if self.wired else self.told
        super().heartbeat(kind, epoch=self.told, clock=now, slots=self.slots, **values)
        m = node_state(node="m", instance="j", address="b", epoch=lead, clock=now)
        self.say(Heartbeat(state=m))

    def given(self) -> list[tuple[str, int, str]]:
        """Return request, attempt and node of each job that was sent."""
        return self.world.jobs

    def call(self, name: str, ahead: int = 0) -> None:
        """Have an API make a call whose clock is so many milliseconds ahead."""
        now = self.world.now + ahead
        request = self.world._request(name, reply_to="api", created_at=now, expires_at=now + 60_000)
        self.say(Submitted(request=request, input=BODY, recorded=False))

    def answers(self) -> list[tuple[str, str | None]]:
        return [(each.request_id, each.reason) for each in self.world.answers]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Fenced]:
    world = World(tmp_path)
    world.function()
    yield Fenced(world)
    world.store.close()


def test_what_a_former_scheduler_may_have_sent_waits_until_no_node_can_take_it(
    pair: Fenced,
) -> None:
    pair.kill(pair.first)
    pair.wired = False
    pair.world.request("old")
    pair.until_second_acts()
    pair.pass_time(2_000)
    pair.world.request("new")
    pair.pass_time(2_000)
    assert pair.given() == [("new", 1, "m")]
    pair.wired = True
    pair.pass_time(2_000)
    assert [each[:2] for each in pair.given()] == [("new", 1), ("old", 1)]


def test_it_waits_no_longer_than_for_the_lease_of_a_node(pair: Fenced) -> None:
    pair.kill(pair.first)
    pair.wired = False
    pair.world.request("old")
    pair.until_second_acts()
    pair.pass_time(7_000)
    assert pair.given() == []
    pair.pass_time(4_000)
    assert pair.given() == [("old", 1, "m")]


def test_a_former_attempt_is_lost_when_its_node_says_the_epoch_and_does_not_have_it(
    pair: Fenced,
) -> None:
    pair.slots = 8
    pair.heartbeat()
    pair.world.request()
    pair.pass_time(1_000)
    assert pair.given() == [("r", 1, "n")]
    pair.kill(pair.first)
    pair.wired = False
    pair.until_second_acts()
    pair.pass_time(6_000)
    assert pair.world.to_collector == []
    pair.wired = True
    pair.pass_time(2_000)
    assert set(pair.world.deliver()) == {"node_lost"}


def test_a_call_that_a_former_scheduler_may_have_had_is_answered_and_not_run(
    pair: Fenced,
) -> None:
    pair.stop(pair.first)
    pair.call("c")
    waited = pair.until_second_acts()
    pair.pass_time(1_000)
    assert pair.answers() == [("c", "node_lost")]
    assert waited <= LEASE_MS + 2 * STEP_MS
    pair.go_on(pair.first)
    pair.kill(pair.second)
    pair.pass_time(20_000)
    assert pair.acting == [pair.first]
    assert pair.given() == []


def test_a_call_that_was_made_when_nobody_acted_is_run(pair: Fenced) -> None:
    """What a former scheduler may have had is answered; each call is one or the other."""
    pair.kill(pair.first)
    calls = []
    while pair.second._leadership.denied:
        calls.append(f"c{pair.steps}")
        pair.call(calls[-1])
        pair.pass_time(STEP_MS)
    pair.pass_time(1_000)
    run, answered = {each[0] for each in pair.given()}, {each[0] for each in pair.answers()}
    assert calls[0] in answered
    assert calls[-1] in run
    assert sorted([*run, *answered]) == sorted(calls)


def test_a_call_that_a_node_has_is_left_to_it(pair: Fenced) -> None:
    pair.slots = 8
    pair.heartbeat()
    pair.call("c")
    pair.run("c")
    pair.kill(pair.first)
    pair.until_second_acts()
    pair.pass_time(2_000)
    assert pair.given() == [("c", 1, "n")]
    assert pair.answers() == []


def test_a_call_that_a_node_has_is_left_to_it_whatever_the_clock_of_its_api(pair: Fenced) -> None:
    """By an API whose clock is ahead, a call was made when nobody acted; a node says it has it."""
    pair.slots = 8
    pair.heartbeat()
    pair.call("c", ahead=LEASE_MS)
    pair.run("c")
    pair.kill(pair.first)
    pair.until_second_acts()
    pair.pass_time(2_000)
    assert pair.given() == [("c", 1, "n")]
    assert pair.answers() == []


def test_a_call_that_has_ended_is_forgotten(pair: Fenced) -> None:
    pair.call("c")
    assert len(pair.second._overheard) == 1
    pair.say(Done(node="n", instance="i", request_id="c", attempt=1))
    assert len(pair.second._overheard) == 0


def test_a_call_that_comes_after_it_was_taken_for_lost_is_not_run(world: World) -> None:
    """Its caller waited no longer, so it is repeated as any request is."""
    world.function()
    request = world._request("c", reply_to="api", expires_at=world.now + 60_000)
    call = Submitted(request=request, input=BODY, recorded=False)
    world.detach(call)
    world.pass_seconds(6)
    assert world.deliver()[:1] == ["node_lost"]
    world.pass_seconds(3)
    assert [job[:2] for job in world.jobs] == [("c", 2)]
    world.dispatcher.receive([call])
    assert [job[:2] for job in world.jobs] == [("c", 2)]


def test_of_what_a_node_says_in_one_batch_the_last_counts() -> None:
    """The control of a node that has been started again: its former words are another's."""
    beats = [Heartbeat(state=node_state(clock=clock)) for clock in (1, 2, 3)]
    done = Done(node="n", instance="i", request_id="r", attempt=1)
    other = Hello(state=node_state(instance="next", joined_at=1))
    assert newest([beats[0], done, beats[1], other, beats[2]]) == [done, other, beats[2]]
