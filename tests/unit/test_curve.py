"""CURVE between real sockets: who is heard, who no longer, and who never was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from pratai_common import limits
from pratai_common.channels import Context, Inlet, Outlets, Peer
from pratai_common.curve import Curve
from pratai_common.handshakes import BURST
from pratai_common.inbox import Inbox
from pratai_common.key_files import make_pair, public_path, read_pair, secret_path
from pratai_common.key_ring import KeyRing
from pratai_common.messages import (
    Bye,
    Cancel,
    Message,
    MessageDecoder,
    NodeMessage,
    SchedulerMessage,
    encode,
)
from pratai_common.senders import CONTROL_PLANE, Identity, Role
from tests.waiting import until

SCHEDULER, API = Identity(Role.SCHEDULER), Identity(Role.API)
N1, N2 = Identity(Role.NODE, "n1"), Identity(Role.NODE, "n2")


class Daemon:
    """The sockets of a daemon, in a context of its own as in a process of its own."""

    def __init__(self, folder: Path, me: Identity, types: object, address: str) -> None:
        pair = read_pair(secret_path(folder, me))
        self.context: Context = zmq.Context()
        self._seconds = 0
        self.broken = False
        self.curve = Curve(me, pair, KeyRing(folder, self._clock))
        self.outlets = Outlets(self.context, self.curve)
        self.inlet = Inlet(self.context, address, self.curve)
        self.peer = Peer(self.inlet.address, me)
        self.inbox: Inbox[Message] = Inbox(self.inlet, MessageDecoder(types))
        self.heard: list[Message] = []

    def hears(self, message: Message) -> bool:
        self.heard += self.inbox.receive(50, 100)
        return message in self.heard

    def _clock(self) -> float:
        """Have the keys looked at anew for each message, as if a second had passed."""
        if self.broken:
            raise RuntimeError("no time")
        self._seconds += 1
        return self._seconds

    def close(self) -> None:
        self.outlets.close(linger_ms=0)
        self.inlet.close()
        self.context.term()


class Daemons:
    """Daemons of one installation, whose keys are all in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: list[Daemon] = []
        for identity in (*map(Identity, CONTROL_PLANE), N1, N2):
            make_pair(folder, identity)

    def start(self, me: Identity, types: object = SchedulerMessage) -> Daemon:
        daemon = Daemon(self.folder, me, types, "tcp://127.0.0.1:*")
        self._open.append(daemon)
        return daemon

    def start_again(self, daemon: Daemon, types: object) -> Daemon:
        """Start a daemon again at its address, with the key that it has by now."""
        self._open.remove(daemon)
        daemon.close()
        started = Daemon(self.folder, daemon.peer.identity, types, daemon.peer.address)
        self._open.append(started)
        return started

    def close(self) -> None:
        for each in self._open:
            each.close()


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    made = Daemons(tmp_path / "keys.d")
    yield made
    made.close()


def bye(node: Identity, instance: str = "i") -> Bye:
    return Bye(node=node.name, instance=instance)


def test_a_node_is_heard_of_itself_and_not_of_another(daemons: Daemons) -> None:
    scheduler, node = daemons.start(SCHEDULER), daemons.start(N1, NodeMessage)
    assert node.outlets.send(scheduler.peer, bye(N2))
    assert node.outlets.send(scheduler.peer, bye(N1))
    until(lambda: scheduler.hears(bye(N1)), "the node is heard")
    assert scheduler.heard == [bye(N1)]
    assert scheduler.inbox.dropped == 1


