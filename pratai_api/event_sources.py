"""Where events may come from: the shapes of their settings, of plug-ins that the agent serves."""

from collections.abc import Mapping
from typing import Any

import msgspec
from stevedore import extension

from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.decoding import convert
from pratai_common.event_settings import Settings
from pratai_common.records import PUBLISHED


def load() -> Mapping[str, type[Settings]]:
    """Return the shapes of settings by source: of each plug-in, and of none for events that only
    the API publishes on.
    """
    plugins: Any = extension.ExtensionManager("pratai.event_settings")
    return {PUBLISHED: Settings, **{each.name: each.plugin for each in plugins}}


def checked(source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with what was left out filled in; raises ApiError where they do not fit."""
    try:
        complete = convert(settings, shape(source))
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid", f"settings of a {source} event: {error}") from error
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(complete))
    return found


def shape(source: str) -> type[Settings]:
    """Return the shape of a source's settings; raises ApiError where there is no such source."""
    found = services().sources.get(source)
    if found is None:
        known = ", ".join(sorted(services().sources))
        raise ApiError(400, "unknown_source", f"there is no source {source}; known: {known}")
    return found
