"""What the two processes of this package have in common: their parts, opened and closed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import zmq
from oslo_config import cfg

from pratai_common import conf as configuration
from pratai_common.channels import Context, Outlets
from pratai_common.daemon import installation_key
from pratai_common.store.base import Store, open_store
from pratai_common.tokens import TokenKey


class Parts(NamedTuple):
    """What a process works with."""

    conf: cfg.ConfigOpts
    store: Store
    key: TokenKey
    context: Context
    outlets: Outlets


@contextmanager
def parts(program: str) -> Iterator[Parts]:
    """Read the configuration and open store, key and sockets; close them at the end.

    Raises SystemExit with the reason where the installation is not set up.
    """
    conf = configuration.load(program, sys.argv[1:])
    key = installation_key(conf)
    store = open_store(conf)
    context: Context = zmq.Context.instance()
    outlets = Outlets(context)
    try:
        yield Parts(conf, store, key, context, outlets)
    finally:
        outlets.close()
        store.close()
        context.term()
