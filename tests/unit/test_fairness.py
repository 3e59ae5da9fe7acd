"""Whose turn it is, who gives way, and that nobody waits for ever behind another."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.errors import Reason
from pratai_common.messages import FunctionChanged, Hello, Submitted
from pratai_common.records import Attempt
from pratai_common.store.base import NewRequest
from pratai_scheduler.fairness import Ranking, Turns
from pratai_scheduler.window import Entry, Window
from tests.records import request
from tests.unit.world import BODY, World

# Turns and ranks


WEIGHTS = {"b": 2, "c": 5}


class SlowGroup:
    def __init__(self) -> None:
        self.keys: list[int] = []
        self.aside: list[int] = []
        self.over_at = 0
        self.order = 0


class SlowTurns:
    """The same by looking at all there is, in whole turns of a group."""

    def __init__(self) -> None:
        self.groups: dict[str, SlowGroup] = {}
        self.now = 0
        self.order = 0

    def join(self, group: str, key: int) -> None:
        found = self.groups.get(group)
        if found is None:
            found = self.groups[group] = SlowGroup()
            self.move(group)
        if key not in found.keys:
            found.keys.append(key)
        found.aside = [each for each in found.aside if each != key]

    def leave(self, group: str, key: int) -> None:
        found = self.groups.get(group)
        if found is not None:
            found.keys = [each for each in found.keys if each != key]
            found.aside = [each for each in found.aside if each != key]
        self.groups = {name: each for name, each in self.groups.items() if each.keys or each.aside}

    def set_aside(self, group: str, key: int) -> None:
        found = self.groups.get(group)
        if found is not None and key in found.keys:
            found.keys.remove(key)
            found.aside.append(key)

    def end(self, group: str, key: int) -> None:
        found = self.groups.get(group)
        if found is not None and key in found.keys:
            found.keys.append(found.keys.pop(found.keys.index(key)))
            self.now = max(self.now, found.over_at)
            self.move(group)

    def move(self, group: str) -> None:
        self.order += 1
        found = self.groups[group]
        found.over_at = self.now + 1_000_000 // WEIGHTS.get(group, 1)
        found.order = self.order

    def first(self) -> int | None:
        standing = [each for each in self.groups.values() if each.keys]
        standing.sort(key=lambda each: (each.over_at, each.order))
        return standing[0].keys[0] if standing else None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["join", "leave", "set_aside", "end"]),
            st.sampled_from("abc"),
            st.integers(0, 3),
        ),
        max_size=200,
    )
)
def test_turns_are_as_a_slow_list_says(steps: list[tuple[str, str, int]]) -> None:
    turns: Turns[int] = Turns(WEIGHTS)
    slow = SlowTurns()
    for step, group, key in steps:
        for each in (turns, slow):
            getattr(each, step)(group, key)
        assert turns.first() == slow.first()


def test_what_turns_remember_is_bounded() -> None:
    """However often groups come and go, or find no room."""
    turns: Turns[str] = Turns()
    turns.join("first", "first")
    for number in range(2000):
        turns.join(f"g{number}", "key")
        turns.set_aside("first", "first")
        turns.join("first", "first")
        turns.leave(f"g{number}", "key")
    assert len(turns._places) < 200
    assert turns.first() == "first"


def take(turns: Turns[str], count: int) -> list[str]:
    """Return whose turns they were."""
    taken = []
    for _ in range(count):
        first = turns.first()
        assert first is not None
        taken.append(first)
        turns.end(first[0], first)
    return taken


WEIGHED = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 20), min_size=2)


@given(WEIGHED, st.integers(0))
def test_shares_follow_weights(weights: dict[str, int], seed: int) -> None:
    """At each moment, of groups that all want more than there is, to within two turns."""
    turns: Turns[str] = Turns(weights)
    for group in weights:
        turns.join(group, f"{group}1")
    taken: Counter[str] = Counter()
    for _ in range(10 + seed % 300):
        taken[take(turns, 1)[0][0]] += 1
        for one, of_one in weights.items():
            for other, of_other in weights.items():
                apart = abs(taken[one] * of_other - taken[other] * of_one)
                assert apart <= of_one + of_other + 1, (weights, taken)


@given(WEIGHED, st.integers(1, 20))
def test_who_joins_waits_for_the_weight_of_the_others(weights: dict[str, int], own: int) -> None:
    turns: Turns[str] = Turns({**weights, "x": own})
    for group in weights:
        for number in range(50):
            turns.join(group, f"{group}{number}")
    take(turns, 77)
    turns.join("x", "x1")
    most = sum(-(-each // own) + 1 for each in weights.values())
    assert "x1" in take(turns, most + 1)


def test_weights_hold_where_there_is_room_for_one_at_a_time() -> None:
    """Whoever finds no room keeps its place: between two turns all others look in vain."""
    turns: Turns[str] = Turns({"a": 3})
    for key in ("a1", "b1", "b2"):
        turns.join(key[0], key)
    taken = []
    for _ in range(80):
        taken += take(turns, 1)
        looked = []
        while (first := turns.first()) is not None:
            turns.set_aside(first[0], first)
            looked.append(first)
        for each in looked:
            turns.join(each[0], each)
    assert Counter(taken) == {"a1": 60, "b1": 10, "b2": 10}


def test_who_was_away_makes_up_for_nothing() -> None:
    turns: Turns[str] = Turns()
    turns.join("a", "a1")
    turns.join("b", "b1")
    turns.set_aside("a", "a1")
    assert take(turns, 50) == ["b1"] * 50
    turns.join("a", "a1")
    assert take(turns, 4) == ["a1", "b1", "a1", "b1"]


def test_groups_take_turns_and_so_do_their_keys() -> None:
    turns: Turns[str] = Turns()
    for group, key in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")):
        turns.join(group, key)
    assert take(turns, 6) == ["a1", "b1", "a2", "b1", "a3", "b1"]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=100))
def test_a_ranking_knows_who_has_most(steps: list[tuple[bool, int]]) -> None:
    ranking: Ranking[int] = Ranking()
    counts: Counter[int] = Counter()
    for more, key in steps:
        if more:
            ranking.add(key)
            counts[key] += 1
        elif counts[key]:
            ranking.remove(key)
            counts[key] -= 1
        assert all(ranking[each] == counts[each] for each in range(6))
        most = ranking.most()
        assert (most is None) == (not +counts)
        assert most is None or counts[most] == max(counts.values())


# The window


def entry(number: int, project: str = "p", function: str = "f", **values: Any) -> Entry:
    given: dict[str, Any] = {"project_id": project, "function_id": function, **values}
    return Entry(replace(request(number), **given), None)


def call(number: int, **values: Any) -> Entry:
    made = entry(number, **values)
    return made._replace(call=Submitted(request=made.request, input=BODY, recorded=False))


def taken(window: Window) -> list[str]:
    """Return who leaves a window one after the other."""
    ids = []
    while (first := window.first()) is not None:
        ids.append(first.request.request_id)
        window.leave(first.request, 1)
    return ids


def test_projects_and_functions_take_turns_in_the_order_of_arrival() -> None:
    window = Window(size=100)
    for number in (1, 2, 3):
        window.add(entry(number))
    for number in (4, 5):
        window.add(entry(number, function="g"))
    window.add(entry(6, project="q", function="h"))
    assert taken(window) == ["r001", "r006", "r004", "r002", "r005", "r003"]


def test_what_a_lost_node_had_goes_before_the_others_of_its_function() -> None:
    """What its own code failed at does not: it waits in the order in which it is due."""
    window = Window(size=100)
    for number, reason in ((1, None), (2, Reason.EXCEPTION), (3, Reason.NODE_LOST)):
        tried = Attempt(number=1, node="n", epoch=1, started_at=1, finished_at=2, reason=reason)
        window.add(entry(number, attempts=() if reason is None else (tried,)))
    window.add(entry(4, function="g"))
    assert taken(window) == ["r003", "r004", "r001", "r002"]


def test_what_waits_for_room_lets_the_others_pass() -> None:
    window = Window(size=100)
    window.add(entry(1))
    window.add(entry(2))
    window.add(entry(3, function="g"))
    first = window.first()
    assert first is not None
    window.pass_over(first)
    assert taken(window) == ["r003"]
    window.resume()
    assert taken(window) == ["r001", "r002"]


def test_all_are_looked_at_however_many_find_no_room() -> None:
    """A round that ends early goes on with those that were not looked at."""
    window = Window(size=100)
    for number in range(7):
        window.add(entry(number, project=f"p{number}"))
    looked = []
    for _ in range(7):
        for _ in range(3):
            first = window.first()
            assert first is not None
            looked.append(first.request.request_id)
            window.pass_over(first)
        window.resume()
    assert all(len(set(looked[start : start + 14])) == 7 for start in range(7))


def test_projects_share_a_window_by_their_weights() -> None:
    window = Window(size=100, weights={"q": 3})
    for number in range(8):
        window.add(entry(number))
        window.add(entry(50 + number, project="q", function="g"))
    of_q = [each for each in taken(window)[:8] if each >= "r050"]
    assert len(of_q) == 6


def test_what_is_shelved_is_known_and_not_run() -> None:
    window = Window(size=100)
    window.add(call(1))
    window.add(call(2))
    shelved = call(1)
    window.shelve(shelved)
    assert window.knows(shelved.request)
    window.unpark_all()
    assert taken(window) == ["r002"]
    assert [each.request.request_id for each in window.expired(10**6)] == ["r001"]
    assert window.forget(shelved.request)
    assert len(window) == 0


def test_one_function_does_not_fill_the_window_alone() -> None:
    window = Window(size=10)
    for number in range(10):
        assert window.add(entry(number))
    assert not window.add(entry(10))
    for number in range(20, 30):
        window.add(entry(number, function="g"))
    assert len(window) == 10
    ids = taken(window)
    assert [each for each in ids if each < "r010"] == ["r000", "r001", "r002", "r003", "r004"]
    assert [each for each in ids if each >= "r020"] == ["r020", "r021", "r022", "r023", "r024"]


def test_one_project_does_not_fill_the_window_alone() -> None:
    """Whatever number of functions it has."""
    window = Window(size=12)
    for number in range(12):
        assert window.add(entry(number, function=f"f{number}"))
    for number in range(20, 40):
        window.add(entry(number, project="q", function="g"))
    for number in range(40, 60):
        window.add(entry(number, project="s", function="h"))
    shares = Counter(each[1:3] for each in taken(window))
    assert len(window) == 0
    of_p, of_q, of_s = (
        sum(count for tens, count in shares.items() if tens in which)
        for which in (("00", "01"), ("02", "03"), ("04", "05"))
    )
    assert (of_p, of_q, of_s) == (4, 4, 4)


def test_a_full_window_does_not_hold_all_inputs() -> None:
    """They could be 320 MiB. A call's is in no store."""
    window = Window(size=40)
    for number in range(30):
        window.add(entry(number)._replace(input=BODY))
    window.add(call(30)._replace(input=BODY))
    held = {each.request.request_id: each.input for each in window.expired(10**6)}
    assert [identity for identity, body in held.items() if body] == [
        "r000",
        "r001",
        "r002",
        "r003",
        "r030",
    ]


