"""What daemons tell Prometheus: what is counted, what labels there may be, and how it is served."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from pratai_agent.agent_metrics import AgentMetrics
from pratai_api import http_metrics
from pratai_common import conf as configuration
from pratai_common.clock import now_ms
from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Cancel
from pratai_common.metrics import Metrics, Submissions, dropped
from pratai_common.records import Body, Request, Status, Timing
from pratai_common.store.base import Store
from pratai_common.store.measured import measure
from pratai_common.store.sqlite import SQLiteStore
from pratai_drivers.node_metrics import Images, NodeMetrics, counted
from pratai_scheduler.backlog_size import Backlog, Waits
from pratai_scheduler.node import Node
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.request_metrics import RequestMetrics, durations
from pratai_scheduler.scheduler_metrics import Dispatches, SchedulerMetrics
from tests.ports import free_port
from tests.unit.api_world import ApiWorld
from tests.unit.node_world import NodeWorld
from tests.unit.source_world import SourceWorld
from tests.unit.timer_world import TimerWorld, timer
from tests.unit.world import World, node_state
from tests.waiting import until


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


# How they are served


def loaded(folder: Path, host: str, port: int) -> Any:
    path = folder / "pratai.conf"
    path.write_text(f"[metrics]\nhost = {host}\nscheduler_port = {port}\n")
    return configuration.load("test", ["--config-file", str(path)])


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics("scheduler")
    yield made
    made.close()


def test_what_is_registered_is_served_until_it_is_closed(metrics: Metrics, tmp_path: Path) -> None:
    port = free_port()
    metrics.read(lambda: [dropped(3)])
    metrics.serve(loaded(tmp_path, "127.0.0.1", port))
    answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
    samples = {
        sample.name: sample
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["pratai_messages_dropped_total"].value == 3
    assert samples["pratai_build_info"].labels["daemon"] == "scheduler"
    assert samples["process_resident_memory_bytes"].value > 0
    assert [name for name in samples if name.endswith("_created")] == []
    metrics.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10)


def test_a_daemon_whose_port_is_taken_says_so_and_works(
    metrics: Metrics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        metrics.serve(loaded(tmp_path, "127.0.0.1", other.getsockname()[1]))
    assert "no metrics: nothing can listen at 127.0.0.1" in capsys.readouterr().out


def test_port_0_is_none(metrics: Metrics, tmp_path: Path) -> None:
    metrics.serve(loaded(tmp_path, "127.0.0.1", 0))
    assert metrics._server is None


# Stores


def test_calls_of_a_store_are_measured_and_its_absence_is_counted(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    store = SQLiteStore(tmp_path / "store.sqlite")
    store.create_schema()
    assert measure(store, registry) is store
    assert store.get_requests(["r"]) == {}
    assert store.get_mark("m") is None
    name = "pratai_store_operation_duration_seconds_count"
    assert value(registry, name, operation="get_requests") == 1
    assert value(registry, name, operation="put_mark") is None
    assert value(registry, "pratai_store_errors_total", operation="put_mark") == 0
    store.close()
    with pytest.raises(StoreUnavailableError):
        store.put_mark("m", 1)
    assert value(registry, "pratai_store_errors_total", operation="put_mark") == 1
    assert value(registry, name, operation="put_mark") == 1


def test_what_a_store_refuses_is_no_error_of_it(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    store = SQLiteStore(tmp_path / "store.sqlite")
    store.create_schema()
    measure(store, registry)
    with pytest.raises(TypeError):
        store.put_mark()  # type: ignore[call-arg]
    assert value(registry, "pratai_store_errors_total", operation="put_mark") == 0
    store.close()


def test_every_operation_of_a_store_is_measured() -> None:
    registry = CollectorRegistry()
    names = {name for name in Store.__abstractmethods__ if name not in vars(Recorded)}
    measure(Recorded(), registry)  # type: ignore[arg-type]
    told = {
        sample.labels["operation"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "pratai_store_errors_total"
    }
    assert told == names - {"from_conf", "create_schema", "schema_gaps", "close"}


class Recorded:
    """Has whatever is asked for."""

    def __getattr__(self, _name: str) -> Any:
        return lambda: None


# Requests


class Counted:
    """A scheduler and a collector, and what is counted of their requests."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.registry = CollectorRegistry()
        self.observe = RequestMetrics(self.registry)

    def take(self) -> None:
        settled, self.world.settled[:] = list(self.world.settled), []
        for request, called in settled:
            self.observe(request, called)

    def ended(self, **labels: str) -> float | None:
        self.take()
        given = {"type": "async", "source": "http", "status": "success", "reason": "none", **labels}
        return value(self.registry, "pratai_requests_ended_total", **given)


