"""Who is taken to live: by the age of entries, the state of the store, and who may write them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.beat import ALIVE_MS, Witness, alive
from pratai_common.messages import Bye, Heartbeat, NodeState
from pratai_common.records import Daemon
from pratai_common.store.sqlite import SQLiteStore
from pratai_scheduler.roster import Understudy

NOW = 1_000_000


def daemon(seen_at: int, **values: Any) -> Daemon:
    given: dict[str, Any] = {
        "daemon_type": "agent",
        "daemon_id": "a",
        "joined_at": 0,
        "seen_at": seen_at,
        "ip": "127.0.0.1",
        "version": "1",
    }
    return Daemon(**given | values)


def regular(until: int) -> Witness:
    """Return a witness that has written a beat a second until then."""
    witness = Witness()
    for at in range(until - 20_000, until + 1, 1000):
        witness.written(at)
    return witness


def test_a_beat_late_by_two_seconds_in_a_list_late_by_one_is_of_a_living_daemon() -> None:
    assert alive(daemon(NOW - 1000 - 2000 - 1000), NOW)


def test_the_dead_are_seen_within_five_seconds() -> None:
    assert not alive(daemon(NOW - ALIVE_MS), NOW)
    assert ALIVE_MS < 5000


def test_while_beats_are_written_others_are_judged_by_now() -> None:
    witness = regular(NOW)
    assert [witness.judged_at(NOW + each) for each in (0, 999, 2500)] == [
        NOW,
        NOW + 999,
        NOW + 2500,
    ]
    assert witness.store_runs(NOW + 2500)


def test_before_its_first_beat_a_process_judges_by_now() -> None:
    assert Witness().judged_at(NOW) == NOW
    assert not Witness().store_runs(NOW)


def test_while_nothing_can_be_written_the_living_stay_so_and_the_dead_do() -> None:
    witness, later = regular(NOW), NOW + 60_000
    assert alive(daemon(NOW - 900), witness.judged_at(later))
    assert not alive(daemon(NOW - ALIVE_MS), witness.judged_at(later))
    assert not witness.store_runs(later)


def test_after_an_outage_everybody_has_time_to_write_again() -> None:
    witness, back = regular(NOW), NOW + 60_000
    witness.written(back)
    assert witness.store_runs(back)
    assert alive(daemon(NOW - 900), witness.judged_at(back + ALIVE_MS - 1))
    for at in range(back + 1000, back + ALIVE_MS + 1, 1000):
        witness.written(at)
    assert not alive(daemon(NOW - 900), witness.judged_at(back + ALIVE_MS))


def test_an_outage_right_behind_another_goes_on_with_it() -> None:
    """In between not everybody had time to write."""
    witness = regular(NOW)
    for at in (NOW + 60_000, NOW + 61_000, NOW + 120_000):
        witness.written(at)
    assert alive(daemon(NOW - 900), witness.judged_at(NOW + 121_000))


@pytest.mark.parametrize("slow", [2600, 3000, 10_000])
def test_where_each_beat_is_slow_the_dead_are_seen_all_the_same(slow: int) -> None:
    """An entry is as old as its writing took, and as the writing of the next takes."""
    witness = regular(NOW)
    for number in range(1, 10):
        witness.written(NOW + number * slow)
        for now in (NOW + number * slow, NOW + (number + 1) * slow - 1):
            assert alive(daemon(NOW + (number - 1) * slow), witness.judged_at(now))
    assert not alive(daemon(NOW), witness.judged_at(NOW + 10 * slow))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    made = SQLiteStore(tmp_path / "store.sqlite")
    made.create_schema()
    yield made
    made.close()


STATE = NodeState(
    node="n",
    instance="i",
    address="tcp://127.0.0.1:1",
    ip="127.0.0.1",
    pid=1,
    version="1",
    joined_at=1,
    slots=1,
    memory=64,
    runtimes={},
)


def seen(store: SQLiteStore) -> dict[str, int]:
    return {each.daemon_id: each.seen_at for each in store.list_daemons()}


def test_a_node_that_a_scheduler_keeps_fresh_is_left_to_it(store: SQLiteStore) -> None:
    store.put_daemon(daemon(NOW - 1000, daemon_type="driver", daemon_id="n"))
    understudy = Understudy(store, lambda name: seen(store).get(name), lambda: NOW)
    understudy.hear(Heartbeat(state=STATE))
    understudy.write()
    assert seen(store) == {"n": NOW - 1000}


def test_a_node_that_no_scheduler_hears_is_written_by_a_collector(store: SQLiteStore) -> None:
    store.put_daemon(daemon(NOW - 2000, daemon_type="driver", daemon_id="n"))
    understudy = Understudy(store, lambda name: seen(store).get(name), lambda: NOW)
    for name in ("n", "unheard-of"):
        understudy.hear(Heartbeat(state=replace(STATE, node=name)))
    understudy.write()
    assert seen(store) == {"n": NOW, "unheard-of": NOW}
    understudy.hear(Bye(node="n", instance="i"))
    understudy.write()
    assert seen(store) == {"unheard-of": NOW}


def test_a_former_start_of_a_node_does_not_take_it_from_the_list(store: SQLiteStore) -> None:
    """Its goodbye was longer on its way than the first word of the next start."""
    understudy = Understudy(store, lambda name: seen(store).get(name), lambda: NOW)
    understudy.hear(Heartbeat(state=replace(STATE, instance="next")))
    understudy.hear(Bye(node="n", instance="i"))
    understudy.write()
    assert seen(store) == {"n": NOW}
    understudy.hear(Bye(node="n", instance="next"))
    understudy.write()
    assert seen(store) == {}
