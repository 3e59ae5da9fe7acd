"""What our tables share: rows are resources of the client, and actions are links that say what they
are for.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.urls import reverse
from horizon import tables
from prataiclient.connection import SERVICE_TYPE
from prataiclient.resources import Resource

R = TypeVar("R", bound=Resource)


class HasStatus(Protocol):
    """What tells how it stands."""

    status: str


class Table(tables.DataTable):
    """A table of resources, each known by its ``key``. ``query`` is what a page of it was asked
    for, beside the place of the page.
    """

    key = "name"
    query: dict[str, str] = {}

    def get_object_id(self, datum: Resource) -> str:
        """See Horizon."""
        return str(getattr(datum, self.key))

    def get_object_display(self, datum: Resource) -> str:
        """See Horizon."""
        return str(getattr(datum, "name", None) or self.get_object_id(datum))

    def get_marker(self) -> str:
        """See Horizon."""
        return self.get_object_id(self.data[-1]) if self.data else ""

    def get_pagination_string(self) -> str:
        """See Horizon, which would forget what the page was asked for."""
        return urlencode({**self.query, self._meta.pagination_param: self.get_marker()})


class Options:
    """What our tables say in ``Meta`` beside their names."""

    template = "pratai/_table.html"
    row_actions_dropdown_template = "pratai/_row_actions.html"
    table_actions_template = "pratai/_table_actions.html"
    multi_select = False
    hidden_title = False


class RowLink(tables.LinkAction):
    """A link to what can be done with a row; ``rule`` is of the policy."""

    name = "link"
    verbose_name = "link"
    danger = False


def rules(*names: str) -> tuple[tuple[str, str], ...]:
    """Return rules of the service's policy as Horizon takes them."""
    return tuple((SERVICE_TYPE, name) for name in names)


def row(kind: type[R], told: Resource, **more: Any) -> R:
    """Return a resource as a row that has more fields than the API tells of it."""
    return kind({**told.to_dict(), **more})


def status(datum: HasStatus) -> str:
    """Return the status of a row as a mark with a colour and a word."""
    return render_to_string("pratai/_status.html", {"status": datum.status})


def link(route: str, *fields: str) -> Callable[[Resource], str | None]:
    """Return what says where a cell leads to: a route that is named by these fields."""

    def to(datum: Resource) -> str | None:
        found = [getattr(datum, field) for field in fields]
        return None if None in found else reverse(route, args=found)

    return to