def test_what_gave_way_may_come_again() -> None:
    window = Window(size=2)
    window.add(entry(1))
    window.add(entry(2))
    window.add(entry(3, project="q", function="g"))
    assert not window.knows(entry(2).request)
    found = [entry(number).request for number in (1, 2)]
    assert window.unknown(found) == []
    assert taken(window) == ["r001", "r003"]
    assert window.unknown(found) == [entry(2).request]
    assert window.add(entry(2))


def test_a_call_gives_way_to_nobody() -> None:
    """It is in no store: nothing would find it again."""
    window = Window(size=2)
    window.add(call(1))
    window.add(call(2))
    assert not window.add(entry(3, project="q", function="g"))
    assert len(window) == 2
    window = Window(size=2)
    window.add(entry(1))
    window.add(entry(2))
    assert window.add(call(3, project="q", function="g"))
    assert [each.request.request_id for each in window.expired(10**6)] == ["r001", "r003"]


class Holding:
    """A window, and who must be in it."""

    def __init__(self) -> None:
        self.window = Window(size=8)
        self.held: set[str] = set()

    def add(self, made: Entry) -> None:
        full = not self.window.room
        if self.window.add(made):
            self.held.add(made.request.request_id)
        if full:
            self.held = {each for each in self.held if self.window.get(each) is not None}

    def forget(self, made: Entry) -> None:
        identity = made.request.request_id
        assert self.window.forget(made.request) == (identity in self.held)
        self.held.discard(identity)

    def leave(self, first: Entry) -> None:
        self.window.leave(first.request, 1)
        self.held.remove(first.request.request_id)


