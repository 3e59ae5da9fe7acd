"""What others may cause is bounded: lines of a log, connections."""

import pytest

from pratai_common.handshakes import A_SECOND, BURST, Handshakes
from pratai_common.ration import Ration


class Time:
    """Seconds, as the test sets them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_lines_that_were_held_back_are_told(time: Time) -> None:
    ration = Ration(lines=2, seconds=60.0, clock=time)
    assert [ration.take() for _ in range(5)] == ["", "", None, None, None]
    time.now += 59.9
    assert ration.take() is None
    time.now += 0.1
    assert [ration.take() for _ in range(3)] == [" (and 4 such lines before it)", "", None]
    time.now += 1000
    assert ration.take() == " (and 1 such lines before it)"


def test_each_node_connects_as_often_as_it_may(time: Time) -> None:
    handshakes = Handshakes(time)
    assert all(handshakes.take("n1") for _ in range(BURST))
    assert not handshakes.take("n1")
    assert handshakes.take("n2")
    time.now += 0.09
    assert not handshakes.take("n1")
    time.now += 2.0
    assert [handshakes.take("n1") for _ in range(2 * A_SECOND + 1)] == [
        *[True] * (2 * A_SECOND),
        False,
    ]
    time.now += 10 * BURST
    assert all(handshakes.take("n1") for _ in range(BURST))
    assert not handshakes.take("n1")


def test_who_has_not_connected_for_long_is_forgotten(time: Time) -> None:
    handshakes = Handshakes(time)
    for number in range(100):
        assert handshakes.take(f"n{number}")
    time.now += 1
    assert handshakes.take("another")
    assert len(handshakes._taken) == 1
