"""What the scheduler decides with: nodes and window, on a clock of the test's own."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pratai_common.messages import NodeState
from pratai_common.records import Attempt, Request
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.window import Entry, Window


def state(node: str = "n", **values: Any) -> NodeState:
    given: dict[str, Any] = {
        "instance": "i",
        "address": "a",
        "ip": "1",
        "pid": 1,
        "version": "v",
        "joined_at": 0,
        "slots": 2,
        "memory": 300,
        "runtimes": {},
        **values,
    }
    return NodeState(node=node, **given)


def nodes() -> Nodes:
    return Nodes(lease_ms=10_000, adopt_ms=5_000)


def entry(request_id: str, **values: Any) -> Entry:
    given: dict[str, Any] = {"function_id": "f", "expires_at": 1000, **values}
    request = Request(
        request_id=request_id,
        project_id="p",
        user_id="u",
        source="http",
        created_at=0,
        next_run_at=0,
        **given,
    )
    return Entry(request, None)


def test_a_node_takes_what_it_has_slots_and_memory_for() -> None:
    table = nodes()
    table.saw(state(), 0)
    assert table.place(("a", 1), "f", 128, 0) is not None
    assert table.place(("b", 1), "f", 256, 0) is None
    assert table.place(("b", 1), "f", 128, 0) is not None
    assert table.place(("c", 1), "f", 1, 0) is None
    table.done("n", "i", ("a", 1))
    assert table.place(("c", 1), "f", 128, 0) is not None


def test_a_job_is_where_it_was_given_whatever_another_node_says() -> None:
    table = nodes()
    table.saw(state(), 0)
    placed = table.place(("a", 1), "f", 128, 0)
    table.saw(state("liar", spooled=(("a", 1), ("b", 1)), running=(("c", 1, "f"),)), 0)
    holders = [table.holder((each, 1)) for each in "abc"]
    assert [None if each is None else each.state.node for each in holders] == ["n", "liar", "liar"]
    assert holders[0] is placed


def test_the_emptiest_node_is_chosen() -> None:
    table = nodes()
    table.saw(state("one"), 0)
    table.saw(state("two"), 0)
    chosen = [table.place((name, 1), "f", 1, 0) for name in "abcd"]
    assert sorted(node.state.node for node in chosen if node) == ["one", "one", "two", "two"]
    assert {node.state.node for node in chosen[:2] if node} == {"one", "two"}


def test_what_a_function_needs_beside_its_code_not_every_node_gives_it() -> None:
    """A node of an earlier release would run it without."""
    table = nodes()
    table.saw(state("old", slots=8), 0)
    assert table.place(("a", 1), "f", 10, 0, provisions=True) is None
    assert table.place(("a", 1), "f", 10, 0, ("f", 1), provisions=True) is None
    assert table.place(("b", 1), "f", 10, 0) is not None  # nobody else waits for that
    table.saw(state("new", provisions=True), 0)
    for name, code in (("a", None), ("c", ("f", 1))):
        placed = table.place((name, 1), "f", 10, 0, code, provisions=True)
        assert placed is not None
        assert placed.state.node == "new"
    assert table.place(("d", 1), "f", 10, 0, provisions=True) is None
    assert table.place(("e", 1), "f", 10, 0) is not None


def test_no_node_is_kept_that_does_not_give_what_a_job_needs() -> None:
    table = nodes()
    table.saw(state("old", memory=900), 0)
    table.keep(("a", 1), 300, 0, provisions=True)
    assert table.place(("b", 1), "f", 900, 0) is not None
    table.saw(state("new", provisions=True), 0)
    table.keep(("a", 1), 300, 0, provisions=True)
    assert table.place(("c", 1), "f", 100, 0) is None


def test_a_node_is_kept_for_one_job_alone_and_not_for_ever() -> None:
    table = nodes()
    table.saw(state("one"), 0)
    table.saw(state("two", memory=200), 0)
    table.place(("a", 1), "f", 100, 0)
    table.place(("b", 1), "f", 100, 0)
    assert table.place(("large", 1), "f", 300, 0) is None
    table.keep(("large", 1), 300, 0)
    table.keep(("other", 1), 150, 0)
    chosen = [table.place((name, 1), "f", 50, 1) for name in "cd"]
    assert [node and node.state.node for node in chosen] == ["two", None]
    table.done("one", "i", ("a", 1))
    table.done("one", "i", ("b", 1))
    assert table.place(("e", 1), "f", 50, 2) is None
    kept = table.place(("large", 1), "f", 300, 3)
    assert kept is not None
    assert kept.state.node == "one"
    table.done("one", "i", ("large", 1))
    assert table.place(("f", 1), "f", 50, 4) is not None
    assert table.place(("large", 2), "f", 300, 5) is None
    table.keep(("large", 2), 300, 5)
    assert table.place(("g", 1), "f", 50, 5_004) is None
    assert table.place(("g", 1), "f", 50, 5_005) is not None


def test_a_job_that_fits_elsewhere_keeps_no_node() -> None:
    table = nodes()
    table.saw(state("one"), 0)
    table.place(("a", 1), "f", 100, 0)
    table.keep(("large", 1), 300, 0)
    table.saw(state("two"), 1)
    placed = table.place(("large", 1), "f", 300, 1)
    assert placed is not None
    assert placed.state.node == "two"
    assert table.place(("b", 1), "f", 100, 1) is not None


def test_who_has_a_job_is_known() -> None:
    """It runs it, or keeps its result."""
    table = nodes()
    table.saw(state("one", running=(("a", 1, "f"),), spooled=(("b", 1),)), 0)
    placed = table.place(("c", 1), "f", 1, 0)
    assert placed is not None
    for name in "abc":
        holder = table.holder((name, 1))
        assert holder is not None
        assert holder.state.node == "one"
    assert table.holder(("a", 2)) is None
    table.done("one", "i", ("a", 1))
    table.release(("c", 1))
    table.saw(state("one"), 1)
    assert [table.holder((name, 1)) for name in "abc"] == [None, None, None]
    table.saw(state("one", running=(("d", 1, "f"),), spooled=(("d", 1),)), 2)
    table.done("one", "i", ("d", 1))
    assert table.holder(("d", 1)) is not None
    table.left("one", "i")
    assert table.holder(("d", 1)) is None


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.integers(0, 30), st.integers(1, 300)),
        st.tuples(st.just("done"), st.integers(0, 30), st.integers(0, 3)),
        st.tuples(st.just("saw"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("left"), st.integers(0, 3), st.just(0)),
    ),
    max_size=60,
)


@given(OPERATIONS)
def test_no_node_is_given_more_than_it_has(operations: list[tuple[str, int, int]]) -> None:
    table = nodes()
    for index, (kind, number, value) in enumerate(operations):
        known = {name: table.get(name) for name in ("n0", "n1", "n2", "n3")}
        if kind == "place":
            fitting = [n for n in known.values() if n and n.open_slots and n.free_memory >= value]
            most = max((node.open_slots for node in fitting), default=0)
            chosen = table.place((f"r{index}", 1), "f", value, 0)
            assert (chosen is None) == (not fitting)
            assert chosen is None or chosen.open_slots == most - 1
        elif kind == "done":
            table.done(f"n{value}", "i", (f"r{number}", 1))
            table.done(f"n{value}", "another", (f"r{number}", 1))
        elif kind == "saw":
            table.saw(state(f"n{number}", draining=bool(value)), 0)
        else:
            table.left(f"n{number}", "i")
        for node in known.values():
            assert node is None or len(node.reserved) <= node.state.slots
            assert node is None or 0 <= node.free_memory <= node.state.memory


def test_a_draining_node_takes_nothing() -> None:
    table = nodes()
    table.saw(state(draining=True), 0)
    assert table.place(("a", 1), "f", 1, 0) is None


def test_a_silent_node_is_lost_after_its_lease() -> None:
    table = nodes()
    table.saw(state(), 0)
    assert table.expire(10_000) == []
    assert [node.state.node for node in table.expire(10_001)] == ["n"]
    assert table.get("n") is None


def test_what_a_node_runs_is_adopted_and_a_job_that_never_arrived_is_let_go() -> None:
    table = nodes()
    table.saw(state(running=(("old", 1, "f"),)), 0)
    assert table.holds("n", ("old", 1))
    assert table.place(("new", 1), "f", 128, 0) is not None
    assert table.place(("more", 1), "f", 128, 0) is None
    table.saw(state(running=(("old", 1, "f"),)), 4_000)
    assert table.holds("n", ("new", 1))
    table.saw(state(running=(("old", 1, "f"),)), 5_001)
    assert not table.holds("n", ("new", 1))


def test_a_new_instance_starts_empty() -> None:
    table = nodes()
    table.saw(state(), 0)
    table.place(("a", 1), "f", 128, 0)
    table.saw(state(instance="j", spooled=(("b", 1),)), 1)
    assert not table.holds("n", ("a", 1))
    assert table.holds("n", ("b", 1))
    table.left("n", "i")
    assert table.get("n") is not None
    table.left("n", "j")
    assert table.get("n") is None


def test_the_window_is_bounded_and_first_in_first_out() -> None:
    window = Window(size=2)
    assert window.add(entry("a"))
    assert window.add(entry("b"))
    assert not window.add(entry("c"))
    assert window.room == 0
    first = window.first()
    assert first is not None
    assert first.request.request_id == "a"


def test_what_has_left_is_not_taken_in_again_until_its_next_attempt() -> None:
    window = Window(size=2)
    window.add(entry("a"))
    window.leave(entry("a").request, 1)
    assert window.knows(entry("a").request)
    assert not window.add(entry("a"))
    again = replace(
        entry("a").request, attempts=(Attempt(number=1, node="n", epoch=1, started_at=0),)
    )
    assert window.add(Entry(again, None))


def test_the_window_forgets_what_left_long_ago() -> None:
    window = Window(size=2, remember=1)
    for name in "ab":
        window.add(entry(name))
        window.leave(entry(name).request, 1)
    assert not window.knows(entry("a").request)
    assert window.knows(entry("b").request)


def test_parked_requests_wait_for_their_function() -> None:
    window = Window(size=2)
    window.add(entry("a"))
    window.park(entry("a"))
    assert window.first() is None
    assert window.knows(entry("a").request)
    assert window.room == 1
    window.unpark("f")
    assert window.first() == entry("a")
    assert len(window) == 1


def test_a_request_expires() -> None:
    window = Window(size=2)
    window.add(entry("a"))
    assert window.expired(999) == []
    window.park(entry("a"))
    expired = window.expired(1000)
    assert [each.request.request_id for each in expired] == ["a"]
    assert window.forget(expired[0].request)
    assert not window.forget(expired[0].request)
    assert not window.knows(entry("a").request)