@pytest.fixture
def counted_world(world: World) -> Counted:
    world.function()
    return Counted(world)


def test_an_end_is_counted_once_however_often_its_result_comes(counted_world: Counted) -> None:
    world = counted_world.world
    world.request()
    world.heartbeat()
    world.pass_seconds(3)
    result = world.result(world.to_nodes[-1], output=Body.inline(b"1"), cold=True)
    world.collector.receive([result])
    world.collector.receive([result])
    assert counted_world.ended() == 1
    assert value(counted_world.registry, "pratai_runs_total", start="cold") == 1
    assert value(counted_world.registry, "pratai_runs_total", start="warm") == 0


def test_what_a_node_makes_up_is_no_label(counted_world: Counted) -> None:
    world = counted_world.world
    world.request()
    world.heartbeat()
    world.pass_seconds(3)
    world.end(world.to_nodes[-1], reason="made-up-by-a-node")
    assert counted_world.ended(status="error", reason="other") == 1
    assert counted_world.ended(status="error", reason="made-up-by-a-node") is None


def test_a_call_is_counted_when_it_is_recorded(counted_world: Counted) -> None:
    world = counted_world.world
    world.heartbeat()
    world.pass_seconds(3)
    world.call()
    world.end(world.to_nodes[-1], output=Body.inline(b"1"), cold=False)
    assert counted_world.ended(type="call") == 1
    assert counted_world.ended() is None
    assert value(counted_world.registry, "pratai_runs_total", start="warm") == 1


def test_a_repeated_attempt_is_no_end(counted_world: Counted) -> None:
    world = counted_world.world
    world.request(retries=1)
    world.heartbeat()
    world.pass_seconds(3)
    world.end(world.to_nodes[-1], reason="exception")
    assert counted_world.ended(status="error", reason="exception") is None
    repeated = "pratai_requests_repeated_total"
    assert value(counted_world.registry, repeated, reason="exception") == 1


def test_what_follows_is_counted_as_submitted(counted_world: Counted) -> None:
    world = counted_world.world
    world.function("g")
    world.subscribe("g", "f")
    world.request()
    world.heartbeat()
    world.pass_seconds(3)
    world.end(world.to_nodes[-1], output=Body.inline(b"1"))
    submissions = Submissions(counted_world.registry)
    for each in world.submitted:
        submissions(each, False)
    name = "pratai_requests_submitted_total"
    assert value(counted_world.registry, name, source="response", type="async") == 1


def test_a_build_is_timed_by_its_node(counted_world: Counted) -> None:
    world = counted_world.world
    world.request("b", kind="build", version=1)
    world.heartbeat()
    world.pass_seconds(3)
    world.end(world.to_nodes[-1], started_at=world.now - 2500, finished_at=world.now)
    assert counted_world.ended(type="build") == 1
    registry, name = counted_world.registry, "pratai_build_duration_seconds"
    assert value(registry, f"{name}_sum", status="success") == 2.5
    assert value(registry, f"{name}_count", status="success") == 1


def test_stations_are_the_times_between_what_the_record_says() -> None:
    whole = Timing(accepted=0, dispatched=10_000, taken=11_000, started=31_000, ended=531_000,
                   settled=532_000)  # fmt: skip
    assert durations(whole) == [
        ("queue", 0.01),
        ("delivery", 0.001),
        ("start", 0.02),
        ("run", 0.5),
        ("settle", 0.001),
    ]
    # It never ran, and a clock is behind.
    assert durations(Timing(accepted=5, dispatched=3, taken=9)) == [
        ("queue", 0),
        ("delivery", 6e-6),
    ]
    assert durations(Timing(accepted=5, settled=9)) == []


