"""What the scheduler is told from one thread: in order, and never more than fits."""

import threading

from pratai_api.hints import Hints
from pratai_common import limits
from pratai_common.messages import FunctionChanged, Message
from tests.waiting import until


def hint(number: int) -> Message:
    return FunctionChanged(function_id=str(number))


def test_what_waits_is_bounded_and_sent_in_order() -> None:
    sent: list[Message] = []
    sending, go_on = threading.Event(), threading.Event()

    def send(message: Message) -> None:
        sending.set()
        go_on.wait()
        sent.append(message)

    hints = Hints(send)
    assert hints.put(hint(0))
    sending.wait()
    taken = [hints.put(hint(number)) for number in range(1, limits.QUEUE_MESSAGES + 2)]
    assert taken == [True] * limits.QUEUE_MESSAGES + [False]
    go_on.set()
    expected = [hint(number) for number in range(limits.QUEUE_MESSAGES + 1)]
    until(lambda: len(sent) == len(expected), "all of them are sent")
    assert sent == expected
    assert hints.put(hint(0))
