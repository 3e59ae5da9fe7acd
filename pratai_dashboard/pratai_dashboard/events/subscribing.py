"""The pages that say what runs a function: timers, events, how another function ends."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from prataiclient.settings import SubscriptionSettings

from pratai_dashboard.events import forms, routes
from pratai_dashboard.functions import routes as functions
from pratai_dashboard.views import FormView, choices, function_choices


class New(FormView):
    """A new subscription of a function, whose page is shown then."""

    rules = ("subscription:create",)

    def get_form_kwargs(self) -> dict[str, Any]:
        """See Django."""
        return {**super().get_form_kwargs(), "functions": function_choices(self.client)}

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        self.client.create_subscription(values["function_id"], **self.settings(values))
        return functions.to("detail", values["function_id"])

    def settings(self, values: dict[str, Any]) -> SubscriptionSettings:
        """Return the subscription as the API takes it."""
        raise NotImplementedError

    def back(self) -> str:
        """See FormView."""
        return routes.to("index")


class SetTimer(New):
    """Let time run a function."""

    form_class = forms.Timer
    page_title = _("Set a timer")
    submit_label = _("Set it")

    def settings(self, values: dict[str, Any]) -> SubscriptionSettings:
        """See New."""
        wanted: SubscriptionSettings = {"kind": "timer", "misfire": values["misfire"]}
        if values["cron"]:
            return wanted | {"cron": values["cron"], "timezone": values["timezone"]}
        return wanted | {"frequency": values["frequency"]}


class Subscribe(New):
    """Let an event, or how another function ends, run a function."""

    form_class = forms.Subscription
    page_title = _("Subscribe a function")
    submit_label = _("Subscribe it")

    def get_form_kwargs(self) -> dict[str, Any]:
        """See Django."""
        events = choices(self.client.events, lambda each: (each.event_id, each.name))
        return {**super().get_form_kwargs(), "events": events}

    def settings(self, values: dict[str, Any]) -> SubscriptionSettings:
        """See New."""
        kind, event_id = values["target"].split(" ")
        wanted: SubscriptionSettings = {"kind": kind, "event_id": event_id}
        if values["filter"] is not None:
            wanted["filter"] = values["filter"]
        if kind == "response":
            wanted["outcome"] = values["outcome"]
        return wanted


class One(FormView):
    """A question about one subscription."""

    def back(self) -> str:
        """See FormView."""
        return functions.to("detail", self.kwargs["function_id"])


class Delete(One):
    """Delete a subscription."""

    rules = ("subscription:delete",)
    page_title = _("Delete a subscription")
    submit_label = _("Delete")
    question = _("It no longer runs the function.")
    danger = True

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        self.client.delete_subscription(self.kwargs["function_id"], self.kwargs["subscription_id"])
        self.said(_("The subscription is deleted."))
        return self.back()


class Switch(One):
    """Let a subscription run its function no more, or again."""

    rules = ("subscription:update",)
    page_title = _("Switch a subscription on or off")
    submit_label = _("Switch")
    question = _("One that is off stays, and runs nothing.")

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        function_id, wanted = self.kwargs["function_id"], self.kwargs["subscription_id"]
        for each in self.client.subscriptions(function_id):
            if each.subscription_id == wanted:
                self.client.update_subscription(function_id, wanted, enabled=not each.enabled)
        return self.back()
