"""What the dashboard makes of answers of the API, without Horizon."""

import ast
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from prataiclient import chain
from prataiclient.resources import Request

from pratai_dashboard import charts, family, packages, shown, stations, summary
from tests.unit import dashboard_policies

PACKAGE = Path(packages.__file__).parent
BEGAN = datetime(2026, 11, 27, 8, tzinfo=UTC)


def request(minute: float = 0, took: float | None = 100.0, **fields: Any) -> Request:
    """Return a request as a list has it: accepted so many minutes after the beginning."""
    created = BEGAN + timedelta(minutes=minute)
    finished = None if took is None else created + timedelta(milliseconds=took)
    told = {
        "request_id": "r",
        "function_id": "f",
        "status": "success",
        "reason": None,
        "cold": False,
        "run_ms": took,
        "created_at": created.isoformat(),
        "finished_at": finished and finished.isoformat(),
        **fields,
    }
    return Request(told)


def test_the_policy_is_that_of_the_service() -> None:
    found = yaml.safe_load(dashboard_policies.PATH.read_text())
    assert found == dashboard_policies.as_horizon_reads_it()


def test_rules_that_are_asked_for_are_there() -> None:
    known = {each["name"] for each in dashboard_policies.as_horizon_reads_it()}
    asked = set()
    for path in PACKAGE.rglob("*.py"):
        asked |= set(re.findall(r'"([a-z_]+:(?!asc)[a-z_]+)"', path.read_text()))
    assert len(asked) > 20
    assert asked <= known


PANELS = sorted(path.parent for path in PACKAGE.glob("*/urls.py"))


@pytest.mark.parametrize("panel", PANELS, ids=lambda path: path.name)
def test_every_page_asks_the_policy(panel: Path) -> None:
    """Whatever has an address names rules, or has them from the view that it is one of."""
    classes = {
        each.name: each
        for path in panel.glob("*.py")
        if path.name not in ("forms.py", "tables.py", "panel.py")
        for each in ast.parse(path.read_text()).body
        if isinstance(each, ast.ClassDef)
    }

    def asks(name: str) -> bool:
        found = classes.get(name)
        if found is None:
            return False
        assigned = [each.targets[0] for each in found.body if isinstance(each, ast.Assign)]
        if any(isinstance(each, ast.Name) and each.id == "rules" for each in assigned):
            return True
        return any(asks(base.id) for base in found.bases if isinstance(base, ast.Name))

    pages = re.findall(r"(\w+)\.as_view\(\)", (panel / "urls.py").read_text())
    assert pages
    assert [each for each in pages if not asks(each)] == []


