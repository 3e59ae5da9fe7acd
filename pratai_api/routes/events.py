"""Events: named topics of a project, where what happens on them comes from, publishing on them."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response
from msgspec import UNSET
from msgspec.structs import asdict, replace

from pratai_api import (
    answers,
    caller,
    calls,
    event_sources,
    event_views,
    finding,
    liveness,
    publications,
)
from pratai_api.answers import Answer, json_answer
from pratai_api.arguments import given, json_body, moment, query
from pratai_api.errors import ApiError
from pratai_api.event_schemas import EventCreate, EventsQuery, EventUpdate, PublishQuery
from pratai_api.publications import Publication
from pratai_api.schemas import MAX_PAGE
from pratai_api.services import services
from pratai_common.errors import NameTakenError
from pratai_common.publishing import Occurrence
from pratai_common.records import PUBLISHED, Event
from pratai_common.store.base import Created, EventFilter, FunctionFilter, Page
from pratai_common.submit import request_id

_ALL_PROJECTS = "event:all_projects"


def index() -> Response:
    """Answer the project's events, or those of all projects, newest first unless asked
    otherwise.
    """
    asked = query(EventsQuery)
    project = caller.scope(asked.all_projects, "event:list_all_projects")
    marker = finding.marker(asked.marker, services().store.get_events, project)
    sort, direction = asked.sort.split(":")
    page = Page(asked.limit + 1, marker, sort, direction == "desc")  # type: ignore[arg-type]  # a Literal by its shape
    which = EventFilter(given(asked.name), given(asked.source))
    found = services().store.list_events(project, which, page)
    shown, following = answers.page(found, asked.limit, "event_id")
    agents = _agents()
    events = [event_views.event(each, agents) for each in shown]
    return json_answer(event_views.Events(events=events, next=following))


def create() -> Response:
    """Create an event, on which may be published at once; its source is connected to soon."""
    asked, who = json_body(EventCreate), caller.current()
    if asked.all_projects:
        caller.require(_ALL_PROJECTS)
    settings = event_sources.checked(asked.source, asked.settings)
    services().quotas.require_event(who.project_id, asked.source)
    now = services().clock()
    made = Event(
        event_id=str(uuid.uuid4()),
        project_id=who.project_id,
        user_id=who.user_id,
        name=asked.name,
        description=asked.description,
        source=asked.source,
        settings=settings,
        sealed=_sealed(asked.source, asked.password),
        all_projects=asked.all_projects,
        enabled=asked.enabled,
        created_at=now,
        updated_at=now,
    )
    try:
        services().store.create_event(made)
    except NameTakenError:
        raise _taken(made.name) from None
    return json_answer(event_views.event(made, ()), 201)


def show(event_id: str) -> Response:
    """Answer one event, and how its source stands."""
    return json_answer(event_views.event(finding.event(event_id), _agents()))


def update(event_id: str) -> Response:
    """Change an event; its source is connected to anew."""
    event, asked = _own_event(event_id), json_body(EventUpdate)
    values, now = _values(event, asked), services().clock()
    try:
        after = services().store.change_event(event_id, lambda old: _changed(old, values, now))
    except NameTakenError:
        raise _taken(str(asked.name)) from None
    return json_answer(event_views.event(after or event, _agents()))


def delete(event_id: str) -> Response:
    """Delete an event and the subscriptions to it, unless dead letters of functions go to it."""
    event, store = _own_event(event_id), services().store
    _require_unused(event)
    for each in store.subscriptions_to([event_id]):
        store.delete_subscription(each.subscription_id)
    if event.source == PUBLISHED:
        store.remove_event(event_id)
    else:  # the agent cleans up what its source keeps elsewhere, and then removes it
        now = services().clock()
        store.change_event(event_id, lambda old: replace(old, deleted_at=now, updated_at=now))
    return Answer(status=204)


def publish(event_id: str) -> Response:
    """Publish on an event: each function that subscribes to it is run once.

    The body is the data: JSON, text or bytes, of which the content type says which; or it is a
    CloudEvent in structured or binary mode, or a batch of them, each of which runs a function
    once, however often it is published.
    """
    not_before = moment(given(query(PublishQuery).not_before))
    event = finding.event(event_id)
    if not event.enabled:
        raise ApiError(409, "event_disabled", "the event is disabled")
    published = publications.read(event_id)
    occurrences: dict[str, Occurrence] = {}
    for each in published:
        occurrences.setdefault(each.id, _occurrence(event, each, not_before))
    _require_same_bodies(published, occurrences)
    created = services().publisher.publish(list(occurrences.values()))
    caused = dict(zip(occurrences, created, strict=True))
    shown = [_shown(each, caused[each.id]) for each in published]
    ids = {name: None for each in shown for name in each.request_ids}
    answer = event_views.Published(request_ids=[*ids], event_id=event_id, published=shown)
    return json_answer(answer, 202)


def _own_event(event_id: str) -> Event:
    """Return an event that the caller may change; raises ApiError (403, 404)."""
    event = finding.event(event_id)
    if event.all_projects:
        caller.require(_ALL_PROJECTS)
    return event


def _occurrence(event: Event, published: Publication, not_before: int | None) -> Occurrence:
    return Occurrence(
        event=event,
        id=published.id,
        payload=published.payload,
        attributes=published.attributes,
        kind=PUBLISHED,
        not_before=not_before,
    )


def _require_same_bodies(
    published: Iterable[Publication], occurrences: Mapping[str, Occurrence]
) -> None:
    """Refuse what has a key that was used with another body before any of it is recorded."""
    for each in published:
        if each.keyed:
            (triggers,) = services().publisher.triggers([occurrences[each.id]])
            ids = [
                request_id(one.function.project_id, one.function.function_id, one.cause)
                for one in triggers
            ]
            calls.require_same_body(each.payload, services().store.get_requests(ids).values())


def _shown(published: Publication, caused: list[Created]) -> event_views.PublishedOccurrence:
    """Return what became of what was published; raises ApiError where its key was used meanwhile,
    with another body.
    """
    if published.keyed:
        calls.require_same_body(published.payload, [each.request for each in caused])
    ids = [each.request.request_id for each in caused]
    return event_views.PublishedOccurrence(id=published.attributes["id"], request_ids=ids)


def _values(event: Event, asked: EventUpdate) -> dict[str, Any]:
    """Return what is to be changed of an event, as its record has it; raises ApiError."""
    values: dict[str, Any] = {
        name: value for name, value in asdict(asked).items() if value is not UNSET
    }
    if "settings" in values:
        values["settings"] = event_sources.checked(event.source, values["settings"])
    if "password" in values:
        values["sealed"] = _sealed(event.source, values.pop("password"))
    return values


def _changed(event: Event, values: dict[str, Any], now: int) -> Event | None:
    """Return an event as it becomes, ``None`` for one that was deleted. Raises ApiError.

    Whoever may change where a source connects to shall not learn the password by that.
    """
    if event.deleted_at is not None:
        return None
    elsewhere = values.get("settings", event.settings) != event.settings
    if elsewhere and event.sealed is not None and "sealed" not in values:
        raise ApiError(400, "invalid", "other settings need the password anew")
    return replace(event, **values, updated_at=now)


def _sealed(source: str, password: str | None) -> str | None:
    if password is None:
        return None
    if not event_sources.shape(source).takes_password:
        raise ApiError(400, "invalid", f"a {source} event has no password")
    return services().event_sealer.seal(password)


def _require_unused(event: Event) -> None:
    """Refuse to delete where functions' dead letters go to: they would be lost, and nobody told."""
    store, page, using = services().store, Page(MAX_PAGE), list[str]()
    while found := store.list_functions(event.project_id, FunctionFilter(), page):
        using += [each.name for each in found if each.on_failure == event.event_id]
        page = Page(MAX_PAGE, found[-1].function_id)
    if using:
        message = f"dead letters of functions go to it: {', '.join(sorted(using))}"
        raise ApiError(409, "event_in_use", message)


def _agents() -> set[str]:
    return {each.daemon_id for each in liveness.living("agent")}


def _taken(name: str) -> ApiError:
    return ApiError(409, "name_taken", f"an event named {name} exists")
