"""The ``pratai`` command."""

import importlib.metadata
import logging
import os
import sys
from argparse import ArgumentParser, Namespace
from functools import cached_property
from typing import Any

from cliff.app import App
from cliff.commandmanager import CommandManager
from stevedore import NamedExtensionManager

from prataiclient.client import Client
from prataiclient.plugin import COMMANDS
from prataiclient.session import add_options, open_client

_NOUNS = frozenset(
    {"cluster", "event", "key", "quota", "request", "runtime", "secret", "subscription", "version"}
)
"""What stands for itself here; in the ``openstack`` program all is below ``function``."""

_PIPE_CLOSED = 141
"""What a shell says of a program that SIGPIPE ended, and cliff where it notices it first."""


class Commands(CommandManager):
    """The plug-in's commands, under the names that they have here. None is loaded before it runs:
    cliff's own manager loads them all.
    """

    def load_commands(self, namespace: str) -> None:
        """See cliff."""
        self.group_list.append(namespace)
        found: Any = NamedExtensionManager(namespace, names=[])
        for entry_point in found.list_entry_points():
            self.commands[name_of(entry_point.name)] = entry_point


def name_of(entry_point: str) -> str:
    """Return a command's name here: ``request-list`` for what ``function request list`` is there,
    as an entry point ``function_request_list``.
    """
    words = entry_point.split("_")
    return "-".join(words[1:] if words[1] in _NOUNS else words)


class Connections:
    """Where commands find their client, as in the ``openstack`` program."""

    def __init__(self, options: Namespace) -> None:
        self._options = options

    @cached_property
    def pratai(self) -> Client:
        """The client, made when a command needs it first."""
        return open_client(os.environ, self._options)


class PrataiShell(App):
    """One command, or the interactive shell."""

    def __init__(self) -> None:
        self._version = importlib.metadata.version("python-prataiclient")
        super().__init__(
            description="Functions that run on events, for OpenStack",
            version=self._version,
            command_manager=Commands(COMMANDS, convert_underscores=False),
            deferred_help=True,
        )

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, Any] | None = None,
    ) -> ArgumentParser:
        """Return the parser of the options that every command takes, wherever they stand.

        Cliff's own has ``--version`` among them, and would take it from ``function-update``.
        """
        parser = ArgumentParser(
            prog=self.NAME,
            description=description,
            epilog="--version, with nothing else, shows the version of this program.",
            add_help=False,
            allow_abbrev=False,
            **(argparse_kwargs or {}),
        )
        add = parser.add_argument
        add(
            "-v",
            "--verbose",
            action="count",
            dest="verbose_level",
            default=self.DEFAULT_VERBOSE_LEVEL,
            help="say more: each call of the service",
        )
        add(
            "-q",
            "--quiet",
            action="store_const",
            dest="verbose_level",
            const=0,
            help="say nothing but warnings and errors",
        )
        add("--log-file", metavar="PATH", help="write a log as well")
        add("-h", "--help", action="store_true", dest="deferred_help", help="show help")
        add("--debug", action="store_true", help="show tracebacks of errors")
        add_options(parser)
        return parser

    def configure_logging(self) -> None:
        """Let errors be said once: what keystoneauth warns of before them is for --verbose."""
        super().configure_logging()
        if self.options.verbose_level <= self.DEFAULT_VERBOSE_LEVEL:
            logging.getLogger("keystoneauth").setLevel(logging.ERROR)

    def run(self, argv: list[str]) -> int:
        """Run what the command line says; returns the exit code."""
        if argv == ["--version"]:
            self.stdout.write(f"{self.NAME} {self._version}\n")
            return 0
        return int(super().run(argv))

    def initialize_app(self, argv: list[str]) -> None:
        """Let commands find their client."""
        self.client_manager = Connections(self.options)


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    shell = PrataiShell()
    code = shell.run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on; the interpreter would complain when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return code
