"""API keys: what lets callers outside of OpenStack run a project's functions."""

from flask import Response

from pratai_api import answers, api_keys, caller, finding, key_views, schemas
from pratai_api.answers import Answer, json_answer
from pratai_api.arguments import json_body, query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.api_key import ApiKey


def index() -> Response:
    """Answer the project's API keys, oldest first; none is shown whole."""
    asked = query(schemas.PageQuery)
    found = services().store.list_keys(caller.current().project_id)
    part, following = answers.part(found, asked, lambda each: each.prefix)
    shown = [key_views.api_key(each) for each in part]
    return json_answer(key_views.ApiKeys(keys=shown, next=following))


def create() -> Response:
    """Make an API key, of the project or of one of its functions. It is shown this once."""
    asked, who = json_body(schemas.KeyCreate), caller.current()
    expires_at = _expiry(asked)
    if asked.function_id is not None:
        finding.function_of(who.project_id, asked.function_id)
    _forget_expired(who.project_id)
    services().quotas.require_key(who.project_id)
    key, text = _recorded(asked, expires_at)
    answer = json_answer(key_views.new_api_key(key, text), 201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def delete(prefix: str) -> Response:
    """Revoke an API key: no API process takes it any more."""
    if not api_keys.is_prefix(prefix):
        message = "there is no such API key: it is named by its prefix, prk_ and 12 digits"
        raise ApiError(404, "key_not_found", message)
    found = services().store.get_key(prefix)
    if found is None or not caller.may_touch(found.project_id):
        raise ApiError(404, "key_not_found", f"there is no API key {prefix}")
    services().store.delete_key(prefix)
    return Answer(status=204)


def _forget_expired(project_id: str) -> None:
    """Forget keys that nobody can use any more: they would only become more and more."""
    now = services().clock()
    for key in services().store.list_keys(project_id):
        if key.expired(now):
            services().store.delete_key(key.prefix)


def _recorded(asked: schemas.KeyCreate, expires_at: int | None) -> tuple[ApiKey, str]:
    """Return a new key, which is recorded by then, and its text."""
    who = caller.current()
    while True:
        made = api_keys.generate()
        key = ApiKey(
            prefix=made.prefix,
            project_id=who.project_id,
            user_id=who.user_id,
            name=asked.name,
            sha256=made.sha256,
            function_id=asked.function_id,
            expires_at=expires_at,
            created_at=services().clock(),
        )
        if services().store.create_key(key):
            return key, made.text


def _expiry(asked: schemas.KeyCreate) -> int | None:
    if asked.expires_at is None:
        return None
    at = int(asked.expires_at.timestamp() * 1000)
    if at <= services().clock():
        raise ApiError(400, "invalid", "expires_at has passed already")
    return at
