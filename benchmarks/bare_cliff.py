"""A bare cliff application: one command, which lists one row. What is measured beside it is not
cliff's. With ``--plain`` its command does not look for the distribution that it is of.
"""

import sys
from argparse import Namespace
from typing import Any

from cliff.app import App
from cliff.commandmanager import CommandManager
from cliff.lister import Lister


class Rows(Lister):
    """List one row."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        return ("function_id", "name"), [("1", "bare")]


class PlainRows(Rows):
    """List one row."""

    def get_epilog(self) -> str:
        return ""


def main() -> int:
    plain = sys.argv[1:] == ["--plain"]
    app = App("A bare application.", "1.0", CommandManager("pratai.benchmark"))
    app.command_manager.add_command("list", PlainRows if plain else Rows)
    return app.run(["list"])


if __name__ == "__main__":
    sys.exit(main())
