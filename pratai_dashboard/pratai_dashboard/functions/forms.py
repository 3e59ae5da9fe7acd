"""The forms of functions: their code, their settings, what they are called with."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from pratai_dashboard.forms import CodeField, Form, JsonField, VariablesField
from pratai_dashboard.packages import STARTER

_TYPES = [("async", _("Callers get an id at once")), ("wait_for_response", _("Callers wait"))]
_MEGABYTES = forms.NumberInput(attrs={"min": 64, "max": 8192})


class Zip(Form):
    """A zip with the code of a function."""

    zip_file = forms.FileField(
        label=_("Zip"),
        help_text=_(
            "Has new_module.py with main(payload=None), and requirements.txt, at its root."
        ),
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
    )


class Editor(Form):
    """The code of a small function, in Python."""

    module = CodeField(
        label=_("Code"), rows=16, initial=STARTER, help_text=_("This becomes new_module.py.")
    )
    requirements = CodeField(
        label=_("Requirements"),
        rows=4,
        required=False,
        help_text=_("Packages from PyPI, a line each: requests==2.32.3."),
    )


class Settings(Form):
    """What a function is beside its code. ``secrets`` are the choices of names."""

    name = forms.RegexField(
        r"^[A-Za-z][A-Za-z0-9_-]{0,62}\Z",
        label=_("Name"),
        help_text=_("A letter, then letters, digits, _ and -. No other function has it."),
    )
    description = forms.CharField(label=_("Description"), max_length=1024, required=False)
    type = forms.ChoiceField(label=_("Type"), choices=_TYPES)
    memory = forms.IntegerField(label=_("Memory (MB)"), min_value=64, max_value=8192, initial=128)
    timeout = forms.IntegerField(
        label=_("Time limit (seconds)"), min_value=1, max_value=900, initial=60
    )
    limit = forms.IntegerField(
        label=_("Runs at a time"), min_value=1, required=False, help_text=_("Empty: any number.")
    )
    retries = forms.IntegerField(
        label=_("Repetitions"),
        min_value=0,
        max_value=10,
        initial=0,
        help_text=_("How often a run that failed is repeated."),
    )
    environment = VariablesField(
        label=_("Environment"),
        rows=4,
        required=False,
        help_text=_("NAME=VALUE, a line each. Passwords are no variables: make them secrets."),
    )
    secrets = forms.MultipleChoiceField(
        label=_("Secrets"),
        required=False,
        help_text=_("Its code finds them in /run/secrets."),
    )
    public = forms.BooleanField(label=_("Anybody may call it, by its address"), required=False)
    enabled = forms.BooleanField(label=_("Events run it"), required=False, initial=True)

    def __init__(self, *args: Any, secrets: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secrets"].choices = secrets
        if not secrets:
            del self.fields["secrets"]


class CreateFromZip(Settings, Zip):
    """A new function from a zip. ``runtimes`` are the choices of those."""

    runtime = forms.ChoiceField(label=_("Runtime"), initial="python3")
    field_order = ("name", "zip_file", "runtime", "description")

    def __init__(self, *args: Any, runtimes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["runtime"].choices = runtimes or [("python3", "python3")]


class CreateInEditor(Settings, Editor):
    """A new function from what was written."""

    field_order = ("name", "module", "requirements", "description")


class Payload(Form):
    """What a function is called with."""

    payload = JsonField(
        label=_("Payload (JSON)"), initial="{}", help_text=_("main gets it as its argument.")
    )
