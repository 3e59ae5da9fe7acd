"""What options of several commands mean. What is not given is not in the parsed command line."""

import json
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from prataiclient.errors import RefusedError

_SETTINGS = (
    "name", "description", "type", "event", "frequency", "runtime", "memory", "cpus", "timeout",
    "network", "public", "limit", "environment", "retries", "enabled", "version",
    "rotate_endpoint", "kind",
)  # fmt: skip


def add_settings(parser: ArgumentParser) -> None:
    """Add the settings of a function that may be given at first and changed later."""
    add = parser.add_argument
    add("--description", default=SUPPRESS, help="for people")
    add(
        "--type",
        choices=["async", "wait_for_response"],
        default=SUPPRESS,
        help="whether callers get an id, or wait for the result (async)",
    )
    add("--memory", type=int, metavar="MB", default=SUPPRESS, help="64 to 8192 (128)")
    add("--cpus", type=float, metavar="NUMBER", default=SUPPRESS, help="processors (1)")
    add(
        "--timeout",
        type=int,
        metavar="SECONDS",
        default=SUPPRESS,
        help="of a run, at most 900 (60)",
    )
    add("--network", choices=["bridge", "none"], default=SUPPRESS, help="of its runs (bridge)")
    add(
        "--limit",
        type=_number_or_none,
        metavar="N|none",
        default=SUPPRESS,
        help="how many runs there are at a time (none)",
    )
    add(
        "--public",
        type=truth,
        metavar="true|false",
        default=SUPPRESS,
        help="whether it has a public endpoint (false)",
    )
    add(
        "--env",
        type=_variable,
        action="append",
        dest="environment",
        metavar="NAME=VALUE",
        default=SUPPRESS,
        help="environment variable; may be repeated, and replaces all of them",
    )
    add(
        "--retries",
        type=int,
        metavar="N",
        default=SUPPRESS,
        help="how often a run that failed is repeated, at most 10 (0)",
    )
    add_enabled(parser)


def add_enabled(parser: ArgumentParser) -> None:
    """Add ``--enabled``."""
    parser.add_argument("--enabled", type=truth, metavar="true|false", default=SUPPRESS,
                        help="whether events run it (true)")  # fmt: skip


def add_frequency(parser: ArgumentParser) -> None:
    """Add ``--frequency``."""
    parser.add_argument("--frequency", type=float, metavar="MINUTES", default=SUPPRESS,
                        help="of a timer")  # fmt: skip


def add_zip(parser: ArgumentParser, required: bool) -> None:
    """Add ``--zip``, and ``--file`` as another name of it."""
    parser.add_argument("--zip", "--file", dest="zip", type=Path, required=required,
                        metavar="PATH",
                        help="zip with new_module.py and requirements.txt")  # fmt: skip


def given(parsed: Namespace) -> dict[str, Any]:
    """Return the settings that the command line has, as the API takes them."""
    settings = {name: getattr(parsed, name) for name in _SETTINGS if hasattr(parsed, name)}
    if "environment" in settings:
        settings["environment"] = dict(settings["environment"])
    return settings


def existing(path: Path) -> Path:
    """Return the path of a file that is there; raises RefusedError."""
    if not path.is_file():
        raise RefusedError(f"there is no file {path}")
    return path


def payload(parsed: Namespace) -> Any:
    """Return the payload that the command line gives; raises RefusedError if it is no JSON."""
    text = parsed.payload if parsed.file is None else existing(parsed.file).read_bytes()
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise RefusedError(f"the payload is no JSON: {error}") from error


def truth(text: str) -> bool:
    """Return what ``true`` and ``false`` say."""
    if text not in ("true", "false"):
        raise ArgumentTypeError(f"{text!r} is neither true nor false")
    return text == "true"


def count(text: str) -> int:
    """Return a number of things, one at least."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _number_or_none(text: str) -> int | None:
    return None if text == "none" else count(text)


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def add_all_projects(parser: ArgumentParser) -> None:
    """Let a list be of all projects, for an administrator."""
    parser.add_argument("--all-projects", action="store_true", help="not of this project alone")


def with_project(columns: tuple[str, ...], all_projects: bool) -> tuple[str, ...]:
    """Return the columns of a list, which name the project where there are several."""
    return (*columns, "project_id") if all_projects else columns
