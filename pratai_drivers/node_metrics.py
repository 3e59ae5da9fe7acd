"""What a node tells Prometheus: what it has to do and room for, and how long images take."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric

from pratai_common.messages import NodeState
from pratai_common.metrics import BUILD_SECONDS, dropped, gauge

_MB = 1 << 20


class NodeMetrics:
    """Reads what the node says of itself when it is asked for; ``claimed`` is the memory of jobs
    that have begun, in MB.
    """

    def __init__(self, state: Callable[[], NodeState], claimed: Callable[[], int]) -> None:
        self._state = state
        self._claimed = claimed

    def read(self) -> Iterator[Metric]:
        """Return the metrics."""
        state = self._state()
        yield dropped(state.dropped_messages)
        yield gauge("pratai_node_slots", "Jobs that it does at a time", state.slots)
        text = "Jobs that it has taken and not ended, those that wait for their turn included"
        yield gauge("pratai_node_jobs", text, len(state.running))
        yield gauge("pratai_node_memory_bytes", "Memory for jobs", state.memory * _MB)
        claimed = self._claimed() * _MB
        yield gauge("pratai_node_memory_claimed_bytes", "What jobs take that have begun", claimed)
        text = "Containers of functions that wait for their events"
        yield gauge("pratai_node_spares", text, sum(count for _, _, count in state.spares))
        text = "Results that no collector has acknowledged"
        yield gauge("pratai_node_spooled_results", text, len(state.spooled))
        text = "Whether it takes no jobs (1): it ends, or cannot work"
        yield gauge("pratai_node_draining", text, state.draining)


class Images:
    """Measures how images of functions came to be on the node."""

    def __init__(self, registry: CollectorRegistry) -> None:
        seconds = Histogram(
            "pratai_node_image_duration_seconds",
            "How long it took until a function's image was there: built here, or pulled",
            ["how"],
            buckets=BUILD_SECONDS,
            registry=registry,
        )
        self._children = {how: seconds.labels(how) for how in ("built", "pulled")}

    def __call__(self, how: str, seconds: float) -> None:
        """Take in how long it took for one."""
        self._children[how].observe(seconds)


def counted(suspect: Callable[[], None], registry: CollectorRegistry) -> Callable[[], None]:
    """Return what is called where the node failed at a job, which counts that, too."""
    failures = Counter(
        "pratai_node_failures",
        "Jobs that the node failed at: its engine, or what it asks the API for",
        registry=registry,
    )

    def suspected() -> None:
        failures.inc()
        suspect()

    return suspected
