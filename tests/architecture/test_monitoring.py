"""What operators are given to see inside: rules, a dashboard and documents that name metrics which
there are.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask

from pratai_agent.agent_metrics import AgentMetrics
from pratai_api import http_metrics
from pratai_common import conf as configuration
from pratai_common.metrics import Metrics, Submissions
from pratai_common.store.measured import measure
from pratai_common.store.sqlite import SQLiteStore
from pratai_drivers.node_metrics import Images, NodeMetrics, counted
from pratai_scheduler.backlog_size import Backlog, Waits
from pratai_scheduler.collector_daemon import readings
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.request_metrics import RequestMetrics
from pratai_scheduler.scheduler_metrics import Dispatches, SchedulerMetrics
from tests.architecture.test_operators import run, tool
from tests.unit.source_world import SourceWorld
from tests.unit.timer_world import TimerWorld
from tests.unit.world import node_state

ROOT = Path(__file__).parent.parent.parent
MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = MONITORING / "alerts.yaml"
GUIDE = ROOT / "doc" / "source" / "admin" / "monitoring.rst"
_NAME = re.compile(r"\b(?:pratai|process)_[a-z_]+\b")
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"),
             "info": ("_info",), "gauge": ("",)}  # fmt: skip


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The type of every metric that any daemon has, by its name without a suffix."""
    folder = tmp_path_factory.mktemp("metrics")
    metrics = Metrics("api")
    registry = metrics.registry
    store = SQLiteStore(folder / "store.sqlite")
    measure(store, registry)
    http_metrics.register(Flask("any"), registry)
    Submissions(registry)
    RequestMetrics(registry)
    Dispatches(registry)
    Images(registry)
    counted(lambda: None, registry)
    backlog = Backlog(store, lambda: True, lambda: 0)
    backlog.waits = Waits(0, 0.0)
    nodes = Nodes(1, 1)
    for name in ("timers", "sources"):
        (folder / name).mkdir()
    timers, sources = TimerWorld(folder / "timers"), SourceWorld(folder / "sources")
    metrics.read(SchedulerMetrics(lambda: True, nodes.living, lambda: 0, backlog, int).read)
    metrics.read(AgentMetrics(timers.agent(), sources.keeper, ["probe"]).read)
    metrics.read(NodeMetrics(node_state, lambda: 0).read)
    metrics.read(lambda: readings(0, 0))
    found = {family.name: family.type for family in registry.collect()}
    sources.close()
    store.close()
    return found


def samples(families: dict[str, str]) -> set[str]:
    """Return the names that queries may use."""
    return {name + suffix for name, kind in families.items() for suffix in _SUFFIXES[kind]}


def expressions(dashboard: Any) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


@pytest.fixture(scope="module")
def dashboard() -> Any:
    return json.loads((MONITORING / "grafana-dashboard.json").read_text())


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    return found


def test_every_metric_of_the_dashboard_is_there(dashboard: Any, families: dict[str, str]) -> None:
    used = {name for each in expressions(dashboard) for name in _NAME.findall(each)}
    assert len(used) > 20
    assert used - samples(families) == set()


def test_every_metric_of_the_alerts_is_there(families: dict[str, str]) -> None:
    used = {name for each in rules() for name in _NAME.findall(each["expr"])}
    assert len(used) > 10
    assert used - samples(families) == set()


def test_the_guide_names_every_metric_and_no_other(families: dict[str, str]) -> None:
    told = set(re.findall(r"``(pratai_[a-z_]+)``", GUIDE.read_text()))
    own = {name for name in families if name.startswith("pratai_")}
    totals = {f"{name}_total" if families[name] == "counter" else name for name in own}
    infos = {f"{name}_info" if families.get(name) == "info" else name for name in totals}
    assert told == infos


def test_the_guide_says_what_to_do_about_every_alert() -> None:
    told = set(re.findall(r"``(Pratai[A-Za-z]+)``", GUIDE.read_text()))
    assert told == {each["alert"] for each in rules()}


def test_names_and_units_are_as_prometheus_wants_them(families: dict[str, str]) -> None:
    for name, kind in families.items():
        if not name.startswith("pratai_"):
            continue
        assert not re.search(r"_(ms|milliseconds|mb|minutes|total|count|sum|bucket)$", name), name
        if kind == "histogram":
            assert name.endswith("_seconds"), name


def test_the_dashboard_can_be_laid_out(dashboard: Any) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        own = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not own & taken, panel["title"]
        taken |= own


# With Prometheus' own tool


def promtool(*words: str | Path) -> Any:
    return run(tool("promtool", "prometheus"), *words)


def test_the_alerts_are_rules() -> None:
    checked = promtool("check", "rules", ALERTS)
    assert checked.returncode == 0, checked.stdout
    assert f"{len(rules())} rules found" in checked.stdout


def test_a_mistake_in_a_rule_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "alerts.yaml"
    wrong.write_text(ALERTS.read_text().replace("sum(pratai_slots_free)", "sum(pratai_slots_free"))
    assert promtool("check", "rules", wrong).returncode != 0


def test_the_configuration_is_one_of_prometheus() -> None:
    checked = promtool("check", "config", MONITORING / "prometheus.yaml")
    assert checked.returncode == 0, checked.stdout


def test_the_configuration_names_the_ports_that_daemons_have() -> None:
    (job,) = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())["scrape_configs"]
    named = {
        each["labels"]["daemon"]: int(each["targets"][0].rpartition(":")[2])
        for each in job["static_configs"]
    }
    conf = configuration.registered()
    conf([], project="pratai", default_config_files=[])
    assert named == {name: conf.metrics[f"{name}_port"] for name in named}
    assert len(named) == 5


def test_the_dashboards_expressions_are_ones(dashboard: Any, tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": each.replace("$__rate_interval", "5m")}
        for number, each in enumerate(expressions(dashboard))
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    checked = promtool("check", "rules", path)
    assert checked.returncode == 0, checked.stdout


def test_every_alert_comes_when_it_should_and_not_before() -> None:
    path = Path(__file__).parent / "alerts_test.yaml"
    cases = yaml.safe_load(path.read_text())["tests"]
    fired: set[str] = set()
    silent: set[str] = set()
    for case in cases:
        for each in case["alert_rule_test"]:
            (fired if each["exp_alerts"] else silent).add(each["alertname"])
    assert fired == silent == {each["alert"] for each in rules()}
    checked = promtool("test", "rules", path)
    assert checked.returncode == 0, checked.stdout
