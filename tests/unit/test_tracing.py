"""Which trace a request is in: what is taken for a traceparent, and what ids make."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratai_common import tracing
from pratai_common.tracing import Sampling, TraceContext, of_request, of_run, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
OWN_ID = "7e02c64c-90f1-4d0e-8b4f-2f8d9f1d3a55"


def test_a_traceparent_is_read_and_written_as_it_is() -> None:
    found = parse(GIVEN, "vendor=1")
    assert found == TraceContext(TRACE, SPAN, 1, "vendor=1")
    assert found.sampled
    assert found.attributes == {"traceparent": GIVEN, "tracestate": "vendor=1"}


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        7,
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"{GIVEN}\n",
    ],
)
def test_what_is_no_traceparent_begins_a_trace_anew(traceparent: object) -> None:
    assert parse(traceparent, "vendor=1") is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    found = parse(f"01-{TRACE}-{SPAN}-ff-more")
    assert found is not None
    assert found.attributes == {"traceparent": f"00-{TRACE}-{SPAN}-03"}


@pytest.mark.parametrize("state", ["", "a" * 513, "a=\n", "ö=1", 7, None])
def test_a_tracestate_that_is_none_is_left_out(state: object) -> None:
    assert parse(GIVEN, state) == TraceContext(TRACE, SPAN, 1)


def test_a_request_is_in_the_trace_that_it_came_with() -> None:
    event = {"id": "1", "traceparent": GIVEN, "tracestate": "vendor=1"}
    request, run = of_request(OWN_ID, event), of_run(OWN_ID, 1, event)
    assert request.trace_id == run.trace_id == TRACE
    assert (request.flags, run.flags, run.state) == (1, 1, "vendor=1")
    spans = {SPAN, request.span_id, run.span_id, of_run(OWN_ID, 2, event).span_id}
    assert len(spans) == 4
    assert of_run(OWN_ID, 0, event) == request


@pytest.mark.parametrize("event", [None, {}, {"traceparent": "nonsense"}])
def test_the_trace_of_one_that_came_with_none_is_named_by_its_id(
    event: dict[str, Any] | None,
) -> None:
    own = of_run(OWN_ID, 1, event)
    assert own.trace_id == OWN_ID.replace("-", "")
    assert not own.sampled
    assert parse(own.attributes["traceparent"]) == own


@given(st.text(max_size=80), st.integers(1, 9))
def test_whatever_names_a_request_has_a_context_that_others_can_read(
    request_id: str, attempt: int
) -> None:
    own = of_run(request_id, attempt, None)
    assert parse(own.attributes["traceparent"]) == own
    assert own == of_run(request_id, attempt, None)


def test_a_trace_that_begins_here_is_recorded_only_where_that_is_asked_for() -> None:
    event = {"id": "1", "tracestate": "left=over"}
    assert Sampling(0.0).begun(OWN_ID, event) is event
    begun = Sampling(1.0).begun(OWN_ID, event)
    root = of_request(OWN_ID, begun)
    assert begun == {"id": "1", "traceparent": f"00-{root.trace_id}-{root.span_id}-01"}
    assert root.sampled
    assert Sampling(1.0).begun(OWN_ID, None) == {"traceparent": begun["traceparent"]}


def test_who_calls_says_whether_its_trace_is_recorded() -> None:
    event = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
    assert Sampling(1.0).begun(OWN_ID, event) is event


def test_a_share_of_traces_is_recorded() -> None:
    ids = [f"00000000-0000-4000-8000-{number:012x}" for number in range(1000)]
    begun = [Sampling(0.25).begun(each, {}) for each in ids]
    assert 200 < sum(map(bool, begun)) < 300
    assert begun == [Sampling(0.25).begun(each, {}) for each in ids]


def test_what_is_handled_again_is_in_the_trace_of_who_asked() -> None:
    event = {"id": "1", "traceparent": GIVEN, "tracestate": "vendor=1"}
    other = GIVEN.replace("4b", "5c")
    assert tracing.anew(event, {"traceparent": other}.get) == {"id": "1", "traceparent": other}
    assert tracing.anew(event, {}.get) == {"id": "1"}
    assert tracing.anew(None, {"traceparent": other}.get) is None
