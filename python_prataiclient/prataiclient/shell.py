"""The ``pratai`` command."""

import importlib.metadata
import os
import sys
from functools import cached_property

from cliff.app import App
from cliff.command import Command
from cliff.commandmanager import CommandManager

from prataiclient.client import Client
from prataiclient.errors import ClientError
from prataiclient.session import make_adapter


class PrataiShell(App):
    """One command of cliff's group ``pratai.cli``, or its interactive shell."""

    def __init__(self) -> None:
        super().__init__(
            description="Functions that run on events, for OpenStack",
            version=importlib.metadata.version("python-prataiclient"),
            command_manager=CommandManager("pratai.cli", convert_underscores=False),
            deferred_help=True,
        )
        self.exit_code = 0

    @cached_property
    def client(self) -> Client:
        """The connection that commands use, made when the first needs it."""
        return Client(make_adapter(os.environ))

    def clean_up(self, cmd: Command, result: int, err: BaseException | None) -> None:
        """Note what kind of failure ended a command; cliff has told the user of it."""
        if isinstance(err, ClientError):
            self.exit_code = err.exit_code


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    shell = PrataiShell()
    code = int(shell.run(sys.argv[1:] if arguments is None else arguments))
    return shell.exit_code or code
