"""Quotas as clients see them; see ``views``."""

from pratai_api.views import View


class Quota(View, frozen=True, kw_only=True):
    """How much of something a project may have, ``None`` for as much as it likes, and how much it
    has. Of what is counted in MB the ``unit`` says so.
    """

    resource: str
    limit: int | None
    used: int
    unit: str | None


class Quotas(View, frozen=True, kw_only=True):
    """The quotas of a project."""

    project_id: str
    tenant_id: str
    quotas: list[Quota]
