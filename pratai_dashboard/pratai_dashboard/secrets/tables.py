"""The table of secrets."""

from django.utils.translation import gettext_lazy as _
from horizon import tables

from pratai_dashboard.tables import Options, RowLink, Table, rules
from pratai_dashboard.templatetags.pratai import moment


class Delete(RowLink):
    """Delete a secret, when that was asked for again."""

    name = "delete"
    verbose_name = _("Delete")
    url = "horizon:project:pratai_secrets:delete"
    danger = True
    policy_rules = rules("secret:delete")


class Secrets(Table):
    """The names of the project's secrets."""

    name = tables.Column("name", verbose_name=_("Name"))
    created_at = tables.Column("created_at", verbose_name=_("Kept since"), filters=(moment,))

    class Meta(Options):
        """See Horizon."""

        name = "secrets"
        verbose_name = _("Secrets")
        row_actions = (Delete,)
        no_data_message = _("The project has no secret.")
