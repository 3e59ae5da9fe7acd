"""Who is told what where there are several: all schedulers everything, one collector a result."""

from collections.abc import Iterator

import pytest
import zmq
from oslo_config import cfg

from pratai_common import conf as configuration
from pratai_common import peers
from pratai_common.channels import Context, Inlet, Outlets
from pratai_common.conf import bind_address
from pratai_common.messages import Bye, MessageDecoder
from tests.waiting import until


@pytest.fixture
def context() -> Iterator[Context]:
    made: Context = zmq.Context()
    yield made
    made.term()


@pytest.fixture
def inlets(context: Context) -> Iterator[list[Inlet]]:
    made = [Inlet(context, "tcp://127.0.0.1:*") for _ in range(2)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def outlets(context: Context, inlets: list[Inlet]) -> Iterator[Outlets]:
    made = Outlets(context)
    yield made
    made.close()


def configured(role: str, *addresses: str, own: str | None = None) -> cfg.ConfigOpts:
    conf = configuration.load("test", [])
    conf.set_override(role, list(addresses), group="sockets")
    conf.set_override(f"{role}_bind", own, group="sockets")
    return conf


def word(number: int) -> Bye:
    return Bye(node=f"n{number}", instance="i")


def heard(inlet: Inlet) -> list[Bye]:
    decoder: MessageDecoder[Bye] = MessageDecoder(Bye)
    return [decoder.decode(each.frames) for each in inlet.receive(50, 100)]


def test_every_scheduler_hears_everything(inlets: list[Inlet], outlets: Outlets) -> None:
    conf = configured("scheduler", *(each.address for each in inlets))
    for number in range(5):
        assert outlets.send_each(peers.schedulers(conf), word(number))
    for inlet in inlets:
        got: list[Bye] = []
        until(
            lambda inlet=inlet, got=got: got.extend(heard(inlet)) or len(got) >= 5, "all is heard"
        )
        assert got == [word(number) for number in range(5)]


def test_collectors_share_what_any_of_them_may_take(inlets: list[Inlet], outlets: Outlets) -> None:
    collector = peers.collector(configured("collector", *(each.address for each in inlets)))
    got: list[list[Bye]] = [[], []]

    def both_hear() -> bool:
        outlets.send(collector, word(0))
        for each, inlet in zip(got, inlets, strict=True):
            each += heard(inlet)
        return all(got)

    until(both_hear, "both are connected")
    for number in range(1, 11):
        assert outlets.send(collector, word(number))
    expected = {word(number) for number in range(1, 11)}

    def all_are_heard() -> bool:
        for each, inlet in zip(got, inlets, strict=True):
            each += heard(inlet)
        return expected <= {*got[0], *got[1]}

    until(all_are_heard, "all is heard")
    assert [len(expected & set(each)) for each in got] == [5, 5]


def test_a_collector_that_is_gone_gets_nothing(context: Context) -> None:
    """What it would have got goes to the other one, and where there is no other, nowhere."""
    here, gone = (Inlet(context, "tcp://127.0.0.1:*") for _ in range(2))
    outlets = Outlets(context)
    collector = peers.collector(configured("collector", here.address, gone.address))
    until(lambda: outlets.send(collector, word(0)) and heard(gone), "both are connected")
    gone.close()
    got: list[Bye] = []

    def all_comes() -> bool:
        """Say whether ten in a row came to the one that is left: its peer's end is noticed."""
        heard(here)
        sent = [outlets.send(collector, word(number)) for number in range(1, 11)]
        got[:] = []
        while more := heard(here):
            got.extend(more)
        return all(sent) and got == [word(number) for number in range(1, 11)]

    until(all_comes, "all goes to the other one")
    here.close()
    until(lambda: not outlets.send(collector, word(1)), "nothing is queued for nobody")
    outlets.close()


def test_a_daemon_that_is_alone_binds_what_others_connect_to() -> None:
    for role in ("scheduler", "collector"):
        assert bind_address(configured(role, "tcp://127.0.0.1:1"), role) == "tcp://127.0.0.1:1"
        own = configured(role, "tcp://127.0.0.1:1", own="tcp://127.0.0.1:2")
        assert bind_address(own, role) == "tcp://127.0.0.1:2"


@pytest.mark.parametrize("role", ["scheduler", "collector"])
def test_one_of_several_says_what_it_binds(role: str) -> None:
    several = ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2")
    with pytest.raises(SystemExit, match=f"names 2 addresses: set {role}_bind"):
        bind_address(configured(role, *several), role)
    own = configured(role, *several, own="tcp://127.0.0.1:2")
    assert bind_address(own, role) == "tcp://127.0.0.1:2"
