"""The panel, as Horizon's menu has it."""

import horizon
from django.utils.translation import gettext_lazy as _


class Events(horizon.Panel):
    """Shown where the catalogue has the service."""

    name = _("Events and timers")
    slug = "pratai_events"
    permissions = ("openstack.services.function",)
