"""What a node keeps of what it was given for a function, for whom and for how long."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pratai_common import limits
from pratai_common.errors import PrataiError, Reason, TransferError, WithheldError
from pratai_common.messages import Job
from pratai_common.provisions import Delegated, GivenSecret, Provisions
from pratai_drivers import secrets_cache
from pratai_drivers.secrets_cache import NOTHING, Given, SecretsCache
from pratai_drivers.secrets_fetching import RefusedError
from tests.unit.secrets_world import MINE, USES, World, never
from tests.waiting import until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.api.close()


class Kept:
    """A cache whose clock the test moves, and how often it asked."""

    def __init__(self, world: World, seconds: float = 30.0) -> None:
        self.now = 100.0
        self.asked = 0
        self._world = world
        self.cache = SecretsCache(self._fetch, seconds, lambda: self.now)

    def _fetch(self, job: Job, given_up: Any) -> Provisions:
        self.asked += 1
        return self._world.fetch(job, given_up)


def test_one_answer_serves_for_a_time(world: World) -> None:
    kept = Kept(world)
    first = kept.cache.of(world.job(), never)
    world.api.secrets.put(MINE, "db", b"rotated")
    assert kept.cache.of(world.job("r2"), never) == first
    assert kept.cache.known(first.digest) == first
    kept.now += 30
    assert kept.cache.known(first.digest) is None
    second = kept.cache.of(world.job("r3"), never)
    assert (kept.asked, second.secrets[0].value) == (2, b"rotated")
    assert second.digest != first.digest
    assert kept.cache.known(second.digest) == second


def test_the_same_values_have_the_same_digest(world: World) -> None:
    kept = Kept(world, 0.0)
    digest, again = (kept.cache.of(world.job(), never).digest for _ in range(2))
    assert (kept.asked, digest) == (2, again)
    assert kept.cache.known(digest) is None
    assert Kept(world).cache.of(world.job(), never).digest != digest  # it says nothing elsewhere


def test_what_a_function_needs_by_now(world: World) -> None:
    """The job names it, and so a change of that does not wait."""
    kept = Kept(world)
    kept.cache.of(world.job(), never)
    world.change(secrets=USES[:1])
    given = kept.cache.of(world.job(secrets=USES[:1]), never)
    assert [each.name for each in given.secrets] == ["db"]


@pytest.mark.parametrize("change", [{"trust": "another"}, {"delegated": True}, {"trust": None}])
def test_what_was_given_by_another_right_serves_no_more(
    world: World, change: dict[str, Any]
) -> None:
    kept = Kept(world)
    for _ in range(2):
        kept.cache.of(world.job(trust="one"), never)
    assert kept.asked == 1
    kept.cache.of(world.job(**{"trust": "one", **change}), never)
    assert kept.asked == 2


def test_a_failure_is_not_kept(world: World) -> None:
    kept = Kept(world)
    world.api.secrets.delete(MINE, "db")
    with pytest.raises(WithheldError):
        kept.cache.of(world.job(), never)
    world.api.secrets.put(MINE, "db", b"back")
    assert kept.cache.of(world.job(), never).secrets[0].value == b"back"


def test_a_function_that_needs_nothing(world: World) -> None:
    kept = Kept(world)
    assert kept.cache.of(world.job(secrets=(), secrets_url=None), never) is NOTHING
    assert kept.cache.known("") is NOTHING
    assert kept.asked == 0


# What is let go


def answering(provisions: Provisions) -> Callable[[Job, Any], Provisions]:
    return lambda _job, _given_up: provisions


def holding(value: bytes) -> Provisions:
    return Provisions(secrets=(GivenSecret(name="db", value=value, file="db"),))


def test_nothing_is_kept_that_nobody_asks_for(world: World) -> None:
    """Neither values nor the forms that they are looked for in."""
    cache = SecretsCache(world.fetch, 0.2)
    cache.start()
    try:
        forms = weakref.ref(cache.of(world.job(), never).forms)
        until(lambda: len(cache) == 0, "it is forgotten")
        gc.collect()
        assert forms() is None
    finally:
        cache.stop()
    kept = Kept(world)
    forms = weakref.ref(kept.cache.of(world.job(), never).forms)
    gc.collect()
    assert (len(kept.cache), forms() is None) == (1, False)


def test_a_node_that_stops_keeps_nothing(world: World) -> None:
    cache = SecretsCache(world.fetch, 30.0)
    cache.start()
    cache.of(world.job(), never)
    cache.stop()
    assert len(cache) == 0
    cache.of(world.job(), never)  # of a thread that is stuck in its job
    assert len(cache) == 0


def test_there_is_no_thread_for_each_answer(world: World) -> None:
    cache = SecretsCache(answering(holding(b"s3cret-value")), 30.0)
    cache.start()
    before = threading.active_count()
    for number in range(20):
        cache.of(world.job(trust=str(number)), never)
    assert (len(cache), threading.active_count()) == (20, before)
    cache.stop()


def test_the_oldest_gives_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets_cache, "MOST_BYTES", 40 * limits.KIB)
    cache = SecretsCache(answering(holding(bytes(1024))), 30.0)
    digests = [cache.of(world.job(trust=str(number)), never).digest for number in range(9)]
    assert len(set(digests)) == 1
    assert 1 <= len(cache) < 9
    asked: list[Job] = []

    def fetch(job: Job, _given_up: Any) -> Provisions:
        asked.append(job)
        return holding(bytes(1024))

    cache._fetch = fetch
    cache.of(world.job(trust="8"), never)
    assert asked == []
    cache.of(world.job(trust="0"), never)
    assert len(asked) == 1


def identity(token: str, seconds: float) -> Delegated:
    """Return one whose token is valid for so many seconds."""
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    return Delegated(
        auth_url="http://keystone",
        token=token,
        expires_at=expires.isoformat(),
        project_id="p",
        user_id="u",
    )


@pytest.mark.parametrize(("seconds", "asked"), [(3600, 1), (60, 2)])
def test_a_token_lasts_for_the_run_that_it_is_given_to(
    world: World, seconds: int, asked: int
) -> None:
    questions = 0

    def fetch(_job: Job, _given_up: Any) -> Provisions:
        nonlocal questions
        questions += 1
        return Provisions(identity=identity(f"gAAAA-{questions}", seconds))

    cache = SecretsCache(fetch, 30.0)
    for _ in range(2):
        given = cache.of(world.job(timeout=300), never)
        assert given.identity is not None
    assert questions == asked
    assert given.identity is not None
    assert given.identity.token == f"gAAAA-{asked}"


# Many at once


class Held:
    """A question that is answered when the test lets it be, with ``outcome``."""

    def __init__(self, *outcomes: Provisions | PrataiError) -> None:
        self._outcomes = list(outcomes)
        self.asked = 0
        self.goes_on = threading.Event()

    def __call__(self, _job: Job, _given_up: Any) -> Provisions:
        self.asked += 1
        outcome = self._outcomes.pop(0)
        assert self.goes_on.wait(30)
        if isinstance(outcome, PrataiError):
            raise outcome
        return outcome


class Run(threading.Thread):
    """A run that wants what its function is given."""

    def __init__(self, cache: SecretsCache, job: Job) -> None:
        super().__init__()
        self.cache = cache
        self.job = job
        self.waits = self.cancelled = False
        self.given: Given | None = None
        self.failure: PrataiError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.given = self.cache.of(self.job, self._given_up)
        except PrataiError as error:
            self.failure = error

    def _given_up(self) -> bool:
        self.waits = True
        return self.cancelled


def several(world: World, held: Held, count: int = 8) -> list[Run]:
    """Return runs of which the first asks, and the others wait for it."""
    cache = SecretsCache(held, 30.0)
    runs = [Run(cache, world.job())]
    until(lambda: held.asked == 1, "it is asked")
    runs += [Run(cache, world.job(f"r{number}")) for number in range(count - 1)]
    until(lambda: all(run.waits for run in runs[1:]), "the others wait")
    return runs


def end(held: Held, runs: list[Run]) -> None:
    held.goes_on.set()
    for run in runs:
        run.join(30)
        assert not run.is_alive()


def test_many_runs_ask_once(world: World) -> None:
    held = Held(holding(b"s3cret-value"))
    runs = several(world, held)
    end(held, runs)
    assert held.asked == 1
    assert len({id(run.given) for run in runs}) == 1


def test_a_failure_is_that_of_all_who_wait_and_a_cancelled_one_waits_no_more(world: World) -> None:
    failure = WithheldError(Reason.SECRET_UNAVAILABLE, "it does not answer")
    held = Held(failure, holding(b"s3cret-value"))
    runs = several(world, held)
    runs[3].cancelled = True
    until(lambda: not runs[3].is_alive(), "the cancelled one has ended")
    assert isinstance(runs[3].failure, TransferError)
    assert all(run.is_alive() for run in runs if run is not runs[3])
    end(held, runs)
    assert held.asked == 1
    assert [run.failure for run in runs if run is not runs[3]] == [failure] * 7
    assert runs[0].cache.of(world.job(), never).secrets  # who comes later asks anew


def test_where_the_one_that_asks_is_cancelled_another_asks(world: World) -> None:
    held = Held(TransferError("given up"), holding(b"s3cret-value"))
    runs = several(world, held)
    runs[0].cancelled = True
    end(held, runs)
    assert held.asked == 2
    assert isinstance(runs[0].failure, TransferError)
    assert all(run.given is not None for run in runs[1:])


def test_what_is_refused_to_one_attempt_says_nothing_of_others(world: World) -> None:
    held = Held(RefusedError("the attempt is over"), holding(b"s3cret-value"))
    runs = several(world, held)
    end(held, runs)
    assert held.asked == 2
    assert isinstance(runs[0].failure, RefusedError)
    assert all(run.given is not None for run in runs[1:])


def test_the_api_refuses_one_attempt(world: World) -> None:
    world.api.revoked.add("n")
    with pytest.raises(RefusedError):
        world.fetch(world.job(), never)
    world.api.revoked.clear()
    assert world.fetch(world.job(), never).secrets