def test_whole_requests_are_timed_from_acceptance_to_their_end() -> None:
    registry = CollectorRegistry()
    timing = Timing(accepted=1_000_000, dispatched=1_250_000, settled=3_000_000)
    request = Request(
        request_id="r", function_id="f", project_id="p", user_id="u", source="timer", created_at=1,
        expires_at=2, next_run_at=1, timing=timing,
    )  # fmt: skip
    observe = RequestMetrics(registry)
    observe(_ended(request), False)
    assert value(registry, "pratai_request_duration_seconds_sum", type="async") == 2
    name = "pratai_request_station_duration_seconds_sum"
    assert value(registry, name, type="async", station="queue") == 0.25
    assert value(registry, name, type="async", station="run") is None


def _ended(request: Request) -> Request:

    return replace(request, status=Status.SUCCESS)


# The scheduler


def read(metrics: Any) -> dict[str, float]:
    """Return what is read now, by name and the values of labels."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in metrics.read()
        for sample in family.samples
    }


@pytest.fixture
def nodes() -> Nodes:
    """Two nodes, one of which drains, and three jobs."""
    made = Nodes(10_000, 5_000)
    made.lead(1)
    made.saw(node_state(epoch=1, clock=0, spares=(("f", 1, 2), ("g", 1, 1))), 0)
    made.saw(node_state(node="m", address="b", draining=True, epoch=1, clock=0), 0)
    for number in range(3):
        assert made.place((f"r{number}", 1), "f", 128, 0) is not None
    return made


def backlog(tmp_path: Path, acts: bool = True) -> Backlog:
    made = Backlog(SQLiteStore(tmp_path / "none.sqlite"), lambda: acts, lambda: 0)
    made.waits = Waits(7, 1.5) if acts else None
    return made


def test_a_scheduler_that_acts_tells_what_waits_and_of_all_room(
    nodes: Nodes, tmp_path: Path
) -> None:
    told = read(SchedulerMetrics(lambda: True, nodes.living, lambda: 5, backlog(tmp_path), int))
    assert told == {
        "pratai_scheduler_active": 1,
        "pratai_scheduler_window_requests": 5,
        "pratai_messages_dropped_total": 0,
        "pratai_nodes ready": 1,
        "pratai_nodes draining": 1,
        "pratai_slots": 4,
        "pratai_slots_free": 1,
        "pratai_memory_bytes": 4096 * 2**20,
        "pratai_memory_free_bytes": (4096 - 3 * 128) * 2**20,
        "pratai_spares": 3,
        "pratai_queue_requests": 7,
        "pratai_queue_oldest_age_seconds": 1.5,
    }


def test_one_that_stands_by_tells_nothing_that_would_be_counted_twice(
    nodes: Nodes, tmp_path: Path
) -> None:
    told = read(
        SchedulerMetrics(lambda: False, nodes.living, lambda: 0, backlog(tmp_path, False), int)
    )
    assert told == {
        "pratai_scheduler_active": 0,
        "pratai_scheduler_window_requests": 0,
        "pratai_messages_dropped_total": 0,
    }


def test_what_is_given_to_nodes_is_counted_and_nothing_else(world: World) -> None:
    registry = CollectorRegistry()
    dispatches = Dispatches(registry)
    world.function()
    world.request()
    world.request("b", kind="build", version=1)
    world.heartbeat()
    world.pass_seconds(3)
    for message in [*world.to_nodes, Cancel(request_id="r", epoch=1)]:
        dispatches(message)
    name = "pratai_scheduler_dispatched_total"
    assert [value(registry, name, type=each) for each in ("run", "build")] == [1, 1]


def test_how_long_the_first_waits_is_asked_of_the_store(world: World) -> None:
    world.function()
    world.request(created_at=world.now, next_run_at=world.now)
    world.request("later", next_run_at=world.now + 60_000)
    acts = True
    looks = Backlog(world.store, lambda: acts, lambda: world.now)
    world.now += 4_000
    looks.look()
    assert looks.waits == Waits(2, 4.0)
    acts = False
    looks.look()
    assert looks.waits is None


def test_what_a_store_that_is_away_has_waiting_is_not_told(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "store.sqlite")
    looks = backlog(tmp_path)
    looks._store = store
    assert looks.waits is not None
    looks.look()
    assert looks.waits is None
    store.close()


def test_a_node_that_is_read_while_the_scheduler_works_is_read_whole(nodes: Nodes) -> None:
    living: list[Node] = nodes.living()
    nodes.left("n", "i")
    assert len(living) == 2
    assert [node.state.node for node in nodes.living()] == ["m"]


# The API


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[ApiWorld, CollectorRegistry]]:
    made, registry = ApiWorld(tmp_path), CollectorRegistry()
    http_metrics.register(made._app, registry)
    yield made, registry
    made.close()


def test_http_requests_are_counted_by_route_and_never_by_what_clients_make_up(
    api: tuple[ApiWorld, CollectorRegistry],
) -> None:
    world, registry = api
    for path in ("/v1/functions/one", "/v1/functions/two", "/v1/functions", "/nowhere", "/what"):
        world.api.get(path)
    world.api.open("/v1/functions", method="MADEUP")
    counts = {
        tuple(sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "pratai_api_http_request_duration_seconds_count"
    }
    assert counts == {
        ("GET", "/v1/functions/{function_id}", "404"): 2,
        ("GET", "/v1/functions", "200"): 1,
        ("", "", "404"): 2,
        ("", "", "405"): 1,
    }
    assert value(registry, "pratai_api_http_requests_in_progress") == 0


def test_failures_of_the_store_are_counted_as_they_are_answered(
    api: tuple[ApiWorld, CollectorRegistry],
) -> None:
    world, registry = api
    with world.away("get_requests"):
        assert world.api.get("/v1/requests/r").status_code == 503
    labels = {"method": "GET", "route": "/v1/requests/{request_id}", "code": "503"}
    assert value(registry, "pratai_api_http_request_duration_seconds_count", **labels) == 1


# The agent


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[tuple[TimerWorld, SourceWorld]]:
    folders = [tmp_path / "timers", tmp_path / "sources"]
    for each in folders:
        each.mkdir()
    timers, sources = TimerWorld(folders[0]), SourceWorld(folders[1])
    yield timers, sources
    sources.close()
    timers.store.close()


def test_an_agent_tells_how_late_its_timers_are(agents: tuple[TimerWorld, SourceWorld]) -> None:
    timers, sources = agents
    timers.store.create_subscription(timer())
    agent = timers.agent()
    told = AgentMetrics(agent, sources.keeper, ["probe"])
    timers.at(10_500, agent)
    assert (agent.number, agent.lag_ms()) == (1, 0)
    timers.now = 12_500
    assert read(told)["pratai_agent_timer_lag_seconds"] == 1.5
    assert read(told)["pratai_agent_timers"] == 1


def test_an_agent_tells_how_sources_stand(agents: tuple[TimerWorld, SourceWorld]) -> None:
    timers, sources = agents
    told = AgentMetrics(timers.agent(), sources.keeper, ["probe"])
    sources.event()
    sources.until_state("running")
    seen = read(told)
    assert seen["pratai_agent_sources probe running"] == 1
    assert seen["pratai_agent_sources probe failing"] == 0


# Nodes


def test_a_node_tells_what_it_has_to_do(tmp_path: Path) -> None:
    world = NodeWorld(tmp_path)
    told = NodeMetrics(world.node.state, lambda: 64)
    world.node.receive([world.job("r")])
    world.result("r")

    def idle() -> bool:
        return read(told)["pratai_node_jobs"] == 0

    until(idle, "it is done")
    seen = read(told)
    assert seen["pratai_node_slots"] == 1
    assert seen["pratai_node_spooled_results"] == 1
    assert seen["pratai_node_memory_bytes"] == 1024 * 2**20
    assert seen["pratai_node_memory_claimed_bytes"] == 64 * 2**20
    assert seen["pratai_node_draining"] == 0
    world.node.drain()
    assert read(told)["pratai_node_draining"] == 1
    world.close()


def test_images_are_timed_by_how_they_came(tmp_path: Path) -> None:
    world, registry = NodeWorld(tmp_path), CollectorRegistry()
    world.builder._observe = Images(registry)
    world.node.receive([world.job("r1")])
    world.result("r1")
    world.node.receive([world.job("r2")])
    world.result("r2")
    name = "pratai_node_image_duration_seconds_count"
    assert value(registry, name, how="built") == 1  # the second found it
    assert value(registry, name, how="pulled") == 0
    world.close()


def test_failures_of_a_node_are_counted_and_looked_after() -> None:
    registry, suspected = CollectorRegistry(), []
    suspect = counted(lambda: suspected.append(now_ms()), registry)
    suspect()
    assert len(suspected) == 1
    assert value(registry, "pratai_node_failures_total") == 1
