"""The spans of requests: what is sent of which, how they hang together, and when they were."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry

from pratai_common import conf as configuration
from pratai_common import tracing
from pratai_common.records import Attempt, Request, Status, Timing
from pratai_common.tracing import Sampling
from pratai_scheduler.observing import open_observers
from pratai_scheduler.spans import Spans

REQUEST_ID = "7e02c64c-90f1-4d0e-8b4f-2f8d9f1d3a55"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TIMING = Timing(accepted=1_000_000, dispatched=1_010_000, taken=1_011_000, started=1_031_000,
                ended=1_531_000, settled=1_533_000)  # fmt: skip


def request(**values: Any) -> Request:
    given: dict[str, Any] = {
        "source": "http",
        "event": {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"},
        "status": Status.SUCCESS,
        "attempts": (Attempt(number=1, node="n", epoch=1, started_at=1010),),
        "created_at": 1000,
        "finished_at": 1533,
        "expires_at": 9999,
        "next_run_at": 1000,
        "cold": False,
        "node": "n",
        "version": 3,
        "timing": TIMING,
        **values,
    }
    return Request(request_id=REQUEST_ID, function_id="f", project_id="p", user_id="u", **given)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def spans(exporter: InMemorySpanExporter, ended: Request, called: bool = False) -> list[Any]:
    Spans(SimpleSpanProcessor(exporter))(ended, called)
    return list(exporter.get_finished_spans())


def ids(span: Any) -> tuple[str, str]:
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def parent(span: Any) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def times(span: Any) -> tuple[int, int]:
    """Return when it began and ended, in microseconds."""
    return span.start_time // 1000, span.end_time // 1000


def test_a_request_is_a_span_and_has_one_for_each_station(exporter: InMemorySpanExporter) -> None:
    made = spans(exporter, request())
    own = tracing.of_request(REQUEST_ID, request().event)
    assert [(each.name, *times(each)) for each in made] == [
        ("request", 1_000_000, 1_533_000),
        ("queue", 1_000_000, 1_010_000),
        ("delivery", 1_010_000, 1_011_000),
        ("start", 1_011_000, 1_031_000),
        ("run", 1_031_000, 1_531_000),
        ("settle", 1_531_000, 1_533_000),
    ]
    assert {ids(each)[0] for each in made} == {TRACE}
    assert [parent(each) for each in made] == [SPAN, *5 * [own.span_id]]
    assert ids(made[0])[1] == own.span_id
    # What the function was told, so that its own spans are below its run.
    assert ids(made[4])[1] == tracing.of_run(REQUEST_ID, 1, request().event).span_id
    assert len({ids(each)[1] for each in made}) == 6
    assert made[0].context.trace_state.to_header() == "vendor=1"


def test_what_is_told_names_what_ran_and_nothing_that_came_in(
    exporter: InMemorySpanExporter,
) -> None:
    first = spans(exporter, request(), called=True)[0]
    assert dict(first.attributes) == {
        "faas.invocation_id": REQUEST_ID,
        "faas.trigger": "http",
        "faas.coldstart": False,
        "pratai.type": "call",
        "pratai.source": "http",
        "pratai.function_id": "f",
        "pratai.version": 3,
        "pratai.project_id": "p",
    }
    assert first.resource.attributes["service.name"] == "pratai"
    assert first.status.status_code is StatusCode.OK


def test_a_failure_says_why_and_former_attempts_are_told(exporter: InMemorySpanExporter) -> None:
    former = Attempt(
        number=1, node="m", epoch=1, started_at=900, finished_at=950, reason="exception"
    )
    last = Attempt(number=2, node="n", epoch=1, started_at=1010)
    made = spans(
        exporter, request(status=Status.TIMEOUT, reason="timeout", attempts=(former, last))
    )
    whole, first = made[0], made[1]
    assert (whole.status.status_code, whole.status.description) == (StatusCode.ERROR, "timeout")
    assert whole.attributes["error.type"] == "timeout"
    assert (first.name, *times(first)) == ("run", 900_000, 950_000)
    assert first.status.description == "exception"
    assert first.attributes == {"pratai.attempt": 1, "pratai.node": "m"}
    runs = [each for each in made if each.name == "run"]
    expected = [tracing.of_run(REQUEST_ID, number, request().event).span_id for number in (1, 2)]
    assert [ids(each)[1] for each in runs] == expected


@pytest.mark.parametrize("event", [None, {}, {"traceparent": f"00-{TRACE}-{SPAN}-00"}])
def test_a_trace_that_nobody_records_is_not_sent(
    exporter: InMemorySpanExporter, event: dict[str, Any] | None
) -> None:
    assert spans(exporter, request(event=event)) == []


def test_a_request_that_has_not_ended_is_not_sent(exporter: InMemorySpanExporter) -> None:
    assert spans(exporter, request(status=Status.SCHEDULED)) == []


def test_a_trace_that_begins_here_has_no_parent(exporter: InMemorySpanExporter) -> None:
    begun = Sampling(1.0).begun(REQUEST_ID, {"id": "1"})
    made = spans(exporter, request(event=begun))
    assert parent(made[0]) is None
    assert ids(made[0])[0] == REQUEST_ID.replace("-", "")


def test_what_never_ran_has_the_stations_that_it_came_by(exporter: InMemorySpanExporter) -> None:
    refused = request(
        status=Status.ERROR, reason="expired", attempts=(), timing=Timing(accepted=1_000_000)
    )
    assert [(each.name, *times(each)) for each in spans(exporter, refused)] == [
        ("request", 1_000_000, 1_533_000)
    ]


def test_clocks_that_differ_make_no_span_that_ends_before_it_begins(
    exporter: InMemorySpanExporter,
) -> None:
    behind = replace(TIMING, started=1, settled=2)
    for each in spans(exporter, request(timing=behind)):
        began, ended = times(each)
        assert ended >= began


class Broken(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise AssertionError("it is called by nobody")

    def shutdown(self) -> None:
        """Nothing is held."""


class BrokenProcessor(SimpleSpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("it takes none")


def test_a_request_is_settled_also_where_its_spans_are_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Spans(BrokenProcessor(Broken()))(request(), False)
    assert "no spans of a request" in caplog.text


# What the configuration says


def loaded(folder: Path, *lines: str) -> Any:
    path = folder / "pratai.conf"
    path.write_text("\n".join(["[tracing]", *lines, ""]))
    return configuration.load("test", ["--config-file", str(path)])


def test_without_an_exporter_only_metrics_are_told(tmp_path: Path) -> None:
    conf = loaded(tmp_path)
    opened = open_observers(conf, registry := CollectorRegistry())
    opened.observers.settled(request(), False)
    opened.close()
    name = "pratai_request_duration_seconds_count"
    assert registry.get_sample_value(name, {"type": "async"}) == 1
    assert Sampling.from_conf(conf).begun(REQUEST_ID, None) is None


def test_an_exporter_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"there is no smoke signals.*pratai\[tracing\]"):
        open_observers(loaded(tmp_path, "exporter = smoke signals"), CollectorRegistry())


def test_with_an_exporter_traces_begin_here(tmp_path: Path) -> None:
    conf = loaded(tmp_path, "exporter = otlp", "otlp_endpoint = http://127.0.0.1:9/v1/traces")
    assert Sampling.from_conf(conf).begun(REQUEST_ID, None) is not None
    opened = open_observers(conf, CollectorRegistry())
    opened.close()


def test_what_ends_as_it_is_made_is_counted_twice_over(tmp_path: Path) -> None:
    """Its chain was too long: it is submitted, and has ended by that."""
    opened = open_observers(loaded(tmp_path), registry := CollectorRegistry())
    ended = request(status=Status.ERROR, reason="chain_limit", source="response", timing=None)
    opened.observers.submitted(ended, False)
    labels = {"type": "async", "source": "response", "status": "error", "reason": "chain_limit"}
    assert registry.get_sample_value("pratai_requests_ended_total", labels) == 1
    labels = {"type": "async", "source": "response"}
    assert registry.get_sample_value("pratai_requests_submitted_total", labels) == 1
