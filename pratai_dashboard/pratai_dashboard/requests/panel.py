"""The panel, as Horizon's menu has it."""

import horizon
from django.utils.translation import gettext_lazy as _


class Requests(horizon.Panel):
    """Shown where the catalogue has the service."""

    name = _("Requests")
    slug = "pratai_requests"
    permissions = ("openstack.services.function",)