STEPS = ["add", "call", "forget", "leave", "park", "park_for_quota", "pass_over", "shelve"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(STEPS),
            st.integers(0, 40),
        ),
        max_size=120,
    )
)
@example([("add", 0), ("shelve", 0), ("forget", 0), ("add", 0)])
def test_nothing_is_lost_in_the_window_and_it_stays_bounded(steps: list[tuple[str, int]]) -> None:
    """Whatever happens, what was taken in and has not left, nor given way, comes in the end."""
    holding, shelved = Holding(), set()
    window = holding.window
    for step, number in steps:
        made = entry(number, project=f"p{number % 2}", function=f"f{number % 6}")
        first = window.first()
        if step in ("add", "forget"):
            getattr(holding, step)(made)
        elif step == "call":
            holding.add(call(number, project=f"p{number % 2}", function=f"f{number % 6}"))
        elif first is not None:
            getattr(holding if step == "leave" else window, step)(first)
            shelved |= {first.request.request_id} if step == "shelve" else set()
        shelved &= holding.held  # what is taken in anew waits as any other
        assert len(window) == len(holding.held) <= 8
        assert {each.request.request_id for each in window.expired(10**6)} == holding.held
    window.resume()
    window.unpark_all()
    assert set(taken(window)) == holding.held - shelved


