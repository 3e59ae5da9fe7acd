"""Whom a daemon speaks to, as the configuration and the record of live daemons name them."""

from oslo_config import cfg

from pratai_common.channels import Peer
from pratai_common.senders import Identity, Role


def schedulers(conf: cfg.ConfigOpts) -> tuple[Peer, ...]:
    """Return where the schedulers take messages: each is told everything."""
    return Peer.each_of(conf.sockets.scheduler, Identity(Role.SCHEDULER))


def collector(conf: cfg.ConfigOpts) -> Peer:
    """Return where collectors take messages: one of those that run is told."""
    return Peer.any_of(conf.sockets.collector, Identity(Role.COLLECTOR))


def node(name: str, address: str) -> Peer:
    """Return a node by its name and where it says that it is: nobody but it has its key."""
    return Peer(address, Identity(Role.NODE, name))


def api(address: str) -> Peer:
    """Return an API process by its address; all of them have one key."""
    return Peer(address, Identity(Role.API))
