"""Which requests a list holds."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from pratai_dashboard.forms import Form, MomentField
from pratai_dashboard.summary import STATUSES

_ANY = [("", _("any"))]


class Filter(Form):
    """What is asked of the list; ``functions`` are the choices of those."""

    function_id = forms.ChoiceField(label=_("Function"), required=False)
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[*_ANY, *((each, each) for each in STATUSES)]
    )
    since = MomentField(label=_("Accepted from"), required=False)
    until = MomentField(label=_("Accepted before"), required=False)
    dead = forms.BooleanField(label=_("Dead letters alone"), required=False)

    def __init__(self, *args: Any, functions: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["function_id"].choices = [*_ANY, *functions]
