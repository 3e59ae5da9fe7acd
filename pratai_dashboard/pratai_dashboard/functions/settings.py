"""Between the settings of a function as forms have them and as the API does."""

from collections.abc import Iterable

from prataiclient import Client
from prataiclient.resources import Function, Json

from pratai_dashboard.views import choices


def secret_choices(client: Client) -> list[tuple[str, str]]:
    """Return the project's secrets, as far as the user may list them."""
    return choices(client.secrets, lambda each: (each.name, each.name))


def initial(function: Function) -> Json:
    """Return what a form begins with: secrets by their names alone."""
    return {**function.to_dict(), "secrets": [each["name"] for each in function.secrets]}


def first(values: Json) -> Json:
    """Return the settings of a function that is made."""
    return _as_the_api_has_them(values, [])


def changed(values: Json, function: Function) -> Json:
    """Return what is to be changed of a function. A secret that it had keeps its place in the
    container.
    """
    wanted = _as_the_api_has_them(values, function.secrets)
    return {name: value for name, value in wanted.items() if getattr(function, name) != value}


def _as_the_api_has_them(values: Json, secrets: Iterable[Json]) -> Json:
    """Return a form's values, of which secrets are names, with those of ``secrets`` as they are."""
    if "secrets" not in values:
        return values
    had = {each["name"]: each for each in secrets}
    return {**values, "secrets": [had.get(name, {"name": name}) for name in values["secrets"]]}
