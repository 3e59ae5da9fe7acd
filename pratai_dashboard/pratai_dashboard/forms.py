"""Fields that forms share: JSON, variables, moments."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class Form(forms.Form):
    """A form whose fields look as Horizon's do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
                field.widget.attrs.setdefault("class", "form-control")


class CodeField(forms.CharField):
    """Text of a program, of which no character is anybody else's."""

    def __init__(self, *, rows: int = 12, **kwargs: Any) -> None:
        attrs = {"rows": rows, "class": "form-control pratai-code", "spellcheck": "false",
                 "autocapitalize": "off", "autocomplete": "off"}  # fmt: skip
        super().__init__(strip=False, widget=forms.Textarea(attrs=attrs), **kwargs)


class JsonField(CodeField):
    """A value in JSON, which may be ``null``; ``None`` also where nothing is written."""

    def clean(self, value: Any) -> Any:
        """See Django."""
        if self.required and not (value or "").strip():
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return self.to_python(value)

    def to_python(self, value: Any) -> Any:
        """See Django."""
        if not (value or "").strip():
            return None
        try:
            return json.loads(value)
        except ValueError as error:
            text = _("This is not JSON: %(reason)s.") % {"reason": error}
            raise forms.ValidationError(text) from error


class VariablesField(CodeField):
    """Variables, a line each."""

    def to_python(self, value: Any) -> dict[str, str]:
        """See Django."""
        lines = [line for line in (value or "").splitlines() if line.strip()]
        pairs = [line.partition("=") for line in lines]
        wrong = [line for line, (_name, sign, _value) in zip(lines, pairs, strict=True) if not sign]
        if wrong:
            text = _("Not NAME=VALUE: %(lines)s.") % {"lines": ", ".join(wrong)}
            raise forms.ValidationError(text)
        return {name.strip(): value for name, _sign, value in pairs}

    def validate(self, value: Any) -> None:
        """See Django: there need not be any."""

    def prepare_value(self, value: Any) -> Any:
        """See Django."""
        if isinstance(value, dict):
            return "\n".join(f"{name}={text}" for name, text in value.items())
        return value


class MomentField(forms.DateTimeField):
    """A time, in the time zone that the user has chosen in Horizon."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"type": "datetime-local", "class": "form-control"}
        widget = forms.DateTimeInput(attrs=attrs, format="%Y-%m-%dT%H:%M")
        formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        super().__init__(widget=widget, input_formats=formats, **kwargs)


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Return what was filled in."""
    return {name: value for name, value in values.items() if value not in (None, "")}
