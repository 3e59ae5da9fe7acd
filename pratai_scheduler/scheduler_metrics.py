"""What a scheduler tells Prometheus: who acts, what waits, and how much room nodes have."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import Metric

from pratai_common.messages import Build, Job, Message
from pratai_common.metrics import dropped, gauge, gauges
from pratai_scheduler.backlog_size import Backlog
from pratai_scheduler.node import Node

_MB = 1 << 20


class Dispatches:
    """Counts what is sent to nodes to be done."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = Counter(
            "pratai_scheduler_dispatched",
            "Attempts that were given to nodes",
            ["type"],
            registry=registry,
        )
        self._children = {Job: counter.labels("run"), Build: counter.labels("build")}

    def __call__(self, message: Message) -> None:
        """Count a message, if it is a job."""
        child = self._children.get(type(message))
        if child is not None:
            child.inc()


class SchedulerMetrics:
    """Reads what changes all the time when it is asked for. ``nodes`` are those that live as the
    scheduler's loop has them, ``held`` says how many requests it holds.
    """

    def __init__(
        self,
        acts: Callable[[], bool],
        nodes: Callable[[], list[Node]],
        held: Callable[[], int],
        backlog: Backlog,
        dropped: Callable[[], int],
    ) -> None:
        self._acts = acts
        self._nodes = nodes
        self._held = held
        self._backlog = backlog
        self._dropped = dropped

    def read(self) -> Iterator[Metric]:
        """Return the metrics; of what waits and of nodes only where this scheduler acts, so that
        they can be summed.
        """
        acts = self._acts()
        yield gauge(
            "pratai_scheduler_active", "Whether this scheduler acts (1), or stands by", acts
        )
        yield gauge("pratai_scheduler_window_requests", "Requests it holds to be run", self._held())
        yield dropped(self._dropped())
        if acts:
            yield from self._capacity()
            yield from self._waiting()

    def _waiting(self) -> Iterator[Metric]:
        waits = self._backlog.waits
        if waits is None:
            return
        text = "Requests that are queued or scheduled"
        yield gauge("pratai_queue_requests", text, waits.requests)
        text = "For how long the request could have run that is due for longest"
        yield gauge("pratai_queue_oldest_age_seconds", text, waits.oldest_seconds)

    def _capacity(self) -> Iterator[Metric]:
        nodes = self._nodes()
        able = [node for node in nodes if node.able]
        counts = ((["ready"], len(able)), (["draining"], len(nodes) - len(able)))
        text = "Nodes that live, by whether they take jobs"
        yield gauges("pratai_nodes", text, ["state"], counts)
        slots, free = sum(node.state.slots for node in able), sum(node.open_slots for node in able)
        yield gauge("pratai_slots", "Jobs that nodes which are ready have at a time", slots)
        yield gauge("pratai_slots_free", "More jobs that they take now", free)
        memory = sum(node.state.memory for node in able)
        text = "Memory for jobs that nodes which are ready have"
        yield gauge("pratai_memory_bytes", text, memory * _MB)
        left = sum(max(0, node.free_memory) for node in able)
        yield gauge("pratai_memory_free_bytes", "Memory of them that no job has", left * _MB)
        spares = sum(count for node in able for _, _, count in node.state.spares)
        yield gauge("pratai_spares", "Containers of functions that wait for their events", spares)
