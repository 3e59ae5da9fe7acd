"""Who makes the HTTP request that is being handled, and whose records they may touch."""

from collections.abc import Callable
from typing import NamedTuple, cast

from flask import g

from pratai_api.errors import ApiError
from pratai_common.api_key import ApiKey
from pratai_common.records import Function, Request

Allows = Callable[[str, str], bool]
"""Says whether a rule of the policy lets somebody act on what a project has."""


OF_KEYS = frozenset({"function:call", "request:get"})
"""What who calls with an API key may do, whatever the policy says: run what the project may run,
and see what became of what was run by this key.
"""


class Caller(NamedTuple):
    """The project that new records are scoped to, and the user who acts in it: by an API ``key``
    perhaps, whose prefix is the user's id then, or with a ``token`` of Keystone.
    """

    project_id: str
    user_id: str
    allows: Allows
    key: ApiKey | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"Caller(project_id={self.project_id!r}, user_id={self.user_id!r})"


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


def origin() -> str | None:
    """Return whose an Idempotency-Key of this request is: the caller's project's, or the API key's
    that they call with; ``None`` where it is not known who calls.
    """
    if is_anonymous():
        return None
    who = current()
    return who.project_id if who.key is None else who.key.prefix


def is_anonymous() -> bool:
    """Say whether it is not known who calls."""
    return g.get("caller") is None


def may_touch(project_id: str) -> bool:
    """Say whether the caller may do what they want with what a project has."""
    return current().allows(g.rule, project_id)


def is_stranger(project_id: str) -> bool:
    """Say whether the caller is not of a project: of another one, with an API key, or unknown."""
    return origin() != project_id


def foreign_project(project_id: str) -> str | None:
    """Return the project that the caller is of, if that is known and not this one."""
    who = cast("Caller | None", g.get("caller"))
    return None if who is None or who.project_id == project_id else who.project_id


def may_run(function: Function) -> bool:
    """Say whether the caller may run a function, if what they may do in their project lets them."""
    who = current()
    if who.key is not None and who.key.function_id not in (None, function.function_id):
        return False
    return who.project_id in function.shared_with or may_touch(function.project_id)


def may_touch_request(request: Request) -> bool:
    """Say whether the caller may do what they want with a request: with an API key, of those alone
    that were made by it.
    """
    return _made_by_key(request) and may_touch(request.project_id)


def asked_for(request: Request) -> bool:
    """Say whether it was the caller's project, by the same API key if they have one, that asked
    another project's function for a request.
    """
    return _made_by_key(request) and request.caller_project_id == current().project_id


def _made_by_key(request: Request) -> bool:
    key = current().key
    return key is None or request.user_id == key.prefix


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
