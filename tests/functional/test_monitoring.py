"""Every daemon's metrics on a running stack, a trace from its caller to a function's follower, the
spans that are sent of it, and logs that machines read.
"""

import gzip
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from tests.front import NUMBERS, Front
from tests.packages import package
from tests.serving import Handler, Served
from tests.stack import DAEMONS, Stack
from tests.waiting import until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TELLS = package(
    """
    from pratai import context

    def main(payload=None):
        print("it runs")
        if payload == "fail":
            raise ValueError("as it was asked")
        return {
            "traceparent": context.traceparent,
            "tracestate": context.tracestate,
            "event": context.event.get("traceparent"),
        }
    """
)
STATIONS = ["queue", "delivery", "start", "run", "settle"]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Receiver:
    """Who takes OTLP by HTTP, and keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        receiver = self

        class Taking(Handler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    content = gzip.decompress(content)
                asked = ExportTraceServiceRequest.FromString(content)
                for resource in asked.resource_spans:
                    for scope in resource.scope_spans:
                        receiver.spans += scope.spans
                self.give(b"", "application/x-protobuf")

        self._served = Served(Taking)
        self.url = f"http://127.0.0.1:{self._served.port}/v1/traces"

    def of(self, trace_id: str) -> list[Span]:
        return [each for each in self.spans if each.trace_id.hex() == trace_id]

    def close(self) -> None:
        self._served.close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Stack]:
    """A stack whose traces are recorded, and whose logs are JSON."""
    settings = {
        "DEFAULT": {"debug": "true", "use_json": "true"},
        "tracing": {"exporter": "otlp", "otlp_endpoint": receiver.url},
    }
    running = Stack(tmp_path_factory.mktemp("watched"), settings)
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def teller(watched: Stack) -> str:
    return watched.function(TELLS)


def scrape(port: int) -> Samples:
    answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def number(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of what has these labels, whatever others it has."""
    wanted = set(labels.items())
    return sum(each for (own, has), each in samples.items() if own == name and wanted <= has)


# Metrics


@pytest.mark.parametrize("daemon", DAEMONS)
def test_every_daemon_tells_of_itself(watched: Stack, teller: str, daemon: str) -> None:
    watched.run(teller)
    found = scrape(watched.metrics[daemon])
    assert number(found, "pratai_build_info", daemon=daemon) == 1
    assert number(found, "process_resident_memory_bytes") > 0
    labels = {value for _, has in found for _, value in has}
    assert not {teller, "default", watched.node} & labels
    measured = number(found, "pratai_store_operation_duration_seconds_count")
    assert (measured > 0) is (daemon != "driver")
    assert number(found, "pratai_messages_dropped_total") == 0


@pytest.mark.parametrize("daemon", DAEMONS)
def test_prometheus_own_tool_finds_nothing_wrong_with_it(watched: Stack, daemon: str) -> None:
    answer = requests.get(f"http://127.0.0.1:{watched.metrics[daemon]}/metrics", timeout=30)
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=answer.text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_request_is_counted_where_it_comes_by(watched: Stack, teller: str) -> None:
    def counts() -> list[float]:
        api, scheduler, collector = (
            scrape(watched.metrics[name]) for name in ("api", "scheduler", "collector")
        )
        return [
            number(api, "pratai_requests_submitted_total", source="http", type="async"),
            number(
                api,
                "pratai_api_http_request_duration_seconds_count",
                route="/v1/functions/{function_id}",
                method="POST",
                code="202",
            ),
            number(scheduler, "pratai_scheduler_dispatched_total", type="run"),
            number(collector, "pratai_requests_ended_total", source="http", status="success"),
            number(collector, "pratai_requests_ended_total", status="error", reason="exception"),
            number(collector, "pratai_request_duration_seconds_count", type="async"),
            *(
                number(collector, "pratai_request_station_duration_seconds_count", station=each)
                for each in STATIONS
            ),
            number(collector, "pratai_runs_total"),
        ]

    before = counts()
    watched.run(teller)
    assert watched.run(teller, "fail")["reason"] == "exception"
    grown = [2, 2, 2, 1, 1, 2, *(2 for _ in STATIONS), 2]
    expected = [old + more for old, more in zip(before, grown, strict=True)]
    until(lambda: counts() == expected, f"{expected} are counted")


def test_builds_and_images_are_timed(watched: Stack, teller: str) -> None:
    collector, driver = (scrape(watched.metrics[name]) for name in ("collector", "driver"))
    assert number(collector, "pratai_build_duration_seconds_count", status="success") >= 1
    assert number(collector, "pratai_requests_ended_total", type="build") >= 1
    assert number(driver, "pratai_node_image_duration_seconds_count") >= 1


