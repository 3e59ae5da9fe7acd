"""The pages that take code in: of a new function, or of its next version."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from pratai_dashboard import packages
from pratai_dashboard.functions import forms, routes
from pratai_dashboard.functions.settings import first, secret_choices
from pratai_dashboard.views import FormView, choices

_NO_SETTINGS = frozenset({"name", "zip_file", "module", "requirements"})


class CodeView(FormView):
    """A form with code in it, as a zip or as text."""

    def package(self, values: dict[str, Any]) -> bytes:
        """Return the zip that was uploaded, or one of what was written."""
        if "zip_file" in values:
            uploaded: bytes = values["zip_file"].read()
            return uploaded
        return packages.written(values["module"], values["requirements"])


class Create(CodeView):
    """A new function. Its page shows how it is built."""

    rules = ("function:create",)
    submit_label = _("Create")

    def get_form_kwargs(self) -> dict[str, Any]:
        """See Django."""
        return {**super().get_form_kwargs(), "secrets": secret_choices(self.client)}

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        settings = {name: each for name, each in values.items() if name not in _NO_SETTINGS}
        made = self.client.create_function(values["name"], self.package(values), **first(settings))
        self.said(_("%(name)s is being built.") % {"name": made.name})
        return routes.to("detail", made.function_id)

    def back(self) -> str:
        """See FormView."""
        return routes.to("index")


class CreateFromZip(Create):
    """A new function from a zip."""

    form_class = forms.CreateFromZip
    page_title = _("Create a function from a zip")

    def get_form_kwargs(self) -> dict[str, Any]:
        """See Django."""
        runtimes = choices(self.client.runtimes, lambda each: (each.name, each.name))
        return {**super().get_form_kwargs(), "runtimes": runtimes}


class CreateInEditor(Create):
    """A new function from what was written."""

    form_class = forms.CreateInEditor
    page_title = _("Write a function")


class NextVersion(CodeView):
    """The next version of a function, which serves as soon as it is built."""

    rules = ("function:update",)
    submit_label = _("Build")

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        made = self.client.upload_version(self.kwargs["function_id"], self.package(values))
        self.said(_("Version %(version)s is being built.") % {"version": made.version})
        return self.back()

    def back(self) -> str:
        """See FormView."""
        return routes.to("detail", self.kwargs["function_id"])


class VersionFromZip(NextVersion):
    """From a zip."""

    form_class = forms.Zip
    page_title = _("Upload a version")


class VersionInEditor(NextVersion):
    """From what is written."""

    form_class = forms.Editor
    page_title = _("Write a version")
    question = _("The editor begins with an example: the service gives no code back.")
