"""Variants of the product, each without one thing that it needs: the simulation notices each."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pratai_common.messages import (
    AttemptMessage,
    AttemptNews,
    Build,
    Cancel,
    Drain,
    FunctionChanged,
    Job,
    Lead,
    NodeMessage,
    NodeState,
    Result,
    Stored,
)
from pratai_common.tokens import TokenKey
from pratai_drivers.node import Node
from pratai_drivers.spool import Spool
from pratai_scheduler.collector import Collector
from pratai_scheduler.dispatcher import Dispatcher
from tests.simulation.daemons import Parts


class _ForgetfulSpool(Spool):
    def add(self, result: Result, now: int) -> None:
        """Keep nothing: a result is sent once."""


class _HastyCollector(Collector):
    def receive(self, messages: Iterable[AttemptNews]) -> None:
        """Acknowledge what arrived, then store it."""
        arrived = list(messages)
        for each in arrived:
            if isinstance(each, Result) and each.node and self._key.verify(each):
                stored = Stored(request_id=each.request_id, attempt=each.attempt)
                self._sends.to_node(each.node, stored)
        super().receive(arrived)


class _ServileNode(Node):
    def receive(self, messages: Sequence[NodeMessage]) -> None:
        """Take all schedulers for the present one."""
        for each in messages:
            if not isinstance(each, Stored | Cancel | Drain | FunctionChanged | Lead):
                self._epoch = min(self._epoch, each.epoch)
            super().receive([each])


class _ForeverNode(Node):
    def receive(self, messages: Sequence[NodeMessage]) -> None:
        """Take jobs however long they were on their way."""
        for each in messages:
            late = isinstance(each, Job | Build)
            super().receive([replace(each, take_by=None) if late else each])


class _FormerNode(Node):
    def state(self) -> NodeState:
        """Say nothing of epochs, as nodes of a former release."""
        return replace(super().state(), epoch=None)


class _TrustingKey(TokenKey):
    def verify(self, message: AttemptMessage) -> bool:
        """Believe everybody."""
        return True


class _HintedDispatcher(Dispatcher):
    def _sweep(self, now: int) -> None:
        """Know only what was told."""


class NoSpool(Parts):
    spool = _ForgetfulSpool


class EarlyAcknowledgement(Parts):
    collector = _HastyCollector


class NoEpoch(Parts):
    node = _ServileNode


class NoTime(Parts):
    node = _ForeverNode


class NoFence(Parts):
    node = _FormerNode


class NoToken(Parts):
    key = _TrustingKey(b"the key of a simulated installation")


class HintOnlyQueue(Parts):
    dispatcher = _HintedDispatcher


VARIANTS: tuple[type[Parts], ...] = (
    NoSpool,
    EarlyAcknowledgement,
    NoEpoch,
    NoTime,
    NoFence,
    NoToken,
    HintOnlyQueue,
)
