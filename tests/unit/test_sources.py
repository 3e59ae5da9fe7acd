"""The sources of events: each runs while its event wants it, and its event says how it is."""

import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from oslo_config import cfg

from pratai_agent import pauses, serving
from pratai_agent.networks import resolved
from pratai_agent.pauses import Pauses
from pratai_agent.report import COUNTS_MS, Report
from pratai_agent.sources.base import Happened, Source, SourceError, Standby, StoppedError
from pratai_common.clock import now_ms
from pratai_common.daemon import describe
from pratai_common.errors import StoreUnavailableError
from pratai_common.options.events import AGENT_OPTS
from pratai_common.records import Event, SourceState
from pratai_common.sealing import Sealer
from pratai_common.tokens import TokenKey
from tests.unit.source_world import SourceWorld, run
from tests.waiting import until


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "FIRST_SECONDS", 0.01)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SourceWorld]:
    made = SourceWorld(tmp_path)
    yield made
    made.close()


def test_what_happens_runs_what_subscribes(world: SourceWorld) -> None:
    def serve(source: Source) -> None:
        source.door.state("running", "all is well")
        told = Happened("1", b'{"a":1}', {"type": "com.example.made", "subject": "x"})
        source.door.take([told, Happened("2", b"2", {}, own_id=False)])
        source.door.take([told])
        run(source)

    world.serve = serve
    event = world.event()
    world.until_state("running")
    until(lambda: len(world.requests()) == 2, "both are recorded")
    first, second = sorted(world.requests(), key=lambda each: str(each.event and each.event["id"]))
    assert (first.source, first.function_id, first.user_id) == ("probe", "f1", "u")
    assert first.event is not None
    assert second.event is not None
    assert first.event.pop("time").endswith("Z")
    assert first.event == {
        "specversion": "1.0",
        "id": "1",
        "source": f"/v1/events/{event.event_id}",
        "type": "com.example.made",
        "subject": "x",
        "datacontenttype": "application/json",
    }
    assert second.event["type"] == "pratai.probe"
    until(lambda: (state := world.state()) and state.received == 3, "it is counted")
    state = world.state()
    assert state is not None
    assert (state.without_id, state.dead, state.error) == (1, 0, None)


def test_a_failure_is_told_and_tried_again(world: SourceWorld) -> None:
    fail = threading.Event()
    fail.set()

    def serve(source: Source) -> None:
        source.door.state("connecting")
        if fail.is_set():
            raise SourceError("no\nconnection")
        run(source)

    world.serve = serve
    world.event()
    failing = world.until_state("failing")
    assert failing.error == "no connection"
    until(lambda: len(world.made) > 2, "it is tried again")
    again = world.state()
    assert again is not None
    assert again.state == "failing"  # though it says each time that it connects
    fail.clear()
    running = world.until_state("running")
    assert running.error == "no connection"
    assert running.since >= failing.since


def test_what_was_not_foreseen_is_logged_and_not_shown(
    world: SourceWorld, caplog: pytest.LogCaptureFixture
) -> None:
    def serve(_: Source) -> None:
        raise ValueError("the password is hunter2")

    world.serve = serve
    world.event()
    failing = world.until_state("failing")
    assert failing.error == "an error that was not foreseen; the agent's log has it"
    assert "Traceback" in caplog.text


def test_one_that_ends_by_itself_fails(world: SourceWorld) -> None:
    world.serve = lambda _: None
    world.event()
    assert world.until_state("failing").error == "the source ended by itself"


def test_standby_is_no_failure(world: SourceWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "STANDBY_SECONDS", 0.01)
    taken = threading.Event()
    taken.set()

    def serve(source: Source) -> None:
        if taken.is_set():
            raise Standby
        run(source)

    world.serve = serve
    world.event()
    assert world.until_state("standby").error is None
    taken.clear()
    world.until_state("running")


def test_a_changed_event_has_a_new_source_when_the_old_one_has_ended(world: SourceWorld) -> None:
    ending = threading.Event()

    def serve(source: Source) -> None:
        run(source)
        ending.wait(60)

    world.serve = serve
    world.event(settings={"n": 1})
    world.until_state("running")
    world.keeper.look()
    assert len(world.made) == 1
    world.change(settings={"n": 2})
    world.keeper.look()
    until(lambda: world.made[0].door.stopping, "the old one is stopped")
    world.keeper.look()
    assert len(world.made) == 1
    ending.set()
    until(lambda: world.state() and len(world.made) == 2, "a new one is started")
    assert world.made[1].event.settings == {"n": 2}