def test_the_scheduler_tells_of_the_room_that_nodes_tell_of(watched: Stack, teller: str) -> None:
    def agree() -> bool:
        scheduler, driver = (scrape(watched.metrics[name]) for name in ("scheduler", "driver"))
        slots = number(driver, "pratai_node_slots")
        idle = number(driver, "pratai_node_jobs") == 0
        return (
            idle
            and number(scheduler, "pratai_scheduler_active") == 1
            and number(scheduler, "pratai_nodes", state="ready") == 1
            and number(scheduler, "pratai_slots") == slots > 0
            and number(scheduler, "pratai_slots_free") == slots
            and number(scheduler, "pratai_spares") == number(driver, "pratai_node_spares") > 0
        )

    watched.run(teller)
    until(agree, "scheduler and node agree")


def test_what_waits_is_told_with_its_age(watched: Stack) -> None:
    later = watched.function(package("def main(p=None): return p\n"))
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    asked = {"payload": 1, "not_before": tomorrow}
    answer = watched.call("POST", f"/v1/functions/{later}", json=asked)
    assert answer.status_code == 202, answer.text

    def told() -> Samples | None:
        found = scrape(watched.metrics["scheduler"])
        return found if number(found, "pratai_queue_requests") >= 1 else None

    found = until(told, "it is counted")
    assert found is not None
    assert ("pratai_queue_oldest_age_seconds", frozenset()) in found
    watched.call("DELETE", f"/v1/functions/{later}")


def test_each_api_process_behind_nginx_tells_of_itself(front: Front) -> None:
    pids = set()
    for port in front.api_metrics[: len(NUMBERS)]:
        found = scrape(port)
        assert number(found, "pratai_build_info", daemon="api") == 1
        pids.add(number(found, "process_start_time_seconds"))
    asked = sum(_asked(port) for port in front.api_metrics)
    for _ in range(9):
        assert front.call("GET", "/v1/runtimes").ok
    until(lambda: sum(map(_asked, front.api_metrics)) == asked + 9, "all nine are counted once")


def _asked(port: int) -> float:
    name = "pratai_api_http_request_duration_seconds_count"
    return number(scrape(port), name, route="/v1/runtimes")


