"""The list of requests, the page of one, and what can be done with it."""

from functools import cache
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from horizon import tables
from prataiclient import NotFoundError, chain
from prataiclient.resources import Attempt

from pratai_dashboard import family, stations
from pratai_dashboard.forms import given
from pratai_dashboard.requests import reading, routes
from pratai_dashboard.requests.forms import Filter
from pratai_dashboard.requests.tables import Attempts, RequestRow, Requests
from pratai_dashboard.tables import row
from pratai_dashboard.views import Act, ApiView, FollowView, FormView, function_choices

_MOST_OF_CHAIN = 100


class Index(ApiView, tables.DataTableView):
    """Requests, as they were asked for."""

    rules = ("request:list",)
    table_class = Requests
    template_name = "pratai/requests.html"
    page_title = _("Requests")

    def get_data(self) -> list[RequestRow]:
        """See Horizon."""
        self.filter = Filter(self.request.GET or None, functions=self._functions)
        wanted = given(self.filter.cleaned_data) if self.filter.is_valid() else {}
        wanted["dead"] = wanted.get("dead") or None
        self.page = reading.read(self.client, wanted, self.request.GET.get("marker"))
        self.table.query = {
            name: value for name, value in self.request.GET.items() if name != "marker"
        }
        names = dict(self._functions)
        return [
            row(RequestRow, each, function_name=names.get(each.function_id, each.function_id))
            for each in self.page.requests
        ]

    def has_more_data(self, table: Requests) -> bool:
        """See Horizon."""
        return self.page.more

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        found: dict[str, Any] = super().get_context_data(
            filter=self.filter, page=self.page, most_read=reading.MOST_READ, **kwargs
        )
        return found

    @cached_property
    def _functions(self) -> list[tuple[str, str]]:
        return function_choices(self.client)


class Detail(ApiView, tables.MultiTableView):
    """One request: what came of it, and where its time went."""

    rules = ("request:get",)
    table_classes = (Attempts,)
    template_name = "pratai/request.html"
    page_title = _("Request {{ shown.request_id }}")

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """See Django."""
        self.shown = self.client.request(kwargs["request_id"], payload=True)
        self.name = cache(self._name)
        return super().get(request, *args, **kwargs)

    def get_attempts_data(self) -> list[Attempt]:
        """See Horizon."""
        return self.shown.attempts

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        log = self.client.request_log(self.shown.request_id).decode(errors="replace")
        found: dict[str, Any] = super().get_context_data(
            shown=self.shown,
            function_name=self.name(self.shown.function_id),
            log=log,
            parts=stations.parts(self.shown.timing),
            family=self._family(),
            most_of_chain=_MOST_OF_CHAIN,
            acts=self._acts(),
            **kwargs,
        )
        return found

    def _family(self) -> family.Drawing | None:
        """Return the chain that the request is part of; ``None`` where it is alone, or where the
        one that began it is no longer kept.
        """
        root_id = self.shown.root_id
        try:
            root = self.client.request(root_id)
        except NotFoundError:
            return None
        behind = self.client.requests(_MOST_OF_CHAIN, root_id=root_id, sort="created_at:asc")
        others = [each for each in behind if each.request_id != root_id]
        return family.draw(chain.tree(root, others, self.name)) if others else None

    def _acts(self) -> list[Act]:
        one = self.shown.request_id
        if self.shown.ended:
            return self.acts(("request:replay", Act(_("Replay"), routes.to("replay", one))))
        act = Act(_("Cancel it"), routes.to("cancel", one), danger=True)
        return self.acts(("request:cancel", act))

    def _name(self, function_id: str) -> str:
        """Return a function's name, or the id of one that was deleted."""
        try:
            return self.client.function(function_id).name
        except NotFoundError:
            return function_id


class Logs(FollowView):
    """What a request has printed so far."""

    rules = ("request:logs",)

    def read(self, **names: str) -> tuple[str, str, bool]:
        """See FollowView. The status before the log: what is final now was printed before."""
        found = self.client.request(names["request_id"])
        log = self.client.request_log(names["request_id"]).decode(errors="replace")
        return log, found.status, found.ended


class OneRequest(FormView):
    """A question about one request."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See Django."""
        return super().get_context_data(request_id=self.kwargs["request_id"], **kwargs)

    def back(self) -> str:
        """See FormView."""
        return routes.to("detail", self.kwargs["request_id"])


class Replay(OneRequest):
    """Run a request once more."""

    rules = ("request:replay",)
    page_title = _("Replay {{ request_id }}")
    submit_label = _("Replay")
    question = _("A new request gets the same payload, and the function's current version.")

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        return routes.to("detail", self.client.replay_request(self.kwargs["request_id"]))


class Cancel(OneRequest):
    """Cancel a request."""

    rules = ("request:cancel",)
    page_title = _("Cancel {{ request_id }}")
    submit_label = _("Cancel the request")
    danger = True

    def act(self, values: dict[str, Any]) -> str:
        """See FormView."""
        self.client.cancel_request(self.kwargs["request_id"])
        self.said(_("The request is being cancelled."))
        return self.back()
