"""``pratai-keys``: makes the key pairs of daemons, and lists whose public keys are there."""

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from oslo_config import cfg

from pratai_common import conf as configuration
from pratai_common.daemon import fail
from pratai_common.key_files import (
    KeyFileError,
    make_pair,
    public_files,
    public_path,
    read_public,
    secret_path,
)
from pratai_common.options.nodes import NODE_NAME
from pratai_common.senders import CONTROL_PLANE, Identity, Role


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-keys", sys.argv[1:], [_COMMAND])
    command: Callable[[cfg.ConfigOpts, Path], int] = conf.command.run
    try:
        return command(conf, Path(conf.sockets.keys_path))
    except OSError as error:
        return fail(f"the keys cannot be kept: {error}")


def _init(conf: cfg.ConfigOpts, folder: Path) -> int:
    """Make the pairs of the control plane."""
    return _make(folder, map(Identity, CONTROL_PLANE), conf.command.replace)


def _node(conf: cfg.ConfigOpts, folder: Path) -> int:
    """Make the pair of a node."""
    return _make(folder, [Identity(Role.NODE, conf.command.node)], conf.command.replace)


def _make(folder: Path, identities: Iterable[Identity], replace: bool) -> int:
    """Make pairs that are not there, and say of each what became of it."""
    for identity in identities:
        public, secret = public_path(folder, identity), secret_path(folder, identity)
        there = public.exists() or secret.exists()
        if there and not replace:
            _say(f"{identity}: left as it is, {public if public.exists() else secret} is there")
            continue
        make_pair(folder, identity)
        _say(f"{identity}: {'replaced' if there else 'made'} {public} and {secret}")
    return 0


def _list(_conf: cfg.ConfigOpts, folder: Path) -> int:
    """Print who is admitted, with the public key; 1 where a file has none."""
    unfit = 0
    for identity, path in public_files(folder):
        try:
            _say(f"{identity}\t{read_public(path).decode()}")
        except KeyFileError as error:
            unfit = fail(str(error))
    return unfit


def _add_parsers(subparsers: Any) -> None:
    replace = argparse.ArgumentParser(add_help=False)
    replace.add_argument(
        "--replace", action="store_true", help="make a new pair also where there is one already"
    )
    init = subparsers.add_parser(
        "init", parents=[replace], help="make the key pairs of scheduler, collector, api and agent"
    )
    init.set_defaults(run=_init)
    node = subparsers.add_parser("node", parents=[replace], help="make the key pair of a node")
    node.add_argument("node", type=_node_name, metavar="NAME", help="its [driver] name")
    node.set_defaults(run=_node)
    listing = subparsers.add_parser("list", help="list whose public keys are there")
    listing.set_defaults(run=_list)


def _node_name(text: str) -> str:
    if not re.fullmatch(NODE_NAME, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a node")
    return text


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


_COMMAND = cfg.SubCommandOpt(
    "command", title="commands", handler=_add_parsers, help="what is to be done"
)

if __name__ == "__main__":
    sys.exit(main())
