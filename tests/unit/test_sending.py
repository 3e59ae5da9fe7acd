"""What sends: sockets that are not kept for ever, addresses that are not read each time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import zmq

from pratai_common import peers
from pratai_common.beat import Witness
from pratai_common.channels import Context, Inlet, Outlets, Peer, Received
from pratai_common.daemon import Loop
from pratai_common.errors import StoreUnavailableError
from pratai_common.inbox import Inbox
from pratai_common.messages import Bye, MessageDecoder
from pratai_common.records import Daemon
from pratai_common.senders import Identity, Role
from pratai_common.store.sqlite import SQLiteStore
from pratai_scheduler.addresses import Addresses

MESSAGE = Bye(node="n", instance="i")


def to(address: str) -> Peer:
    return Peer(address, Identity(Role.SCHEDULER))


@pytest.fixture
def context() -> Iterator[Context]:
    made: Context = zmq.Context()
    yield made
    made.term()


def test_sockets_that_nobody_uses_are_closed(context: Context) -> None:
    """As of nodes that were restarted, each time with a new address."""
    now = 0.0
    inlet = Inlet(context, "tcp://127.0.0.1:*")
    outlets = Outlets(context, clock=lambda: now)
    for number in range(20):
        now += 100
        assert outlets.send(to(f"inproc://gone-{number}"), MESSAGE)
        assert outlets.send(to(inlet.address), MESSAGE)
    assert len(outlets._outlets()) == 8
    decoder: MessageDecoder[Bye] = MessageDecoder(Bye)
    received: list[Received] = []
    while len(received) < 20:
        received += inlet.receive(10_000, 20)
    assert {decoder.decode(each.frames) for each in received} == {MESSAGE}
    outlets.close()
    inlet.close()


class Failing:
    """What happens to a daemon while its store is away."""

    def __init__(self) -> None:
        self.received: list[Bye] = []
        self.ticks = 0

    def receive(self, messages: Sequence[Bye]) -> None:
        self.received += messages
        raise StoreUnavailableError("away")

    def tick(self) -> None:
        self.ticks += 1
        raise StoreUnavailableError("away")


@pytest.mark.parametrize(
    "address",
    [
        "tcp://node.example:5558",
        "tcp://127.0.0.1:5558,tcp://127.0.0.1:5559",
        "tcp://127.0.0.1:0;127.0.0.1:5558",
        "inproc://zeromq.zap.01",
        "ipc:///run/pratai/node",
        "tcp://127.0.0.1:5558\n",
    ],
)
def test_a_node_is_at_one_address_that_is_no_name(context: Context, address: str) -> None:
    outlets = Outlets(context)
    assert not outlets.send(peers.node("n", address), MESSAGE)
    assert len(outlets._outlets()) == 0
    # The positive control: where nobody listens yet, a message waits.
    assert outlets.send(peers.node("n", "tcp://127.0.0.1:5558"), MESSAGE)
    assert outlets.send(peers.node("n", "tcp://[::1]:5558"), MESSAGE)
    outlets.close(0)


def test_a_node_has_one_socket_however_often_it_moves(context: Context) -> None:
    outlets = Outlets(context)
    for port in range(5000, 5020):
        assert outlets.send(peers.node("n", f"tcp://127.0.0.1:{port}"), MESSAGE)
        assert outlets.send(peers.node("m", "tcp://127.0.0.1:4999"), MESSAGE)
    assert {each.address for each in outlets._outlets()} == {
        "tcp://127.0.0.1:5019",
        "tcp://127.0.0.1:4999",
    }
    outlets.close(0)


def test_waking_what_is_closed_does_nothing(context: Context) -> None:
    """As a thread does, or a signal, that comes late: its descriptor may be another's by then."""
    inlet = Inlet(context, "tcp://127.0.0.1:*")
    inlet.close()
    inlet.wake()
    inlet.close()


def test_a_loop_goes_on_while_the_store_is_away(context: Context) -> None:
    """What is done as time passes does not depend on what is done with messages."""
    inlet = Inlet(context, "tcp://127.0.0.1:*")
    outlets = Outlets(context)
    handler = Failing()
    loop = Loop(Inbox(inlet, MessageDecoder(Bye)), handler, tick_seconds=0.0)
    outlets.send(to(inlet.address), MESSAGE)
    loop.run_until(lambda: bool(handler.received), 60)
    assert handler.received == [MESSAGE]
    assert handler.ticks >= 1
    outlets.close()
    inlet.close()


class Clock:
    now = 10_000

    def __call__(self) -> int:
        return self.now


class CountingStore(SQLiteStore):
    reads = 0
    away = False

    def list_daemons(self) -> list[Daemon]:
        self.reads += 1
        if self.away:
            raise StoreUnavailableError("away")
        return super().list_daemons()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CountingStore]:
    made = CountingStore(tmp_path / "store.sqlite")
    made.create_schema()
    yield made
    made.close()


def daemon(kind: str, name: str, seen_at: int = 10_000) -> Daemon:
    return Daemon(
        daemon_type=kind,
        daemon_id=name,
        joined_at=1,
        seen_at=seen_at,
        ip="1",
        version="v",
        address=f"tcp://{name}",
    )


def test_addresses_are_read_once_a_second(store: CountingStore) -> None:
    clock = Clock()
    addresses = Addresses(store, clock, Witness())
    store.put_daemon(daemon("driver", "n"))
    for _ in range(5):
        assert addresses.node("n") == peers.node("n", "tcp://n")
        assert addresses.node("gone") is None
        assert addresses.api("n") is None
    assert store.reads == 3  # one for all, and one for each name that was not there
    clock.now += 1001
    assert addresses.node("gone") is None
    assert store.reads == 4


def test_a_new_name_is_looked_for_at_once(store: CountingStore) -> None:
    """The first caller of a new API process must not wait in vain for its answer."""
    addresses = Addresses(store, Clock(), Witness())
    assert addresses.api("old") is None
    store.put_daemon(daemon("api", "new"))
    assert addresses.api("new") == peers.api("tcp://new")


def test_addresses_outlive_a_store_that_is_away(store: CountingStore) -> None:
    clock = Clock()
    addresses = Addresses(store, clock, Witness())
    store.put_daemon(daemon("api", "a"))
    assert addresses.api("a") == peers.api("tcp://a")
    store.away = True
    clock.now += 5_000
    assert addresses.api("a") == peers.api("tcp://a")
    assert addresses.api("b") is None


def test_only_living_api_processes_have_callers_who_wait(store: CountingStore) -> None:
    clock = Clock()
    addresses = Addresses(store, clock, Witness())
    store.put_daemon(daemon("api", "lives"))
    store.put_daemon(daemon("api", "died", seen_at=5_000))
    store.put_daemon(daemon("driver", "n"))
    assert addresses.apis() == {"lives"}
    clock.now += 5_000
    assert addresses.apis() == frozenset()


def test_api_processes_live_on_while_the_store_takes_no_beats(store: CountingStore) -> None:
    """Their callers wait; those that had died before do not."""
    clock, witness = Clock(), Witness()
    addresses = Addresses(store, clock, witness)
    witness.written(clock.now)
    store.put_daemon(daemon("api", "lives", seen_at=9_500))
    store.put_daemon(daemon("api", "died", seen_at=5_000))
    clock.now += 60_000
    assert addresses.apis() == {"lives"}
    witness.written(clock.now)
    clock.now += 2_000
    assert addresses.apis() == {"lives"}
    for _ in range(3):
        witness.written(clock.now)
        clock.now += 2_000
    assert addresses.apis() == frozenset()