def test_a_node_cannot_speak_as_the_scheduler(
    daemons: Daemons, caplog: pytest.LogCaptureFixture
) -> None:
    """It may not even connect to another node; the scheduler may."""
    scheduler, node, other = (
        daemons.start(SCHEDULER),
        daemons.start(N1, NodeMessage),
        daemons.start(N2, NodeMessage),
    )
    assert node.outlets.send(other.peer, Cancel(request_id="of a node"))
    assert scheduler.outlets.send(other.peer, Cancel(request_id="of the scheduler"))
    until(lambda: other.hears(Cancel(request_id="of the scheduler")), "the scheduler is heard")
    until(lambda: other.hears(bye(N1)) or "is not admitted" in caplog.text, "the node is refused")
    assert other.heard == [Cancel(request_id="of the scheduler")]
    # What a node may not say to the scheduler, whom it may connect to.
    assert node.outlets.send(scheduler.peer, Cancel(request_id="r"))
    assert node.outlets.send(scheduler.peer, bye(N1))
    until(lambda: scheduler.hears(bye(N1)), "the node is heard")
    assert scheduler.heard == [bye(N1)]
    assert "dropped a Cancel: node n1 may not say it" in caplog.text


def test_a_stranger_is_heard_as_soon_as_its_key_is_there(
    daemons: Daemons, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on trying by itself, and is told nothing."""
    path = public_path(daemons.folder, N1)
    key = path.read_bytes()
    path.unlink()
    scheduler, api = daemons.start(SCHEDULER), daemons.start(API)
    node = daemons.start(N1, NodeMessage)
    assert node.outlets.send(scheduler.peer, bye(N1))
    assert api.outlets.send(scheduler.peer, Cancel(request_id="r"))
    until(lambda: scheduler.hears(Cancel(request_id="r")), "another is heard")
    until(lambda: scheduler.hears(bye(N1)) or "is not admitted" in caplog.text, "it is refused")
    assert scheduler.heard == [Cancel(request_id="r")]
    path.write_bytes(key)
    until(lambda: scheduler.hears(bye(N1)), "the node is heard")
    assert scheduler.inbox.dropped == 0
    assert caplog.text.count("is not admitted") == 1


def test_a_fault_of_whoever_is_asked_refuses_and_ends_nothing(
    daemons: Daemons, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = daemons.start(SCHEDULER)
    scheduler.broken = True
    node = daemons.start(N1, NodeMessage)
    assert node.outlets.send(scheduler.peer, bye(N1))
    until(lambda: "who wants to connect was refused" in caplog.text, "it is refused")
    assert scheduler.inlet.receive(0, 100) == []
    scheduler.broken = False
    until(lambda: scheduler.hears(bye(N1)), "it is heard when it has tried again")


def test_a_node_that_connects_again_and_again_is_refused(
    daemons: Daemons, caplog: pytest.LogCaptureFixture
) -> None:
    """And no other is."""
    scheduler = daemons.start(SCHEDULER)
    node, other = daemons.start(N1, NodeMessage), daemons.start(N2, NodeMessage)
    node.outlets.send(scheduler.peer, bye(N1))
    until(lambda: scheduler.hears(bye(N1)), "the node is heard")
    assert all(scheduler.curve._handshakes.take("n1") for _ in range(BURST - 1))
    node.outlets.close()
    node.outlets.send(scheduler.peer, bye(N1, "too often"))
    other.outlets.send(scheduler.peer, bye(N2))
    until(lambda: scheduler.hears(bye(N2)), "the other is heard")
    until(lambda: "is that of node n1, which connects too often" in caplog.text, "one is not")
    assert scheduler.heard == [bye(N1), bye(N2)]
    until(lambda: scheduler.hears(bye(N1, "too often")), "it is heard when it may connect again")


def test_a_key_that_is_taken_away_revokes_at_once(daemons: Daemons) -> None:
    """Also on a connection that was made with it."""
    scheduler = daemons.start(SCHEDULER)
    node, other = daemons.start(N1, NodeMessage), daemons.start(N2, NodeMessage)
    node.outlets.send(scheduler.peer, bye(N1))
    until(lambda: scheduler.hears(bye(N1)), "the node is heard")
    public_path(daemons.folder, N1).unlink()
    node.outlets.send(scheduler.peer, bye(N1, "revoked"))

    def dropped() -> bool:
        scheduler.hears(bye(N1))
        return scheduler.inbox.dropped == 1

    until(dropped, "the message is dropped")
    assert scheduler.heard == [bye(N1)]
    assert not scheduler.outlets.send(node.peer, Cancel(request_id="r"))
    other.outlets.send(scheduler.peer, bye(N2))
    until(lambda: scheduler.hears(bye(N2)), "another node is heard as ever")


def test_who_has_a_new_key_is_reached_by_it(daemons: Daemons) -> None:
    scheduler, node = daemons.start(SCHEDULER), daemons.start(N1, NodeMessage)
    scheduler.outlets.send(node.peer, Cancel(request_id="before"))
    until(lambda: node.hears(Cancel(request_id="before")), "the node hears")
    former = scheduler.outlets._outlets()[node.peer].socket
    make_pair(daemons.folder, N1)
    node = daemons.start_again(node, NodeMessage)
    assert scheduler.outlets.send(node.peer, Cancel(request_id="after"))
    until(lambda: node.hears(Cancel(request_id="after")), "the node hears again")
    assert former.closed
    node.outlets.send(scheduler.peer, bye(N1))
    until(lambda: scheduler.hears(bye(N1)), "the node is heard with its new key")


def test_nobody_is_reached_who_has_not_the_key_of_that_address(daemons: Daemons) -> None:
    """As where a node says that its address is another's: what is for it stays unread."""
    scheduler = daemons.start(SCHEDULER)
    node, other = daemons.start(N1, NodeMessage), daemons.start(N2, NodeMessage)
    scheduler.outlets.send(Peer(other.peer.address, N1), Cancel(request_id="for n1"))
    scheduler.outlets.send(node.peer, Cancel(request_id="for n1"))
    scheduler.outlets.send(other.peer, Cancel(request_id="for n2"))
    until(lambda: other.hears(Cancel(request_id="for n2")), "the other hears")
    until(lambda: node.hears(Cancel(request_id="for n1")), "the node hears")
    assert other.heard == [Cancel(request_id="for n2")]


def test_the_largest_message_arrives(daemons: Daemons) -> None:
    """What CURVE adds to it does not count."""
    scheduler, api = daemons.start(SCHEDULER), daemons.start(API)
    room = limits.MAX_MESSAGE_BYTES - len(encode(Cancel(request_id="x" * 2**16))) + 2**16
    largest = Cancel(request_id="x" * room)
    assert len(encode(largest)) == limits.MAX_MESSAGE_BYTES
    assert api.outlets.send(scheduler.peer, largest)
    until(lambda: scheduler.hears(largest), "it is heard")


def test_an_address_that_is_taken_leaves_nothing_behind(daemons: Daemons) -> None:
    scheduler = daemons.start(SCHEDULER)
    context: Context = zmq.Context()
    with pytest.raises(zmq.ZMQError, match="in use"):
        Inlet(context, scheduler.peer.address, scheduler.curve)
    context.term()


def test_what_is_plain_is_not_heard(daemons: Daemons) -> None:
    scheduler, api = daemons.start(SCHEDULER), daemons.start(API)
    plain: Context = zmq.Context()
    outlets = Outlets(plain)
    assert outlets.send(scheduler.peer, Cancel(request_id="plain"))
    api.outlets.send(scheduler.peer, Cancel(request_id="r"))
    until(lambda: scheduler.hears(Cancel(request_id="r")), "the API is heard")
    assert scheduler.heard == [Cancel(request_id="r")]
    outlets.close(linger_ms=0)
    plain.term()


def test_frames_of_a_known_sender_that_are_no_message_are_dropped(daemons: Daemons) -> None:
    scheduler, api = daemons.start(SCHEDULER), daemons.start(API)
    message = Cancel(request_id="r")
    api.outlets.send(scheduler.peer, message)
    socket = api.outlets._outlets()[scheduler.peer].socket
    for frames in ([b""], [b"\xff"], [encode(message), encode(message)]):
        socket.send_multipart(frames)
    api.outlets.send(scheduler.peer, Cancel(request_id="last"))
    until(lambda: scheduler.hears(Cancel(request_id="last")), "an ordinary one is heard")
    assert scheduler.inbox.dropped == 3
    assert scheduler.heard == [message, Cancel(request_id="last")]
