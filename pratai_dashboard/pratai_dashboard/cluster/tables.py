"""The tables of the platform's daemons and runtimes."""

from django.utils.translation import gettext_lazy as _
from horizon import tables

from pratai_dashboard.tables import Options, Table, status
from pratai_dashboard.templatetags.pratai import moment


class Daemons(Table):
    """The processes of the platform."""

    key = "daemon_id"
    daemon_type = tables.Column("daemon_type", verbose_name=_("Daemon"))
    daemon_id = tables.Column("daemon_id", verbose_name=_("Id"))
    state = tables.Column(status, verbose_name=_("Status"))
    role = tables.Column("role", verbose_name=_("Role"))
    ip = tables.Column("ip", verbose_name=_("Address"))
    version = tables.Column("version", verbose_name=_("Release"))
    joined_at = tables.Column("joined_at", verbose_name=_("Joined"), filters=(moment,))
    dropped = tables.Column("dropped_messages", verbose_name=_("Messages dropped"))

    class Meta(Options):
        """See Horizon."""

        name = "daemons"
        verbose_name = _("Daemons")


class Runtimes(Table):
    """What functions can run on."""

    name = tables.Column("name", verbose_name=_("Runtime"))
    image = tables.Column("image", verbose_name=_("Image"))
    nodes = tables.Column("nodes", verbose_name=_("Ready on nodes"))

    class Meta(Options):
        """See Horizon."""

        name = "runtimes"
        verbose_name = _("Runtimes")
