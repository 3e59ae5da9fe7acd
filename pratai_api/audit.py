"""Who changed what by the API, or was refused: an audit event of each write, told when its answer
is made, and of each look at a secret's value. No body is in it, no secret, no token of an endpoint.
"""

import logging
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from flask import Flask, Response, g, request

from pratai_api import api_keys, cadf, caller
from pratai_api.access_log import shown_path
from pratai_api.openapi import NoToken, Route
from pratai_api.services import services
from pratai_common.decoding import json_decoder

LOG = logging.getLogger(__name__)
CALLS = ("function:call", "event:publish", "hook:call")
"""What comes often, each of which is recorded as a request, too."""

_HOOK = "hook:call"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_LOOKS = ("secret:get",)
"""What writes nothing, and is told all the same."""

_MOST_AGENT = 256
_FIRST_FIELD = json_decoder(dict[str, msgspec.Raw])


class Trail(Protocol):
    """Where audit events go."""

    def put(self, event: cadf.Event, rule: str) -> None:
        """Take one in, which must not fail nor take long."""


def register(app: Flask, routes: Iterable[Route], trail: Trail) -> None:
    """Have every write of an application audited."""
    audited = {
        f"{route.method} {route.path}": (route, rule)
        for route in routes
        if (rule := _rule(route)) is not None
    }

    @app.after_request
    def _note(answer: Response) -> Response:
        found = audited.get(request.endpoint or "")
        if found is not None and request.method not in ("HEAD", "OPTIONS"):
            try:
                trail.put(_event(*found, answer), found[1])
            except Exception:
                # It is done: whoever is told that it failed would do it again.
                LOG.exception("http request %s is not audited", g.http_request_id)
        return answer


def about(target_id: str, project_id: str) -> None:
    """Note what this HTTP request is about, where its path does not say so."""
    g.audited = (target_id, project_id)


def _rule(route: Route) -> str | None:
    """Return the rule by whose words a route is audited, ``None`` for one that is not: it writes
    nothing, or nodes alone use it.
    """
    if route.rule is NoToken.ANONYMOUS:
        calls = "/hooks/" in route.path and route.method in ("GET", "POST")
        return _HOOK if calls else None
    if isinstance(route.rule, str) and (route.method in _WRITES or route.rule in _LOOKS):
        return route.rule
    return None


def _event(route: Route, rule: str, answer: Response) -> cadf.Event:
    return cadf.Event(
        id=cadf.new_id(),
        eventTime=cadf.time_of(services().clock()),
        action=cadf.action(rule, route.method),
        outcome="success" if answer.status_code < 400 or _is_functions(answer) else "failure",
        initiator=_initiator(),
        target=_target(route, rule, answer),
        observer=cadf.Resource(typeURI="service/function", id=services().name, name="pratai-api"),
        reason=cadf.Reason(str(answer.status_code)),
        requestPath=shown_path(request.environ.get("PATH_INFO", "")),
        tags=[f"http_request_id?value={g.http_request_id}"],
    )


def _is_functions(answer: Response) -> bool:
    """Say whether a function ran and chose this answer, whatever its status."""
    return "X-Pratai-Answered-By" in answer.headers


def _initiator() -> cadf.Resource:
    agent = request.headers.get("User-Agent")
    host = cadf.Host(request.remote_addr, None if agent is None else agent[:_MOST_AGENT])
    if "caller" not in g:  # also who shows a key that is not, or no longer, one
        name = api_keys.claimed_prefix(request.environ)
        return cadf.Resource(typeURI=cadf.USER, id=cadf.NOBODY, name=name, host=host)
    if caller.is_anonymous():
        return cadf.Resource(typeURI=cadf.USER, id=cadf.NOBODY, host=host)
    who = caller.current()
    return cadf.Resource(typeURI=cadf.USER, id=who.user_id, project_id=who.project_id, host=host)


def _target(route: Route, rule: str, answer: Response) -> cadf.Resource:
    kind = cadf.type_of(rule)
    if "audited" in g:
        target_id, project_id = g.audited
        return cadf.Resource(typeURI=kind, id=target_id, project_id=project_id)
    target = _made(route, answer)
    if target is None and rule != _HOOK:
        arguments: dict[str, Any] = request.view_args or {}
        target = arguments[route.parameters[-1]] if route.parameters else None
    if rule == "key:delete" and not api_keys.is_prefix(target or ""):
        target = None  # it may be a whole key
    return cadf.Resource(typeURI=kind, id=target or cadf.UNKNOWN)


def _made(route: Route, answer: Response) -> str | None:
    """Return the id of what was made: its answer names it first."""
    fields = getattr(route.answers.get(201), "__struct_fields__", ())
    if answer.status_code != 201 or not fields:
        return None
    return str(msgspec.json.decode(_FIRST_FIELD.decode(answer.get_data())[fields[0]]))
