"""Who is told of requests as a collector settles them: metrics always, spans if they are sent."""

from collections.abc import Callable
from typing import Any, NamedTuple

from oslo_config import cfg
from prometheus_client import CollectorRegistry
from stevedore import driver
from stevedore.exception import NoMatches

from pratai_common.metrics import Submissions
from pratai_common.records import Request
from pratai_common.submit import Observe
from pratai_scheduler.collector import Observers
from pratai_scheduler.request_metrics import RequestMetrics

EXPORTERS = "pratai.span_exporters"


class Opened(NamedTuple):
    """Observers, and what ends them."""

    observers: Observers
    close: Callable[[], None]


def open_observers(conf: cfg.ConfigOpts, registry: CollectorRegistry) -> Opened:
    """Return the observers that the configuration names; raises SystemExit where one cannot be."""
    settled: list[Observe] = [RequestMetrics(registry)]
    submitted = Submissions(registry)
    spans = _open_spans(conf) if conf.tracing.exporter else None
    if spans is not None:
        settled.append(spans)

    def tell_settled(request: Request, called: bool) -> None:
        for observe in settled:
            observe(request, called)

    def tell_submitted(request: Request, called: bool) -> None:
        submitted(request, called)
        if request.status.final:  # its chain was too long: no result will end it
            tell_settled(request, called)

    close = (lambda: None) if spans is None else spans.close
    return Opened(Observers(tell_settled, tell_submitted), close)


def _open_spans(conf: cfg.ConfigOpts) -> Any:
    name = conf.tracing.exporter
    try:
        return driver.DriverManager(EXPORTERS, name).driver(conf)
    except NoMatches as error:
        raise SystemExit(
            f"[tracing] exporter: there is no {name}, or what it needs is not installed: "
            "pip install 'pratai[tracing]'"
        ) from error
