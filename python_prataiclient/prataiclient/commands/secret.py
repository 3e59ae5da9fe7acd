"""``secret-*``: what functions need to know, and nobody else."""

import sys
from argparse import ArgumentParser, Namespace
from getpass import getpass
from pathlib import Path
from typing import Any

from prataiclient.commands.arguments import existing
from prataiclient.commands.base import ClientCommand, ListCommand, ShowCommand
from prataiclient.errors import RefusedError


class _SecretCommand(ClientCommand):
    """A command on one secret."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        return parser


class SecretCreate(_SecretCommand, ShowCommand):
    """Keep a secret, or give the one of this name a new value. The value is asked for on the
    terminal, or read from a file or from standard input: everybody on a machine can read its
    command lines.
    """

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--file",
            type=Path,
            metavar="PATH",
            help="file with the value, of which every byte counts",
        )
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        return self.fields(self.client.put_secret(parsed.name, _value(parsed.file)), parsed)


class SecretList(ListCommand):
    """List the names of the project's secrets."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        return self.rows(("name", "created_at"), self.client.secrets(), parsed)


class SecretGet(_SecretCommand):
    """Print the value of a secret, as it is; on a terminal with a newline behind it."""

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        value = self.client.secret(parsed.name)
        try:
            text = value.decode()
        except UnicodeDecodeError:
            sys.stdout.flush()
            sys.stdout.buffer.write(value)
            return
        end = "\n" if self.app.stdout.isatty() else ""
        self.app.stdout.write(f"{text}{end}")


class SecretDelete(ClientCommand):
    """Delete secrets."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("names", metavar="NAME", nargs="+")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        for name in parsed.names:
            self.client.delete_secret(name)


def _value(path: Path | None) -> bytes:
    """Return the value that the user gives; raises RefusedError for an empty one."""
    if path is not None:
        value = existing(path).read_bytes()
    elif sys.stdin.isatty():
        value = getpass("Value: ").encode()
    else:
        value = sys.stdin.buffer.read().removesuffix(b"\n")
    if not value:
        raise RefusedError("the value is empty")
    return value
