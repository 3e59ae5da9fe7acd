"""Which events have a place in an agent, and what becomes of the others."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_agent import keeper
from pratai_agent.daemon import keeper as made_for
from pratai_agent.keeper import chosen
from pratai_agent.sources.base import Source
from pratai_common import conf as configuration
from pratai_common.beat import Beat
from pratai_common.clock import now_ms
from pratai_common.records import Event
from tests.archives import KEY
from tests.unit.source_world import SourceWorld
from tests.waiting import until

DATABASE = {"host": "127.0.0.1", "port": 1, "database": "d", "username": "u"}


def events(**projects: int) -> list[Event]:
    """Return so many events of each project, ``a0`` the oldest of ``a``."""
    return [
        Event(
            event_id=f"{project}{number}",
            project_id=project,
            user_id="u",
            name="n",
            source="probe",
            created_at=number,
            updated_at=number,
        )
        for project, most in projects.items()
        for number in range(most)
    ]


def test_all_have_a_place_while_there_are_enough() -> None:
    wanted = events(a=3, b=1)
    assert chosen(wanted, [], 4) == {each.event_id: each for each in wanted}
    assert chosen(wanted, [], 0) == {}


def test_the_project_with_most_gives_way() -> None:
    served = set(chosen(events(a=200), [], 8))
    assert served == {f"a{number}" for number in range(8)}
    served = set(chosen(events(a=200, b=1), served, 8))
    assert served == {*(f"a{number}" for number in range(7)), "b0"}
    served = set(chosen(events(a=200, b=1, c=100), served, 8))
    assert served == {"a0", "a1", "a2", "a3", "b0", "c0", "c1", "c2"}


def test_what_is_served_keeps_its_place() -> None:
    assert set(chosen(events(a=9), ["a7", "a8"], 3)) == {"a7", "a8", "a0"}
    assert set(chosen(events(a=2, b=2), ["b0", "b1", "a1"], 3)) == {"b0", "b1", "a1"}
    assert set(chosen(events(a=1, b=1, c=1), ["c0"], 2)) == {"c0", "a0"}


@pytest.mark.parametrize("most", range(1, 12))
def test_a_second_look_changes_nothing(most: int) -> None:
    wanted = events(a=7, b=2, c=1, d=3)
    once = chosen(wanted, ["a3", "a4", "a5", "d2", "gone"], most)
    assert len(once) == most
    assert chosen(wanted, list(once), most) == once
    assert chosen(wanted[::-1], list(once), most) == once


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SourceWorld]:
    made = SourceWorld(tmp_path, most=2)
    yield made
    made.close()


def test_another_project_gets_a_place_of_the_one_that_has_all(world: SourceWorld) -> None:
    for name in ("a", "b", "c"):
        world.event(name)
    world.until_state("running", "a")
    world.until_state("running", "b")
    world.event("other", project_id="q")
    world.until_state("running", "other")
    full = "this agent serves 2 events already"
    for name in ("b", "c"):
        refused = world.until_state("failing", name)
        assert refused.error == full
        assert world.state(name) == refused
    world.change("other", enabled=False)
    assert world.until_state("running", "b").error == full
    running = world.state("a")
    assert running is not None
    assert (running.state, running.error) == ("running", None)
    assert [each.event.event_id for each in world.made].count("a") == 1


def test_what_is_cleaned_up_holds_no_place(
    world: SourceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are more cleaned up at a time than may; the others' turn comes."""
    monkeypatch.setattr(keeper, "CLEANINGS", 3)
    go_on, cleaning = threading.Event(), []

    def clean(source: Source) -> None:
        cleaning.append(source.event.event_id)
        go_on.wait(60)

    world.clean = clean
    for name in ("d0", "d1", "d2", "d3"):
        world.event(name, deleted_at=2)
    world.event("theirs", project_id="q", deleted_at=2, created_at=9)
    world.event("a")
    world.event("b")
    world.until_state("running", "a")
    world.until_state("running", "b")
    until(lambda: len(cleaning) == 3, "three are cleaned up")
    world.keeper.look()
    assert sorted(cleaning) == ["d0", "d1", "theirs"]
    go_on.set()
    until(lambda: world.state("d3") is None and world.kept("d3") is None, "the last is forgotten")
    assert sorted(cleaning) == ["d0", "d1", "d2", "d3", "theirs"]


@pytest.mark.parametrize(("most", "states"), [(0, 0), (1, 1)])
def test_an_agent_for_timers_alone_leaves_events_alone(
    world: SourceWorld, tmp_path: Path, most: int, states: int
) -> None:
    """Another one tries: the network of this event is denied."""
    world.event("e", source="database", settings=DATABASE)
    conf = configuration.load("test", [])
    conf.set_override("state_path", str(tmp_path))
    conf.set_override("sources", most, group="agent")
    beat = Beat(world.store, "agent", now_ms, lambda: 0)
    made = made_for(conf, KEY, world.store, world.submitter, beat)
    try:
        made.look()
        kept = world.kept("e")
        assert kept is not None
        assert len(kept.states) == states
    finally:
        assert made.stop(60)
