"""How many spares a function should have, by a clock of the test's own."""

from pratai_drivers.demand import Bounds, Demand, Held
from pratai_drivers.fit import Fit
from pratai_drivers.shares import Shares

BOUNDS = Bounds(most=8, idle_seconds=300, pinned_seconds=3600)
ROOM = 10_000
ALONE = Shares(ROOM, {})


def fit(function_id: str = "f", version: int = 1, memory: int = 100) -> Fit:
    return Fit("p", function_id, version, "r", "s", memory, 1.0, "none", "container", ())


def demand(
    *fits: Fit, now: float = 0.0, reusable: bool = False, pinned: int | None = None
) -> Demand:
    """Return what has had an event of each of these, whose containers take a second to be ready."""
    made = Demand(BOUNDS)
    for each in fits or (fit(),):
        made.arrived(each, 60, pinned, now)
        made.ready(each, "image", 1.0, reusable)
    return made


def wanted(made: Demand, now: float, each: Fit | None = None, busy: int = 0) -> int:
    """Return how many are made one after the other until no more are wanted."""
    each = each or fit()
    count = 0
    while (order := made.next({each: Held(making=count, busy=busy)}, ROOM, ALONE, now)) is not None:
        assert order.fit == each
        count += 1
    return count


def test_one_waits_after_the_first_event_and_none_when_nobody_comes() -> None:
    made = demand()
    assert wanted(made, 10) == 1
    assert wanted(made, BOUNDS.idle_seconds) == 1
    assert wanted(made, BOUNDS.idle_seconds + 1) == 0


def test_as_many_wait_as_come_while_one_is_made() -> None:
    made = demand()
    counts = []
    for number in range(1, 601):
        made.arrived(fit(), 60, None, number / 2)
        counts.append(wanted(made, number / 2))
    assert max(counts[100:]) <= 5
    assert min(counts[100:]) >= 4  # two are expected, and as much again as chance may add
    assert wanted(made, 300 + 200) == 1


def test_a_burst_is_answered_at_once_up_to_the_bound() -> None:
    made = demand()
    for number in range(100):
        made.arrived(fit(), 60, None, 1 + number / 100)
    assert wanted(made, 2) == BOUNDS.most
    assert wanted(made, 60) < BOUNDS.most


def test_what_is_slow_to_make_has_more() -> None:
    quick, slow = demand(), demand()
    for made, seconds in ((quick, 0.1), (slow, 5.0)):
        for number in range(1, 30):
            made.arrived(fit(), 60, None, number)
            made.ready(fit(), "image", seconds, False)
    assert wanted(quick, 30) == 1
    assert wanted(slow, 30) > 4


def test_a_pinned_number_is_kept_for_longer_and_none_may_be_pinned() -> None:
    made = demand(pinned=3)
    assert wanted(made, 3600) == 3
    assert wanted(made, 3601) == 0
    assert wanted(demand(pinned=0), 1) == 0
    assert wanted(demand(pinned=100), 1) == BOUNDS.most


def test_what_comes_back_by_itself_is_made_where_none_is_left() -> None:
    made = demand(reusable=True)
    for number in range(1000):
        made.arrived(fit(), 60, None, number / 1000)
    assert wanted(made, 1, busy=1) == 0
    assert wanted(made, 1) == 1
    pinned = demand(reusable=True, pinned=3)
    assert wanted(pinned, 1, busy=1) == 2


def test_nothing_is_made_until_a_container_was_ready() -> None:
    made = Demand(BOUNDS)
    made.arrived(fit(), 60, None, 0)
    assert wanted(made, 0) == 0
    made.ready(fit(), "image", 1.0, False)
    assert wanted(made, 0) == 1
    made.failed(fit())
    assert wanted(made, 0) == 0
    made.ready(fit(), "image", 1.0, False)
    assert wanted(made, 0) == 1


def test_only_the_newest_version_has_spares() -> None:
    old, new = fit(version=1), fit(version=2)
    made = demand(old)
    assert made.keeps(old, Held(waiting=1), 1, 1)
    made.arrived(new, 60, None, 1)
    assert not made.keeps(old, Held(waiting=1), 1, 1)
    made.ready(new, "image", 1.0, False)
    made.arrived(old, 60, None, 2)  # it was on its way for long
    made.ready(old, "image", 1.0, False)
    assert not made.keeps(old, Held(waiting=1), 1, 2)
    assert wanted(made, 2, new) > 0


def test_another_setting_of_the_same_version_makes_the_former_ones_unfit() -> None:
    made = demand(fit(memory=100))
    made.arrived(fit(memory=200), 60, None, 1)
    assert not made.keeps(fit(memory=100), Held(waiting=1), 1, 1)


def test_what_is_too_much_stays_for_a_while() -> None:
    made = demand()
    assert made.keeps(fit(), Held(waiting=3), 29, 100)
    assert not made.keeps(fit(), Held(waiting=3), 30, 100)
    assert made.keeps(fit(), Held(waiting=1), 100, 100)
    reused = demand(reusable=True)
    assert reused.keeps(fit(), Held(waiting=3), 299, 100)
    assert not reused.keeps(fit(), Held(waiting=3), 300, 100)


def test_who_has_none_comes_first_and_then_who_is_asked_for_most() -> None:
    rare, often = fit("rare"), fit("often")
    made = demand(rare, often)
    for number in range(20):
        made.arrived(often, 60, None, 1 + number / 20)
    both = {rare: Held(), often: Held()}
    first = made.next(both, ROOM, ALONE, 2)
    assert first is not None
    assert first.fit == often
    second = made.next({rare: Held(), often: Held(making=1)}, ROOM, ALONE, 2)
    assert second is not None
    assert second.fit == rare
    pinned = demand(pinned=1).worth(fit(), ALONE, 2)
    assert made.worth(rare, ALONE, 2) < made.worth(often, ALONE, 2) < pinned
    assert made.worth(fit("unknown"), ALONE, 2) < made.worth(rare, ALONE, 2)


