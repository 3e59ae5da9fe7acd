"""What an agent tells Prometheus: how late its timers are, and how sources of events stand."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from pratai_agent.keeper import Keeper
from pratai_agent.timers import Timers
from pratai_common.metrics import gauge, gauges

_STATES = ("connecting", "running", "standby", "failing")


class AgentMetrics:
    """Reads it when it is asked for."""

    def __init__(self, timers: Timers, keeper: Keeper, kinds: list[str]) -> None:
        self._timers = timers
        self._keeper = keeper
        self._kinds = kinds

    def read(self) -> Iterator[Metric]:
        """Return the metrics. Of each kind of source all states are told, also those of none: what
        is zero can be watched.
        """
        yield gauge("pratai_agent_timers", "Timers that will fire", self._timers.number)
        text = "How late the timer is that should have fired first"
        yield gauge("pratai_agent_timer_lag_seconds", text, self._timers.lag_ms() / 1000)
        counts = Counter(self._keeper.stands())
        values = [
            ([kind, state], counts[(kind, state)]) for kind in self._kinds for state in _STATES
        ]
        text = "Events that have a place in this agent, by their source and how it stands"
        yield gauges("pratai_agent_sources", text, ["source", "state"], values)
