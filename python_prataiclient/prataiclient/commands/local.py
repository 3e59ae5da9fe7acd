"""``function-init`` and ``function-run``: a function on the machine of whoever writes it. Neither
asks the service.
"""

import json
import shutil
import signal
import subprocess
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from prataiclient.commands import arguments
from prataiclient.commands.base import ClientCommand
from prataiclient.errors import RefusedError, UnavailableError

_STARTERS = Path(__file__).parent.parent / "starters"
_DRIVER = "pratai-driver"
_SETTINGS = ("runtime", "memory", "timeout")


class LocalCommand(ClientCommand):
    """A command that needs no login: the ``openstack`` program looks at ``auth_required``."""

    auth_required = False


class FunctionInit(LocalCommand):
    """Write a starter function with its test into a new folder; print what was written."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", type=Path, help="the folder; may be a path")
        runtimes = sorted(path.name for path in _STARTERS.iterdir())
        parser.add_argument("--runtime", choices=runtimes, default="python3", help="(python3)")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        folder: Path = parsed.name
        if folder.exists():
            raise RefusedError(f"{folder} exists already")
        folder.mkdir(parents=True)
        for starter in sorted(_STARTERS.joinpath(parsed.runtime).iterdir()):
            if starter.is_file():
                shutil.copyfile(starter, folder / starter.name)
                self.app.stdout.write(f"{folder / starter.name}\n")


class FunctionRun(LocalCommand):
    """Build a function and run it once on this machine, in a container as on a node. Its result
    goes to standard output, its logs to standard error.
    """

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        add = parser.add_argument
        add("package", metavar="DIR", type=Path, help="its folder, or a zip")
        arguments.add_payload(parser)
        add("--runtime", default=SUPPRESS, help="what it runs on (python3)")
        add("--memory", type=int, metavar="MB", default=SUPPRESS, help="64 to 8192 (128)")
        add("--timeout", type=int, metavar="SECONDS", default=SUPPRESS, help="at most 900 (60)")
        add("--env", action="append", default=[], metavar="NAME=VALUE",
            help="environment variable; may be repeated")  # fmt: skip
        add("--watch", action="store_true", help="run it again when a file of it changes")
        add("--config-file", action="append", default=[], metavar="PATH",
            help=f"configuration of {_DRIVER}; may be repeated")  # fmt: skip
        return parser

    def take_action(self, parsed: Namespace) -> int:
        """See cliff."""
        package, payload = arguments.package(parsed.package), arguments.payload(parsed)
        return _run(_command(parsed, package), json.dumps(payload).encode())


def _command(parsed: Namespace, package: Path) -> list[str]:
    """Return the node's command line; raises UnavailableError where there is no node."""
    given = arguments.given(parsed, _SETTINGS)
    return [
        _driver(),
        *(word for path in parsed.config_file for word in ("--config-file", path)),
        *("--once", str(package), "--payload", "-"),
        *(word for name, value in given.items() for word in (f"--{name}", str(value))),
        *(word for variable in parsed.env for word in ("--env", variable)),
        *(["--watch"] if parsed.watch else []),
    ]


def _driver() -> str:
    """Return where the node's program is: beside this one, or on the path."""
    beside = Path(sys.executable).with_name(_DRIVER)
    found = str(beside) if beside.is_file() else shutil.which(_DRIVER)
    if found is None:
        message = f"function-run needs {_DRIVER}, which is not installed here: pip install pratai"
        raise UnavailableError(message)
    return found


def _run(command: Sequence[str], payload: bytes) -> int:
    """Run the node's program; returns its exit code."""
    with subprocess.Popen(command, stdin=subprocess.PIPE) as node:
        # An interrupt is the node's, which ends what it runs, and then itself.
        former = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            node.communicate(payload)
        finally:
            signal.signal(signal.SIGINT, former)
    return node.returncode
