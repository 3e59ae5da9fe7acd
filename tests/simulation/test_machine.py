"""Histories that Hypothesis makes, and makes shorter: it looks where seeds alone do not come to."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.simulation.coverage import Coverage
from tests.simulation.histories import silence
from tests.simulation.rest import check_rest, come_to_rest
from tests.simulation.steps import FAULTS, WORK, Step, take
from tests.simulation.world import World

HISTORIES = int(os.environ.get("PRATAI_HISTORIES", "200"))
NUMBERS = st.integers(0, 255)


class Histories(RuleBasedStateMachine):
    """A world, and one rule for each half of what may happen: work, and faults."""

    @initialize(seed=st.integers(0, 7))
    def begin(self, seed: int) -> None:
        self.world = World(seed, Coverage())

    @rule(name=st.sampled_from(sorted(WORK)), a=NUMBERS, b=NUMBERS)
    def work(self, name: str, a: int, b: int) -> None:
        with silence():
            take(self.world, Step(name, a, b))

    @rule(name=st.sampled_from(sorted(FAULTS)), a=NUMBERS, b=NUMBERS)
    def fault(self, name: str, a: int, b: int) -> None:
        with silence():
            take(self.world, Step(name, a, b))

    def teardown(self) -> None:
        with silence():
            come_to_rest(self.world)
            check_rest(self.world)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=max(10, HISTORIES // 10),
    stateful_step_count=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