# The scheduler


def test_a_large_run_that_finds_no_room_lets_small_ones_pass(world: World) -> None:
    world.function("large", memory=4096)
    world.function("small", memory=128)
    world.call("runs", function_id="small")
    world.request("waits", function_id="large")
    world.pass_time(1000)
    for number in range(3):
        world.request(f"passes{number}", function_id="small")
    world.pass_time(1000)
    assert [job[0] for job in world.jobs] == ["runs", "passes0", "passes1", "passes2"]


def test_small_ones_do_not_keep_a_large_run_waiting_for_ever(world: World) -> None:
    """There is always a small one that runs, and one that waits; yet the large one has its turn."""
    world.function("large", memory=4096)
    world.function("small", memory=128)
    world.call("first", function_id="small")
    world.request("large", function_id="large")
    ended = 0
    for second in range(60):
        world.request(f"small{second}", function_id="small")
        running = [job for job in world.to_nodes if job.attempt][ended:]
        world.pass_seconds(1, running=tuple((job.request_id, 1, "x") for job in running))
        for job in running[:1]:
            world.end(job)
            ended += 1
        if "large" in [job[0] for job in world.jobs]:
            break
    place = [job[0] for job in world.jobs].index("large")
    assert 5 < place < 20
    large = world.to_nodes[place]
    assert large.memory == 4096
    world.end(large)
    world.pass_seconds(1)
    assert len(world.jobs) > place + 1


