"""Writes into events how their sources stand in this agent. What agents wrote that are no longer
alive is removed on the way.
"""

from msgspec.structs import replace

from pratai_common.beat import Witness
from pratai_common.clock import Clock
from pratai_common.records import Event, SourceState
from pratai_common.store.base import Store

_LOOK_MS = 1000


class States:
    """The entries of the agent with a daemon id. May raise StoreUnavailableError."""

    def __init__(self, store: Store, daemon_id: str, witness: Witness, clock: Clock) -> None:
        self._store = store
        self._own_id = daemon_id
        self._witness = witness
        self._clock = clock
        self._agents: frozenset[str] = frozenset()
        self._looked_at = 0

    def write(self, event_id: str, own: SourceState | None) -> None:
        """Write this agent's state of an event; ``None`` removes it."""
        agents = self._living()

        def change(event: Event) -> Event | None:
            states = {each: state for each, state in event.states.items() if each in agents}
            states.pop(self._own_id, None)
            if own is not None:
                states[self._own_id] = own
            return None if states == event.states else replace(event, states=states)

        self._store.change_event(event_id, change)

    def has_dead(self, event: Event) -> bool:
        """Say whether an event has states of agents that are no longer alive."""
        return not event.states.keys() - {self._own_id} <= self._living()

    def own(self, event: Event) -> SourceState | None:
        """Return what an event has of this agent."""
        return event.states.get(self._own_id)

    def _living(self) -> frozenset[str]:
        now = self._clock()
        if not self._looked_at <= now < self._looked_at + _LOOK_MS:
            agents = self._witness.living(self._store.list_daemons(), now, "agent")
            self._agents = frozenset(each.daemon_id for each in agents)
            self._looked_at = now
        return self._agents
