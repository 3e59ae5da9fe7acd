"""Filters of the templates, which show values as tables and pages do."""

from datetime import datetime

from django import template
from django.utils import timezone

from pratai_dashboard import shown

register = template.Library()
register.filter("duration", shown.duration)
register.filter("size", shown.size)
register.filter("percent", shown.percent)
register.filter("pretty", shown.pretty)
register.filter("status_kind", shown.status_kind)


@register.filter
def moment(told: datetime | str | None) -> str:
    """Return a time in the time zone that the user has chosen in Horizon. Within what sources of
    events tell of themselves times are text.
    """
    if told is None:
        return shown.NOTHING
    at = datetime.fromisoformat(told) if isinstance(told, str) else told
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}"