def test_a_node_kept_for_one_that_went_away_is_free_again(world: World) -> None:
    world.function("large", memory=4096)
    world.function("small", memory=128)
    world.call("first", function_id="small")
    world.request("large", function_id="large")
    state = {"running": (("first", 1, "small"),)}
    world.pass_seconds(12, **state)
    world.request("waits", function_id="small")
    world.pass_seconds(1, **state)
    assert [job[0] for job in world.jobs] == ["first"]
    world.store.change_function("large", lambda old: replace(old, deleted_at=1))
    world.dispatcher.receive([FunctionChanged(function_id="large")])
    world.pass_seconds(6, **state)
    assert [job[0] for job in world.jobs] == ["first", "waits"]


def test_what_no_node_could_ever_run_holds_up_nobody(world: World) -> None:
    world.function("huge", memory=8192)
    world.function("small")
    world.request("huge", function_id="huge")
    world.pass_seconds(30)
    world.request("small", function_id="small")
    world.pass_seconds(1)
    assert [job[0] for job in world.jobs] == ["small"]


WINDOW = 60


def small_window(world: World) -> None:
    world.window_requests = WINDOW
    world.restart()
    world.heartbeat(Hello)


def backlog(world: World, number: int, function_id: str, project: str = "p") -> None:
    """Have requests recorded that no hint tells of."""
    due = world.now - 10_000
    world.store.create_requests(
        [
            NewRequest(
                world._request(
                    f"{function_id}{each:05}",
                    function_id=function_id,
                    project_id=project,
                    next_run_at=due + each,
                ),
                BODY,
            )
            for each in range(number)
        ]
    )


@pytest.mark.parametrize("settings", [{"enabled": False}, {"limit": 1}, {}])
@pytest.mark.parametrize("project", ["p", "q"])
def test_a_backlog_starves_no_other_function(
    world: World, settings: dict[str, Any], project: str
) -> None:
    small_window(world)
    world.function("many", **settings)
    world.function("one", project_id=project)
    backlog(world, WINDOW, "many")
    world.pass_seconds(1, slots=1)
    world.pass_seconds(1, slots=1)
    before = len(world.jobs)
    world.now += 1
    hint = Submitted(
        request=world.request("one", function_id="one", project_id=project), input=BODY
    )
    world.dispatcher.receive([hint])
    if before:
        world.end(world.to_nodes[0])
    assert len(world.jobs) == before + 1
    if before:
        world.end(world.to_nodes[1])
    assert "one" in [job[0] for job in world.jobs]


def test_a_call_is_not_refused_because_of_anothers_backlog(world: World) -> None:
    small_window(world)
    world.function("many", enabled=False)
    world.function("one")
    backlog(world, WINDOW, "many")
    world.pass_time(1000)
    world.call("one", function_id="one")
    assert world.answers == []
    assert [job[0] for job in world.jobs] == ["one"]


