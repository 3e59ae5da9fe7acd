"""The panel, as Horizon's menu has it."""

import horizon
from django.utils.translation import gettext_lazy as _


class Cluster(horizon.Panel):
    """Shown where the catalogue has the service."""

    name = _("Function cluster")
    slug = "pratai_cluster"
    permissions = ("openstack.services.function",)
