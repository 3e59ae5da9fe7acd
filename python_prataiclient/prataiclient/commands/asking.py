"""Secrets that a command sends: read from a file or asked for, since everybody on a machine can
read its command lines.
"""

import sys
from argparse import ArgumentParser, Namespace
from getpass import getpass
from pathlib import Path

from prataiclient.commands.arguments import text_of
from prataiclient.errors import RefusedError


def add_secret(parser: ArgumentParser, name: str, what: str) -> None:
    """Add ``--NAME``, which asks for it, and ``--NAME-file``. ``what`` it is, is for people."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(f"--{name}", action="store_true", help=f"ask for {what} on the terminal")
    group.add_argument(
        f"--{name}-file",
        type=Path,
        metavar="PATH",
        help="file with it; a newline at its end is no part of it",
    )


def secret(parsed: Namespace, name: str, needed: bool = False) -> dict[str, str]:
    """Return the secret as the setting of that name, or none unless it is needed; raises
    RefusedError.
    """
    path, setting = getattr(parsed, f"{name}_file"), name.replace("_", " ")
    if path is not None:
        return {name: text_of(path).removesuffix("\n").removesuffix("\r")}
    if not (needed or getattr(parsed, name)):
        return {}
    if not sys.stdin.isatty():
        option = name.replace("_", "-")
        raise RefusedError(f"there is no terminal to ask for the {setting} on: use --{option}-file")
    return {name: getpass(f"{setting.capitalize()}: ")}