def test_the_sweep_looks_behind_what_is_held(world: World) -> None:
    """Half a window is parked; a request behind that, of which no hint told, is found."""
    small_window(world)
    world.function("many", enabled=False)
    world.function("one")
    backlog(world, WINDOW // 2, "many")
    world.pass_time(1000)
    world.request("one", function_id="one")
    for _ in range(6):
        world.heartbeat()
        world.pass_time(1000)
    assert [job[0] for job in world.jobs] == ["one"]


def test_parked_requests_expire(world: World) -> None:
    world.function(enabled=False)
    world.request(expires_at=world.now + 1500)
    world.pass_time(1000)
    assert world.deliver() == []
    world.pass_time(1000)
    assert world.deliver() == ["expired"]
    assert world.stored().reason == "expired"


def test_a_backlog_that_no_sweep_sees_the_end_of_hides_no_other_function(world: World) -> None:
    """As after a restart, when all hints are lost."""
    small_window(world)
    world.function("many", enabled=False)
    world.function("one")
    backlog(world, 3 * WINDOW, "many")
    world.request("one", function_id="one")
    world.pass_seconds(2)
    assert [job[0] for job in world.jobs] == ["one"]


def spread(world: World, number: int, functions: int) -> None:
    """Have one project's requests recorded, function by function; no hint tells of them."""
    of_each = number // functions
    for function_id in (f"many{each:03}" for each in range(functions)):
        world.function(function_id)
        due = world.now - number
        world.store.create_requests(
            [
                NewRequest(
                    world._request(
                        f"{function_id}/{each:06}", function_id=function_id, next_run_at=due
                    ),
                    BODY,
                )
                for each in range(of_each)
            ]
        )
        world.now += 1


def test_one_request_waits_a_few_executions_behind_a_tenant_with_100_000(world: World) -> None:
    """No hint tells of it, and those of a hundred functions are due before it. The scheduler holds
    no more of all that than its window.
    """
    spread(world, 100_000, 100)
    world.function("one", project_id="q")
    world.restart()
    world.heartbeat(Hello)
    world.pass_seconds(2)
    assert len(world.jobs) == 4
    world.request("one", function_id="one", project_id="q")
    running = tuple((job.request_id, 1, job.function_name) for job in world.to_nodes)
    world.pass_seconds(1, running=running)
    ended = 0
    while "one" not in [job[0] for job in world.jobs]:
        world.end(world.to_nodes[ended])
        ended += 1
        assert ended <= 3
    window = world.dispatcher._window
    assert len(window) <= limits.WINDOW_REQUESTS
    assert len(window._left) <= 2 * limits.WINDOW_REQUESTS
    assert world.store.count_waiting().by_project["p"] > 99_000


def test_nodes_are_shared_by_weight(world: World) -> None:
    """Two projects want all of a node with one slot."""
    world.weights = {"q": 3}
    world.restart()
    world.heartbeat(Hello, slots=1)
    world.function("f")
    world.function("g", project_id="q")
    backlog(world, 30, "f")
    backlog(world, 30, "g", "q")
    world.pass_seconds(1, slots=1)
    for number in range(23):
        world.end(world.to_nodes[number])
    ran = Counter(job[0][0] for job in world.jobs)
    assert ran == {"f": 6, "g": 18}


@pytest.mark.parametrize("projects", [33, 40, 64, 100])
def test_nobody_starves_however_many_find_no_room(world: World, projects: int) -> None:
    """More want the one slot than a round looks at; each gets it, one of weight 3 more often."""
    world.weights = {"q00": 3}
    world.restart()
    world.heartbeat(Hello, slots=1)
    for number in range(projects):
        world.function(f"f{number:02}", project_id=f"q{number:02}")
        backlog(world, 8, f"f{number:02}", f"q{number:02}")
    world.pass_seconds(1, slots=1)
    for number in range(4 * (projects + 2) - 1):
        world.end(world.to_nodes[number])
    ran = Counter(job[0][:3] for job in world.jobs)
    assert len(ran) == projects
    assert ran.pop("f00") == 8
    assert set(ran.values()) <= {3, 4, 5}


@pytest.mark.parametrize("functions", [33, 40, 66, 100])
def test_no_function_starves_among_many(world: World, functions: int) -> None:
    world.restart()
    world.heartbeat(Hello, slots=1)
    for number in range(functions):
        world.function(f"f{number:02}")
        backlog(world, 4, f"f{number:02}")
    world.pass_seconds(1, slots=1)
    for number in range(3 * functions - 1):
        world.end(world.to_nodes[number])
    ran = Counter(job[0][:3] for job in world.jobs)
    assert set(ran.values()) == {3}
    assert len(ran) == functions