def test_templates_have_no_scripts_styles_and_hosts_of_others() -> None:
    """So that a strict Content-Security-Policy changes nothing."""
    for path in (PACKAGE / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\son[a-z]+=|\sstyle=|<style|<script>|https?://", text), path


def test_requests_are_counted_by_time_and_status() -> None:
    requests = [request(1), request(2, status="error"), request(31), request(61)]
    found = summary.buckets(requests, BEGAN, BEGAN + timedelta(hours=1), 2)
    assert [each.counts for each in found] == [{"success": 1, "error": 1}, {"success": 1}]
    assert [each.since for each in found] == [BEGAN, BEGAN + timedelta(minutes=30)]
    assert summary.by_status(requests) == [("success", 3), ("error", 1)]


def test_percentiles_of_each_function() -> None:
    requests = [request(took=float(each), cold=each <= 10) for each in range(1, 101)]
    requests += [request(function_id="g", took=None, status="running", cold=None)]
    requests += [request(function_id="h", took=7.0, cold=None)]
    found = summary.by_function(requests, 5)
    assert [(each.function_id, each.ended) for each in found] == [("f", 100), ("h", 1)]
    assert found[0].percentiles == (50.0, 90.0, 99.0)
    assert (found[0].cold, found[1].cold) == (0.1, None)
    assert summary.by_function(requests, 1) == found[:1]


def test_columns_stand_on_the_floor_and_in_the_drawing() -> None:
    buckets = [
        summary.Bucket(BEGAN, {"success": 3, "error": 1}),
        summary.Bucket(BEGAN, {}),
        summary.Bucket(BEGAN, {"timeout": 2}),
    ]
    chart = charts.columns(buckets, lambda _: "8 h")
    first, second, third = chart.rectangles
    assert [each.kind for each in chart.rectangles] == ["success", "error", "timeout"]
    assert first.height == pytest.approx(3 * second.height)
    assert second.y + second.height == pytest.approx(first.y)
    assert first.y + first.height == third.y + third.height
    for each in chart.rectangles:
        assert each.x >= 0
        assert each.x + each.width <= chart.width
        assert each.y >= 0
    assert second.title == "8 h: 1 error"


@pytest.mark.parametrize("buckets", [[], [summary.Bucket(BEGAN, {})]])
def test_a_chart_of_nothing(buckets: list[summary.Bucket]) -> None:
    assert charts.columns(buckets, lambda _: "").rectangles == []
    assert charts.latencies([], str).rectangles == []
    assert charts.shares([], str).rectangles == []


def test_latencies_are_bars_by_percentile() -> None:
    times = [
        summary.Times("f", 3, (10.0, 20.0, 40.0), 0.25),
        summary.Times("g", 1, (0, 0, 0), None),
    ]
    chart = charts.latencies(times, {"f": "first", "g": "second"}.__getitem__)
    widths = [each.width for each in chart.rectangles]
    assert widths[2] == pytest.approx(4 * widths[0])
    assert [each.kind for each in chart.rectangles] == ["p50", "p90", "p99"] * 2
    assert {"first", "second", "p99 40.0 ms"} <= {each.text for each in chart.labels}
    cold = charts.shares(times, {"f": "first", "g": "second"}.__getitem__)
    assert [each.kind for each in cold.rectangles] == ["warm", "cold"]
    assert cold.rectangles[1].width == pytest.approx(cold.rectangles[0].width / 4)


def test_stations_fill_the_bar() -> None:
    timing = {"accepted": 0.0, "dispatched": 10.0, "taken": 12.0, "started": 50.0, "ended": 90.0,
              "settled": 100.0}  # fmt: skip
    parts = stations.parts(timing)
    assert [each.station for each in parts] == list(stations.ORDER[1:])
    assert [each.length for each in parts] == [10.0, 2.0, 38.0, 40.0, 10.0]
    for each, following in pairwise(parts):
        assert each.left + each.width == pytest.approx(following.left)
    assert parts[-1].left + parts[-1].width == pytest.approx(100)


def test_stations_of_clocks_that_differ() -> None:
    parts = stations.parts({"accepted": 0.0, "taken": 20.0, "started": 5.0, "settled": 40.0})
    assert [(each.station, each.length) for each in parts] == [
        ("taken", 20.0),
        ("started", 0.0),
        ("settled", 20.0),
    ]
    assert stations.parts(None) == stations.parts({}) == []


def test_a_chain_as_a_drawing() -> None:
    root = request(request_id="a", function_id="f")
    others = [
        request(request_id="b", parent_id="a"),
        request(request_id="c", parent_id="b"),
        request(request_id="d", parent_id="b"),
        request(request_id="e", parent_id="a"),
    ]
    drawing = family.draw(chain.tree(root, others, str))
    at = {node.request["request_id"]: (node.x, node.y) for node in drawing.nodes}
    assert len(set(at.values())) == 5
    assert at["a"][1] == at["b"][1] == at["c"][1]
    assert at["c"][0] == at["d"][0]
    assert at["e"][0] == at["b"][0]
    assert at["d"][1] < at["e"][1]
    assert len(drawing.edges) == 4
    assert max(x for x, _ in at.values()) + drawing.box_width < drawing.width


def test_what_was_written_becomes_a_zip() -> None:
    zipped = packages.written("def main():\r\n    pass\r\n", "")
    with zipfile.ZipFile(io.BytesIO(zipped)) as made:
        assert made.read("new_module.py") == b"def main():\n    pass\n"
        assert made.read("requirements.txt") == b"\n"
    ast.parse(packages.STARTER)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.25, "0.2 ms"), (999.0, "999.0 ms"), (1500, "1.50 s"), (61_000, "1 min 1 s")],
)
def test_durations(value: float | None, text: str) -> None:
    assert shown.duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (17, "17 B"), (2048, "2.0 KiB"), (5 * 2**30, "5120.0 MiB")]
)
def test_sizes(value: int | None, text: str) -> None:
    assert shown.size(value) == text


def test_json_is_shown_as_it_is_and_cut() -> None:
    assert shown.pretty({"ö": [1]}) == '{\n  "ö": [\n    1\n  ]\n}'
    long = shown.pretty("x" * shown.MOST_CHARACTERS)
    assert long.endswith("\n… 2 more characters")


@pytest.mark.parametrize(
    ("status", "kind"), [("success", "good"), ("error", "bad"), ("not running", "bad")]
)
def test_colours_of_statuses(status: str, kind: str) -> None:
    assert shown.status_kind(status) == kind
