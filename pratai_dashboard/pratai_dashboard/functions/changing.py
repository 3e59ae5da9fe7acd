"""The pages that change a function: its settings, which version serves, whether it is there."""

from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from prataiclient.resources import Function

from pratai_dashboard.functions import forms, routes
from pratai_dashboard.functions.settings import changed, initial, secret_choices
from pratai_dashboard.views import FormView


class OneFunction(FormView):
    """A form about one function."""

    @cached_property
    def function(self) -> Function:
        """The function."""
        return self.client.function(self.kwargs["function_id"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        return super().get_context_data(function=self.function, **kwargs)

    def back(self) -> str:
        """See FormView."""
        return routes.to("detail", self.function.function_id)


class Update(OneFunction):
    """Change the settings."""

    rules = ("function:update",)
    form_class = forms.Settings
    page_title = _("Settings of {{ function.name }}")

    def get_form_kwargs(self) -> dict[str, Any]:
        """See Django."""
        found = {"initial": initial(self.function), "secrets": secret_choices(self.client)}
        return {**super().get_form_kwargs(), **found}

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        changes = changed(values, self.function)
        if changes:
            self.client.update_function(self.function.function_id, **changes)
        self.said(_("The settings are saved."))
        return self.back()


class Serve(OneFunction):
    """Let another version serve."""

    rules = ("function:update",)
    page_title = _("Let version {{ number }} of {{ function.name }} serve")
    submit_label = _("Let it serve")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        return super().get_context_data(number=self.kwargs["number"], **kwargs)

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        number = self.kwargs["number"]
        self.client.update_function(self.function.function_id, version=number)
        self.said(_("Version %(number)s serves from now on.") % {"number": number})
        return self.back()


class Delete(OneFunction):
    """Delete the function."""

    rules = ("function:delete",)
    page_title = _("Delete {{ function.name }}")
    submit_label = _("Delete")
    question = _("What waits for it is cancelled. Its requests stay to be seen. Nothing brings it"
                 " back.")  # fmt: skip
    danger = True

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        self.client.delete_function(self.function.function_id)
        self.said(_("%(name)s is deleted.") % {"name": self.function.name})
        return routes.to("index")
