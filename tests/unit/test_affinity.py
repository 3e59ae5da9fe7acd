"""Where a function's events run: with a spare, near its files, on few nodes, and on none that is
busy while others are not.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratai_scheduler.affinity import Affinity
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.rendezvous import Rendezvous
from tests.unit.world import node_state

CODE = ("f", 1)


class Table:
    """Nodes of which each may be given events."""

    def __init__(self, count: int = 10, **values: Any) -> None:
        self.nodes = Nodes(lease_ms=10_000, adopt_ms=5_000)
        self.nodes.lead(1)
        self._values = {"epoch": 1, **values}
        self.given = 0
        for number in range(count):
            self.says(f"n{number}")

    def ran(self, name: str, code: tuple[str, int] = CODE) -> None:
        """Have a node been given a run of some code, which is over."""
        self.nodes._affinity.took(code, 1.0, name)

    def says(self, node: str, **values: Any) -> None:
        """Be a node that gives a sign of life."""
        node_is = self.nodes.get(node)
        running = () if node_is is None else tuple((*job, "f") for job in node_is.reserved)
        said = node_state(node=node, **{"running": running, **self._values, **values})
        self.nodes.saw(said, 0)

    def place(self, code: tuple[str, int] = CODE, memory: int = 64) -> str | None:
        """Give an event of some code to a node; returns which."""
        self.given += 1
        job = (f"r{self.given}", 1)
        node = self.nodes.place(job, code[0], memory, 0, code)
        return None if node is None else node.state.node

    def end(self, node: str) -> None:
        """End what a node was given first."""
        found = self.nodes.get(node)
        assert found is not None
        self.nodes.done(node, "i", next(iter(found.reserved)))


def order_of(names: int, key: str, most: int = 1000) -> tuple[str, ...]:
    rendezvous = Rendezvous()
    for number in range(names):
        rendezvous.join(f"n{number}")
    return rendezvous.order(key, most)


# The order


def test_an_order_has_each_node_once_whoever_came_first() -> None:
    names = [f"n{number}" for number in range(300)]
    one, other = Rendezvous(), Rendezvous()
    for name in names:
        one.join(name)
    for name in reversed(names):
        other.join(name)
    assert sorted(one.order("f", 1000)) == sorted(names)
    assert one.order("f", 1000) == other.order("f", 1000)
    assert one.order("f", 1000) != one.order("g", 1000)
    assert one.order("h", 5) == other.order("h", 1000)[:5]


def test_a_node_that_goes_changes_no_order_but_by_its_own_place() -> None:
    rendezvous = Rendezvous()
    for number in range(40):
        rendezvous.join(f"n{number}")
    keys = [f"f{number}" for number in range(500)]
    before = {key: rendezvous.order(key, 1)[0] for key in keys}
    rendezvous.leave("n7")
    after = {key: rendezvous.order(key, 1)[0] for key in keys}
    moved = {key for key in keys if before[key] != after[key]}
    assert {key for key in keys if before[key] == "n7"} <= moved
    assert len(moved) < 3 * len(keys) / 40
    rendezvous.join("n7")
    assert {key: rendezvous.order(key, 1)[0] for key in keys} == before


@pytest.mark.parametrize("nodes", [3, 100, 1000])
def test_keys_are_shared_out_evenly(nodes: int) -> None:
    rendezvous = Rendezvous()
    for number in range(nodes):
        rendezvous.join(f"n{number}")
    firsts = Counter(rendezvous.order(f"f{key}", 1)[0] for key in range(10 * nodes))
    assert max(firsts.values()) < 35
    assert len(firsts) > 0.99 * nodes


def test_orders_of_many_keys_are_not_all_remembered() -> None:
    rendezvous = Rendezvous(most_keys=3)
    rendezvous.join("n")
    for key in "abcd":
        assert rendezvous.order(key, 1) == ("n",)
    assert list(rendezvous._known) == ["b", "c", "d"]


def test_without_nodes_there_is_no_order() -> None:
    assert Rendezvous().order("f", 4) == ()
    assert Table(0).place() is None


# The choice


def test_a_node_with_a_spare_comes_first() -> None:
    table = Table()
    last = order_of(10, "f")[-1]
    table.ran(last)
    table.says(last, spares=(("f", 1, 2), ("g", 1, 1)))
    first = order_of(10, "f")[0]
    assert [table.place() for _ in range(3)] == [last, last, first]


def test_a_spare_is_of_one_version_and_one_function() -> None:
    table = Table()
    order = order_of(10, "f")
    table.ran(order[-1], ("f", 2))
    table.says(order[-1], spares=(("f", 2, 2), ("g", 1, 1), ("f", 1, 0)))
    assert table.place() == order[0]
    assert table.place(("f", 2)) == order[-1]


def test_spares_of_code_that_a_node_was_not_given_are_not_believed() -> None:
    table = Table()
    order = order_of(10, "f")
    table.says(order[-1], spares=(("f", 1, 9),))
    assert table.place() == order[0]
    table.ran(order[-1])
    assert table.place() == order[-1]


def test_spares_are_as_the_node_says_last() -> None:
    table = Table()
    order = order_of(10, "f")
    table.ran(order[-1])
    table.says(order[-1], spares=(("f", 1, 1),))
    assert table.place() == order[-1]
    table.says(order[-1], spares=(("f", 1, 1),))
    assert table.place() == order[-1]
    table.says(order[-1], spares=(("f", 1, 1),))
    table.says(order[-1])
    assert table.place() == order[0]


def test_a_node_that_is_gone_or_full_has_no_spares() -> None:
    table = Table()
    order = order_of(10, "f")
    for name in order[-2:]:
        table.ran(name)
        table.says(name, spares=(("f", 1, 9),), slots=1)
    assert {table.place(), table.place()} == set(order[-2:])
    assert table.place() == order[0]
    table.end(order[-1])
    assert table.place() == order[-1]
    table.end(order[-2])
    assert table.nodes.left(order[-2], "i")
    assert table.place() == order[0]


def test_a_node_without_memory_or_that_drains_is_not_chosen() -> None:
    table = Table()
    order = order_of(10, "f")
    table.says(order[0], memory=63, spares=(("f", 1, 1),))
    table.says(order[1], draining=True, spares=(("f", 1, 1),))
    assert table.place() == order[2]


def test_events_go_to_few_nodes() -> None:
    """A node is left alone when half of it is taken, though it has room."""
    table = Table()
    order = order_of(10, "f")
    assert [table.place() for _ in range(5)] == [
        order[0],
        order[0],
        order[1],
        order[1],
        order[2],
    ]
    table.end(order[0])
    assert [table.place() for _ in range(3)] == [order[2], order[0], order[3]]


def test_where_it_ran_comes_before_where_it_did_not() -> None:
    table = Table(5)
    function = next(
        each
        for each in (f"f{number}" for number in range(1000))
        if 0 < order_of(100, each).index(order_of(5, each)[0]) < 16
    )
    ran = table.place((function, 1))
    assert ran == order_of(5, function)[0]
    table.end(ran)
    for number in range(5, 100):
        table.says(f"n{number}")
    assert table.place((function, 1)) == ran
    assert table.place((function, 2)) == order_of(100, function)[0]


def test_functions_have_nodes_of_their_own() -> None:
    table = Table(50)
    used = Counter(table.place((f"f{number}", 1)) for number in range(50))
    assert len(used) > 20
    assert max(used.values()) <= 2


def test_all_the_room_there_is_can_be_used_by_one_function() -> None:
    table = Table(30)
    used = Counter(table.place() for _ in range(120))
    assert used == dict.fromkeys((f"n{number}" for number in range(30)), 4)
    assert table.place() is None
    table.end("n3")
    assert table.place() == "n3"


def test_no_node_is_much_fuller_than_the_others_while_these_have_room() -> None:
    """At most as full as all are, by a quarter more, or half full."""
    table = Table(100, slots=10)
    taken: Counter[str | None] = Counter()
    for number in range(700):
        taken[table.place((f"f{number % 7}", 1))] += 1
        most = max(5.0, 1.25 * number / 100) + 1
        assert max(taken.values()) <= most
    assert None not in taken


def test_a_function_that_fills_many_nodes_finds_room_beyond_the_first_that_are_looked_at() -> None:
    table = Table(400)
    used = Counter(table.place() for _ in range(300))
    assert max(used.values()) <= 2
    assert 150 <= len(used) <= 200
    again = Counter[str | None]()
    for name in list(used):
        assert name is not None
        table.end(name)
        again[table.place()] += 1
    # What ends makes room for more of the same, on nodes that have the files.
    assert sum(again[name] for name in used) > 0.8 * sum(again.values())


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pratai_scheduler.affinity._REMEMBERED_CODES", 3)
    affinity = Affinity()
    for number in range(5):
        affinity.took((f"f{number}", 1), 0.0, "n")
    for number in range(40):
        affinity.took(("f4", 1), 0.0, f"n{number}")
    assert list(affinity._ran) == [("f2", 1), ("f3", 1), ("f4", 1)]
    assert len(affinity._ran[("f4", 1)]) == 8


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("place"), st.integers(0, 3), st.integers(1, 300)),
            st.tuples(st.just("end"), st.integers(0, 3), st.just(0)),
            st.tuples(st.just("says"), st.integers(0, 3), st.integers(0, 3)),
            st.tuples(st.just("left"), st.integers(0, 3), st.just(0)),
        ),
        max_size=60,
    )
)
def test_room_that_is_there_is_found_and_no_more_is_given(
    operations: list[tuple[str, int, int]],
) -> None:
    table = Table(0, memory=300, slots=2)
    for kind, number, value in operations:
        name = f"n{number}"
        known = [node for each in range(4) if (node := table.nodes.get(f"n{each}")) is not None]
        if kind == "place":
            fits = any(node.open_slots and node.free_memory >= value for node in known)
            assert (table.place((f"f{number}", 1), value) is not None) == fits
        elif kind == "end":
            node = table.nodes.get(name)
            if node is not None and node.reserved:
                table.end(name)
        elif kind == "says":
            table.says(name, spares=((f"f{value}", 1, value),))
        else:
            table.nodes.left(name, "i")
        assert all(len(node.reserved) <= 2 and node.reserved_memory <= 300 for node in known)
        assert table.nodes._slots == 2 * sum(
            table.nodes.get(f"n{each}") is not None for each in range(4)
        )
        assert table.nodes._open == sum(table.nodes._open_slots.values())
