"""The panel, as Horizon's menu has it."""

import horizon
from django.utils.translation import gettext_lazy as _


class Secrets(horizon.Panel):
    """Shown where the catalogue has the service."""

    name = _("Secrets")
    slug = "pratai_secrets"
    permissions = ("openstack.services.function",)
