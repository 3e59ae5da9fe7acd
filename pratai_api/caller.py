"""Who makes the HTTP request that is being handled, and whose records they may touch."""

from collections.abc import Callable
from typing import NamedTuple, cast

from flask import g

from pratai_api.errors import ApiError

Allows = Callable[[str, str], bool]
"""Says whether a rule of the policy lets somebody act on what a project has."""


class Caller(NamedTuple):
    """The project that new records are scoped to, and the user who acts in it."""

    project_id: str
    user_id: str
    allows: Allows


def enter(caller: Caller | None, rule: str, unknown: ApiError) -> None:
    """Note who calls, if that is known, the rule that stands for what they want, and how whoever
    is not known is refused.
    """
    g.caller, g.rule, g.unknown = caller, rule, unknown


def current() -> Caller:
    """Return who calls; raises ApiError (401) where that is not known."""
    if g.caller is None:
        raise cast("ApiError", g.unknown)
    return cast("Caller", g.caller)


def project_id() -> str | None:
    """Return the caller's project, ``None`` where it is not known who calls."""
    return None if is_anonymous() else current().project_id


def is_anonymous() -> bool:
    """Say whether it is not known who calls."""
    return g.caller is None


def may_touch(project_id: str) -> bool:
    """Say whether the caller may do what they want with what a project has."""
    return current().allows(g.rule, project_id)


def require(rule: str | None = None) -> None:
    """Refuse what the caller may not do even in their own project, what they want unless another
    rule is given; raises ApiError (401, 403).
    """
    who, needed = current(), rule or cast("str", g.rule)
    if not who.allows(needed, who.project_id):
        raise ApiError(403, "forbidden", f"the policy does not allow it: {needed}")


def scope(all_projects: bool, rule: str) -> str | None:
    """Return the project of which records are listed, ``None`` for all of them, which the rule
    must allow; raises ApiError (403).
    """
    if all_projects:
        require(rule)
        return None
    return current().project_id
