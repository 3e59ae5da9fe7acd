"""The tables of events, of timers, and of a function's subscriptions."""

from django.utils.translation import gettext_lazy as _
from horizon import tables
from prataiclient.resources import Subscription

from pratai_dashboard import shown
from pratai_dashboard.events import routes
from pratai_dashboard.functions import routes as functions
from pratai_dashboard.tables import Options, RowLink, Table, link, rules, status

_PANEL = "horizon:project:pratai_events"


class Create(tables.LinkAction):
    """Make an event."""

    name = "create"
    verbose_name = _("Create an event")
    url = f"{_PANEL}:create"
    policy_rules = rules("event:create")


class Publish(RowLink):
    """Publish on an event."""

    name = "publish"
    verbose_name = _("Publish")
    url = f"{_PANEL}:publish"
    policy_rules = rules("event:publish")


class Delete(RowLink):
    """Delete an event, when that was asked for again."""

    name = "delete"
    verbose_name = _("Delete")
    url = f"{_PANEL}:delete"
    danger = True
    policy_rules = rules("event:delete")


class Events(Table):
    """The project's events."""

    key = "event_id"
    name = tables.Column("name", verbose_name=_("Name"), link=link(routes.DETAIL, "event_id"))
    state = tables.Column(status, verbose_name=_("Status"))
    source = tables.Column("source", verbose_name=_("Source"))
    description = tables.Column("description", verbose_name=_("Description"))

    class Meta(Options):
        """See Horizon."""

        name = "events"
        verbose_name = _("Events")
        table_actions = (Create,)
        row_actions = (Publish, Delete)
        no_data_message = _("The project has no event.")


class SetTimer(tables.LinkAction):
    """Let time run a function."""

    name = "set_timer"
    verbose_name = _("Set a timer")
    url = f"{_PANEL}:set_timer"
    policy_rules = rules("subscription:create")


class Subscribe(tables.LinkAction):
    """Let an event, or how another function ends, run a function."""

    name = "subscribe"
    verbose_name = _("Subscribe a function")
    url = f"{_PANEL}:subscribe"
    policy_rules = rules("subscription:create")


class _OfSubscription(RowLink):
    def get_link_url(self, datum: Subscription) -> str:
        """See Horizon."""
        return routes.to(self.route, datum.function_id, datum.subscription_id)


class Switch(_OfSubscription):
    """Let a subscription run its function no more, or again."""

    name = "switch"
    route = "switch"
    verbose_name = _("Switch on or off")
    policy_rules = rules("subscription:update")


class Unsubscribe(_OfSubscription):
    """Delete a subscription, when that was asked for again."""

    name = "unsubscribe"
    route = "unsubscribe"
    verbose_name = _("Delete")
    danger = True
    policy_rules = rules("subscription:delete")


def when(datum: Subscription) -> str:
    """Return what a subscription waits for."""
    if datum.kind == "timer":
        if datum.cron is not None:
            return f"{datum.cron} ({datum.timezone})"
        return f"{datum.frequency:g} min"
    outcome = "" if datum.outcome in (None, "any") else f":{datum.outcome}"
    return f"{datum.event_id or shown.NOTHING}{outcome}"


def _runs(datum: Subscription) -> object:
    return _("yes") if datum.enabled else _("no")


class Subscriptions(Table):
    """What runs a function."""

    key = "subscription_id"
    kind = tables.Column("kind", verbose_name=_("Kind"))
    when = tables.Column(when, verbose_name=_("Waits for"))
    enabled = tables.Column(_runs, verbose_name=_("Runs it"))

    class Meta(Options):
        """See Horizon."""

        name = "subscriptions"
        verbose_name = _("What runs it")
        table_actions = (SetTimer, Subscribe)
        row_actions = (Switch, Unsubscribe)
        no_data_message = _("Nothing runs it but calls.")


class TimerRow(Subscription):
    """A timer, with the name of its function."""

    function_name: str


class Timers(Table):
    """The timers of all functions; rows are of the kind ``TimerRow``."""

    key = "subscription_id"
    function = tables.Column(
        "function_name", verbose_name=_("Function"), link=link(functions.DETAIL, "function_id")
    )
    when = tables.Column(when, verbose_name=_("Ticks"))
    misfire = tables.Column("misfire", verbose_name=_("Of missed ticks"))
    enabled = tables.Column(_runs, verbose_name=_("Runs it"))

    class Meta(Options):
        """See Horizon."""

        name = "timers"
        verbose_name = _("Timers")
        table_actions = (SetTimer, Subscribe)
        row_actions = (Switch, Unsubscribe)
        no_data_message = _("No timer is set.")
