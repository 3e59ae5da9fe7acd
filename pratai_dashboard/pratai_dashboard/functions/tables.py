"""The tables of functions and of their versions."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import tables
from prataiclient.resources import Version

from pratai_dashboard import shown
from pratai_dashboard.functions import routes
from pratai_dashboard.tables import Options, RowLink, Table, link, rules, status
from pratai_dashboard.templatetags.pratai import moment

_PANEL = "horizon:project:pratai_functions"


class CreateFromZip(tables.LinkAction):
    """Upload a zip as a new function."""

    name = "create_zip"
    verbose_name = _("Create from a zip")
    url = f"{_PANEL}:create_zip"
    policy_rules = rules("function:create")


class CreateInEditor(tables.LinkAction):
    """Write a new function."""

    name = "create_editor"
    verbose_name = _("Write a function")
    url = f"{_PANEL}:create_editor"
    policy_rules = rules("function:create")


class Run(RowLink):
    """Send an event to a function."""

    name = "run"
    verbose_name = _("Run")
    url = f"{_PANEL}:run"
    policy_rules = rules("function:call")


class Update(RowLink):
    """Change the settings of a function."""

    name = "update"
    verbose_name = _("Settings")
    url = f"{_PANEL}:update"
    policy_rules = rules("function:update")


class Delete(RowLink):
    """Delete a function, when that was asked for again."""

    name = "delete"
    verbose_name = _("Delete")
    url = f"{_PANEL}:delete"
    danger = True
    policy_rules = rules("function:delete")


class Functions(Table):
    """The project's functions."""

    key = "function_id"
    name = tables.Column("name", verbose_name=_("Name"), link=link(routes.DETAIL, "function_id"))
    state = tables.Column(status, verbose_name=_("Status"))
    type = tables.Column("type", verbose_name=_("Type"))
    event = tables.Column("event", verbose_name=_("Runs on"))
    runtime = tables.Column("runtime", verbose_name=_("Runtime"))
    memory = tables.Column("memory", verbose_name=_("Memory (MB)"))
    version = tables.Column("version", verbose_name=_("Version"))
    updated_at = tables.Column("updated_at", verbose_name=_("Changed"), filters=(moment,))

    class Meta(Options):
        """See Horizon."""

        name = "functions"
        verbose_name = _("Functions")
        table_actions = (CreateFromZip, CreateInEditor)
        row_actions = (Run, Update, Delete)
        no_data_message = _("The project has no function yet.")


class VersionRow(Version):
    """A version, and whether it is the one that serves."""

    serves: bool


class Serve(RowLink):
    """Let a version serve that was built."""

    name = "serve"
    verbose_name = _("Let it serve")
    policy_rules = rules("function:update")

    def allowed(self, request: Any, datum: VersionRow) -> bool:
        """See Horizon."""
        return datum.status == "active" and not datum.serves

    def get_link_url(self, datum: VersionRow) -> str:
        """See Horizon."""
        return routes.to("serve", datum.function_id, datum.version)


class Versions(Table):
    """The versions of a function; rows are of the kind ``VersionRow``."""

    key = "version"
    version = tables.Column("version", verbose_name=_("Version"))
    serves = tables.Column(
        lambda datum: _("yes") if datum.serves else _("no"), verbose_name=_("Serves")
    )
    state = tables.Column(status, verbose_name=_("Status"))
    runtime = tables.Column("runtime", verbose_name=_("Runtime"))
    size = tables.Column("size", verbose_name=_("Size of the zip"), filters=(shown.size,))
    created_at = tables.Column("created_at", verbose_name=_("Uploaded"), filters=(moment,))

    class Meta(Options):
        """See Horizon."""

        name = "versions"
        verbose_name = _("Versions")
        row_actions = (Serve,)
