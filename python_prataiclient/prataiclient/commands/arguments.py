"""What options of several commands mean. What is not given is not in the parsed command line."""

import json
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from prataiclient.errors import RefusedError


def add_enabled(parser: ArgumentParser, what: str = "events run it") -> None:
    """Add ``--enabled``, which says whether that is so."""
    parser.add_argument("--enabled", type=truth, metavar="true|false", default=SUPPRESS,
                        help=f"whether {what} (true)")  # fmt: skip


def given(parsed: Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Return those of the settings that the command line has, by name."""
    return {name: getattr(parsed, name) for name in names if hasattr(parsed, name)}


def existing(path: Path) -> Path:
    """Return the path of a file that is there; raises RefusedError."""
    if not path.is_file():
        raise RefusedError(f"there is no file {path}")
    return path


def package(path: Path) -> Path:
    """Return the path of a zip, or of a folder, that is there; raises RefusedError."""
    return path if path.is_dir() else existing(path)


def text_of(path: Path) -> str:
    """Return what a file says; raises RefusedError where that is no text in UTF-8."""
    try:
        return existing(path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(f"{path} is no text in UTF-8") from error


def add_payload(parser: ArgumentParser, cloudevent: bool = False) -> None:
    """Add ``--payload``, ``--file`` and maybe ``--cloudevent``, of which one may be given."""
    add = parser.add_mutually_exclusive_group().add_argument
    add("--payload", metavar="JSON", help="what the event brings (null)")
    add("--file", type=Path, metavar="PATH", help="file with the payload")
    if cloudevent:
        add("--cloudevent", type=Path, metavar="PATH", help="file with a CloudEvent in JSON")


def payload(parsed: Namespace) -> Any:
    """Return the payload that the command line gives; raises RefusedError if it is no JSON."""
    text = parsed.payload if parsed.file is None else existing(parsed.file).read_bytes()
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise RefusedError(f"the payload is no JSON: {error}") from error


def add_cause(parser: ArgumentParser) -> None:
    """Add what else is said of an event: its key, and when it is due."""
    parser.add_argument("--key", "--idempotency-key", metavar="KEY",
                        help="what is repeated with the same key runs once")  # fmt: skip
    parser.add_argument("--not-before", type=moment, metavar="TIME",
                        help="when it runs at the earliest: 2027-01-31T08:30:00Z")  # fmt: skip


def json_object(text: str) -> dict[str, Any]:
    """Return the object that is written in JSON."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"{text!r} is no JSON object")
    return value


def moment(text: str) -> datetime:
    """Return a time that is given with its zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time as 2027-01-31T08:30:00Z") from error
    if at.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no zone: add Z, or +01:00")
    return at


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


def count_or_none(text: str) -> int | None:
    """Return a number of things, one at least, or nothing."""
    return None if text == "none" else count(text)


def number_or_none(text: str) -> int | None:
    """Return a whole number, or nothing."""
    return None if text == "none" else int(text)


def add_all_projects(parser: ArgumentParser) -> None:
    """Let a list be of all projects, for an administrator."""
    parser.add_argument("--all-projects", action="store_true", help="not of this project alone")


def with_project(columns: tuple[str, ...], all_projects: bool) -> tuple[str, ...]:
    """Return the columns of a list, which name the project where there are several."""
    return (*columns, "project_id") if all_projects else columns
