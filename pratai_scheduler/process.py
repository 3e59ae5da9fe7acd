"""What the two processes of this package have in common: their parts, opened and closed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import zmq
from oslo_config import cfg

from pratai_common import conf as configuration
from pratai_common.channels import Context, Outlets
from pratai_common.curve import Curve, open_curve
from pratai_common.daemon import installation_key
from pratai_common.metrics import Metrics
from pratai_common.senders import Identity, Role
from pratai_common.store.base import Store, open_store
from pratai_common.store.measured import measure
from pratai_common.tokens import TokenKey


class Parts(NamedTuple):
    """What a process works with."""

    conf: cfg.ConfigOpts
    store: Store
    key: TokenKey
    context: Context
    curve: Curve | None
    outlets: Outlets
    metrics: Metrics


@contextmanager
def parts(role: Role) -> Iterator[Parts]:
    """Read the configuration and open store, key and sockets; close them at the end.

    Raises SystemExit with the reason where the installation is not set up.
    """
    conf = configuration.load(f"pratai-{role}", sys.argv[1:])
    key = installation_key(conf)
    curve = open_curve(conf, Identity(role))
    metrics = Metrics(role)
    store = measure(open_store(conf), metrics.registry)
    context: Context = zmq.Context.instance()
    outlets = Outlets(context, curve)
    try:
        yield Parts(conf, store, key, context, curve, outlets, metrics)
    finally:
        outlets.close()
        store.close()
        context.term()
        metrics.close()
