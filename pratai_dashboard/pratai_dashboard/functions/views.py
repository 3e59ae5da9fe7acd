"""The list of functions, and the page of one."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from horizon import tables
from prataiclient.resources import Function, Subscription

from pratai_dashboard.events.tables import Subscriptions
from pratai_dashboard.functions import routes
from pratai_dashboard.functions.tables import Functions, VersionRow, Versions
from pratai_dashboard.requests.tables import RequestRow, Requests
from pratai_dashboard.tables import row
from pratai_dashboard.views import Act, ApiView, FollowView

_BUILDING = "building"
_NEWEST = 10


class Index(ApiView, tables.DataTableView):
    """All functions of the project."""

    rules = ("function:list",)
    table_class = Functions
    template_name = "pratai/table.html"
    page_title = _("Functions")

    def get_data(self) -> list[Function]:
        """See Horizon."""
        return list(self.client.functions())


class Detail(ApiView, tables.MultiTableView):
    """One function: its settings, build, versions, subscriptions and newest requests."""

    rules = ("function:get",)
    table_classes = (Versions, Subscriptions, Requests)
    template_name = "pratai/function.html"
    page_title = "{{ function.name }}"

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """See Django."""
        self.function = self.client.function(kwargs["function_id"])
        self.versions = list(self.client.versions(self.function.function_id))
        return super().get(request, *args, **kwargs)

    def get_versions_data(self) -> list[VersionRow]:
        """See Horizon."""
        current, newest_first = self.function.version, reversed(self.versions)
        return [row(VersionRow, each, serves=each.version == current) for each in newest_first]

    def get_subscriptions_data(self) -> list[Subscription]:
        """See Horizon."""
        return list(self.client.subscriptions(self.function.function_id))

    def get_requests_data(self) -> list[RequestRow]:
        """See Horizon."""
        found = self.client.requests(_NEWEST, function_id=self.function.function_id)
        return [row(RequestRow, each, function_name=self.function.name) for each in found]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        building = self.versions[-1].status == _BUILDING
        found: dict[str, Any] = super().get_context_data(
            function=self.function,
            newest=self.versions[-1],
            building=building,
            build_log=self.client.build_log(self.function.function_id),
            acts=self._acts(),
            **kwargs,
        )
        return found

    def _acts(self) -> list[Act]:
        one = self.function.function_id
        return self.acts(
            ("function:call", Act(_("Run"), routes.to("run", one))),
            ("function:update", Act(_("Settings"), routes.to("update", one))),
            ("function:update", Act(_("Upload a version"), routes.to("version_zip", one))),
            ("function:update", Act(_("Write a version"), routes.to("version_editor", one))),
            ("function:stop", Act(_("Stop its runs"), routes.to("stop", one), danger=True)),
            ("function:delete", Act(_("Delete"), routes.to("delete", one), danger=True)),
        )


class BuildLog(FollowView):
    """What the newest build has printed so far."""

    rules = ("build_log:get",)

    def read(self, **names: str) -> tuple[str, str, bool]:
        """See FollowView. The status before the log: what is final now was printed before."""
        function_id = names["function_id"]
        status = list(self.client.versions(function_id))[-1].status
        return self.client.build_log(function_id), status, status != _BUILDING
