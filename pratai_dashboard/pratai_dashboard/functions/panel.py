"""The panel, as Horizon's menu has it."""

import horizon
from django.utils.translation import gettext_lazy as _


class Functions(horizon.Panel):
    """Shown where the catalogue has the service."""

    name = _("Functions")
    slug = "pratai_functions"
    permissions = ("openstack.services.function",)