def test_beyond_a_projects_share_nothing_counts_more_than_what_is_within_anothers() -> None:
    greedy, modest = fit("greedy"), fit("modest")._replace(project_id="q")
    made = demand(greedy, modest)
    made.arrived(greedy, 60, 5, 1)
    for number in range(20):
        made.arrived(greedy, 60, 5, 1 + number / 20)
    assert made.projects() == {"p", "q"}
    shares = Shares(200, {"p": 300, "q": 0})
    assert made.worth(greedy, shares, 2) < made.worth(modest, shares, 2)
    held = {greedy: Held(waiting=3), modest: Held()}
    order = made.next(held, 100, shares, 2)
    assert order is not None
    assert order.fit == modest
    # What one project does not need another may have.
    order = made.next({**held, modest: Held(waiting=1)}, 100, Shares(200, {"p": 300, "q": 100}), 2)
    assert order is not None
    assert order.fit == greedy
    # Within their shares, pinned ones are worth more.
    assert made.worth(modest, ALONE, 2) < made.worth(greedy, ALONE, 2)


def test_room_for_what_is_within_a_share_is_not_taken_by_what_is_beyond_one() -> None:
    greedy = fit("greedy", memory=50)
    modest = fit("modest", memory=150)._replace(project_id="q")
    made = demand(greedy, modest, pinned=8)
    shares = Shares(200, {"p": 200})
    assert made.lacks({}, 100, shares, 1)
    assert made.next({}, 100, shares, 1) is None
    assert not made.lacks({}, 150, shares, 1)
    order = made.next({}, 150, shares, 1)
    assert order is not None
    assert order.fit == modest
    assert not made.lacks({}, 100, Shares(100, {"p": 200}), 1), "it would be beyond its own"


def test_what_is_asked_for_far_more_often_outdoes_what_is_not_pinned() -> None:
    new, old = fit("new"), fit("old")
    made = demand(old)
    made.arrived(new, 60, None, 100)
    made.ready(new, "image", 1.0, reusable=False)
    held = {old: Held(waiting=1)}
    assert made.outdoes(old, held, 0, 100)
    assert not made.outdoes(old, held, ROOM, 100)
    assert not made.outdoes(new, {new: Held(waiting=1)}, 0, 100)
    made.arrived(old, 60, None, 101)
    assert not made.outdoes(old, held, 0, 101)
    pinned = demand(old, pinned=1)
    pinned.arrived(new, 60, None, 100)
    pinned.ready(new, "image", 1.0, reusable=False)
    assert not pinned.outdoes(old, held, 0, 100)


def test_what_does_not_fit_is_not_made() -> None:
    made = demand(fit("large", memory=500), fit("small", memory=100))
    order = made.next({}, 499, ALONE, 1)
    assert order is not None
    assert order.fit.function_id == "small"
    assert made.next({}, 99, ALONE, 1) is None


def test_what_nobody_asks_for_is_forgotten() -> None:
    made = demand(fit("a"), fit("b"), now=0)
    made.arrived(fit("b"), 60, None, 200)
    made.forget(301)
    assert made.worth(fit("a"), ALONE, 301) == (False, False, -1.0)
    assert made.worth(fit("b"), ALONE, 301) > (True, False, 0.0)


def test_an_import_that_hangs_in_a_spare_is_not_waited_for_long() -> None:
    timeouts = []
    for seconds in (0.1, 2.0, 29.0):
        made = Demand(BOUNDS)
        made.arrived(fit(), 100, None, 0)
        made.ready(fit(), "image", seconds, False)
        order = made.next({}, ROOM, ALONE, 1)
        assert order is not None
        timeouts.append(order.timeout)
    assert timeouts == [10, 20, 30]


def test_an_import_that_takes_long_is_done_for_events_alone() -> None:
    made = Demand(BOUNDS)
    made.arrived(fit(), 100, None, 0)
    made.ready(fit(), "image", 31.0, True)
    assert wanted(made, 1) == 0
    assert made.keeps(fit(), Held(waiting=1), 1, 1), "it comes back"
    for _ in range(3):
        made.ready(fit(), "image", 1.0, True)
    assert wanted(made, 1) == 1


def test_what_dies_as_it_waits_is_made_again_ever_more_rarely() -> None:
    made = demand(pinned=2)
    now, pauses = 0.0, []
    for _ in range(4):
        made.died(fit(), now)
        began = now
        while not wanted(made, now):
            now += 1
        pauses.append(now - began)
        made.made(fit(), 1.0)  # it is ready, as the one before was
    assert pauses == [5, 10, 20, 40]
    made.ready(fit(), "image", 1.0, False)
    made.died(fit(), now)
    assert (wanted(made, now + 4), wanted(made, now + 5)) == (0, 2)
    for _ in range(2000):
        made.died(fit(), now)
    made.arrived(fit(), 60, 2, now + 6000)
    assert wanted(made, now + 6000) == 2


def test_what_others_wait_for_is_not_told_by_one_that_was_made_meanwhile() -> None:
    made = demand(pinned=2)
    made.failed(fit())
    made.made(fit(), 1.0)
    assert wanted(made, 1) == 0


def test_none_waits_for_ever() -> None:
    made = demand(pinned=2)
    for number in range(1, 1000):
        made.arrived(fit(), 60, 2, number)
    assert made.keeps(fit(), Held(waiting=2), 899, 1000)
    assert not made.keeps(fit(), Held(waiting=2), 900, 1000)
    assert wanted(made, 1000) == 2
