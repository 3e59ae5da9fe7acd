"""The kinds of sources that are installed, and sources made of them."""

from typing import Any

from oslo_config import cfg
from stevedore import extension

from pratai_agent.sources.base import Door, Source, SourceError
from pratai_common.records import Event
from pratai_common.sealing import Sealer, SealError

Kinds = dict[str, type[Source]]


def kinds() -> Kinds:
    """Return the plug-ins by name; what cannot be loaded is logged and left out."""
    found: Any = extension.ExtensionManager("pratai.sources")
    return {each.name: each.plugin for each in found}


class Maker:
    """Makes an event's source."""

    def __init__(self, conf: cfg.ConfigOpts, kinds: Kinds, sealer: Sealer) -> None:
        self._conf = conf
        self._kinds = kinds
        self._sealer = sealer

    def __call__(self, event: Event, door: Door) -> Source:
        """Return it; raises SourceError where its secret cannot be read."""
        try:
            secret = None if event.sealed is None else self._sealer.open(event.sealed)
        except SealError as error:
            raise SourceError("the password cannot be read any more: set it anew") from error
        return self._kinds[event.source](self._conf, event, secret, door)