def test_a_disabled_event_has_no_source_and_no_state(world: SourceWorld) -> None:
    world.event()
    world.until_state("running")
    world.change(enabled=False)
    until(lambda: world.state() is None, "its state is gone")
    assert world.made[0].door.stopping
    world.change(enabled=True)
    world.until_state("running")


def test_a_deleted_event_is_cleaned_up_and_forgotten(world: SourceWorld) -> None:
    fails = [SourceError("away"), SourceError("away")]
    order: list[str] = []

    def serve(source: Source) -> None:
        run(source)
        order.append("served")

    def clean(_: Source) -> None:
        order.append("cleaned")
        if fails:
            raise fails.pop()

    world.serve, world.clean = serve, clean
    world.event()
    world.until_state("running")
    world.change(deleted_at=now_ms())
    until(lambda: world.state() is None and world.kept() is None, "it is forgotten")
    assert order == ["served", "cleaned", "cleaned", "cleaned"]
    world.keeper.look()
    assert order[4:] == []


def test_what_cannot_be_cleaned_up_is_forgotten_after_a_day(
    world: SourceWorld, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def clean(source: Source) -> None:
        tried.append(source)
        raise SourceError("the host is gone")

    world.clean = clean
    world.event(deleted_at=now_ms() - serving.CLEANING_MS - 1000)
    until(lambda: world.state() is None and world.kept() is None, "it is forgotten")
    assert len(tried) == 1
    assert "event e is forgotten, and not cleaned up" in caplog.text


def test_no_more_sources_run_than_may(tmp_path: Path) -> None:
    world = SourceWorld(tmp_path, most=1)
    try:
        world.event("a")
        world.event("b")
        world.until_state("running", "a")
        assert world.until_state("failing", "b").error == "this agent serves 1 events already"
        world.change("a", enabled=False)
        world.until_state("running", "b")
    finally:
        world.close()


def test_events_of_other_kinds_are_left_alone(world: SourceWorld) -> None:
    other = SourceState(state="running", since=1)
    world.event("other", source="other", states={"its agent": other})
    world.keeper.look()
    kept = world.kept("other")
    assert kept is not None
    assert kept.states == {"its agent": other}


def test_states_of_dead_agents_are_removed_and_those_of_others_stay(world: SourceWorld) -> None:
    theirs = SourceState(state="standby", since=1)
    now = now_ms()
    world.store.put_daemon(describe("agent", "alive", now, now, 0, None))
    world.store.put_daemon(describe("agent", "dead", now - 60_000, now - 60_000, 0, None))
    world.event(states={"alive": theirs, "dead": theirs, "forgotten": theirs})
    world.event("off", enabled=False, states={"dead": theirs})
    world.until_state("running")
    kept, off = world.kept(), world.kept("off")
    assert kept is not None
    assert off is not None
    assert kept.states.keys() == {"me", "alive"}
    assert kept.states["alive"] == theirs
    assert kept.updated_at == 1
    assert off.states == {}


def test_an_agent_that_ends_takes_its_states_along(world: SourceWorld) -> None:
    world.event()
    other = world.new_keeper("other")
    other.look()
    world.until_state("running")
    assert other.stop(60)
    kept = world.kept()
    assert kept is not None
    assert kept.states.keys() == {"me"}


def test_a_source_waits_while_the_store_is_away(
    world: SourceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = threading.Event()
    away.set()
    refused = []
    create = world.store.create_requests

    def create_requests(new: Any) -> Any:
        if away.is_set():
            refused.append(new)
            raise StoreUnavailableError("away")
        return create(new)

    def serve(source: Source) -> None:
        source.door.state("running", "a note")
        source.door.take([Happened("1", b"1", {})])
        source.door.wait(60)

    monkeypatch.setattr(world.store, "create_requests", create_requests)
    world.serve = serve
    world.event()
    failing = world.until_state("failing")
    assert failing.error == "what came cannot be recorded: the store or archives are away"
    assert (failing.note, failing.received) == ("a note", 0)
    until(lambda: len(refused) > 1, "it tries again")
    assert world.requests() == []
    away.clear()
    running = world.until_state("running")
    assert (running.note, running.error) == ("a note", failing.error)
    assert len(world.requests()) == 1


def test_a_source_that_is_told_to_stop_waits_no_longer(
    world: SourceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, ended = threading.Event(), []

    def create_requests(_: Any) -> Any:
        refused.set()
        raise StoreUnavailableError("away")

    def serve(source: Source) -> None:
        try:
            source.door.take([Happened("1", b"1", {})])
        except StoppedError:
            ended.append(source)
            raise

    monkeypatch.setattr(world.store, "create_requests", create_requests)
    world.serve = serve
    world.event()
    world.keeper.look()
    assert refused.wait(60)
    assert world.keeper.stop(60)
    assert len(ended) == 1


def test_a_source_gets_its_password(world: SourceWorld) -> None:
    world.event(sealed=world.sealer.seal("hunter2"))
    world.until_state("running")
    assert world.made[0].secret == "hunter2"


def test_a_password_of_another_installation_is_told_of(
    world: SourceWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sealed = Sealer(TokenKey(b"another key"), "event").seal("hunter2")
    world.event(sealed=sealed)
    failing = world.until_state("failing")
    assert failing.error == "the password cannot be read any more: set it anew"
    assert sealed not in caplog.text


# Its parts


def test_counts_are_written_now_and_then_and_all_else_at_once() -> None:
    now = [100_000]
    report = Report(lambda: now[0])
    assert report.due(None)
    stored = report.current
    report.written()
    report.took(2, 1)
    assert not report.due(stored)
    now[0] += COUNTS_MS
    assert report.due(stored)
    stored = report.current
    report.written()
    assert not report.due(stored)
    report.dead("unreadable")
    assert report.due(stored)
    assert (report.current.state, report.current.dead) == ("connecting", 1)
    assert report.current.error_at == now[0]


def test_pauses_double_up_to_a_minute() -> None:
    some = Pauses()
    for doubled in range(12):
        longest = 0.01 * 2**doubled
        assert longest / 2 <= some.next() <= longest
    for _ in range(3):
        assert 30 <= [some.next(), some.next()][-1] <= 60
    some.reset()
    assert some.next() <= 0.01


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    made = cfg.ConfigOpts()
    made.register_opts(AGENT_OPTS, group="agent")
    made([])
    return made


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.1", "localhost", "::1", "::", "0.0.0.0", "0", "2130706433", "0x7f.1",
     "169.254.169.254", "fe80::1%lo", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
     "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
     "::127.0.0.1", "::169.254.169.254"],
)  # fmt: skip
def test_events_do_not_connect_to_the_agents_own_machine(conf: cfg.ConfigOpts, host: str) -> None:
    with pytest.raises(SourceError) as refused:
        resolved(conf, host, 5672)
    assert str(refused.value) == f"the host {host} is in a network that events may not connect to"


@pytest.mark.parametrize("host", ["", "\0", "a" * 64 + ".test"])
def test_a_host_that_is_none(conf: cfg.ConfigOpts, host: str) -> None:
    with pytest.raises(SourceError, match="is not known"):
        resolved(conf, host, 5672)


def test_other_addresses_and_what_an_operator_allows(conf: cfg.ConfigOpts) -> None:
    assert resolved(conf, "192.0.2.7", 5672) == "192.0.2.7"
    for address in ("2001:db8::7", "2002:c000:207::", "64:ff9b::c000:207", "::192.0.2.7"):
        assert resolved(conf, address, 5672) == address
    conf.set_override("deny_networks", [], group="agent")
    assert resolved(conf, "127.0.0.1", 5672) == "127.0.0.1"
    conf.set_override("deny_networks", ["192.0.2.0/24"], group="agent")
    with pytest.raises(SourceError, match=r"192\.0\.2\.7 is in a network"):
        resolved(conf, "192.0.2.7", 5672)
    with pytest.raises(ValueError, match="host bits set"):
        conf.set_override("deny_networks", ["192.0.2.7/24"], group="agent")


def test_of_the_addresses_that_are_allowed_one_of_ipv4_is_taken(
    conf: cfg.ConfigOpts, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [
        (family, socket.SOCK_STREAM, 6, "", (address, 5672))
        for family, address in (
            (socket.AF_INET6, "2001:db8::7"),
            (socket.AF_INET, "192.0.2.7"),
            (socket.AF_INET, "192.0.2.8"),
        )
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert resolved(conf, "both.test", 5672) == "192.0.2.7"
    conf.set_override("deny_networks", ["192.0.2.7/32"], group="agent")
    assert resolved(conf, "both.test", 5672) == "192.0.2.8"
    conf.set_override("deny_networks", ["192.0.2.0/24"], group="agent")
    assert resolved(conf, "both.test", 5672) == "2001:db8::7"


def test_an_event_is_not_changed_by_its_states(world: SourceWorld) -> None:
    """Else each would start its source anew."""
    world.event()
    world.until_state("running")

    def touch(old: Event) -> Event:
        return replace(old, states={**old.states, "other": SourceState(state="standby", since=1)})

    world.store.change_event("e", touch)
    world.keeper.look()
    assert len(world.made) == 1
