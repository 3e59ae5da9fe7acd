"""The names of secrets. No value comes here: whoever keeps or reads one uses the command line."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from horizon import tables
from prataiclient.resources import Secret

from pratai_dashboard.secrets.tables import Secrets
from pratai_dashboard.views import ApiView, FormView


class Index(ApiView, tables.DataTableView):
    """The names of the project's secrets."""

    rules = ("secret:list",)
    table_class = Secrets
    template_name = "pratai/table.html"
    page_title = _("Secrets")

    def get_data(self) -> list[Secret]:
        """See Horizon."""
        return list(self.client.secrets())


class Delete(FormView):
    """Delete a secret."""

    rules = ("secret:delete",)
    page_title = _("Delete the secret {{ name }}")
    submit_label = _("Delete")
    question = _("Functions that need it fail from then on.")
    danger = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        return super().get_context_data(name=self.kwargs["name"], **kwargs)

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        self.client.delete_secret(self.kwargs["name"])
        self.said(_("%(name)s is deleted.") % self.kwargs)
        return self.back()

    def back(self) -> str:
        """See FormView."""
        return reverse("horizon:project:pratai_secrets:index")
