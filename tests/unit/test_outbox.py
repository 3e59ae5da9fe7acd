"""What a node's threads send by sockets that one of them uses at a time, until they are closed."""

import threading
from collections.abc import Iterable

from pratai_common.channels import Peer
from pratai_common.messages import Bye, Message
from pratai_common.senders import Identity, Role
from pratai_drivers.outbox import Outbox
from tests.waiting import until

SCHEDULER = Peer("", Identity(Role.SCHEDULER))
COLLECTOR = Peer("", Identity(Role.COLLECTOR))


class Watched:
    """Sockets that can be held up, and note what they are used for."""

    def __init__(self) -> None:
        self.uses: list[str] = []
        self.begun = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()

    def send_each(self, peers: Iterable[Peer], message: Message) -> bool:
        self.begun.set()
        assert self.goes_on.wait(30)
        assert isinstance(message, Bye)
        self.uses += [f"{message.node} to {each.identity.role}" for each in peers]
        return True

    def close(self) -> None:
        self.uses.append("closed")


def bye(name: str) -> Bye:
    return Bye(node=name, instance="i")


def test_sockets_are_not_closed_while_they_are_used() -> None:
    sockets = Watched()
    sockets.goes_on.clear()
    outbox = Outbox([SCHEDULER], COLLECTOR, sockets)
    sending = threading.Thread(target=outbox.to_collector, args=(bye("a"),))
    sending.start()
    assert sockets.begun.wait(30)
    outbox.to_scheduler(bye("b"))  # the other thread sends it
    closing = threading.Thread(target=outbox.close)
    closing.start()
    closing.join(0.2)
    assert (closing.is_alive(), sockets.uses) == (True, [])
    sockets.goes_on.set()
    for thread in (sending, closing):
        thread.join(30)
    assert sockets.uses == ["a to collector", "b to scheduler", "closed"]


def test_nothing_is_sent_when_they_are_closed() -> None:
    sockets = Watched()
    outbox = Outbox([SCHEDULER], COLLECTOR, sockets)
    outbox.to_scheduler(bye("a"))
    outbox.close()
    outbox.to_scheduler(bye("b"))
    outbox.to_collector(bye("c"))
    assert sockets.uses == ["a to scheduler", "closed"]


def test_who_was_about_to_send_sends_before_they_are_closed_or_never() -> None:
    sockets = Watched()
    outbox = Outbox([SCHEDULER], COLLECTOR, sockets)
    threads = [
        threading.Thread(target=outbox.to_collector, args=(bye("a"),), daemon=True)
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    outbox.close()
    until(lambda: not any(each.is_alive() for each in threads), "nobody waits for ever")
    assert sockets.uses[-1] == "closed"
