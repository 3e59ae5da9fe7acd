"""What commands share that upload a zip and may wait until it is built."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TypeVar

from prataiclient.commands.base import ShowCommand
from prataiclient.errors import UnsuccessfulError
from prataiclient.progress import Progress
from prataiclient.resources import Function, Version
from prataiclient.waiting import wait

_LOG_END_LINES = 20
Built = TypeVar("Built", Function, Version)
"""What has a build: a function its first, a version its own."""


class BuildCommand(ShowCommand):
    """A command that uploads a zip, and may wait until it is built."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--wait", action="store_true", help="until it is built")
        parser.add_argument(
            "--follow", action="store_true", help="show the log of the build while waiting for it"
        )
        return parser

    def built(
        self, parsed: Namespace, function_id: str, made: Built, read: Callable[[], Built]
    ) -> Built:
        """Return what was made, if that is wanted after its build, when ``read`` returns it;
        raises UnsuccessfulError.
        """
        if not (parsed.wait or parsed.follow):
            return made
        if parsed.follow:
            self.stream(self.client.follow_build_log(function_id), self.app.stderr)
        made = self._ended(function_id, read)
        if made.status == "error":
            if not parsed.follow:
                lines = self.client.build_log(function_id).splitlines(keepends=True)
                self.stream(lines[-_LOG_END_LINES:], self.app.stderr)
            raise UnsuccessfulError(f"the build failed: {made.build_error}")
        return made

    def _ended(self, function_id: str, read: Callable[[], Built]) -> Built:
        with Progress(self.app.stderr) as progress:

            def look() -> Built:
                if progress.shown:
                    progress.text = _last_line(self.client.build_log(function_id))
                return read()

            return wait(look, lambda made: made.status != "building", progress.pause)


def _last_line(text: str) -> str:
    lines = text.split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
