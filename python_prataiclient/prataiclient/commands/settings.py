"""The settings of a function. What is not given is not in the parsed command line."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from prataiclient.client import Client
from prataiclient.commands.arguments import (
    add_enabled,
    count_or_none,
    given,
    number_or_none,
    truth,
)
from prataiclient.commands.asking import add_secret, secret
from prataiclient.commands.rights import add_rights, rights

_NAMES = (
    "description", "type", "runtime", "memory", "cpus", "timeout", "network", "limit",
    "isolation", "spares",
    "environment", "enabled", "version",
    "public", "shared_with", "auth", "rate_limit", "rotate_endpoint",
    "retries", "max_age", "on_failure",
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
    add(
        "--isolation",
        choices=["container", "process", "shared"],
        default=SUPPRESS,
        help="what its events share: nothing, what its import made, or one process (the"
        " operator's choice, container if it made none)",
    )
    add(
        "--spares",
        type=number_or_none,
        metavar="N|none",
        default=SUPPRESS,
        help="how many containers of it wait for events on a node that runs it, at most 32 (none:"
        " as many as it seems to need)",
    )
    add("--network", choices=["bridge", "none"], default=SUPPRESS, help="of its runs (bridge)")
    add(
        "--limit",
        type=count_or_none,
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
        "--share",
        action="append",
        dest="shared_with",
        metavar="PROJECT",
        default=SUPPRESS,
        help="id of a project that may call it, too; may be repeated, and replaces all of them",
    )
    add(
        "--auth",
        choices=["none", "token", "github", "standard"],
        default=SUPPRESS,
        help="how callers of the public endpoint are known: by a token, by GitHub's signature or"
        " by that of Standard Webhooks (none)",
    )
    add_secret(parser, "auth-secret", "what callers of the public endpoint know or sign with")
    add(
        "--rate-limit",
        type=count_or_none,
        metavar="N|none",
        default=SUPPRESS,
        help="calls of the public endpoint a minute (none)",
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
    add(
        "--max-age",
        type=count_or_none,
        metavar="SECONDS|none",
        default=SUPPRESS,
        help="how long a request may wait, repetitions included (a day)",
    )
    add(
        "--on-failure",
        type=_name_or_none,
        metavar="EVENT|none",
        default=SUPPRESS,
        help="id or name of the event that its dead letters are published on (none)",
    )
    add_rights(parser)
    add_enabled(parser)


def add_zip(parser: ArgumentParser, required: bool) -> None:
    """Add ``--zip``, and ``--file`` as another name of it."""
    parser.add_argument("--zip", "--file", dest="zip", type=Path, required=required,
                        metavar="PATH",
                        help="its code: a zip, or a folder with what would be in one")  # fmt: skip


def settings(parsed: Namespace, client: Client) -> dict[str, Any]:
    """Return the settings that the command line has, as the API takes them. Reads a secret, and
    finds an event's id by its name.
    """
    found = given(parsed, _NAMES) | secret(parsed, "auth_secret") | rights(parsed)
    if "environment" in found:
        found["environment"] = dict(found["environment"])
    if found.get("on_failure") is not None:
        found["on_failure"] = client.event(found["on_failure"]).event_id
    return found


def _name_or_none(text: str) -> str | None:
    return None if text == "none" else text


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
