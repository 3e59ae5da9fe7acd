"""The forms of events and subscriptions."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from pratai_dashboard.forms import Form, JsonField

Choices = list[tuple[str, str]]
_SOURCES = [
    ("published", _("what is published on it")),
    ("message", _("messages of a broker")),
    ("notification", _("notifications of OpenStack")),
    ("database", _("changes of a PostgreSQL database")),
]
_MISFIRES = [("once", _("one of them runs")), ("skip", _("none runs")), ("all", _("all run"))]
_OUTCOMES = [("any", _("any end")), ("success", _("success")), ("failure", _("failure"))]


class Event(Form):
    """A new event."""

    name = forms.RegexField(r"^[A-Za-z][A-Za-z0-9_-]{0,62}\Z", label=_("Name"))
    description = forms.CharField(label=_("Description"), max_length=1024, required=False)
    source = forms.ChoiceField(label=_("Source"), choices=_SOURCES)
    settings = JsonField(
        label=_("Settings of the source (JSON)"),
        rows=6,
        required=False,
        help_text=_("As the user guide has them; what is published needs none."),
    )
    password = forms.CharField(
        label=_("Password"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("That of the broker or database, which is never shown."),
    )

    def clean_settings(self) -> dict[str, Any]:
        """Refuse what is no object."""
        settings = self.cleaned_data["settings"] or {}
        if not isinstance(settings, dict):
            raise forms.ValidationError(_("These are names with values, in braces."))
        return settings


class Published(Form):
    """What is published on an event."""

    data = JsonField(label=_("Data (JSON)"), initial="{}")


class _OfFunction(Form):
    """A subscription; ``functions`` are the choices of who has it."""

    function_id = forms.ChoiceField(label=_("Function"))

    def __init__(self, *args: Any, functions: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["function_id"].choices = functions


class Timer(_OfFunction):
    """A new timer."""

    cron = forms.CharField(
        label=_("Cron expression"),
        required=False,
        help_text=_("Minute, hour, day, month, day of the week: 30 8 * * mon-fri."),
    )
    timezone = forms.CharField(label=_("Time zone of the expression"), initial="UTC")
    frequency = forms.FloatField(
        label=_("Or every so many minutes"), required=False, min_value=1 / 60
    )
    misfire = forms.ChoiceField(label=_("Of the ticks that were missed"), choices=_MISFIRES)

    def clean(self) -> dict[str, Any]:
        """Refuse two times, and none."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(values.get("cron")) == (values.get("frequency") is not None):
            raise forms.ValidationError(_("Either an expression or a number of minutes is needed."))
        return values


class Subscription(_OfFunction):
    """A new subscription to an event, or to how the runs of another function end."""

    target = forms.ChoiceField(label=_("Runs on"))
    outcome = forms.ChoiceField(
        label=_("Of a function's runs"), choices=_OUTCOMES, help_text=_("Events have no end.")
    )
    filter = JsonField(
        label=_("Filter (JSON)"),
        rows=4,
        required=False,
        help_text=_('What the data must match: {"color": "red"}. Empty: all of it.'),
    )

    def __init__(self, *args: Any, events: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        functions = self.fields["function_id"].choices
        self.fields["target"].choices = [
            (_("Events"), [(f"message {each}", name) for each, name in events]),
            (_("Ends of"), [(f"response {each}", name) for each, name in functions]),
        ]
