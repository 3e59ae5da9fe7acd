"""Functions: what they are, and what may change of them."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from flask import Response, request
from msgspec import UNSET
from msgspec.structs import replace

from pratai_api import (
    answers,
    caller,
    cancelling,
    finding,
    first_subscriptions,
    function_rights,
    function_settings,
    logs,
    schemas,
    subscribing,
    unbuilt,
    uploads,
    views,
)
from pratai_api.answers import Answer, json_answer
from pratai_api.arguments import given, json_body, query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.errors import NameTakenError, StoreUnavailableError
from pratai_common.messages import Cancel, FunctionChanged
from pratai_common.records import Function, FunctionStatus, Request, Status, Version
from pratai_common.store.base import FunctionFilter, Page, RequestFilter

_CANCELLED_IN_A_WRITE = 256
"""Requests: others that write wait no longer than for so many."""

_MOST_CANCELLED = 40 * _CANCELLED_IN_A_WRITE
"""Of a function that is deleted: its caller waits for it."""


def index() -> Response:
    """Answer the project's functions, or those of all projects, newest first unless asked
    otherwise.
    """
    asked = query(schemas.FunctionsQuery)
    project = caller.scope(asked.all_projects, "function:list_all_projects")
    marker = finding.marker(asked.marker, services().store.get_functions, project)
    sort, direction = asked.sort.split(":")
    page = Page(asked.limit + 1, marker, sort, direction == "desc")  # type: ignore[arg-type]  # a Literal by its shape
    which = FunctionFilter(*(given(getattr(asked, name)) for name in FunctionFilter._fields))
    found = services().store.list_functions(project, which, page)
    shown, following = answers.page(found, asked.limit, "function_id")
    return json_answer(
        views.Functions(functions=[views.function(each) for each in shown], next=following)
    )


def create() -> Response:
    """Take a new function in and submit the build of its first version."""
    uploads.open_form(caller.current().project_id)
    metadata = uploads.metadata(schemas.FunctionCreate)
    if metadata is None:
        raise ApiError(400, "invalid", "the form has no metadata")
    function = function_settings.new(metadata)
    subscriptions = first_subscriptions.make(function, metadata)
    _require_free_name(function)
    with services().uploads.place():
        content = uploads.zip_content(function.runtime)
        services().quotas.require_code(function.project_id, len(content), new=True)
        version = uploads.first_version(function, content)
    try:
        with (
            subscribing.added(subscriptions),
            function_rights.given(function, metadata.trust) as made,
        ):
            _record(made, version)
    except NameTakenError:
        raise _taken(function.name) from None
    return json_answer(views.function(made), 201)


def show(function_id: str) -> Response:
    """Answer one function."""
    function = finding.function(function_id)
    if function.status is FunctionStatus.BUILDING:
        unbuilt.submit_missing(function)
    return json_answer(views.function(function))


def update(function_id: str) -> Response:
    """Change settings, roll back to a version that was built, or take a new version in."""
    function = finding.function(function_id)
    if request.mimetype != "multipart/form-data":
        changed = _changed(function, json_body(schemas.FunctionUpdate))
        return json_answer(views.function(changed))
    uploads.open_form(function.project_id)
    settings = uploads.metadata(schemas.FunctionSettings) or schemas.FunctionSettings()
    with services().uploads.place():
        content = uploads.zip_content(function.runtime)
        services().quotas.require_code(function.project_id, len(content), new=False)
        function = _changed(function, settings)
        version = uploads.next_version(function, content)
    uploads.submit(version, caller.current().user_id)
    _tell_scheduler(function_id)
    return json_answer(views.version(version), 202)


def delete(function_id: str) -> Response:
    """Delete a function, its subscriptions, those to how it ends, and the API keys for it alone:
    what waits and what is being built is cancelled, its records stay.
    """
    function, store = finding.function(function_id), services().store
    function_rights.take_back(function)  # first: where that is refused all is as it was
    for each in [*store.subscriptions_of(function_id), *store.subscriptions_to([function_id])]:
        store.delete_subscription(each.subscription_id)
    for key in store.list_keys(function.project_id):
        if key.function_id == function_id:
            store.delete_key(key.prefix)
    _cancel_scheduled(function)  # before: a deletion that failed here can be repeated
    _cancel_builds(function_id)
    function_rights.take_back_newer(function, _mark_deleted(function_id))
    _tell_scheduler(function_id)
    return Answer(status=204)


def running() -> Response:
    """Answer the functions that have recorded requests running, and which."""
    asked = query(schemas.PageQuery)
    project = caller.current().project_id
    by_function: dict[str, list[str]] = {}
    for each in _running_requests(project, RequestFilter(status=Status.RUNNING)):
        by_function.setdefault(each.function_id, []).append(each.request_id)
    found = services().store.get_functions(list(by_function))
    shown = [
        views.RunningFunction(
            function_id=identity, name=found[identity].name, running=len(ids), request_ids=ids
        )
        for identity, ids in by_function.items()
        if identity in found and found[identity].project_id == project
    ]
    part, following = answers.part(shown, asked, lambda each: each.function_id)
    return json_answer(views.RunningFunctions(functions=part, next=following))


def stop(function_id: str) -> Response:
    """Cancel a function's running requests; its synchronous calls end too."""
    function = finding.function(function_id)
    which = RequestFilter(function_id=function.function_id, status=Status.RUNNING)
    ids = [each.request_id for each in _running_requests(function.project_id, which)]
    cancelling.cancel(ids)
    services().send(Cancel(function_id=function.function_id))
    return json_answer(views.Stopped(request_ids=ids), 202)


