"""What runs a function: the options of timers, and of what is subscribed to by name or id."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from typing import Any, NamedTuple

from prataiclient.client import Client
from prataiclient.commands.arguments import add_enabled, given, json_object
from prataiclient.errors import RefusedError

KINDS = ("webhook", "timer", "message", "response")
_OUTCOMES = ("success", "failure")
_NAMES = ("frequency", "cron", "timezone", "misfire", "filter")


class Target(NamedTuple):
    """What is subscribed to: an event, or a function and maybe which of its ends."""

    name: str
    outcome: str | None


def add_first(parser: ArgumentParser) -> None:
    """Add what is said of a new function's first subscriptions."""
    parser.add_argument("--event", choices=KINDS, default=SUPPRESS, help="what runs it (webhook)")
    parser.add_argument("--subscribe_to", "--subscribe-to", type=_target, nargs="+",
                        action="extend", metavar="TARGET", default=[],
                        help="EVENT, or with --event response FUNCTION[:success|failure]; names"
                        " or ids")  # fmt: skip
    _add_options(parser)


def add_new(parser: ArgumentParser) -> None:
    """Add what is said of one more subscription."""
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--subscribe_to", "--subscribe-to", type=_target, metavar="TARGET",
                        help="for kind message EVENT, for response FUNCTION[:success|failure];"
                        " a name or an id")  # fmt: skip
    _add_options(parser)
    add_enabled(parser, "it runs the function")


def add_changes(parser: ArgumentParser) -> None:
    """Add what may change of a subscription."""
    parser.add_argument("--outcome", choices=["any", *_OUTCOMES], default=SUPPRESS,
                        help="which ends of the other function run this one")  # fmt: skip
    _add_options(parser)
    add_enabled(parser, "it runs the function")


def first(parsed: Namespace, client: Client) -> dict[str, Any]:
    """Return a new function's first subscriptions, as the API takes them. A time alone is a
    timer's, a target alone an event; raises what ``_found`` does.
    """
    settings = given(parsed, ("event", *_NAMES))
    if "frequency" in settings or "cron" in settings:
        settings.setdefault("event", "timer")
    if parsed.subscribe_to:
        kind = settings.setdefault("event", "message")
        ids = [(_found(client, kind, each), each.outcome) for each in parsed.subscribe_to]
        settings["subscribe_to"] = [":".join(filter(None, each)) for each in ids]
    return settings


def new(parsed: Namespace, client: Client) -> dict[str, Any]:
    """Return a new subscription, as the API takes it; raises what ``_found`` does."""
    settings, target = given(parsed, ("kind", *_NAMES, "enabled")), parsed.subscribe_to
    if target is not None:
        settings["event_id"] = _found(client, parsed.kind, target)
        if target.outcome is not None:
            settings["outcome"] = target.outcome
    return settings


def changes(parsed: Namespace) -> dict[str, Any]:
    """Return what is to change of a subscription, as the API takes it."""
    return given(parsed, ("outcome", *_NAMES, "enabled"))


def _add_options(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--frequency", type=float, metavar="MINUTES", default=SUPPRESS, help="of a timer")
    add("--cron", metavar="EXPR", default=SUPPRESS, help="of a timer: '30 8 * * mon-fri'")
    add("--timezone", metavar="ZONE", default=SUPPRESS, help="of --cron: Europe/Vienna (UTC)")
    add("--misfire", choices=["skip", "once", "all"], default=SUPPRESS,
        help="which of a timer's ticks run that were missed (once)")  # fmt: skip
    add("--filter", type=_pattern, metavar="JSON|none", default=SUPPRESS,
        help="what the data must match (none)")  # fmt: skip


def _found(client: Client, kind: str, target: Target) -> str:
    """Return the id of what is subscribed to. Raises NotFoundError, and RefusedError where an event
    is asked for an outcome.
    """
    if kind == "response":
        return client.function(target.name).function_id
    if target.outcome is not None:
        message = "an event has no outcome, as the runs of a function have"
        raise RefusedError(f"{target.name}:{target.outcome}: {message}")
    return client.event(target.name).event_id


def _target(text: str) -> Target:
    name, colon, outcome = text.partition(":")
    if not name or (colon and outcome not in _OUTCOMES):
        raise ArgumentTypeError(f"{text!r} is neither EVENT nor FUNCTION[:success|failure]")
    return Target(name, outcome or None)


def _pattern(text: str) -> dict[str, Any] | None:
    return None if text == "none" else json_object(text)
