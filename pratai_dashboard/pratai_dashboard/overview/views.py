"""What the newest requests of the project say together, as charts and in tables."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from prataiclient.resources import Request

from pratai_dashboard import charts, summary
from pratai_dashboard.views import PageView, function_choices

_MOST = 2000
"""So many requests are looked at: a page is no place for statistics of millions."""
_PARTS = 30
_FUNCTIONS = 8


class Span(NamedTuple):
    """A span of time that can be looked at."""

    name: str
    label: Any
    length: timedelta


_SPANS = (
    Span("hour", _("The last hour"), timedelta(hours=1)),
    Span("day", _("The last day"), timedelta(days=1)),
    Span("week", _("The last week"), timedelta(days=7)),
)


class Index(PageView):
    """Charts of the span of time that was asked for: the last day, if none was."""

    rules = ("request:list",)
    template_name = "pratai/overview.html"
    page_title = _("Overview")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        found, until = self._requests(), timezone.now()
        buckets = summary.buckets(found, until - self._span.length, until, _PARTS)
        times = summary.by_function(found, _FUNCTIONS)
        more = {
            "spans": _SPANS,
            "span": self._span,
            "number": len(found),
            "most": _MOST,
            "cut": len(found) == _MOST,
            "statuses": summary.by_status(found),
            "percentiles": summary.PERCENTILES,
            "times": [(self._name(each.function_id), each) for each in times],
            "columns": charts.columns(buckets, lambda each: self._hour(each.since)),
            "latencies": charts.latencies(times, self._name),
            "shares": charts.shares(times, self._name),
            "quotas": self.client.quotas(),
        }
        return super().get_context_data(**more, **kwargs)

    def _requests(self) -> list[Request]:
        since, found = timezone.now() - self._span.length, list[Request]()
        for each in self.client.requests(_MOST):
            if each.created_at < since:
                break
            found.append(each)
        return found

    @cached_property
    def _span(self) -> Span:
        asked = self.request.GET.get("span")
        return next((each for each in _SPANS if each.name == asked), _SPANS[1])

    @cached_property
    def _names(self) -> dict[str, str]:
        return dict(function_choices(self.client))

    def _name(self, function_id: str) -> str:
        return self._names.get(function_id, function_id)

    def _hour(self, at: datetime) -> str:
        shape = "%H:%M" if self._span.length <= timedelta(days=1) else "%d %b %H h"
        return timezone.localtime(at).strftime(shape)
