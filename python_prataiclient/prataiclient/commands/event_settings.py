"""Where the events of a source come from, as the command line says it."""

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from prataiclient.commands.arguments import json_object, text_of
from prataiclient.errors import RefusedError

_LISTS = frozenset({"tables", "operations", "priorities"})
"""Settings that are lists, even of one."""


def add_event_settings(parser: ArgumentParser) -> None:
    """Add ``--setting`` and ``--settings``."""
    parser.add_argument(
        "--setting",
        type=_setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of its source; a number, true, false or other JSON is that, and the rest is text;"
        " one that is repeated is a list",
    )
    parser.add_argument(
        "--settings", type=Path, metavar="PATH", help="file with a JSON object of settings"
    )


def event_settings(parsed: Namespace) -> dict[str, Any]:
    """Return the settings as those of the event, or nothing where none is given; raises
    RefusedError. What is given one by one wins over the file.
    """
    if parsed.settings is None and not parsed.setting:
        return {}
    found = {} if parsed.settings is None else _read(parsed.settings)
    return {"settings": found | _gathered(parsed.setting)}


def _gathered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for name, value in pairs:
        values.setdefault(name, []).extend(value if isinstance(value, list) else [value])
    whole = {name for name, value in pairs if isinstance(value, list)} | _LISTS
    return {
        name: several if len(several) > 1 or name in whole else several[0]
        for name, several in values.items()
    }


def _setting(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _read(path: Path) -> dict[str, Any]:
    try:
        return json_object(text_of(path))
    except ArgumentTypeError as error:
        raise RefusedError(f"{path}: {error}") from error