def test_a_store_that_is_away_is_counted(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    settings = {
        "driver": {"engine": "null"},
        "store": {"sqlite_path": store / "store.sqlite"},
    }
    running = Stack(tmp_path, settings)
    try:
        running.start()
        port = running.metrics["collector"]
        assert number(scrape(port), "pratai_store_errors_total") == 0
        store.rename(tmp_path / "away")
        until(
            lambda: number(scrape(port), "pratai_store_errors_total", operation="put_daemon") > 0,
            "a beat that was not written is counted",
        )
        (tmp_path / "away").rename(store)
    finally:
        running.stop()


# Traces


def test_a_traceparent_is_seen_in_the_function_and_in_what_follows(
    watched: Stack, teller: str, receiver: Receiver
) -> None:
    follower = watched.function(TELLS, event="response", subscribe_to=[teller])
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
    request_id = watched.submit(teller, None, **headers)
    parent = watched.ended(request_id)

    def child() -> dict[str, Any] | None:
        found = watched.get(f"/v1/requests?parent_id={request_id}")["requests"]
        return watched.ended(found[0]["request_id"]) if found else None

    followed = until(child, "the other one has run") or {}
    told = [parent["result"], followed["result"]]
    assert [each["tracestate"] for each in told] == ["vendor=1", "vendor=1"]
    parts = [each["traceparent"].split("-") for each in told]
    assert [each[1] for each in parts] == [TRACE, TRACE]
    assert [each[3] for each in parts] == ["01", "01"]
    assert told[0]["event"] == headers["traceparent"]
    assert told[1]["event"] == told[0]["traceparent"]  # below the run that it follows
    assert len({SPAN, parts[0][2], parts[1][2]}) == 3

    until(lambda: len(receiver.of(TRACE)) == 12, "all spans of both have been sent")
    by_id = {each.span_id.hex(): each for each in receiver.of(TRACE)}
    runs = [by_id[each[2]] for each in parts]
    assert [each.name for each in runs] == ["run", "run"]
    first, second = (by_id[each.parent_span_id.hex()] for each in runs)
    assert (first.name, first.parent_span_id.hex()) == ("request", SPAN)
    assert (second.name, second.parent_span_id.hex()) == ("request", parts[0][2])
    of_first = [each for each in by_id.values() if each.parent_span_id == first.span_id]
    ordered = sorted(of_first, key=lambda each: (each.start_time_unix_nano, each.name != "queue"))
    assert {each.name for each in of_first} == set(STATIONS)
    for each, following in pairwise(ordered):
        assert each.end_time_unix_nano == following.start_time_unix_nano
    named = {each.key: each.value for each in first.attributes}
    assert named["faas.invocation_id"].string_value == request_id
    assert named["pratai.function_id"].string_value == teller
    watched.call("DELETE", f"/v1/functions/{follower}")


def test_a_request_without_a_trace_begins_one(
    watched: Stack, teller: str, receiver: Receiver
) -> None:
    ended = watched.run(teller)
    trace_id = ended["request_id"].replace("-", "")
    assert ended["result"]["traceparent"].split("-")[1] == trace_id
    until(lambda: len(receiver.of(trace_id)) == 6, "its spans have been sent")
    (root,) = [each for each in receiver.of(trace_id) if each.name == "request"]
    assert root.parent_span_id == b""


def test_a_trace_that_its_caller_does_not_record_is_not_sent(
    watched: Stack, teller: str, receiver: Receiver
) -> None:
    unrecorded = TRACE.replace("4b", "5c")
    headers = {"traceparent": f"00-{unrecorded}-{SPAN}-00"}
    ended = watched.ended(watched.submit(teller, None, **headers))
    assert ended["result"]["traceparent"].split("-")[1] == unrecorded
    later = watched.run(teller)["request_id"].replace("-", "")
    until(lambda: receiver.of(later), "one that came later has been sent")
    assert receiver.of(unrecorded) == []


@pytest.mark.parametrize("where", ["webhook", "publication", "attribute", "replay"])
def test_every_way_in_takes_a_traceparent(watched: Stack, where: str) -> None:
    headers = {"traceparent": f"00-{TRACE[::-1]}-{SPAN}-00"}
    ended = WAYS[where](watched, headers)
    assert ended["result"]["event"] == headers["traceparent"]
    assert ended["result"]["traceparent"].split("-")[1] == TRACE[::-1]


def _webhook(stack: Stack, headers: dict[str, str]) -> dict[str, Any]:
    function = stack.function(TELLS, public=True)
    endpoint = stack.get(f"/v1/functions/{function}")["endpoint"]
    answer = stack.call("POST", f"/v1/hooks/{endpoint.rsplit('/', 1)[1]}", headers=headers)
    return stack.ended(answer.json()["request_id"])


def _publication(stack: Stack, headers: dict[str, str], name: str = "plain") -> dict[str, Any]:
    event = stack.call("POST", "/v1/events", json={"name": f"{name}-traced"}).json()["event_id"]
    stack.function(TELLS, event="message", subscribe_to=[event])
    answer = stack.call("POST", f"/v1/events/{event}", headers=headers, data=b"7")
    assert answer.status_code == 202, answer.text
    return stack.ended(answer.json()["request_ids"][0])


def _attribute(stack: Stack, headers: dict[str, str]) -> dict[str, Any]:
    """A CloudEvent that says it for itself, whatever its sender's own trace is."""
    told = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", **headers}
    others = {"traceparent": f"00-{'1' * 32}-{SPAN}-00"}
    binary = {f"ce-{name}": value for name, value in told.items()}
    return _publication(stack, {**others, **binary}, "cloud")


def _replay(stack: Stack, headers: dict[str, str]) -> dict[str, Any]:
    first = stack.submit(stack.function(TELLS), None, traceparent=f"00-{'2' * 32}-{SPAN}-00")
    stack.ended(first)
    answer = stack.call("POST", f"/v1/requests/{first}/replay", headers=headers)
    return stack.ended(answer.json()["request_id"])


WAYS = {
    "webhook": _webhook,
    "publication": _publication,
    "attribute": _attribute,
    "replay": _replay,
}


# Logs


def test_logs_as_json_have_the_requests_id_in_one_place(watched: Stack, teller: str) -> None:
    answer = watched.call("POST", f"/v1/functions/{teller}", json={"payload": "fail"})
    request_id, http_id = answer.json()["request_id"], answer.headers["X-Openstack-Request-Id"]
    watched.ended(request_id)

    def programs() -> set[str]:
        found = set()
        for path in (watched.folder / "log").glob("pratai-*.log"):
            for line in path.read_text().splitlines():
                record = json.loads(line)
                assert {"message", "levelname", "name", "asctime", "context"} <= record.keys()
                if request_id in line:
                    assert record["context"]["resource_uuid"] == request_id, line
                    found.add(path.stem.removeprefix("pratai-"))
        return found

    until(lambda: programs() == {"api", "scheduler", "collector", "driver"}, "all four tell of it")
    lines = (watched.folder / "log" / "pratai-api.log").read_text().splitlines()
    accesses = [
        record["context"]
        for record in map(json.loads, lines)
        if record["name"] == "pratai_api.access_log" and request_id in json.dumps(record)
    ]
    assert [each["request_id"] for each in accesses if each["request_id"] == http_id] == [http_id]
    assert all(not each.get("auth_token") for each in accesses)