def versions(function_id: str) -> Response:
    """Answer the versions of a function, oldest first."""
    asked, function = query(schemas.PageQuery), finding.function(function_id)
    unbuilt.submit_missing(function)
    found = services().store.list_versions(function_id)
    shown, following = answers.part(found, asked, lambda each: str(each.number))
    versions = [views.version(each) for each in shown]
    return json_answer(views.Versions(versions=versions, next=following))


def build_log(function_id: str) -> Response:
    """Answer the log of the newest version's build."""
    function = finding.function(function_id)
    store = services().store
    build_id = store.list_versions(function.function_id)[-1].build_request_id
    follow = query(schemas.LogsQuery).follow
    return logs.answer(lambda: store.get_requests([build_id]).get(build_id), build_id, follow)


def _record(function: Function, version: Version) -> None:
    """Record a new function and submit its build; it is deleted again where it is not known that
    both are recorded: nobody shall see a function that is built for ever. Raises NameTakenError.
    """
    try:
        services().store.create_function(function)
        services().submitter.build(version, function.user_id)
    except StoreUnavailableError:
        with suppress(StoreUnavailableError):
            _mark_deleted(function.function_id)
        raise


def _cancel_scheduled(function: Function) -> None:
    """Cancel what is put off, the newest first: the scheduler would not look at it until it is due.
    Whatever is more than this bound ends when it is due.
    """
    which = RequestFilter(function_id=function.function_id, status=Status.SCHEDULED)
    pages = _pages(function.project_id, which, _CANCELLED_IN_A_WRITE)
    for found in islice(pages, _MOST_CANCELLED // _CANCELLED_IN_A_WRITE):
        cancelling.wish([each.request_id for each in found])


def _cancel_builds(function_id: str) -> None:
    """Cancel the builds that are under way: nobody waits for them, others do for their places."""
    versions = services().store.list_versions(function_id)
    building = [each for each in versions if each.status is FunctionStatus.BUILDING]
    cancelling.cancel([each.build_request_id for each in building])


def _mark_deleted(function_id: str) -> Function | None:
    """Let a function be deleted; returns it as it is then, if it was ever there."""
    now = services().clock()
    return services().store.change_function(
        function_id, lambda old: None if old.deleted_at else replace(old, deleted_at=now)
    )


def _running_requests(project_id: str, which: RequestFilter) -> list[Request]:
    pages = _pages(project_id, which, schemas.MAX_PAGE)
    return [each for found in pages for each in found]


def _pages(project_id: str, which: RequestFilter, size: int) -> Iterator[list[Request]]:
    page = Page(size)
    while found := services().store.list_requests(project_id, which, page):
        yield found
        page = Page(size, found[-1].request_id)


def _changed(function: Function, settings: schemas.FunctionSettings) -> Function:
    """Return the function with these settings, which are stored by then; raises ApiError."""
    values = function_settings.changes(function, settings)
    if isinstance(settings, schemas.FunctionUpdate) and settings.version is not UNSET:
        _require_built(function, settings.version)
        values.update(version=settings.version, status=FunctionStatus.ACTIVE, build_error=None)
    store = partial(_store, function.function_id)
    if not function_rights.change(function, values, settings.trust, store):
        return function
    _tell_scheduler(function.function_id)
    return finding.function(function.function_id)


def _store(function_id: str, values: dict[str, Any], require: function_rights.Require) -> Function:
    """Give a function these new values; returns it as it was before that. Raises ApiError where
    they can no longer be: ``require`` does where another change has made it so.
    """
    isolations = services().isolations  # the store makes the change in a thread of its own
    values = {**values, "updated_at": services().clock()}
    refused: list[ApiError] = []
    former: list[Function] = []

    def change(old: Function) -> Function | None:
        """Return the function as it becomes, which another change may not go together with."""
        refused.clear()
        former.append(old)
        if old.deleted_at:
            refused.append(finding.no_function(function_id))
            return None
        after = replace(old, **values)
        try:
            require(old)
            if {"isolation", "public"} & values.keys():
                isolations.require(after.isolation, after.public)
        except ApiError as error:
            refused.append(error)
            return None
        return after

    try:
        services().store.change_function(function_id, change)
    except NameTakenError:
        raise _taken(values["name"]) from None
    if refused:
        raise refused[-1]
    return former[-1]


def _require_built(function: Function, number: int) -> None:
    found = {each.number: each for each in services().store.list_versions(function.function_id)}
    if number not in found:
        raise ApiError(404, "version_not_found", f"the function has no version {number}")
    if found[number].status is not FunctionStatus.ACTIVE:
        message = f"version {number} is {found[number].status.value}: only a built one can serve"
        raise ApiError(409, "version_not_built", message)


def _require_free_name(function: Function) -> None:
    """Refuse a name that is taken before anything is kept; the store has the last word."""
    which = FunctionFilter(name=function.name)
    if services().store.list_functions(function.project_id, which, Page(1)):
        raise _taken(function.name)


def _taken(name: str) -> ApiError:
    return ApiError(409, "name_taken", f"a function named {name} exists")


def _tell_scheduler(function_id: str) -> None:
    services().send(FunctionChanged(function_id=function_id))
