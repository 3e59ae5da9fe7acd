"""The ``pratai`` command."""

import importlib.metadata
import logging
import os
import sys
from argparse import ArgumentParser
from functools import cached_property
from typing import Any

from cliff.app import App
from cliff.command import Command
from cliff.commandmanager import CommandManager

from prataiclient.client import Client
from prataiclient.errors import ClientError
from prataiclient.session import add_options, make_adapter

_PIPE_CLOSED = 141
"""What a shell says of a program that SIGPIPE ended, and cliff where it notices it first."""


class PrataiShell(App):
    """One command of cliff's group ``pratai.cli``, or its interactive shell."""

    def __init__(self) -> None:
        self._version = importlib.metadata.version("python-prataiclient")
        super().__init__(
            description="Functions that run on events, for OpenStack",
            version=self._version,
            command_manager=CommandManager("pratai.cli", convert_underscores=False),
            deferred_help=True,
        )
        self.exit_code = 0

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

    @cached_property
    def client(self) -> Client:
        """The connection that commands use, made when the first needs it."""
        return Client(make_adapter(os.environ, self.options))

    def clean_up(self, cmd: Command, result: int, err: BaseException | None) -> None:
        """Note what kind of failure ended a command; cliff has told the user of it."""
        if isinstance(err, ClientError):
            self.exit_code = err.exit_code


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    shell = PrataiShell()
    code = shell.run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on; the interpreter would complain when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return shell.exit_code or code
