"""The list of events and timers, and the pages of one event."""

from itertools import islice
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from horizon import tables
from prataiclient.resources import Event, Function

from pratai_dashboard.events import forms, routes
from pratai_dashboard.events.tables import Events, TimerRow, Timers
from pratai_dashboard.forms import given
from pratai_dashboard.tables import row
from pratai_dashboard.views import Act, ApiView, FormView, PageView

_MOST_FUNCTIONS = 100
"""Timers are asked for function by function."""


class Index(ApiView, tables.MultiTableView):
    """All events of the project, and the timers of its newest functions."""

    rules = ("event:list",)
    table_classes = (Events, Timers)
    template_name = "pratai/events.html"
    page_title = _("Events and timers")

    def get_events_data(self) -> list[Event]:
        """See Horizon."""
        return list(self.client.events())

    def get_timers_data(self) -> list[TimerRow]:
        """See Horizon."""
        return [
            row(TimerRow, each, function_name=function.name)
            for function in self._functions[:_MOST_FUNCTIONS]
            for each in self.client.subscriptions(function.function_id)
            if each.kind == "timer"
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        cut = len(self._functions) > _MOST_FUNCTIONS
        return super().get_context_data(cut=cut, most_functions=_MOST_FUNCTIONS, **kwargs)

    @cached_property
    def _functions(self) -> list[Function]:
        return list(islice(self.client.functions(), _MOST_FUNCTIONS + 1))


class Create(FormView):
    """A new event."""

    rules = ("event:create",)
    form_class = forms.Event
    page_title = _("Create an event")
    submit_label = _("Create")

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        made = self.client.create_event(**given(values))
        return routes.to("detail", made.event_id)

    def back(self) -> str:
        """See FormView."""
        return routes.to("index")


class Detail(PageView):
    """One event, and how its source stands."""

    rules = ("event:get",)
    template_name = "pratai/event.html"
    page_title = "{{ event.name }}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        event = self.client.event(self.kwargs["event_id"])
        acts = self.acts(
            ("event:publish", Act(_("Publish"), routes.to("publish", event.event_id))),
            ("event:delete", Act(_("Delete"), routes.to("delete", event.event_id), danger=True)),
        )
        return super().get_context_data(event=event, acts=acts, **kwargs)


class OneEvent(FormView):
    """A form about one event."""

    @cached_property
    def event(self) -> Event:
        """The event."""
        return self.client.event(self.kwargs["event_id"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        return super().get_context_data(event=self.event, **kwargs)

    def back(self) -> str:
        """See FormView."""
        return routes.to("detail", self.event.event_id)


class Publish(OneEvent):
    """Publish on an event."""

    rules = ("event:publish",)
    form_class = forms.Published
    page_title = _("Publish on {{ event.name }}")
    submit_label = _("Publish")

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        number = len(self.client.publish(self.event.event_id, values["data"]).request_ids)
        text = ngettext("It ran %(number)s function.", "It ran %(number)s functions.", number)
        self.said(text % {"number": number})
        return self.back()


class Delete(OneEvent):
    """Delete an event."""

    rules = ("event:delete",)
    page_title = _("Delete {{ event.name }}")
    submit_label = _("Delete")
    question = _("The subscriptions to it are deleted, too.")
    danger = True

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        self.client.delete_event(self.event.event_id)
        self.said(_("%(name)s is deleted.") % {"name": self.event.name})
        return routes.to("index")
