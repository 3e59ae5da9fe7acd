"""The panel, as Horizon's menu has it."""

import horizon
from django.utils.translation import gettext_lazy as _


class Overview(horizon.Panel):
    """Shown where the catalogue has the service."""

    name = _("Overview")
    slug = "pratai_overview"
    permissions = ("openstack.services.function",)
