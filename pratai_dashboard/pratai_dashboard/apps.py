"""The Django application, and what Horizon has to know of the service before it judges."""

from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from prataiclient.connection import SERVICE_TYPE

_DEFAULTS = Path(__file__).parent / "conf" / "default_policies.yaml"
_OVERRIDES = "pratai_policy.yaml"


class PrataiDashboard(AppConfig):
    """Names the service's policy: its defaults are here, and what the operator changed of it is in
    Horizon's own folder of policies, where there is such a file.
    """

    name = "pratai_dashboard"

    def ready(self) -> None:
        """Name the files, where the operator's settings name no others."""
        settings.POLICY_FILES.setdefault(SERVICE_TYPE, _OVERRIDES)
        settings.DEFAULT_POLICY_FILES.setdefault(SERVICE_TYPE, str(_DEFAULTS))
