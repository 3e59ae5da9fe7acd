"""Quotas: what a project may have, and what it has."""

from flask import Response

from pratai_api import caller, quota_views, schemas
from pratai_api.answers import json_answer
from pratai_api.arguments import given, query
from pratai_api.errors import ApiError
from pratai_api.services import services

_UNITS = {"code_size": "MB"}


def show() -> Response:
    """Answer the project's quotas, and how much of each is used; an administrator may name another
    project.
    """
    project_id = given(query(schemas.QuotaQuery).project_id) or caller.current().project_id
    if not caller.may_touch(project_id):
        raise ApiError(403, "forbidden", "the quotas of another project are for administrators")
    limits, used = services().quotas.limits(project_id), services().quotas.used(project_id)
    used["requests_per_minute"] = services().intake.in_a_minute(project_id)
    quotas = [
        quota_views.Quota(
            resource=name,
            limit=None if limit < 0 else limit,
            used=used[name],
            unit=_UNITS.get(name),
        )
        for name, limit in limits._asdict().items()
    ]
    return json_answer(
        quota_views.Quotas(project_id=project_id, tenant_id=project_id, quotas=quotas)
    )
