"""What the platform consists of, for its administrators."""

from django.utils.translation import gettext_lazy as _
from horizon import tables
from prataiclient.resources import Daemon, Runtime

from pratai_dashboard.cluster.tables import Daemons, Runtimes
from pratai_dashboard.views import ApiView


class Index(ApiView, tables.MultiTableView):
    """Daemons and runtimes."""

    rules = ("cluster:get",)
    table_classes = (Daemons, Runtimes)
    template_name = "pratai/cluster.html"
    page_title = _("Function cluster")

    def get_daemons_data(self) -> list[Daemon]:
        """See Horizon."""
        found = self.client.daemons()
        return sorted(found, key=lambda each: (each.daemon_type, each.daemon_id))

    def get_runtimes_data(self) -> list[Runtime]:
        """See Horizon."""
        return list(self.client.runtimes())
