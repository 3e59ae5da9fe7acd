"""How long what a store does takes, and how often it is away, for Prometheus."""

from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from pratai_common.errors import StoreUnavailableError
from pratai_common.metrics import SHORT_SECONDS, child_of
from pratai_common.store.base import Store

_NOT_MEASURED = frozenset({"from_conf", "create_schema", "schema_gaps", "close"})


def measure(store: Store, registry: CollectorRegistry) -> Store:
    """Have each call of a store's methods measured; returns the store."""
    seconds = Histogram(
        "pratai_store_operation_duration_seconds",
        "How long the store took, whether it answered or not",
        ["operation"],
        buckets=SHORT_SECONDS,
        registry=registry,
    )
    errors = Counter(
        "pratai_store_errors",
        "Operations that the store did not answer",
        ["operation"],
        registry=registry,
    )
    for name in sorted(Store.__abstractmethods__ - _NOT_MEASURED):
        setattr(store, name, _measured(getattr(store, name), name, seconds, errors.labels(name)))
    return store


def _measured(
    do: Callable[..., Any], name: str, seconds: Histogram, errors: Counter
) -> Callable[..., Any]:
    children: dict[tuple[str, ...], Histogram] = {}  # what is never called has no buckets to tell

    @wraps(do)
    def measured(*arguments: Any, **named: Any) -> Any:
        began = perf_counter()
        try:
            return do(*arguments, **named)
        except StoreUnavailableError:
            errors.inc()
            raise
        finally:
            child_of(seconds, children, name).observe(perf_counter() - began)

    return measured
